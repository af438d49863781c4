"""Batches: one program for many examples, side by side in lanes, and on several threads.

This module has the ways to call a function of batches. A later call with the same structure and sizes of arguments uses
the data that an earlier call has prepared. Examples that branch differently run in groups. The module `plans` cuts a
batch into blocks, and `lanes` makes the program of a block.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..given import count, whole_argnums
from ..node import assignments
from ..ops import TOO_LARGE
from ..settings import in_force, is_differentiating, is_traced
from ..structure import LEAF, Structure, Tree, flatten, holds, is_array, map_leaves
from ..transform import hessian, hvp, jacobian, jvp
from ..value import Value
from . import nested
from .arguments import GivenValue, parted, typed
from .axes import Axes, InAxes, depth_of, each_of, example_of, examples_first, is_plain, is_table, mapped, read_examples
from .parameters import Argnums, after_instance, with_name
from .plans import MAX_KEPT, Places, Work, kept_in, places_of, tables_of
from .scan_rows import counts_steps
from .separate import recorded

if TYPE_CHECKING:
    from ..pictures.drawing import Drawing
    from .arguments import Layout, Numbers
    from .compiler import Compiled
    from .programs import Programs
    from .specialization import GradientRequest, Specialization

MAX_GROUPS = 64  # of examples that branch alike; all further examples are run one by one
MAX_CALLS = 16  # structures and sizes of arguments whose calls are prepared


class Batched:
    """A compiled function of batches; made by `Compiled.vmap`.

    A call records the function for each example and returns arrays of Values if an argument is a Value, or if the call
    is made inside a function that is differentiated or traced; see `Compiled.__call__`.

    Results and derivatives own their memory: no later call changes them.
    """

    def __init__(
        self,
        compiled: Compiled,
        in_axes: InAxes,
        threads: int,
        inner: Batched | None = None,
        first: tuple[Tree, ...] = (),
    ) -> None:
        self.compiled, self.name = compiled, compiled.name
        self.threads = count("vmap: threads", threads)
        self._programs = compiled._programs
        self._in_axes = in_axes
        self._axes: dict[int, list[Axes]] = {}  # by the number of arguments; None for a static or keyword-only one
        self._first = first  # the instance of a method, before the arguments of a call; all examples share it
        self._by_name = len(self._programs.parameters.by_name)  # keyword-only arguments, which in_axes does not have
        self._levels: list[Batched] = [self] if inner is None else [self, *inner._levels]

    def __call__(self, *args: Tree, **kwargs: Tree) -> Tree:
        """Return the results of all examples, counted along the first axis of each array.

        Raises:
            ValueError: the arrays have different numbers of examples, or no argument varies.
        """
        return self._given(args, None, kwargs)[0]

    def value_and_grad(self, *args: Tree, argnums: int | Sequence[int] = 0, **kwargs: Tree) -> tuple[Tree, Tree]:
        r"""Return the values of all examples, and the gradient of their sum, $\nabla \sum_i f(x^{(i)})$.

        For an argument that varies, the gradient has one gradient for each example, along the first axis.

        >>> from autograd_mini import compile
        >>> compile(lambda w, x: w * x).vmap((None, 0)).value_and_grad(3.0, [1.0, 2.0], argnums=(0, 1))
        (array([3., 6.]), (3.0, array([3., 3.])))
        """
        return self._given(args, whole_argnums(self.name, argnums), kwargs)

    def grad(self, *args: Tree, argnums: int | Sequence[int] = 0, **kwargs: Tree) -> Tree:
        """Return the gradient alone; see `value_and_grad`.

        >>> from autograd_mini import compile
        >>> compile(lambda w, x: w * x).vmap((None, 0)).grad(3.0, [1.0, 2.0])
        3.0
        """
        return self._given(args, whole_argnums(self.name, argnums), kwargs)[1]

    def jvp(self, primals: Sequence[Tree], tangents: Sequence[Tree]) -> tuple[Tree, Tree]:
        r"""Return the results of all examples and, for each example, the derivative along its tangents, $J t$.

        >>> from autograd_mini import compile
        >>> compile(lambda w, x: w * x * x).vmap((None, 0)).jvp((3.0, [1.0, 2.0]), (0.0, [1.0, 1.0]))
        (array([ 3., 12.]), array([ 6., 12.]))
        """
        return self._along(jvp, primals, tangents)  # type: ignore[no-any-return]  # a pair

    def hvp(self, primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
        r"""Return the Hessian times the tangents, $H t$, for each example.

        >>> from autograd_mini import compile
        >>> compile(lambda x: x**3).vmap().hvp(([1.0, 2.0],), ([1.0, 0.5],))
        array([6., 6.])
        """
        return self._along(hvp, primals, tangents)

    def jacobian(self, *args: Tree, argnums: int | Sequence[int] = 0, **kwargs: Tree) -> Tree:
        r"""Return all $\partial z_i / \partial x_j$ for each example; see `autograd_mini.jacobian`.

        >>> from autograd_mini import compile
        >>> compile(lambda x: [x * x, 3 * x]).vmap().jacobian([1.0, 2.0])
        [array([2., 4.]), array([3., 3.])]
        """
        places: Any = after_instance(self.name, argnums) if self._first else argnums
        derived = self._derived(f"jacobian {places}", lambda f: jacobian(f, places), self.compiled._static)
        return derived(*args, **kwargs)

    def hessian(self, *args: Tree, argnums: int | Sequence[int] = 0, **kwargs: Tree) -> Tree:
        r"""Return all $\partial^2 f / \partial x_i \partial x_j$ for each example.

        >>> from autograd_mini import compile
        >>> compile(lambda x: x**3).vmap().hessian([1.0, 2.0])
        array([ 6., 12.])
        """
        places: Any = after_instance(self.name, argnums) if self._first else argnums
        derived = self._derived(f"hessian {places}", lambda f: hessian(f, places), self.compiled._static)
        return derived(*args, **kwargs)

    def vmap(self, in_axes: InAxes = 0, threads: int | None = None) -> Batched:
        """Return the function of batches of batches. In its results, the first axis counts the outer examples.

        `in_axes` has the axes that count the outer examples. The inner axes are counted without them.

        >>> from autograd_mini import compile
        >>> table = compile(lambda x, y: x * y).vmap((None, 0)).vmap((0, None))
        >>> table([1.0, 2.0], [10.0, 20.0, 30.0])
        array([[10., 20., 30.],
               [20., 40., 60.]])
        """
        return Batched(self.compiled, in_axes, self.threads if threads is None else threads, self, self._first)

    def flat(self, in_axes: InAxes) -> Batched:
        """Return the function of one batch of the examples of all levels. `in_axes` has keyword-only arguments, too."""
        made = Batched(self.compiled, in_axes, self.threads)
        made._by_name = 0
        return made

    def __repr__(self) -> str:
        from .vectorised import forward_sheet

        texts = []
        for specialization in self._programs.all():
            try:
                varies = self._varies(specialization)
            except (TypeError, ValueError):  # a program of other arguments, which in_axes does not fit
                continue
            texts.append(str(forward_sheet(specialization.trace, specialization.program, varies)))
        return "\n\n".join(texts) or f"{self.name}: not compiled yet; the first call compiles it"

    def written_backward(self, argnums: int | Sequence[int] | None = None) -> str:
        """Write the backward program on all examples, as lines of NumPy: the derivatives of the sum of the results.

        Args:
            argnums: the arguments to differentiate with respect to; None for all.

        Raises:
            TypeError: the function returns more than one number.
            LookupError: nothing has been compiled yet, or for more than one structure.

        >>> import numpy as np
        >>> from autograd_mini import compile
        >>> f = compile(lambda W, x: (W @ x).sum()).vmap((None, 0))
        >>> f(np.ones((5, 3)), np.ones((2, 3)))
        array([15., 15.])
        >>> print(f.written_backward(argnums=0))
        <lambda>, backward, for m examples at once
          # inputs: W 5×3, X m×3
          dV1 = ones((m, 5))  # m×5
          dW = dV1.T @ X  # 5×3
        """
        from .vectorised import backward_sheet

        one = self.compiled._one(())
        return str(backward_sheet(one.trace, one.program, self._varies(one), argnums))

    def draw(self, rankdir: str = "LR") -> Drawing:
        """Return the picture of the program on all examples.

        Args:
            rankdir: `"LR"`, left to right, or another of Graphviz's directions.

        Raises:
            ValueError: the program has too many lines for a picture.
            LookupError: nothing has been compiled yet, or for more than one structure.
        """
        from .picture import drawn_sheet  # brings graphviz
        from .vectorised import forward_sheet

        one = self.compiled._one(())
        return drawn_sheet(forward_sheet(one.trace, one.program, self._varies(one)), rankdir)

    def _varies(self, specialization: Specialization) -> Numbers:
        """Return, for each input of a program, whether it differs between examples."""
        layout, n = specialization.layout, specialization.count
        varies = np.zeros(layout.size, dtype=bool)

        def note(place: int | Numbers, axis: int | None) -> None:
            varies[place] |= axis is not None

        by_name = specialization.axes_by_name or [None] * self._by_name
        for level in self._levels:
            axes = [*level._known_axes(n)[: n - self._by_name], *by_name]
            for k, place in enumerate(parted(self._programs.static, n)[1]):
                mapped(self.name, note, layout.reader(k, np.arange(layout.size))(), axes[place], is_array)
        return varies

    def _along(self, transform: Callable[..., Tree], primals: Sequence[Tree], tangents: Sequence[Tree]) -> Tree:
        """Return a derivative of each example along its tangents."""
        name, n = transform.__name__, len(primals)
        if self._first or self.compiled._static:
            raise ValueError(
                f"{name}: there are static arguments, or an instance; bind them first, by functools.partial"
            )

        def derive(f: Callable[..., Tree]) -> Callable[..., Tree]:
            return lambda primals, tangents: transform(f, primals, tangents)

        return self._derived(f"{name} of a batch", derive, (), n)(tuple(primals), tuple(tangents))

    def _derived(self, key: str, derive: Callable[..., Tree], static: tuple[int, ...], along: int = 0) -> Batched:
        """Return the batched form of a derived function. With `along`, it takes that many primals, and tangents."""
        compiled = self.compiled._derive(key, lambda f: with_name(f"{key} of {self.name}")(derive(f)), static)
        made: Batched | None = None
        for level in reversed(self._levels):
            axes = level._in_axes
            if along:
                axes = (tuple(each_of(self.name, axes, along)),) * 2
            made = Batched(compiled, axes, level.threads, made, self._first)
        assert made is not None
        return made

    def _given(self, args: tuple[Tree, ...], argnums: Argnums, kwargs: dict[str, Tree]) -> tuple[Tree, Tree]:
        """Run a call, with all its arguments at their places, or record it."""
        parameters = self._programs.parameters
        if self._first:
            args, argnums = (*self._first, *args), after_instance(self.name, argnums)
        if kwargs or parameters.by_name:
            args = parameters.placed(args, kwargs, argnums)
            if argnums is not None:
                argnums = parameters.counted(argnums, len(args))
        if not (in_force.count and (is_differentiating() or is_traced())):
            try:
                return self._run(args, argnums)
            except GivenValue:
                if not holds(args, Value):  # but a function within has been given one
                    raise
        return recorded(self._levels, args, argnums)

    def _run(self, args: tuple[Tree, ...], argnums: Argnums) -> tuple[Tree, Tree]:
        """Return the results, and the gradient or None."""
        if len(self._levels) > 1:
            return nested.run(self._levels, args, argnums)
        programs = self._programs
        if assignments() != programs._checked:
            programs.drop_moved()
        call = _Call(programs, self._axes_of(args), args)
        key = call.key, argnums
        try:
            prepared = programs.prepared.get(key)
        except TypeError:  # a static argument, or the constant part of a container, cannot be hashed
            prepared = None  # the run below raises the error
        if prepared is None:
            first = call.specialize()
            if first.branches:
                return call.in_groups(first, self.threads, argnums)
            prepared = kept_in(
                programs.prepared, key, lambda: _Prepared(call, first, call.request(first, argnums)), MAX_CALLS
            )
        assert isinstance(prepared, _Prepared)
        return prepared.run(call, self.threads)

    def _known_axes(self, n: int) -> list[Axes]:
        """Return the axes of n arguments that are in in_axes. Keyword-only arguments have None."""
        axes = self._axes.get(n)
        if axes is None:
            first, by_name = len(self._first), self._by_name
            axes = [*[None] * first, *each_of(self.name, self._in_axes, n - first - by_name), *[None] * by_name]
            for k in parted(self._programs.static, n)[0]:
                axes[k] = None
            self._axes[n] = axes
        return axes

    def _axes_of(self, args: tuple[Tree, ...], level: int = 0) -> list[Axes]:
        """Return the axes of all arguments. Static arguments and an instance have None.

        In keyword-only arguments that have axes, the first axis of each level counts the examples.
        """
        n = len(args)
        axes = self._known_axes(n)
        if self._by_name:
            static, places = parted(self._programs.static, n)[0], range(n - self._by_name, n)

            def first_axis(part: Tree) -> int | None:
                return 0 if depth_of(part) > level else None

            named = [None if k in static else map_leaves(first_axis, args[k], is_table) for k in places]
            axes = [*axes[: places.start], *named]
        return axes


class _Call:
    """The arguments of one call: their numbers, with the examples first, and the key of their structure."""

    def __init__(self, programs: Programs, axes: list[Axes], args: tuple[Tree, ...]) -> None:
        self.programs, self.axes = programs, axes
        self.chunks: list[Tree] = []
        self.varying: list[bool] = []  # of each chunk
        self.static, places = parted(programs.static, len(args)) if programs.static else ([], range(len(args)))
        name, keys, self._args = programs.name, [], list(args)
        for k in places:
            x, axis = args[k], axes[k]
            if axis == 0 and is_plain(x):  # the usual case
                self.chunks.append(x)
                self.varying.append(True)
                keys.append(x.shape)
                continue
            if axis is not None:
                x = self._args[k] = examples_first(f"{name}, argument {k}", x, axis)
            keys.append(read_examples(name, x, axis, self.chunks, self.varying))
        self.key = tuple(keys), tuple(self.varying), tuple([(k, typed(args[k])) for k in self.static])

    def example(self, i: int) -> tuple[Tree, ...]:
        """Return the arguments of an example."""
        name = self.programs.name
        return tuple([example_of(name, x, axis, i) for x, axis in zip(self._args, self.axes, strict=True)])

    def specialize(self) -> Specialization:
        """Return the program of the first example, and find its places."""
        chunks = zip(self.chunks, self.varying, strict=True)
        sizes = [int(np.prod(np.shape(chunk)[varies:])) for chunk, varies in chunks]
        arrays = [chunk for chunk, varies in zip(self.chunks, self.varying, strict=True) if varies]
        if not arrays:
            name = self.programs.name
            raise ValueError(f"{name}: in_axes must have an axis for at least one argument, such as 0, not only None")
        self.tables = tables_of(self.programs.name, arrays)
        self.size = len(self.tables[0])
        self.places = places_of(self.varying, sizes)
        return self.of_example(0)

    def of_example(self, i: int) -> Specialization:
        """Return the program of an example."""
        specialization = self.programs.specialization(self.example(i), fill=True)
        self.note(specialization)
        if counts_steps(specialization.trace):  # each example might run another number of steps
            self.programs = self.programs.without_loops()
            specialization = self.programs.specialization(self.example(i), fill=True)
        return specialization

    def note(self, specialization: Specialization) -> None:
        """Store the axes of keyword-only arguments, because they may differ between calls of the program."""
        specialization.axes_by_name = self.axes[len(self.axes) - len(self.programs.parameters.by_name) :]

    def request(self, specialization: Specialization, argnums: Argnums) -> GradientRequest | None:
        """Return the gradient request for argnums, or None without argnums."""
        return None if argnums is None else specialization.request(self.programs.name, argnums)

    def require_finite(self, results: list[Numbers]) -> None:
        """Raise Python's own error if a result is nan or inf."""
        infinite = ~np.logical_and.reduce([np.isfinite(part).all(axis=1) for part in results])
        for i in np.flatnonzero(infinite).tolist():
            self.programs.specialization(self.example(i))  # which raises

    def in_groups(self, first: Specialization, threads: int, argnums: Argnums) -> tuple[Tree, Tree]:
        """Run the examples that branch alike together. Return the results and the gradient."""
        request = self.request(first, argnums)
        reader = _Reader(self, first, request)
        seat = reader.seat(self)
        results: list[Numbers] = [np.zeros((self.size, np.size(index))) for index in first.indices]
        slopes: list[Any] = [None] * len(self.tables)
        total = np.zeros(self.places.alike)
        left, groups, specialization = np.arange(self.size), 0, first
        while left.size:
            groups += 1
            group = self._alike(specialization, left, seat.shared) if groups <= MAX_GROUPS else left[:1]
            self._require_same(first, specialization, int(left[0]))
            work = Work(specialization, self.places, "outputs", self.request(specialization, argnums), len(group))
            tables = [table[group] for table in self.tables]
            parts, back = work.run(tables, seat.shared, seat.totals, threads)
            total += seat.total if argnums is not None else 0.0
            for whole, part in zip(results, parts, strict=True):
                whole[group] = part
            for k, part in enumerate(back):
                if part is not None:
                    if slopes[k] is None:
                        slopes[k] = np.zeros((self.size, part.shape[1]))
                    slopes[k][group] = part
            left = np.setdiff1d(left, group, assume_unique=True)
            if left.size:
                specialization = self.of_example(int(left[0]))
        if self.programs.check:
            self.require_finite(results)
        seat.total[:] = total
        return reader.read(seat, results, slopes)

    def _alike(self, specialization: Specialization, examples: Numbers, shared: Numbers) -> Numbers:
        """Return the examples that take all branches of a program. It is the program of the first one."""
        work = Work(specialization, self.places, "branches", None, len(examples))
        (sides,), _ = work.run([table[examples] for table in self.tables], shared, np.zeros((1, 0)), 1)
        columns = iter(sides.T)
        taken = np.ones(len(examples), dtype=bool)
        for compare, *pair, outcome in specialization.branches:
            left, right = (next(columns) if isinstance(side, int) else side for side in pair)
            taken &= compare(left, right) == outcome
        taken[0] = True  # sums may round otherwise than in Python, and then a branch may come out otherwise
        return examples[taken]

    def _require_same(self, first: Specialization, specialization: Specialization, i: int) -> None:
        if specialization.trace.out != first.trace.out:
            structures = f"{first.trace.out}, but that of example {i} is {specialization.trace.out}"
            raise ValueError(f"{self.programs.name}: the result of example 0 is {structures}")


