r"""The runner on machine code: it finds the kernels of a program in memory or in the cache, or compiles them.

The key of a kernel is a hash of the functions of its row, the package's own source, and the processor. A process keeps
its kernels. The missing kernels of a program are compiled to one object, which becomes one file of the cache.
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
from itertools import accumulate
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from ..ops import Op
from ..source import called_back, content, is_lasting
from ..tracer import users_frame
from . import cache as files
from .arguments import Numbers
from .arrays import Arrays
from .code import FIELDS, HEAD, TABLE, Frame, code_of
from .lift import Program
from .runner import Batch, Blocks, Runner, Steps, Task, Way, chooses
from .scan_rows import Scan
from .scan_steps import Part, back, forth, most_numbers

WAYS = ("forward", "backward")
BLOCKS = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
FIRST = ctypes.c_char.from_buffer
LONG = 4096  # while a program with at least this many numbers runs, other threads may run

Key = tuple[str, str]  # the name of a kernel, and the content of its row


class Kernels:
    """The runner of a program on machine code."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.first = program.inputs + len(program.constants)
        self.scratch = max((i.columns * i.length for i in program.instructions if i.kind == "dot"), default=0)
        self.code, self.index, self.kinds = code_of(program)
        # The addresses of the kernels, forward and backward; 0 until they are known.
        self.places = np.zeros((len(self.kinds), 2), dtype=np.int64)
        self.callbacks: list[Any] = []
        for k, kind in enumerate(self.kinds):
            made = [_called_back(row) for row in called_back(kind)] if isinstance(kind, Op) else []
            if made:  # their addresses stand after the indices; the lines have the places
                self.code[self.code[:, 0] == k, HEAD - 1] = len(self.index)
                self.index = np.append(self.index, [ctypes.cast(f, ctypes.c_void_p).value for f in made])
                self.callbacks += made
        self.bodies: list[Kernels] = []  # the bodies of loops
        self.kept: list[object] = []  # keeps arrays alive: the code has their addresses
        for line, i in zip(self.code, program.instructions, strict=True):
            if i.scan is not None:
                self.scratch = max(self.scratch, most_numbers(i.scan))
                line[HEAD - 1] = self._loop(i.scan, [forth(i.scan, self)], self.kept)

    def _ready(self, run: str, ways: tuple[str, ...]) -> int:
        """Load the kernels of some directions, and return the address of the function that calls them."""
        contents = [content([kind]) if isinstance(kind, Op) else "" for kind in self.kinds]
        kernels = {
            (k, WAYS.index(way)): (f"{'row' if isinstance(kind, Op) else kind}_{way}", contents[k])
            for k, kind in enumerate(self.kinds)
            for way in ways
        }
        wanted = {(run, ""): None, **{key: self.kinds[k] for (k, _), key in kernels.items()}}
        found = _found(wanted, self.program.name)
        for body in self.bodies:
            body._ready("run", ways)
        for at, key in kernels.items():
            self.places[at] = found[key]
        return found[run, ""]

    def task(self, d: Numbers, grad: Any = None, z: int = -1, way: Way | None = None, *, forth: bool = True) -> Task:
        """Return a task that runs the program forward, backward, or both ways, one after the other."""
        run = self._ready("run", WAYS[: 1 + (way is not None)])
        lines = self.code if forth else self.code[:0]
        frame = self._frame(lines, way, d, d if grad is None else grad, end=z)
        kind = ctypes.PYFUNCTYPE if self.program.size < LONG else ctypes.CFUNCTYPE  # which lets other threads run
        task: Any = partial(kind(None, ctypes.c_void_p)(run), ctypes.c_void_p(_place(frame)))
        task.kept = self, lines, d, grad, way, frame  # keeps them alive: the machine code has their addresses
        return partial(_raising, task) if self.callbacks else task

    def blocks(self, batch: Batch, d: Numbers, grad: Numbers) -> Callable[[list[Numbers], Numbers], Blocks]:
        """Return a function that runs this program on blocks of a batch."""
        run = BLOCKS(self._ready("blocks", WAYS[: 1 + (batch.way is not None)]))
        kinds = batch.inputs, batch.outputs, batch.slopes
        tables = np.zeros((sum(map(len, kinds)), TABLE), dtype=np.int64)
        tables[:, TABLE - 3 :] = np.reshape([place for places in kinds for place in places], (-1, 3))
        starts = [_place(tables) + 8 * TABLE * n for n in accumulate(map(len, kinds[:-1]), initial=0)]
        frame = self._frame(
            self.code, batch.way, d, grad, end=batch.z, lanes=batch.lanes, width=batch.width, count_shared=batch.shared,
            inputs=starts[0], count_inputs=len(kinds[0]), outputs=starts[1], count_outputs=len(kinds[1]),
            derivatives=starts[2], count_derivatives=len(kinds[2]),
        )  # fmt: skip
        totals_at, place = Frame._fields.index("totals"), _place(frame)
        known: list[Any] = [None] * len(tables)  # the strides of the arrays of the last call
        words = tables.reshape(-1).data  # faster than the array, for single words
        last: Any = None  # the totals of the last call, often the same array again
        blocks: Any = partial(run, place)
        blocks.kept = self, batch, d, grad, tables, frame  # keeps them alive: the machine code has their addresses
        guarded = partial(_raising, blocks) if self.callbacks else blocks

        def of(arrays: list[Numbers], totals: Numbers) -> Blocks:
            nonlocal last
            for k, array in enumerate(arrays):
                strides = array.strides
                if known[k] != strides:
                    known[k] = row, column = strides
                    tables[k, 1 : TABLE - 3] = row // 8, column // 8, array.shape[1]
                words[k * TABLE] = _place(array)
            if totals is not last:
                last, frame[totals_at] = totals, _place(totals)
            return guarded

        return of

    def _frame(self, forth: Numbers, way: Way | None, d: Numbers, grad: Numbers, **more: int) -> Numbers:
        lines_back, silent, chooses, _ = way or (self.code[:0], self.index[:0], False, None)
        return np.array(
            Frame(
                kernels=_place(self.places), line=self.code.shape[1], forth=_place(forth), lines_forth=len(forth),
                back=_place(lines_back), lines_back=len(lines_back), indices=_place(self.index), numbers=_place(d),
                slopes=_place(grad), size=self.program.size, first=self.first, silent=_place(silent),
                count_silent=len(silent), chooses=chooses, **more,
            ),
            dtype=np.int64,
        )  # fmt: skip

    def of(self, program: Program) -> Kernels:
        """Return a runner of the same kind for another program."""
        return Kernels(program)

    def way(self, steps: Steps, silent: Numbers) -> Way:
        """Return the code of the way back, with marks at the operands that need derivatives."""
        code, kept = self.code[[k for k, _ in steps]], list[object]()
        for line, (k, needed) in zip(code, steps, strict=True):
            n = len(self.program.instructions[k].operands)
            line[HEAD + FIELDS - 1 : HEAD + FIELDS * n : FIELDS] = needed[:n]
            if (scan := self.program.instructions[k].scan) is not None:
                line[HEAD - 1] = self._loop(scan, back(scan, self, needed[:n], needed[n:]), kept)
        return Way(code, silent, chooses(self.program, steps), kept)

    def _loop(self, scan: Scan, parts: list[Part], kept: list[object]) -> int:
        """Return the address of the words that describe a loop to its kernel.

        `kept` gets the arrays that must stay alive, because the words have their addresses.
        """
        words = [scan.steps, scan.closed, scan.carry, scan.item, scan.y, scan.counted, len(parts)]
        for part in parts:
            body = part.runner
            if body.program.size + body.scratch > self.scratch:
                raise AssertionError(f"{self.program.name}: a loop's body has no scratch space")
            frame = body._frame(body.code, part.way, body.places, body.places)
            ends = np.stack([part.outputs, part.slots], axis=1, dtype=np.int64)
            constants = body.program.constants
            words += [part.steps, _place(frame), _place(constants), len(constants), _place(ends), len(ends)]
            kept += [part, frame, ends]
            self.bodies.append(body)
            self.callbacks += body.callbacks
        made = np.array(words, dtype=np.int64)
        kept.append(made)
        return _place(made)

    def __reduce__(self) -> tuple[type[Kernels], tuple[Program]]:
        return Kernels, (self.program,)


def _place(array: Any) -> int:
    """Return the address of an array's numbers."""
    try:
        return ctypes.addressof(FIRST(array))
    except (TypeError, ValueError):  # the array is read-only, empty, or not contiguous
        place: int = array.__array_interface__["data"][0]  # faster than `array.ctypes`
        return place


# Calls back into Python.

_raised = threading.local()  # the error of a called Python function, for each thread


def _raising(task: Callable[..., None], *args: object) -> None:
    """Run a task, and raise the error that a Python function has raised in it."""
    before = vars(_raised).pop("error", None)  # the error of an outer task, if a Python function of it runs this task
    hook = sys.unraisablehook
    sys.unraisablehook = partial(_noted, hook)
    try:
        task(*args)
    finally:
        sys.unraisablehook = hook
    error = vars(_raised).pop("error", None)
    if before is not None:
        _raised.error = before
    if error is not None:
        raise error


def _noted(hook: Callable[[Any], object], unraisable: Any) -> None:
    """Note an error, such as an interrupt, that came just before or just after the lines of a function."""
    if "ctypes callback" in (unraisable.err_msg or ""):
        vars(_raised).setdefault("error", unraisable.exc_value)
    else:
        hook(unraisable)


def _called_back(op: Op) -> Any:
    """Return a row's function as a function of C; it returns nan where Python's raises an error."""
    function = op.limit.function

    def call(*xs: float) -> float:
        try:
            return nan if hasattr(_raised, "error") else float(function(*xs))
        except BaseException as error:
            vars(_raised).setdefault("error", error)
            return nan

    return ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_double] * len(op.rules))(call)


# Find, load and compile kernels.

_PLACES: dict[Key, int] = {}
_KEPT: list[object] = []  # keeps the loaded objects alive
_LOCK = threading.RLock()
if hasattr(os, "register_at_fork"):  # a child process must not begin during a compilation
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


def _found(wanted: Mapping[Key, Op | str | None], name: str) -> dict[Key, int]:
    """Return the addresses of kernels; make the kernels that the process does not have yet, as one object."""
    with _LOCK:
        lacking = {key: wanted[key] for key in sorted(wanted) if key not in _PLACES}
        if lacking:
            _make(lacking, name)
        return _PLACES


def _make(lacking: Mapping[Key, Op | str | None], name: str) -> None:
    from .machine import Loaded, identity

    refused: dict[Op, str] = {}
    symbols = {key: f"k{i}" for i, key in enumerate(lacking)}
    lasting = all(is_lasting(text) for _, text in lacking)
    key = hashlib.sha256("\n".join([_version(), identity(), *map(str, lacking)]).encode()).hexdigest()[:32]
    code = files.read(key) if lasting else None
    if code is None:
        from .builder import compiled

        code, refused = compiled({symbols[k]: (k[0], kind) for k, kind in lacking.items()})
        refused = {row: reason for row, reason in refused.items() if row.is_custom}
        if lasting and not refused:  # else the next process would not warn
            files.write(key, code)
    loaded = Loaded(code)
    _KEPT.append(loaded)
    _PLACES.update({key: loaded.place(symbol) for key, symbol in symbols.items()})
    for row, reason in refused.items():
        frame = users_frame()
        message = f"{name}: Python computes {row} number by number: {reason}"
        warnings.warn_explicit(message, UserWarning, frame.f_code.co_filename, frame.f_lineno)


@cache
def _version() -> str:
    """Return a hash of Python's version and of the sources that decide how machine code is made."""
    here = Path(__file__).parent
    found = hashlib.sha256(sys.version.encode())
    rows = [here.parent / f"{name}.py" for name in ("op", "ops", "source", "special")]
    for source in [*rows, *sorted(here.glob("*.py"))]:
        found.update(source.read_bytes())
    return found.hexdigest()


def runner(program: Program, use: str | None = None) -> Runner:
    """Return the runner of a program: machine code if llvmlite is installed, else NumPy.

    Args:
        use: `"llvm"`, with an error if llvmlite is missing; `"numpy"`; or None for machine code where possible.
    """
    if use == "numpy":
        return Arrays(program)
    try:
        import llvmlite.binding  # noqa: F401
    except ImportError:
        reason = 'this needs llvmlite: pip install ".[fast]"'
    else:
        if Path(__file__).with_suffix(".py").exists():
            return Kernels(program)
        reason = "machine code needs the package's Python files, which are not installed"
    if use == "llvm":
        raise ImportError(reason)
    return Arrays(program)
