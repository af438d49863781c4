"""A graph as straight-line equations, printable, and evaluable with new inputs.

This room owns `Trace`: what a function did with its inputs, one equation a line. It also keeps what a
graph alone forgets: the branches that Python code took on the numbers. It must not know how it will
be run otherwise, as by a compiler.
"""

from __future__ import annotations

import functools
import math
import os
import sys
import warnings
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, chain, compress, count, islice, repeat
from operator import eq, ge, gt, le, lt, ne
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NamedTuple, overload

from .given import require_function
from .ops import Op, identity, number, stop_gradient
from .printing import Code, Tex, format_number, labels_of, numbers_beside
from .structure import Structure, flatten
from .transform import adjoints, gradient
from .value import (
    StaleGraphError,
    Value,
    Watch,
    primal,
    primal_grad,
    recording,
    stale_node,
    tell_read,
    topological_order,
    watched_by,
)

__all__ = [
    "BranchError",
    "BranchWarning",
    "Decision",
    "Equation",
    "Equations",
    "Trace",
    "TraceWarning",
    "trace",
    "trace_graph",
]

TYPESET = 40  # equations, at most, that Jupyter shows as formulas

COMPARE: dict[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}


class BranchError(ValueError):
    """A re-evaluation would have taken another branch than the trace did."""


class TraceWarning(UserWarning):
    """A trace may be wrong at other inputs."""


class BranchWarning(TraceWarning):
    """A re-evaluation would have taken another branch than the trace did."""


class Equation(NamedTuple):
    """One line: the variable `name` is `op` of `operands`, each the place of a variable or a number."""

    name: str
    op: Op
    operands: tuple[int | float, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Equations(Sequence[Equation]):
    """Equations in columns of four-byte numbers; each is an `Equation` when somebody asks.

    An operand below zero is a constant, `constants[~x]`. So a list of what belongs to each variable finds
    that of the constants, in reverse, at its end.
    """

    rows: tuple[Op, ...]  # each once
    codes: array[int]  # of each equation its row
    operands: array[int]  # one after the other: a row knows how many it has
    constants: tuple[float, ...]
    names: array[int]  # k is tk, and below zero a label
    labels: tuple[str, ...]

    @property
    def arities(self) -> Iterator[int]:
        """Give the number of operands of each equation."""
        return map([op.arity for op in self.rows].__getitem__, self.codes)

    @cached_property
    def _starts(self) -> array[int]:
        return array("q", accumulate(self.arities, initial=0))

    def name(self, k: int) -> str:
        """Return the name of equation k."""
        name = self.names[k]
        return self.labels[~name] if name < 0 else f"t{name}"

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[Equation]:
        read = iter(self.operands)
        return (self._made(k, islice(read, arity)) for k, arity in enumerate(self.arities))

    @overload
    def __getitem__(self, k: int) -> Equation: ...
    @overload
    def __getitem__(self, k: slice) -> tuple[Equation, ...]: ...
    def __getitem__(self, k: Any) -> Any:
        places = range(len(self))[k]
        if isinstance(places, range):
            return tuple([self[place] for place in places])
        return self._made(places, self.operands[self._starts[places] : self._starts[places + 1]])

    def _made(self, k: int, operands: Iterable[int]) -> Equation:
        found = tuple([self.constants[~x] if x < 0 else x for x in operands])
        return Equation(self.name(k), self.rows[self.codes[k]], found)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Equations):
            return NotImplemented
        return self is other or (len(self) == len(other) and all(map(eq, self, other)))

    def __hash__(self) -> int:
        return hash(tuple(self))


class _Constants:
    """Numbers, each once, in places that count down from -1."""

    def __init__(self, numbers: Iterable[float] = ()) -> None:
        self.places: dict[float | str, int] = {}
        self.numbers: list[float] = []
        for x in numbers:
            self.place(x)

    def place(self, x: float) -> int:
        """Return a number's place; 0 and -0 are not the same, and nan is."""
        key = x if x and x == x else x.hex()
        place = self.places.get(key)
        if place is None:
            self.numbers.append(x)
            place = self.places[key] = -len(self.numbers)
        return place


