r"""Python functions as LLVM's instructions.

An `Evaluator` runs the tree of a function at the time of compiling. A name stands for an ordinary Python object, such
as an int, a row or a list, or for a `Number`, which is known only when the machine code runs. Whatever depends on
ordinary objects alone is done at once: an `if` takes its branch, a comprehension is unrolled. Whatever depends on
a `Number` becomes instructions: an `if` becomes two blocks that meet again, a `while` and a `for` over a `range` become
loops. Other functions are written in place; a function that is marked `shared` is called.

The kernels (`loops`, `vectors`) and the rows' functions of floats are all compiled in this way, so that the first are
Python that can be read and run, and the second need no other form.
"""

from __future__ import annotations

import ast
import builtins
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

from llvmlite import ir

from .. import ops
from ..ops import OPS, Op, Traced
from ..source import Unreadable, source_of, source_row
from .machine import object_of, triple
from .primitives import BOOL, FLOAT, FUSED, INT, MASK, NONE, PLACE, VECTOR, WIDTH, Primitive, applied, call_at, quotient, remainder, slope, spread_out
from .vectors import LANES, is_vectorial

__all__ = ["Evaluator", "Number", "Unit"]

# The kinds of values by the annotations of the functions that are compiled.
KINDS = {"bool": BOOL, "int": INT, "float": FLOAT, "Vector": VECTOR, "Words": PLACE, "Numbers": PLACE, "None": NONE}
ORDER = [BOOL, INT, FLOAT, VECTOR]  # a value of one kind can become one of a later kind
NUMBERS = {bool: BOOL, int: INT, float: FLOAT}


class Promote(Exception):
    """A variable of a loop is of another kind after the loop's body: the function is built anew with that kind."""


class Failed(Exception):
    """The expression raises an error whenever it is reached."""


class Number(Traced):
    """A value that is known when the machine code runs: an address, an int, a float, a truth or a vector."""

    __slots__ = ("evaluator", "value")
    first_order = True

    def __init__(self, evaluator: Evaluator, value: Any) -> None:
        self.evaluator, self.value = evaluator, value

    @property
    def kind(self) -> Any:
        """Return the type of the value."""
        return self.value.type

    def record(self, op: Op, operands: tuple[Any, ...]) -> Any:
        """Build the instructions that apply a row."""
        return self.evaluator.row(op.row, operands)

    def __bool__(self) -> bool:
        raise TypeError("this number is not known before the machine code runs")


class Unit:
    """The functions that become one object file, and the Python functions that they call back."""

    def __init__(self, triple: str, callbacks: Sequence[Op] = ()) -> None:
        self.module = ir.Module("kernels")
        self.module.triple = triple
        self.callbacks = [*callbacks]
        kind = ir.ArrayType(INT, len(self.callbacks))
        self.table = ir.GlobalVariable(self.module, kind, "callbacks")  # their addresses, filled in where it is loaded
        self.table.initializer = ir.Constant(kind, None)
        self.refused: dict[Op, str] = {}  # rows whose functions cannot be read, and why
        self._hints: dict[Any, Any] = {}

    def shared(self, function: Callable[..., Any], args: Sequence[Any], *, name: str = "") -> Any:
        """Return the function of the module for arguments of some kinds; those that are no numbers are part of it."""
        kinds = [KINDS.get(text) for text in function.__annotations__.values()]
        fixed = [x for x, kind in zip(args, kinds, strict=False) if kind is None]
        title = name or ".".join([function.__module__, function.__name__, *map(_title, fixed)])
        found = self.module.globals.get(title)
        if found is None:
            found = ir.Function(self.module, ir.FunctionType(kinds[-1], [k for k in kinds[:-1] if k is not None]), title)
            found.linkage = "external" if name else "internal"

            def body(evaluator: Evaluator) -> Any:
                known, numbers = iter(fixed), iter(found.args)
                full = [next(known) if kind is None else Number(evaluator, next(numbers)) for kind in kinds[:-1]]
                return evaluator.inside(function, full)

            self._build(found, body)
        return found

    def of_row(self, op: Op) -> Any:
        """Return a row's function of floats."""
        name = f"row.{_title(op)}"
        found = self.module.globals.get(name)
        if found is None:
            found = ir.Function(self.module, ir.FunctionType(FLOAT, [FLOAT] * op.arity), name)
            found.linkage = "internal"
            try:
                self._build(
                    found,
                    lambda e: e.inside(source_row(op).function, [Number(e, x) for x in found.args], checked=op.is_custom),
                    lambda e: e.beyond(op, [Number(e, x) for x in found.args]),
                )
            except Unreadable as error:
                self.refused[op] = str(error)
                self._build(found, lambda e: e.callback(op, [Number(e, x) for x in found.args]))
        return found

    def _build(self, made: Any, body: Callable[[Evaluator], Any], fail: Callable[[Evaluator], Any] | None = None) -> None:
        """Build a function's blocks; again where a variable of a loop has turned out to be of another kind."""
        while True:
            made.blocks.clear()
            evaluator = Evaluator(self, ir.IRBuilder(made.append_basic_block()))
            try:
                if fail is not None:
                    evaluator.failing = made.append_basic_block()
                evaluator.give_back(body(evaluator), made.ftype.return_type)
                if fail is not None:
                    evaluator.b.position_at_end(evaluator.failing)
                    evaluator.give_back(fail(evaluator), made.ftype.return_type)
            except Promote as promote:
                key, kind = promote.args
                self._hints[key] = kind
            except Failed:
                raise Unreadable(f"{made.name} always raises an error") from None
            else:
                return

    def hint(self, key: Any) -> Any:
        """Return the kind that a variable of a loop must begin with, where that is known."""
        return self._hints.get(key)


