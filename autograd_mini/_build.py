"""How the package is installed: compiled by Cython where a C compiler is, else as it is. Not imported by it.

AUTOGRAD_MINI_COMPILE=0 compiles nothing, =1 compiles always and fails where it cannot. Without it an
ordinary installation compiles if it can, and an editable one does not, so that edits count at once.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import Any

from setuptools.command.build_ext import build_ext

__all__ = ["BuildExt"]

COMMON = {"language_level": 3, "auto_pickle": False, "embedsignature": False}
DIRECTIVES = {
    # The rules are Python's own, to the last error message; in value.py the arithmetic is C's.
    "autograd_mini.ops": {**COMMON, "annotation_typing": False},
    "autograd_mini.value": {**COMMON, "cdivision": True, "cpow": True},
    # What is done at every call of a compiled function, as it stands.
    "autograd_mini.program.arguments": {**COMMON, "annotation_typing": False},
    "autograd_mini.program.compiler": {**COMMON, "annotation_typing": False},
}


class BuildExt(build_ext):  # type: ignore[misc]  # setuptools has no types
    """Compile the extensions with the directives that each needs, or say in one line why not."""

    def finalize_options(self) -> None:
        """Make C of the sources, if that is wanted."""
        wanted = os.environ.get("AUTOGRAD_MINI_COMPILE", "")
        editable = self.inplace or getattr(self, "editable_mode", False)
        sources = self.distribution.ext_modules
        self.distribution.ext_modules = []
        self.announcement = "not compiled; AUTOGRAD_MINI_COMPILE=1 compiles"
        if wanted == "1" or (wanted != "0" and not editable):
            self.announcement = ""
            try:
                self.distribution.ext_modules = [_extension(source, wanted) for source in sources]
            except Exception as error:
                if wanted == "1":
                    raise
                self.announcement = f"Cython failed ({error}), so it is installed as plain Python"
        self.names = [source.name for source in sources]
        super().finalize_options()

    def run(self) -> None:
        """Compile; all modules or none, since `ops` and `value` must be of one kind."""
        for path in self._paths():  # of an older source, perhaps
            if os.path.exists(path):
                os.remove(path)
        super().run()
        if self.extensions and not all(map(os.path.exists, self._paths())):
            for path in filter(os.path.exists, self._paths()):
                os.remove(path)
            self.announcement = "the C compiler failed, or there is none, so it is installed as plain Python"
        if self.announcement:
            self.announce(f"autograd_mini: {self.announcement}", logging.WARNING)

    def _paths(self) -> list[str]:
        return [self.get_ext_fullpath(name) for name in self.names]


def _extension(source: Any, wanted: str) -> Any:
    """Return an extension of C, made from one of Python."""
    cythonize: Any = import_module("Cython.Build").cythonize
    directives = DIRECTIVES[source.name]
    (made,) = cythonize([source], compiler_directives=directives, build_dir="build", force=True, quiet=True)
    made.optional = wanted != "1"
    if os.name == "posix":
        # Without debugging symbols, which are most of a module's size; and sums as Python has them.
        made.extra_compile_args = ["-g0", "-ffp-contract=off"]
    return made