@dataclass(frozen=True, slots=True)
class Branch:
    """A comparison that Python code made on a traced number, and how it came out."""

    sign: str
    left: int
    right: int | float
    outcome: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """A comparison or a kink: what was compared, how far it is from flipping, and where."""

    text: str
    distance: float
    kind: Literal["branch", "kink"]

    def __str__(self) -> str:
        return f"{self.text} ({self.kind}, {format_number(self.distance)} from flipping)"

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class Trace:
    """Equations from inputs to outputs: `print` it, call it with new inputs, differentiate it.

    Variables are numbered, the inputs first and then one for each equation; in `operands` and
    `outputs` an int is a variable and a float a constant.

    >>> def f(x, y):
    ...     return x * y + x
    >>> t = trace(f, 2.0, 3.0)
    >>> t
    trace of f: 2 inputs, 2 equations
      x0, x1 = inputs
      t1 = x0 * x1
      t2 = t1 + x0
      return t2
    >>> t(5.0, 7.0)
    40.0
    """

    name: str
    inputs: tuple[str, ...]
    equations: Equations
    outputs: tuple[int | float, ...]
    into: Structure
    out: Structure
    branches: tuple[Branch, ...] = ()
    primals: tuple[float, ...] = ()  # the inputs that it was traced with
    frozen: tuple[tuple[Value, float], ...] = field(default=(), compare=False)  # constants that are nodes of outside

    def __call__(self, *args: Any, branches: Literal["warn", "raise", "ignore"] = "warn") -> Any:
        """Evaluate the equations with new inputs: numbers or Values.

        Args:
            branches: what to do where Python code would have branched otherwise.

        Raises:
            TypeError: the inputs have another structure than those that were traced.
            BranchError: a branch flips, with `branches="raise"`.
            ValueError: a Value that the function closes over has another number than it had then.
        """
        if branches not in ("warn", "raise", "ignore"):
            raise ValueError(f'{self.name}: branches must be "warn", "raise" or "ignore", not {branches!r}')
        leaves, structure = flatten(args)
        if structure != self.into:
            raise TypeError(f"{self.name}: the inputs must have the structure {self.into}, not {structure}")
        self.require_frozen()
        for x, _ in self.frozen:
            tell_read(x)
        held: list[Any] = []
        try:
            self._run([x if isinstance(x, Value) else number(self.name, x) for x in leaves], held)
        finally:  # also where an equation raises: that may come of another branch
            if branches != "ignore":
                self._compare(held, branches)
        return self.out.rebuild(held[z] if isinstance(z, int) else z for z in self.outputs)

    def moved(self) -> Value | None:
        """Return a captured Value whose number changed after the trace, or None."""
        return next((x for x, then in self.frozen if not _is(primal(x), then)), None)

    def require_frozen(self) -> None:
        """Raise a ValueError where a node of outside that is a constant here has another number by now."""
        x = self.moved()
        if x is not None:
            then = next(number for node, number in self.frozen if node is x)
            raise ValueError(
                f"{self.name}: {x.label or 'a Value'} that it closes over was {format_number(then)} when it was traced "
                f"and is {format_number(primal(x))} now: trace it again, or make it an argument"
            )

    def __copy__(self) -> Trace:
        return self  # nothing of it changes

    def __deepcopy__(self, memo: dict[int, Any]) -> Trace:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "frozen": ()}  # another process has no such nodes

    def _run(self, inputs: Sequence[Any], held: list[Any] | None = None) -> list[Any]:
        """Return the variables, in a list that may be given."""
        rows, held = self.equations.rows, [] if held is None else held
        held += [*inputs, *repeat(None, len(self.equations)), *reversed(self.equations.constants)]
        read = map(held.__getitem__, self.equations.operands)
        for i, code in enumerate(self.equations.codes, len(inputs)):
            op = rows[code]
            held[i] = op(*islice(read, op.arity))
        del held[len(inputs) + len(self.equations) :]
        return held

    def _compare(self, held: list[Any], branches: str) -> None:
        for branch in self.branches:
            left, right = held[branch.left], _get(held, branch.right)
            if left is None or right is None:  # not computed
                continue
            if COMPARE[branch.sign](left, right) != branch.outcome:
                message = (
                    f"{self.name}: the trace was made where {self._text(branch)} was {branch.outcome}; here it is "
                    f"{not branch.outcome} ({format_number(left)} and {format_number(right)}), so that the function "
                    "may compute something else: trace it again"
                )
                if branches == "raise":
                    raise BranchError(message)
                warnings.warn(message, BranchWarning, stacklevel=3)

    @property
    def names(self) -> list[str]:
        """Return the names of all variables."""
        return [*self.inputs, *map(self.equations.name, range(len(self.equations)))]

    def _text(self, branch: Branch) -> str:
        names = self.names
        right = names[branch.right] if isinstance(branch.right, int) else format_number(branch.right)
        return f"{names[branch.left]} {branch.sign} {right}"

    def __str__(self) -> str:
        names = self.names

        def write(x: int | float) -> Code:
            return Code.name(names[x]) if isinstance(x, int) else Code.number(x, 17)

        counts = f"{len(self.inputs)} input{'s' * (len(self.inputs) != 1)}, {len(self.equations)} equation"
        lines = [f"trace of {self.name}: {counts}{'s' * (len(self.equations) != 1)}"]
        if self.inputs:
            lines.append(f"  {', '.join(self.inputs)} = inputs")
        lines += [f"  {e.name} = {Code.write(e.op, [write(x) for x in e.operands])}" for e in self.equations]
        lines += [f"  assuming {self._text(branch)} is {branch.outcome}" for branch in self.branches]
        returned = ", ".join(write(z).string for z in self.outputs)
        return "\n".join([*lines, f"  return {returned}"])

    __repr__ = __str__

    def _repr_latex_(self) -> str | None:
        """Show the equations typeset in Jupyter, a long trace as text."""
        if not 0 < len(self.equations) <= TYPESET:
            return None
        names = self.names

        def write(x: int | float) -> Tex:
            return Tex.name(names[x]) if isinstance(x, int) else Tex.number(x, 6)

        lines = [f"{Tex.name(e.name)} &= {Tex.write(e.op, [write(x) for x in e.operands])}" for e in self.equations]
        return "$$\\begin{aligned}" + r" \\ ".join(lines) + "\\end{aligned}$$"

    def decisions(self, *args: Any) -> list[Decision]:
        """List the branches and kinks with their distance to flipping, at new inputs or the traced.

        >>> from autograd_mini import relu
        >>> trace(lambda x: relu(x - 1), 3.0).decisions()
        [relu at t2 (kink, 2 from flipping)]
        """
        inputs, structure = flatten(args) if args else (list(self.primals), self.into)
        if structure != self.into:
            raise TypeError(f"{self.name}: the inputs must have the structure {self.into}, not {structure}")
        held = self._run([primal(x) if isinstance(x, Value) else number(self.name, x) for x in inputs])
        found = [
            Decision(self._text(branch), abs(held[branch.left] - _get(held, branch.right)), "branch")
            for branch in self.branches
        ]
        for equation in self.equations:
            if equation.op.kink is not None:
                distance = abs(equation.op.kink(*(_get(held, x) for x in equation.operands)))
                found.append(Decision(f"{equation.op.name} at {equation.name}", distance, "kink"))
        return found

    def gradient(self) -> Trace:
        r"""Return the trace of $\nabla f$, simplified; its output has the structure of the inputs.

        >>> trace(lambda x, y: x * y * y, 2.0, 3.0).gradient()(2.0, 3.0)
        (9.0, 12.0)

        Raises:
            TypeError: the trace has more than one output.
        """
        self.require_one_output()
        with recording():
            inputs = [Value(x, name) for x, name in zip(self.primals, self.inputs, strict=True)]
            held = self._run(inputs)
            output = _get(held, self.outputs[0])
            slopes = gradient(output, inputs) if isinstance(output, Value) else [0.0] * len(inputs)
        compared = [(b.sign, held[b.left], _get(held, b.right), b.outcome) for b in self.branches]
        # Of one argument the gradient has the structure; of several it is the tuple.
        out = self.into.parts[0] if len(self.into.parts) == 1 else self.into
        recorder = _Recorder(self.name, inputs)
        recorder.made_on = compared
        made = replace(_equations(slopes, inputs, recorder), into=self.into, out=out, frozen=self.frozen)
        return replace(made, name=f"the gradient of {self.name}").optimize()

    def require_one_output(self) -> None:
        """Raise a TypeError where there is no gradient, because the output is a structure."""
        if self.out.kind is not None:
            raise TypeError(f"{self.name}: a gradient needs one output, not the structure {self.out}")

    @property
    def ends(self) -> list[int]:
        """Return the variables that are outputs or compared, once for each time."""
        compared = (x for b in self.branches for x in (b.left, b.right))
        return [x for x in chain(self.outputs, compared) if isinstance(x, int)]

    def by_rows(self) -> Trace:
        """Return the trace with rows for their limits: for programs, in which all arithmetic is IEEE's."""
        equations = self.equations
        rows = tuple(dict.fromkeys([op.row for op in equations.rows]))
        if rows == equations.rows:
            return self
        codes = [rows.index(op.row) for op in equations.rows]
        made = replace(equations, rows=rows, codes=array("i", map(codes.__getitem__, equations.codes)))
        return replace(self, equations=made)

    # Passes: each returns a new trace that computes the same.

    def dead_code(self) -> Trace:
        """Drop the equations that no output and no branch depends on."""
        n, end = len(self.inputs), len(self.inputs) + len(self.equations)
        used = bytearray(end + len(self.equations.constants))
        for x in self.ends:
            used[x] = True
        read = reversed(self.equations.operands)
        for i, arity in zip(range(end - 1, n - 1, -1), reversed(list(self.equations.arities)), strict=True):
            mark = used[i]
            for x in islice(read, arity):
                used[x] |= mark
        return self._rewritten(used[n:end], self._places(), self.equations.constants)

    def common_subexpressions(self) -> Trace:
        """Compute once what is computed more than once."""
        same = self._places()
        read = map(same.__getitem__, self.equations.operands)
        firsts = [(op.arity, dict[tuple[int, ...], int]().setdefault) for op in self.equations.rows]
        for i, code in enumerate(self.equations.codes, len(self.inputs)):
            arity, first = firsts[code]
            same[i] = first(tuple(islice(read, arity)), i)
        return self._rewritten(self._kept(same), same, self.equations.constants)

    def fold_constants(self) -> Trace:
        """Compute now what depends on no input, and drop products with 1 and their like."""
        same = self._places()
        read = map(same.__getitem__, self.equations.operands)
        constants = _Constants(self.equations.constants)
        rows = [(op, op.arity, op is identity) for op in self.equations.rows]
        for i, code in enumerate(self.equations.codes, len(self.inputs)):
            op, arity, always = rows[code]
            operands = tuple(islice(read, arity))
            if min(operands) < 0 or always:
                simple = _simplified(op, [constants.numbers[~x] if x < 0 else x for x in operands])
                if simple is not None:
                    same[i] = simple if isinstance(simple, int) else constants.place(simple)
        return self._rewritten(self._kept(same), same, constants.numbers)

    def optimize(self, show: bool = False) -> Trace:
        """Run all passes until nothing changes; with `show`, print each that changed something.

        >>> t = trace(lambda x: (x * x + x * x) * (2.0 ** 3 / 8), 3.0)
        >>> len(t.equations), len(t.optimize().equations)
        (4, 2)
        """
        current = self
        while True:
            before = current
            for step in (Trace.fold_constants, Trace.common_subexpressions, Trace.dead_code):
                after = step(current)
                if show and after != current:
                    print(f"{step.__name__}: before\n{current}\n{step.__name__}: after\n{after}\n")
                current = after
            if current == before:
                return current

    def _places(self) -> array[int]:
        """Return all places, of which passes say what else stands there; those of constants are at the end."""
        end = len(self.inputs) + len(self.equations)
        return array("i", chain(range(end), range(-len(self.equations.constants), 0)))

    def _kept(self, same: array[int]) -> bytes:
        """Say of each equation whether it stands for itself."""
        n = len(self.inputs)
        return bytes(map(eq, islice(same, n, n + len(self.equations)), count(n)))

    def _rewritten(self, kept: bytes | bytearray, same: array[int], constants: Sequence[float]) -> Trace:
        """Return a trace of the equations that are kept, with all places counted anew."""
        if all(kept):
            return self
        n, old = len(self.inputs), self.equations
        counted = array("i", chain(range(n), accumulate(kept, initial=n)))
        counted[-1:] = array("i", range(-len(constants), 0))
        places = array("i", map(counted.__getitem__, same))
        operands = compress(old.operands, chain.from_iterable(map(repeat, kept, old.arities)))
        equations = replace(
            old,
            codes=array("i", compress(old.codes, kept)),
            operands=array("i", map(places.__getitem__, operands)),
            constants=tuple(constants),
            names=array("i", compress(old.names, kept)),
        )

        def moved(x: Any) -> Any:
            x = places[x] if isinstance(x, int) else x
            return constants[~x] if isinstance(x, int) and x < 0 else x

        outputs = tuple(map(moved, self.outputs))
        branches = [replace(b, left=moved(b.left), right=moved(b.right)) for b in self.branches]
        # A comparison of two constants cannot flip any more.
        branches = [b for b in branches if isinstance(b.left, int)]
        return replace(self, equations=equations, outputs=outputs, branches=tuple(branches))


