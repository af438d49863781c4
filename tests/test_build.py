"""How the package is packed: wheels for every platform where nothing is compiled, archives that test themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

pytest.importorskip("setuptools")

ROOT = Path(__file__).parent.parent
PARTS = ["LICENSE", "README.md", "autograd_mini", "docs", "notebooks", "pyproject.toml", "tests"]
MADE = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "_build", ".ipynb_checkpoints")
NO_CYTHON = "import sys; sys.modules['Cython'] = None\n"
FREE_THREADED = """
import sysconfig
known = sysconfig.get_config_var
sysconfig.get_config_var = lambda name: 1 if name == "Py_GIL_DISABLED" else known(name)
"""
Build = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build in a copy of the tree, as pip does, but without a network."""
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tmp_path / part, ignore=MADE)
        else:
            shutil.copy(ROOT / part, tmp_path / part)

    def run(kind: str, wanted: str, before: str = "") -> subprocess.CompletedProcess[str]:
        code = f"{before}from setuptools import build_meta; build_meta.build_{kind}('dist')"
        environment = {**os.environ, "AUTOGRAD_MINI_COMPILE": wanted}
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
        )

    return run


@pytest.mark.parametrize(
    ("wanted", "before", "why"),
    [
        ("0", "", "not compiled, as AUTOGRAD_MINI_COMPILE=0 asks"),
        (
            "",
            NO_CYTHON,
            "compiling failed (No module named 'Cython.Build'; 'Cython' is not a package), so it is",
        ),
        ("", FREE_THREADED + NO_CYTHON, "this Python is free-threaded, so it is installed as plain Python"),
    ],
)
def test_a_wheel_without_compiled_modules_is_for_every_platform(
    build: Build, tmp_path: Path, wanted: str, before: str, why: str
) -> None:
    done = build("wheel", wanted, before)
    assert done.returncode == 0, done.stderr
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("autograd_mini: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"autograd_mini: {why}")
    (wheel,) = (tmp_path / "dist").iterdir()
    assert wheel.name.endswith("-py3-none-any.whl")
    with ZipFile(wheel) as archive:
        packed = set(archive.namelist())
        (about,) = (archive.read(name).decode() for name in packed if name.endswith("/WHEEL"))
    assert "Root-Is-Purelib: true" in about
    files = {path for path in (tmp_path / "autograd_mini").rglob("*") if path.is_file()}
    ours = {name for name in packed if ".dist-info/" not in name}
    assert ours == {path.relative_to(tmp_path).as_posix() for path in files if path.suffix not in (".pyc", ".so")}


@pytest.mark.parametrize(
    ("wanted", "before", "why"),
    [
        ("1", NO_CYTHON, "No module named 'Cython.Build'"),
        (
            "1",
            FREE_THREADED + NO_CYTHON,
            "a free-threaded Python cannot compile it: set AUTOGRAD_MINI_COMPILE=0",
        ),
        ("yes", "", "AUTOGRAD_MINI_COMPILE must be 0 (compile nothing) or 1 (compile, or fail), not yes"),
    ],
)
def test_what_was_asked_for_and_cannot_be_is_an_error(
    build: Build, tmp_path: Path, wanted: str, before: str, why: str
) -> None:
    done = build("wheel", wanted, before)
    assert done.returncode != 0
    assert why in done.stderr
    assert not list((tmp_path / "dist").glob("*.whl"))


def test_the_source_archive_has_every_tracked_file(build: Build, tmp_path: Path) -> None:
    for made in (
        "tests/__pycache__/x.pyc",
        "docs/_build/html/x.html",
        "notebooks/.ipynb_checkpoints/a-checkpoint.ipynb",
    ):
        (tmp_path / made).parent.mkdir(parents=True)
        (tmp_path / made).touch()
    done = build("sdist", "")
    assert done.returncode == 0, done.stderr
    (archive,) = (tmp_path / "dist").iterdir()
    with tarfile.open(archive) as files:
        packed = {member.name.partition("/")[2] for member in files if member.isfile()}
    packed = {name for name in packed if not name.startswith("autograd_mini.egg-info/")} - {"PKG-INFO", "setup.cfg"}
    listed = subprocess.run(["git", "ls-files", *PARTS], capture_output=True, text=True, cwd=ROOT, check=False)
    if listed.returncode or not listed.stdout:
        pytest.skip("not a git checkout")
    paths = [Path(ROOT, name) for name in listed.stdout.splitlines()]
    tracked = {file.relative_to(ROOT) for path in paths for file in ([*path.iterdir()] if path.is_dir() else [path])}
    assert {Path(name) for name in packed} == tracked
