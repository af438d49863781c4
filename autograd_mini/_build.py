"""The build of the package: Cython compiles some modules if there is a C compiler. The package does not import this.

AUTOGRAD_MINI_COMPILE=0 compiles nothing, =1 compiles or fails. Without it an ordinary installation
compiles if it can, and an editable one does not, so that edits count at once. A wheel without compiled
modules is tagged for every platform.
"""

from __future__ import annotations

import logging
import os
import sysconfig
from importlib import import_module
from textwrap import shorten
from typing import Any

from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

COMMON = {"language_level": 3, "auto_pickle": False, "embedsignature": False}
DIRECTIVES = {
    # Rows and rules are Python's own, to the last error message; in evaluation.py and value.py the arithmetic is C's.
    "autograd_mini.recorder": {**COMMON, "annotation_typing": False},
    "autograd_mini.op": {**COMMON, "annotation_typing": False},
    "autograd_mini.ops": {**COMMON, "annotation_typing": False},
    "autograd_mini.settings": {**COMMON, "annotation_typing": False},
    "autograd_mini.methods": {**COMMON, "annotation_typing": False},
    "autograd_mini.node": COMMON,
    "autograd_mini.walks": COMMON,
    "autograd_mini.evaluation": {**COMMON, "cdivision": True, "cpow": True},
    "autograd_mini.sweeps": COMMON,
    "autograd_mini.pickles": COMMON,
    "autograd_mini.value": {**COMMON, "cdivision": True, "cpow": True},
    "autograd_mini.sums": COMMON,
    "autograd_mini.edges": COMMON,
    "autograd_mini.numbering": {**COMMON, "annotation_typing": False},
    # Loops over all nodes of a graph, without types of C.
    "autograd_mini.edge_pushing": {**COMMON, "annotation_typing": False},
    "autograd_mini.accumulation": {**COMMON, "annotation_typing": False},
    # The code that every call of a compiled function runs, without types of C.
    **{
        f"autograd_mini.program.{name}": {**COMMON, "annotation_typing": False}
        for name in (
            "arguments",
            "specialization",
            "buffers",
            "programs",
            "axes",
            "plans",
            "batch",
            "binding",
            "compiler",
        )
    },
}


class BuildExt(build_ext):  # type: ignore[misc]  # setuptools has no types
    """Compile the extensions with the directives of each, or print the reason in one line if this is not possible."""

    def finalize_options(self) -> None:
        """Compile as many extensions at a time as there are processors, unless `--parallel` gives a number."""
        super().finalize_options()
        self.parallel: Any = getattr(self, "parallel", None) or os.cpu_count()

    def run(self) -> None:
        """Compile all modules or none, because `recorder` and `value` must be of one kind."""
        wanted = _wanted()
        editable = self.inplace or getattr(self, "editable_mode", False)
        paths = [self.get_ext_fullpath(extension.name) for extension in self.extensions]
        _remove(paths)  # of an older source, perhaps
        if wanted == "0":
            self._leave_out("not compiled, as AUTOGRAD_MINI_COMPILE=0 asks")
        elif wanted == "" and editable:
            self._leave_out("not compiled; AUTOGRAD_MINI_COMPILE=1 compiles")
        elif sysconfig.get_config_var("Py_GIL_DISABLED"):
            # Cython's code for a class with a `__dealloc__` needs `ob_refcnt`, which free-threaded Pythons do not have.
            if wanted == "1":
                raise RuntimeError("a free-threaded Python cannot compile it: set AUTOGRAD_MINI_COMPILE=0")
            self._leave_out("this Python is free-threaded, so it is installed as plain Python")
        else:
            try:
                for extension in self.extensions:
                    _translate(extension)
                super().run()
            except Exception as error:
                if wanted == "1":
                    raise
                _remove(paths)
                self._leave_out(f"compiling failed ({shorten(str(error), 120)}), so it is installed as plain Python")

    def _leave_out(self, why: str) -> None:
        """Continue as a package without extensions."""
        self.extensions: list[Any] = []
        self.distribution.ext_modules = []
        wheel = self.distribution.get_command_obj("bdist_wheel", create=False)
        if wheel is not None:
            wheel.root_is_pure = True  # decided before the build, but not read before its end
        self.announce(f"autograd_mini: {why}", logging.WARNING)


class SDist(sdist):  # type: ignore[misc]
    """Pack tests, docs and notebooks too, so that the archive can test itself."""

    def make_distribution(self) -> None:
        """Add tests, docs and notebooks to the files that setuptools found. A MANIFEST.in would be another file."""
        for folder in ("tests", "docs", "notebooks"):
            self.filelist.graft(folder)
        self.filelist.prune("docs/_build")
        for made in ("*.py[co]", "*-checkpoint.ipynb"):
            self.filelist.global_exclude(made)
        super().make_distribution()


def _wanted() -> str:
    """Return the value of `AUTOGRAD_MINI_COMPILE`: "0", "1", or "" if it is not set."""
    wanted = os.environ.get("AUTOGRAD_MINI_COMPILE", "")
    if wanted not in ("", "0", "1"):
        raise ValueError(f"AUTOGRAD_MINI_COMPILE must be 0 (compile nothing) or 1 (compile, or fail), not {wanted}")
    return wanted


def _translate(extension: Any) -> None:
    """Translate an extension's Python to C."""
    cythonize: Any = import_module("Cython.Build").cythonize
    directives = DIRECTIVES[extension.name]
    (made,) = cythonize([extension], compiler_directives=directives, build_dir="build", force=True, quiet=True)
    extension.sources = made.sources
    if os.name == "posix":
        # Debugging symbols would be most of a module's size. Optimizing by 3, as Python asks, takes a third longer than
        # by 2, and no benchmark is more than 2 % faster. Sums are as Python has them.
        extension.extra_compile_args = ["-g0", "-O2", "-ffp-contract=off"]


def _remove(paths: list[str]) -> None:
    for path in filter(os.path.exists, paths):
        os.remove(path)