def _title(x: Any) -> str:
    """Return a name for a fixed argument."""
    if isinstance(x, Op) and OPS.get(x.name) is not x.row:
        return f"{x.name}.{id(x.row):x}"
    return x.name if isinstance(x, Op) else str(x)


Names = dict[str, Any]
Do = Callable[[], None]
Edge = tuple[Any, Any]  # a block that is to go on elsewhere, and the names or the value that it comes with


class Evaluator:
    """Builds the instructions of one function, statement by statement."""

    def __init__(self, unit: Unit, b: Any, failing: Any = None) -> None:
        self.unit, self.b, self.failing = unit, b, failing
        self.known: Mapping[str, Any] = {}  # the names that are not the function's own
        self.names: Names = {}
        self.returns: list[Edge] = []
        self.loops: list[tuple[list[Edge], list[Edge]]] = []  # of each loop around: its breaks and its continues
        self.checked = False  # whether an int that is too large for the machine is a failure
        self.active: tuple[Any, ...] = ()  # the functions that are being written in one another

    # Functions.

    def inside(self, function: Callable[..., Any], args: Sequence[Any], *, checked: bool = False) -> Any:
        """Write a function in place, and return its result."""
        if function in self.active and self.checked:
            raise Unreadable(f"{function.__name__} calls itself")
        source = source_of(function)
        defaults = function.__defaults__ or ()  # type: ignore[attr-defined]
        lacking = len(source.parameters) - len(args)
        if not 0 <= lacking <= len(defaults):
            raise Unreadable(f"{source.name} takes {len(source.parameters)} arguments, {len(args)} given")
        inner = Evaluator(self.unit, self.b, self.failing)
        inner.known, inner.checked, inner.active = source.names, checked or self.checked, (*self.active, function)
        inner.names = dict(zip(source.parameters, [*args, *defaults[len(defaults) - lacking :]], strict=True))
        if inner.run(source.body):
            inner.returns.append((self.b.block, None))
        if not inner.returns:
            raise Failed
        return inner.join(inner.returns)

    def give_back(self, x: Any, kind: Any) -> None:
        """Return a value from the function that is built."""
        if kind == NONE:
            self.b.ret_void()
        else:
            self.b.ret(self.converted(x, kind))

    def call(self, f: Any, args: Sequence[Any]) -> Any:
        """Return the result of a call."""
        if isinstance(f, Primitive):
            return self.wrapped(f.build(self.b, *[x.value if isinstance(x, Number) else x for x in self.fitted(f, args)]))
        if isinstance(f, Op):
            return self.of_op(f.row, args)
        if f in STATIC or not any(map(_holds_number, args)):
            try:
                return f(*args)
            except (ArithmeticError, ValueError):
                return self.fail()
        if f in FUNCTIONS:
            return FUNCTIONS[f](self, *args)
        if f in LIBRARY:
            return self.library(LIBRARY[f], args)
        if getattr(f, "shared", False):
            made = self.unit.shared(f, args)
            numbers = [x for x, text in zip(args, f.__annotations__.values(), strict=False) if text in KINDS]
            kinds = made.ftype.args
            return self.wrapped(self.b.call(made, [self.converted(x, k) for x, k in zip(numbers, kinds, strict=True)]))
        if isinstance(f, type) and hasattr(f, "_fields"):
            return f(*args)
        return self.inside(f, args)

    def fitted(self, f: Primitive, args: Sequence[Any]) -> list[Any]:
        """Return arguments as the kinds that a primitive takes."""
        kinds = [KINDS.get(text) for text in f.kinds]
        return [x if kind is None else self.number(x, kind) for x, kind in zip(args, kinds, strict=True)]

    def library(self, name: str, args: Sequence[Any]) -> Any:
        """Call a function of the C library, or of LLVM."""
        if len(args) != (2 if name in OF_TWO else 1):
            raise Unreadable(f"{name} of {len(args)} numbers")
        values = [self.converted(x, FLOAT) for x in args]
        found = self.b.call(self.declared(name, [FLOAT] * len(args)), values)
        if self.checked and name in ODD:  # Python's raises an error where the library's has a number
            self.fail_where(self.b.not_(self.b.fcmp_ordered("<", self.of_llvm("fabs", found), FLOAT(math.inf))))
        return Number(self, found)

    def declared(self, name: str, kinds: Sequence[Any], result: Any = FLOAT) -> Any:
        """Return a function that is defined elsewhere."""
        found = self.b.module.globals.get(name)
        return found or ir.Function(self.b.module, ir.FunctionType(result, kinds), name)

    def of_llvm(self, name: str, *xs: Any) -> Any:
        """Call a function that LLVM has for floats and for vectors."""
        kind = xs[0].type
        suffix = "f64" if kind == FLOAT else f"v{WIDTH}f64"
        return self.b.call(self.declared(f"llvm.{name}.{suffix}", [kind] * len(xs), kind), xs)

    def callback(self, op: Op, args: Sequence[Any]) -> Any:
        """Call a row's Python function."""
        place = self.b.gep(self.unit.table, [INT(self.unit.callbacks.index(op))], source_etype=INT)
        kind = ir.FunctionType(FLOAT, [FLOAT] * op.arity)
        called = self.b.load(place, typ=INT)
        return self.wrapped(call_at(self.b, called, kind, [self.converted(x, FLOAT) for x in args]))

    def beyond(self, op: Op, args: Sequence[Any]) -> Any:
        """Return the value of a row where its function raises an error."""
        if op.is_custom:
            return self.callback(op, args)
        beyond = source_row(op).beyond
        return self.inside(beyond, args) if beyond is not None else math.nan

    def fail(self) -> Any:
        """Go on as the row does where its function raises an error."""
        if self.failing is None:
            raise Unreadable("it raises an error")
        raise Failed

    # Rows.

    def of_op(self, op: Op, args: Sequence[Any]) -> Any:
        """Apply a row in a function; another one of one's own is written in place, and fails with the whole."""
        if not any(isinstance(x, Number) for x in args):
            return op.limit(*args)
        if op.is_custom and self.checked:
            return self.inside(op.function, args)
        return self.row(op, args)

    def row(self, op: Op, args: Sequence[Any]) -> Any:
        """Build the instructions that apply a row to floats or to vectors."""
        kind = VECTOR if any(isinstance(x, Number) and x.kind in (VECTOR, MASK) for x in args) else FLOAT
        if op is ops.pow and type(args[1]) in (int, float) and args[1] in (1, 2):
            return args[0] if args[1] == 1 else self.row(ops.mul, [args[0], args[0]])
        values = [self.converted(x, kind) for x in args]
        flags = FUSED if kind == VECTOR else ()
        direct = DIRECT.get(op)
        if direct is not None:
            return self.wrapped(direct(self, flags, *values))
        if kind == VECTOR:
            return self.call(LANES[op.name], [Number(self, x) for x in values])
        function = source_row(op).function
        if function in LIBRARY:
            return self.library(LIBRARY[function], [Number(self, x) for x in values])
        return self.wrapped(self.b.call(self.unit.of_row(op), values))

    # Values.

    def wrapped(self, value: Any) -> Any:
        return None if value is None or value.type == NONE else Number(self, value)

    def kind_of(self, x: Any) -> Any:
        """Return the kind of a number, or none of another object."""
        return x.kind if isinstance(x, Number) else NUMBERS.get(type(x))

    def number(self, x: Any, kind: Any) -> Number:
        return Number(self, self.converted(x, kind))

    def converted(self, x: Any, kind: Any) -> Any:
        """Return a number as a value of a kind."""
        own = self.kind_of(x)
        if own is None:
            raise Unreadable(f"{x!r} is no number")
        if not isinstance(x, Number):
            if kind == VECTOR:
                return ir.Constant(VECTOR, [float(x)] * WIDTH)
            return ir.Constant(kind, float(x) if kind == FLOAT else int(x))
        b, value = self.b, x.value
        if own == kind:
            return value
        if own == MASK and kind == VECTOR:
            return b.select(value, *(ir.Constant(VECTOR, [y] * WIDTH) for y in (1.0, 0.0)))
        if own not in ORDER or kind not in ORDER or ORDER.index(own) > ORDER.index(kind):
            raise Unreadable(f"a number of kind {own} is none of kind {kind}")
        if own == BOOL:
            value = b.zext(value, INT)
        if kind in (FLOAT, VECTOR) and own in (BOOL, INT):
            value = b.sitofp(value, FLOAT)
        return spread_out(b, value) if kind == VECTOR else value

    def common(self, xs: Iterable[Any]) -> Any:
        """Return the kind that numbers can become together."""
        kinds = [self.kind_of(x) for x in xs]
        if len(set(kinds)) == 1 and kinds[0] is not None:
            return kinds[0]
        if not all(kind in ORDER for kind in kinds):
            raise Unreadable("these are no numbers of one kind")
        return max(kinds, key=ORDER.index)

    def truth(self, x: Any) -> Any:
        """Return whether a number is not 0: a bool, or a value of the machine's."""
        if not isinstance(x, Number):
            return bool(x)
        if x.kind in (BOOL, MASK):
            return x.value
        if x.kind == INT:
            return self.b.icmp_signed("!=", x.value, INT(0))
        return self.b.fcmp_unordered("!=", x.value, ir.Constant(x.kind, 0.0 if x.kind == FLOAT else [0.0] * WIDTH))

    # Blocks that meet.

    def join(self, edges: Sequence[Edge]) -> Any:
        """Go on where several blocks meet, with the names, or the value, that they have come with."""
        if len(edges) == 1:
            self.b.position_at_end(edges[0][0])
            return edges[0][1]
        blocks, xs = zip(*edges, strict=True)
        meeting = self.b.append_basic_block()
        if isinstance(xs[0], dict):
            shared = [name for name in xs[0] if all(name in x for x in xs)]
            merged = {name: self.merged([x[name] for x in xs], blocks, meeting) for name in shared}
            result: Any = {name: x for name, x in merged.items() if x is not NOTHING}
        else:
            result = self.merged(xs, blocks, meeting)
            if result is NOTHING:
                raise Unreadable("its results are not all numbers")
        for block in blocks:
            self.b.position_at_end(block)
            self.b.branch(meeting)
        self.b.position_at_end(meeting)
        return result

    def merged(self, xs: Sequence[Any], blocks: Sequence[Any], meeting: Any) -> Any:
        """Return the value of a name after blocks that each have one for it."""
        first = xs[0]
        if all(_is_same(first, x) for x in xs[1:]):
            return first
        if all(isinstance(x, (tuple, list)) and type(x) is type(first) and len(x) == len(first) for x in xs):
            return _rebuilt(first, [self.merged(parts, blocks, meeting) for parts in zip(*xs, strict=True)])
        try:
            kind = self.common(xs)
        except Unreadable:
            return NOTHING
        values = []
        for x, block in zip(xs, blocks, strict=True):
            self.b.position_at_end(block)
            values.append(self.converted(x, kind))
        self.b.position_at_end(meeting)
        phi = self.b.phi(kind)
        for value, block in zip(values, blocks, strict=True):
            phi.add_incoming(value, block)
        return Number(self, phi)

    def either(self, test: Any, first: Callable[[], Any], second: Callable[[], Any]) -> Any:
        """Return the value of one of two expressions, of which one will be computed."""
        condition = self.truth(test)
        if isinstance(condition, bool):
            return first() if condition else second()
        edges = []
        blocks = [self.b.append_basic_block() for _ in range(2)]
        self.b.cbranch(condition, *blocks)
        for block, build in zip(blocks, (first, second), strict=True):
            self.b.position_at_end(block)
            try:
                x = build()
                edges.append((self.b.block, x))
            except Failed:
                self.give_up()
        if not edges:
            raise Failed
        return self.join(edges)

    def fail_where(self, condition: Any) -> None:
        """Go to where a failing function goes, if a condition holds."""
        if self.failing is None:
            return
        following = self.b.append_basic_block()
        self.b.cbranch(condition, self.failing, following)
        self.b.position_at_end(following)

    # Statements.

    def run(self, statements: Sequence[ast.stmt]) -> bool:
        """Build statements, and return whether control goes on after them."""
        try:
            return all(map(self.step, statements))
        except Failed:
            self.give_up()
            return False

    def give_up(self) -> None:
        """End a block that has failed."""
        if not self.b.block.is_terminated:
            self.b.branch(self.failing)

    def step(self, node: ast.stmt) -> bool:
        """Build a statement, and return whether control goes on after it."""
        match node:
            case ast.Pass():
                pass
            case ast.Expr(value=value):
                self.value(value)
            case ast.Return(value=value):
                result = None if value is None else self.value(value)
                self.returns.append((self.b.block, result))
                return False
            case ast.Raise():
                self.fail()
            case ast.Assign(targets=[target], value=value):
                self.bind(target, self.value(value))
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.bind(target, self.value(value))
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                self.names[name] = self.binary(type(op), self.named(name), self.value(value))
            case ast.If():
                return self.branch(node)
            case ast.While(orelse=[]):
                return self.loop(node, lambda: self.value(node.test), lambda: None, lambda: None)
            case ast.For(orelse=[]):
                return self.each(node)
            case ast.Break():
                self.loops[-1][0].append((self.b.block, dict(self.names)))
                return False
            case ast.Continue():
                self.loops[-1][1].append((self.b.block, dict(self.names)))
                return False
            case _:
                raise Unreadable(f"line {node.lineno}: {ast.unparse(node).splitlines()[0]}")
        return True

    def bind(self, target: ast.expr, x: Any) -> None:
        """Assign to a name, or to several."""
        match target:
            case ast.Name(id=name):
                self.names[name] = x
            case ast.Tuple(elts=targets) | ast.List(elts=targets) if isinstance(x, (tuple, list)) and len(x) == len(targets):
                for part, value in zip(targets, x, strict=True):
                    self.bind(part, value)
            case _:
                raise Unreadable(f"assignment to {ast.unparse(target)}")

    def branch(self, node: ast.If) -> bool:
        condition = self.truth(self.value(node.test))
        if isinstance(condition, bool):
            return self.run(node.body if condition else node.orelse)
        before, edges = self.names, []
        blocks = [self.b.append_basic_block() for _ in range(2)]
        self.b.cbranch(condition, *blocks)
        for block, statements in zip(blocks, (node.body, node.orelse), strict=True):
            self.b.position_at_end(block)
            self.names = dict(before)
            if self.run(statements):
                edges.append((self.b.block, self.names))
        if edges:
            self.names = self.join(edges)
        return bool(edges)

    def each(self, node: ast.For) -> bool:
        """Build a loop: over a range as one of the machine, over a list or a tuple statement by statement."""
        over = self.value(node.iter)
        if isinstance(over, range):
            over = Range(over.start, over.stop, over.step)
        if not isinstance(over, Range):
            for x in over:
                self.bind(node.target, x)
                if not self.run(node.body):
                    raise Unreadable("a loop over a list that ends early")
            return True
        if not isinstance(over.step, int) or over.step == 0:
            raise Unreadable("a range with a step that is not known")
        sign, counter = (operator.lt, operator.gt)[over.step < 0], f"the counter of line {node.lineno}"
        stop, step = self.number(over.stop, INT), over.step
        self.names = {**self.names, counter: self.number(over.start, INT)}

        def count() -> None:
            self.names[counter] = self.binary(ast.Add, self.names[counter], step, checked=False)

        went_on = self.loop(
            node,
            lambda: self.compare(sign, self.names[counter], stop),
            lambda: self.bind(node.target, self.names[counter]),
            count,
            counter,
        )
        self.names.pop(counter, None)
        return went_on

    def loop(
        self, node: ast.While | ast.For, test: Callable[[], Any], first: Do, last: Do, *counter: str
    ) -> bool:
        """Build a loop; all names that its body assigns to are carried from one turn to the next."""
        parts = [*node.body, *([node.target] if isinstance(node, ast.For) else [])]
        assigned = [*counter, *dict.fromkeys(x.id for part in parts for x in ast.walk(part) if _is_stored(x))]
        carried = [name for name in assigned if name in self.names]
        start = self.b.block
        head, inner, out = (self.b.append_basic_block() for _ in range(3))
        phis: list[tuple[Any, Any]] = []

        def opened(x: Any, key: tuple[Any, ...]) -> Any:
            if isinstance(x, (tuple, list)):
                return _rebuilt(x, [opened(part, (*key, k)) for k, part in enumerate(x)])
            kind = self.unit.hint(key) or self.kind_of(x)
            if kind is None:
                raise Unreadable(f"{key[1]} changes in a loop and is no number")
            self.b.position_at_end(start)
            value = self.converted(x, kind)
            self.b.position_at_end(head)
            phi = self.b.phi(kind)
            phi.add_incoming(value, start)
            phis.append((key, phi))
            return Number(self, phi)

        self.names = {**self.names, **{name: opened(self.names[name], (id(node), name)) for name in carried}}
        self.b.position_at_end(start)
        self.b.branch(head)
        self.b.position_at_end(head)
        condition = self.truth(test())
        exits: list[Edge] = []
        if condition is False:
            raise Unreadable("a loop that never runs")
        if condition is True:
            self.b.branch(inner)
            self.b.function.blocks.remove(out)
        else:
            self.b.cbranch(condition, inner, out)
            exits.append((out, dict(self.names)))
        self.b.position_at_end(inner)
        self.loops.append((exits, []))
        first()
        if self.run(node.body):
            self.loops[-1][1].append((self.b.block, self.names))
        _, again = self.loops.pop()
        if again:
            self.names = self.join(again)
            last()
            found = [leaf for name in carried for leaf in _leaves(self.names.get(name))]
            if len(found) != len(phis):
                raise Unreadable("a list changes its length in a loop")
            for (key, phi), x in zip(phis, found, strict=True):
                kind = self.kind_of(x)
                if kind in ORDER and phi.type in ORDER and ORDER.index(kind) > ORDER.index(phi.type):
                    raise Promote(key, kind)
                phi.add_incoming(self.converted(x, phi.type), self.b.block)
            self.b.branch(head)
        if exits:
            self.names = self.join(exits)
        return bool(exits)

    # Expressions.

    def named(self, name: str) -> Any:
        if name in self.names:
            return self.names[name]
        try:
            return self.known[name]
        except KeyError:
            raise Unreadable(f"{name} has no value, or not on every way") from None

    def value(self, node: ast.expr) -> Any:
        """Return the value of an expression."""
        match node:
            case ast.Constant(value=x):
                return x
            case ast.Name(id=name):
                return self.named(name)
            case ast.Attribute(value=x, attr=name):
                found = self.value(x)
                if isinstance(found, Number):
                    raise Unreadable(f"attribute {name} of a number")
                return getattr(found, name)
            case ast.Subscript(value=x, slice=place):
                return self.value(x)[self.value(place)]
            case ast.Slice(lower=first, upper=last, step=step):
                return slice(*(None if x is None else self.value(x) for x in (first, last, step)))
            case ast.Tuple(elts=parts):
                return tuple(self.values(parts))
            case ast.List(elts=parts):
                return self.values(parts)
            case ast.UnaryOp(op=op, operand=x):
                return self.unary(op, self.value(x))
            case ast.BinOp(left=x, op=op, right=y):
                return self.binary(type(op), self.value(x), self.value(y))
            case ast.Compare(left=first, ops=signs, comparators=more):
                return self.compared([type(sign) for sign in signs], self.values([first, *more]))
            case ast.BoolOp(op=op, values=values):
                return self.first_of(values, isinstance(op, ast.Or))
            case ast.IfExp(test=test, body=x, orelse=y):
                return self.either(self.value(test), lambda: self.value(x), lambda: self.value(y))
            case ast.Call(func=f, args=args, keywords=[]):
                return self.call(self.value(f), self.values(args))
            case ast.ListComp(elt=part, generators=over) | ast.GeneratorExp(elt=part, generators=over):
                return self.unrolled(part, over)
        raise Unreadable(ast.unparse(node))

    def values(self, nodes: Iterable[ast.expr]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            found += self.value(node.value) if isinstance(node, ast.Starred) else [self.value(node)]
        return found

    def unrolled(self, part: ast.expr, over: list[ast.comprehension]) -> list[Any]:
        """Return the list that a comprehension makes."""
        first, *rest = over
        found: list[Any] = []
        before = self.names
        for x in self.value(first.iter):
            self.names = dict(before)
            self.bind(first.target, x)
            if all(self.truth(self.value(test)) for test in first.ifs):
                found += self.unrolled(part, rest) if rest else [self.value(part)]
        self.names = before
        return found

    def first_of(self, nodes: Sequence[ast.expr], wanted: bool) -> Any:
        """Return the first value whose truth is the wanted one, or the last: `and`, `or`."""
        x = self.value(nodes[0])
        if len(nodes) == 1:
            return x
        ways = (lambda: x, lambda: self.first_of(nodes[1:], wanted))
        return self.either(x, *(ways if wanted else ways[::-1]))

    def unary(self, op: ast.unaryop, x: Any) -> Any:
        if not isinstance(x, Number):
            return {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_}[type(op)](x)
        if isinstance(op, ast.Not):
            return Number(self, self.b.not_(self.truth(x)))
        if isinstance(op, ast.UAdd) and x.kind != BOOL:
            return x
        if isinstance(op, ast.USub):
            return self.binary(ast.Sub, 0, x) if x.kind in (BOOL, INT) else Number(self, self.b.fneg(x.value))
        raise Unreadable(f"{type(op).__name__} of a number")

    def binary(self, op: type, x: Any, y: Any, *, checked: bool | None = None) -> Any:
        """Return the result of a sign between two values."""
        if not isinstance(x, Number) and not isinstance(y, Number):
            try:
                return PYTHON[op](x, y)
            except (ArithmeticError, ValueError):
                return self.fail()
        kind = self.common([x, y])
        kind = INT if kind == BOOL else kind
        if op in (ast.FloorDiv, ast.Mod) and kind in (INT, FLOAT):
            return self.inside(WHOLE[op, kind == INT], [self.number(x, kind), self.number(y, kind)])
        if kind == INT:
            if op is ast.Div:
                return self.binary(op, self.number(x, FLOAT), self.number(y, FLOAT))
            if op is ast.Pow and not isinstance(y, Number) and y in (1, 2, 3):
                return reduce(lambda total, _: self.binary(ast.Mult, total, x), range(y - 1), x)
            return self.of_ints(op, x, y, self.checked if checked is None else checked)
        row = {ast.Add: ops.add, ast.Sub: ops.sub, ast.Mult: ops.mul, ast.Div: ops.div, ast.Pow: ops.pow}.get(op)
        if row is None or kind not in (FLOAT, VECTOR):
            raise Unreadable(f"{op.__name__} of numbers of kind {kind}")
        if row is ops.pow and kind == FLOAT:
            args = [self.number(x, kind), self.number(y, kind)]
            return self.inside(_real_power, args) if self.checked else self.library("pow", args)
        return self.row(row, [x, y])

    def of_ints(self, op: type, x: Any, y: Any, checked: bool) -> Any:
        name = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul"}.get(op)
        if name is None:
            raise Unreadable(f"{op.__name__} of ints")
        values = self.converted(x, INT), self.converted(y, INT)
        if not checked:
            return Number(self, getattr(self.b, name)(*values))
        pair = ir.LiteralStructType([INT, BOOL])
        found = self.b.call(self.declared(f"llvm.s{name}.with.overflow.i64", [INT, INT], pair), values)
        self.fail_where(self.b.extract_value(found, 1))
        return Number(self, self.b.extract_value(found, 0))

    def compared(self, signs: Sequence[type], xs: Sequence[Any]) -> Any:
        """Return the result of a comparison, or of a chain of them."""
        found: Any = True
        for sign, x, y in zip(signs, xs, xs[1:], strict=False):
            if sign in (ast.In, ast.NotIn) and isinstance(x, Number):
                one: Any = self.any_of([self.compare(operator.eq, x, part) for part in y])
                one = self.unary(ast.Not(), one) if sign is ast.NotIn else one
            else:
                one = self.compare(COMPARISONS[sign], x, y)
            found = self.both_of(found, one)
        return found

    def any_of(self, xs: Sequence[Any]) -> Any:
        if not all(isinstance(x, Number) for x in xs):
            return any(xs)
        return Number(self, reduce(self.b.or_, [x.value for x in xs]))

    def both_of(self, x: Any, y: Any) -> Any:
        if not isinstance(x, Number):
            return y if x else x
        if not isinstance(y, Number):
            return x if y else y
        return Number(self, self.b.and_(x.value, y.value))

    def compare(self, how: Any, x: Any, y: Any) -> Any:
        if not isinstance(x, Number) and not isinstance(y, Number):
            return how(x, y)
        if how not in SIGNS:
            raise Unreadable(f"{how.__name__} of a number")
        kind = self.common([x, y])
        kind = INT if kind == BOOL else kind
        values = self.converted(x, kind), self.converted(y, kind)
        if kind == INT:
            return Number(self, self.b.icmp_signed(SIGNS[how], *values))
        compare = self.b.fcmp_unordered if how is operator.ne else self.b.fcmp_ordered
        return Number(self, compare(SIGNS[how], *values))


class Range:
    """A range of which an end is known only when the machine code runs."""

    def __init__(self, start: Any, stop: Any, step: Any) -> None:
        self.start, self.stop, self.step = start, stop, step


# Python's `//` and `%`, which round down, and its `**`.


def _real_power(x: float, y: float) -> float:
    if -math.inf < x < 0.0 and -math.inf < y < math.inf and y != math.floor(y):
        raise ValueError  # Python's is a complex number
    return math.pow(x, y)


def _mod(x: float, y: float) -> float:
    if y == 0.0:
        raise ZeroDivisionError
    r = math.fmod(x, y)
    if r == 0.0:
        return math.copysign(0.0, y)
    return r + y if (r < 0.0) != (y < 0.0) else r


def _floordiv(x: float, y: float) -> float:
    r = _mod(x, y)
    quotient = (x - r) / y
    if quotient == 0.0:
        return math.copysign(0.0, x / y)
    whole = math.floor(quotient)
    return whole + 1.0 if quotient - whole > 0.5 else whole


def _mod_of_ints(x: int, y: int) -> int:
    if y == 0:
        raise ZeroDivisionError
    r = remainder(x, y)
    return r + y if r != 0 and (r < 0) != (y < 0) else r


def _floordiv_of_ints(x: int, y: int) -> int:
    return quotient(x - _mod_of_ints(x, y), y)


NOTHING = object()  # the value of a name that has none on some way


def _holds_number(x: Any) -> bool:
    return isinstance(x, Number) or (isinstance(x, (tuple, list)) and any(map(_holds_number, x)))


def _is_same(x: Any, y: Any) -> bool:
    return x is y or (type(x) is type(y) and isinstance(x, (bool, int, float, str)) and repr(x) == repr(y))


def _is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _rebuilt(like: Any, parts: list[Any]) -> Any:
    """Return a tuple or list of the kind of another."""
    return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)