def _is(x: float, y: float) -> bool:
    """Return whether two numbers are one: nan is nan, and 0.0 is not -0.0."""
    return (x != x and y != y) or (x == y and (x != 0.0 or math.copysign(1.0, x) == math.copysign(1.0, y)))


def _get(held: Sequence[Any], x: int | float) -> Any:
    return held[x] if isinstance(x, int) else x


def _simplified(op: Op, operands: Sequence[int | float]) -> int | float | None:
    """Return the number or the operand that an equation comes down to, None where it does not.

    Only what holds for every number: x * 0 is not 0 for inf, and 0 + x would turn -0 into 0.
    """
    if all(isinstance(x, float) for x in operands):
        try:
            return op(*operands)
        except (ArithmeticError, ValueError):
            return None  # it raises when it is run
    if op is identity:
        return operands[0]
    if op.neutral:
        x, y = operands
        if isinstance(y, float) and y == op.neutral[1]:
            return x
        if isinstance(x, float) and x == op.neutral[0]:
            return y
    return None


class _Recorder(Watch):
    """Keep what Python code does with Values beyond computing: comparisons, numbers it reads, derivatives."""

    traces = True

    def __init__(self, name: str, inputs: Sequence[Value]) -> None:
        self.name = name
        self.made_on: list[tuple[str, Value, Any, bool]] = []
        self._made: list[Value] = []
        self.made = self._made.append  # type: ignore[assignment, method-assign]  # every node takes this way
        self._own: set[Value] = set()
        self._counted = 0
        self.frozen: dict[Value, float] = {}  # the nodes of outside whose numbers are constants
        self.adjoints: dict[Value, Any] = {}  # what `.grad` is, as nodes
        self._depends = dict.fromkeys(inputs, True)
        self._entered: set[Value] = set()  # nodes that are leaves to a function that is differentiated
        self._walked: set[Value] = set()  # constants of which the nodes of outside are known
        self._said: set[str] = set()

    @property
    def own(self) -> set[Value]:
        """Return the nodes that were made in the trace."""
        self._own.update(islice(self._made, self._counted, None))
        self._counted = len(self._made)
        return self._own

    def graph(self, order: list[Value]) -> None:
        """Count the nodes of a graph that exists as made here: constants come from its leaves."""
        self._made += order

    def follows(self, node: Value) -> bool:
        """Return whether a node has to be followed, because it depends on the inputs; if not, it is a constant."""
        if self.depends(node):
            return True
        self.freeze(node)
        return False

    def depends(self, node: Value) -> bool:
        """Return whether a node was computed from the inputs."""
        stack = [node]
        while stack:
            top = stack[-1]
            if top in self._depends:
                stack.pop()
            elif unknown := [x for x in top.parents if x not in self._depends]:
                stack += unknown
            else:
                self._depends[top] = any(self._depends[x] for x in top.parents)
        return self._depends[node]

    def freeze(self, node: Value) -> None:
        """Take note that a node's number is a constant: it is that of the nodes of outside that it comes from."""
        own, stack = self.own, [node]
        while stack:
            top = stack.pop()
            if top in self._walked:
                continue
            self._walked.add(top)
            if top.op is not None and top in own:
                stack += top.parents
            else:
                self.frozen[top] = primal(top)
                tell_read(top)  # a trace around this one keeps it as well

    def read(self, node: Value, what: str) -> None:
        if self.depends(node):
            value = repr(node.label) if node.label else f"a result of {node.op}" if node.op else "an input"
            told = "the graph" if what == "pickle" else f".{what}"
            self._warn(f"{told} of {value} is read: at other inputs it stays what it is here")
        else:
            self.freeze(node)

    def assigned(self, node: Value) -> None:
        value = node.label or repr(node)
        raise TypeError(
            f"{self.name}: the number of {value} cannot be assigned while it is traced: a run of the trace would not "
            "do it again. Step parameters outside of the function, with the gradient that it returns"
        )

    def swept(self, output: Value, seed: float) -> None:
        for node, found in adjoints(output, seed).items():
            slope = stop_gradient(found)  # a number, to whoever reads it
            before = self.adjoint(node) if node.op is None or node in self._entered else 0.0
            self.adjoints[node] = slope if isinstance(before, float) and before == 0.0 else before + slope

    def entered(self, node: Value) -> None:
        self._entered.add(node)

    def adjoint(self, node: Value) -> Any:
        if node in self.adjoints:
            return self.adjoints[node]
        if node in self.own or node in self._depends:  # which had none before
            return 0.0
        outside = primal_grad(node)
        if outside:
            self._warn(f".grad of {node.label or repr(node)} was left by a backward() outside of the trace")
        return outside

    def keep_adjoint(self, node: Value, grad: Any) -> Any:
        self.adjoints[node] = grad if isinstance(grad, Value) else number("Value.grad", grad)
        return primal(grad) if isinstance(grad, Value) else grad

    def _warn(self, message: str) -> None:
        frame = users_frame()
        path, line = frame.f_code.co_filename, frame.f_lineno
        if f"{path}:{line}:{message}" not in self._said:
            self._said.add(f"{path}:{line}:{message}")
            warnings.warn_explicit(
                f"{self.name}: {message}. Use the Value itself, or v.detach() for its number without a derivative",
                TraceWarning,
                path,
                line,
            )

    def compared(self, sign: str, x: Value, y: Any, outcome: bool) -> None:
        if not isinstance(y, (Value, float)):
            at = _float_of(y)
            if at != y and at == at:  # between two floats: no float is equal, and x < y is x <= the one below
                if sign in ("==", "!="):
                    return
                sign, at = ("<=" if sign in ("<", "<=") else ">"), at if at < y else math.nextafter(at, -math.inf)
            y = at
        self.made_on.append((sign, x, y, outcome))


