r"""Kernels: what runs instructions.

This room owns two interpreters of a program's instructions. One is Numba's: the loops that `loops` writes
out, compiled and kept in a cache folder, so that a machine compiles them once. The other runs the same
instructions on NumPy arrays, where Numba is not installed or cannot take a function. Numbers that leave a
domain follow IEEE arithmetic in both. It must not know how instructions were found.
"""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from threading import RLock
from time import perf_counter
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..files import write_whole
from ..ops import Op, Traced
from ..uncompiled import load_file
from .lift import Instruction, Program
from .loops import FIELDS, FRAME, LINE, PLACES, driver, in_table, is_arithmetic, is_beyond, kernel, name_of, written

__all__ = ["Batch", "Blocks", "Runner", "Task", "runner"]


Blocks = Callable[[int, int], None]  # from one to before another
Task = Callable[[], None]  # on arrays that were given, and must be there as long as it is run


class Runner(Protocol):
    """What runs a program's instructions on an array of its numbers, and on one of their derivatives."""

    room: int  # how many numbers more the arrays must have, for its own use

    def way_back(self, z: int, wanted: list[slice]) -> Way:
        """Return the way backward from number z to the inputs in some stretches."""

    def forward(self, d: Any) -> Task:
        """Return what fills the array of numbers, from the inputs and constants that stand in it."""

    def backward(self, d: Any, grad: Any, z: int, way: Way) -> Task:
        """Return what leaves the derivatives of number z in the places of the inputs that are wanted.

        Places of results hold -0.0 on entry and on return; places of other inputs are undefined.
        """

    def both(self, d: Any, grad: Any, z: int, way: Way) -> Task:
        """Return what does one after the other."""

    def batch(self, batch: Batch, threads: int) -> list[Blocks]:
        """Return what runs blocks of a batch's examples, for each thread its own."""


class Way(NamedTuple):
    """The way backward through a program."""

    code: Any  # of the runner: the instructions on it, in their order
    silent: Any  # the places of inputs that are wanted and get no derivative: it is 0
    chooses: bool  # whether an instruction hands its derivative to one of several numbers, and nothing to the others

    def finish(self, slopes: Any, places: Any = None) -> None:
        """Make 0.0 of the -0.0 that the inputs have, or those at some places, which got nothing."""
        slopes[self.silent if places is None else np.isin(places, self.silent)] = 0.0
        if self.chooses:
            slopes += 0.0

    @property
    def finishes(self) -> bool:
        """Return whether there is anything to finish."""
        return self.chooses or self.silent.size > 0


def _way_back(program: Program, z: int, wanted: list[slice]) -> tuple[list[tuple[int, list[bool]]], Any]:
    """Return the instructions on the way from number z to some inputs, and the inputs that get nothing.

    With each instruction stand the operands that a derivative which is wanted goes to. None goes along an edge whose
    rule is the constant 0.
    """
    active = np.zeros(program.size, dtype=bool)  # depends on an input that is wanted
    for stretch in wanted:
        active[stretch] = True
    sources = active.copy()
    places, needed = [], []
    for i in program.instructions:
        places.append([i.index] if i.kind == "gather" else _addresses(i)[1])
        if i.kind in ("dot", "take"):  # the number that a dot begins with, or which one is taken, has no terms
            last = len(places[-1]) - 1 if i.kind == "take" else 2
            places[-1][last:] = [place[:, :, :1] for place in places[-1][last:]]
        needed.append([k not in i.stops and bool(active[place].any()) for k, place in enumerate(places[-1])])
        if any(needed[-1]):
            active[i.start : i.start + i.count] = True
    reached = np.zeros(program.size, dtype=bool)  # gets a derivative
    reached[z] = True
    steps = []
    for k in range(len(needed) - 1, -1, -1):
        i = program.instructions[k]
        if reached[i.start : i.start + i.count].any():  # also without a need: it clears what it has got
            steps.append((k, needed[k]))
            for place, asked in zip(places[k], needed[k], strict=True):
                if asked or i.kind == "gather":  # which hands all on
                    reached[place] = True
    return steps[::-1], np.flatnonzero(sources & ~reached)


