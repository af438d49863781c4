"""Each pass of lifting by itself: nodes in, nodes out, and the numbers stay."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini.ops import OPS
from autograd_mini.program.columns import Columns, Kind, columns_of, fold_sums, set_apart, split_wide_rows
from autograd_mini.program.levels import Scheduled, group, schedule
from autograd_mini.program.lift import Access, lift
from autograd_mini.program.simplification import simplified

INPUTS = 4


def nodes_of(*lines: str) -> Columns:
    """Return nodes that are written as `print` shows them, each of a row of the table."""
    parsed = [(line.split(" = "), re.findall(r"(?<=[(\s])([vc])(\d+)", line.split(" = ")[1])) for line in lines]
    kinds = tuple(dict.fromkeys(Kind("row", OPS[text.split("(")[0]]) for (_, text), _ in parsed))
    width = np.array([len(operands) for _, operands in parsed])
    return Columns(
        kinds,
        np.array([kinds.index(Kind("row", OPS[text.split("(")[0]])) for (_, text), _ in parsed]),
        np.array([int(name[1:]) for (name, _), _ in parsed]),
        width.cumsum() - width,
        width,
        np.array([int(k) if sign == "v" else ~int(k) for _, operands in parsed for sign, k in operands]),
        INPUTS + len(lines) + 1,
    )


def lines_of(nodes: Columns) -> list[str]:
    return str(nodes).splitlines()


def test_nodes_read_as_they_are_written() -> None:
    lines = ["v4 = mul(v0, v1)", "v5 = add(v4, c0)", "v6 = exp(v5)"]
    assert lines_of(nodes_of(*lines)) == lines
    t = ag.trace(lambda *xs: ag.exp(xs[0] * xs[1] + 2.0), 1.0, 2.0, 3.0, 4.0)
    assert lines_of(columns_of(t)) == lines


@pytest.mark.parametrize(
    ("lines", "ends", "folded"),
    [
        (["v4 = mul(v0, v1)", "v5 = mul(v2, v3)", "v6 = add(v4, v5)"], [6], ["v6 = dot(v0, v2, v1, v3)"]),
        # Something else is what it begins with, and comes last.
        (
            ["v4 = mul(v0, v1)", "v5 = add(v2, v4)", "v6 = mul(v3, c0)", "v7 = add(v5, v6)"],
            [7],
            ["v7 = dot(v0, v3, v1, c0, v2)"],
        ),
        (["v4 = add(v0, v1)", "v5 = add(v4, v2)", "v6 = add(v5, c0)"], [6], ["v6 = sum(v0, v1, v2, c0)"]),
        # One product, or two terms, are neither; the product comes just before it is added.
        (
            ["v4 = mul(v0, v1)", "v5 = exp(v2)", "v6 = add(v5, v4)"],
            [6],
            ["v5 = exp(v2)", "v4 = mul(v0, v1)", "v6 = add(v5, v4)"],
        ),
        (["v4 = add(v0, v1)"], [4], ["v4 = add(v0, v1)"]),
        # Nothing that is used twice is swallowed.
        (
            ["v4 = mul(v0, v1)", "v5 = mul(v2, v3)", "v6 = add(v4, v5)"],
            [6, 4],
            ["v4 = mul(v0, v1)", "v5 = mul(v2, v3)", "v6 = add(v4, v5)"],
        ),
        (
            ["v4 = add(v0, v1)", "v5 = add(v4, v2)", "v6 = add(v5, v4)"],
            [6],
            ["v4 = add(v0, v1)", "v6 = sum(v4, v2, v4)"],
        ),
    ],
)
def test_sums_are_folded(lines: list[str], ends: list[int], folded: list[str]) -> None:
    assert lines_of(fold_sums(nodes_of(*lines), ends)) == folded


def test_rows_of_many_operands_are_split() -> None:
    def f(a: Any, b: Any, c: Any, k: Any) -> Any:
        total = ag.sum([a, b, c])
        return ag.dot([a, b], [c, total], ag.take([a, b, c], k)), ag.dot([a], [b])

    nodes = split_wide_rows(columns_of(ag.trace(f, 1.0, 2.0, 3.0, 0.0)))
    assert lines_of(nodes) == [
        "v4 = sum(v0, v1, v2)",
        "v5 = take(v0, v1, v2, v3)",
        "v8 = dot(v0, v1, v2, v4)",
        "v6 = add(v8, v5)",
        "v7 = mul(v0, v1)",
    ]
    assert len(set(nodes.kinds)) == len(nodes.kinds)
    plain = nodes_of("v4 = exp(v0)")
    assert split_wide_rows(plain) is plain


def test_nodes_without_a_derivative_stand_apart() -> None:
    lines = ["v4 = exp(v0)", "v5 = sin(v4)", "v6 = mul(v4, v1)", "v7 = exp(v5)"]
    nodes = set_apart(nodes_of(*lines), [6])  # a branch asks for v7
    assert [nodes.kinds[k].passing for k in nodes.kind] == [True, False, True, False]
    assert lines_of(nodes) == lines
    nodes = nodes_of(*lines)
    assert set_apart(nodes, [6, 7]) is nodes
    t = ag.trace(lambda x, y: y * ag.stop_gradient(ag.exp(x)), 1.0, 2.0)
    nodes = set_apart(columns_of(t), t.outputs)
    assert [nodes.kinds[k].passing for k in nodes.kind] == [False, True, True]


def test_shorter_branches_wait() -> None:
    # v6 waits for v8 and v9, and what it is made of has nothing deeper beside it.
    lines = ["v4 = exp(v0)", "v5 = sin(v1)", "v6 = tanh(v5)", "v7 = cos(v4)", "v8 = tanh(v7)", "v9 = tanh(v7)"]
    nodes = schedule(nodes_of(*lines))
    assert isinstance(nodes, Scheduled)
    assert nodes.early.tolist() == [1, 1, 2, 2, 3, 3]
    assert nodes.level.tolist() == [1, 1, 3, 2, 3, 3]
    # The two logarithms are operands of one node, and stay apart.
    lines = ["v4 = log(v0)", "v5 = exp(v1)", "v6 = log(v5)", "v7 = mul(v4, v6)", "v8 = exp(v2)"]
    assert schedule(nodes_of(*lines)).level.tolist() == [1, 1, 2, 3, 1]
    lines[3] = "v7 = exp(v4)"
    assert schedule(nodes_of(*lines)).level.tolist() == [1, 1, 2, 2, 1]


def test_instructions_stand_together() -> None:
    lines = ["v4 = exp(v0)", "v5 = mul(v0, v1)", "v6 = exp(v2)", "v7 = sin(v5)"]
    nodes = schedule(nodes_of(*lines))
    assert lines_of(group(nodes)) == [lines[0], lines[2], lines[1], lines[3]]
    assert group(nodes).level.tolist() == [1, 1, 1, 2]


def run(nodes: Columns, numbers: list[float], constants: tuple[float, ...]) -> Any:
    """Return a table of all variables, computed node by node."""
    table = np.full(nodes.size, np.nan)
    table[: len(numbers)] = numbers
    table[len(table) - len(constants) :] = constants[::-1]
    for kind, variable, start, width in zip(nodes.kind, nodes.variable, nodes.start, nodes.width, strict=True):
        name, op, n, started, *_ = nodes.kinds[kind]
        xs = table[nodes.operands[start : start + width]]
        assert not np.isnan(xs).any()  # each comes after its operands
        if op is not None:
            table[variable] = op(*xs.tolist())
        elif name == "take":
            table[variable] = xs[int(xs[n])]
        else:
            terms = xs[:n] * xs[n : 2 * n] if name == "dot" else xs
            table[variable] = terms.sum() + (xs[2 * n] if started else 0.0)
    return table


@given(dag=dags())
@settings(max_examples=examples(100))
def test_every_pass_keeps_the_numbers(dag: Dag) -> None:
    def f(*xs: Any) -> Any:
        z = dag(xs)
        return z, ag.dot([z, xs[0]], [xs[-1], 2.0], z), ag.take([xs[0], z], 1.0), ag.sum([z, *xs])

    t = ag.trace(f, *dag.inputs)
    expected = np.array(f(*dag.inputs), dtype=float)
    nodes: Any = columns_of(t)
    for change in (
        lambda nodes: nodes,
        lambda nodes: fold_sums(nodes, t.ends),
        split_wide_rows,
        lambda nodes: set_apart(nodes, t.outputs),
        schedule,
        group,
    ):
        nodes = change(nodes)
        table = run(nodes, list(dag.inputs), t.equations.constants)
        found = [table[z] if isinstance(z, int) else z for z in t.outputs]
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)
    level = np.zeros(nodes.size, dtype=int)
    level[nodes.variable] = nodes.level
    assert all(
        level[nodes.operands[start : start + width]].max() < of
        for start, width, of in zip(nodes.start, nodes.width, nodes.level, strict=True)
    )
    assert np.all(nodes.early <= nodes.level)
    pairs = list(zip(nodes.level.tolist(), nodes.kind.tolist(), strict=True))
    changes = sum(a != b for a, b in pairwise(pairs))
    assert changes == len(set(pairs)) - 1  # each group stands at one place


def test_an_irregular_bias_is_gathered_and_has_no_step_along_terms() -> None:
    order = (0, 4, 1, 2, 0)

    def f(b: Any, w: Any, x: Any) -> Any:
        return [b[k] + w[j] * x[0] + w[j] * x[1] + w[j] * x[2] for j, k in enumerate(order)]

    b, w, x = np.arange(5.0), np.arange(1.0, 6.0), np.array([2.0, 3.0, 4.0])
    gather, dot = lift(ag.trace(f, b, w, x)).instructions
    assert gather.index.tolist() == list(order)
    assert dot.operands[2] == Access(gather.start, 5, 1, 0)
    assert ag.compile(f, runner="numpy")(b, w, x) == pytest.approx(b[list(order)] + 9.0 * w)


@given(data=st.data())
@settings(max_examples=examples(60), deadline=None)
def test_a_pass_is_left_out_only_where_it_does_nothing(data: st.DataObject) -> None:
    place = st.integers(0, 30)
    plan = data.draw(st.lists(st.tuples(st.integers(0, 7), place, place), min_size=1, max_size=12))

    def f(*made: Any) -> Any:
        steps = list(made)
        for kind, i, k in plan:
            x, y = steps[i % len(steps)], steps[k % len(steps)]
            steps.append(
                [x + y, x * y, 1.0 * x, x / 1.0, x - 1.0, ag.dot([x, y, x], [y, x, 2.0]), ag.identity(x), -0.0 + x][
                    kind
                ]
            )
        return steps

    traced = ag.trace(f, 0.5, 1.5)
    some = replace(traced, outputs=tuple(data.draw(st.lists(st.sampled_from(traced.outputs), min_size=1))))
    by_hand = some.fold_constants().common_subexpressions().dead_code()
    found = simplified(some)
    assert (found.equations, found.outputs) == (by_hand.equations, by_hand.outputs)


def test_nothing_to_simplify() -> None:
    for f in (lambda x: x, lambda x: x * x + 2.0 * x, lambda x: 1.0 - x, lambda _: 3.0):
        traced = ag.trace(f, 2.0)
        assert simplified(traced) is traced
