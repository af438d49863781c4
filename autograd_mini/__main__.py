"""Run the command: `python -m autograd_mini` is `autograd-mini`."""

from .cli import main

raise SystemExit(main())
