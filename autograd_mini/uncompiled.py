"""The package as plain Python, without compiled modules.

This module has functions in place of Cython's decorators, which do nothing. It also decides whether modules are
imported from their sources or as they are installed.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib import import_module
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any, TypeVar

C = TypeVar("C", bound=type)

HERE = os.path.dirname(__file__)  # pathlib would take a tenth of the time that the package's import takes
compiled = False
_dying: list[object] = []
_freeing = False


def cclass(kind: C) -> C:
    """Return the class as it is. Cython makes a C struct of it."""
    return kind


def no_gc(kind: C) -> C:
    """Return the class as it is. A compiled class is left out by the garbage collector."""
    return kind


def free_in_turn(node: Any) -> None:
    """Free the operands of a dying node one after the other, without recursion. It is `__del__` on small stacks."""
    global _freeing
    _dying.extend((getattr(node, "_x", None), getattr(node, "_y", None)))
    node._x = node._y = None
    if not _freeing:
        _freeing = True
        while _dying:  # a node that dies here adds its operands
            _dying.pop()
        _freeing = False


def take(package: str, *names: str) -> None:
    """Import modules of a package that may be compiled. In the given order, each comes after those that it imports.

    If `AUTOGRAD_MINI_COMPILE=0` is in the environment, import their sources, else import them as they are installed.
    """
    load = take_sources if os.environ.get("AUTOGRAD_MINI_COMPILE") == "0" else take_installed
    load(package, *names)


def take_sources(package: str, *names: str) -> None:
    """Import modules of a package from their sources, whether they are compiled or not."""
    (folder,) = sys.modules[package].__path__
    for name in names:
        setattr(sys.modules[package], name, load_file(f"{package}.{name}", os.path.join(folder, f"{name}.py")))


def take_installed(package: str, *names: str) -> None:
    """Import modules of a package as they are installed. In a second interpreter, the error names the way around."""
    for name in names:
        try:
            show_source(import_module(f"{package}.{name}"))
        except ImportError as error:
            if "interpreter" not in str(error):  # the errors of Python and Cython have this word
                raise
            raise ImportError(
                f"{error}: it is compiled; set AUTOGRAD_MINI_COMPILE=0 in the environment before the import, "
                f"and {package} is taken from its sources"
            ) from error


def show_source(module: ModuleType) -> None:
    """Let tracebacks show the lines of a compiled module. Its loader does not know its source."""
    if isinstance(module.__loader__, ExtensionFileLoader):
        module.__loader__.get_source = _source  # type: ignore[method-assign, assignment]


def _source(name: str) -> str | None:
    """Return the source of a module of the package. It is in the same folder as the compiled module."""
    path = os.path.join(HERE, *name.split(".")[1:]) + ".py"
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return file.read()


@cache
def source_module(name: str) -> ModuleType:
    """Import a module's source under another name, for code that reads the source or byte code of functions."""
    return load_file(f"{__package__}.{name}_source", os.path.join(HERE, f"{name}.py"))


def load_file(name: str, path: str) -> ModuleType:
    """Import a file as a module of a given name."""
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
