r"""The picture of a graph of Values, as data.

This module writes the text of boxes and arrows: formulas, values, derivatives of the output, and local derivatives in
symbols and numbers. It must not know file formats and layout.
"""

from __future__ import annotations

import math
import sys
import textwrap
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from ..edges import Edge, derivatives_of, edges_of, pull
from ..folding import Box as Fold, boxes_of, through, unfold
from ..node import number_of, primal
from ..ops import Level, add, excess, sub
from ..printing import Label, counted, names_of, printable
from ..spelling import Mapped
from ..stale import staleness
from ..value import Number, Value
from ..walks import topological_order
from .model import Arrow, Box, Frame, Kind, Line, Picture, Slope
from .net import Wires, columns_of, is_one_box_each, neuron, of_example, weights_and_biases, wire, without_parameters
from .typeset import Run, Typeset, plain, width

Slopes = Literal["both", "symbol", "number", "none"]
DIRECTIONS = ("LR", "RL", "TB", "BT")
FORMULA_WIDTH = 26  # characters of a line of a formula, and of a local derivative in symbols
MAX_NAME = 40  # characters of a name, and of a formula in two lines
MAX_NODES = 100_000  # boxes that a picture may have
NEAR = 50  # for each box of a shortened picture, at most this many nodes are looked at
MAX_WITH_SYMBOLS = 20  # with more boxes, arrows have only numbers
NOISE = 4 * sys.float_info.epsilon  # rounding may leave this part of the terms of a sum


def picture_of(
    output: Value,
    *,
    fold: bool | None = None,
    precision: int = 4,
    max_nodes: int | None = 100,
    rankdir: str = "LR",
    formulas: bool = True,
    slopes: Slopes | None = None,
    backward: bool = False,
    legend: bool = False,
    wires: Wires = "weights",
    example: int | None = None,
    mark: Sequence[Value] = (),
    every: bool = False,
) -> Picture:
    """Return the picture of the graph of a Value. The arguments are those of `draw`.

    Args:
        every: give each node a box, and each operand an arrow.
    """
    if fold is False:
        output = unfold(output)
    order = topological_order(output)
    if min(len(order), max_nodes or len(order)) > MAX_NODES:
        raise ValueError(
            f"draw: the graph has {counted(len(order), 'node')}, and at most {MAX_NODES:,} can be drawn; max_nodes=100 "
            "draws those that are nearest to the output"
        )
    names = names_of(order, output)
    near = order if fold else _near(order, output, max_nodes)
    folds = boxes_of(near, output, bool(fold))
    note = ""
    if fold is None and max_nodes is not None and len(folds) > max_nodes and any(box.place for box in folds):
        folds, fold = boxes_of(order, output, True), True
        note = "each neuron's nodes in one box; max_nodes=None, or fold=False, draws them"
    writer = _Writer(output, order, names, precision, every)
    if fold is None and formulas and not every:
        folds = writer.take_in(folds)
    is_net = bool(fold) and rankdir == "LR" and slopes is None and not backward and is_one_box_each(folds)
    if is_net:
        folds, shown = of_example(folds, example)
        note = "; ".join(x for x in (shown, note) if x)
    elif example is not None:
        raise ValueError(
            f"draw: example={example} is for a folded net, drawn from left to right: "
            "fold=True, without rankdir, slopes and direction"
        )
    kept = folds if max_nodes is None or len(folds) <= max_nodes else _kept(folds, max_nodes)
    is_net = is_net and len(kept) == len(folds)
    kinds = _kinds(order, output)
    if is_net:
        kept = without_parameters(kept, kinds)
    every_box = len(folds) + len(order) - len(near)
    if missing := every_box - len(kept):
        note = (
            f"{missing:,} of {every_box:,} boxes {'is' if missing == 1 else 'are'} not drawn; max_nodes=None draws all"
        )
    if stale := staleness(output, order):
        note = "\n".join([*textwrap.wrap(f"Stale: {stale}", 72), *[note] * bool(note)])
    if slopes is None:
        slopes = "both" if len(kept) <= MAX_WITH_SYMBOLS and formulas and not fold else "number"

    ids = {fold.node: f"n{i}" for i, fold in enumerate(kept)}
    frames = _Frames()
    marked = set(mark)  # a set tells nodes apart by identity
    boxes, arrows = _content(writer, kept, ids, kinds, frames, formulas, slopes, wires if is_net else None)
    by_id = {name: node for node, name in ids.items()}
    return Picture(
        title=f"Computation graph of {names[output]}",
        boxes=tuple(replace(x, marked=True) if by_id.get(x.id) in marked else x for x in boxes),
        arrows=tuple(arrows),
        frames=frames.all(),
        note=note,
        legend=legend,
        rankdir=rankdir,
        slopes=slopes,
        backward=backward,
        columns=columns_of(kept, ids) if is_net else (),
    )


