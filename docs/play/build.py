"""Build the playground: `python docs/play/build.py` writes `docs/_build/extra/play/`, which the site takes along.

The folder has this folder's pages and scripts, CPython for WebAssembly (Pyodide), Graphviz (viz-js) and KaTeX from npm,
and the wheels of the package, graphviz and tqdm. The downloads are kept in `docs/_build/packages/` and compared
with the hashes below. The second build needs no network.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGES = HERE.parent / "_build" / "packages"
PLAY = HERE.parent / "_build" / "extra" / "play"

# From npm: the archive's hash as npm gives it, and which files become which.
NPM = {
    "pyodide@314.0.7": (
        "sha512-0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A==",
        {
            r"pyodide\.mjs": "pyodide/pyodide.mjs",
            r"pyodide\.asm\.(mjs|wasm)": r"pyodide/pyodide.asm.\1",
            r"python_stdlib\.zip": "pyodide/python_stdlib.zip",
            r"pyodide-lock\.json": "pyodide/pyodide-lock.json",
        },
    ),
    "@viz-js/viz@3.31.0": (
        "sha512-r7zlQdRvcwvIpjHGgs+KNWHeE/P5/Dq7k8ZAKaMCbZqomxCBJV78gVuQYaHzFVca+kB0mX0fMW9UFevCOBG50A==",
        {r"dist/viz\.js": "viz.js"},
    ),
    "katex@0.19.1": (
        "sha512-jG8uKntjSEcm2EpQOh0XturpPuuC9r3Sq5HLHdsFdWZT27E672SF19QEi+of0/YeOy15lDgRhKvr5614uRrEfA==",
        {
            r"dist/katex\.min\.(js|css)": r"katex/katex.min.\1",
            r"dist/fonts/(KaTeX_(?:AMS|Main|Math|Size\d)-(?:Regular|Italic)\.woff2)": r"katex/fonts/\1",
        },
    ),
}
# From PyPI: pure wheels, with their sha256.
WHEELS = {
    "graphviz==0.21": "54f33de9f4f911d7e84e4191749cac8cc5653f815b06738c54db9a15ab8b1e42",
    "tqdm==4.70.1": "c293e525e6fef9c20e8728fd4612df02a0aa31bb5fe91ecd93e123b1b7bffa73",
}
OURS = ("index.html", "frame.html", "*.css", "*.js", "play.py")
# Of the style of KaTeX: older kinds of the same fonts, and fonts that no formula of ours has.
UNUSED = r",url\([^)]*\.(woff|ttf)\) format\([^)]*\)|@font-face\{[^}]*KaTeX_(Cal|Fra|San|Scr|Typ|\w+-Bold)[^}]*\}"


class MissingError(Exception):
    """A file or a program is missing; the message names it."""


def main() -> int:
    """Build, and print the sizes."""
    given = arguments("Build the playground, which becomes part of the site.", PLAY)
    try:
        build(given.to, given.wheel, given.offline)
    except MissingError as error:
        print(f"no playground: {error}", file=sys.stderr)
        return 1
    print(table(given.to))
    return 0


def arguments(description: str, to: Path) -> argparse.Namespace:
    """Return the arguments of the command: the wheel, the folder to write, and whether downloads are allowed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--wheel", type=Path, help="the package's pure wheel; without it, it is built from this tree")
    parser.add_argument("--to", type=Path, default=to, metavar="DIR", help=f"where to ({to.relative_to(ROOT)})")
    parser.add_argument("--offline", action="store_true", help="take the earlier downloads, or fail")
    return parser.parse_args()


def build(to: Path, wheel: Path | None = None, offline: bool = False) -> None:
    """Write the folder from nothing."""
    archives = {name: fetched(name, sha, offline) for name, (sha, _) in NPM.items()}
    wheels = [fetched_wheel(name, sha, offline) for name, sha in WHEELS.items()]
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for name, (_, files) in NPM.items():
        unpack(archives[name], files, to)
    style = to / "katex" / "katex.min.css"
    style.write_text(re.sub(UNUSED, "", style.read_text()))
    lock = to / "pyodide" / "pyodide-lock.json"
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "packages": {}}))  # of which none is here
    (to / "wheels").mkdir()
    for path in [*wheels, wheel or built_wheel()]:
        if not path.name.endswith("-py3-none-any.whl"):
            raise MissingError(f"{path} is compiled; the page runs a pure wheel, py3-none-any")
        shutil.copy(path, to / "wheels" / path.name)
    for pattern in OURS:
        for path in HERE.glob(pattern):
            shutil.copy(path, to / path.name)
    (to / "colours.css").write_text(colours())
    write_manifest(to)


