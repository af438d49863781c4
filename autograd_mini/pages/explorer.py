r"""An interactive view of a graph: one HTML page that steps through the passes, asks questions, and recomputes.

`explore` fills a template with the facts of the graph, the places of its boxes, and its rows as JavaScript. The
JavaScript files define the behaviour of the page: `engine.js` has the numbers and sentences, `quiz.js` the questions,
`view.js` the picture and the controls. None of them knows a rule of a derivative.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..derivation import find
from ..folding import boxes_of
from ..given import require_value
from ..hints import EXPLORE, keywords
from ..nn.losses import Loss
from ..nn.module import Module
from ..nn.optimizers import Optimizer
from ..node import primal
from ..pictures.graph import picture_of
from ..pictures.model import Box, Line, Picture
from ..pictures.net import is_one_box_each
from ..pictures.typeset import Run, Typeset, plain, width
from ..printing import Label, json_number
from ..stale import require_fresh
from ..value import Value
from ..walks import topological_order
from ..wrong_passes import MISTAKES
from .facts import as_json, facts_of
from .page import Explorer, page, part, require_precision
from .places import formula_lines, in_rows, laid_out, on_a_board
from .rows import Rows
from .templates import markup
from .training import training_page
from .words import WORDS

SCRIPTS = (
    "texts",
    "engine",
    "dice",
    "answers",
    "diagnosis",
    "quiz",
    "tools",
    "svg",
    "zoom",
    "camera",
    "picture",
    "curve",
    "leaves",
    "stage",
    "asking",
    "view",
)
MAX_NODES = 300  # with more nodes, nobody can read the picture or the list of sliders
MAX_EDGES = 2_500
MAX_HEADING = 60  # characters
MAX_WHOLE = 12  # a net of more nodes opens as a board
MAX_WRITTEN = 20  # in a graph of more nodes, an arrow shows the number alone
MAX_NEURONS = 60  # with more neurons, none has a separate picture
MAX_HEIGHT, MIN_HEIGHT = 1000, 620  # pixels of the frame in a notebook

Beside = str | Mapping[Value | str, float] | None


@keywords(EXPLORE)
def explore(
    output: Value | Module,
    X: Any = None,
    y: Any = None,
    *,
    precision: int = 4,
    quiz: bool = False,
    beside: Beside = None,
    loss: str | Loss | None = None,
    optimizer: Optimizer | None = None,
) -> Explorer:
    """Make a page that steps through the graph of a Value, one node and one edge at a time.

    Buttons and arrow keys step through the values and then through reverse or forward mode. Point at a node, or move to
    it with Tab, to see its derivation. Sliders on the leaves recompute all numbers in the page. There are no sliders if
    an op cannot be written in JavaScript.

    For a module with X and y, make a page that trains the net, with the numbers of `nn.fit`. The module does not
    change.

    Args:
        output: a Value, or a module. The training starts at the present parameters of the module.
        X: the inputs of the module, an example in each row: m by n_x.
        y: the m targets.
        precision: significant digits of numbers.
        quiz: begin with questions. The page asks for each number before it shows it.
        beside: a second run below the first: the name of a wrong pass of `mistakes`, such as "overwrite", or other
            numbers for leaves, such as those after a training step.
        loss: for a module, a name or a function of an output and its target, as in `nn.fit`. None is binary cross
            entropy.
        optimizer: for a module, an `nn.SGD` without momentum that holds its parameters. The page starts with its
            learning rate. None is `nn.SGD(net, lr=0.1)`.

    Raises:
        TypeError: `output` is neither a Value nor a module with X and y.
        ValueError: the graph has more than 300 nodes or 2,500 edges, `precision` is not from 1 to 17, or `beside` does
            not name a mistake or leaves. Or the page cannot compute the module, because it branches on its numbers, is
            random, has an op without JavaScript, or is too large.
        StaleGraphError: a number was assigned after the graph was computed.
        ImportError: there is no `dot` program and no pygraphviz.

    >>> a, b = Value(2.0, "a"), Value(3.0, "b")
    >>> J = a * b; J.label = "J"
    >>> explore(J)
    <Explorer of J: save('J.html')>
    >>> from autograd_mini import nn
    >>> net = nn.two_layer_net(2, 4, rng=0)
    >>> explore(net, *nn.datasets.moons(50, rng=0), optimizer=nn.SGD(net, lr=1.2))
    <Explorer of net: save('net.html')>
    """
    if isinstance(output, Module):
        if X is None or y is None:
            raise TypeError("explore: give a module with X and y, to train it in the page; or a Value")
        if quiz or beside is not None:
            raise TypeError("explore: quiz and beside are for a Value, such as nn.cost(net, X, y)")
        return training_page(
            output, X, y, loss=loss or "binary_cross_entropy", optimizer=optimizer, precision=precision
        )
    if any(x is not None for x in (X, y, loss, optimizer)):
        raise TypeError("explore: X, y, loss and optimizer are for a module; a Value has its numbers")
    return _page(output, precision, "quiz" if quiz else "watch", beside)


def quiz(output: Value, *, seed: int | None = None, precision: int = 4) -> Explorer:
    """Make a page that asks for the values, the local derivatives and the derivatives of a graph.

    The page accepts numbers and short formulas. If an answer is wrong, it names the wrong rule that gives this answer.
    It prints as a sheet with the answers on separate pages.

    Args:
        seed: a whole number that chooses other numbers for the leaves, except zeros and leaves called y. It also
            chooses 24 questions if there are more. None keeps the numbers of the graph.

    Raises:
        TypeError: `output` is not a Value, or the seed is not a whole number.
        ValueError: as in `explore`.

    >>> a, b = Value(2.0, "a"), Value(3.0, "b")
    >>> J = a * b; J.label = "J"
    >>> quiz(J, seed=7)
    <Quiz of J: save('J.html')>
    """
    _check(output, precision, "quiz")
    if seed is not None and type(seed) is not int:
        raise TypeError(f"quiz: seed must be a whole number or None, not {seed!r}")
    if seed is not None and not 0 <= seed < 2**32:
        raise ValueError("quiz: seed must be from 0 to 4,294,967,295")
    if output.op is None:
        raise ValueError("quiz: there is nothing to ask of a leaf; give a Value that was computed")
    chosen = output if seed is None else _with_other_leaves(output, seed)
    return _page(chosen, precision, "quiz", None, seed, "Quiz")


def _check(output: object, precision: object, name: str) -> list[Value]:
    """Return the nodes of a graph that a page can show."""
    output = require_value(name, output)
    order = topological_order(output)
    require_fresh(output, order)
    if len(order) > MAX_NODES:
        raise ValueError(
            f"{name}: the graph has {len(order):,} nodes, and at most {MAX_NODES} can be read; explore a node inside "
            "it or fewer examples, or draw it, which folds"
        )
    require_precision(name, precision)
    if (many := sum(len(node.parents) for node in order)) > MAX_EDGES:
        raise ValueError(f"{name}: the graph has {many:,} edges, and at most {MAX_EDGES:,} can be read")
    return order


def _page(
    output: Value, precision: int, start: str, beside: Beside, seed: int | None = None, kind: str = "Explorer"
) -> Explorer:
    order = _check(output, precision, "explore")
    second = _beside(output, order, beside)
    rows = Rows()
    facts = facts_of(output, order, precision, rows)
    names = dict(zip(order, (fact["plain"] for fact in facts["nodes"]), strict=True))
    pictures = _pictures(output, order, names, precision)
    name = names[output]
    facts |= {"words": WORDS, "pictures": pictures, "start": start, "beside": second, "seed": seed}
    title = f"{kind} of {name}" if kind != "Explorer" else f"Computation graph of {name}"
    parts = {
        "heading": _heading(output, order, names),
        "facts": as_json(facts),
        "rows": (Rows() if facts["frozen"] else rows).written(),
    }
    written = page("explorer", title, part("page.css"), SCRIPTS, parts)
    leaves = sum(node.op is None for node in order)
    tall = pictures[0]["wide"]["height"] * (1 if beside is None else 2)
    height = 440 + tall + 60 * leaves
    return Explorer(name, written, round(min(max(height, MIN_HEIGHT), MAX_HEIGHT)), kind)


def _heading(output: Value, order: list[Value], names: dict[Value, str]) -> str:
    """Write the output as a formula of the leaves, or of named nodes if it is long. Leave out one that is too long."""

    def formula(through: bool) -> Typeset:
        written: dict[Value, Typeset] = {}
        for node in order:
            if node.op is None or (not through and node.label and node is not output):
                written[node] = Typeset.name(names[node])
                continue
            operands = [written[x] if isinstance(x, Value) else Typeset.constant(x, 4) for x in node.operands]
            written[node] = Typeset.write(node.op, operands)
            if len(written[node].string) > MAX_HEADING:
                written[node] = Typeset("…" * MAX_HEADING)  # so that formulas with it are left out, too
        return written[output]

    name = Typeset.name(names[output])
    for whole in (formula(True), formula(False)):
        if output.op is not None and "……" not in whole.string and width(whole.runs) <= MAX_HEADING:
            return f"{markup(name.string)} = {markup(whole.string)}"
    return markup(name.string)


def _beside(output: Value, order: list[Value], beside: Beside) -> dict[str, Any] | None:
    """Return the second run of a page: a wrong pass, or numbers of leaves by their places."""
    if beside is None:
        return None
    if isinstance(beside, str):
        if beside not in MISTAKES:
            raise ValueError(
                f"explore: beside must be one of {', '.join(MISTAKES)}, or a dict such as {{'b': 3.1}}, not {beside!r}"
            )
        return {"mistake": beside}
    if not isinstance(beside, Mapping):
        raise TypeError(f"explore: beside must be a mistake's name, or a dict such as {{'b': 3.1}}, not {beside!r}")
    places = {node: i for i, node in enumerate(order)}
    given: dict[int, float | str] = {}
    for key, x in beside.items():
        leaf = find(output, key)
        if leaf not in places or leaf.op is not None:
            raise ValueError(f"explore: beside names {key!r}, which is no leaf of this graph")
        if isinstance(x, bool) or not isinstance(x, (int, float)):
            raise TypeError(f"explore: beside gives {key!r} the number {x!r} of type {type(x).__name__}; give a float")
        try:
            given[places[leaf]] = json_number(float(x))
        except OverflowError:
            raise ValueError(f"explore: beside gives {key!r} a number that is too large for a float") from None
    return {"given": given}


def _with_other_leaves(output: Value, seed: int) -> Value:
    """Return the graph with other numbers at its leaves. Whole numbers stay whole, and others get two digits.

    Zeros and targets, which are leaves called y, do not change.
    """
    order = topological_order(output)
    roll = random.Random(seed)
    for _ in range(200):
        made: dict[Value, Value] = {}
        taken: set[float] = set()
        try:
            for node in order:
                if node.op is None:
                    made[node] = twin = Value(_other(node, roll, taken), node.label)
                    taken.add(twin.data)
                else:
                    made[node] = twin = node.op(*(made[x] if isinstance(x, Value) else x for x in node.operands))
                    twin.label = node.label
        except (ArithmeticError, ValueError):  # outside a domain
            continue
        if all(math.isfinite(x.data) and abs(x.data) < 1e6 for x in made.values()):
            return made[output]
    raise ValueError(
        f"quiz: seed={seed} found no other numbers in the domains of this graph; seed=None keeps those it has"
    )


def _other(leaf: Value, roll: random.Random, taken: set[float]) -> float:
    """Return another number for a leaf, if possible one that no leaf has."""
    x = primal(leaf)
    if x == 0.0 or not math.isfinite(x) or Label.parse(leaf.label).base == "y":
        return x
    if not x.is_integer():
        return float(f"{roll.uniform(0.5, 1.5) * x:.2g}")
    choices = {float(k) for k in range(-6 if x < 0 else 1, 10)} - {0.0, x}
    return roll.choice(sorted(choices - taken or choices))


def _pictures(output: Value, order: list[Value], names: dict[Value, str], precision: int) -> list[dict[str, Any]]:
    """Return the pictures of a page: a net as a board and its neurons one by one, and the whole graph."""
    layouts = {
        name: picture_of(output, precision=precision, max_nodes=None, every=True, rankdir=rankdir, slopes="both")
        for name, rankdir in (("wide", "LR"), ("tall", "TB"))
    }
    boards = _net(output, order, names, precision, layouts["wide"]) if len(order) > MAX_WHOLE else []
    if len(order) > MAX_WRITTEN:
        layouts = {name: replace(picture, slopes="number") for name, picture in layouts.items()}
    return [*boards, _picture("All nodes", layouts, precision, range(len(order)))]


def _picture(
    title: str, layouts: Mapping[str, Picture], digits: int, nodes: Iterable[int], edges: Iterable[int] | None = None
) -> dict[str, Any]:
    """Return a picture of nodes and edges, laid out with room for numbers of some digits."""
    some = next(iter(layouts.values()))
    return {
        "title": title,
        "nodes": list(nodes),
        "edges": list(range(len(some.arrows)) if edges is None else edges),
        "formulas": [formula_lines(box) for box in some.boxes],
        "kinds": [box.kind for box in some.boxes],
        **{name: laid_out(picture, digits) for name, picture in layouts.items()},
    }


def _net(
    output: Value, order: list[Value], names: dict[Value, str], precision: int, whole: Picture
) -> list[dict[str, Any]]:
    """Return a board for each example of a net and a picture of each neuron, or nothing for another graph."""
    folds = boxes_of(order, output, fold=True)
    neurons = sum(fold.place is not None for fold in folds)
    if neurons < 2 or not is_one_box_each(folds):
        return []
    places = {names[node]: i for i, node in enumerate(order)}
    members = {names[fold.node]: [places[names[x]] for x in fold.members] for fold in folds}
    examples = sorted(
        {fold.place.example for fold in folds if fold.place and fold.place.example}, key=lambda x: x.rjust(9)
    )
    boards = []
    if not all(example.isdecimal() for example in examples):  # one example, written as (i)
        examples = []
    for example in examples or [""]:
        picture = picture_of(
            output, fold=True, precision=precision, max_nodes=None, example=int(example) if example else None
        )
        if picture.columns:
            title = f"Net, example {example}" if len(examples) > 1 else "Net"
            boards.append(_board(title, picture, places, members, precision))
    folded = (pair for board in boards for pair in zip(board["nodes"], board["members"], strict=True))
    inside = {i: together for i, together in folded if len(together) > 1}
    if len(inside) > MAX_NEURONS:
        return boards
    return [*boards, *(_neuron(whole, together, order[i], names, precision) for i, together in inside.items())]


def _board(
    title: str, picture: Picture, places: Mapping[str, int], members: Mapping[str, list[int]], digits: int
) -> dict[str, Any]:
    """Return a folded net as a picture of a page."""
    boxes = tuple(replace(box, lines=_three_lines(box, digits)) for box in picture.boxes)
    names = {box.id: box.name for box in boxes}
    return {
        "title": title,
        "nodes": [places[box.name] for box in boxes],
        "members": [members[box.name] for box in boxes],
        "kinds": [box.kind for box in boxes],
        "formulas": [formula_lines(box) for box in boxes],
        "edges": [],
        "wires": [
            {
                "from": members[names[arrow.source]],
                "to": members[names[arrow.target]],
                "weight": places[arrow.leaf] if arrow.leaf else None,
            }
            for arrow in picture.arrows
        ],
        "wide": on_a_board(replace(picture, boxes=boxes)),
        "tall": in_rows(replace(picture, boxes=boxes)),
    }


def _three_lines(box: Box, digits: int) -> tuple[Line, ...]:
    """Return the lines of a box on a board, with numbers of some digits: name, value and derivative."""
    runs = next(line.runs for line in box.lines if line.role in ("pair", "formula"))
    name = Line("formula", runs[: next((k for k, run in enumerate(runs) if run.text == " = "), len(runs))])
    number = "−0." + "0" * digits
    gradient = Line("gradient", (*name.runs, Run(f"dJ/d = {number}")))
    return name, Line("value", (Run(number),)), gradient


def _neuron(whole: Picture, members: list[int], node: Value, names: dict[Value, str], precision: int) -> dict[str, Any]:
    """Return the picture of the nodes of a neuron and of its inputs."""
    inside = {f"n{i}" for i in members}
    edges = [k for k, arrow in enumerate(whole.arrows) if arrow.target in inside]
    shown = inside | {whole.arrows[k].source for k in edges}
    boxes = tuple(replace(box, frame=()) for box in whole.boxes if box.id in shown)
    part = replace(whole, boxes=boxes, arrows=tuple(whole.arrows[k] for k in edges), frames=(), columns=())
    layouts = {"wide": part, "tall": replace(part, rankdir="TB")}
    title = plain(Typeset.name(names[node]).runs)
    return {**_picture(title, layouts, precision, [int(box.id[1:]) for box in boxes], edges), "opens": members[-1]}
