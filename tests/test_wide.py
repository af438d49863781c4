"""Graphs of many nodes, and nodes of many operands: each function is linear, shortens its output, or refuses."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import autograd_mini as ag
from autograd_mini import Op, Value
from autograd_mini.derivation import report
from autograd_mini.ops import dot, sum as sum_row, take
from autograd_mini.pictures.typeset import Typeset, plain
from autograd_mini.printing import Code, Tex, Text, Written
from autograd_mini.program.scan_rows import ScanRow
from autograd_mini.spelling import Mapped
from autograd_mini.traces import Trace

N = 10_000  # operands: code whose time grows with the square takes minutes
ENDLESS = 2 * 10**12  # operands that exist only where they are read


DOTS = (
    "v0{0}v1000000000000 + v1{0}v1000000000001 + {1} + v999999999998{0}v1999999999998 + v999999999999{0}v1999999999999"
)


@pytest.mark.parametrize(
    ("kind", "row", "written"),
    [
        (Text, sum_row, "v0 + v1 + … + v1999999999998 + v1999999999999"),
        (Text, dot, DOTS.format(" · ", "…")),
        (Code, take, "take(v0; v1, v2, …, v1999999999998, v1999999999999)"),
        (Tex, sum_row, r"v_{0} + v_{1} + \dots + v_{1999999999998} + v_{1999999999999}"),
    ],
)
def test_a_row_is_written_without_the_operands_that_are_not_shown(kind: type[Written], row: Op, written: str) -> None:
    operands: Mapped[Any] = Mapped(lambda i: kind.name(f"v{i}"), range(ENDLESS))
    assert str(kind.write(row, operands)) == written


def test_a_row_is_typeset_without_the_operands_that_are_not_shown() -> None:
    operands = Mapped(lambda i: Typeset.name(f"v{i}"), range(ENDLESS))
    assert plain(Typeset.write(sum_row, operands).runs) == "v₀ + v₁ + … + v₁₉₉₉₉₉₉₉₉₉₉₉₈ + v₁₉₉₉₉₉₉₉₉₉₉₉₉"


def test_a_rule_reads_only_the_operands_that_it_needs() -> None:
    numbers = Mapped(float, range(ENDLESS))
    assert dot.local(7, numbers, 0.0) == ENDLESS / 2 + 7
    assert dot.local(ENDLESS // 2 + 7, numbers, 0.0) == 7.0
    assert sum_row.local(5, numbers, 0.0) == 1.0
    assert take.local(1, numbers, 0.0) == 1.0
    assert take.local(2, numbers, 0.0) == take.local(0, numbers, 0.0) == 0.0
    assert take.spelled(ENDLESS).parameters[ENDLESS - 1] == f"x{ENDLESS - 2}"


def wide(name: str) -> Value:
    xs = [Value(1.0 + i % 7, f"x{i}") for i in range(N)]
    made: dict[str, Callable[[], Value]] = {
        "dot": lambda: ag.dot(xs, [2.0] * N),
        "take": lambda: ag.take(xs, Value(3.0, "i")),
        "sum": lambda: ag.sum(xs),
        "norm": lambda: ag.norm(xs),
    }
    y = made[name]()
    y.label = "J"
    return y


@pytest.fixture(scope="module", params=["dot", "take", "sum", "norm"])
def graph(request: pytest.FixtureRequest) -> Value:
    return wide(request.param)


WAYS: dict[str, Callable[[Value, Value], Any]] = {
    "table": lambda y, x: ag.explain(y),
    "derivation": ag.explain,
    "latex": lambda y, x: ag.explain(y).latex(),
    "paths": ag.paths,
    "blame": lambda y, x: ag.blame(y),
    "mistakes": lambda y, x: ag.mistakes(y),
    "picture": lambda y, x: ag.draw(y).description,
    "small picture": lambda y, x: ag.draw(y, max_nodes=10).description,
    "trace": ag.trace_graph,
    "work": ag.work,
    "pattern": ag.sparsity_graph,
}


@pytest.mark.parametrize("way", WAYS)
def test_the_text_of_a_wide_graph_is_short(graph: Value, way: str) -> None:
    x = next(x for x in ag.topological_order(graph) if x.label == "x3")
    assert 0 < len(str(WAYS[way](graph, x))) < 40_000


def test_derivatives_of_wide_graphs(graph: Value) -> None:
    xs = [x for x in ag.topological_order(graph) if x.label.startswith("x")]
    slopes = ag.gradient(graph, xs)
    graph.backward()
    assert [slope.data for slope in slopes] == pytest.approx([x.grad for x in xs], rel=1e-12)
    assert pickle.loads(pickle.dumps(graph)).data == copy.deepcopy(graph).data == graph.data
    graph.zero_grad()


def test_a_nan_among_many_operands_has_a_short_cause() -> None:
    xs = [Value(1e300 * (i % 2 * 2 - 1)) for i in range(N)]
    y = ag.dot(xs, [1e300] * N)
    assert len(str(ag.blame(y))) < 500
    with ag.detect_anomaly(), pytest.raises(ag.AnomalyError) as caught:
        ag.dot(xs, [1e300] * N)
    assert "…" in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_the_text_of_a_trace_is_shortened() -> None:
    def many(xs: list[Any]) -> list[Any]:
        return [x * 2.0 for x in xs if x > 0.0]

    t = ag.trace(many, [1.0] * 1_000)
    lines = str(t).splitlines()
    assert len(lines) == 1 + 1 + 201 + 201 + 1
    assert lines[0] == "trace of many: 1,000 inputs, 1,000 equations"
    assert lines.count("  … 800 more equations; text(max_lines=None) writes all") == 1
    assert lines.count("  … 800 more branches; text(max_lines=None) writes all") == 1
    assert len(t.text(max_lines=None).splitlines()) == 1 + 1 + 2_000 + 1
    assert "…" not in t.text(max_lines=None)


def test_a_loop_in_a_trace_has_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Trace] = []
    by_rows = Trace.by_rows
    monkeypatch.setattr(Trace, "by_rows", lambda trace: seen.append(trace) or by_rows(trace))  # type: ignore[func-returns-value]
    f = ag.compile(lambda c, xs: ag.scan(lambda c, x: (c * x + 1.0, c), c, xs), runner="numpy")
    f(1.0, [1.0] * 20)
    loop = next(t for t in seen if any(isinstance(row, ScanRow) for row in t.equations.rows))
    assert "= scan of 20 steps over c, xs_{1}, …, xs_{19}, xs_{20}\n" in str(loop)
    assert r"t_{1} &= \text{scan of 20 steps over }c, " in (loop._repr_latex_() or "")
    assert "= t1[0]\n" in str(loop)


def test_many_constants_of_a_trace_are_recorded_in_turn() -> None:
    x = Value(1.0, "x")
    others = [Value(2.0) for _ in range(N)]
    t = ag.trace_graph(ag.dot([x, *others], [x, *others]), x)
    assert len(t.frozen) == N
    assert t(3.0) == 9.0 + 4.0 * N


def test_a_picture_of_a_deep_graph_looks_at_nodes_near_the_output() -> None:
    x = Value(1.0, "x")
    y = x
    for k in range(100_001):
        y = ag.sin(y) if k % 2 else y + x
    assert len(ag.draw(y).source) < 150_000
    assert "of 100,002 boxes are not drawn" in ag.draw(y, formulas=False).description
    with pytest.raises(ValueError, match=r"^draw: the graph has 100,002 nodes, and at most 100,000 can be drawn"):
        ag.draw(y, max_nodes=None)


def test_what_would_not_fit_is_refused() -> None:
    xs = [1.0] * 20_000
    with pytest.raises(ValueError, match=r"20,000 outputs and 20,000 inputs have 400,000,000 derivatives.*sparse=True"):
        ag.jacobian(lambda xs: [x * x for x in xs])(xs)
    with pytest.raises(ValueError, match=r"400,000,000 derivatives"):
        ag.hessian(lambda xs: ag.dot(xs, xs))(xs)
    for pattern in (
        ag.sparsity(lambda xs: ag.sum(xs) ** 2, order=2),
        ag.hessian(lambda xs: ag.sum(xs) ** 2, sparse=True),
    ):
        with pytest.raises(ValueError, match=r"20,000 operands has 400,000,000 second derivatives.*ag\.hvp"):
            pattern(xs)
    with pytest.raises(ValueError, match=r"^audit: the graph has 10,000 leaves and 20,000 operands.*check_grads"):
        ag.audit(wide("dot"))


def test_a_report_of_many_leaves_derives_the_first_and_the_last() -> None:
    y = ag.sum([Value(1.0, f"x{i}") for i in range(300)])
    text = report(y, None, "text", 4)
    assert "from the output to the first and the last 50 of 300 leaves; a shared result" in text
    derived = text.partition("Derivations")[2]
    assert [f"df/dx{i} =" in derived for i in (0, 49, 50, 249, 250, 299)] == [True, True, False, False, True, True]


def test_check_grads_of_a_wide_node_looks_at_operands_at_both_ends() -> None:
    ag.check_grads(lambda xs: ag.dot(xs, xs), ([1.0 + i % 7 for i in range(N)],), order=1)


def test_the_steps_of_an_elimination_are_shortened() -> None:
    xs = [Value(1.0, f"x{i}") for i in range(N)]
    y = ag.sum(xs) * 2.0
    text = str(ag.eliminate(y))
    assert len(text.splitlines()) < 200
    assert "   … 9,950 more products; text(max_steps=None) writes all" in text.replace("  …", "   …")
    assert f"… {N - 50:,} more" in text
