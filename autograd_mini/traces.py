"""Straight-line equations, printable, and evaluable with new inputs.

This module owns `Trace`: the operations of a function on its inputs, one equation a line, and the branches that Python
code took on the numbers. This module must not know compilers.
"""

from __future__ import annotations

import math
import warnings
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, chain, compress, count, islice, repeat
from operator import eq
from typing import Any, Literal, SupportsFloat

from .equations import COMPARE, Branch, Equation, Equations
from .evaluation import stale_node
from .given import require_function, require_value
from .node import primal
from .ops import Op, identity, number
from .printing import Code, Tex, counted, format_number, lines_of, list_of
from .recorder import Operand
from .settings import is_recording, recording, tell_read, watched_by
from .spelling import Mapped
from .structure import Structure, Tree, flatten
from .tracer import Tracer, TraceWarning, recorded
from .transform import gradient
from .value import Number, StaleGraphError, Value
from .walks import is_differentiated, topological_order

TYPESET = 40  # equations, at most, that Jupyter shows as formulas


class BranchError(ValueError):
    """A re-evaluation would have taken another branch than the trace did."""


class BranchWarning(TraceWarning):
    """A re-evaluation would have taken another branch than the trace did."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A comparison or a kink, with its place and its distance from flipping."""

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
    primals: tuple[float, ...] = ()  # the numbers of the inputs during the trace
    frozen: tuple[tuple[Value, float], ...] = field(
        default=(), compare=False
    )  # nodes from outside, which are constants

    def __call__(self, *args: Tree, branches: Literal["warn", "raise", "ignore"] = "warn") -> Tree:
        """Evaluate the equations with new inputs: numbers or Values.

        Args:
            branches: "warn", "raise" or "ignore": the reaction if Python code would have taken another branch.

        Raises:
            TypeError: the inputs do not have the structure of the traced inputs; or a constant of the trace depends
                on an input of a function that is being differentiated.
            BranchError: a branch flips, with `branches="raise"`.
            ValueError: a Value from outside that the function reads has another number than during the trace.
        """
        if branches not in ("warn", "raise", "ignore"):
            raise ValueError(f'{self.name}: branches must be "warn", "raise" or "ignore", not {branches!r}')
        leaves, structure = flatten(args)
        if structure != self.into:
            raise TypeError(f"{self.name}: the inputs must have the structure {self.into}, not {structure}")
        self.require_frozen()
        tell_constants(self.name, [x for x, _ in self.frozen])
        held: list[Operand] = []
        try:
            self._run([x if isinstance(x, Value) else number(self.name, x) for x in leaves], held)
        finally:  # also after an error, because another branch may be its cause
            if branches != "ignore":
                self._compare(held, branches)
        return self.out.rebuild(held[z] if isinstance(z, int) else z for z in self.outputs)

    def moved(self) -> Value | None:
        """Return a captured Value whose number changed after the trace, or None."""
        return next((x for x, then in self.frozen if not _is(primal(x), then)), None)

    def require_frozen(self) -> None:
        """Raise a ValueError if a node from outside, which is a constant here, has another number now."""
        x = self.moved()
        if x is not None:
            then = next(number for node, number in self.frozen if node is x)
            raise ValueError(
                f"{self.name}: {x.label or 'a Value'} that it closes over was {format_number(then)} when it was traced "
                f"and is {format_number(primal(x))} now: trace it again, or make it an argument"
            )

    def __copy__(self) -> Trace:
        return self  # a trace does not change

    def __deepcopy__(self, memo: dict[int, Any]) -> Trace:
        return self

    def __getstate__(self) -> dict[str, Any]:
        state = {**vars(self), "frozen": ()}  # another process does not have these nodes
        state.pop("strict", None)
        return state

    @cached_property
    def strict(self) -> Callable[..., Tree]:
        """Return the function that evaluates the equations, and raises a BranchError if a branch flips."""

        def strict(*args: Tree) -> Tree:
            return self(*args, branches="raise")

        strict.__name__ = self.name
        return strict

    def _run(self, inputs: Sequence[Operand], held: list[Operand] | None = None) -> list[Operand]:
        """Return the variables. They are written to a list, if one is given."""
        rows, held = self.equations.rows, [] if held is None else held
        held += [*inputs, *repeat(None, len(self.equations)), *reversed(self.equations.constants)]
        read = map(held.__getitem__, self.equations.operands)
        for i, code, arity in zip(count(len(inputs)), self.equations.codes, self.equations.arities, strict=False):
            held[i] = rows[code](*islice(read, arity))
        del held[len(inputs) + len(self.equations) :]
        return held

    def _compare(self, held: list[Operand], branches: str) -> None:
        for branch in self.branches:
            left, right = held[branch.left], _get(held, branch.right)
            if left is None or right is None:  # an error came before it
                continue
            if COMPARE[branch.sign](left, right) != branch.outcome:
                message = (
                    f"{self.name}: the trace was made where {self._text(branch)} was {branch.outcome}; here it is "
                    f"{not branch.outcome} ({' and '.join(map(_written, (left, right)))}), so that the function "
                    "may compute something else: trace it again"
                )
                if branches == "raise":
                    raise BranchError(message)
                warnings.warn(message, BranchWarning, stacklevel=3)

    @property
    def names(self) -> list[str]:
        """Return the names of all variables."""
        return [*self.inputs, *map(self.equations.name, range(len(self.equations)))]

    def _name(self, x: int) -> str:
        """Return the name of a variable."""
        n = len(self.inputs)
        return self.inputs[x] if x < n else self.equations.name(x - n)

    def _text(self, branch: Branch) -> str:
        right = self._name(branch.right) if isinstance(branch.right, int) else format_number(branch.right)
        return f"{self._name(branch.left)} {branch.sign} {right}"

    def text(self, max_lines: int | None = 200) -> str:
        """Write the equations as text. If there are more than `max_lines`, leave out those in the middle.

        >>> print(trace(lambda x: sum([x] * 1000, 0.0), 1.0).text(2))
        trace of <lambda>: 1 input, 1,000 equations
          x0 = inputs
          t1 = 0 + x0
          … 998 more equations; text(max_lines=None) writes all
          t1000 = t999 + x0
          return t1000
        """

        def write(x: int | float) -> Code:
            return Code.name(self._name(x)) if isinstance(x, int) else Code.number(x, 17)

        def equation(e: Equation) -> str:
            return f"  {e.name} = {Code.write(e.op, Mapped(write, e.operands))}"

        def branch(b: Branch) -> str:
            return f"  assuming {self._text(b)} is {b.outcome}"

        counts = f"{counted(len(self.inputs), 'input')}, {counted(len(self.equations), 'equation')}"
        lines = [f"trace of {self.name}: {counts}"]
        if self.inputs:
            lines.append(f"  {list_of(self.inputs, max_lines, str)} = inputs")
        lines += lines_of(self.equations, max_lines, equation, "equation", ask="text(max_lines=None) writes all")
        lines += lines_of(self.branches, max_lines, branch, "branch", "branches", ask="text(max_lines=None) writes all")
        lines.append(f"  return {list_of(self.outputs, max_lines, lambda z: write(z).string)}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_latex_(self) -> str | None:
        """Show the equations typeset in Jupyter, or as text if they are many."""
        if not 0 < len(self.equations) <= TYPESET:
            return None

        def write(x: int | float) -> Tex:
            return Tex.name(self._name(x)) if isinstance(x, int) else Tex.number(x, 6)

        lines = [f"{Tex.name(e.name)} &= {Tex.write(e.op, Mapped(write, e.operands))}" for e in self.equations]
        return "$$\\begin{aligned}" + r" \\ ".join(lines) + "\\end{aligned}$$"

    def decisions(self, *args: Tree) -> list[Decision]:
        """List the branches and kinks with their distance from flipping, at new inputs or at the traced ones.

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
        r"""Return the simplified trace of $\nabla f$. Its output has the structure of the inputs.

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
        # For one argument the gradient has its structure; for several it is a tuple.
        out = self.into.parts[0] if len(self.into.parts) == 1 else self.into
        tracer = Tracer(self.name, inputs)
        tracer.comparisons = [(b.sign, held[b.left], _get(held, b.right), b.outcome) for b in self.branches]
        name, columns = f"the gradient of {self.name}", recorded(slopes, inputs, tracer)._replace(frozen=self.frozen)
        return Trace(name, **columns._asdict(), into=self.into, out=out).optimize()

    def require_one_output(self) -> None:
        """Raise a TypeError if the output is a structure, because then there is no gradient."""
        if self.out.kind is not None:
            raise TypeError(f"{self.name}: a gradient needs one output, not the structure {self.out}")

    @property
    def ends(self) -> list[int]:
        """Return the variables that are outputs or are compared, with repeats."""
        compared = (x for b in self.branches for x in (b.left, b.right))
        return [x for x in chain(self.outputs, compared) if isinstance(x, int)]

    def by_rows(self) -> Trace:
        """Return the trace with rows in place of their limits, for programs, which follow IEEE arithmetic anyway."""
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
        if {*self.equations.operands, *self.ends}.issuperset(range(n, end)):
            return self  # the last dead equation would have no use
        used = bytearray(end + len(self.equations.constants))
        for x in self.ends:
            used[x] = True
        read = reversed(self.equations.operands)
        for i, arity in zip(range(end - 1, n - 1, -1), reversed(self.equations.arities), strict=True):
            mark = used[i]
            for x in islice(read, arity):
                used[x] |= mark
        return self._rewritten(self._places(), used[n:end])

    def common_subexpressions(self) -> Trace:
        """Compute equal equations once."""
        equations = self.equations
        size, packed = equations.operands.itemsize, equations.operands.tobytes()
        bounds = [size * start for start in equations.starts]
        if len(set(map(packed.__getitem__, map(slice, bounds, bounds[1:])))) == len(equations):
            return self  # no two equations have the same operands, and so none is computed again
        same = self._places()
        read = map(same.__getitem__, equations.operands)
        firsts = [dict[tuple[int, ...], int]().setdefault for _ in equations.rows]
        for i, code, arity in zip(count(len(self.inputs)), equations.codes, equations.arities, strict=False):
            same[i] = firsts[code](tuple(islice(read, arity)), i)
        return self._rewritten(same)

    def fold_constants(self) -> Trace:
        """Drop products with 1 and other neutral operations. Results that depend on no input are constants already."""
        n, equations = len(self.inputs), self.equations
        starts, operands = equations.starts, equations.operands
        neutral = {x for op in equations.rows if op.neutral for x in op.neutral}
        places = {~k for k, x in enumerate(equations.constants) if x in neutral}
        looked_at = {bisect_right(starts, k) - 1 for k, x in enumerate(operands) if x in places} if places else set()
        if identity in equations.rows:
            copies = equations.rows.index(identity)
            looked_at.update(k for k, code in enumerate(equations.codes) if code == copies)
        found: dict[int, int] = {}  # for a variable, the equal earlier variable
        for k in sorted(looked_at):
            read = [found.get(x, x) for x in operands[starts[k] : starts[k + 1]]]
            simple = _simplified(equations.rows[equations.codes[k]], read, equations.constants)
            if simple is not None:
                found[n + k] = simple
        if not found:
            return self
        same = self._places()
        for i, simple in found.items():
            same[i] = simple
        return self._rewritten(same)

    def optimize(self, show: bool = False) -> Trace:
        """Run all passes until nothing changes. With `show`, print each pass that changed something.

        >>> t = trace(lambda x: (x * x + x * x) * (2.0 ** 3 / 8), 3.0)
        >>> len(t.equations), len(t.optimize().equations)
        (4, 2)
        """
        current = self
        while True:
            before = current
            for step in (Trace.fold_constants, Trace.common_subexpressions, Trace.dead_code):
                after = step(current)
                if show and after is not current:
                    print(f"{step.__name__}: before\n{current}\n{step.__name__}: after\n{after}\n")
                current = after
            if current is before:
                return current

    def _places(self) -> array[int]:
        """Return a table with each place at itself, which a pass changes. The places of constants are at the end."""
        end = len(self.inputs) + len(self.equations)
        return array("i", chain(range(end), range(-len(self.equations.constants), 0)))

    def _rewritten(self, same: array[int], kept: bytes | bytearray | None = None) -> Trace:
        """Return a trace without the equations whose place was changed, with new places for all others."""
        n, old = len(self.inputs), self.equations
        if kept is None:
            kept = bytes(map(eq, islice(same, n, n + len(old)), count(n)))
        if all(kept):
            return self
        counted = array("i", chain(range(n), accumulate(kept, initial=n)))
        counted[-1:] = array("i", range(-len(old.constants), 0))
        places = array("i", map(counted.__getitem__, same))
        operands = compress(old.operands, chain.from_iterable(map(repeat, kept, old.arities)))
        equations = replace(
            old,
            codes=array("i", compress(old.codes, kept)),
            arities=array("i", compress(old.arities, kept)),
            operands=array("i", map(places.__getitem__, operands)),
            names=array("i", compress(old.names, kept)),
        )

        def moved(x: Any) -> Any:
            return places[x] if isinstance(x, int) else x

        outputs = tuple(map(moved, self.outputs))
        branches = tuple([replace(b, left=moved(b.left), right=moved(b.right)) for b in self.branches])
        return replace(self, equations=equations, outputs=outputs, branches=branches)


def tell_constants(name: str, nodes: Sequence[Value]) -> None:
    """Report to the watch, if there is one, that the numbers of nodes are constants of a running trace or program.

    Raises:
        TypeError: a node depends on an input of a function that is being differentiated here.
    """
    for x in nodes:
        tell_read(x)
    if is_recording() and is_differentiated(*nodes):
        node = next(x for x in nodes if is_differentiated(x))
        raise TypeError(
            f"{name}: {node.label or repr(node)} is a constant here, but it depends on an input of the function that "
            "is being differentiated: call the function itself, or ag.grad of it. If you want no derivative, run it "
            "inside ag.no_grad()"
        )


def _is(x: float, y: float) -> bool:
    """Return whether two numbers are the same: nan is nan, and 0.0 is not -0.0."""
    return (x != x and y != y) or (x == y and (x != 0.0 or math.copysign(1.0, x) == math.copysign(1.0, y)))


def _written(x: Number) -> str:
    return format_number(primal(x) if isinstance(x, Value) else x)


def _get(held: Sequence[Operand], x: int | float) -> Operand:
    return held[x] if isinstance(x, int) else x


def _simplified(op: Op, operands: Sequence[int], constants: Sequence[float]) -> int | None:
    """Return the place of the operand that an equation is equal to, or None.

    Each rule holds for every number: x * 0 is not 0 for inf, and 0 + x would turn -0 into 0.
    """
    if op is identity:
        return operands[0]
    if op.neutral:
        x, y = operands
        if y < 0 and constants[~y] == op.neutral[1]:
            return x
        if x < 0 and constants[~x] == op.neutral[0]:
            return y
    return None


def trace(f: Callable[..., Tree], *args: Tree) -> Trace:
    """Run a function once, and return its operations on the inputs as equations.

    A branch that Python takes on a number (`if x > 0`) is not an equation. The trace keeps it as an assumption. If it
    does not hold for other inputs, a call gives a warning or raises an error. Values that f closes over become
    constants.

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


def trace_call(name: str, call: Callable[[], Tree], inputs: list[Value]) -> Trace:
    """Trace a call, whose inputs are the given leaves."""
    tracer = Tracer(name, inputs)
    with recording(), watched_by(tracer):
        result = call()
    outputs, out = flatten(result)
    numbers = [z if isinstance(z, Value) else number(f"{name}: its result", z) for z in outputs]
    return Trace(name, **recorded(numbers, inputs, tracer)._asdict(), into=Structure(None), out=out)


def _plain(name: str, x: SupportsFloat) -> float:
    return primal(x) if isinstance(x, Value) else number(f"trace of {name}", x)


def trace_graph(outputs: Tree, inputs: Tree) -> Trace:
    """Return the equations of a graph that exists, from given nodes to outputs.

    Leaves that are not among the inputs become constants. If their numbers change later, a call raises an error.
    Nodes between them and the outputs must have the numbers that their operands give: `forward()` computes these.

    Args:
        outputs: a Value or a structure of Values.
        inputs: nodes of the graph: a Value, or a structure of them, which a call takes in the same structure.

    Raises:
        TypeError: an output or an input is not a Value.

    >>> a, b = Value(2.0, "a"), Value(3.0, "b")
    >>> trace_graph(a * b, [a, b])([5.0, 7.0])
    35.0
    """
    leaves, into = flatten((inputs,))
    nodes, out = flatten(outputs)
    for x in (*leaves, *nodes):
        require_value("trace_graph", x, "Values")
    if len(set(leaves)) != len(leaves):
        raise ValueError("trace_graph: the same node is among the inputs twice")
    tracer = Tracer("graph", leaves)
    order = topological_order(*nodes)
    tracer.graph(order)
    if (stale := stale_node([x for x in order if not tracer.depends(x)])) is not None:
        raise StaleGraphError(
            f"trace_graph: {stale[0].label or repr(stale[0])} should be {format_number(stale[1])} now, because a "
            "number was assigned after the graph was computed: call forward() of the output first"
        )
    return Trace("graph", **recorded(nodes, leaves, tracer)._asdict(), into=into, out=out)
