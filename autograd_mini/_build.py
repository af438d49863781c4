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
}


class BuildExt(build_ext):  # type: ignore[misc]  # setuptools has no types
    """Compile the extensions with the directives that each needs, or say in one line why not."""

    def finalize_options(self) -> None:
        """Make C of the sources, if that is wanted."""
        self.set_undefined_options("build", ("build_lib", "build_lib"))
        wanted = os.environ.get("AUTOGRAD_MINI_COMPILE", "")
        editable = self.inplace or getattr(self, "editable_mode", False)
        extensions = self.distribution.ext_modules
        made: list[Any] = []
        if wanted == "0" or (editable and wanted != "1"):
            self.announce("autograd_mini: not compiled; AUTOGRAD_MINI_COMPILE=1 compiles", logging.WARNING)
        else:
            cythonize: Any = import_module("Cython.Build").cythonize
            for extension in extensions:
                directives = DIRECTIVES[extension.name]
                made += cythonize([extension], compiler_directives=directives, build_dir="build", quiet=True)
                made[-1].optional = wanted != "1"
                if os.name == "posix":
                    made[-1].extra_compile_args = ["-g0"]  # debugging symbols are most of a module's size
        self.distribution.ext_modules = made
        super().finalize_options()

    def run(self) -> None:
        """Compile; all modules or none, since `ops` and `value` must be of one kind."""
        super().run()
        paths = [self.get_ext_fullpath(extension.name) for extension in self.extensions]
        if not all(map(os.path.exists, paths)):
            for path in filter(os.path.exists, paths):
                os.remove(path)
            self.announce(
                "autograd_mini: no C compiler works here, so it is installed as plain Python", logging.WARNING
            )