def users_frame() -> FrameType:
    """Return the innermost frame that is not this package's own."""
    here = f"{Path(__file__).parent}{os.sep}"
    frame = sys._getframe(1)
    skipped = (here, functools.__file__)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(skipped):
        frame = frame.f_back
    return frame


def _float_of(x: Any) -> float:
    """Return the float that is next to an exact number."""
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def trace(f: Callable[..., Any], *args: Any) -> Trace:
    """Run a function once, and return what it did with its inputs as equations.

    Branches that Python code takes on the numbers are not equations: they are kept as assumptions,
    and a re-evaluation warns, or raises, where one would come out otherwise. Values that f closes over
    become constants.

    Args:
        args: numbers, arrays, nested structures.

    Raises:
        TypeError: an input or a result is not a number.

    >>> t = trace(lambda x: x if x > 0 else -x, 3.0)
    >>> t(5.0)
    5.0
    >>> t(-5.0, branches="raise")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    autograd_mini.traces.BranchError: <lambda>: the trace was made where x0 > 0 was True; here it is False...
    """
    require_function("trace", f)
    name = getattr(f, "__name__", "f")
    leaves, into = flatten(args)
    inputs = [Value(_plain(name, x), getattr(x, "label", "") or f"x{i}") for i, x in enumerate(leaves)]
    return replace(trace_call(name, lambda: f(*into.rebuild(inputs)), inputs), into=into)


