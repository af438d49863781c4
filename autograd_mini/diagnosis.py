"""The first cause of a derivative that is nan, inf or zero.

This module owns `blame`, which reads a graph, and `detect_anomaly`, which stops a program at the first bad number. The
row has the word for an operation whose slope is 0, such as "closed" or "saturated".
"""

from __future__ import annotations

import linecache
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from weakref import WeakKeyDictionary

from .derivation import MAX_TERMS, find
from .edges import Edge, derivatives_of, edges_of, leading_to, reached_edges
from .node import number_of, primal
from .printing import Text, counted, format_number, list_of, names_of
from .routes import Paths
from .settings import Switch, Watch, watched_by
from .stale import require_fresh
from .tracer import users_frame
from .value import Number, Value
from .walks import topological_order

Kind = Literal["nan", "inf", "zero", "vanishing", "exploding"]
MAX_ZEROS = 5  # derivatives of 0 that get a sentence each
VANISHING, EXPLODING = 1e-8, 1e8  # a finite derivative outside this range vanishes or explodes


@dataclass(frozen=True, eq=False)
class Finding:
    """One cause: a node in the forward pass, or an edge in the backward pass."""

    kind: Kind
    node: Value
    edge: Edge | None
    message: str


class Blame:
    """The causes that `blame` found: `findings` as data, and one paragraph as text."""

    def __init__(self, output: Value, findings: tuple[Finding, ...], healthy: str) -> None:
        self.output = output
        self.findings = findings
        self._healthy = healthy

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __str__(self) -> str:
        return " ".join(finding.message for finding in self.findings) or self._healthy

    __repr__ = __str__


def blame(output: Value, node: Value | str | None = None) -> Blame:
    r"""Find why derivatives of a graph are nan, inf, 0, vanishing or exploding.

    In the forward pass, the cause is the first node that is nan or inf, because all later ones follow from it. In the
    backward pass, it is the first edge whose product $\bar u \cdot \partial u / \partial x$ is nan or inf.

    Args:
        output: J. You need not call `backward()` before. `.grad` does not change.
        node: the node x of the derivative dJ/dx, or its label. None asks for all leaves.

    >>> x = Value(0.0, "x")
    >>> y = x.sqrt() * x; y.label = "y"
    >>> print(blame(y))  # doctest: +NORMALIZE_WHITESPACE
    The derivative with respect to x is inf · 0: at the edge t1 → x, ∂t1/∂x = 0.5 / t1 = inf (sqrt'(0) = inf),
    times dy/dt1 = 0, is nan.
    """
    find(output, output)  # raises a TypeError if the output is not a Value
    require_fresh(output)
    return find_cause(output, node)


def find_cause(output: Value, node: Value | str | None = None) -> Blame:
    """Find the cause of derivatives that are nan, inf or 0. The graph may be stale."""
    order = topological_order(output)
    names = names_of(order, output)
    derivatives = derivatives_of(output, order)
    targets = [find(output, node)] if node is not None else [x for x in order if x.op is None]
    derivatives |= {x: 0.0 for x in targets if x not in derivatives}
    reader = _Reader(output, order, names, derivatives, targets)
    findings = reader.forward() or reader.backward() or reader.zeros() or reader.sizes()
    one = "the derivative asked for is" if node is not None else "the derivative is"
    many = f"all {len(targets)} derivatives are" if node is None and len(targets) != 1 else one
    healthy = f"{names[output]} = {format_number(primal(output))}, and {many} finite and not 0."
    return Blame(output, tuple(findings), healthy)


