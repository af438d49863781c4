"""Pictures: what is in them, on both ways to a renderer."""

from __future__ import annotations

import html
import os
import re
import shutil
import struct
import subprocess
import sys
import webbrowser
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter

import autograd_mini as ag
from autograd_mini import Value

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def J() -> Value:
    return ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=3, c=2)


@pytest.fixture(params=["the system's dot", "pygraphviz"])
def renderer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Render with each; without a dot program the first is skipped."""
    if request.param == "pygraphviz":
        monkeypatch.setattr(shutil, "which", lambda _: None)
    elif shutil.which("dot") is None:
        pytest.skip("this machine has no dot program")
    return request.param


def show(value: Value) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what IPython sends to a notebook."""
    shown: tuple[dict[str, Any], dict[str, Any]] = DisplayFormatter().format(value)  # type: ignore[no-untyped-call]  # IPython's
    return shown


def lines(group: ET.Element) -> list[str]:
    """Return the lines of text in a group: what stands at one height."""
    found: dict[str, str] = {}
    for text in group.iter(f"{SVG}text"):
        y = text.get("y") or ""
        found[y] = found.get(y, "") + "".join(text.itertext())
    return [line.replace("\xa0", " ").strip() for line in found.values()]


def boxes(svg: str) -> dict[str, list[str]]:
    """Return the lines of text in each box, by the name that stands before the first =."""
    groups = [g for g in ET.fromstring(svg).iter(f"{SVG}g") if g.get("class") == "node"]
    return {
        lines(g)[0].split(" = ")[0]: lines(g) for g in groups if not (g.findtext(f"{SVG}title") or "").count("_in_")
    }


def pills(svg: str) -> list[str]:
    """Return what stands on the arrows, a fraction as above, below and the rest."""
    groups = [g for g in ET.fromstring(svg).iter(f"{SVG}g") if g.get("class") == "node"]
    return ["|".join(sorted(lines(g))) for g in groups if (g.findtext(f"{SVG}title") or "").count("_in_")]


def test_svg_shows_values_and_derivatives(renderer: str, J: Value) -> None:
    J.backward()
    svg = ag.draw(J).svg()
    assert boxes(svg) == {
        "a": ["a", "5", "dJ/da = 3"],
        "b": ["b", "3", "dJ/db = 6"],
        "c": ["c", "2", "dJ/dc = 9"],
        "u": ["u = bc", "6", "dJ/du = 3"],
        "v": ["v = a + u", "11", "dJ/dv = 3"],
        "J": ["J = 3v", "33", "dJ/dJ = 1"],
    }
    assert sorted(pills(svg)) == ["= 1|∂a|∂v", "= 1|∂u|∂v", "= 3|∂J|∂v", "= b = 3|∂c|∂u", "= c = 2|∂b|∂u"]
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert root[0].text == "Computation graph of J"
    assert "J = 3v = 33, dJ/dJ = 1" in (root[1].text or "")
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))


def test_every_format(renderer: str, J: Value, tmp_path: Path) -> None:
    for suffix, start in [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("dot", b"digraph")]:
        path = ag.draw(J).render(tmp_path / f"J.{suffix}")
        assert path.read_bytes().startswith(start)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["J.dot", "J.pdf", "J.png", "J.svg"]
    assert ag.draw(J).render(tmp_path / "K", format="dot").name == "K"
    assert ag.draw(J).image("png").startswith(b"\x89PNG")
    with pytest.raises(IsADirectoryError, match="this is a folder"):
        ag.draw(J).render(tmp_path, format="dot")


def test_subscripts_and_superscripts_are_shifted_with_what_viewers_know(renderer: str) -> None:
    z = Value(0.5, "a1[2](3)") * Value(2.0, "W_{21}^[1]")
    svg = ag.draw(z).svg()
    assert "baseline-shift" not in svg
    assert svg.count('dy="-0.52em"') >= 4
    assert {"a1[2](3)", "W21[1]", "f"} == set(boxes(svg))


def test_before_backward_a_derivative_is_not_known(J: Value) -> None:
    assert "a = 5, dJ/da = ?" in ag.draw(J).description
    assert "= 0<" not in ag.draw(J).source


def test_the_same_graph_gives_the_same_bytes(J: Value) -> None:
    again = ag.expression("u = b*c; v = a + u; J = 3*v", a=5, b=3, c=2)
    assert ag.draw(J).source == ag.draw(again).source


def test_derivatives_are_of_the_output_that_is_drawn(J: Value) -> None:
    J.backward()
    J.backward()
    assert "dJ/da = 3" in ag.draw(J).description
    (v,) = J.parents
    u = v.parents[1]
    assert "b = 3, du/db = 2" in ag.draw(u).description


def test_repeated_parents_are_two_edges_and_order_is_kept() -> None:
    x, y = Value(2.0, "x"), Value(3.0, "y")
    assert [(a.source, a.target) for a in ag.draw(x * x, formulas=False).picture.arrows] == [("n0", "n1")] * 2
    assert len(re.findall(r"-> n1\b", ag.draw(x * x, formulas=False).source)) == 2
    assert [arrow.sentence for arrow in ag.draw(x * x).picture.arrows] == ["∂f/∂x = 2x = 4"]  # beside f = x²
    assert re.findall(r"(n\d)_in_n2_\d -> n2", ag.draw(y - x).source) == ["n0", "n1"]
    assert ag.draw(y - x).description.startswith("y = 3")