def trace_call(name: str, call: Callable[[], Any], inputs: list[Value]) -> Trace:
    """Return what a call does with given leaves, which are the inputs."""
    recorder = _Recorder(name, inputs)
    with recording(), watched_by(recorder):
        result = call()
    outputs, out = flatten(result)
    made = _equations(
        [z if isinstance(z, Value) else number(f"{name}: its result", z) for z in outputs], inputs, recorder
    )
    return replace(made, name=name, out=out)


def _plain(name: str, x: Any) -> float:
    return primal(x) if isinstance(x, Value) else number(f"trace of {name}", x)


def trace_graph(outputs: Any, inputs: Any) -> Trace:
    """Return the equations of a graph that exists, from given nodes to outputs.

    Leaves that are not among the inputs become constants; a call refuses when they have other numbers.
    Nodes between them and the outputs must be what their operands give: `forward()` makes them so.

    Args:
        outputs: a Value or a structure of Values.
        inputs: nodes of the graph: a Value, or a structure of them, as the call will take them.

    Raises:
        TypeError: an output or an input is not a Value.

    >>> a, b = Value(2.0, "a"), Value(3.0, "b")
    >>> trace_graph(a * b, [a, b])([5.0, 7.0])
    35.0
    """
    leaves, into = flatten((inputs,))
    nodes, out = flatten(outputs)
    for x in (*leaves, *nodes):
        if not isinstance(x, Value):
            raise TypeError(f"trace_graph: give Values, not {x!r} of type {type(x).__name__}")
    if len(set(leaves)) != len(leaves):
        raise ValueError("trace_graph: the same node is among the inputs twice")
    recorder = _Recorder("graph", leaves)
    order = topological_order(*nodes)
    recorder.graph(order)
    if (stale := stale_node([x for x in order if not recorder.depends(x)])) is not None:
        raise StaleGraphError(
            f"trace_graph: {stale[0].label or repr(stale[0])} is {format_number(stale[1])} by now, since a number "
            "below it was assigned: call forward() of the output first"
        )
    return replace(_equations(nodes, leaves, recorder), into=into, out=out)