def _leaves(x: Any) -> list[Any]:
    return [leaf for part in x for leaf in _leaves(part)] if isinstance(x, (tuple, list)) else [x]


def _range(e: Evaluator, *args: Any) -> Range:
    args = tuple(_to_int(e, x) if isinstance(x, Number) and x.kind == FLOAT else x for x in args)
    return Range(*((0, *args, 1) if len(args) == 1 else (*args, 1) if len(args) == 2 else args))


def _extreme(how: Any) -> Callable[..., Any]:
    def build(e: Evaluator, *xs: Any) -> Any:
        xs = tuple(xs[0]) if len(xs) == 1 else xs
        return reduce(lambda x, y: e.either(e.compare(how, y, x), lambda: y, lambda: x), xs)

    return build


def _to_int(e: Evaluator, x: Any = 0) -> Any:
    """Return a float without its fraction; one that no int of the machine can hold is a failure."""
    if x.kind != FLOAT:
        return e.number(x, INT)
    if e.failing is not None:
        size = e.of_llvm("fabs", x.value)
        e.fail_where(e.b.not_(e.b.fcmp_ordered("<", size, FLOAT(2.0**63))))
    return Number(e, e.b.fptosi(x.value, INT))


def _whole(name: str) -> Callable[..., Any]:
    """Make `floor` and its like: their results are floats, which every whole number of a float is."""

    def build(e: Evaluator, x: Any) -> Any:
        if x.kind in (BOOL, INT):
            return x
        if e.checked:
            e.fail_where(e.b.not_(_is_finite(e, x).value))
        return Number(e, e.of_llvm(name, x.value))

    return build


