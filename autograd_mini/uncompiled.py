"""The package as plain Python, where no compiler is or none is wanted.

This module owns stand-ins for Cython's decorators, which do nothing, and the choice of the sources where compiled
modules stand beside them.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

__all__ = [
    "cclass",
    "compiled",
    "free_in_turn",
    "load_file",
    "no_gc",
    "show_source",
    "source_module",
    "take_installed",
    "take_sources",
]

C = TypeVar("C", bound=type)

compiled = False
_dying: list[Any] = []
_freeing = False


def cclass(kind: C) -> C:
    """Leave a class a Python class, where Cython makes a C struct of it."""
    return kind


def no_gc(kind: C) -> C:
    """Leave a class to the collector, which a compiled one opts out of."""
    return kind


def free_in_turn(node: Any) -> None:
    """Free the operands of a dying node one after the other, without recursion: its `__del__` on small stacks."""
    global _freeing
    _dying.extend((getattr(node, "_x", None), getattr(node, "_y", None)))
    node._x = node._y = None
    if not _freeing:
        _freeing = True
        while _dying:  # a node that dies here adds its operands
            _dying.pop()
        _freeing = False


def take_sources(package: str, *names: str) -> None:
    """Import modules of a package from their sources, whether they are compiled or not."""
    (folder,) = sys.modules[package].__path__
    for name in names:
        setattr(sys.modules[package], name, load_file(f"{package}.{name}", Path(folder, f"{name}.py")))


def take_installed(package: str, *names: str) -> None:
    """Import modules of a package as they are installed; a second interpreter is told how to take the sources."""
    for name in names:
        try:
            show_source(import_module(f"{package}.{name}"))
        except ImportError as error:
            if "interpreter" not in str(error):  # a second one, in Python's words or in Cython's
                raise
            raise ImportError(
                f"{error}: it is compiled; set AUTOGRAD_MINI_COMPILE=0 in the environment before the import, "
                f"and {package} is taken from its sources"
            ) from error


def show_source(module: ModuleType) -> None:
    """Let tracebacks show the lines of a compiled module, whose loader knows of no source."""
    if isinstance(module.__loader__, ExtensionFileLoader):
        module.__loader__.get_source = _source  # type: ignore[method-assign, assignment]


def _source(name: str) -> str | None:
    """Return the source of a module of the package, which stands beside what was compiled of it."""
    path = Path(__file__).parent.joinpath(*name.split(".")[1:]).with_suffix(".py")
    return path.read_text(encoding="utf-8") if path.exists() else None


@cache
def source_module(name: str) -> ModuleType:
    """Return a module's source as a module of its own, for what reads functions' source or byte code."""
    return load_file(f"{__package__}.{name}_source", Path(__file__).with_name(f"{name}.py"))


def load_file(name: str, path: Path) -> ModuleType:
    """Import a file as a module of a given name."""
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
