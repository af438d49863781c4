"""The package as plain Python, where no compiler is or none is wanted.

This room owns what Cython's decorators are there, which is nothing, and the choice of the sources where
compiled modules stand beside them.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TypeVar

__all__ = ["cclass", "compiled", "load_file", "no_gc", "source_module", "take_installed", "take_sources"]

C = TypeVar("C", bound=type)

compiled = False


def cclass(kind: C) -> C:
    """Leave a class a Python class, where Cython makes a C struct of it."""
    return kind


def no_gc(kind: C) -> C:
    """Leave a class to the collector, which a compiled one opts out of."""
    return kind


def take_sources(package: str, *names: str) -> None:
    """Import modules of a package from their sources, whether they are compiled or not."""
    (folder,) = sys.modules[package].__path__
    for name in names:
        setattr(sys.modules[package], name, load_file(f"{package}.{name}", Path(folder, f"{name}.py")))


def take_installed(package: str, *names: str) -> None:
    """Import modules of a package as they are installed; where they cannot be, say how the sources can."""
    for name in names:
        try:
            import_module(f"{package}.{name}")
        except ImportError as error:
            if "interpreter" not in str(error):  # a second one, in Python's words or in Cython's
                raise
            raise ImportError(
                f"{error}: it is compiled; set AUTOGRAD_MINI_COMPILE=0 in the environment before the import, "
                f"and {package} is taken from its sources"
            ) from error


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
