"""Build the lessons in the browser: `python docs/play/lite.py` writes `docs/_build/extra/lite/`, a JupyterLite.

The lessons without `compile` run there, after one cell that installs the package from the site itself and lets it draw
by viz-js. Matplotlib alone, with NumPy, comes from another server, Pyodide's distribution. So the lines of a cell that
need it have a cell of their own. Without a network, such a cell prints a sentence, and the lesson goes on.

The downloads are kept in `docs/_build/packages/`, as for the playground; see `build.py`.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from build import (
    NPM,
    PACKAGES,
    PLAY,
    ROOT,
    WHEELS,
    MissingError,
    arguments,
    built_wheel,
    command,
    fetched,
    fetched_wheel,
    unpack,
)

LITE = PLAY.parent / "lite"
PYODIDE = next(name for name in NPM if name.startswith("pyodide@"))
DISTRIBUTION = f"https://cdn.jsdelivr.net/pyodide/v{PYODIDE.partition('@')[2]}/full/"
JUPYTER = ("jupyterlite-core==0.8.6", "jupyterlite-pyodide-kernel==0.8.6", "jupyter-server==2.21.1")
# The wheels of PyPI that the kernel itself imports, in the versions of Pyodide's distribution, with their sha256.
KERNEL = {
    "asttokens==3.0.1": "15a3ebc0f43c2d0a50eeafea25e19046c68398e487b9f1f5b517f7c0f40f976a",
    "decorator==5.2.1": "d316bb415a2d9e2d2b3abcc4084c6502fc09240e292cd76a76afc106a1c8e04a",
    "executing==2.2.1": "760643d3452b4d777d295bb167ccc74c64a81df23fb5e08eff250c425a4b2017",
    "ipython==9.12.0": "0f2701e8ee86e117e37f50563205d36feaa259d2e08d4a6bc6b6d74b18ce128d",
    "jedi==0.19.2": "a8ef22bde8490f57fe5c7681a3c83cb58874daf72b4784de3cce5b6ef6edb5b9",
    "matplotlib-inline==0.2.1": "d56ce5156ba6085e00a9d54fead6ed29a9c47e215cd1bba2e976ef39f5710a76",
    "micropip==0.11.1": "768de165adb8e66906039d8fec4127a57f522dfdf8e6fbff877a4616941ecfd3",
    "packaging==26.1": "5d9c0669c6285e491e0ced2eee587eaf67b670d94a19e94e3984a481aba6802f",
    "parso==0.8.6": "2c549f800b70a5c4952197248825584cb00f033b29c692671d3bf08bf380baff",
    "prompt-toolkit==3.0.52": "9aac639a3bbd33284347de5ad8d68ecc044b91a762dc39b7c21095fcd6a19955",
    "pure-eval==0.2.3": "1db8e35b67b3d218d818ae653e27f06c3aa420901fa7b081ca98cbedc874e0d0",
    "pygments==2.20.0": "81a9e26dd42fd28a23a2d169d86d7ac03b46e2f8b59ed4698fb4785f946d0176",
    "six==1.17.0": "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
    "stack-data==0.6.3": "d5558e0c25a4cb0853cddad3d77da9891a08cb85dd9f9f91b9f8cd66e511e695",
    "traitlets==5.14.3": "b74e89e397b1ed28cc831db7aea759ba6640cb3de13090ca145426688ff1ac4f",
    "wcwidth==0.6.0": "1a3a1e510b553315f8e146c54764f4fb6264ffad731b3d78088cdb1478ffbdad",
}
ASKED = {"comm==0.2.3": "c615d91d75f7f04f095b30d1c1711babd43bdc6419c1be9886a85f2f4e489417"}  # of PyPI by the kernel
FURTHER = "matplotlib"  # of the distribution, with all that it needs

LINK = re.compile(r"\[([^]]+)\]\(([^)]+\.(?:ipynb|md))\)")
MATPLOTLIB = re.compile(r"^import matplotlib.*\n+", re.MULTILINE)
NEEDS = re.compile(r"^(?=\S).*\b(?:plt\.|nn\.recover_formulas\()", re.MULTILINE)  # lines with Matplotlib or NumPy
MARK = "%%with_matplotlib\n"  # the first line of a cell that begins with such a line

SETUP = """\
# Only the copy in the browser has this cell: it installs the package, and draws by Graphviz in the page.
import js, piplite
from pyodide.code import run_js
from pyodide.ffi import to_js

await piplite.install("autograd_mini")
import autograd_mini as ag

site = js.location.href.split("/extensions/")[0]
graphviz = await run_js(f'import("{site}/viz.js").then(module => module.instance())')


def picture(source, format):
    if format != "svg":
        raise ValueError(f"this page draws svg, not {format}")
    options = to_js({"format": format, "engine": "dot"}, dict_converter=js.Object.fromEntries)
    return graphviz.renderString(source, options).encode()


ag.render_with(picture)
"""
MAGIC = """
from IPython import get_ipython
from IPython.core.magic import register_cell_magic


@register_cell_magic
def with_matplotlib(line, cell):
    if "plt" in globals():
        get_ipython().run_cell(cell)
    else:
        print("This cell needs Matplotlib, which is not loaded. Go on with the next cell.")
"""
LOADING = """\
# This cell loads Matplotlib and NumPy from cdn.jsdelivr.net. Without a network, the cells that begin with
# %%with_matplotlib are left out, and all others run.
import importlib
import pyodide_js

try:
    await pyodide_js.loadPackage("matplotlib")
    plt = importlib.import_module("matplotlib.pyplot")