def _unary(name: str) -> Callable[..., Any]:
    return lambda e, x: Number(e, e.of_llvm(name, e.converted(x, FLOAT) if x.kind != VECTOR else x.value))


def _abs(e: Evaluator, x: Any) -> Any:
    if x.kind in (BOOL, INT):
        return e.either(e.compare(operator.lt, x, 0), lambda: e.unary(ast.USub(), x), lambda: x)
    return _unary("fabs")(e, x)


def _log(e: Evaluator, x: Any, base: Any = None) -> Any:
    found = e.library("log", [x])
    return found if base is None else e.binary(ast.Div, found, e.call(math.log, [base]))


def _scaled(by: float) -> Callable[..., Any]:
    return lambda e, x: e.binary(ast.Mult, x, by)


def _is_nan(e: Evaluator, x: Any) -> Any:
    x = e.number(x, FLOAT)
    return e.compare(operator.ne, x, x)


def _is_inf(e: Evaluator, x: Any) -> Any:
    return e.compare(operator.eq, _unary("fabs")(e, e.number(x, FLOAT)), math.inf)


def _is_finite(e: Evaluator, x: Any) -> Any:
    return e.compare(operator.lt, _unary("fabs")(e, e.number(x, FLOAT)), math.inf)


STATIC = {is_vectorial, len, zip, enumerate, reversed, list, tuple, isinstance}  # functions that do not look at the numbers
FUNCTIONS: dict[Any, Callable[..., Any]] = {
    range: _range, max: _extreme(operator.gt), min: _extreme(operator.lt), int: _to_int, abs: _abs,
    float: lambda e, x: e.number(x, FLOAT), bool: lambda e, x: Number(e, e.truth(x)),
    builtins.pow: lambda e, x, y: e.binary(ast.Pow, x, y), builtins.sum: lambda e, xs: reduce(
        lambda x, y: e.binary(ast.Add, x, y), xs, 0),
    math.fabs: _unary("fabs"), math.sqrt: _unary("sqrt"), math.log: _log, math.isnan: _is_nan, math.isinf: _is_inf,
    math.isfinite: _is_finite, math.degrees: _scaled(180.0 / math.pi), math.radians: _scaled(math.pi / 180.0),
    applied: lambda e, op, xs: e.row(op.row, xs), slope: lambda e, rule, xs, z: rule(*xs, z),
    round: _whole("roundeven"), math.floor: _whole("floor"), math.ceil: _whole("ceil"), math.trunc: _whole("trunc"),
    math.copysign: lambda e, x, y: Number(e, e.of_llvm("copysign", e.converted(x, FLOAT), e.converted(y, FLOAT))),
}  # fmt: skip
OF_TWO = frozenset(["atan2", "fmod", "hypot", "pow"])
ODD = frozenset(["exp2", "fmod", "tgamma"])  # no rows, whose values where Python's raise an error are Python's
LIBRARY = {
    getattr(math, name): {"gamma": "tgamma"}.get(name, name)
    for name in (
        "acos acosh asin asinh atan atan2 atanh cbrt cos cosh erf erfc exp exp2 expm1 fmod gamma hypot lgamma log log10 "
        "log1p log2 pow sin sinh tan tanh"
    ).split()
}
PYTHON = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip
WHOLE = {
    (ast.Mod, False): _mod, (ast.Mod, True): _mod_of_ints,
    (ast.FloorDiv, False): _floordiv, (ast.FloorDiv, True): _floordiv_of_ints,
}  # fmt: skip
COMPARISONS = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda x, y: x in y, ast.NotIn: lambda x, y: x not in y,
}  # fmt: skip
SIGNS = {
    operator.lt: "<", operator.le: "<=", operator.gt: ">", operator.ge: ">=", operator.eq: "==", operator.ne: "!=",
}  # fmt: skip
DIRECT: dict[Op, Callable[..., Any]] = {
    ops.add: lambda e, flags, x, y: e.b.fadd(x, y, flags=flags),
    ops.sub: lambda e, flags, x, y: e.b.fsub(x, y, flags=flags),
    ops.mul: lambda e, flags, x, y: e.b.fmul(x, y, flags=flags),
    ops.div: lambda e, flags, x, y: e.b.fdiv(x, y),
    ops.neg: lambda e, flags, x: e.b.fneg(x),
    ops.abs: lambda e, flags, x: e.of_llvm("fabs", x),
    ops.sqrt: lambda e, flags, x: e.of_llvm("sqrt", x),
}


def compiled(wanted: Mapping[str, tuple[str, Op | str | None]], rows: Sequence[Op]) -> tuple[bytes, dict[Op, str]]:
    """Return the object code of kernels, and the rows that Python must compute, with the reasons.

    Args:
        wanted: for each symbol a function of `loops` or `lanes`, and the row that it is for, if it is for one.
        rows: the rows that may be called back, in the order of their addresses.
    """
    from . import lanes, loops

    unit = Unit(triple(), rows)
    for symbol, (name, kind) in wanted.items():
        module, _, function = name.partition(".")
        given = getattr({"loops": loops, "lanes": lanes}[module], function)
        unit.shared(given, [kind] if isinstance(kind, Op) else [], name=symbol)
    return object_of(str(unit.module)), unit.refused
