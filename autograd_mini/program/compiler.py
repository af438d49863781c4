r"""`compile`: a function or a graph, traced and lifted once, and run as a vector program from then on.

This module has the ways to call a function that is compiled. It must not know how a program is found or run.
"""

from __future__ import annotations

import functools
import inspect
import pickle
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from operator import add
from typing import TYPE_CHECKING, Any, Literal, NoReturn, ParamSpec, TypeVar, overload

import numpy as np

from ..structure import flatten, holds, is_array, kind_of
from ..transform import grad, hessian, hvp, jacobian, jvp
from ..value import Value, assignments
from .adjoint import written_backward
from .arguments import GivenValue, Numbers
from .axes import InAxes
from .batch import Batched
from .buffers import Buffer, Workspace
from .lift import Program
from .notation import written
from .programs import Programs
from .specialization import GradientRequest, Specialization

if TYPE_CHECKING:
    from ..signatures import CompiledFunction, Derived, Slope, ValueSlope

__all__ = ["BoundCall", "Compiled", "compile"]

P = ParamSpec("P")
R = TypeVar("R")


class BoundCall:
    """A compiled function with arrays of its own, for one thread; made by `Compiled.bind`.

    Attributes:
        args: the arguments, with an array for each array, list and number; one of a number has no axes.
        value: the results of the last call.
        gradient: its derivatives, in arrays that the next call overwrites.
    """

    def __init__(
        self, name: str, specialization: Specialization, given: Numbers, request: GradientRequest | None, check: bool
    ) -> None:
        self._name, self._specialization, self._check = name, specialization, check
        workspace = Buffer().workspace(specialization)
        workspace.inputs[:] = given
        self._d, self._value = workspace.d, workspace.value
        layout = specialization.layout
        self.args = layout.in_place(workspace.d)
        self._slopes = None if request is None else request.of(layout.in_place(workspace.slopes).__getitem__)
        _, _, self._run = workspace.tasks(request)
        self._now = assignments()
        self._checks = check or bool(specialization.branches or specialization.trace.frozen)
        self()

    def __call__(self) -> None:
        """Compute the value, and the gradient if one is wanted, of the numbers in `args`.

        Raises:
            ValueError: the function would have taken another branch with these numbers, or a Value that it closes
                over was assigned; `value` and `gradient` are not those of the function then.
        """
        if self._checks and assignments() != self._now:
            self._specialization.trace.require_frozen()
            self._now = assignments()
        self._run()
        if self._checks:
            if not self._specialization.holds(self._d):
                raise ValueError(f"{self._name}: another branch is taken with these numbers; call it, or bind it again")
            if self._check:
                self._specialization.require_finite(self._d)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self._name}: a bound function cannot be pickled; pickle the compiled function")

    @property
    def value(self) -> Any:
        """Return the results of the last call."""
        return self._value()

    @property
    def gradient(self) -> Any:
        """Return the derivatives of the last call, in the structure of the arguments; the next call overwrites them."""
        if self._slopes is None:
            raise ValueError(f"{self._name}: no gradient is wanted; give argnums to bind")
        return self._slopes