@dataclass(eq=False)
class _Reader:
    output: Value
    order: list[Value]
    names: dict[Value, str]
    derivatives: dict[Value, float]
    targets: list[Value]

    @cached_property
    def toward(self) -> dict[Value, list[Edge]]:
        """Return the nodes from which derivatives pass to a target, each with its edges toward one."""
        return leading_to(self.targets, self.order)

    def slope(self, edge: Edge) -> str:
        """Write the local derivative of an edge, with its rule."""
        symbol = edge.symbol(self.names, Text)
        rule = f" = {symbol}" if symbol is not None else ""
        local = Text.derivative(self.names[edge.user], self.names[edge.parent], partial=True)
        return f"{local}{rule} = {format_number(edge.weight)}"

    def d(self, z: Value, x: Value) -> str:
        return str(Text.derivative(self.names[z], self.names[x]))

    def arrow(self, edge: Edge) -> str:
        return f"{self.names[edge.user]} → {self.names[edge.parent]}"

    def convention(self, edge: Edge) -> str:
        """Return the row's convention if the node is at a kink or pole, else nothing."""
        op = edge.user.op
        assert op is not None
        numbers = [number_of(x) for x in edge.user.operands]
        at_kink = op.kink is not None and op.kink(*numbers) == 0.0
        at_pole = op.pole and not math.isfinite(edge.weight)
        return f" ({op.convention})" if at_kink or at_pole else ""

    def operands(self, node: Value) -> str:
        return _written(node, self.names)

    def forward(self) -> list[Finding]:
        """Find the first number of the forward pass that is not finite."""
        for node in self.order:
            if math.isfinite(primal(node)):
                continue
            name, kind, shown = self.names[node], _kind(primal(node)), format_number(primal(node))
            if node.op is None:
                message = f"The leaf {name} is {shown} before anything is computed."
            else:
                message = f"{name} is the first {shown} of the forward pass: {node.op.name} of {self.operands(node)}."
            return [Finding(kind, node, None, message)]
        return []

    def backward(self) -> list[Finding]:
        """Find the first edge of the backward pass whose contribution is not finite."""
        for edge in reached_edges(self.output, reversed(self.order)):
            user, upstream = edge.user, self.derivatives[edge.user]
            product = upstream * edge.weight
            if edge.parent not in self.toward or not math.isfinite(upstream) or math.isfinite(product):
                continue
            result = format_number(product)
            shown = f"{format_number(edge.weight)} · 0" if upstream == 0.0 else result
            times = f", times {self.d(self.output, user)} = {format_number(upstream)}, is {result}"
            message = (
                f"The derivative with respect to {self.names[edge.parent]} is {shown}: at the edge {self.arrow(edge)}, "
                f"{self.slope(edge)}{self.convention(edge)}{'' if user is self.output else times}."
            )
            return [Finding(_kind(product), edge.parent, edge, message)]
        for node in reversed(self.order):
            if node in self.toward and not math.isfinite(self.derivatives[node]):
                kind, shown = _kind(self.derivatives[node]), format_number(self.derivatives[node])
                name = self.names[node]
                message = f"The derivative with respect to {name} is {shown}: the sum of its contributions overflows."
                return [Finding(kind, node, None, message)]
        return []

    def zeros(self) -> list[Finding]:
        """Find the edges at which the derivative becomes 0, for each target with derivative 0."""
        findings: list[Finding] = []
        zeros = [x for x in self.targets if self.derivatives[x] == 0.0]
        for target in zeros[:MAX_ZEROS]:  # each costs a walk over the graph
            name = self.names.get(target, target.label or "x")
            lost, cancel = self.lost(target)
            if target not in self.names:
                message = f"The output does not depend on {name}."
                findings.append(Finding("zero", target, None, message))
            elif not lost or cancel:
                message = f"The derivative with respect to {name} is 0: contributions that are not 0 cancel."
                findings.append(Finding("zero", target, None, message))
            else:
                said = "; ".join(self.shut(edge) for edge in lost[:3])
                more = f"; and {len(lost) - 3} more edge{'s' * (len(lost) > 4)}" if len(lost) > 3 else ""
                message = f"The derivative with respect to {name} is 0: {said}{more}."
                findings.append(Finding("zero", target, lost[0], message))
        if len(zeros) > MAX_ZEROS:
            message = f"The derivatives with respect to {len(zeros) - MAX_ZEROS} more are 0; ask for each by name."
            findings.append(Finding("zero", zeros[MAX_ZEROS], None, message))
        return findings

    def lost(self, target: Value) -> tuple[list[Edge], bool]:
        """Return the edges on paths to the target at which a derivative becomes 0."""
        toward = {target}
        lost, cancel = [], False
        for user in self.order:
            leading = [edge for edge in edges_of(user) if edge.parent in toward]
            if leading and user is not target:
                toward.add(user)
                for edge in leading:
                    if self.derivatives[user] == 0.0:
                        continue
                    if self.derivatives[user] * edge.weight == 0.0:
                        lost.append(edge)
                    elif self.derivatives[edge.parent] == 0.0:
                        cancel = True
        lost.reverse()
        return lost, cancel

    def shut(self, edge: Edge) -> str:
        """Return the reason why an edge passes no derivative."""
        user = edge.user
        assert user.op is not None
        if edge.weight == 0.0:
            return (
                f"{user.op.name} is {user.op.flat} at {self.operands(user)} "
                f"(edge {self.arrow(edge)}, {self.slope(edge)}{self.convention(edge)})"
            )
        upstream = format_number(self.derivatives[user])
        return (
            f"{self.d(self.output, user)} = {upstream} times {self.slope(edge)} "
            f"is too small for a float (edge {self.arrow(edge)})"
        )

    def sizes(self) -> list[Finding]:
        """Find the targets whose derivatives vanish or explode most, and the factors on their paths."""
        sizes = {x: abs(self.derivatives[x]) for x in self.targets if x is not self.output}
        findings = []
        if sizes and min(sizes.values()) < VANISHING:
            findings.append(self.extreme("vanishing", min(sizes, key=sizes.__getitem__)))
        if sizes and max(sizes.values()) > EXPLODING:
            findings.append(self.extreme("exploding", max(sizes, key=sizes.__getitem__)))
        return findings

    def extreme(self, kind: Kind, target: Value) -> Finding:
        """Describe the path that carries most of a derivative of extreme size."""
        way = Paths(self.output, target).top(1)[0].edges
        exploding = kind == "exploding"
        worst = sorted(way, key=lambda edge: abs(edge.weight), reverse=exploding)[:4]
        message = (
            f"The derivative with respect to {self.names[target]} is {kind}: "
            f"{format_number(self.derivatives[target])}. "
            f"On its largest path, of {counted(len(way), 'factor')}, the {'largest' if exploding else 'smallest'} "
            f"{'is' if len(worst) == 1 else 'are'} "
            f"{'; '.join(self.slope(edge) + self.state(edge, exploding) for edge in worst)}."
        )
        return Finding(kind, target, worst[0], message)

    def state(self, edge: Edge, exploding: bool) -> str:
        """Return the row's word for a small factor, or nothing."""
        op = edge.user.op
        if exploding or op is None or op.flat == "flat" or abs(edge.weight) > 0.1:
            return ""
        return f" ({op.name} is {op.flat} at {self.operands(edge.user)})"