def _equations(outputs: list[Any], inputs: list[Value], recorder: _Recorder) -> Trace:
    compared = recorder.made_on
    roots = [z for z in outputs if isinstance(z, Value)]
    sides = [x for _, left, right, _ in compared for x in (left, right) if isinstance(x, Value)]
    places: dict[Any, int] = {x: i for i, x in enumerate(inputs)}
    order = [node for node in topological_order(*roots, *sides) if node not in places]
    labels = labels_of(chain(inputs, order))
    numbers = numbers_beside(labels.values())
    named = tuple([labels.pop(x, "") or f"t{next(numbers)}" for x in inputs])
    of_label = {name: ~k for k, name in enumerate(labels.values())}

    def constant(x: Any) -> float:
        if not isinstance(x, Value):
            return float(x)
        recorder.freeze(x)
        return primal(x)

    rows: dict[Op, int] = {}
    codes, operands, names = array("i"), array("i"), array("i")
    constants = _Constants()
    for node in order:
        name = of_label[labels[node]] if node in labels else next(numbers)
        op = node.op
        if op is None:
            continue
        found: list[Any] = list(map(places.get, node.operands))
        if None in found:
            if not any(place is not None for place in found):  # so it is a constant itself
                continue
            found = [
                constants.place(constant(x)) if place is None else place
                for x, place in zip(node.operands, found, strict=True)
            ]
        places[node] = len(places)
        codes.append(rows.setdefault(op, len(rows)))
        operands.extend(found)
        names.append(name)

    def place(x: Any) -> int | float:
        return places[x] if x in places else constant(x)

    branches = []
    for sign, left, right, outcome in compared:
        a, b = place(left), place(right)
        if isinstance(a, int):
            branches.append(Branch(sign, a, b, outcome))
        elif isinstance(b, int):
            branches.append(Branch(_MIRRORED[sign], b, a, outcome))
    return Trace(
        "graph",
        named,
        Equations(tuple(rows), codes, operands, tuple(constants.numbers), names, tuple(labels.values())),
        tuple(place(z) for z in outputs),
        Structure(None),
        Structure(None),
        tuple(dict.fromkeys(branches)),
        tuple(map(primal, inputs)),
        tuple(recorder.frozen.items()),
    )


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
