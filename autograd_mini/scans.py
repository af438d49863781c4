"""Loops with a carry: `scan` over sequences, and `fori` over whole numbers.

This module owns the meaning of a loop: it is a plain Python loop, on numbers and on Values. Inside the context
`taken_over`, each loop is first offered to a function, which may run it: the compiler uses this. This module must not
know how a loop is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import NoneType
from typing import NamedTuple, Protocol

from .given import count
from .node import primal
from .printing import counted, format_number
from .structure import Structure, Tree, array, flatten, is_array, kind_of
from .value import Number, Value


class Loop(NamedTuple):
    """A loop before it runs. `step` takes the carry and the item of a step, and returns a carry and a result."""

    name: str
    step: Callable[[Tree, Tree], tuple[Tree, Tree]]
    carry: Tree
    items: Sequence[Tree]  # one item for each step, in the order of the steps
    counted: Value | None = None  # the number of steps, if it is a Value


class _Taker(Protocol):
    def __call__(self, loop: Loop) -> tuple[Tree, list[Tree]] | None:
        """Run a loop and return the last carry and the results, or None to leave the loop to Python."""


_taker: ContextVar[_Taker | None] = ContextVar("taker", default=None)


@contextmanager
def taken_over(taker: _Taker | None) -> Iterator[None]:
    """Offer each loop inside the context to `taker`. With None, Python runs all loops."""
    token = _taker.set(taker)
    try:
        yield
    finally:
        _taker.reset(token)


def scan(
    step: Callable[[Tree, Tree], tuple[Tree, Tree]],
    carry: Tree,
    xs: Tree = None,
    *,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Tree, Tree]:
    r"""Run `carry, y = step(carry, x)` for each x of some sequences, and return the last carry and all y.

    An array is a sequence along its first axis, and a list is a sequence of its items. A tuple, a dict or another
    container holds several sequences, and each x is such a container. The results are put together in the same way: ys
    has the container of y, with a list for each number or list of y, and an array with one more axis for each array.

    In a compiled function, only the first and the last step are traced, and the program runs a loop. So `step` must be
    a pure function.

    Args:
        carry: numbers in any structure, which every step returns in the same structure.
        xs: the sequences; None if there are only `length` steps; each x is then None.
        length: the number of steps. It is needed if xs has no sequence.
        reverse: run from the last x to the first; ys keeps the order of xs.

    Raises:
        TypeError: `step` returns no pair, or a carry or a y of another structure; xs is no sequence, or length a Value.
        ValueError: the sequences differ in length, or there is no length.

    >>> scan(lambda total, x: (total + x, total + x), 0.0, [1.0, 2.0, 3.0])
    (6.0, [1.0, 3.0, 6.0])
    """
    if not callable(step):
        raise TypeError(f"scan: step must be a function of (carry, x), not {step!r}; give step, carry and xs")
    n, item = _sequence(xs)
    if isinstance(length, Value):
        raise TypeError(
            f"scan: length must be a whole number of Python, not {length!r}: name it in static_argnums, or write "
            "ag.fori(n, body, carry), whose n may be an input"
        )
    if length is not None:
        length = count("scan: length", length, 0)
    if n is None and length is None:
        raise ValueError(f"scan: xs has no sequence to count the steps by: give xs or length, not {xs!r}")
    if n is not None and length is not None and n != length:
        raise ValueError(f"scan: length is {length}, but xs has {counted(n, 'step')}")
    order = range(n if n is not None else length or 0)
    last, ys = _run(Loop("scan", step, carry, [item(k) for k in (reversed(order) if reverse else order)]))
    return last, _together(ys[::-1] if reverse else ys)


def fori(n: float | Value, body: Callable[[Tree, Tree], Tree], carry: Tree) -> Tree:
    """Run `carry = body(i, carry)` for i = 0, 1, ..., n - 1, and return the last carry.

    In a compiled function, the program runs `body` as a loop if `body` can take a Value for i. It can if it writes
    `ag.take(xs, i)`. If it needs a Python number, such as the index in `xs[i]`, the loop is written out. If n is an
    argument of the compiled function, one program runs for all n up to a power of 2.

    Args:
        n: the number of steps, a whole number or a Value of one.
        carry: numbers in any structure, which every step returns in the same structure.

    Raises:
        TypeError: `body` returns a carry of another structure.
        ValueError: n is not a whole number from 0 on.

    >>> fori(3, lambda i, x: x * x + i, 1.0)
    6.0
    """
    if not callable(body):
        raise TypeError(f"fori: body must be a function of (i, carry), not {body!r}; give n, body and carry")
    times, counted = range(_times(n)), n if isinstance(n, Value) else None
    return _run(Loop("fori", lambda carry, i: (body(i, carry), None), carry, times, counted))[0]


def _times(n: Number) -> int:
    """Return the number of steps."""
    times = primal(n) if isinstance(n, Value) else n
    if not isinstance(times, float):
        return count("fori: n", times, 0)
    if not (times >= 0.0 and times.is_integer()):
        raise ValueError(f"fori: n must be a whole number from 0 on, not {format_number(times)}")
    return int(times)


def _sequence(xs: Tree) -> tuple[int | None, Callable[[int], Tree]]:
    """Return the length of some sequences, or None without a sequence, and a function that returns a step's item."""
    if type(xs) is list or (is_array(xs) and xs.ndim):
        return len(xs), xs.__getitem__
    kind = kind_of(type(xs))
    if kind is None or kind.owner:
        raise TypeError(f"scan: xs must be an array or a list, or a container of these, not {xs!r}")
    parts, rest = kind.flatten(xs)
    found = [_sequence(part) for part in parts]
    lengths = {n for n, _ in found if n is not None}
    if len(lengths) > 1:
        raise ValueError(f"scan: the sequences of xs differ in length: {', '.join(map(str, sorted(lengths)))}")
    return lengths.pop() if lengths else None, lambda k: kind.unflatten(rest, [item(k) for _, item in found])