def _written(node: Value, names: dict[Value, str]) -> str:
    """Write the operands of a node with their numbers. Of many, write those at the ends."""

    def written(x: Number) -> str:
        name = names.get(x, x.label) if isinstance(x, Value) else ""
        return f"{name} = " * bool(name) + format_number(number_of(x))

    return list_of(node.operands, MAX_TERMS, written)


def _kind(x: float) -> Literal["nan", "inf"]:
    return "nan" if math.isnan(x) else "inf"


class AnomalyError(ArithmeticError):
    """A number became nan or inf. `node` is its node, and `line` is the line of the user's code that made it."""

    def __init__(self, message: str, node: Value, line: str) -> None:
        super().__init__(message)
        self.node = node
        self.line = line


def detect_anomaly() -> Switch:
    """Raise an error at the first nan or inf. It names the op, its operands and the line that made the node.

    In the forward pass, the error comes as soon as the node is made. In the backward pass, it comes at the end of
    `backward()` and names the edge and the line. Only nodes that are made inside this context have a line.

    Raises:
        AnomalyError: a number is not finite.

    >>> x = Value(1e200, "x")
    >>> with detect_anomaly():
    ...     y = x * x  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    autograd_mini.diagnosis.AnomalyError: mul gave inf for x = 1e+200, x = 1e+200; made at ..., line 2: y = x * x...
    """
    return watched_by(_Lines())


class _Lines(Watch):
    """Remember the user's line of each node, and raise at the first bad number."""

    def __init__(self) -> None:
        self.lines: WeakKeyDictionary[Value, str] = WeakKeyDictionary()

    def made(self, node: Value) -> None:
        line = _users_line()
        self.lines[node] = line
        if math.isfinite(primal(node)) or node.op is None or node.op is not node.op.row:  # a slope may be infinite
            return
        operands = _written(node, {})
        raise AnomalyError(f"{node.op.name} gave {_kind(primal(node))} for {operands}; made at {line}", node, line)

    def derived(self, output: Value) -> None:
        cause = next((x for x in find_cause(output).findings if x.kind in ("nan", "inf")), None)
        if cause is not None:
            user = cause.edge.user if cause.edge is not None else cause.node
            line = self.lines.get(user, "a line outside detect_anomaly")
            raise AnomalyError(f"{cause.message} {user.op or 'the leaf'} was made at {line}", user, line)


def _users_line() -> str:
    """Return the innermost line of the stack that is not in this package, with its text."""
    frame = users_frame()
    name, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(name, line, frame.f_globals).strip()
    return f"{name}, line {line}" + (f": {text}" if text else "")
