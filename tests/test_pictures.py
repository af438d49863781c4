"""Pictures as data: formulas that are true, writers that escape, layouts that are quick by plan."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from layouts import euler, horner, recurrence, rnn
from strategies import Dag, dags, examples

import autograd_mini as ag
from autograd_mini import OPS, Op, Value, nn
from autograd_mini.pictures.graph import picture_of
from autograd_mini.pictures.layout import Plan, plan_of
from autograd_mini.pictures.model import Arrow, Box, Picture
from autograd_mini.pictures.theme import CLASSES, THEMES
from autograd_mini.pictures.typeset import Run, Typeset, plain

HOSTILE = [
    "\\nabla x",
    "%%{init: {'theme':'forest'}}%%",
    "fa:fa-car $$x$$",
    "中 Ω Δt ∈ € é °C",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a\\nb\\N\\G",
    "x]]>",
    "\ue010a\ue014\ue016",
    "a\x00\x1b[31m\u202eb",
    "$x$ % & # _ ^ ~ { } \\",
    "`a` | b; c",
    "end",
    "y" * 90,
    "'; drop table",
    "x̂",
    "−·×",
]


# Formulas.


def text(x: Any) -> str:
    return plain(Typeset.of(x).runs)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (lambda x, y: 3 * (x + y * x), "3(x + yx)"),
        (lambda x, y: x * 3, "3x"),
        (lambda x, y: x * -3, "−3x"),
        (lambda x, y: (x + y) * (x - y), "(x + y)(x − y)"),
        (lambda x, y: x / y * x, "(x/y)x"),
        (lambda x, y: x / (y * x), "x/(yx)"),
        (lambda x, y: x - (y - x), "x − (y − x)"),
        (lambda x, y: x + -y, "x − y"),
        (lambda x, y: x + (-2.0), "x − 2"),
        (lambda x, y: x * x, "x²"),
        (lambda x, y: x**2 * y, "x²\u2009y"),
        (lambda x, y: (x + y) ** 2, "(x + y)²"),
        (lambda x, y: x ** (y + 1), "x^(y + 1)"),
        (lambda x, y: ag.exp(-x), "e^(−x)"),
        (lambda x, y: ag.sqrt(x + y) * x, "√(x + y) · x"),
        (lambda x, y: ag.sigmoid(x) * y, "σ(x) · y"),
        (lambda x, y: y * ag.log(x), "y · log(x)"),
        (lambda x, y: abs(x) * y, "|x| · y"),
        (lambda x, y: ag.maximum(x, 0), "max(x, 0)"),
        (lambda x, y: ag.log1p(x) * ag.atan2(y, x), "log1p(x) · atan2(y, x)"),
        (lambda x, y: x * math.pi + math.log(2), "πx + ln 2"),
        (lambda x, y: 5.97e24 * x, "5.97·10²⁴ · x"),
        (lambda x, y: x * 1e-9, "1·10⁻⁹ · x"),
        (lambda x, y: Typeset.name("rate") * x, "rate · x"),
        (lambda x, y: Typeset.name("w_1") * Typeset.name("x_1"), "w₁\u2009x₁"),
        (lambda x, y: Typeset.name("lambda") * Typeset.name("yhat"), "λŷ"),
        (lambda x, y: Typeset.name("W_{21}[1](3)"), "W₂₁^[1](3)"),
        (lambda x, y: Typeset.name("a*b") * 2, "2(a*b)"),
        (lambda x, y: -(x * y), "−xy"),
        (lambda x, y: (-x) * y, "(−x)y"),
        (lambda x, y: ag.excess(x + y, x + y), "x + y − (x + y)"),
    ],
)
def test_formulas_are_written_as_by_hand(formula: Any, expected: str) -> None:
    assert text(formula(Typeset.name("x"), Typeset.name("y"))) == expected


@pytest.mark.parametrize("op", OPS.values(), ids=list(OPS))
def test_every_row_is_typeset(op: Op) -> None:
    runs = Typeset.write(op, [Typeset.name(name[:1]) for name in op.parameters]).runs
    assert runs
    assert not any(0xE000 <= ord(c) <= 0xF8FF or c in "\\{}" for run in runs for c in run.text)


FUNCTIONS: dict[str, Any] = {op.name: op.limit for op in OPS.values()}
FUNCTIONS |= {"root": OPS["sqrt"].limit, "cuberoot": OPS["cbrt"].limit, "leaky relu": OPS["leaky_relu"].limit}
for shown, row in {
    "σ": "sigmoid", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arsinh": "asinh", "arcosh": "acosh",
    "artanh": "atanh", "max": "maximum", "min": "minimum", "log₂": "log2", "log₁₀": "log10", "ψ": "digamma",
    "logΓ": "lgamma", "Γ": "gamma", "stop gradient": "stop_gradient",
}.items():  # fmt: skip
    FUNCTIONS[shown] = OPS[row].limit
WORDS = "|".join(sorted(map(re.escape, FUNCTIONS), key=len, reverse=True))
TOKEN = re.compile(rf"\d+(?:\.\d+)?(?:·10\^\(?[−\d]+\)?)?|(?:{WORDS}|abs)(?=\()|[^\W\d₀-₉][₀-₉]*|.", re.DOTALL)


def value_of(runs: tuple[Run, ...], known: dict[str, float]) -> float:
    """Compute a typeset formula as a reader of mathematics would: letters side by side are factors."""
    shown = "".join(
        run.text if not run.shift else f"^({run.text})" if run.shift == "sup" else run.text.translate(SMALL)
        for run in runs
    )
    shown = re.sub(r"\)\^\(", ")^(", shown.replace(")^(", "\x01").replace("\x01", ")^("))
    shown = re.sub(r"\^\(([^()]*)\)\^\(([^()]*)\)", r"^(\1\2)", shown)  # one superscript of several runs
    shown = re.sub(r"\|([^|]+)\|", r"abs(\1)", shown)
    shown = shown.replace("√π", f"√({math.pi!r})")
    parts: list[str] = []
    for found in TOKEN.finditer(shown.replace("\u2009", "")):
        token = found[0]
        if token in known or (token[0].isdigit()):
            number = known.get(token)
            text = f"known[{token!r}]" if number is not None else re.sub(r"·10\^\(?([−\d]+)\)?", r"e\1", token)
            if parts and (parts[-1][-1] in ")]" or parts[-1][-1].isdigit()):
                parts.append("*")
            parts.append(text.replace("−", "-"))
        elif token in ("√", "∛"):
            parts.append("root" if token == "√" else "cuberoot")
        elif token in FUNCTIONS or token == "abs":
            if parts and (parts[-1][-1] in ")]" or parts[-1][-1].isdigit()):
                parts.append("*")
            parts.append(token.replace(" ", "_").translate(LARGE))
        elif token == "(":
            if parts and (parts[-1][-1] in ")]" or parts[-1][-1].isdigit()):
                parts.append("*")
            parts.append("(")
        elif token == "e" and shown[found.end() : found.end() + 1] == "^":
            parts.append("known['e']")
        else:
            parts.append({"−": "-", "·": "*", "^": "**", "≥": ">=", "=": "=="}.get(token, token))
    code = re.sub(r"\b(root|cuberoot)(known\['\w+'\])", r"\1(\2)", "".join(parts).replace("[known", "(known"))
    functions = {name.replace(" ", "_").translate(LARGE): f for name, f in FUNCTIONS.items()}
    return float(eval(code, {"known": {**known, "e": math.e}, "inf": math.inf, "nan": math.nan, **functions}))


SMALL = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
LARGE = str.maketrans("₀₁₂₃₄₅₆₇₈₉σψΓ", "0123456789spG")


@given(dag=dags(max_steps=10))
@settings(max_examples=examples(300))
def test_formulas_and_symbols_are_true(dag: Dag) -> None:
    """What a formula took in is in it, and the symbol on an arrow is the derivative through it."""
    inputs = [Value(x, name) for x, name in zip(dag.inputs, "abcdghkmnpqr", strict=False)]
    z = dag(inputs)
    if not isinstance(z, Value):
        return
    picture = picture_of(z, precision=17, max_nodes=None, slopes="both")
    known = {plain(Typeset.name(box.name).runs): box.value or 0.0 for box in picture.boxes}
    for box in picture.boxes:
        runs = tuple(run for line in box.lines if line.role == "formula" for run in (*line.runs, Run(" ")))
        at = next((i for i, run in enumerate(runs) if run.text == " = "), None)
        if at is None or any("[" in run.text or "where" in run.text for run in runs):
            continue
        found = value_of(runs[at + 1 :], known)
        assert found == pytest.approx(box.value, rel=1e-9, abs=1e-9, nan_ok=True), plain(runs)
    for arrow in picture.arrows:
        if (
            arrow.slope
            and arrow.slope.symbol
            and not any("[" in run.text or "where" in run.text for run in arrow.slope.symbol)
        ):
            found = value_of(arrow.slope.symbol, known)
            assert found == pytest.approx(arrow.derivative, rel=1e-6, abs=1e-9, nan_ok=True), arrow.sentence


def test_unnamed_results_are_part_of_the_named_formula() -> None:
    J = ag.expression("J = 3*(a + b*c)", a=5, b=3, c=2)
    J.backward()
    picture = picture_of(J)
    assert [box.name for box in picture.boxes] == ["a", "b", "c", "J"]
    assert plain(picture.boxes[-1].lines[0].runs) == "J = 3(a + bc)"
    assert sorted(arrow.sentence for arrow in picture.arrows) == ["∂J/∂a = 3", "∂J/∂b = 3c = 6", "∂J/∂c = 3b = 9"]
    shared = ag.expression("J = s*s + s", s=2)
    t = shared * 1.0
    u = t * t  # t has two uses, and stays
    assert [box.name for box in picture_of(u).boxes if box.operation] == ["J", "t2", "f"]
    every = ag.draw(J, formulas=False).picture
    assert [box.name for box in every.boxes] == ["a", "b", "c", "t1", "t2", "J"]


def test_symbols_are_as_on_paper() -> None:
    y = ag.expression("y = log(x)*3 - z/x", x=2, z=5)
    assert sorted(arrow.sentence for arrow in picture_of(y).arrows) == [
        "∂y/∂x = −(−z/x)/x + 3/x = 2.75",
        "∂y/∂z = −1/x = −0.5",
    ]
    assert "∂a/∂z = a(1 − a) = 0.25" in picture_of(ag.expression("a = sigmoid(z); L = a*2", z=0)).arrows[0].sentence


def test_remainders_and_whole_numbers_are_bracketed() -> None:
    def formulas(text: str, **numbers: float) -> str:
        return " ".join(plain(line.runs) for line in picture_of(ag.expression(text, **numbers)).boxes[-1].lines[:-2])

    assert formulas("z = (x % y)*w - floor(x*w)*ceil(w + 1)", x=7, y=2, w=3) == "z = (x mod y)w − ⌊xw⌋ · ⌈w + 1⌉"
    assert formulas("z = -(x % y)", x=7, y=2) == "z = −(x mod y)"
    assert formulas("z = -((x + 1) // (x*y))", x=7, y=2) == "z = −⌊(x + 1)/(xy)⌋"
    arrows = picture_of(ag.expression("z = (x % y)*w", x=7, y=2, w=3)).arrows
    assert "∂z/∂y = w(−⌊x/y⌋) = −9" in [arrow.sentence for arrow in arrows]


def test_what_rounding_leaves_is_nothing() -> None:
    y = ag.expression("y = a - b", a=0.1 + 0.2, b=0.3)
    assert y.data != 0.0
    assert plain(picture_of(y).boxes[-1].lines[1].runs) == "≈ 0"
    assert plain(picture_of(ag.expression("y = a - b", a=1.5, b=1)).boxes[-1].lines[1].runs) == "0.5"


def test_what_is_no_noise() -> None:
    def shown(y: Value) -> str:
        return plain(picture_of(y).boxes[-1].lines[1].runs)

    assert shown(Value(math.inf, "x") + 1) == "∞"
    assert shown(Value(1e16, "a") - Value(1e16 - 2, "b")) == "2"
    large = ag.dot([Value(6.022e23, "N"), Value(1.0, "o")], [Value(1.381e-23, "k"), Value(2.0, "z")])
    assert shown(large) == "10.32"
    assert shown(Value(1.5, "a") - Value(1.5, "b")) == "0"


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (lambda x, f: f * (2 * x), "f · (2x)"),
        (lambda x, f: Typeset.name("sigma") * (x + f), "σ · (x + f)"),
        (lambda x, f: x * (f + 1), "x(f + 1)"),
        (lambda x, f: ag.sqrt(x) * f, "√x · f"),
        (lambda x, f: ag.sqrt(x) * Typeset.name("a") * Typeset.name("b"), "√x · ab"),
        (lambda x, f: x ** (2 * f), "x^(2f)"),
        (lambda x, f: ag.exp(x * f), "e^(xf)"),
        (lambda x, f: ag.exp(-(x**2)), "exp(−x²)"),
        (lambda x, f: x ** Typeset.name("a_1^[2](3)"), "x^(a₁^[2](3))"),
        (lambda x, f: x + f * -2.0 + x, "x − 2f + x"),
        (lambda x, f: -1.0 * (x - 2.0), "−(x − 2)"),
    ],
)
def test_formulas_that_could_be_misread(formula: Any, expected: str) -> None:
    assert text(formula(Typeset.name("x"), Typeset.name("f"))) == expected


def test_weights_are_what_the_derivative_of_the_sum_is() -> None:
    def wires(z: Value, **parameters: Value) -> dict[str, float | None]:
        a = ag.tanh(z)
        a.label, z.label = "a_1^[1]", "z_1^[1]"
        J = a * 2.0
        J.label = "J"
        picture = ag.draw(J, fold=True).picture
        name = {box.id: box.name for box in picture.boxes}
        assert picture.columns
        return {name[arrow.source]: arrow.weight for arrow in picture.arrows if arrow.role == "wire"}

    w, v, x, y, b = (Value(k, n) for k, n in ((0.5, "w_1"), (-0.3, "w_2"), (2.0, "x_1"), (3.0, "x_2"), (1.0, "b")))
    assert wires(w * x + v * y + b) == {"x_1": 0.5, "x_2": -0.3}
    assert wires(ag.dot([w, v], [x, y], b)) == {"x_1": 0.5, "x_2": -0.3}
    minus = wires(w * x - v * y)
    assert minus["x_1"] == 0.5
    assert minus["x_2"] == pytest.approx(0.3 * (1 - math.tanh(1.9) ** 2))  # no weight: the derivative
    gate = wires(x * y + w * 1.0)
    assert gate["x_1"] == pytest.approx(3.0 * (1 - math.tanh(6.5) ** 2))
    twice = wires(w * x + v * (x * 1.0))
    assert twice["x_1"] not in (0.5, -0.3)


def test_nets_of_every_kind_are_boards() -> None:
    X = [[0.5, 1.0], [1.0, -1.0], [0.0, 2.0]]
    for activations, targets, loss in (
        (("relu",), [0, 1, 0], "cross_entropy"),
        (("tanh", "sigmoid"), [[0, 1], [1, 0], [1, 1]], "binary_cross_entropy"),
        (("tanh",), [[0.5, 1], [2, 3], [0, 0]], "mean_squared_error"),
    ):
        net = nn.MLP(2, [3, 2], *activations, rng=0)
        J = nn.cost(net, X, targets, loss)
        for example in (1, 3):
            picture = ag.draw(J, fold=True, example=example).picture
            assert len(picture.columns) >= 4
            assert picture.note.startswith(f"example {example} of 3 is drawn")
            assert sum(arrow.role == "wire" for arrow in picture.arrows) == 12
    wide = nn.MLP(30, [70, 1], "tanh", "sigmoid", rng=0)
    J = nn.cost(wide, [[0.1] * 30, [0.2] * 30], [0, 1])
    assert ag.draw(J).svg().startswith("<?xml")
    with pytest.raises(ValueError, match="there is one example, without a number"):
        ag.draw(nn.cost(net, X[:1], [[0.5, 1]], "mean_squared_error"), fold=True, example=7)


def test_wires_of_gradients_before_backward() -> None:
    net = nn.two_layer_net(1, 1, rng=0)
    L = nn.cost(net, [[1.0]], [1])
    L.label = "L"
    sentences = [x.sentence for x in ag.draw(L, fold=True, wires="gradients").picture.arrows if x.role == "wire"]
    assert sentences == ["dL/dW₁₁^[1] = ?", "dL/dW₁₁^[2] = ?"]
    assert "= ?" in ag.draw(L, fold=True, wires="gradients").svg()


@pytest.mark.parametrize(
    "wrong",
    [{"precision": 3.0}, {"precision": True}, {"max_nodes": "a"}, {"max_nodes": 2.5}, {"fold": "yes"}, {"wires": "w"}],
)
def test_arguments_of_a_wrong_kind(J: Value, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"draw: {next(iter(wrong))} must be"):
        ag.draw(J, **wrong)


def test_a_neuron_of_which_the_sum_is_another_neuron() -> None:
    z = Value(0.5, "w") * Value(2.0, "x")
    z.label = "z_1^[1]"
    a = ag.sigmoid(z)
    a.label = "a_1^[2]"
    arrows = ag.draw(a * a, fold=True).picture.arrows
    assert next(x.weight for x in arrows if x.role == "wire") == 0.5


def test_kinds_of_boxes() -> None:
    L = ag.expression("z = w*x + b; L = (z - y)**2", w=1, x=2, b=0.5, y=1)
    kinds = {box.name: box.kind for box in picture_of(L).boxes}
    assert kinds == {"w": "parameter", "x": "data", "b": "parameter", "y": "data", "z": "result", "L": "output"}
    J = ag.expression("J = x*y", x=1, y=2)  # without weights x and y are what one asks for
    assert {box.name: box.kind for box in picture_of(J).boxes} == {"x": "parameter", "y": "parameter", "J": "output"}
    assert {box.kind for box in picture_of(Value(2.0) * Value(3.0, "a")).boxes} == {"data", "parameter", "output"}


# Files.


@pytest.fixture
def J() -> Value:
    J = ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=3, c=2)
    J.backward()
    return J


def test_json_has_the_exact_numbers(J: Value) -> None:
    data = json.loads(ag.draw(J).image("json"))
    assert {node["name"]: (node["value"], node["derivative"]) for node in data["nodes"]} == {
        "a": (5, 3), "b": (3, 6), "c": (2, 9), "u": (6, 3), "v": (11, 3), "J": (33, 1),
    }  # fmt: skip
    total = {node["id"]: 0.0 for node in data["nodes"]}
    slopes = {node["id"]: node["derivative"] for node in data["nodes"]}
    for edge in data["edges"]:
        total[edge["source"]] += slopes[edge["target"]] * edge["derivative"]
    assert all(total[x] == slopes[x] for x in total if total[x])
    thirds = json.loads(ag.draw(Value(1 / 3, "x") * math.inf).image("json"))
    assert thirds["nodes"][0]["value"] == 1 / 3
    assert thirds["nodes"][1]["value"] == "inf"


def test_mermaid_and_tikz(J: Value) -> None:
    lines = ag.draw(J).image("mmd").decode().splitlines()
    assert lines[1] == "flowchart LR"
    assert '  b3["<i>u</i> = <i>b</i><i>c</i><br/><b>6</b><br/>d<i>J</i>/d<i>u</i> = 3"]:::result' in lines
    assert '  b1 -->|"∂u/∂b = c = 2"| b3' in lines
    tex = ag.draw(J).image("tex").decode()
    assert r"{$\frac{\partial u}{\partial b}=c=\mathbf{2}$}" in tex
    assert r"\band{\mathrm{d}J/\mathrm{d}u = 3}" in tex


def test_nets_in_mermaid_and_tikz() -> None:
    net = nn.two_layer_net(2, 2, rng=0)
    C = nn.cost(net, [[0.5, 1.0]], [1])
    drawing = ag.draw(C, fold=True)
    assert drawing.image("mmd").decode().count(" ---|") == 6
    assert drawing.image("tex").decode().count("near end") == 6
    assert len(json.loads(drawing.image("json"))["edges"]) == 7


def test_a_wire_has_no_number_before_backward() -> None:
    net = nn.two_layer_net(2, 2, rng=0)
    drawing = ag.draw(nn.cost(net, [[0.5, 1.0]], [1]), fold=True, wires="gradients")
    assert " ---|" not in drawing.image("mmd").decode()
    tex = drawing.image("tex").decode()
    assert "near end" not in tex
    assert tex.count("draw=wirecolor") >= 6


def test_tikz_without_a_renderer(J: Value, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setitem(__import__("sys").modules, "pygraphviz", None)
    tex = ag.draw(J).image("tex").decode()
    places = re.findall(r"at \((\S+),(\S+)\)", tex)
    assert len(set(places)) == 6
    assert "node[midway,pill]" in tex


@pytest.mark.parametrize("label", HOSTILE)
def test_labels_are_shown_as_typed_in_every_format(label: str) -> None:
    y = Value(2.0, label) * Value(3.0, "w") + 1.0
    y.backward()
    drawing = ag.draw(y, legend=True)
    svg = drawing.svg()
    root = ET.fromstring(svg)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "path", "polygon", "polyline", "text", "a", "ellipse"}
    assert not any(name.startswith("on") for element in root.iter() for name in element.attrib)
    shown = "".join("".join(x.itertext()) for x in root.iter() if x.tag.endswith("}text")).replace("\xa0", " ")
    start = re.sub(r"[\x00-\x1f\ue000-\uf8ff\u202e]", "\ufffd", label)[:20]
    assert start in shown or label in ("x̂",)
    mermaid = drawing.image("mmd").decode()
    assert not re.search(r"<(?!/?(i|b|sub|sup)>|br/>)", mermaid)
    assert all(line.count('"') % 2 == 0 for line in mermaid.splitlines())
    assert json.loads(drawing.image("json"))["nodes"]
    assert "\x00" not in drawing.image("tex").decode()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="this machine has no LaTeX")
def test_latex_takes_it(J: Value, tmp_path: Path) -> None:
    for k, label in enumerate(HOSTILE):
        ag.draw(Value(2.0, label) * Value(3.0, "w")).render(tmp_path / f"{k}.tex")
        command = ["pdflatex", "-interaction=nonstopmode", f"{k}.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
        wrong = [line for line in done.stdout.splitlines() if line.startswith("!") and "Unicode character" not in line]
        assert wrong == [], label


def test_a_drawing_follows_a_change_of_renderer(J: Value) -> None:
    drawing = ag.draw(J)
    before = drawing.image("svg")
    ag.render_with(lambda source, format: b"<svg></svg>")
    try:
        assert drawing.image("svg") == b"<svg></svg>"
    finally:
        ag.render_with(None)
    assert drawing.image("svg") == before


def test_a_renderer_of_ones_own(J: Value) -> None:
    asked: list[str] = []

    def render(source: str, format: str) -> bytes:
        asked.append(format)
        if format == "png":
            raise ValueError("no png here")
        return b"<svg></svg>"

    ag.render_with(render)
    try:
        bundle, metadata = ag.draw(J)._repr_mimebundle_()
        assert set(bundle) == {"image/svg+xml", "text/plain"}
        assert metadata == {}
        assert asked == ["svg", "png"]
    finally:
        ag.render_with(None)
    with pytest.raises(TypeError, match="render_with: give a function"):
        ag.render_with("dot")  # type: ignore[arg-type]  # as a user might


def test_the_digraph_is_one_attribute_away(J: Value) -> None:
    drawing = ag.draw(J)
    drawing.graphviz.attr(bgcolor="white")
    assert "bgcolor=white" in drawing.source
    assert 'fill="white"' in drawing.svg()
    for name in ("node", "attr", "edge", "body", "graph_attr", "pipe"):
        with pytest.raises(AttributeError, match=rf"a Drawing has no '{name}'; draw\(J\).graphviz.{name}"):
            getattr(drawing, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = drawing.nothing  # type: ignore[attr-defined]
    assert str(drawing).startswith("<Computation graph of J: 6 boxes, 5 arrows; render(")


@pytest.mark.parametrize("theme", [*THEMES, "auto"])
def test_themes(J: Value, theme: str) -> None:
    svg = ag.draw(J, theme=theme, direction="both", legend=True).svg()
    ET.fromstring(svg)
    assert ("prefers-color-scheme" in svg) == (theme == "auto")
    with pytest.raises(ValueError, match="theme must be one of light, dark, grey, any, auto, not 'pink'"):
        ag.draw(J, theme="pink")


def test_marks(J: Value) -> None:
    v = J.parents[0]
    for mark in (v, "v", [v], ["v"]):
        assert [box.name for box in ag.draw(J, mark=mark).picture.boxes if box.marked] == ["v"]
    assert 'stroke="#a0149a" stroke-width="4"' in ag.draw(J, mark="v", theme="light").svg()
    with pytest.raises(ValueError, match="no node has the label 'q'"):
        ag.draw(J, mark="q")


def contrast(a: str, b: str) -> float:
    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    x, y = sorted((luminance(a), luminance(b)))
    return (y + 0.05) / (x + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_colours_can_be_read(name: str) -> None:
    theme = THEMES[name]
    for kind in (theme.parameter, theme.data, theme.result, theme.output):
        assert contrast(theme.ink, kind[0]) >= 4.5
        assert contrast(theme.value, kind[0]) >= 4.5
    assert contrast(theme.local, theme.local_fill) >= 4.5
    assert contrast(theme.on_gradient, theme.gradient) >= 4.5
    pages = ["#ffffff", "#14181f"] if name == "any" else [theme.page]
    for page in pages:
        for kind in (theme.parameter, theme.data, theme.result, theme.output):
            assert contrast(kind[1], page) >= 3.0, kind
        for line in (theme.line, theme.positive, theme.negative):
            assert contrast(line, page) >= 3.0, line


@pytest.mark.parametrize("name", ["light", "dark"])
def test_classes_have_different_colours_that_are_seen_on_the_page(name: str) -> None:
    theme = THEMES[name]
    colours = [getattr(theme, role) for role in CLASSES]
    assert len(set(colours)) == len(CLASSES)
    assert all(contrast(colour, theme.page) >= 3.0 for colour in colours)


# Layouts.


@pytest.mark.parametrize("family", [recurrence, horner, euler, rnn])
@pytest.mark.parametrize("n", [50, 200, 1000])
@pytest.mark.parametrize("copies", [True, False])
def test_plans_keep_layouts_short(family: Any, n: int, copies: bool) -> None:
    picture = picture_of(family(n), max_nodes=None, every=True)
    plan = plan_of(picture, copies)
    ids = {box.id for box in picture.boxes}
    assert {x for pair in plan.copied for x in pair} <= ids
    assert not plan.copied or copies
    if n == 50 and copies:
        assert not plan.attributes
    drawing = ag.Drawing(picture)
    drawn = set(re.findall(r"^\t(\w+) \[label", drawing.source, re.MULTILINE))
    for source, target in re.findall(r"^\t(\w+) -> (\w+)", drawing.source, re.MULTILINE):
        assert {source, target} <= drawn


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), max_size=60))
@settings(max_examples=examples(60))
def test_any_shape_has_a_plan(pairs: list[tuple[int, int]]) -> None:
    boxes = tuple(Box(f"n{i}", "result", f"t{i}", (), "") for i in range(62))
    arrows = tuple(Arrow(f"n{a}", f"n{a + b}", "forward") for a, b in pairs)
    plan = plan_of(Picture("", boxes, arrows, slopes="number"))
    assert isinstance(plan, Plan)
    assert plan.copied <= {(arrow.source, arrow.target) for arrow in arrows}


def test_svg_and_png_are_laid_out_once(J: Value, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograd_mini.pictures import render as room

    engines: list[str] = []
    run = room._run

    def counted(source: str, format: str, engine: str) -> bytes:
        engines.append(engine)
        return run(source, format, engine)

    monkeypatch.setattr(room, "_run", counted)
    drawing = ag.draw(J)
    drawing.svg()
    drawing.image("png")
    drawing.image("pdf")
    assert engines == ["dot", "nop2", "nop2", "nop2"]


def test_a_png_has_an_end() -> None:
    y = Value(1.0, "x")
    for k in range(150):
        y = y * 1.5
        y.label = f"y_{k}"
    png = ag.draw(y, max_nodes=None).image("png")
    assert int.from_bytes(png[16:20], "big") <= 6050