def _chooses(program: Program, steps: list[tuple[int, list[bool]]]) -> bool:
    return any(program.instructions[k].kind == "take" for k, _ in steps)


class Batch(NamedTuple):
    """Many examples: what varies are columns of `tables`, of the inputs `mapped`, and what does not is in `numbers`.

    Every number of the program has `width` lanes, of as many examples. Results of each example are left in
    `results`, and its derivatives in `slopes`; those in the inputs `same` are summed over each block,
    in `totals`, so that they do not depend on who ran which block. Without derivatives z is -1.
    """

    numbers: Any  # the inputs that do not vary, the constants, and room for results
    width: int
    tables: list[Any]  # an example a row
    mapped: Any
    same: Any
    outputs: Any
    results: Any
    slopes: Any
    totals: Any
    z: int
    way: Way | None


class _Loops:
    """Numba's loops."""

    def __init__(self, program: Program) -> None:
        self.first = program.inputs + len(program.constants)
        kinds: dict[Op | str, int] = {}
        lines: list[list[int]] = []
        indices: list[Any] = [np.empty(0, dtype=np.int64)]
        offset = 0
        for i in program.instructions:
            kind = kinds.setdefault(i.op or i.kind, len(kinds))
            line = [kind, i.start, i.rows, i.columns, i.length]
            if i.kind == "gather":
                line.append(offset)
                indices.append(i.index)
                offset += i.index.size
            for access in i.operands:
                line += [*access, 1]
            if i.kind == "dot" and len(i.operands) > 2:
                line[-2] = 1  # it begins with a number, which has no terms to step along
            lines.append(line + [0] * (LINE - len(line)))
        self.kinds = tuple(kinds)
        self.code = np.array(lines, dtype=np.int64).reshape(len(lines), LINE)
        self.index = np.concatenate(indices)
        self.program = program
        self.size = program.size
        self.room = max((i.columns * i.length for i in program.instructions if i.kind == "dot"), default=0)
        self._load()

    def _load(self) -> None:
        # Where the kernels are, forward and backward; of those for batches none yet.
        self.kernels, self.lanes = (np.zeros((len(self.kinds), 2), dtype=np.int64) for _ in range(2))
        self._compile("forward", self.kinds)
        # What Numba cannot take must be known now; that it takes the package's own is known.
        self._compile("backward", tuple(kind for kind in self.kinds if not _is_ours(kind)))
        self._run = _driver(lanes=False)

    def _compile(self, way: str, kinds: tuple[Op | str, ...], *, lanes: bool = False) -> None:
        """Find the kernels of some kinds that are not there yet."""
        column = (self.lanes if lanes else self.kernels)[:, ("forward", "backward").index(way)]
        lacking = tuple(kind for kind in kinds if not column[self.kinds.index(kind)])
        for kind, place in _addresses_of(way, lacking, lanes=lanes).items():
            column[self.kinds.index(kind)] = place

    def forward(self, d: Any) -> Task:
        """Return what fills the array of numbers, from the inputs and constants that stand in it."""
        return self._task(self.code, self.code[:0], d, d, -1)

    def backward(self, d: Any, grad: Any, z: int, way: Way) -> Task:
        """Return what leaves the derivatives of number z in the places of the inputs that are wanted."""
        return self._task(self.code[:0], way.code, d, grad, z)

    def both(self, d: Any, grad: Any, z: int, way: Way) -> Task:
        """Return what does one after the other."""
        return self._task(self.code, way.code, d, grad, z)

    def _task(self, forth: Any, back: Any, d: Any, grad: Any, z: int) -> Task:
        return partial(self._run, self._frame(self.kernels, forth, back, d, grad, self.size, z))

    def _frame(self, kernels: Any, forth: Any, back: Any, d: Any, grad: Any, room: int, z: int, **more: int) -> Any:
        named = {
            "KERNELS": _place(kernels), "INDEX": _place(self.index), "NUMBERS": _place(d), "SLOPES": _place(grad),
            "FORTH": _place(forth), "LINES_FORTH": len(forth), "BACK": _place(back), "LINES_BACK": len(back),
            "ROOM": room, "FIRST": self.first, "END": z, **more,
        }  # fmt: skip
        return np.array([named.get(name, 0) for name in FRAME], dtype=np.int64)

    def way_back(self, z: int, wanted: list[slice]) -> Way:
        """Return the code of the instructions on the way, with marks at the operands that derivatives go to."""
        self._compile("backward", self.kinds)
        steps, silent = _way_back(self.program, z, wanted)
        code = self.code[[k for k, _ in steps]]
        for line, (_, needed) in zip(code, steps, strict=True):
            line[4 + FIELDS : 5 + FIELDS * len(needed) : FIELDS] = needed
        return Way(code, silent, _chooses(self.program, steps))

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
        for way in ("forward", "backward") if z >= 0 else ("forward",):
            self._compile(way, self.kinds, lanes=True)
        run = _driver(lanes=True)
        back = batch.way.code if batch.way is not None else self.code[:0]
        tasks: list[Blocks] = []
        for _ in range(threads):
            d = np.repeat(batch.numbers[:, None], width, axis=1)
            grad = np.full_like(d, -0.0) if z >= 0 else d
            frame = self._frame(self.lanes, self.code, back, d, grad, width, z, **more)
            tasks.append(partial(_blocks, run, frame, (self, shared, tables, back, d, grad)))
        return tasks

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_run", "kernels", "lanes")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._load()


def _blocks(run: Any, frame: Any, kept: Any, first: int, last: int) -> None:
    """Run blocks, and keep the arrays of which the frame has the addresses."""
    run(first, last, frame)


def _place(array: Any) -> int:
    """Return where an array's numbers are."""
    return int(array.ctypes.data)


def _is_ours(kind: Op | str) -> bool:
    """Say whether a kernel is the package's and not of a row of one's own."""
    return isinstance(kind, str) or in_table(kind)


_COMPILING = RLock()  # one kernel is one: of two that threads make, the one that is dropped would lose its code


def _addresses_of(way: str, kinds: tuple[Op | str, ...], *, lanes: bool) -> dict[Op | str, int]:
    """Return where the kernels are; those that the machine does not have yet are compiled."""
    found = {}
    start, shown = perf_counter(), None
    for kind in kinds:
        with _COMPILING:
            found[kind] = _kernel(way, kind, lanes=lanes).address
        if perf_counter() - start > 1.0 and shown is None:
            from tqdm.auto import tqdm

            shown = tqdm(
                total=len(kinds), initial=len(found) - 1, desc=f"compiling {way} loops, kept for next time", leave=False
            )
        if shown is not None:
            shown.update()
    if shown is not None:
        shown.close()
    return found


@cache
def _kernel(way: str, kind: Op | str, *, lanes: bool) -> Any:
    """Return what does one kind of instruction, `forward` or `backward`, compiled."""
    from numba import cfunc

    from .vectors import KERNEL

    made, kept = _module_of(kind, lanes=lanes)
    return cfunc(KERNEL, cache=kept, error_model="numpy")(getattr(made, way))


@cache
def _module_of(kind: Op | str, *, lanes: bool) -> tuple[ModuleType, bool]:
    ops = () if isinstance(kind, str) or in_table(kind) else (kind, *kind.rules)
    own = {name_of(op): _guarded(op) for op in ops if isinstance(op, Op) and not in_table(op)}
    return _loaded(kernel(kind, lanes=lanes), own)


def _guarded(op: Op) -> Any:
    """Return a function of one's own for Numba, which gives nan where it raises an error."""
    from numba import njit

    names = ", ".join(f"x{k}" for k in range(op.arity))
    text = (
        f"def guarded({names}):\n    try:\n        return float(f({names}))\n    except Exception:\n        return NAN"
    )
    room: dict[str, Any] = {"f": njit(error_model="numpy")(op.function), "NAN": math.nan}
    exec(text, room)
    return njit(error_model="numpy")(room["guarded"])


@cache
def _driver(*, lanes: bool) -> Any:
    """Return what runs instructions one after the other, compiled."""
    from numba import njit

    made, kept = _loaded(driver(lanes=lanes), {})
    return njit(cache=kept, nogil=True)(made.run)