class _Seat:
    """The shared numbers of a call, and their derivatives. A call takes a seat that no other call is using."""

    def __init__(self, layout: Layout, places: Places, read: list[int]) -> None:
        self.shared, self.totals = np.zeros(places.alike), np.zeros((1, places.alike))
        self.total = self.totals[0]
        # The derivatives at the places of the arguments: the same, unless one that varies stands before a shared one.
        first = isinstance(places.shared, slice) and places.shared.start == 0
        self.slopes = self.total if first else np.zeros(layout.size)
        self.views: list[Numbers] = []  # of the shared chunks
        self.readers = {k: layout.reader(k, self.slopes) for k in read}


class _Part(NamedTuple):
    """A number or an array of an argument: its places and, if it varies, its table."""

    place: int | Numbers
    table: int | None


class _Reader:
    """The places of a call's numbers, and the readers of its results and derivatives."""

    def __init__(self, call: _Call, specialization: Specialization, request: GradientRequest | None) -> None:
        self.specialization, self.places, self._request = specialization, call.places, request
        self._size = call.size
        self._shapes = [(call.size, *np.shape(index)) for index in specialization.indices]
        self._idle: list[_Seat] = []
        self._parts = {k: self._parts_of(call, k) for k in ([] if request is None else request.places)}

    def _parts_of(self, call: _Call, k: int) -> tuple[list[_Part], Structure] | None:
        """Return the parts of argument k and their structure, or None if all of the argument is shared."""
        axes = [axis for n, axis in enumerate(call.axes) if n not in call.static][k]
        if axes is None:
            return None
        layout = self.specialization.layout
        starts = [table.start if table.stop > table.start else -1 for table in self.places.tables]

        def part(place: int | Numbers, axis: int | None) -> _Part:
            first = int(np.ravel(place)[0]) if np.size(place) else -1
            return _Part(place, None if axis is None else starts.index(first))

        parts = mapped("", part, layout.reader(k, np.arange(layout.size))(), axes, is_array)
        return flatten(parts, lambda x: isinstance(x, _Part))

    def seat(self, call: _Call) -> _Seat:
        """Return a seat with the shared numbers of a call."""
        try:
            seat = self._idle.pop()
        except IndexError:
            read = [k for k, parts in self._parts.items() if parts is None]
            seat = _Seat(self.specialization.layout, self.places, read)
            free = 0
            for chunk, varies in zip(call.chunks, call.varying, strict=True):
                if not varies:
                    shape = np.shape(chunk)
                    seat.views.append(seat.shared[free : free + math.prod(shape)].reshape(shape))
                    free += math.prod(shape)
        try:
            k = 0
            for chunk, varies in zip(call.chunks, call.varying, strict=True):
                if not varies:
                    seat.views[k][...] = chunk
                    k += 1
        except OverflowError:
            raise OverflowError(f"{call.programs.name}: {TOO_LARGE}") from None
        return seat

    def read(self, seat: _Seat, results: list[Numbers], slopes: list[Numbers | None]) -> tuple[Tree, Tree]:
        """Return the results and the gradient (None without argnums), and take the seat back."""
        shaped = [part.reshape(shape) for part, shape in zip(results, self._shapes, strict=True)]
        out, request = self.specialization.out, self._request
        values = shaped[0] if out is LEAF else out.rebuild(shaped)
        gradient = None
        if request is not None:
            if seat.slopes is not seat.total:
                seat.slopes[self.places.shared] = seat.total
            gradient = request.of(lambda k: self._gradient(k, seat, slopes))
        if seat.total.size <= MAX_KEPT:
            self._idle.append(seat)
        return values, gradient

    def _gradient(self, k: int, seat: _Seat, slopes: list[Numbers | None]) -> Tree:
        """Return the derivatives with respect to argument k."""
        known = self._parts[k]
        if known is None:
            return seat.readers[k]()
        parts, structure = known
        size = self._size
        made: list[Any] = []
        for place, table in parts:
            if table is None:
                made.append(seat.slopes.item(place) if isinstance(place, int) else seat.slopes[place])
            else:
                mine, shape = slopes[table], (size, *np.shape(place))
                made.append(np.zeros(shape) if mine is None else mine.reshape(shape))
        return made[0] if structure is LEAF else structure.rebuild(made)