def _content(
    writer: _Writer,
    folds: list[Fold],
    ids: dict[Value, str],
    kinds: dict[Value, Kind],
    frames: _Frames,
    formulas: bool,
    slopes: Slopes,
    wires: Wires | None,
) -> tuple[list[Box], list[Arrow]]:
    """Return the boxes and the arrows of a picture. A folded net has wires as arrows."""
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    for fold in folds:
        node, name = fold.node, ids[fold.node]
        entering = list(writer.arrows(fold, ids if slopes in ("both", "symbol") else (), formulas))
        weights, biases = weights_and_biases(fold, kinds) if wires and fold.place else ({}, [])
        own = {*weights.values(), *biases}  # a set tells nodes apart by identity
        for parent, weight, symbol in entering:
            if parent not in ids or parent in own:
                continue
            ends = (ids[parent], parent), (name, node)
            if wires and fold.place:
                leaf = weights.get(parent)
                drawn = wire(*ends, leaf, weight, writer.derivatives, writer.output, wires)
                arrows.append(drawn if leaf is None else replace(drawn, leaf=writer.names[leaf]))
            else:
                arrows.append(writer.arrow(*ends, weight, symbol, kinds[parent] == "data"))
        hidden = sum(parent not in ids for parent, _, _ in entering)
        if hidden and not wires:
            stub, sentence = f"left_out_{name}", f"{hidden} operand{'s' * (hidden > 1)} not drawn"
            boxes.append(Box(stub, "left out", "…", (Line("formula", (Run("…"),)),), sentence))
            arrows.append(Arrow(stub, name, "left out"))
        box = writer.box(fold, name, kinds[node], formulas, frames.place(fold, name))
        if wires:
            head = Typeset.name(_short(writer.names[node])).runs
            box = neuron(box, biases, head, writer.number(primal(node)))
        boxes.append(box)
    return boxes, arrows


def _near(order: list[Value], output: Value, most: int | None) -> list[Value]:
    """Return the nodes from which a picture of at most `most` boxes is made: of a large graph those near the output.

    A net folds, so all its nodes are needed.
    """
    if most is None or len(order) <= NEAR * most:
        return order
    if any("[" in node.label and Label.parse(node.label).layer for node in order):
        return order
    nearest = _nearest(output, lambda node: node.parents, NEAR * most)
    return [node for node in order if node in nearest]


def _kept(folds: list[Fold], most: int) -> list[Fold]:
    """Return the folds nearest to the last, the output. Keep the graph's order."""
    by_node = {box.node: box for box in folds}  # without the folds of other examples
    nearest = _nearest(folds[-1].node, lambda node: [x for x, _ in by_node[node].edges if x in by_node], most)
    return [box for box in folds if box.node in nearest]


def _nearest(output: Value, parents: Callable[[Value], Iterable[Value]], most: int) -> set[Value]:
    """Return the nodes nearest to the output, found breadth first."""
    nearest = {output}
    queue = deque([output])
    while queue:
        for parent in parents(queue.popleft()):
            if parent not in nearest:
                if len(nearest) == most:
                    return nearest
                nearest.add(parent)
                queue.append(parent)
    return nearest


def _kinds(order: Sequence[Value], output: Value) -> dict[Value, Kind]:
    """Return the kind of each node. If there are weights, leaves called x or y and leaves without a name are data."""
    leaves = [node for node in order if node.op is None]
    first = {node: node.label[:1] for node in leaves}
    learned = any(letter in ("w", "W", "θ") or node.label.startswith("theta") for node, letter in first.items())
    kinds: dict[Value, Kind] = {}
    for node in order:
        if node is output:
            kinds[node] = "output"
        elif node.op is not None:
            kinds[node] = "result"
        else:
            is_data = not node.label or (learned and first[node] in ("x", "X", "y", "Y"))
            kinds[node] = "data" if is_data else "parameter"
    return kinds