def _loaded(text: str, own: dict[str, Any]) -> tuple[ModuleType, bool]:
    """Return a module of loops, and whether what is compiled of it can be kept: it is in the cache folder then."""
    if not own:
        version = text.encode() + Path(__file__).with_name("vectors.py").read_bytes()
        name = f"kernels_{hashlib.sha256(version).hexdigest()[:16]}"
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autograd_mini"
        path = folder / f"{name}.py"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(folder)
            if not path.exists():
                write_whole(path, text.encode())
        except OSError:  # no place to keep it
            pass
        else:
            return load_file(name, path), True  # a name by which Numba finds it again
    made = ModuleType("kernels")
    vars(made).update(own)
    exec(text, vars(made))  # of our own making
    return made, False


UNLIKE = frozenset({"maximum", "minimum"})  # of NumPy's functions: they may take -0.0 for 0.0


class _Arrays:
    """NumPy's arrays, for the same instructions."""

    room = 0

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps = [(i, *_addresses(i)) for i in program.instructions]
        self.first = program.inputs + len(program.constants)

    def forward(self, d: Any) -> Task:
        """Return what fills the array of numbers, from the inputs and constants that stand in it."""
        return partial(self._forward, d)

    def backward(self, d: Any, grad: Any, z: int, way: Way) -> Task:
        """Return what leaves the derivatives of number z in the inputs' places."""
        return partial(self._backward, d, grad, z, way)

    def both(self, d: Any, grad: Any, z: int, way: Way) -> Task:
        """Return what does one after the other."""

        def both() -> None:
            self._forward(d)
            self._backward(d, grad, z, way)

        return both

    def _forward(self, d: Any) -> None:
        with np.errstate(all="ignore"):
            for i, out, operands in self.steps:
                if i.kind == "gather":
                    d[out] = d[i.index]
                elif i.op is not None:
                    d[out] = _applied_to_arrays(i.op, [d[place][:, :, 0] for place in operands])
                elif i.kind == "take":
                    table, (at, inside) = operands[0], _chosen(i, d[operands[1][:, :, 0]])
                    d[out] = np.where(inside, d[_along(table, at)], math.nan)
                else:
                    terms = d[operands[0]] if i.kind == "sum" else d[operands[0]] * d[operands[1]]
                    started = len(operands) > 2
                    total = d[operands[2]][:, :, 0] if started else terms[:, :, 0]
                    for j in range(not started, i.length):  # from left to right, as the loops
                        total = total + terms[:, :, j]
                    d[out] = total

    def way_back(self, z: int, wanted: list[slice]) -> Way:
        """Return the steps on the way, with the operands that derivatives go to."""
        steps, silent = _way_back(self.program, z, wanted)
        return Way([(*self.steps[k], needed) for k, needed in steps], silent, _chooses(self.program, steps))

    def _backward(self, d: Any, grad: Any, z: int, way: Way) -> None:
        grad[:] = -0.0  # to which anything can be added, a -0.0 too
        grad[z] = 1.0
        with np.errstate(all="ignore"):
            for i, out, operands, needed in reversed(way.code):
                g = grad[out]
                if i.kind == "gather":
                    np.add.at(grad, i.index, g)
                elif i.kind == "sum":
                    np.add.at(grad, operands[0], g[:, :, None])
                elif i.kind == "take":
                    table, (at, inside) = operands[0], _chosen(i, d[operands[1][:, :, 0]])
                    np.add.at(grad, _along(table, at), np.where(inside, g, -0.0))
                elif i.kind == "dot":
                    a, b = (d[place] for place in operands[:2])
                    terms = (g[:, :, None] * b, g[:, :, None] * a, g[:, :, None])
                    for place, term, asked in zip(operands, terms, needed, strict=False):
                        if asked:
                            np.add.at(grad, place[:, :, : term.shape[2]], term)
                elif i.op is not None:
                    xs = [_Array(d[place][:, :, 0]) for place in operands]
                    for rule, place, asked in zip(i.op.rules, operands, needed, strict=True):
                        if asked:
                            slope = rule(*xs, _Array(d[out]))
                            np.add.at(grad, place[:, :, 0], g * (slope.x if isinstance(slope, _Array) else slope))
        grad[self.first :] = -0.0  # results have handed theirs on

    def batch(self, batch: Batch, threads: int) -> list[Blocks]:
        """Return what runs blocks of a batch's examples, for each thread its own."""
        return [self._blocks(batch) for _ in range(threads)]

    def _blocks(self, batch: Batch) -> Blocks:
        d, grad = batch.numbers.copy(), np.empty(len(batch.numbers))
        X = np.concatenate(batch.tables, axis=1)

        def run(first: int, last: int) -> None:
            for block in range(first, last):
                for k in range(block * batch.width, min((block + 1) * batch.width, len(X))):
                    d[batch.mapped] = X[k]
                    self._forward(d)
                    batch.results[:, k] = d[batch.outputs]
                    if batch.way is not None:
                        self._backward(d, grad, batch.z, batch.way)
                        batch.slopes[:, k] = grad[batch.mapped]
                        batch.totals[block] += grad[batch.same]

        return run


