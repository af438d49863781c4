r"""`compile`: a function or a graph, traced and lifted once, and run as a vector program from then on.

This module has the ways to call a function that is compiled. It must not know how a program is found or run.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from ..given import whole_argnums
from ..runs import as_states
from ..settings import in_force, is_differentiating, is_traced
from ..structure import Tree, holds, kind_of
from ..transform import grad, hessian, hvp, jacobian, jvp, value_and_grad
from ..value import Value
from .arguments import GivenValue, parted, typed
from .axes import InAxes
from .batch import Batched
from .binding import BoundCall
from .buffers import Workspace
from .instances import Method
from .lift import Program
from .parameters import Argnums, Parameters, Same, itself, selected, with_name
from .programs import Programs
from .specialization import GradientRequest, Specialization

if TYPE_CHECKING:
    from concurrent.futures import Executor  # the import takes long

    from ..pictures.drawing import Drawing
    from ..signatures import CompiledFunction, Derived, Slope, ValueSlope

P = ParamSpec("P")
R = TypeVar("R")


class Compiled:
    """A function of numbers that runs as a vector program; made by `compile`.

    `print` shows the instructions that were found. It can be pickled. If Python cannot pickle its function, the pickle
    has only the programs.
    """

    def __init__(
        self,
        f: Callable[..., Tree] | None,
        *,
        static_argnums: tuple[int, ...] = (),
        check: bool = False,
        runner: str | None = None,
    ) -> None:
        self.name: str = getattr(f, "__name__", None) or "the graph"
        self._static = static_argnums
        self._programs = Programs(self.name, f, static_argnums, check, runner)
        self._by_name = bool(self._programs.parameters.by_name)  # whether keyword-only arguments must be placed
        self._derived: dict[Hashable, tuple[object, Compiled]] = {}  # beside the function or trace that each is made of
        if f is not None:
            functools.update_wrapper(self, f, updated=())

    def __call__(self, *args: Tree, **kwargs: Tree) -> Tree:
        """Return the results of the function for numbers. If an argument is a Value, record the results as a graph.

        So a compiled function can be differentiated, explained, and called in a function that is compiled. Inside of a
        function that is differentiated or traced it always records, because modules and Values from outside may depend
        on inputs. The same is true of its derivatives.

        >>> from autograd_mini import grad
        >>> grad(grad(compile(lambda x: x**3)))(2.0)
        12.0
        """
        return self._run(args, kwargs, Workspace.output)

    def _run(
        self,
        args: tuple[Tree, ...],
        kwargs: dict[str, Tree],
        use: Callable[[Workspace, GradientRequest | None], Tree],
        transform: Callable[..., Callable[..., Tree]] | None = None,
        argnums: Argnums = None,
    ) -> Tree:
        """Run the program, or record the function, or its derivative by `transform`."""
        # Not by `_placed`: every call takes this path, so it must be cheap.
        given = self._programs.parameters.placed(args, kwargs, argnums) if kwargs or self._by_name else args
        if not (in_force.count and (is_differentiating() or is_traced())):
            try:
                return self._programs.run(given, use, argnums)
            except GivenValue:
                if not holds(given, Value):  # but a function within has been given one
                    raise
        return self._recorded(given, transform, argnums)

    def _recorded(
        self, given: tuple[Tree, ...], transform: Callable[..., Callable[..., Tree]] | None, argnums: Argnums
    ) -> Tree:
        """Call the function itself, or its trace, with arguments at their places, or its derivative."""
        parameters, f = self._programs.parameters, self._original()
        if transform is None:
            return parameters.call(f, given)
        n = len(given)
        whole = parameters.counted(argnums, n) if self._by_name else whole_argnums(self.name, argnums)
        selected(self.name, whole, n, parted(self._programs.static, n)[0])
        return transform(with_name(self.name)(lambda *args: parameters.call(f, args)), whole)(*given)

    def value_and_grad(self, *args: Tree, argnums: int | Sequence[int] = 0, **kwargs: Tree) -> tuple[Tree, Tree]:
        """Return the value and the gradient. The gradient has the structure of the argument; for several it is a tuple.

        `argnums` also counts arguments that are given by name. The gradient with respect to a module has the structure
        of its `state_dict`.

        Raises:
            TypeError: the function returns more than one number.
            ValueError: there is no such argument, or it is static.
        """
        return self._run(  # type: ignore[no-any-return]  # a pair
            args, kwargs, Workspace.output_and_gradient, value_and_grad, argnums
        )

    def grad(self, *args: Tree, argnums: int | Sequence[int] = 0, **kwargs: Tree) -> Tree:
        """Return the gradient alone; see `value_and_grad`.

        >>> compile(lambda x, y: x * y).grad(y=2.0, x=3.0)
        2.0
        """
        return self._run(args, kwargs, Workspace.gradient, grad, argnums)

    def bind(self, *args: Tree, argnums: int | Sequence[int] | None = None, **kwargs: Tree) -> BoundCall:
        """Return the function on arrays of its own: its calls copy no numbers.

        Write numbers into `args` in place, call it, and read `value` and, with argnums, `gradient`. Before the first
        call they belong to the given arguments.

        Raises:
            TypeError: a module is among the arguments; or argnums is given, and the function returns more than one
                number.
            ValueError: there is no such argument, or it is static.

        >>> import numpy as np
        >>> f = compile(lambda w, x: w @ x).bind(np.ones(3), np.arange(3.0), argnums=0)
        >>> f.value, f.gradient
        (3.0, array([0., 1., 2.]))
        >>> f.args[1][:] = 5.0
        >>> f()
        >>> f.value, f.gradient
        (15.0, array([5., 5., 5.]))
        """
        programs = self._programs
        try:
            specialization, given, request = programs.run(
                self._placed(args, kwargs, argnums),
                lambda w, request: (w.specialization, w.inputs.copy(), request),
                argnums,
                fill=True,
            )
        except GivenValue as error:
            raise TypeError(f"{error}; bind takes numbers alone") from None
        if specialization.layout.owners:
            raise TypeError(f"{self.name}: bind takes numbers and arrays; give a module's parameters as such")
        return BoundCall(self.name, specialization, given, request, programs.check)

    def _placed(self, args: tuple[Tree, ...], kwargs: dict[str, Tree], argnums: Argnums = None) -> tuple[Tree, ...]:
        """Return all arguments at their places in programs."""
        return self._programs.parameters.placed(args, kwargs, argnums) if kwargs or self._by_name else args

    def jvp(self, primals: Sequence[Tree], tangents: Sequence[Tree], **kwargs: Tree) -> tuple[Tree, Tree]:
        r"""Return the outputs and their derivative along the tangents, $J t$, by a separate program.

        The tangents have the structure of the primals. The tangent of a module has the structure of its `state_dict`.
        Arguments that are given by name are constants.

        >>> compile(lambda x, y: x * y).jvp((3.0, 4.0), (1.0, 0.5))
        (12.0, 5.5)
        """
        return self._along(jvp, (), primals, tangents, kwargs)  # type: ignore[no-any-return]

    def hvp(self, primals: Sequence[Tree], tangents: Sequence[Tree], **kwargs: Tree) -> Tree:
        r"""Return the Hessian of the one output times the tangents, $H t$, by a separate program; see `jvp`.

        >>> compile(lambda x, y: x * x * y).hvp((3.0, 4.0), (1.0, 0.5))
        (11.0, 6.0)
        """
        return self._along(hvp, (), primals, tangents, kwargs)

    def _along(
        self,
        transform: Callable[..., Tree],
        first: tuple[Tree, ...],
        primals: Sequence[Tree],
        tangents: Sequence[Tree],
        kwargs: dict[str, Tree],
    ) -> Tree:
        """Return a derivative along tangents. `first` may have an instance, which comes before the primals."""

        def derive(f: Callable[..., Tree]) -> Callable[..., Tree]:
            @with_name(f"{transform.__name__} of {self.name}")
            def along(primals: Tree, tangents: Tree, first: Tree = (), kwargs: Tree = {}) -> Tree:  # noqa: B006  # it is read
                given = f
                if first or kwargs or fixed:
                    given = with_name(self.name)(functools.partial(f, *map(itself, first), **kwargs, **fixed))
                return transform(given, primals, tangents)

            return along

        static, parameters = self._static, self._programs.parameters
        if static and not (first and static == (0,)):
            raise ValueError(f"{transform.__name__}: there are static arguments; bind them first, by functools.partial")
        fixed = {name: kwargs[name] for name in kwargs if name in parameters.static_names}
        kwargs = {name: x for name, x in kwargs.items() if name not in fixed}
        key = (transform.__name__, *[(name, typed(fixed[name])) for name in sorted(fixed)])
        derived = self._derive(key, derive, (2,) if static else ())
        given = tuple(primals), tuple([as_states(x) if type(x) is not float else x for x in tangents])
        return derived(*given, first, kwargs) if first or kwargs else derived(*given)

    def jacobian(self, *args: Tree, argnums: int | Sequence[int] = 0, sparse: bool = False, **kwargs: Tree) -> Tree:
        r"""Return all $\partial z_i / \partial x_j$, by a separate program; see `autograd_mini.jacobian`.

        >>> compile(lambda x: [x[0] * x[1], x[0] ** 2]).jacobian([3.0, 2.0])
        [[2.0, 3.0], [6.0, 0.0]]
        """
        key = f"{'sparse ' * sparse}jacobian {argnums}"
        named = with_name(f"{key} of {self.name}")
        derived = self._derive(key, lambda f: named(jacobian(f, argnums, sparse=sparse)), self._static)
        return derived(*args, **kwargs)

    def hessian(self, *args: Tree, argnums: int | Sequence[int] = 0, sparse: bool = False, **kwargs: Tree) -> Tree:
        r"""Return all $\partial^2 f / \partial x_i \partial x_j$, by a separate program; see `autograd_mini.hessian`.

        With `sparse`, the program computes only the entries that can be nonzero. Their places belong to the program:
        another branch of f has another program with other places.

        >>> f = compile(lambda x: x[0] ** 2 * x[1])
        >>> f.hessian([3.0, 2.0])
        [[4.0, 6.0], [6.0, 0.0]]
        >>> f.hessian([3.0, 2.0], sparse=True).data
        array([4., 6., 6.])
        """
        key = f"{'sparse ' * sparse}hessian {argnums}"
        named = with_name(f"{key} of {self.name}")
        derived = self._derive(key, lambda f: named(hessian(f, argnums, sparse=sparse)), self._static)
        return derived(*args, **kwargs)

    def value_grad_hessian(
        self, *args: Tree, argnums: int | Sequence[int] = 0, sparse: bool = False, **kwargs: Tree
    ) -> tuple[Tree, Tree, Tree]:
        """Return the value, the gradient and the Hessian by one program, which computes common parts once.

        With `sparse` the Hessian is sparse; see `hessian`.

        >>> compile(lambda x: x[0] ** 2 * x[1]).value_grad_hessian([3.0, 2.0])
        (18.0, [12.0, 9.0], [[4.0, 6.0], [6.0, 0.0]])
        """

        def derive(f: Callable[..., Tree]) -> Callable[..., Tree]:
            @with_name(f"Hessian and gradient of {self.name}")
            @functools.wraps(f)
            def all_three(*args: Tree, **kwargs: Tree) -> tuple[Tree, Tree, Tree]:
                first, second = grad(f, argnums), hessian(f, argnums, sparse=sparse)
                return f(*args, **kwargs), first(*args, **kwargs), second(*args, **kwargs)

            return all_three

        key = f"{'sparse ' * sparse}Hessian and gradient {argnums}"
        derived = self._derive(key, derive, self._static)
        return derived(*args, **kwargs)  # type: ignore[no-any-return]

    def vmap(self, in_axes: InAxes = 0, threads: int = 1) -> Batched:
        """Return the function of batches: it runs many examples side by side.

        Args:
            in_axes: the axis that counts the examples in the arrays of an argument, or None for an argument that all
                examples share. Give one axis for all arguments, or a tuple with an entry for each. An entry may have
                the outer containers of the argument: `({"w": None, "x": 0}, 0)`.
            threads: the number of threads. The results do not depend on it.

        >>> compile(lambda w, x: w * x).vmap((None, 0))(3.0, [1.0, 2.0])
        array([3., 6.])
        """
        return Batched(self, in_axes, threads)

    def map(self, *args: Tree, threads: int = 1) -> Tree:
        """Return the results for the examples along the first axis of every argument: `vmap()(*args)`."""
        return self.vmap(threads=threads)(*args)

    def value_and_grad_over(
        self, shards: Iterable[tuple[Tree, ...]], *, executor: Executor, argnums: int | Sequence[int] = 0
    ) -> tuple[Tree, Tree]:
        """Return the sums of value and gradient over several calls, which an executor runs.

        The sums are taken in the order of the shards, so they do not depend on the speed of the workers. If a worker is
        lost, this process runs its shards.

        Args:
            shards: the arguments of each call, as tuples.
            executor: an executor of `concurrent.futures`, or a similar one, such as `client.get_executor()` of
                `dask.distributed`.

        Raises:
            ValueError: there are no shards.

        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor() as pool:
        ...     compile(lambda w, x: w * x).value_and_grad_over([(3.0, 1.0), (3.0, 2.0)], executor=pool)
        (9.0, 3.0)
        """
        from .shards import summed_over

        return summed_over(self, [tuple(shard) for shard in shards], executor, argnums)

    def program(self, *args: Tree) -> Program:
        """Return the program for the structure of some arguments. Without arguments, return the only program.

        Raises:
            LookupError: without arguments, there is no program yet, or there are several.
        """
        return self._one(args).program

    def written_backward(self, *args: Tree, argnums: int | Sequence[int] | None = None) -> str:
        """Write the backward program as lines of NumPy, derived from the forward program.

        Args:
            args: arguments that choose the program. Without them, it is the only program.
            argnums: the arguments to differentiate with respect to; None for all.

        Raises:
            TypeError: the function returns more than one number.
            LookupError: as in `program`.

        >>> import numpy as np
        >>> f = compile(lambda W, x: (W @ x).sum())
        >>> f(np.ones((2, 3)), np.ones(3))
        6.0
        >>> print(f.written_backward(argnums=0))
        <lambda>, backward
          # inputs: W 2×3, x 3×1
          dv1 = ones((2, 1))  # 2×1
          dW = dv1 @ x.T  # 2×3
        """
        from .adjoint import written_backward

        one = self._one(args)
        return written_backward(one.trace, one.program, argnums)

    def source(
        self,
        language: Literal["c", "javascript", "numpy"],
        *args: Tree,
        derivative: Literal["grad", "jvp"] | None = None,
        argnums: int | Sequence[int] | None = None,
    ) -> str:
        r"""Return the function as a file of source code, which does not need this package.

        C is C99: one function without memory from the heap, with its arguments in the comment at the head. JavaScript
        is an ES module, and NumPy is a Python module. The file has all ways through branches that calls have taken. For
        another way, the code reports an error. A module is given as its `state_dict`, and in C as matrices, as in the
        printed program.

        Args:
            language: `"c"`, `"javascript"` or `"numpy"`.
            args: arguments that choose the programs. Without them, the programs are those of the only structure.
            derivative: `"grad"` for the value and the gradient, `"jvp"` for the value and its change along tangents.
            argnums: the arguments to differentiate with respect to, or with tangents. The default is the first argument
                for a gradient, and all arguments for `"jvp"`.

        Raises:
            LookupError: as in `program`.
            NotImplementedError: an op cannot be written in the language; the message names it.
            TypeError: `derivative` is `"grad"`, and the function returns more than one number.
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

        return source(self._programs, language, self._placed(args, {}) if args else (), derivative, argnums)

    def draw(self, *args: Tree, rankdir: str = "LR") -> Drawing:
        """Return the picture of a program, like `autograd_mini.draw` for a graph.

        Args:
            args: arguments that choose the program. Without them, it is the only program.
            rankdir: `"LR"`, left to right, or another of Graphviz's directions.

        Raises:
            ValueError: the program has too many lines for a picture.
            LookupError: as in `program`.
        """
        from .picture import drawn  # brings graphviz

        specialization = self._one(args)
        return drawn(specialization.trace, specialization.program, rankdir)

    def _one(self, args: tuple[Tree, ...]) -> Specialization:
        """Return the program for arguments like these. Without arguments, return the only program."""
        if args:
            return self._programs.specialization(self._placed(args, {}))
        specializations = self._programs.all()
        if len(specializations) != 1:
            raise LookupError(
                f"there are {len(specializations)} programs: give arguments, as in a call, to choose one"
                if specializations
                else "there is no program yet: call the function first, or give arguments"
            )
        return specializations[0]

    def _original(self) -> Callable[..., Tree]:
        """Return the function, or its trace if it is a graph or was not pickled.

        Raises:
            TypeError: the function was not pickled, and it had no program.
        """
        programs = self._programs
        return programs.function or programs.pickled()[0].trace.strict

    def _derive(
        self, key: Hashable, derive: Callable[[Callable[..., Tree]], Callable[..., Tree]], static: tuple[int, ...]
    ) -> Compiled:
        """Return the compiled form of a function that is derived from the function, and keep it."""
        programs = self._programs
        f = self._original()
        of, made = self._derived.get(key, (None, None))
        if made is not None and of is f:
            return made
        with programs.lock:
            of, made = self._derived.get(key, (None, None))  # another thread may have been faster
            if made is None or of is not f:
                made = Compiled(derive(f), static_argnums=static, check=programs.check, runner=programs.runner)
                self._derived[key] = f, made
        return made

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Return the method of an instance, if the function is defined in a class.

        An instance that is a module or a container of numbers, such as a dataclass, is an argument, and its numbers may
        change. Tree other instance is static: the program uses its attributes from the first call.
        """
        if instance is None:
            return self
        if kind_of(type(instance)) is not None:
            return Method(self, instance)
        return Method(self._derive("static instance", lambda f: f, (0, *self._static)), Same(instance))

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
        from .notation import written

        texts = [written(one.trace, one.program) for one in self._programs.all()]
        return "\n\n".join(texts) or f"{self.name}: not compiled yet; the first call compiles it"


@overload
def compile(
    f: Slope[P] | ValueSlope[P] | Derived[P],
    *,
    inputs: None = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
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
    static_argnames: str | Sequence[str] = (),
    check: bool = False,
    runner: str | None = None,
    numba: bool | None = None,
) -> CompiledFunction[P, R]: ...
@overload
def compile(
    f: Any,
    *,
    inputs: Tree,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    check: bool = False,
    runner: str | None = None,
    numba: bool | None = None,
) -> Compiled: ...
def compile(
    f: Any,
    *,
    inputs: Tree = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    check: bool = False,
    runner: str | None = None,
    numba: bool | None = None,
) -> Compiled:
    r"""Return a function of numbers that computes the same as f, as a vector program.

    The first call for each structure of arguments runs f on Values, traces it, and lifts the graph to instructions on
    vectors. Later calls run these instructions. Arguments are numbers, NumPy arrays, lists and dicts of them, and
    modules. f gets an array as an object array of Values, and a module unchanged, with its parameters as inputs. If
    Python code branches on numbers (`if x > 0`), each way is traced at the first call that takes it.

    Results differ from those of f only by rounding: a sum may have another order, a product may be rounded together
    with its sum, and functions may differ by a few units in the last place.

    Values from outside that f reads are constants of the program. If one is assigned, f is traced again. Everything
    else that f reads, such as a list or an attribute of a module, has its state from the first call. The same is true
    of the numbers that your own row (`custom_rule`) reads, whose function is compiled from its source. If f takes a
    number out of a Value (`x.data`), this number stays the same, and you get a `TraceWarning`.

    A cache on disk keeps machine code: `autograd_mini.program.cache`.

    Args:
        f: a function; or, with `inputs`, an existing graph: a Value or a structure of Values.
        inputs: the nodes of the graph that become the arguments, in the structure of the arguments.
        static_argnums: arguments that are Python objects and not numbers, such as sizes; each gets its own program.
        static_argnames: the same by name, for keyword-only arguments.
        check: if a result is nan or inf, run the equations one by one and raise Python's own error, with the label of
            the operand. Without it, numbers follow IEEE arithmetic.
        runner: `"llvm"` to run as machine code, `"numpy"` to run on NumPy's arrays. None takes machine code if llvmlite
            is installed.
        numba: an older name: True is `runner="llvm"`, and False is `runner="numpy"`.

    Raises:
        TypeError: f is neither a function nor a graph.
        ValueError: there is no such runner, or no argument of that name.

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
                "compile: a module's parameters would be constants: write ag.compile(lambda net, x: net(x)), "
                "and call it with the net"
            )
        names = (static_argnames,) if isinstance(static_argnames, str) else static_argnames
        parameters = Parameters(getattr(f, "__name__", "compile"), f)
        static += tuple(map(parameters.place, names))
        return Compiled(f, static_argnums=static, check=check, runner=runner)
    made = Compiled(None, check=check, runner=runner)
    made._programs.take_graph(f, inputs)
    return made
