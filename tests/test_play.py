"""The playground in a browser that has no network once the page is loaded, and the script that builds it.

`PLAY_SITE` names the folder of a built site; without it the playground is built from the tree, if its packages were
downloaded before.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import pytest

import autograd_mini as ag

ROOT = Path(__file__).parent.parent
PLAY = ROOT / "docs" / "play"
HOSTILE = "<script>hacked()</script><img src=x onerror=hacked()>"
PATIENCE = 40_000  # milliseconds, for a first start on a busy machine
CONTROLLED = """() => new Promise(done => navigator.serviceWorker.controller ? done()
    : navigator.serviceWorker.addEventListener("controllerchange", () => done()))"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def module(name: str) -> ModuleType:
    """Import a script of the playground."""
    spec = importlib.util.spec_from_file_location(f"play_{name}", PLAY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a site that has the playground."""
    if given := os.environ.get("PLAY_SITE"):
        return Path(given)
    if not PLAY.exists():
        pytest.skip("the playground is not in this copy")
    to = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(PLAY / "build.py"), "--offline", "--to", str(to / "play")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{done.stderr.strip()}; `python docs/play/build.py` brings it")
    return to


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Serve the site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


Opener = Callable[..., Any]


@pytest.fixture(scope="module")
def opened(browser: Any, address: str) -> Iterator[Opener]:
    """Open the playground, and switch the network off when it is loaded; no request may leave for another host."""
    requests: list[str] = []
    contexts = []

    def open_page(fragment: str = "", **how: Any) -> Any:
        context = browser.new_context(**{"reduced_motion": "reduce", **how})
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{address}play/index.html{fragment}")
        page.wait_for_selector("body[data-ready]", timeout=PATIENCE)
        page.evaluate(CONTROLLED)
        context.set_offline(True)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []


@pytest.fixture(scope="module")
def page(opened: Opener) -> Any:
    """Return one page for the tests that do not mind what came before."""
    page = opened()
    page.wait_for_selector("body[data-shown]", timeout=PATIENCE)
    return page


def after(page: Any, act: Callable[[], Any], what: str = "shown") -> None:
    """Act, and wait until the page has shown an answer to it, or has run its cell."""
    before = page.get_attribute("body", f"data-{what}")
    act()
    page.wait_for_selector(f"body:not([data-{what}='{before}'])", timeout=PATIENCE)


def example(page: Any, name: str) -> None:
    after(page, lambda: page.select_option("#example", name))


def tab(page: Any, name: str) -> str:
    """Open a view, and return its text."""
    if page.get_attribute(f"[data-tab={name}]", "aria-selected") != "true":
        after(page, lambda: page.click(f"[data-tab={name}]"))
    return str(page.text_content("#view"))


def run(page: Any, code: str) -> None:
    if page.get_attribute("#as-cell", "aria-pressed") != "true":
        page.click("#as-cell")
    page.fill("#cell", code)
    after(page, lambda: page.click("#run"), "ran")


def explorer(page: Any) -> Any:
    """Return the page in the frame, once it is there."""
    frame = page.frame_locator("#view iframe").frame_locator("iframe")
    frame.locator("#said").wait_for()
    return frame


# An expression.


def test_the_picture_follows_each_key_and_stays_while_the_text_is_not_whole(page: Any) -> None:
    example(page, "J")
    tab(page, "picture")
    assert "J = 3v = 33" in page.text_content("#view .sr")
    page.click("#numbers")
    page.keyboard.press("Control+End")
    page.keyboard.press("Backspace")  # `c=` has no number
    page.wait_for_selector("#error:not([hidden])")
    assert "dJ/dc = 9" in page.text_content("#view .sr")
    after(page, lambda: page.keyboard.type("7"))
    assert page.is_hidden("#error")
    assert "dJ/db = 21" in page.text_content("#view .sr")


def test_an_error_stands_below_the_text_with_a_caret(page: Any) -> None:
    example(page, "J")
    page.fill("#expression", "J = 3*(a + b*c")
    page.wait_for_selector("#error:not([hidden])")
    assert page.text_content("#error") == "'(' was never closed\n  J = 3*(a + b*c\n        ^"
    assert page.get_attribute("#expression", "aria-invalid") == "true"
    after(page, lambda: page.fill("#expression", "J = 3*(a + b*c)"))
    assert page.is_hidden("#error")


def test_a_missing_number_is_given_and_one_too_many_is_taken_away(page: Any) -> None:
    example(page, "J")
    page.fill("#expression", "J = a*d")
    page.wait_for_selector("#error:not([hidden])")
    assert page.text_content("#give") == "Give d = 1"
    page.click("#give")
    page.wait_for_selector("#give:has-text('Take b, c away')")
    after(page, lambda: page.click("#give"))
    assert page.input_value("#numbers").split() == ["a=5", "d=1"]
    assert page.is_hidden("#error")


VIEWS = {
    "derivation": "dJdb",
    "tables": "Backward",
    "paths": "sum of all products = dJ/db = 6",
    "blame": "finite and not 0",
    "program": "J = 3 * v",
}


@pytest.mark.parametrize(("name", "words"), VIEWS.items())
def test_views(page: Any, name: str, words: str) -> None:
    example(page, "J")
    text = tab(page, name)
    if name in ("paths", "blame"):
        after(page, lambda: page.select_option("#wrt", "b"))
        text = page.text_content("#view")
    assert words in text
    assert page.locator("#view .katex-error").count() == 0


def test_the_graph_of_a_derivative(page: Any) -> None:
    example(page, "shared")
    tab(page, "slope")
    assert "= 114" in page.text_content("#view .sr")


def test_the_explorer_steps_and_the_quiz_is_answered(page: Any) -> None:
    example(page, "J")
    tab(page, "explore")
    frame = explorer(page)
    for _ in range(3):
        frame.locator("text=Next").click()
    frame.locator("#said", has_text="33").wait_for()
    tab(page, "quiz")
    frame = explorer(page)
    frame.locator("#answer").fill("u")
    frame.locator("#form [type=submit]").click()
    frame.locator("#verdict.right").wait_for()


@pytest.mark.parametrize("name", ["neuron", "logistic", "net", "softmax", "shared", "vanishing", "newton", "doublings"])
def test_examples(page: Any, name: str) -> None:
    example(page, name)
    page.wait_for_selector("#view :is(svg, pre)")
    assert page.locator(".error:visible").count() == 0
    if name == "doublings":
        assert "about 2^50 paths" in page.text_content("#view")
    if name == "vanishing":
        assert "vanishing" in page.text_content("#view")


# Links and copies.


def test_a_link_holds_the_state(page: Any, opened: Opener) -> None:
    example(page, "shared")
    fragment = page.evaluate("location.hash")
    other = opened(fragment)
    other.wait_for_selector("body[data-shown]", timeout=PATIENCE)
    assert other.input_value("#expression") == "s = x*x\ny = s*s + s"
    assert other.get_attribute("[data-tab=paths]", "aria-selected") == "true"
    assert "6 paths from y to x" in other.text_content("#view")
    after(other, lambda: other.evaluate("location.hash = '#e=y+%3D+x*x&n=x%3D4'"))
    assert "dy/dx = 8" in other.text_content("#view .sr")


@pytest.mark.parametrize(
    "parts",
    [
        {"e": HOSTILE, "n": HOSTILE, "tab": HOSTILE, "wrt": HOSTILE},
        {"e": "J = a*b", "n": "a=1 b=2", "wrt": HOSTILE, "tab": "blame"},
        {"x": HOSTILE},
        {"x": "constructor"},
        {"code": f"{HOSTILE}\nimport js"},
    ],
)
def test_a_hostile_link_does_nothing(opened: Opener, parts: dict[str, str]) -> None:
    page = opened(f"#{urlencode(parts)}")
    hacked: list[str] = []
    page.on("console", lambda message: hacked.append(message.text))
    page.on("dialog", lambda dialog: hacked.append(dialog.message) or dialog.dismiss())  # type: ignore[func-returns-value]
    if "code" in parts:
        assert page.input_value("#cell") == parts["code"]
        assert page.is_visible("#from-link")
        page.wait_for_timeout(300)
        assert page.get_attribute("body", "data-ran") is None
        assert page.text_content("#status") == ""
    else:
        page.wait_for_selector("#error:not([hidden]), body[data-shown]", state="attached")
    assert page.locator("main script, main [onerror], #view img").count() == 0
    assert hacked == []
    page.context.close()


def test_hostile_labels_are_text(page: Any) -> None:
    run(page, f"x = ag.Value(2, {HOSTILE!r})\ny = x * x\ny.label = {HOSTILE!r}\ny.backward()\ny")
    page.wait_for_selector("#results:not([hidden])")
    for name in ("picture", "derivation", "tables", "paths", "blame", "slope", "program"):
        tab(page, name)
        assert page.locator("#view :is(script, img, [onerror])").count() == 0, name
        assert "hacked" in page.text_content("#view"), name
    tab(page, "explore")
    assert explorer(page).locator("[onerror]").count() == 0
    tab(page, "picture")


def test_copies(opened: Opener) -> None:
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    page.wait_for_selector("body[data-shown]", timeout=PATIENCE)
    expected = {
        "link": "#e=u+%3D+b*c",
        "markdown": "**Derivations**",
        "latex": r"\begin{aligned}",
        "python": 'J = ag.expression("u = b*c\\nv = a + u\\nJ = 3*v", a=5.0, b=3.0, c=2.0)',
        "mmd": "flowchart",
    }
    for kind, words in expected.items():
        page.evaluate("document.getElementById('status').textContent = ''")
        page.click(f"[data-copy={kind}]")
        page.wait_for_selector("#status:has-text('Copied')")
        assert words in page.evaluate("navigator.clipboard.readText()"), kind
    run(page, "ag.expression('y = x*x', x=3)")
    page.click("[data-copy=python]")
    page.wait_for_selector("#status:has-text('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == page.input_value("#cell")
    for kind, beginning in {"svg": b"<?xml", "png": b"\x89PNG"}.items():
        with page.expect_download() as download:
            page.click(f"[data-save={kind}]")
        path = download.value.path()
        assert path.read_bytes().startswith(beginning)
        assert download.value.suggested_filename == f"graph.{kind}"
    page.context.close()


# The cell.


def test_a_cell_prints_and_shows_its_last_value(page: Any) -> None:
    example(page, "J")
    tab(page, "picture")
    run(page, "x = ag.Value(3, 'x')\ny = x**2\ny.label = 'y'\ny.backward()\nprint('slope', x.grad)\ny")
    assert page.text_content("#printed") == "slope 6.0\n"
    page.wait_for_selector("#results:not([hidden])")
    assert "dy/dx = 6" in page.text_content("#view .sr")
    run(page, "ag.explain(ag.expression('y = x*x', x=3), 'x')")
    assert page.locator("#value .katex").count() == 1
    run(page, "ag.quiz(ag.expression('y = x*x', x=3))")
    page.frame_locator("#value iframe").frame_locator("iframe").locator("#ask").wait_for()
    run(page, "1 + 1")
    assert page.text_content("#value") == "2"


def test_an_error_of_a_cell_is_shown_whole(page: Any) -> None:
    run(page, "def f(x):\n    return ag.log(x)\n\nf(ag.Value(-1.0, 'a'))")
    error = page.text_content("#cell-error")
    assert error.startswith('Traceback (most recent call last):\n  File "<cell>", line 4, in <module>')
    assert "math domain error in log(a=-1.0)" in error


def test_deep_chains_are_freed(page: Any) -> None:
    run(page, "y = ag.Value(1.0)\nfor _ in range(100_000):\n    y = y + 1.0\ndel y\n'freed'")
    assert page.text_content("#value") == "'freed'"
    run(page, "y = ag.Value(1.0)\nfor _ in range(20_000):\n    y = -y\ny")
    page.wait_for_selector("#view .error")
    assert "20,001 nodes" in page.text_content("#view .error")


def test_a_picture_in_the_midst_of_a_cell(page: Any) -> None:
    run(page, "svg = ag.draw(ag.expression('y = x*x', x=3)).svg()\nprint(svg.count('<svg'))")
    assert page.text_content("#printed") == "1\n"


def test_names_are_completed(page: Any) -> None:
    page.click("#as-cell")
    page.fill("#cell", "")
    page.click("#cell")
    page.keyboard.type("y = ag.softm")
    page.wait_for_selector("#names:not([hidden])")
    assert page.text_content("#names [aria-selected=true]") == "softmax"
    page.keyboard.press("Enter")
    assert page.input_value("#cell") == "y = ag.softmax"
    assert page.is_hidden("#names")


def test_stop_ends_a_cell_and_python_starts_again(page: Any) -> None:
    page.click("#as-cell")
    page.fill("#cell", "while True:\n    pass")
    page.click("#run")
    after(page, lambda: page.click("#stop"), "ran")
    assert "Stopped" in page.text_content("#status")
    run(page, "2 + 2")
    assert page.text_content("#value") == "4"


def test_a_text_that_ends_the_interpreter_is_said_to(opened: Opener) -> None:
    page = opened()
    page.fill("#numbers", "x=1")
    page.fill("#expression", "y = " + "(" * 300 + "x" + ")" * 300)
    page.wait_for_selector("#error:has-text('starts again')", timeout=PATIENCE)
    after(page, lambda: page.fill("#expression", "y = x*x"))
    assert page.is_hidden("#error")
    page.context.close()


# The page.


def test_a_second_visit_needs_no_network(opened: Opener) -> None:
    page = opened()
    page.wait_for_selector("body[data-shown]", timeout=PATIENCE)
    page.reload()
    page.wait_for_selector("body[data-shown]", timeout=PATIENCE)
    assert page.locator("#view svg").count() == 1
    page.context.close()


def test_without_webassembly_the_page_says_so(browser: Any, address: str) -> None:
    context = browser.new_context()
    context.add_init_script("delete globalThis.WebAssembly")
    page = context.new_page()
    page.goto(f"{address}play/index.html")
    assert "no WebAssembly" in page.text_content("#blocked-why")
    assert page.is_hidden("#work")
    context.close()


def test_a_wheel_that_was_changed_is_refused(browser: Any, address: str) -> None:
    context = browser.new_context(service_workers="block")
    context.route("**/tqdm*.whl", lambda route: route.fulfill(body=b"something else"))
    page = context.new_page()
    page.goto(f"{address}play/index.html")
    page.wait_for_selector("#blocked:not([hidden])", timeout=PATIENCE)
    assert "has the hash" in page.text_content("#blocked-why")
    context.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(page: Any, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    for name in ("J", "net"):
        example(page, name)
        for view in ("picture", "tables", "explore"):
            tab(page, view)
            assert page.evaluate("document.documentElement.scrollWidth") == width, (name, view)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    tab(page, "picture")
    page.set_viewport_size({"width": 1280, "height": 844})


def test_the_keyboard_alone(page: Any) -> None:
    example(page, "J")
    page.focus("[data-tab=picture]")
    after(page, lambda: page.keyboard.press("ArrowRight"))
    assert page.evaluate("document.activeElement.dataset.tab") == "derivation"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "wrt"
    page.click("#as-cell")
    page.fill("#cell", "6 * 7")
    page.focus("#cell")
    after(page, lambda: page.keyboard.press("Control+Enter"), "ran")
    assert page.text_content("#value") == "42"


def test_every_control_has_a_name(page: Any) -> None:
    unnamed = page.evaluate(
        """[...document.querySelectorAll("button, select, textarea, iframe, progress, [role]")]
        .filter(x => x.checkVisibility())
        .filter(x => !x.textContent.trim() && !x.labels?.length && !x.ariaLabel && !x.title && x.id !== "status")
        .map(x => x.outerHTML)"""
    )
    assert unnamed == []
    assert page.get_attribute("#status", "role") == "status"


# The site around it.


def test_the_front_page_explores(browser: Any, site: Path, address: str) -> None:
    if not (site / "index.html").exists():
        pytest.skip("the site was not built around the playground")
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}index.html")
    frame = page.frame_locator("article iframe")
    frame.locator("text=Next").click()
    frame.locator("#said", has_text="u = bc").wait_for()
    frame.locator("[data-how=quiz]").click()
    frame.locator("#answer").fill("u")
    frame.locator("#answer").press("Enter")
    frame.locator("#verdict.right").wait_for()
    context.close()


@pytest.mark.parametrize("name", ["start", "concepts"])
def test_the_blocks_of_the_site_run_in_the_playground(browser: Any, site: Path, address: str, name: str) -> None:
    if not (site / "index.html").exists():
        pytest.skip("the site was not built around the playground")
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}{name}.html")
    links = page.locator("a.try")
    assert links.count() > 8
    link = links.last.get_attribute("href")
    page.goto(link)
    assert page.is_visible("#from-link")
    after(page, lambda: page.click("#run"), "ran")
    assert page.is_hidden("#cell-error"), page.text_content("#cell-error")
    context.close()


# The build, without a browser.


@pytest.fixture(scope="module")
def build() -> ModuleType:
    if not PLAY.exists():
        pytest.skip("the playground is not in this copy")
    return module("build")


def test_a_changed_package_is_refused(build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PACKAGES", tmp_path)
    (tmp_path / "katex-0.19.1.tgz").write_bytes(b"something else")
    (tmp_path / "tqdm-4.70.1-py3-none-any.whl").write_bytes(b"something else")
    with pytest.raises(build.MissingError, match="has the hash"):
        build.fetched("katex@0.19.1", build.NPM["katex@0.19.1"][0], offline=True)
    with pytest.raises(build.MissingError, match="has the hash"):
        build.fetched_wheel("tqdm==4.70.1", build.WHEELS["tqdm==4.70.1"], offline=True)
    with pytest.raises(build.MissingError, match=r"viz-js-viz-3\.31\.0\.tgz is not in"):
        build.fetched("@viz-js/viz@3.31.0", "", offline=True)


def test_the_page_has_the_wheel_that_was_built(site: Path) -> None:
    files = json.loads((site / "play" / "manifest.json").read_text())["files"]
    wheels = [name for name in files if name.endswith(".whl")]
    assert [Path(name).name.split("-")[0] for name in wheels] == ["autograd_mini", "graphviz", "tqdm"]
    assert all(name.endswith("-py3-none-any.whl") for name in wheels)
    for name in files:
        assert hashlib.sha256((site / "play" / name).read_bytes()).hexdigest() == files[name]["sha256"]


@pytest.mark.usefixtures("build")
def test_the_lessons_of_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that compute need no Matplotlib, nothing is lost, and no link leads to a lesson that is not there.

    Without Matplotlib and NumPy, a lesson still runs from its first cell to its last: here the two quickest that draw.
    """
    monkeypatch.syspath_prepend(str(PLAY))
    lite = module("lite")
    here = [path.name for path in lite.lessons()]
    assert FIRST in here
    for name in here:
        notebook = json.loads((ROOT / "notebooks" / name).read_text())
        cells = lite.prepared(notebook)["cells"]
        assert len({cell["id"] for cell in cells}) == len(cells)
        parts = [cell["source"] for cell in cells[1:] if cell["cell_type"] == "code"]
        if name in QUICK:
            runs_without_matplotlib(lite.MAGIC, parts)
        parts = ["import matplotlib.pyplot as plt" if part == lite.LOADING else part for part in parts]
        marked = [part.startswith(lite.MARK) for part in parts]
        parts = [part.removeprefix(lite.MARK) for part in parts]
        wholes = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert sorted(filter(None, "\n".join(parts).split("\n"))) == sorted(filter(None, "\n".join(wholes).split("\n")))
        for part, is_marked in zip(parts, marked, strict=True):
            lines = [ast.unparse(line) for line in ast.parse(part).body]
            assert is_marked == any(re.search(r"\bplt\.|recover_formulas", line) for line in lines)
            assert not is_marked or re.search(r"\bplt\.|recover_formulas", lines[0])
        outputs = [cell["outputs"] for cell in notebook["cells"] if cell.get("outputs")]
        assert [cell["outputs"] for cell in cells if cell.get("outputs")] == outputs
        texts = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        assert set(re.findall(r"\(([^()]+\.(?:ipynb|md))\)", texts)) <= set(here)


def runs_without_matplotlib(magic: str, parts: list[str]) -> None:
    """Run the cells of a lesson where neither Matplotlib nor NumPy can be imported. No cell may raise an error."""
    code = f"""
import sys
from IPython.core.interactiveshell import InteractiveShell
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("matplotlib", "numpy"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
sys.modules["pyodide_js"] = "loads nothing"
shell = InteractiveShell.instance()
for part in {[magic, *parts]!r}:
    shell.run_cell(part).raise_error()
"""
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sentence = "This cell needs Matplotlib, which is not loaded."
    assert done.stdout.count(sentence) == sum(part.startswith("%%with_matplotlib") for part in parts)


@pytest.mark.usefixtures("build")
def test_requests_without_a_browser() -> None:
    try:
        play = module("play")
        play.begin()
        answer = json.loads(play.call("compute", json.dumps(["J = a*b", "a=2, b = pi/4"])))
        assert answer["result"]["names"] == ["a", "b"]
        wanted = json.loads(play.call("show", json.dumps(["picture", "", False])))["wanted"]
        play.keep(wanted, '<svg width="1pt" height="1pt"></svg>')
        assert "svg" in json.loads(play.call("show", json.dumps(["picture", "", False])))["result"]
        error = json.loads(play.call("show", json.dumps(["paths", "nobody", False])))["error"]
        assert error == "no node has the name 'nobody'; there are a, b, J"
        assert "KeyError" in json.loads(play.call("nothing", "[]"))["error"]
    finally:
        ag.render_with(None)


# The lessons in JupyterLite.

CELLS = """() => [...document.querySelectorAll(".jp-CodeCell")].map(cell => [
    cell.querySelector(".jp-InputPrompt").textContent,
    cell.querySelectorAll("[data-mime-type='image/svg+xml'] svg, [data-mime-type='image/svg+xml'] img").length,
    cell.querySelector("[data-mime-type='application/vnd.jupyter.stderr']")?.textContent ?? ""])"""
# The first cell is folded, and a folded cell shows no number.
RAN = f"() => ({CELLS})().every(([prompt]) => /^$|\\d/.test(prompt)) && document.querySelector('.jp-CodeCell')"
FIRST = "01-computation-graph.ipynb"
QUICK = ("02-one-neuron.ipynb", "06-when-gradients-go-wrong.ipynb")


def test_a_lesson_runs_in_jupyterlite(browser: Any, address: str, site: Path) -> None:
    if not (site / "lite").exists():
        pytest.skip("no JupyterLite: `python docs/play/lite.py` builds it")
    source = json.loads((ROOT / "notebooks" / FIRST).read_text())["cells"]
    drawn = [any("image/svg+xml" in output.get("data", {}) for output in cell.get("outputs", [])) for cell in source]
    context = browser.new_context(viewport={"width": 1280, "height": 20_000})  # all cells are on the page
    requests: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{address}lite/notebooks/index.html?path={FIRST}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=2 * PATIENCE)
    page.click("text=Run >> nth=0")
    page.click(".lm-Menu >> text=Run All Cells")
    page.wait_for_function(RAN, timeout=4 * PATIENCE)
    cells = page.evaluate(CELLS)
    context.close()
    assert len(cells) == 1 + sum(cell["cell_type"] == "code" for cell in source)
    assert [error for _, _, error in cells if error] == []
    assert sum(pictures > 0 for _, pictures, _ in cells) == sum(drawn)
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []
