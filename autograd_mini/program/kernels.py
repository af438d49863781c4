r"""The runner on machine code: the kernels that a program needs, found, taken from the cache, or compiled.

A kernel is known by its content: the functions of its row, the package's own source, and the processor. A process keeps
the kernels that it has; those that a program lacks become one object, and one file of the cache.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from ..ops import OPS, Op, Traced
from ..source import content, is_lasting
from ..trace import users_frame
from . import cache as files
from .arrays import Arrays
from .code import FIELDS, FRAME, HEAD, code_of
from .lift import Program
from .runner import Batch, Blocks, Runner, Task, Way, chooses, way_back

__all__ = ["Kernels", "runner"]

WAYS = ("forward", "backward")
SOURCES = (  # by which machine code is made
    "ops source program.builder program.code program.evaluator program.lanes program.loops program.machine "
    "program.meanings program.primitives program.products program.values program.vectors"
).split()
LONG = 4096  # numbers of a program from which on other threads may run meanwhile

Key = tuple[str, str]  # a function of `loops` or `lanes`, and the content of its row


class Kernels:
    """The runner on machine code."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.first = program.inputs + len(program.constants)
        self.code, self.index, self.kinds = code_of(program)
        self.room = max((i.columns * i.length for i in program.instructions if i.kind == "dot"), default=0)
        self._begin()

    def _begin(self) -> None:
        # The addresses of the kernels, forward and backward, for numbers and for lanes; none is known yet.
        self.places, self.lanes = (np.zeros((len(self.kinds), 2), dtype=np.int64) for _ in range(2))
        self.contents = [content([kind]) if isinstance(kind, Op) else "" for kind in self.kinds]
        self.calls_back = any(isinstance(kind, Op) and _rows_of_users(kind) for kind in self.kinds)

    def _ready(self, ways: tuple[str, ...], module: str = "loops") -> int:
        """Make sure that the kernels of some ways are there, and return the address of the run."""
        kernels = {
            (k, WAYS.index(way)): (f"{module}.{'row' if isinstance(kind, Op) else kind}_{way}", self.contents[k])
            for k, kind in enumerate(self.kinds)
            for way in ways
        }
        run = f"{module}.run", ""
        found = _found({run: None, **{key: self.kinds[k] for (k, _), key in kernels.items()}}, self.program.name)
        table = self.places if module == "loops" else self.lanes
        for at, key in kernels.items():
            table[at] = found[key]
        return found[run]

    def forward(self, d: Any) -> Task:
        """Return what fills the array of numbers, from the inputs and constants that stand in it."""
        return self._task(("forward",), self.code, d, d, -1)

    def backward(self, d: Any, grad: Any, z: int, way: Way) -> Task:
        """Return what leaves the derivatives of number z in the places of the inputs that are wanted."""
        return self._task(WAYS, self.code[:0], d, grad, z, way)

    def both(self, d: Any, grad: Any, z: int, way: Way) -> Task:
        """Return what does one after the other."""
        return self._task(WAYS, self.code, d, grad, z, way)

    def _task(self, ways: tuple[str, ...], forth: Any, d: Any, grad: Any, z: int, way: Way | None = None) -> Task:
        run = self._ready(ways)
        frame = self._frame(self.places, forth, way, d, grad, self.program.size, z)
        kind = ctypes.PYFUNCTYPE if self.program.size < LONG else ctypes.CFUNCTYPE  # the second lets other threads run
        task: Any = partial(kind(None, ctypes.c_void_p)(run), ctypes.c_void_p(_place(frame)))
        task.kept = frame, way
        return partial(_raising, task) if self.calls_back else task

    def _frame(
        self, kernels: Any, forth: Any, way: Way | None, d: Any, grad: Any, room: int, z: int, **more: int
    ) -> Any:
        back, silent, chooses = way or (self.code[:0], self.index[:0], False)
        named = {
            "KERNELS": _place(kernels), "LINE": self.code.shape[1], "INDEX": _place(self.index), "NUMBERS": _place(d),
            "SLOPES": _place(grad), "FORTH": _place(forth), "LINES_FORTH": len(forth), "BACK": _place(back),
            "LINES_BACK": len(back), "ROOM": room, "SILENT": _place(silent), "COUNT_SILENT": len(silent),
            "CHOOSES": chooses, "FIRST": self.first, "END": z, **more,
        }  # fmt: skip
        return np.array([named.get(name, 0) for name in FRAME], dtype=np.int64)

    def way_back(self, z: int, wanted: list[slice]) -> Way:
        """Return the code of the instructions on the way, with marks at the operands that derivatives go to."""
        steps, silent = way_back(self.program, z, wanted)
        code = self.code[[k for k, _ in steps]]
        for line, (_, needed) in zip(code, steps, strict=True):
            line[HEAD + FIELDS - 1 : HEAD + FIELDS * len(needed) : FIELDS] = needed
        return Way(code, silent, chooses(self.program, steps))

    def batch(self, batch: Batch, threads: int) -> list[Blocks]:
        """Return what runs blocks of a batch's examples, for each thread its own."""
        z, width, tables = batch.z, batch.width, batch.tables
        columns = [(_place(table) + 8 * j, table.shape[1]) for table in tables for j in range(table.shape[1])]
        shared = {
            "COLUMNS": np.array(columns, dtype=np.int64),  # where each input's numbers are, and how far apart
            "MAPPED": batch.mapped, "SAME": batch.same, "OUTPUTS": batch.outputs,
            "RESULTS": batch.results, "DERIVATIVES": batch.slopes, "TOTALS": batch.totals,
        }  # fmt: skip
        more = {name: _place(array) for name, array in shared.items()} | {"SIZE": len(tables[0])}
        more |= {f"COUNT_{name}": shared[name].size for name in ("MAPPED", "SAME", "OUTPUTS")}
        run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(
            self._ready(WAYS if z >= 0 else WAYS[:1], "lanes")
        )
        tasks: list[Blocks] = []
        for _ in range(threads):
            d = np.repeat(batch.numbers[:, None], width, axis=1)
            grad = np.full_like(d, -0.0) if z >= 0 else d
            frame = self._frame(self.lanes, self.code, batch.way, d, grad, width, z, **more)
            task: Any = partial(run, ctypes.c_void_p(_place(frame)))
            task.kept = self, shared, tables, batch.way, d, grad, frame
            tasks.append(partial(_raising, task) if self.calls_back else task)
        return tasks

    def __getstate__(self) -> dict[str, Any]:
        return {name: vars(self)[name] for name in ("program", "first", "code", "index", "kinds", "room")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._begin()


def _place(array: Any) -> int:
    """Return where an array's numbers are."""
    return int(array.ctypes.data)


# Calls back into Python.

_raised = threading.local()  # the error of a function that was called back


def _raising(task: Callable[..., None], *args: Any) -> None:
    """Run a task, and raise the error that a function of Python has raised in it."""
    task(*args)
    error = vars(_raised).pop("error", None)
    if error is not None:
        raise error


def _called_back(op: Op) -> Any:
    """Return a row's function as one of C, which gives nan where it raises an error."""
    function = op.limit.function

    def call(*xs: float) -> float:
        try:
            return float(function(*xs))
        except BaseException as error:
            vars(_raised).setdefault("error", error)
            return float("nan")

    return ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_double] * op.arity)(call)


class _Collector(Traced):
    """A recorder that collects the rows which rules apply."""

    __slots__ = ("rows",)
    first_order = True

    def __init__(self, rows: dict[Op, None]) -> None:
        self.rows = rows

    def record(self, op: Op, operands: tuple[Any, ...]) -> _Collector:
        self.rows[op.row] = None
        return self


def _rows_of_users(op: Op) -> list[Op]:
    """Return the rows of a kernel that may have to be called back: those that are not Python's or C's alone."""
    rows: dict[Op, None] = {op.row: None}
    for rule in op.rules:
        rule(*[_Collector(rows)] * (op.arity + 1))
    return [row for row in rows if OPS.get(row.name) is not row or row.name in ("digamma", "polygamma")]


# Kernels, found, loaded and compiled.

_PLACES: dict[Key, int] = {}
_KEPT: list[Any] = []  # the objects in memory, and the functions that they call back
_LOCK = threading.RLock()
if hasattr(os, "register_at_fork"):  # a child must not begin in the middle of a compilation
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


def _found(wanted: Mapping[Key, Op | str | None], name: str) -> dict[Key, int]:
    """Return the addresses of kernels; those that the process does not have yet become one object."""
    with _LOCK:
        lacking = {key: wanted[key] for key in sorted(wanted) if key not in _PLACES}
        if lacking:
            _make(lacking, name)
        return _PLACES


def _make(lacking: Mapping[Key, Op | str | None], name: str) -> None:
    from .machine import Loaded, identity

    refused: dict[Op, str] = {}
    rows = dict.fromkeys(row for kind in lacking.values() if isinstance(kind, Op) for row in _rows_of_users(kind))
    symbols = {key: f"k{i}" for i, key in enumerate(lacking)}
    lasting = all(is_lasting(text) for _, text in lacking)
    key = hashlib.sha256("\n".join([_version(), identity(), *map(str, lacking)]).encode()).hexdigest()[:32]
    code = files.read(key) if lasting else None
    if code is None:
        from .builder import compiled

        code, refused = compiled({symbols[k]: (k[0], kind) for k, kind in lacking.items()}, [*rows])
        refused = {row: reason for row, reason in refused.items() if row.is_custom}
        if lasting and not refused:  # else the next process would not say so
            files.write(key, code)
    callbacks = [_called_back(row) for row in rows]
    loaded = Loaded(code, [ctypes.cast(f, ctypes.c_void_p).value or 0 for f in callbacks])
    _KEPT.append((loaded, callbacks))
    _PLACES.update({key: loaded.place(symbol) for key, symbol in symbols.items()})
    for row, reason in refused.items():
        frame = users_frame()
        message = f"{name}: Python computes {row} number by number: {reason}"
        warnings.warn_explicit(message, UserWarning, frame.f_code.co_filename, frame.f_lineno)


@cache
def _version() -> str:
    """Return a text that is the same where machine code is made in the same way."""
    around = Path(__file__).parent.parent
    found = hashlib.sha256(sys.version.encode())
    for source in SOURCES:
        found.update(around.joinpath(*source.split(".")).with_suffix(".py").read_bytes())
    return found.hexdigest()


def runner(program: Program, use: str | None = None) -> Runner:
    """Return what runs a program: machine code where llvmlite is installed.

    Args:
        use: `"llvm"`, to have an error where llvmlite is missing, or `"numpy"`; None takes what is there.
    """
    if use == "numpy":
        return Arrays(program)
    try:
        import llvmlite.binding  # noqa: F401
    except ImportError:
        reason = 'this needs llvmlite: pip install "autograd_mini[fast]"'
    else:
        if Path(__file__).exists():
            return Kernels(program)
        reason = "kernels are compiled from the package's files, which are in an archive here: unpack it"
    if use == "llvm":
        raise ImportError(reason)
    return Arrays(program)