class _Frames:
    """The frames around layers, and around the neurons in them that are drawn in parts."""

    def __init__(self) -> None:
        self.titles: dict[tuple[str, ...], str] = {}
        self.columns: dict[tuple[str, ...], list[tuple[tuple[str, ...], str]]] = {}  # the folded neurons of a layer

    def place(self, box: Fold, name: str) -> tuple[str, ...]:
        """Return the path of the frames that a box stands in."""
        place = box.place
        if place is None:
            return ()
        layer = (f"layer {place.layer}",)
        self.titles.setdefault(layer, layer[0])
        if len(box.members) > 1:
            order = tuple(part.rjust(9) for part in (place.example, place.neuron))  # 2 before 10
            self.columns.setdefault(layer, []).append((order, name))
        if len(box.members) > 1 or place.shared:
            return layer
        title = f"neuron {place.neuron}" if place.neuron else "neuron"
        title = f"{title}, example {place.example}" if place.example else title
        self.titles.setdefault((*layer, title), title)
        return (*layer, title)

    def all(self) -> tuple[Frame, ...]:
        """Return the frames."""
        return tuple(
            Frame("/".join(path), printable(title), tuple(name for _, name in sorted(self.columns.get(path, ()))))
            for path, title in self.titles.items()
        )


class _Writer:
    """Write the text of boxes and arrows."""

    def __init__(
        self,
        output: Value,
        order: list[Value],
        names: dict[Value, str],
        precision: int,
        every: bool,
    ) -> None:
        self.output, self.names, self.precision = output, names, precision
        self.every, self.order = every, order
        # Not .grad: it may be the derivative of another output, or the sum of several calls.
        self.derivatives = derivatives_of(output, order) if output.grad != 0.0 else {}
        self.taken: dict[Value, Typeset] = {}  # unnamed results, as the formulas that stand in their places

    def number(self, x: float) -> tuple[Run, ...]:
        """Write a number."""
        return Typeset.number(x, self.precision).runs

    def write(self, node: Value) -> Typeset:
        """Write a node in a formula: its name, or the formula of its operands."""
        return self.taken[node] if node in self.taken else Typeset.name(_short(self.names[node]))

    def formula(self, node: Value) -> Typeset:
        """Write the operation of a node over its operands."""
        assert node.op is not None

        def written(x: Number) -> Typeset:
            return self.write(x) if isinstance(x, Value) else Typeset.constant(x, self.precision)

        return Typeset.write(node.op, Mapped(written, node.operands))

    def take_in(self, folds: list[Fold]) -> list[Fold]:
        """Make each unnamed result part of the only formula that uses it, if this formula stays short."""
        uses = Counter(parent for node in self.order for parent in node.parents)
        order = [box.node for box in folds]
        unnamed_results = {node for node in order if node.op is not None and not node.label and uses[node] == 1}
        into: dict[Value, Value] = {}
        for node in order:
            if node.op is None or len(node.operands) > 6:
                continue
            unnamed = [x for x in node.parents if x in unnamed_results]
            for x in unnamed:
                self.taken[x] = self.formula(x)
                if any(width(line) > FORMULA_WIDTH for line in _broken(self.formula(node).runs)):
                    del self.taken[x]
                else:
                    into[x] = node
        named: set[Value] = set()  # and the results inside its formula
        for node in reversed(order):
            if node.label or node is self.output or into.get(node) in named:
                named.add(node)
            elif node in into:
                del into[node], self.taken[node]
        roots: dict[Value, Value] = {}
        members: dict[Value, list[Value]] = {}
        for node in reversed(order):
            roots[node] = roots[into[node]] if node in into else node
            members.setdefault(roots[node], []).append(node)
        boxes = []
        for box in folds:
            if box.node in into:
                continue
            together = members[box.node][::-1]
            entering = box.edges if len(together) == 1 else tuple(through(box.node, together))
            boxes.append(Fold(box.node, tuple(together), entering, box.place))
        return boxes

    def box(self, box: Fold, name: str, kind: Kind, formulas: bool, frame: tuple[str, ...]) -> Box:
        """Return a box: its formula, value and derivative."""
        node = box.node
        called = _short(self.names[node])
        head = Typeset.name(called)
        lines = [Line("formula", head.runs)]
        if node.op is not None:
            whole = self.is_whole(box)
            if not whole and not box.place:
                lines = [Line("formula", (*head.runs, Run(" = …")))]
            elif not whole or not formulas:
                lines = [Line("formula", (*head.runs, Run("\u2003" + _sign(node, self.precision))))]
            else:
                lines = [Line("formula", part) for part in _broken((*head.runs, Run(" = "), *self.formula(node).runs))]
        value = primal(node)
        shown = (Run("≈ 0"),) if self._is_noise(node) else self.number(value)
        lines.append(Line("value", shown))
        gradient = self.derivatives.get(node) if self.derivatives else None
        if kind != "data" or self.every:
            slope = Typeset.derivative(_short(self.names[self.output]), called).runs
            known = (Run("?"),) if gradient is None else self.number(gradient)
            lines.append(Line("gradient", (*slope, Run(" = "), *known)))
        return Box(
            name,
            kind,
            self.names[node],
            tuple(lines),
            self.sentence(box, gradient),
            value,
            gradient,
            node.op.name if node.op else "",
            frame,
        )

    def _is_noise(self, node: Value) -> bool:
        """Return whether a sum is only the rounding error of its terms."""
        value = primal(node)
        if node.op not in (add, sub, excess) or not math.isfinite(value) or value.is_integer():
            return False
        largest = max(abs(number_of(x)) for x in node.operands)
        return abs(value) <= NOISE * largest

    def is_whole(self, box: Fold) -> bool:
        """Return whether the formula of a box shows all its operations."""
        return len(box.members) == 1 or all(x in self.taken for x in box.members[:-1])

    def arrows(
        self, box: Fold, symbols: Collection[Value], formulas: bool
    ) -> Iterator[tuple[Value, float, Typeset | None]]:
        """Yield the operands of a box: the parent, the local derivative, and its symbol if there is a short one.

        Only the parents in `symbols` get one.

        A box with a formula has one arrow from each parent, even for x². Other boxes have one for each operand.
        """
        if self.every:
            for edge in edges_of(box.node):
                yield edge.parent, edge.weight, _if_short(self._rule(edge)) if edge.parent in symbols else None
            return
        if not formulas:
            for parent, weight in box.edges:
                yield parent, weight, None
            return
        symbols = symbols if self.is_whole(box) else ()
        entering: Sequence[tuple[Value, float]] = box.edges
        if len({parent for parent, _ in entering}) < len(entering):
            entering = through(box.node, list(box.members))
        for parent, weight in entering:
            yield parent, weight, _if_short(self._through(box, parent)) if parent in symbols else None

    def _rule(self, edge: Edge) -> Typeset | float:
        rule = edge.rule(self.write, Typeset, self.precision) if edge.is_formula else None
        return edge.weight if rule is None else rule

    def _through(self, box: Fold, parent: Value) -> Typeset | float:
        """Write the local derivative through all operations of a formula."""
        adjoints: dict[Value, Typeset | float] = {box.node: 1.0}
        inside = {parent, *box.members}
        users = (
            (
                user,
                ((edge.parent, self._rule(edge)) for edge in edges_of(user) if edge.passes and edge.parent in inside),
            )
            for user in reversed(box.members)
        )
        return pull(adjoints, users, _times, _plus).get(parent, 0.0)

    def arrow(
        self, source: tuple[str, Value], target: tuple[str, Value], weight: float, symbol: Typeset | None, is_data: bool
    ) -> Arrow:
        """Return an arrow with its local derivative."""
        (start, parent), (end, user) = source, target
        of, into = _named(self.names[user]), _named(self.names[parent])
        slope = Slope(
            (Run("∂"), *of), (Run("∂"), *into), symbol.runs if symbol is not None else (), self.number(weight)
        )
        stages = [f"{plain(slope.above)}/{plain(slope.below)}", plain(slope.symbol), plain(slope.number)]
        back: tuple[Run, ...] = ()
        if self.derivatives:
            upstream = self.derivatives[user]
            product = Typeset.product([Typeset.number(x, self.precision) for x in (upstream, weight)])
            back = (*product.runs, Run(" = "), *Typeset.number(upstream * weight, self.precision).runs)
        role: Literal["forward", "data"] = "data" if is_data else "forward"
        return Arrow(start, end, role, " = ".join(x for x in stages if x), slope, weight, back=back)

    def sentence(self, box: Fold, gradient: float | None) -> str:
        """Describe a box in one sentence."""
        node = box.node
        known = self.is_whole(box)
        stages = [plain(Typeset.name(self.names[node]).runs)]
        if node.op is not None and known:
            stages.append(plain(self.formula(node).runs))
        stages.append(plain(self.number(primal(node))))
        slope = plain(Typeset.derivative(self.names[self.output], self.names[node]).runs)
        sentence = f"{' = '.join(stages)}, {slope} = {'?' if gradient is None else plain(self.number(gradient))}"
        if known:
            return sentence
        inner = [x for x in box.members if x.label and x is not node]
        said = [f"{plain(Typeset.name(x.label).runs)} = {plain(self.number(primal(x)))}" for x in inner]
        if len(said) > 10:
            said[9:] = [f"and {len(said) - 9} more"]
        return sentence + f" ({len(box.members)} nodes{': ' * bool(said)}{', '.join(said)})"


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def _named(label: str) -> tuple[Run, ...]:
    """Write a name, in brackets where it is a formula itself."""
    return Typeset(Typeset.name(_short(label)).bracketed(Level.POWER)).runs