def _chosen(i: Instruction, at: Any) -> tuple[Any, Any]:
    """Return the terms that a take chooses, and which of the choices there are."""
    inside = (at >= 0) & (at < i.length) & (at == np.floor(at))
    return np.where(inside, at, 0).astype(np.int64), inside


def _along(table: Any, at: Any) -> Any:
    return np.take_along_axis(table, at[:, :, None], axis=2)[:, :, 0]


def _addresses(i: Instruction) -> tuple[Any, list[Any]]:
    """Return the slots of the results, rows by columns, and of each operand, with its terms as a third axis."""
    r, c, j = np.ogrid[: i.rows, : i.columns, : i.length]
    places = [a.base + a.outer * r + a.inner * c + a.along * j for a in i.operands]
    shape = (i.count,) if i.kind == "gather" else (i.rows, i.columns)
    return i.start + np.arange(i.count).reshape(shape), places


class _Array(Traced):
    """A recorder that computes a rule on arrays."""

    __slots__ = ("x",)
    first_order = True

    def __init__(self, x: Any) -> None:
        self.x = x

    def record(self, op: Op, operands: tuple[Any, ...]) -> _Array:
        return _Array(
            _applied_to_arrays(op, [x.x if isinstance(x, _Array) else np.asarray(float(x)) for x in operands])
        )


def _applied_to_arrays(op: Op, xs: list[Any]) -> Any:
    """Apply a row to arrays: by NumPy's function of the name, or number by number."""
    if in_table(op):
        if is_arithmetic(op):
            return _arithmetic(op)(*xs)
        if op.name not in UNLIKE:
            for name in op.methods:  # under which NumPy asks the elements of an object array
                if isinstance(ufunc := getattr(np, name, None), np.ufunc):
                    return ufunc(*xs)
    function = op.limit.function
    return np.vectorize(lambda *numbers: function(*map(float, numbers)), otypes=[float])(*xs)


@cache
def _arithmetic(op: Op) -> Any:
    """Return a row that is arithmetic as a function of arrays."""
    places = list(PLACES[: op.arity])
    return eval(f"lambda {', '.join(places)}: {written(op, places)}")  # of the table's own text


def runner(program: Program, use_numba: bool | None = None) -> Runner:
    """Return what runs a program: Numba's loops where it is installed and can take all rows.

    Args:
        use_numba: False for NumPy in any case; True to have an error where Numba cannot be used.
    """
    if use_numba is False:
        return _Arrays(program)
    try:
        import numba
    except ImportError:
        if use_numba:
            raise ImportError('this needs Numba: pip install "autograd_mini[fast]"') from None
        return _Arrays(program)
    ops = {i.op for i in program.instructions if i.op is not None}
    reason = next((f"{op} is beyond it" for op in ops if is_beyond(op)), "")
    if not reason:
        try:
            return _Loops(program)
        except numba.core.errors.NumbaError as error:
            reason = str(error).splitlines()[0]
    if use_numba:
        raise ValueError(f"{program.name}: Numba cannot take it: {reason}")
    warnings.warn(f"{program.name}: NumPy runs it, for Numba cannot take it: {reason}", stacklevel=3)
    return _Arrays(program)
