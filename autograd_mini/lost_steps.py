"""The warning of a step that changes no parameter: `w -= 0.1 * w.grad`.

`Value.__isub__` imports this module when a statement may be such a step. It must not know any other module.
"""

from __future__ import annotations

import ast
import linecache
import sys
import warnings
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import CodeType
from typing import Any, Final
from weakref import WeakSet

_left: WeakSet[Any] = WeakSet()  # the leaves of such steps
HERE: Final = str(Path(__file__).parent)


def tell_how_to_step(v: Any) -> None:
    """Warn of the second `w -= 0.1 * w.grad`, which makes a new node each time and changes no parameter.

    Warn only if the statement gets the node that it made before, so that the graph grows, or the leaf that it did not
    change. A loop that makes a new leaf of each result is right, and gets no warning.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HERE):
        frame, level = frame.f_back, level + 1
    target, step = _own_step(frame.f_code, frame.f_lasti)
    if not target:
        return
    if v.op is None and v not in _left:
        _left.add(v)
        return
    if v.op is not None and not isinstance(v.operands[-1], float):
        return
    lost = "the step is lost" if v.op is None else "the label is lost and the graph grows with each step"
    warnings.warn(
        f"{target} -= ... makes a new Value and leaves the parameter as it was, so that {lost}: write {step}",
        stacklevel=level,
    )


@lru_cache(64)
def _own_step(code: CodeType, place: int) -> tuple[str, str]:
    """Return T and the right step if code is at a statement `T -= ... T.grad ...`, else two empty texts.

    Read the source, because bytecode does not show which names are the same.
    """
    nothing = "", ""
    first, last, start, end = next(islice(code.co_positions(), place // 2, None))
    if first is None or last is None:
        return nothing
    lines = [line.encode() for line in linecache.getlines(code.co_filename)[first - 1 : last]]
    if not lines:
        return nothing
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    try:
        tree = ast.parse(b"".join(lines))
    except (SyntaxError, ValueError):
        return nothing
    match tree.body:
        case [ast.AugAssign(target=target, op=ast.Sub(), value=value)]:
            name = ast.unparse(target)
            for part in ast.walk(value):
                if isinstance(part, ast.Attribute) and part.attr == "grad" and ast.unparse(part.value) == name:
                    return name, f"{name}.data -= {ast.unparse(value)}"
    return nothing