def _times(x: Typeset | float, y: Typeset | float) -> Typeset | float:
    """Multiply as on paper: −x for (−1)x, and x/y for x(1/y)."""
    for factor, other in ((x, y), (y, x)):
        if isinstance(factor, float) and factor == -1.0:
            return -other
        if isinstance(factor, Typeset) and factor.level == Level.QUOTIENT and factor.string.startswith("1/"):
            quotient: Typeset = other / Typeset(factor.string[2:], Level.POWER)
            return quotient
    product: Typeset | float = x * y
    return product


def _plus(x: Typeset | float, y: Typeset | float) -> Typeset | float:
    """Add as on paper: 2x for x + x."""
    same = isinstance(x, Typeset) and isinstance(y, Typeset) and x.string == y.string
    total: Typeset | float = 2.0 * x if same else x + y
    return total


def _if_short(rule: Typeset | float) -> Typeset | None:
    """Return a local derivative in symbols if it has some and they are short."""
    return rule if isinstance(rule, Typeset) and width(rule.runs) <= FORMULA_WIDTH else None


def _sign(node: Value, precision: int) -> str:
    """Write the operation of a node with its constant, if it has one: `+`, `× 3`, `2 ^`, `max(·, 0)`."""
    op = node.op
    assert op is not None
    constants = ["" if isinstance(x, Value) else plain(Typeset.constant(x, precision).runs) for x in node.operands[:6]]
    if op.composed is not None:
        return op.symbol
    if op.infix:
        return " ".join(part for part in (*constants[:1], op.symbol, *constants[1:]) if part)
    if any(constants):
        return f"{op.name}({', '.join(c or '·' for c in constants)})"
    return op.name


def _broken(runs: tuple[Run, ...]) -> list[tuple[Run, ...]]:
    """Break a long formula before a + or −, if possible outside of brackets and near its middle."""
    if width(runs) <= FORMULA_WIDTH:
        return [runs]
    places, depth, at = [], 0, 0.0
    for i, run in enumerate(runs):
        for j, char in enumerate(run.text):
            depth += (char in "(|[") - (char in ")]")
            if not run.shift and run.text[j : j + 3] in (" + ", " − "):
                places.append((depth, abs(at + j - width(runs) / 2), i, j))
        at += width([run])
    if not places or min(places)[0] > 1:
        return [runs]
    _, _, i, j = min(places)
    head, tail = runs[i].text[:j], runs[i].text[j + 1 :]
    first = (*runs[:i], runs[i]._replace(text=head)) if head else runs[:i]
    return [first, (runs[i]._replace(text=tail), *runs[i + 1 :])]
