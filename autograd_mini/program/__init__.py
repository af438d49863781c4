"""The vector program that hides in a scalar graph: found, shown, and run."""

from __future__ import annotations

import os

from ..uncompiled import take_installed, take_sources

if os.environ.get("AUTOGRAD_MINI_COMPILE") == "0":  # each after those that it imports
    take_sources(__name__, "arguments", "specialization", "buffers", "programs", "compiler")
else:
    take_installed(__name__, "arguments", "specialization", "buffers", "programs", "compiler")

from .compiler import Compiled as Compiled, compile as compile
from .lift import Instruction as Instruction, Program as Program, lift as lift