def _run(loop: Loop) -> tuple[Tree, list[Tree]]:
    """Run a loop, and return the last carry and the results."""
    taker = _taker.get()
    taken = taker(loop) if taker is not None else None
    if taken is not None:
        return taken
    if loop.counted is not None and loop.counted != len(loop.items):  # a trace keeps this comparison as a branch
        raise AssertionError
    carry, ys, of_y = loop.carry, [], None
    structure = flatten(carry)[1]
    for k, x in enumerate(loop.items):
        carry, y = stepped(loop, carry, x, structure, k)
        given = flatten(y)[1]
        if of_y is not None and given != of_y:
            raise TypeError(
                f"{loop.name}: the results of all steps must have one structure; the first was {of_y}, and step {k} "
                f"returned {given}"
            )
        of_y = given
        ys.append(y)
    return carry, ys


def stepped(loop: Loop, carry: Tree, x: Tree, structure: Structure, k: int) -> tuple[Tree, Tree]:
    """Run a step, and return the carry and the result. The carry must have the given structure."""
    result = loop.step(carry, x)
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(f"{loop.name}: step must return a pair, (carry, y), not {result!r}")
    given = flatten(result[0])[1]
    if given != structure:
        raise TypeError(
            f"{loop.name}: a step must return the carry in the structure that it is given, {structure}; step {k} "
            f"returned {given}"
        )
    return result


def _together(ys: list[Tree]) -> Tree:
    """Return the results of all steps as sequences. This is the inverse of taking an item from xs for each step."""
    if not ys:
        return []
    first = ys[0]
    if is_array(first) and first.ndim:
        return array([leaf for y in ys for leaf in flatten(y)[0]], (len(ys), *first.shape))
    kind = kind_of(type(first))
    if kind is None or kind.owner or kind.type is list:
        return list(ys)
    if kind.type is NoneType:
        return None
    rest = kind.flatten(first)[1]
    parts = zip(*(kind.flatten(y)[0] for y in ys), strict=True)
    return kind.unflatten(rest, [_together(list(part)) for part in parts])
