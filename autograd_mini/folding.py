r"""Groups of nodes that a picture draws as one box, and the derivatives through such a box.

This module reads neurons from labels: the nodes $z_1^{[2](3)}$ and $a_1^{[2](3)}$, with the products and sums between
them, are neuron 1 of layer 2 for example 3. It also folds: an edge into a folded box has the derivative through the box
as its weight, so the chain rule holds on the folded picture. The module must not know how graphs are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .edges import edges_of, passing, pull
from .printing import Label
from .value import Value
from .walks import topological_order


class Place(NamedTuple):
    """A neuron: its layer, its number there, and the example. `shared` marks parameters that all examples use."""

    layer: str
    neuron: str
    example: str = ""
    shared: bool = False


@dataclass(frozen=True)
class Box:
    """A box of a picture: the `node` whose value and derivative it shows, and all nodes that are folded into it."""

    node: Value
    members: tuple[Value, ...]
    edges: tuple[tuple[Value, float], ...]  # other boxes' nodes, with the derivatives of `node` with respect to them
    place: Place | None


def unfold(output: Value) -> Value:
    """Return an equal graph in which each product and sum of `dot` and `sum` is a separate node.

    Both graphs have the same leaves. New nodes get the labels and derivatives of the nodes that they replace.

    >>> from autograd_mini import dot
    >>> z = dot([Value(2.0, "w1"), Value(3.0, "w2")], [1.0, 4.0], 0.5)
    >>> z.label = "z"
    >>> [node.op.name for node in topological_order(unfold(z)) if node.op]
    ['mul', 'mul', 'add', 'add']
    """
    made: dict[Value, Value] = {}
    for node in topological_order(output):
        operands = [made[x] if isinstance(x, Value) else x for x in node.operands]
        op = node.op
        if op is None or (op.composed is None and all(a is b for a, b in zip(operands, node.operands, strict=True))):
            made[node] = node
            continue
        made[node] = twin = (op.composed or op)(*operands)
        twin.label, twin.grad = node.label, node.grad
    return made[output]


def boxes_of(order: Sequence[Value], output: Value, fold: bool) -> list[Box]:
    """Return the boxes of a graph, parents first: one for each node or, with `fold`, for each group.

    An unlabelled node joins the group of its users if they are all in one group. All nodes of a neuron are one group. A
    group stays unfolded if nodes outside it use two of its nodes. Without `fold`, a part of a graph has boxes, too.

    >>> a, b = Value(2.0, "a"), Value(3.0, "b")
    >>> y = (a * b + 1) * a
    >>> box = boxes_of(topological_order(y), y, fold=True)[-1]
    >>> len(box.members), [weight for _, weight in box.edges]  # dy/da and dy/db
    (3, [13.0, 4.0])
    """
    users: dict[Value, list[Value]] = {node: [] for node in order}
    for node in order:
        for parent in node.parents:
            if parent in users:
                users[parent].append(node)
    groups: dict[Value, Place | Value] = {}
    members: dict[Place | Value, list[Value]] = {}
    for node in reversed(order):
        groups[node] = group = _group(node, list(dict.fromkeys(groups[user] for user in users[node])))
        members.setdefault(group, []).append(node)

    leaving: dict[Place | Value, list[Value]] = {}  # the nodes of a group that other groups use
    for group, together in members.items():
        together.reverse()
        own = {group}  # a set tells nodes apart by identity
        leaving[group] = [x for x in together if x is output or any(groups[user] not in own for user in users[x])]

    boxes = []
    for node in order:
        group = groups[node]
        place = group if isinstance(group, Place) else None
        together, edges = [node], [(edge.parent, edge.weight) for edge in edges_of(node)]
        if fold:
            if place and place.shared:
                continue  # the neuron of each example includes a parameter that examples share
            if len(leaving[group]) == 1:
                if node is not leaving[group][0]:
                    continue
                together, edges = members[group], through(node, members[group])
            edges = [(x, d) for x, d in edges if not getattr(groups[x], "shared", False)]
        boxes.append(Box(node, tuple(together), tuple(edges), place))
    return boxes


def _group(node: Value, of_users: list[Place | Value]) -> Place | Value:
    """Return the group of a node, from the groups of its users. A group is a neuron, or is named by its last node."""
    label = Label.parse(node.label)
    if node.op is not None and label.layer:
        return Place(label.layer, label.sub, label.example)
    if node.label and not label.layer:
        return node
    if node.op is None and not node.label:
        return node  # an input without a name
    if len(of_users) == 1:
        return of_users[0]
    neurons = {(group.layer, group.neuron) if isinstance(group, Place) else None for group in of_users}
    if node.op is None and len(neurons) == 1 and (neuron := neurons.pop()):
        return Place(*neuron, shared=True)
    return node


def through(node: Value, members: list[Value]) -> list[tuple[Value, float]]:
    """Return the nodes whose edges enter a fold, each with the derivative of the fold's last node, in order."""
    inside = set(members)  # a set tells nodes apart by identity
    entering = dict.fromkeys(x for member in members for x in member.parents if x not in inside)
    derivatives = pull({node: 1.0}, ((user, passing(user)) for user in reversed(members)))
    return [(x, derivatives.get(x, 0.0)) for x in entering]
