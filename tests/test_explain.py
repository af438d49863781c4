"""Derivations and paths: what they say is true, and stays short where paths are many."""

from __future__ import annotations

import json
import math
import re
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import OPS, Value, ops
from autograd_mini.edges import derivatives_of


@pytest.fixture
def J() -> Value:
    return ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=3, c=2)


def test_the_derivations_of_the_text(J: Value) -> None:
    assert str(ag.explain(J, "b")) == "dJ/db = dJ/dv · dv/du · du/db = 3 · 1 · c = 3 · 1 · 2 = 6"
    assert str(ag.explain(J, "c")) == "dJ/dc = dJ/dv · dv/du · du/dc = 3 · 1 · b = 3 · 1 · 3 = 9"
    assert str(ag.explain(J, "a")) == "dJ/da = dJ/dv · dv/da = 3 · 1 = 3"
    assert str(ag.explain(J, J)) == "dJ/dJ = 1"
    assert r"\frac{dJ}{db} &= \frac{dJ}{dv} \cdot \frac{dv}{du}" in ag.explain(J, "b").latex()
    assert ag.explain(J, "b")._repr_latex_().startswith("$\\displaystyle \\begin{aligned}")
    assert ag.explain(J, "b").markdown().startswith(r"- $\frac{dJ}{db} = ")
    assert J.grad == 0.0


def test_shared_nodes_get_a_line_of_their_own() -> None:
    y = ag.expression("s = x*x; y = s*s + s", x=3)
    assert str(ag.explain(y, "x")).splitlines() == [
        "dy/ds = dy/dt1 · ∂t1/∂s + ∂y/∂s = 1 · (s + s) + 1 = 1 · (9 + 9) + 1 = 19",
        "dy/dx = dy/ds · ds/dx = 19 · (x + x) = 19 · (3 + 3) = 114",
    ]


def test_a_node_that_the_output_does_not_use(J: Value) -> None:
    assert str(ag.explain(J, Value(1.0, "w"))) == "dJ/dw = 0"
    assert str(ag.explain(J, Value(1.0, "a"))) == "dJ/da′ = 0"
    assert ag.paths(J, Value(1.0, "w")).count == 0
    assert ag.paths(J, Value(1.0, "w")).top() == []
    for ask in (ag.explain, ag.paths, ag.blame):  # without a label there is no name for it
        with pytest.raises(ValueError, match=r"Value\(3.0\) is not in this graph, so its derivative is 0"):
            ask(J, Value(3.0))


def test_labels_are_looked_up(J: Value) -> None:
    with pytest.raises(ValueError, match="no node has the label 'q'; the graph's labels are: a, b, c, u, v, J"):
        ag.explain(J, "q")
    twice = Value(1.0, "x") * Value(2.0, "x")
    with pytest.raises(ValueError, match="2 nodes have the label 'x'"):
        ag.paths(twice, "x")
    assert str(ag.explain(twice)).count("x′") >= 2


@given(dag=dags())
@settings(max_examples=examples(60))
def test_every_line_adds_up(dag: Dag) -> None:
    inputs = dag.values()
    z = dag(inputs)
    nodes = ag.topological_order(z)
    derivatives = derivatives_of(z, nodes)
    for explanation in (ag.explain(z), *(ag.explain(z, x) for x in inputs)):
        for line in explanation.lines:
            total = sum(
                (1.0 if t.via is None else derivatives[t.via]) * math.prod(f.value for f in t.factors)
                for t in line.terms
            )
            if line.node is not z:
                assert total == pytest.approx(line.value, rel=1e-9, abs=1e-12)
            assert line.value == derivatives.get(line.node, 0.0)
    edges = sum(len(node.parents) for node in nodes)
    for x in inputs:
        explanation = ag.explain(z, x)
        assert sum(len(term.factors) for line in explanation.lines for term in line.terms) <= 2 * edges
        assert explanation.lines[-1].node is x
    data = json.loads(json.dumps(ag.explain(z).as_dict(), allow_nan=False))
    assert data["value"] == z.data
    assert len(data["forward"]) == len(data["backward"]) == len(nodes)


def as_python(stage: str) -> str:
    """Return a stage as Python: with its sign of products, and the constants of the table as numbers."""
    constants = [x for x in vars(ops).values() if isinstance(x, ops.Constant)]
    for x in sorted(constants, key=lambda x: -len(x.text.template)):
        stage = stage.replace(x.text.template, f"({float(x)!r})")
    return stage.replace("·", "*")