def test_signs_show_constants() -> None:
    x = Value(2.0, "x")
    for z, sign in [
        (x * 3, "× 3"),
        (3 - x, "3 −"),
        (x**2, "^ 2"),
        (2**x, "2 ^"),
        (-x, "−"),
        (x / -2, "÷ −2"),
        (ag.maximum(x, 0), "maximum(·, 0)"),
        (ag.where(x > 1, x, 0), "where(1, ·, 0)"),
        (x.tanh(), "tanh"),
    ]:
        assert f"\u2003{sign}</FONT>" in ag.draw(z, formulas=False).source


def test_precision() -> None:
    assert "3.1415927" in ag.draw(Value(3.14159265), precision=8).source
    assert "3.14<" in ag.draw(Value(3.14159265), precision=3).source


def test_labels_are_text_not_markup(renderer: str) -> None:
    label = '<b>&"x"</b> \\N\\G &lt; {a|b}'
    svg = ag.draw(Value(1.0, label) * 2).svg()
    root = ET.fromstring(svg)
    assert label in "".join(root[1].itertext())
    assert label in boxes(svg)
    assert html.escape("<b>") in svg
    titles = [e.get("{http://www.w3.org/1999/xlink}title") for e in root.iter() if e.tag == f"{SVG}a"]
    assert f"{label} = 1, df/d({label}) = ?" in titles
    assert f"∂f/∂({label}) = 2" in titles
    odd = ag.draw(Value(1.0, "x\x00\u202e\n" + "y" * 60)).svg()
    assert "x\ufffd\ufffd\ufffd" + "y" * 35 + "…" in odd


def test_a_large_graph_is_folded(renderer: str) -> None:
    x = y = Value(1.0, "x")
    for _ in range(300):
        y = ag.tanh(y * 1.1)
    picture = ag.draw(y, max_nodes=10)
    assert "588 of 598 boxes are not drawn" in picture.description
    svg = picture.svg()
    assert len(boxes(svg)) == 11
    assert f"{y.data:.4g}" in picture.source
    assert x.label not in boxes(svg)
    everything = ag.draw(y, max_nodes=None)
    assert "not drawn" not in everything.source
    assert everything.source.count(" -> ") == 597


def test_bad_arguments_are_refused(J: Value, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="draw: give a Value, not 3"):
        ag.draw(3)  # type: ignore[arg-type]  # as a user might
    with pytest.raises(ValueError, match="max_nodes must be at least 1, not 0"):
        ag.draw(J, max_nodes=0)
    with pytest.raises(ValueError, match="cannot draw the format 'gif'; there are: svg, png, pdf, dot"):
        ag.draw(J).render(tmp_path / "J.gif")
    with pytest.raises(FileNotFoundError, match=r"nowhere.J\.dot"):
        ag.draw(J).render(tmp_path / "nowhere" / "J.dot")
    with pytest.raises(ValueError, match="the file's name has no suffix; there are: svg"):
        ag.draw(J).render(tmp_path / "J")
    with pytest.raises(ValueError, match="precision must be a whole number from 1 to 17, not 'x'"):
        ag.draw(J, precision="x")  # type: ignore[arg-type]  # as a user might
    with pytest.raises(ValueError, match="rankdir must be one of LR, RL, TB, BT, not 'XX'"):
        ag.draw(J, rankdir="XX")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(J: Value, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "J.dot"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        ag.draw(J).render(path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("J.dot", "old")]


def test_jupyter_is_offered_svg_png_and_text(J: Value) -> None:
    J.backward()
    data, metadata = show(J)
    assert set(data) >= {"image/svg+xml", "image/png", "text/plain"}
    assert data["text/plain"] == repr(J)
    width, height = struct.unpack(">II", data["image/png"][16:24])
    scale = min(0.5, 848 / width)
    assert metadata["image/png"] == {"width": int(width * scale), "height": int(height * scale)}
    wide = Value(1.0)
    for _ in range(60):
        wide = -wide
    head = re.search(r'width="(\d+)pt"', ag.draw(wide)._repr_mimebundle_()[0]["image/svg+xml"])
    assert head is not None
    assert head[1] == "636"


def test_without_any_renderer_the_error_says_what_to_do(J: Value, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(ImportError, match=r'pip install "\.\[images\]"'):
        ag.draw(J).svg()
    assert ag.draw(J).image("dot").startswith(b"digraph")
    data, _ = show(J)
    assert data["text/plain"] == repr(J)


def test_pygraphviz_is_quiet(J: Value, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    ag.draw(J).image("png")
    assert capfd.readouterr() == ("", "")


def test_view_opens_a_file(J: Value, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    path = ag.draw(J).view()
    assert opened == [path.as_uri()]
    assert path.read_text().startswith("<?xml")


def test_import_is_lazy() -> None:
    code = "import sys, autograd_mini as ag; assert not {'graphviz', 'numpy', 'scipy'} & set(sys.modules); ag.draw"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_holds_what_its_name_says(tmp_path: Path) -> None:
    y = Value(2.0, "x") * 3
    assert ag.draw(y).save(tmp_path / "y.dot").read_text().startswith("digraph")
    with pytest.raises(ValueError, match="cannot draw the format 'jpg'"):
        ag.draw(y).save(tmp_path / "y.jpg")
    with pytest.raises(TypeError, match="save: name the file"):
        ag.draw(y).save()
    with pytest.raises(ValueError, match=r"y\.svg must end in \.html, because it is a page; draw\(J\)\.render"):
        ag.explore(y).save(tmp_path / "y.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["y.dot"]