class _Prepared:
    """A call of a function that does not branch, for arguments of a structure and size that were met before."""

    def __init__(self, call: _Call, specialization: Specialization, request: GradientRequest | None) -> None:
        self.work = Work(specialization, call.places, "outputs", request, call.size)
        self._reader = _Reader(call, specialization, request)
        self._shapes = [table.shape for table in call.tables]
        self._varying = [k for k, varies in enumerate(call.varying) if varies]

    def run(self, call: _Call, threads: int) -> tuple[Tree, Tree]:
        """Return the results and the gradient of a call."""
        if call.programs.parameters.by_name:
            call.note(self._reader.specialization)
        seat = self._reader.seat(call)
        chunks = call.chunks
        tables = [chunks[k].reshape(shape) for k, shape in zip(self._varying, self._shapes, strict=True)]
        results, slopes = self.work.run(tables, seat.shared, seat.totals, threads)
        if call.programs.check:
            call.require_finite(results)
        return self._reader.read(seat, results, slopes)


class Repeated:
    """Values and gradients for many batches, with the shared numbers in one array: for a training loop.

    It takes the structure of the arguments, and the program, from a first batch.

    Raises:
        ValueError: the function branches on numbers, so that a batch may need several programs, or has check=True.
    """

    def __init__(self, batched: Batched, *args: Tree) -> None:
        self._batched, self._args = batched, args
        self._begin()

    def _begin(self) -> None:
        programs = self._batched._programs
        self._checked = assignments()
        call = _Call(programs, self._batched._axes_of(self._args), self._args)
        if programs.check:
            raise ValueError(f"{programs.name}: check=True needs the arguments of each call; use vmap")
        self._specialization = call.specialize()
        if self._specialization.branches:
            raise ValueError(f"{programs.name}: it branches on numbers, so a batch may need several programs")
        self._places, self._request = call.places, call.request(self._specialization, 0)
        self._works: dict[int, Work] = {}

    def __call__(self, shared: Numbers, *varying: Numbers) -> tuple[Numbers, Numbers]:
        """Return the values of the examples, and the derivatives of their sum with respect to the shared numbers.

        Args:
            shared: all shared numbers, in the order of the arguments.
            varying: the arrays of the other arguments, with the examples along the first axis.

        Raises:
            ValueError: a Value that the function closes over was assigned, and now the function branches on numbers.
        """
        if assignments() != self._checked:
            if self._specialization.trace.moved() is not None:  # a Value that the function closes over
                self._begin()
            self._checked = assignments()
        tables = tables_of("", varying)
        size = len(tables[0])
        work = self._works.get(size)
        if work is None:
            work = self._works[size] = Work(self._specialization, self._places, "outputs", self._request, size)
        totals = np.empty((1, self._places.alike))
        results, _ = work.run(tables, shared, totals, self._batched.threads)
        return results[0].reshape(size), totals[0]
