"""The loss of an example with its gradient, and the outputs of a net, as straight-line JavaScript.

The loss of one example is traced together with the gradient that this package's rules give. The equations are written
as one function. The module must not know a loss, a layer or a derivative.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..javascript import Script
from ..nn.cost import loss_of
from ..nn.layers import index
from ..nn.losses import Loss
from ..nn.module import Module
from ..node import primal
from ..ops import Op
from ..settings import no_grad
from ..structure import flatten
from ..tracer import TraceWarning
from ..traces import Trace, trace_call
from ..transform import gradient
from ..value import Value
from .rows import JavaScript, Rows, Unwritten

MAX_TARGETS = 8  # up to this many different targets, each has its own function: targets are constants in `nn.fit`
MAX_EQUATIONS = 20_000  # equations of all functions; a browser would run longer ones slowly
MAX_WORK = 2_000_000  # equations of a step over all examples
TOLERANCE = 1e-9  # the largest relative difference between the trace and the net
MAX_LENGTH = 20_000  # characters in a function


class Kind(NamedTuple):
    """The loss of an example and its gradient, traced for all examples with the same target, or for all examples."""

    trace: Trace
    examples: list[int]
    given: bool  # whether the target is an input of the trace


class Recorded:
    """The loss and the output of an example as equations. They are checked on every example."""

    def __init__(
        self,
        net: Module,
        compare: Loss,
        parameters: list[Value],
        inputs: list[list[float]],
        targets: list[Any],
    ) -> None:
        self.net, self.compare, self.parameters = net, compare, parameters
        losses = self._losses(inputs, targets)
        self.cost = math.fsum(losses) / len(losses)
        if not math.isfinite(self.cost):
            raise ValueError(f"explore: the cost is {self.cost} before the first step")
        output = self._traced(inputs[0], None)
        self.prediction, self.count = output, len(output.outputs)
        self.kinds = self._kinds(inputs, targets)
        self._require_small(len(inputs))
        self.slopes = self._slopes(inputs, targets, losses)
        if not all(map(math.isfinite, self.slopes)):
            raise ValueError("explore: the gradient is not finite before the first step")

    def _kinds(self, inputs: list[list[float]], targets: list[Any]) -> list[Kind]:
        """Trace the loss once for each target, or once for all targets if there are many."""
        alike: dict[Any, list[int]] = {}
        for i, target in enumerate(targets):
            alike.setdefault(tuple(target) if isinstance(target, list) else target, []).append(i)
        given = len(alike) > MAX_TARGETS
        groups = [list(range(len(inputs)))] if given else list(alike.values())
        return [Kind(self._traced(inputs[i[0]], targets[i[0]], given), i, given) for i in groups]

    def _slopes(self, inputs: list[list[float]], targets: list[Any], losses: list[float]) -> list[float]:
        """Return the gradient of the cost from the traces. Check each of them."""
        sums = [0.0] * len(self.parameters)
        for kind in self.kinds:
            for i in kind.examples:
                slopes = self._checked(kind, i, inputs[i], targets[i], losses[i])
                sums = [a + b for a, b in zip(sums, slopes, strict=True)]
        return [x / len(inputs) for x in sums]

    def _losses(self, inputs: list[list[float]], targets: list[Any]) -> list[float]:
        losses = []
        with no_grad():
            for i, (x, target) in enumerate(zip(inputs, targets, strict=True)):
                try:
                    losses.append(loss_of(self.compare, self.net(list(x)), target).data)
                except (ArithmeticError, ValueError) as error:
                    raise ValueError(f"explore: example {i}: {error}") from error
        return losses

    def _traced(self, x: list[float], target: Any, given: bool = False) -> Trace:
        """Trace an example's loss and its gradient. Without a target, trace only the outputs."""
        xs = [Value(v, f"x_{index(k)}") for k, v in enumerate(x, 1)]
        leaves, structure = flatten(target) if given else ([], None)
        ys = [Value(t, f"y_{index(k)}") for k, t in enumerate(leaves, 1)]

        def call() -> Any:
            output = self.net(list(xs))
            if target is None:
                return output
            loss = loss_of(self.compare, output, structure.rebuild(ys) if structure else target)
            return [loss, *gradient(loss, self.parameters)]

        with warnings.catch_warnings():
            warnings.simplefilter("error", TraceWarning)
            try:
                trace = trace_call("the net", call, [*self.parameters, *xs, *ys])
            except TraceWarning as warning:
                raise ValueError(f"explore: {warning}") from None
        if trace.branches:
            told = str(trace).partition("assuming ")[2].partition("\n")[0]
            raise ValueError(
                f"explore: the net or its loss branches on its numbers (here {told}), so that its graph is not the "
                "same for all examples; where(condition, x, y) is a branch that is part of the graph"
            )
        return trace.fold_constants().common_subexpressions().dead_code()

    def _require_small(self, m: int) -> None:
        equations = sum(len(kind.trace.equations) for kind in self.kinds)
        if equations > MAX_EQUATIONS:
            raise ValueError(
                f"explore: the loss and its gradient have {equations:,} equations, and at most {MAX_EQUATIONS:,} fit "
                "a page: take a smaller net"
            )
        work = sum(len(kind.trace.equations) * len(kind.examples) for kind in self.kinds)
        if work > MAX_WORK:
            raise ValueError(
                f"explore: a step over {m:,} examples computes {work:,} equations, and at most {MAX_WORK:,} are fast "
                f"enough: take {m * MAX_WORK // work:,} examples, or a smaller net"
            )

    def _checked(self, kind: Kind, i: int, x: list[float], target: Any, loss: float) -> list[float]:
        """Return the gradient of an example's loss from its trace. Check that trace and net compute the same loss."""
        ys = flatten(target)[0] if kind.given else []
        try:
            held = kind.trace._run([*map(primal, self.parameters), *x, *ys])
        except (ArithmeticError, ValueError) as error:
            raise ValueError(f"explore: example {i}: {error}") from error
        again, *slopes = [held[z] if isinstance(z, int) else z for z in kind.trace.outputs]
        if not abs(again - loss) <= TOLERANCE * (1 + abs(loss)):
            raise ValueError(
                f"explore: the loss of example {i} is {loss:.6g}, but {again:.6g} by the graph of example "
                f"{kind.examples[0]}: the net must do the same with all examples, each time"
            )
        return slopes


