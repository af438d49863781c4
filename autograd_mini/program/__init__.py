"""The vector program that hides in a scalar graph: found, shown, and run."""

from __future__ import annotations

from ..uncompiled import take

take(__name__, "arguments", "specialization", "buffers", "programs", "axes", "plans", "batch", "binding", "compiler")

from .compiler import Compiled as Compiled, compile as compile
from .lift import Instruction as Instruction, Program as Program, lift as lift