def fetched(name: str, integrity: str, offline: bool) -> Path:
    """Return the archive of an npm package, which has the hash."""
    path = PACKAGES / f"{name.removeprefix('@').replace('/', '-').replace('@', '-')}.tgz"
    if not path.exists():
        npm = shutil.which("npm")
        if offline or npm is None:
            raise MissingError(f"{path.name} is not in {PACKAGES}{'' if npm else ', and there is no npm to fetch it'}")
        PACKAGES.mkdir(parents=True, exist_ok=True)
        command([npm, "pack", "--silent", name], PACKAGES)
    found = "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if found != integrity:
        raise MissingError(f"{path} has the hash {found}, not {integrity}")
    return path


def fetched_wheel(name: str, sha: str, offline: bool) -> Path:
    """Return a wheel of PyPI, which has the hash."""
    pattern = f"{name.replace('-', '_').replace('==', '-')}-*-none-any.whl"
    if not any(PACKAGES.glob(pattern)):
        if offline:
            raise MissingError(f"{pattern} is not in {PACKAGES}")
        pure = ["--no-deps", "--only-binary", ":all:", "--python-version", "3.14"]
        command([sys.executable, "-m", "pip", "download", "--quiet", *pure, "--dest", str(PACKAGES), name], ROOT)
    path = next(PACKAGES.glob(pattern))
    if (found := sha256(path)) != sha:
        raise MissingError(f"{path} has the hash {found}, not {sha}")
    return path


def built_wheel() -> Path:
    """Return the package's pure wheel, built from this tree; without a network where setuptools is installed."""
    folder = Path(tempfile.mkdtemp(prefix="autograd_mini_"))
    alone = ["--no-build-isolation"] if has_setuptools() else []
    tree = folder / "tree"  # a copy, so that no build folder is left behind
    shutil.copytree(
        ROOT / "autograd_mini", tree / "autograd_mini", ignore=shutil.ignore_patterns("__pycache__", "*.so")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    command(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *alone, "--wheel-dir", str(folder), "."], tree
    )
    return next(folder.glob("autograd_mini-*.whl"))


def has_setuptools() -> bool:
    """Return whether this Python has a setuptools that reads the project's licence, which is so from 77 on."""
    try:
        return int(version("setuptools").partition(".")[0]) >= 77
    except PackageNotFoundError:
        return False


def command(words: list[str], folder: Path) -> None:
    """Run a command; a failure raises an error with its last output."""
    environment = {**os.environ, "AUTOGRAD_MINI_COMPILE": "0", "SOURCE_DATE_EPOCH": "1577836800"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingError(f"`{' '.join(words)}` failed:\n{(done.stderr or done.stdout).strip()[-2000:]}")


def unpack(archive: Path, files: dict[str, str], to: Path) -> None:
    """Write those files of an npm archive that a pattern names."""
    found = set()
    with tarfile.open(archive) as opened:
        for member in opened:
            inside = member.name.removeprefix("package/")
            for pattern, target in files.items():
                if (match := re.fullmatch(pattern, inside)) and (content := opened.extractfile(member)):
                    path = to / match.expand(target)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content.read())
                    found.add(pattern)
    if missing := files.keys() - found:
        raise MissingError(f"{archive} has no {', '.join(missing)}")


def colours() -> str:
    """Return the colours of the package's own pages as CSS."""
    sys.path.insert(0, str(ROOT))
    from autograd_mini.pages.page import colours

    return colours()


def write_manifest(to: Path) -> None:
    """Write the list of files with sizes and hashes, and the service worker's copy of it."""
    paths = [path for path in files_of(to) if path.name != "offline.js"]
    files = {path.relative_to(to).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in paths}
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]
    (to / "manifest.json").write_text(json.dumps({"version": digest, "files": files}, indent=1))
    worker = to / "offline.js"
    names = json.dumps(["./", "manifest.json", *files], indent=1)
    worker.write_text(worker.read_text().replace('"VERSION"', f'"{digest}"').replace("[/* FILES */]", names))


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def table(to: Path) -> str:
    """Return the sizes of a built playground, as a table."""
    parts = {
        "Python (Pyodide)": "pyodide/*",
        "Graphviz (viz-js)": "viz.js",
        "formulas (KaTeX)": "katex/**/*.*",
        "the package": "wheels/autograd_mini*",
        "graphviz, tqdm": "wheels/[gt]*",
    }
    sizes = {path: (path.stat().st_size, len(gzip.compress(path.read_bytes(), 9))) for path in files_of(to)}
    named = {part: [path for path in sizes if path in set(to.glob(pattern))] for part, pattern in parts.items()}
    named["the page itself"] = [path for path in sizes if not any(path in paths for paths in named.values())]
    named["all"] = list(sizes)
    rows = [[part, *(f"{sum(sizes[path][k] for path in paths):,}" for k in (0, 1))] for part, paths in named.items()]
    return "\n".join(f"{part:20} {plain:>12} {packed:>12}" for part, plain, packed in [["", "bytes", "gzipped"], *rows])


def files_of(to: Path) -> list[Path]:
    """Return all files of a folder."""
    return sorted(path for path in to.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