@given(dag=dags())
@settings(max_examples=examples(60))
def test_every_stage_that_is_written_is_true(dag: Dag) -> None:
    """Each line is a row of equal terms: as Python, with names and with numbers, they have one value."""
    inputs = dag.values()
    z = dag(inputs)
    order = ag.topological_order(z)
    whole = ag.explain(z)
    known = {op.name: op.limit for op in OPS.values()} | {whole.names[x]: x.data for x in order}
    derivatives = {f"d{whole.names[z]}/d{whole.names[x]}": d for x, d in whole.derivatives.items()}
    values = {**{whole.names[x]: x.data for x in order}, **derivatives}
    texts = [whole.text(17, None, None), *(ag.explain(z, x).text(17, None, None) for x in inputs)]
    lines = [line.strip() for text in texts for line in text.splitlines() if " = " in line]
    assert len(lines) >= 2 * len(order)
    for line in lines:
        name, *stages = line.split(" = ")
        for stage in stages:
            if not re.search(r"[d∂]\w+/[d∂]", stage) and "…" not in stage:
                found = float(eval(as_python(stage), {"inf": math.inf, "nan": math.nan}, known))
                assert found == pytest.approx(values[name], rel=1e-6, abs=1e-9, nan_ok=True), line


def test_the_step_with_numbers_is_not_skipped() -> None:
    x = Value(3.0, "x")
    assert str(ag.explain(named(x**2), x)) == "dy/dx = 2 · x = 2 · 3 = 6"
    assert str(ag.explain(named(-x), x)) == "dy/dx = -1"
    y = ag.expression("s = sigmoid(x); y = 5*s", x=0)
    assert str(ag.explain(y, "x")) == (
        "dy/dx = dy/ds · ds/dx = 5 · (s · (1 - s)) = 5 · (0.5 · (1 - 0.5)) = 5 · 0.25 = 1.25"
    )


def test_constants_of_rules_are_written_by_their_names() -> None:
    x = Value(1.0, "x")
    assert str(ag.explain(named(ag.log2(x)), x)).startswith("dy/dx = 1 / (x · ln 2) = 1 / (1 · ln 2) = ")
    assert str(ag.explain(named(ag.erf(x)), x)).startswith("dy/dx = 2/√π · exp(-x**2) = ")
    assert str(ag.explain(named(ag.degrees(x)), x)) == "dy/dx = 180/π = 57.3"
    assert r"\frac{x \cdot e^{\frac{-x^{2}}{2}}}{\sqrt{2 \pi}}" in ag.explain(named(ag.gelu(x)), x)._repr_latex_()
    assert str(ag.explain(named(x * math.log(2.0)), x)) == "dy/dx = 0.6931"  # a number of the user's
    second = ag.gradient(ag.exp2(x), x)
    assert "0.6931" in str(ag.explain(second))  # the graph of a derivative has plain numbers


def test_a_quotient_in_a_product_has_brackets() -> None:
    y = ag.expression("y = (a/b)*c*a", a=1, b=2, c=3)
    assert "t2 = t1 · c" in str(ag.explain(y))
    assert str(ag.explain(y, "b")) == (
        "dy/db = dy/dt2 · dt2/dt1 · dt1/db = a · c · ((-t1) / b) = 1 · 3 · ((-0.5) / 2) = 1 · 3 · (-0.25) = -0.75"
    )
    assert str(ag.explain(named(ag.log(Value(2.0, "x")) * 1.0)))
    first = ag.expression("u = log(x); y = u*z", x=2, z=3)
    assert str(ag.explain(first, "x")) == "dy/dx = dy/du · du/dx = z · (1 / x) = 3 · (1 / 2) = 3 · 0.5 = 1.5"
    third = ag.expression("y = exp(log(x)*z)", x=2, z=3)
    assert " = (1 / x)" not in str(ag.explain(third))


def test_points_that_a_rule_excepts_have_no_formula() -> None:
    assert str(ag.explain(ag.expression("h = hypot(a, b)", a=0, b=0), "a")) == "dh/da = 0"
    assert str(ag.explain(ag.expression("y = x**z", x=0, z=2), "z")) == "dy/dz = 0"
    assert str(ag.explain(ag.expression("y = x**z", x=2, z=3), "z")) == "dy/dz = y · log(x) = 8 · log(2) = 5.545"
    assert str(ag.explain(ag.expression("y = sqrt(x)", x=0), "x")) == "dy/dx = 0.5 / y = inf"