except Exception:
    print("Matplotlib cannot be loaded: is there a network? The lesson goes on without the cells that need it.")"""


def main() -> int:
    """Build, and print the size."""
    given = arguments("Build the lessons in the browser, which become part of the site.", LITE)
    try:
        build(given.to, given.wheel, given.offline)
    except MissingError as error:
        print(f"no lessons in the browser: {error}", file=sys.stderr)
        return 1
    print(f"{sum(path.stat().st_size for path in given.to.rglob('*') if path.is_file()):,} bytes")
    return 0


def build(to: Path, wheel: Path | None = None, offline: bool = False) -> None:
    """Write the folder from nothing."""
    jupyter = jupyter_with_lite(offline)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        write_python(source / "static" / "pyodide", offline)
        (source / "pypi").mkdir()
        for path in [
            *(fetched_wheel(name, sha, offline) for name, sha in {**WHEELS, **ASKED}.items()),
            wheel or built_wheel(),
        ]:
            shutil.copy(path, source / "pypi")
        (source / "files").mkdir()
        for path in lessons():
            (source / "files" / path.name).write_text(json.dumps(prepared(json.loads(path.read_text()))))
        (source / "jupyter-lite.json").write_text(json.dumps(settings()))
        shutil.rmtree(to, ignore_errors=True)
        command([str(jupyter), "lite", "build", "--contents", "files", "--output-dir", str(to)], source)
    archive = "@viz-js/viz@3.31.0"
    unpack(fetched(archive, NPM[archive][0], offline), NPM[archive][1], to)
    for path in to.rglob("*.map"):  # for the debuggers of JupyterLab's authors, half of all bytes
        path.unlink()


def jupyter_with_lite(offline: bool) -> Path:
    """Return the `jupyter` command of an environment that has JupyterLite."""
    folder = PACKAGES / "-".join(["lite", *(name.partition("==")[2] for name in JUPYTER)])
    jupyter = folder / "bin" / "jupyter"
    if not jupyter.exists():
        if offline:
            raise MissingError(f"{folder.name} is not in {PACKAGES}")
        venv.create(folder, with_pip=True, clear=True)
        command([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *JUPYTER], ROOT)
    return jupyter


def write_python(to: Path, offline: bool) -> None:
    """Write Pyodide, the kernel's wheels and the list of both, in which Matplotlib's wheels have Pyodide's address."""
    sha, files = NPM[PYODIDE]
    unpack(fetched(PYODIDE, sha, offline), {name: Path(target).name for name, target in files.items()}, to)
    path = to / "pyodide-lock.json"
    lock = json.loads(path.read_text())
    known, kept = lock["packages"], {}
    for pinned, sha in KERNEL.items():
        wheel = fetched_wheel(pinned, sha, offline)
        shutil.copy(wheel, to / wheel.name)
        name = pinned.partition("==")[0]
        kept[name] = {**known[name], "file_name": wheel.name, "sha256": sha}
    todo = [FURTHER]
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name not in kept:
            kept[name] = {**known[name], "file_name": DISTRIBUTION + known[name]["file_name"]}
            todo += known[name]["depends"]
    path.write_text(json.dumps({**lock, "packages": kept}))


def lessons() -> list[Path]:
    """Return the notebooks that neither import NumPy nor call `compile`."""
    return [
        path
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
        if not any(word in code_of(path) for word in ("import numpy", "compile("))
    ]


def code_of(path: Path) -> str:
    """Return all code of a notebook."""
    cells = json.loads(path.read_text())["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def prepared(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook for the browser's Python, with the cell that installs the package before the others."""
    setup = {"cell_type": "code", "id": "setup-of-the-browser", "execution_count": None, "outputs": []}
    setup |= {"metadata": {"jupyter": {"source_hidden": True}}, "source": SETUP + MAGIC.rstrip()}
    cells = [part for cell in notebook["cells"] for part in (parted if cell["cell_type"] == "code" else linked)(cell)]
    kernel = {"name": "python", "display_name": "Python (Pyodide)", "language": "python"}
    metadata = {**notebook["metadata"], "kernelspec": kernel}
    return {**notebook, "metadata": metadata, "cells": [setup, *cells]}


def parted(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of a cell of code: the lines that compute, and the lines from the first one that draws.

    If the cell imports Matplotlib, a part between them loads it.
    """
    source = "".join(cell["source"])
    rest = MATPLOTLIB.sub("", source)
    found = NEEDS.search(rest)
    place = found.start() if found else len(rest)
    texts = {"": rest[:place], "-loaded": LOADING * (rest != source), "-drawn": MARK * bool(found) + rest[place:]}
    parts = [{**cell, "source": text.strip(), "id": cell["id"] + end} for end, text in texts.items() if text.strip()]
    with_outputs = parts[-1] if found else parts[0]  # the part with the last line
    return [part if part is with_outputs else {**part, "outputs": []} for part in parts]


def linked(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a cell of text without the links to lessons and pages that are not here."""
    here = {path.name for path in lessons()}
    text = "".join(cell["source"])
    return [{**cell, "source": LINK.sub(lambda link: link[link[2] not in here], text)}]


def settings() -> dict[str, Any]:
    """Return JupyterLite's settings: nothing is asked of PyPI."""
    kernel = {"@jupyterlite/pyodide-kernel-extension:kernel": {"disablePyPIFallback": True}}
    return {
        "jupyter-lite-schema-version": 0,
        "jupyter-config-data": {"appName": "autograd_mini's lessons", "litePluginSettings": kernel},
    }


if __name__ == "__main__":
    sys.exit(main())