def loss_function(rows: Rows, trace: Trace, n: int) -> str:
    """Write a function that adds the gradient of one example's loss to g and returns the loss."""
    loss, *slopes = map(_text, trace.outputs)
    added = [f"g[{k}] += {slope};" for k, slope in enumerate(slopes) if slope not in ("0", "(-0)")]
    return _in_parts("p, d, at, g", _statements(rows, trace), added, f"return {loss};", (n, len(trace.inputs)))


def output_function(rows: Rows, trace: Trace, n: int) -> str:
    """Write a function that puts the outputs for one example into z."""
    put = [f"z[{k}] = {_text(z)};" for k, z in enumerate(trace.outputs)]
    return _in_parts("p, d, at, z", _statements(rows, trace), put, "return z;", (n, len(trace.inputs)))


def _text(x: int | float) -> str:
    return f"v{x}" if isinstance(x, int) else Script.literal(x)


def _statements(rows: Rows, trace: Trace) -> dict[int, str]:
    """Return a statement for each equation, by its variable."""
    return {
        k: f"const v{k} = {_applied(rows, op, [_text(x) for x in operands])};"
        for k, (_, op, operands) in enumerate(trace.equations, len(trace.inputs))
    }


def _in_parts(
    parameters: str, equations: dict[int, str], effects: list[str], result: str, given: tuple[int, int]
) -> str:
    """Write a function of statements. Cut a long one into several, because browsers make only short functions fast.

    If a later part reads a variable, an array t passes it on.

    Args:
        equations: the statements that compute the variables, in order.
        effects: statements that read variables and compute none.
        given: the number of variables that are parameters, and the number that are parameters or inputs.
    """
    home: dict[int, int] = {}  # the part that computes a variable
    parts: list[list[str]] = [[]]
    for k, text in equations.items():
        if sum(map(len, parts[-1])) > MAX_LENGTH:
            parts.append([])
        parts[-1].append(text)
        home[k] = len(parts) - 1
    for text in effects:
        parts[max((home.get(k, 0) for k in _read(text)), default=0)].append(text)
    reads = [{k for text in part for k in _read(text)} for part in parts]
    reads[-1] |= _read(result)
    handed = sorted({k for i, read in enumerate(reads) for k in read if home.get(k, i) != i})
    slots = {k: slot for slot, k in enumerate(handed)}
    n, known = given

    def load(k: int) -> str:
        place = f"p[{k}]" if k < n else f"d[at + {k - n}]" if k < known else f"t[{slots[k]}]"
        return f"const v{k} = {place};"

    written = []
    for i, (part, read) in enumerate(zip(parts, reads, strict=True)):
        loads = [load(k) for k in sorted(read) if home.get(k) != i]
        kept = [f"t[{slot}] = v{k};" for k, slot in slots.items() if home[k] == i]
        end = [result] * (i == len(parts) - 1)
        written.append(f"({parameters}) => {{ {' '.join([*loads, *part, *kept, *end])} }}")
    if len(written) == 1:
        return written[0]
    named = [f"const f{i} = {text};" for i, text in enumerate(written)]
    calls = "; ".join(
        [*(f"f{i}({parameters})" for i in range(len(written) - 1)), f"return f{len(written) - 1}({parameters})"]
    )
    array = f"const t = new Float64Array({len(slots)});"
    return "\n".join(["(() => {", array, *named, f"return ({parameters}) => {{ {calls}; }};", "})()"])


def _read(statement: str) -> set[int]:
    """Return the variables that a statement reads, without the variable that it computes."""
    return {int(k) for k in re.findall(r"\bv(\d+)", re.sub(r"^const v\d+ =", "", statement))}


def _applied(rows: Rows, op: Op, operands: Sequence[str]) -> str:
    """Write a row applied to operands. Write a row that is composed of others as these."""
    try:
        if op.composed is not None:
            return rows.recorded(op, op.composed, [JavaScript(rows, x) for x in operands])
        return rows.applied(op, list(operands))
    except Unwritten as error:
        raise ValueError(f"explore: the page cannot compute this net: {error}") from None


def as_script(rows: Rows, functions: list[str], outputs: str, neurons: str) -> str:
    """Return the functions as a script. Equal functions appear only once."""
    listed = ",\n".join(f"  {function}" for function in functions)
    named = [f"const losses = [\n{listed},\n];", f"const outputs = {outputs};", f"const neurons = {neurons};"]
    return "\n".join([*str(rows.script).splitlines(), *named])