def test_an_infinite_factor_is_written_by_edges() -> None:
    y = ag.expression("t = where(c, x, x); y = sqrt(t)", c=1, x=0)
    text = ag.explain(y, "x").text(width=None)
    assert text.startswith("dy/dx = dy/dt · dt/dx = (0.5 / y) · where(c, 1, 0) + (0.5 / y) · where(c, 0, 1) = ")
    assert text.endswith(" = inf · 1 = inf")


def test_long_lines_are_broken() -> None:
    z = ag.expression("z = sigmoid(w*x)*3 + x/w*x", w=-2, x=3)
    text = str(ag.explain(z))
    assert max(map(len, text.splitlines())) <= 120
    assert re.sub(r"\n +=", " =", text) == ag.explain(z).text(width=None)
    assert "\n        = 0.0074 · 3 + 3 · (-0.75) = -2.228" in text
    latex, page = ag.explain(z, "w").latex(), ag.explain(z, "w").markdown()
    assert " \\\\\n&= 1 " in latex
    assert page.count("$") == 4
    assert page.splitlines()[1].startswith("  $= ")
    assert page.splitlines()[1].endswith(" = -2.228$")


def named(y: Value, label: str = "y") -> Value:
    y.label = label
    return y


@given(dag=dags(max_steps=8))
@settings(max_examples=examples(60))
def test_paths_sum_to_the_derivative(dag: Dag) -> None:
    inputs = dag.values()
    z = dag(inputs)
    for x in inputs:
        paths = ag.paths(z, x)
        listed = list(islice(paths, 2000))
        if paths.count > len(listed):
            continue
        assert len(listed) == paths.count
        assert sum(p.product for p in listed) == pytest.approx(paths.total, rel=1e-9, abs=1e-9)
        assert len({tuple((e.user, e.operand) for e in p.edges) for p in listed}) == len(listed)
        for p in listed:
            assert all(above.parent is below.user for above, below in pairwise(p.edges))
        sizes = [abs(p.product) for p in listed]
        assert all(a >= b * (1 - 1e-9) for a, b in pairwise(sizes))


def test_paths_are_counted_and_topped_without_listing() -> None:
    x = Value(1.0, "x")
    y = x
    for _ in range(50):
        y = y * 2 + y
    paths = ag.paths(y, x)
    assert paths.count == 2**50
    assert [p.product for p in paths.top(3)] == [2.0**50, 2.0**49, 2.0**49]
    assert paths.total == 3.0**50
    assert "about 2^50 paths from f to x" in str(paths)


def test_tied_paths_are_found_depth_first() -> None:
    x = Value(1.0, "x")
    y = x
    for _ in range(300):
        y = y + y
    assert [p.product for p in ag.paths(y, x).top(5)] == [1.0] * 5


def test_names_that_derivations_give_are_found() -> None:
    y = Value(2.0, "x") * 3 + 1
    assert str(ag.explain(y, "t1")) == "df/dt1 = 1"
    assert str(ag.explain(y, "f")) == "df/df = 1"
    with pytest.raises(TypeError, match="the output must be a Value, not 5"):
        ag.explain(5, "x")  # type: ignore[arg-type]  # as a user might


def test_a_path_through_nothing() -> None:
    x = Value(1.0, "x")
    assert [p.product for p in ag.paths(x, x)] == [1.0]
    assert ag.paths(x, x).count == 1


def test_zero_and_nan_on_the_way() -> None:
    x = Value(0.0, "x")
    y = ag.sqrt(x) * 0 + x
    y.label = "y"
    shown = str(ag.paths(y, x))
    assert "nan" in shown
    assert "y → x: 1" in shown
    assert "sum of all products = dy/dx = nan" in shown
    assert json.dumps(ag.explain(y).as_dict(), allow_nan=False)


def test_latex_is_balanced() -> None:
    z = ag.expression("z = sigmoid(x)**2 / sqrt(1 + abs(x)) - 3e-9*x", x=0.5)
    z.label = "z_1^[2](3)"
    text = ag.explain(z).latex()
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert text.count(r"\left") == text.count(r"\right")
    assert r"z_{1}^{[2](3)}" in text
    assert r"3 \cdot 10^{-9}" in text
