"""Programs as source code of other languages: stand-alone files for a function's value and its derivative."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..source import Unreadable
from ..structure import Tree
from . import written_c, written_javascript, written_numpy
from .export import Derivative, Export, export_of
from .parameters import Argnums, places_of
from .programs import Programs

LANGUAGES: dict[str, Callable[[Export], str]] = {
    "numpy": written_numpy.write, "c": written_c.write, "javascript": written_javascript.write,
}  # fmt: skip
TITLES = {"numpy": "NumPy", "c": "C", "javascript": "JavaScript"}


def source(programs: Programs, language: str, args: tuple[Tree, ...], derivative: Derivative, argnums: Argnums) -> str:
    """Return the source code of a function's programs for the structure of some arguments; see `Compiled.source`."""
    name = programs.name
    if language not in LANGUAGES:
        raise ValueError(f"{name}: source writes {_listed(LANGUAGES)}, not {language!r}")
    if derivative not in (None, "grad", "jvp"):
        raise ValueError(f'{name}: derivative must be None, "grad" or "jvp", not {derivative!r}')
    if derivative is None and argnums is not None:
        raise ValueError(f'{name}: argnums {argnums} asks for a derivative: give derivative="grad" or "jvp", too')
    specializations = programs.alike(args)
    if any(i.scan is not None for other in specializations for i in other.program.instructions):
        programs = programs.without_loops()
        if not args:
            raise NotImplementedError(
                f"{name}: a loop by scan or fori is written step by step: give arguments, as in source({language!r}, x)"
            )
        specializations = programs.alike(args)
    n = specializations[0].layout.count
    single = derivative == "grad" and (argnums is None or hasattr(argnums, "__index__"))
    wanted = _wanted(name, derivative, argnums, n)
    if derivative == "grad":
        specializations[0].trace.require_one_output()
    try:
        return LANGUAGES[language](export_of(name, specializations, derivative, wanted, single))
    except Unreadable as error:
        raise NotImplementedError(f"{name}: there is no {TITLES[language]} for {error}") from None


def _wanted(name: str, derivative: Derivative, argnums: Argnums, n: int) -> list[int]:
    """Return the arguments to differentiate with respect to.

    The default is the first argument for a gradient, and all arguments for tangents.
    """
    if derivative is None:
        return []
    if argnums is None:
        argnums = range(n) if derivative == "jvp" else 0
    return places_of(name, argnums, n)


def _listed(names: Iterable[str]) -> str:
    *others, last = map(repr, names)
    return f"{', '.join(others)} and {last}"
