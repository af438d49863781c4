"""How much Hypothesis tries: `HYPOTHESIS_PROFILE` says which of the profiles of `strategies`, "default" without it."""

from __future__ import annotations

import strategies

strategies.load_profile()
