"""A trace without equations that a program need not compute.

`Trace` has the passes. They run without NumPy, and take long to see that there is nothing to do. This module sees it at
once, and must not know how a pass works.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..equations import Equations
from ..ops import identity
from ..traces import Trace

ODD = np.uint64(0x9E3779B97F4A7C15)


def simplified(trace: Trace) -> Trace:
    """Return a trace of the same values, without neutral operations, equal equations and equations without use.

    >>> from autograd_mini import trace
    >>> simplified(trace(lambda x: 1.0 * x + x * x * x / (x * x), 3.0))
    trace of <lambda>: 1 input, 4 equations
      x0 = inputs
      t2 = x0 * x0
      t3 = t2 * x0
      t5 = t3 / t2
      t6 = x0 + t5
      return t6
    """
    if _has_neutral(trace.equations):
        trace = trace.fold_constants()
    if _has_equal(trace.equations):
        trace = trace.common_subexpressions()
    if _has_unused(trace):
        trace = trace.dead_code()
    return trace


def _has_neutral(equations: Equations) -> bool:
    """Return whether an operand may be a neutral constant, as in x * 1, or an equation a copy."""
    if identity in equations.rows:
        return True
    codes, operands = np.array(equations.codes), np.array(equations.operands)
    starts = _starts(equations)
    constants = np.array(equations.constants)
    for code, op in enumerate(equations.rows):
        for place, neutral in enumerate(op.neutral or ()):
            if neutral is not None and (constants == neutral).any():
                read = operands[starts[codes == code] + place]
                if (constants[~read[read < 0]] == neutral).any():
                    return True
    return False


def _has_equal(equations: Equations) -> bool:
    """Return whether two equations may be equal: whether any two have the same hash."""
    starts, operands = _starts(equations), np.array(equations.operands, dtype=np.uint64)
    if not len(starts):
        return False
    nth = np.arange(len(operands)) - np.repeat(starts, np.diff(starts, append=len(operands)))
    powers = np.full(nth.max() + 2, ODD).cumprod()
    hashes = np.add.reduceat(operands * powers[nth + 1], starts) + np.array(equations.codes, dtype=np.uint64) * ODD
    hashes.sort()
    return bool((hashes[1:] == hashes[:-1]).any())


def _has_unused(trace: Trace) -> bool:
    """Return whether an equation has no use; so has the last equation that nothing depends on."""
    n, operands = len(trace.inputs), np.array(trace.equations.operands)
    used = np.zeros(n + len(trace.equations), dtype=bool)
    used[operands[operands >= 0]] = True
    used[trace.ends] = True
    return not used[n:].all()


def _starts(equations: Equations) -> Any:
    """Return the place of each equation's first operand."""
    widths = np.array(equations.arities)
    return widths.cumsum() - widths