class Compiled:
    """A function of numbers that runs as a vector program; made by `compile`.

    `print` shows the instructions that were found. It can be pickled; where its function cannot be, what has
    been compiled goes along without it.
    """

    def __init__(
        self,
        f: Callable[..., Any] | None,
        *,
        static_argnums: tuple[int, ...] = (),
        check: bool = False,
        runner: str | None = None,
    ) -> None:
        self.name: str = getattr(f, "__name__", None) or "the graph"
        self._programs = Programs(self.name, f, static_argnums, check, runner)
        self._derived: dict[str, tuple[Any, Compiled]] = {}  # beside the function or trace that each is made of
        if f is not None:
            functools.update_wrapper(self, f, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the results of the function for numbers; with a Value among the arguments record them as a graph.

        So a compiled function can be differentiated, explained, and called in a function that is compiled.

        >>> from autograd_mini import grad
        >>> grad(grad(compile(lambda x: x**3)))(2.0)
        12.0
        """
        given = self._positional(args, kwargs) if kwargs else args
        try:
            return self._programs.run(given, _value)
        except GivenValue:
            if not holds(given, Value):  # but a function within has been given one
                raise
            return self._original()(*given)

    def value_and_grad(self, *args: Any, argnums: int | Sequence[int] = 0, **kwargs: Any) -> tuple[Any, Any]:
        """Return the value and the gradient, in the structure of the argument, or a tuple for several.

        Arguments that are given by name count as those at their places. The gradient in a module has the structure
        of its `state_dict`.

        Raises:
            TypeError: the function returns more than one number.
            ValueError: there is no such argument, or it is static.
        """
        return self._programs.run(self._positional(args, kwargs) if kwargs else args, _value_and_gradient, argnums)

    def grad(self, *args: Any, argnums: int | Sequence[int] = 0, **kwargs: Any) -> Any:
        """Return the gradient alone; see `value_and_grad`.

        >>> compile(lambda x, y: x * y).grad(y=2.0, x=3.0)
        2.0
        """
        return self._programs.run(self._positional(args, kwargs) if kwargs else args, _gradient, argnums)

    def bind(self, *args: Any, argnums: int | Sequence[int] | None = None) -> BoundCall:
        """Return the function on arrays of its own, to be called again and again without any copying.

        Write numbers into `args` in place, call it, and read `value` and, with argnums, `gradient`. At first they are
        those of the arguments that are given.

        Raises:
            TypeError: a module is among the arguments, or the function returns more than one number and a gradient is
                wanted.
            ValueError: there is no such argument, or it is static.

        >>> f = compile(lambda w, x: w @ x).bind(np.ones(3), np.arange(3.0), argnums=0)
        >>> f.value, f.gradient
        (3.0, array([0., 1., 2.]))
        >>> f.args[1][:] = 5.0
        >>> f()
        >>> f.value, f.gradient
        (15.0, array([5., 5., 5.]))
        """
        programs = self._programs
        specialization, given, request = programs.run(args, _inputs, argnums, fill=True)
        if specialization.layout.owners:
            raise TypeError(f"{self.name}: bind takes numbers and arrays; give a module's parameters as such")
        return BoundCall(self.name, specialization, given, request, programs.check)

    def _positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Return all arguments at the places of the function's parameters."""
        if self._programs.function is None:
            raise TypeError(f"{self.name}: its arguments have places and no names")
        signature = inspect.signature(self._programs.function)
        unknown = kwargs.keys() - signature.parameters.keys()
        if unknown and not any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
            names = ", ".join(signature.parameters)
            raise TypeError(f"{self.name}: there is no argument {min(unknown)!r}; they are {names}")
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(f"{self.name}: {', '.join(bound.kwargs)} can be given by name only, and so not be compiled")
        return bound.args

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        r"""Return the outputs and their derivative along the tangents, $J t$, by a program of its own.

        >>> compile(lambda x, y: x * y).jvp((3.0, 4.0), (1.0, 0.5))
        (12.0, 5.5)
        """
        derived = self._derive("jvp", lambda f: lambda primals, tangents: jvp(f, primals, tangents))
        return derived(tuple(primals), tuple(tangents))  # type: ignore[no-any-return]

    def hvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        r"""Return the Hessian of the one output times the tangents, $H t$, by a program of its own.

        >>> compile(lambda x, y: x * x * y).hvp((3.0, 4.0), (1.0, 0.5))
        (11.0, 6.0)
        """
        derived = self._derive("hvp", lambda f: lambda primals, tangents: hvp(f, primals, tangents))
        return derived(tuple(primals), tuple(tangents))

    def jacobian(self, *args: Any, argnums: int | Sequence[int] = 0, sparse: bool = False) -> Any:
        r"""Return all $\partial z_i / \partial x_j$, by a program of its own; see `autograd_mini.jacobian`.

        >>> compile(lambda x: [x[0] * x[1], x[0] ** 2]).jacobian([3.0, 2.0])
        [[2.0, 3.0], [6.0, 0.0]]
        """
        name = f"{'sparse ' if sparse else ''}jacobian {argnums}"
        return self._derive(name, lambda f: jacobian(f, argnums, sparse=sparse))(*args)

    def hessian(self, *args: Any, argnums: int | Sequence[int] = 0, sparse: bool = False) -> Any:
        r"""Return all $\partial^2 f / \partial x_i \partial x_j$, by a program of its own; see `autograd_mini.hessian`.

        With `sparse` the program computes the entries alone. Their places belong to the program: another branch of f
        has another program, with places of its own.

        >>> f = compile(lambda x: x[0] ** 2 * x[1])
        >>> f.hessian([3.0, 2.0])
        [[4.0, 6.0], [6.0, 0.0]]
        >>> f.hessian([3.0, 2.0], sparse=True).data
        array([4., 6., 6.])
        """
        name = f"{'sparse ' if sparse else ''}hessian {argnums}"
        return self._derive(name, lambda f: hessian(f, argnums, sparse=sparse))(*args)

    def value_grad_hessian(
        self, *args: Any, argnums: int | Sequence[int] = 0, sparse: bool = False
    ) -> tuple[Any, Any, Any]:
        """Return the value, the gradient and the Hessian, by one program, which computes common parts once.

        With `sparse` the Hessian is sparse; see `hessian`.

        >>> compile(lambda x: x[0] ** 2 * x[1]).value_grad_hessian([3.0, 2.0])
        (18.0, [12.0, 9.0], [[4.0, 6.0], [6.0, 0.0]])
        """

        def derive(f: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(f)
            def all_three(*args: Any) -> tuple[Any, Any, Any]:
                return f(*args), grad(f, argnums)(*args), hessian(f, argnums, sparse=sparse)(*args)

            return all_three

        name = f"{'sparse ' if sparse else ''}Hessian and gradient {argnums}"
        return self._derive(name, derive)(*args)  # type: ignore[no-any-return]

    def vmap(self, in_axes: InAxes = 0, threads: int = 1) -> Batched:
        """Return the function of batches of arguments, of which examples are run side by side.

        Args:
            in_axes: where the examples of each argument's arrays are counted; None for an argument that is the same
                for all. One for all arguments, or a tuple with one for each, which may be a container that begins like
                the argument: `({"w": None, "x": 0}, 0)`.
            threads: how many run at once; the results do not depend on it.

        >>> compile(lambda w, x: w * x).vmap((None, 0))(3.0, [1.0, 2.0])
        array([3., 6.])
        """
        return Batched(self, in_axes, threads)

    def map(self, *args: Any, threads: int = 1) -> Any:
        """Return the results for the examples along the first axis of every argument: `vmap()(*args)`."""
        return self.vmap(threads=threads)(*args)

    def value_and_grad_over(
        self, shards: Iterable[tuple[Any, ...]], *, executor: Executor, argnums: int | Sequence[int] = 0
    ) -> tuple[Any, Any]:
        """Return the sums of value and gradient over several calls, which an executor runs.

        Sums are taken in the order of the shards, whoever was ready first. What a lost worker had is run here.

        Args:
            shards: the arguments of each call, as tuples.
            executor: of `concurrent.futures`, or another's of this kind, such as `client.get_executor()` of
                `dask.distributed`.

        Raises:
            ValueError: there are no shards.

        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor() as pool:
        ...     compile(lambda w, x: w * x).value_and_grad_over([(3.0, 1.0), (3.0, 2.0)], executor=pool)
        (9.0, 3.0)
        """
        shards = [tuple(shard) for shard in shards]
        if not shards:
            raise ValueError(f"{self.name}: there are no shards")
        if self._programs.run(shards[0], _specialization, argnums).layout.owners:  # traced here, once
            raise TypeError(f"{self.name}: a module that is sent elsewhere is another one: give its numbers as arrays")
        frozen = pickle.dumps(self)
        running: list[Future[Any] | None] = []
        for shard in shards:
            try:
                running.append(executor.submit(_thawed_value_and_grad, frozen, shard, argnums))
            except BrokenExecutor:
                running.append(None)
        total: Any = None
        lost = 0
        for shard, future in zip(shards, running, strict=True):
            try:
                found = None if future is None else future.result()
            except BrokenExecutor:
                found = None
            if found is None:
                lost += 1
                found = self.value_and_grad(*shard, argnums=argnums)
            total = found if total is None else _sum(self.name, total, found)
        if lost:
            warnings.warn(
                f"{self.name}: the executor broke; {lost} of {len(shards)} shards were run here", stacklevel=2
            )
        return total  # type: ignore[no-any-return]  # a pair

    def program(self, *args: Any) -> Program:
        """Return the program for the structure of some arguments; without arguments the only one there is.

        Raises:
            LookupError: nothing has been compiled yet, or for more than one structure.
        """
        return self._one(args).program

    def written_backward(self, *args: Any, argnums: int | Sequence[int] | None = None) -> str:
        """Write the backward program as lines of NumPy, derived from the forward one.

        Args:
            args: arguments to choose the program by; without any it is the only one there is.
            argnums: the arguments in which the derivatives are wanted; None for all.

        Raises:
            TypeError: the function returns more than one number.
            LookupError: as `program`.

        >>> f = compile(lambda W, x: (W @ x).sum())
        >>> f(np.ones((2, 3)), np.ones(3))
        6.0
        >>> print(f.written_backward(argnums=0))
        <lambda>, backward
          # inputs: W 2×3, x 3×1
          dv1 = ones((2, 1))  # 2×1
          dW = dv1 @ x.T  # 2×3
        """
        found = self._one(args)
        return written_backward(found.trace, found.program, argnums)

    def source(
        self,
        language: Literal["c", "javascript", "numpy"],
        *args: Any,
        derivative: Literal["grad", "jvp"] | None = None,
        argnums: int | Sequence[int] | None = None,
    ) -> str:
        r"""Return a file of source code that computes the same, without this package: the value, or a derivative, too.

        C is C99, one function without memory from the heap, whose head tells its arguments; JavaScript is an ES module,
        and NumPy a Python module. All ways through branches that were met are there, and others are an error. A module
        is given as its `state_dict`; in C as matrices, as in the printed program.

        Args:
            language: `"c"`, `"javascript"` or `"numpy"`.
            args: arguments to choose the programs by; without any they are those of the only structure there is.
            derivative: `"grad"` for the value and the gradient, `"jvp"` for the value and its change along tangents.
            argnums: the arguments in which the derivatives are wanted, or which have tangents; without it the first
                of a gradient, and all of `"jvp"`.

        Raises:
            LookupError: as `program`.
            NotImplementedError: an op cannot be written in the language; the message names it.
            TypeError: the function returns more than one number, and a gradient is wanted.
            ValueError: there is no such language, derivative or argument, or the function returns no number.

        >>> f = compile(lambda x, y: x * y + 2.0)
        >>> f(3.0, 4.0)
        14.0
        >>> print(f.source("c", derivative="grad", argnums=(0, 1)).partition("#include <math.h>\n\n")[2], end="")
        int f_grad(double x, double y, double *value, double *dx, double *dy) {
            const double v1 = x * y;
            const double v2 = v1 + 2.0;
            *value = v2;
            /* The way back: dx is the derivative of the value with respect to x. */
            const double dv2 = 1.0;
            const double dv1 = dv2;
            *dx = dv1 * y;
            *dy = dv1 * x;
            return 0;
        }
        """
        from .sources import source

        return source(self._programs, language, args, derivative, argnums)

    def draw(self, *args: Any, rankdir: str = "LR") -> Any:
        """Return the picture of a program, as `autograd_mini.draw` does of a graph.

        Args:
            args: arguments to choose the program by; without any it is the only one there is.
            rankdir: `"LR"`, left to right, or another of Graphviz's directions.

        Raises:
            ValueError: it has too many lines to be read.
            LookupError: as `program`.
        """
        from .picture import drawn  # brings graphviz

        found = self._one(args)
        return drawn(found.trace, found.program, rankdir)

    def _one(self, args: tuple[Any, ...]) -> Specialization:
        """Return the program for arguments like these; without arguments the only one there is."""
        if args:
            return self._programs.run(args, _specialization)
        found = self._programs.all()
        if len(found) != 1:
            raise LookupError(f"there are {len(found)} programs: give arguments to choose by, or call it first")
        return found[0]

    def _original(self) -> Callable[..., Any]:
        """Return the function, or where it was not pickled or is a graph its trace."""
        programs = self._programs
        return programs.function or programs.all()[0].trace.strict

    def _derive(self, name: str, derive: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Compiled:
        """Return the compiled form of a function that is derived from the function."""
        programs = self._programs
        if programs.static:
            raise ValueError(f"{name}: there are static arguments; bind them first, by functools.partial")
        f = self._original()
        of, made = self._derived.get(name, (None, None))
        if made is None or of is not f:
            derived: Any = derive(f)
            derived.__name__ = f"{name} of {self.name}"
            made = Compiled(derived, check=programs.check, runner=programs.runner)
            self._derived[name] = f, made
        return made

    def __getstate__(self) -> dict[str, Any]:
        state = {**vars(self), "_derived": {}}
        state.pop("__wrapped__", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._programs.function is not None:  # it could be pickled
            vars(self)["__wrapped__"] = self._programs.function

    def __len__(self) -> int:
        """Return the number of programs that have been compiled."""
        return len(self._programs.all())

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        texts = [written(found.trace, found.program) for found in self._programs.all()]
        return "\n\n".join(texts) or f"{self.name}: not compiled yet; it is at the first call"


def _value(workspace: Workspace, _: GradientRequest | None) -> Any:
    return workspace.value()


def _gradient(workspace: Workspace, request: GradientRequest | None) -> Any:
    assert request is not None
    return workspace.gradient(request)


def _value_and_gradient(workspace: Workspace, request: GradientRequest | None) -> tuple[Any, Any]:
    assert request is not None
    return workspace.value(), workspace.gradient(request)


def _inputs(
    workspace: Workspace, request: GradientRequest | None
) -> tuple[Specialization, Numbers, GradientRequest | None]:
    return workspace.specialization, workspace.inputs.copy(), request


def _specialization(workspace: Workspace, _: GradientRequest | None) -> Specialization:
    return workspace.specialization


def _thawed_value_and_grad(frozen: bytes, shard: tuple[Any, ...], argnums: Any) -> Any:
    """Call a pickled program, in a worker; it is unpickled once there."""
    return _thawed(frozen).value_and_grad(*shard, argnums=argnums)


@functools.lru_cache(maxsize=4)
def _thawed(frozen: bytes) -> Compiled:
    made: Compiled = pickle.loads(frozen)
    return made


def _sum(name: str, a: tuple[Any, Any], b: tuple[Any, Any]) -> Any:
    """Add values and gradients, numbers and arrays in structures of one kind."""
    (xs, structure), (ys, other) = flatten(a, is_array), flatten(b, is_array)
    if structure != other or list(map(np.shape, xs)) != list(map(np.shape, ys)):
        shapes = " and ".join(str(flatten(gradient)[1]) for _, gradient in (a, b))
        raise ValueError(f"{name}: gradients of the shapes {shapes} cannot be added: give all shards the same shapes")
    return structure.rebuild(map(add, xs, ys))


@overload
def compile(
    f: Slope[P] | ValueSlope[P] | Derived[P],
    *,
    inputs: None = None,
    static_argnums: int | Sequence[int] = (),
    check: bool = False,
    runner: str | None = None,
    numba: bool | None = None,
) -> CompiledFunction[P, Any]: ...
@overload
def compile(
    f: Callable[P, R],
    *,
    inputs: None = None,
    static_argnums: int | Sequence[int] = (),
    check: bool = False,
    runner: str | None = None,
    numba: bool | None = None,
) -> CompiledFunction[P, R]: ...
@overload
def compile(
    f: Any,
    *,
    inputs: Any,
    static_argnums: int | Sequence[int] = (),
    check: bool = False,
    runner: str | None = None,
    numba: bool | None = None,
) -> Compiled: ...
def compile(
    f: Any,
    *,
    inputs: Any = None,
    static_argnums: int | Sequence[int] = (),
    check: bool = False,
    runner: str | None = None,
    numba: bool | None = None,
) -> Compiled:
    r"""Return a function that computes the same as f, on numbers, as a vector program.

    At the first call for each structure of arguments f is run on Values and traced, the graph is lifted to
    instructions on vectors, and from then on these are run. Arguments are numbers, NumPy arrays, lists and dicts
    of them, and modules; arrays reach f as object arrays of Values, a module as it is, with its parameters as
    inputs. Where Python code branches on numbers (`if x > 0`) each way it goes is traced when it is first met.
    Results are f's but for rounding: sums in another order, a product rounded with the sum it enters, functions by a
    few units in the last place. The numbers of Values that f closes over are constants of the program: where one is
    assigned, f is traced again. Other things that f reads, such as a list or an attribute of a module, are as they
    were at that first call. So are the numbers that the function of a row of your own reads (`custom_rule`), which is
    compiled from its source. Machine code is kept on disk: `autograd_mini.program.cache`. A number that f takes out of
    a Value (`x.data`) is as it was then; a `TraceWarning` says
    so.

    Args:
        f: a function; or, with `inputs`, a Value or a structure of Values: a graph that exists.
        inputs: the nodes of the graph that the compiled function takes, as it will take them.
        static_argnums: arguments that are Python values and not numbers, such as sizes; each gets its own program.
        check: where a result is nan or inf, run the equations one by one and raise Python's own error, with the
            label of the operand. Without it numbers follow IEEE arithmetic.
        runner: `"llvm"` to run as machine code, `"numpy"` to run on NumPy's arrays; None takes machine code where
            llvmlite is installed.
        numba: the older name: True for `runner="llvm"`, False for `runner="numpy"`.

    Raises:
        TypeError: f is neither a function nor a graph.
        ValueError: there is no such runner.

    >>> import numpy as np
    >>> from autograd_mini import tanh
    >>> def f(W, x, b):
    ...     return [tanh(z) for z in W @ x + b]
    >>> g = compile(f)
    >>> [round(y, 4) for y in g(np.eye(2), np.array([0.5, -0.5]), 0.1)]
    [0.537, -0.3799]
    """
    if numba is not None:
        runner = "llvm" if numba else "numpy"
        warnings.warn(f"compile: give runner={runner!r} instead of numba={numba}", DeprecationWarning, stacklevel=2)
    if runner not in (None, "llvm", "numpy"):
        raise ValueError(f'compile: runner must be "llvm", "numpy" or None, not {runner!r}')
    static = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    if inputs is None:
        if not callable(f):
            raise TypeError(f"compile: give a function, or a graph and its inputs, not {f!r}")
        kind = kind_of(type(f))
        if kind is not None and kind.owner:
            raise TypeError(
                "compile: a module's parameters would be constants: give lambda net, x: net(x), and the net"
            )
        return Compiled(f, static_argnums=static, check=check, runner=runner)
    made = Compiled(None, check=check, runner=runner)
    made._programs.take_graph(f, inputs)
    return made
