r"""Python functions as LLVM's instructions.

An `Evaluator` walks through the tree of a function when the function is compiled. A name stands for an ordinary Python
object, such as an int, a row or a list, or for a `Number`, which is known only when the machine code runs. A statement
that depends only on ordinary objects is done at once: an `if` takes its branch, and a comprehension is unrolled. A
statement that depends on a `Number` becomes instructions: an `if` becomes two blocks that join again, and a `while` or
a `for` over a `range` becomes a loop. A called function is written in place, unless it is marked `shared`; then the
machine code calls it.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any, NamedTuple

from ..ops import Op
from ..printing import counted
from ..source import Unreadable, assigned_in, in_order, is_plain, source_of
from .blocks import Blocks, Edge, Phis, Promote
from .meanings import FUNCTIONS, KINDS, PURE, STATIC, Range, kinds_of
from .primitives import FLOAT, INT, Primitive
from .values import BIGGEST, LIBRARY, Failed, Number, Object, holds_number, leaves

MAX_STATEMENTS = 20_000  # the most statements and turns of comprehensions that a user's function may have, unrolled
LARGEST_STEP = 1 << 31  # the largest step of a range

Names = dict[str, Object]
Do = Callable[[], Object]


class Once(list[Any]):
    """The items of an iterator. An iterator can be used only once, so it must not get a name."""


class Loop(NamedTuple):
    """The ends of blocks that leave a loop, and of blocks that begin its next turn."""

    breaks: list[Edge]
    continues: list[Edge]


class Evaluator(Blocks):
    """The builder of a function's instructions, statement by statement."""

    known: Mapping[str, object]  # the names that are not the function's own
    own: frozenset[str]
    names: Names
    active: tuple[Callable[..., Any], ...] = ()  # the functions that are being written now, the innermost last
    returns: list[Edge]
    loops: list[Loop | None]  # the loops around a statement; None for a loop over a list

    def inside(self, function: Callable[..., Any], args: Sequence[Object], *, checked: bool = False) -> Object:
        """Write a function in place, and return its result."""
        if function in self.active and self.checked:
            raise Unreadable(f"{function.__name__} calls itself")
        source = source_of(function)
        defaults = function.__defaults__ or ()
        lacking = len(source.parameters) - len(args)
        if not 0 <= lacking <= len(defaults):
            raise Unreadable(f"{source.name} takes {counted(len(source.parameters), 'argument')}, {len(args)} given")
        given = [*args, *defaults[len(defaults) - lacking :]]
        inner = Evaluator(self.unit, self.b, self.failing, checked=checked or self.checked)
        inner.callbacks = self.callbacks
        inner.known, inner.own, inner.active = source.names, source.own, (*self.active, function)
        inner.names, inner.returns, inner.loops = dict(zip(source.parameters, given, strict=True)), [], []
        if inner.run(source.body):
            inner.returns.append((self.b.block, None))
        if not inner.returns:
            raise Failed
        return inner.join(inner.returns)

    def call(self, f: Any, args: Sequence[Object], named: Mapping[str, Object] | None = None) -> Object:
        """Return the result of a call."""
        if named and isinstance(f, FunctionType):
            args = in_order(f, args, named)
        elif named and not (f is zip and named == {"strict": True}):
            raise Unreadable(f"{f} is called with arguments by name")
        known = not any(map(_is_unknown, args))
        if isinstance(f, Primitive):
            kinds = [KINDS.get(text) for text in f.kinds]
            full = [x if kind is None else self.number(x, kind) for x, kind in zip(args, kinds, strict=True)]
            return self.wrapped(f.build(self.b, *[x.value if isinstance(x, Number) else x for x in full]))
        if isinstance(f, Op):
            if known:
                return f.limit(*args)
            # In a user's function, a user's row is written in place, and its error is the function's error.
            args = [*args, *f.lacking(len(args))]
            return self.inside(f.row.function, args) if f.is_custom and self.checked else self.row(f.row, args)
        if inspect.isbuiltin(f) or isinstance(f, type) or f in STATIC:
            once = f in STATIC and not any(isinstance(x, Range) for x in args)
            if once or (hasattr(f, "_fields") and not self.checked) or (known and f in PURE):
                try:
                    found = f(*args, **(named or {}))
                    return Once(found) if isinstance(found, (enumerate, reversed, zip)) else found
                except (ArithmeticError, ValueError):
                    return self.fail()
            if f in FUNCTIONS:
                return FUNCTIONS[f](self, *args)
            if f in LIBRARY:
                return self.library(LIBRARY[f], args)
            raise Unreadable(f"{f} is called, which is not in OF_MATH of source.py")
        if f in FUNCTIONS:
            return FUNCTIONS[f](self, *args)
        if not getattr(f, "shared", False):
            return self.inside(f, args)
        made = self.unit.shared(f, args)
        numbers = [leaf for x, kind in zip(args, kinds_of(f), strict=False) if kind is not None for leaf in leaves(x)]
        return self.wrapped(
            self.b.call(made, [self.converted(*xk) for xk in zip(numbers, made.ftype.args, strict=True)])
        )

    # Statements.

    def run(self, statements: Sequence[ast.stmt]) -> bool:
        """Build statements, and return whether control goes on after them."""
        try:
            return all(map(self.step, statements))
        except Failed:
            self.give_up()
            return False

    def step(self, node: ast.stmt) -> bool:
        """Build a statement, and return whether control goes on after it."""
        try:
            return self.built(node)
        except (Failed, Promote):
            raise
        except Unreadable as error:
            raise error.at(node) from None
        except Exception as error:  # a function that was called at once has raised it
            raise Unreadable(f"{type(error).__name__}: {error}").at(node) from error

    def count(self) -> None:
        """Count a statement, or a turn of a comprehension."""
        self.unit.steps += self.checked
        if self.unit.steps > MAX_STATEMENTS:
            raise Unreadable("it is too long when its loops over lists are written out")

    def built(self, node: ast.stmt) -> bool:
        """Build a statement; see `step`."""
        self.count()
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
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                self.bind(target, self.value(value))
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value) if not isinstance(self.named(name), list):
                self.names[name] = self.binary(type(op), self.named(name), self.value(value))
            case ast.If():
                return self.branch(node)
            case ast.While(orelse=[]):
                return self.loop(node, node.body, lambda: self.value(node.test))
            case ast.For(orelse=[]):
                return self.each(node)
            case ast.Break() | ast.Continue():
                loop = self.loops[-1]
                if loop is None:
                    raise Unreadable("a loop over a list that ends early")
                edges = loop.breaks if isinstance(node, ast.Break) else loop.continues
                edges.append((self.b.block, dict(self.names)))
                return False
            case _:
                raise Unreadable(ast.unparse(node).splitlines()[0])
        return True

    def bind(self, target: ast.expr, x: Object) -> None:
        """Assign to a name, or to several names."""
        if isinstance(x, Once):
            raise Unreadable("an iterator that has a name")
        match target:
            case ast.Name(id=name):
                self.names[name] = x
            case ast.Tuple(elts=parts) | ast.List(elts=parts) if isinstance(x, (tuple, list)) and len(x) == len(parts):
                for part, value in zip(parts, x, strict=True):
                    self.bind(part, value)
            case _:
                raise Unreadable(f"assignment to {ast.unparse(target)}")

    def branch(self, node: ast.If) -> bool:
        """Build both branches; or only one, if the condition is known."""
        condition = self.truth(self.value(node.test))
        if isinstance(condition, bool):
            return self.run(node.body if condition else node.orelse)
        before = self.names

        def build(statements: list[ast.stmt]) -> tuple[bool, Names]:
            self.names = dict(before)
            return self.run(statements), self.names

        edges = self.two_ways(condition, [lambda: build(node.body), lambda: build(node.orelse)])
        if edges:
            self.names = self.join(edges)
        return bool(edges)

    def each(self, node: ast.For) -> bool:
        """Build a loop: over a range as a loop of the machine code, over a list or a tuple turn by turn."""
        over = self.value(node.iter)
        if isinstance(over, range):
            over = Range(over.start, over.stop, over.step)
        if not isinstance(over, Range):
            if self.checked and not isinstance(over, (tuple, list)):
                over = tuple(over)
            self.loops.append(None)
            for x in over:
                self.bind(node.target, x)
                if not self.run(node.body):
                    self.loops.pop()
                    return False
            self.loops.pop()
            return True
        if isinstance(over.step, Number) or over.step == 0 or abs(over.step) > LARGEST_STEP:
            raise Unreadable("a range with a step that is not known, or too large")
        counter = f"the counter of line {node.lineno}"
        self.names[counter] = self.number(over.start, INT)
        stop, sign = self.number(over.stop, INT), ast.Gt if over.step < 0 else ast.Lt
        if self.checked:  # the counter must not overflow
            self.fail_where(self.b.not_(self.is_below(self.converted(stop, FLOAT), BIGGEST / 2.0)))

        def count() -> None:
            self.names[counter] = Number(self, self.b.add(self.names[counter].value, INT(over.step)))

        goes_on = self.loop(
            node,
            [ast.Name(counter, ast.Store()), node.target, *node.body],
            lambda: self.compare(sign, self.names[counter], stop),
            lambda: self.bind(node.target, self.names[counter]),
            count,
        )
        self.names.pop(counter, None)
        return goes_on

    def loop(
        self,
        node: ast.While | ast.For,
        parts: Sequence[ast.AST],
        test: Do,
        first: Do | None = None,
        last: Do | None = None,
    ) -> bool:
        """Build a loop; the names that its parts assign to are carried from one turn to the next."""
        carried = [
            name for name in dict.fromkeys(name for part in parts for name in assigned_in(part)) if name in self.names
        ]
        start = self.b.block
        head, inner, out = (self.b.append_basic_block() for _ in range(3))
        phis: Phis = []
        self.names |= {name: self.opened(self.names[name], (id(node), name), start, head, phis) for name in carried}
        self.b.position_at_end(start)
        self.b.branch(head)
        self.b.position_at_end(head)
        condition = self.truth(test())
        if condition is False:
            raise Unreadable("a loop that never runs")
        around = Loop([], [])
        if condition is True:
            self.b.branch(inner)
            self.b.function.blocks.remove(out)
        else:
            self.b.cbranch(condition, inner, out)
            around.breaks.append((out, dict(self.names)))
        self.b.position_at_end(inner)
        self.loops.append(around)
        if first is not None:
            first()
        if self.run(node.body):
            around.continues.append((self.b.block, self.names))
        self.loops.pop()
        if around.continues:
            self.names = self.join(around.continues)
            if last is not None:
                last()
            self.closed(phis, [leaf for name in carried for leaf in leaves(self.names.get(name))])
            self.b.branch(head)
        if around.breaks:
            self.names = self.join(around.breaks)
        return bool(around.breaks)

    # Expressions.

    def named(self, name: str) -> Object:
        """Return the object that a name stands for."""
        if name in self.names:
            return self.names[name]
        if name in self.own or name not in self.known:
            raise Unreadable(f"{name} has no value, or not in every branch")
        found = self.known[name]
        if self.checked and not _is_constant(found):
            raise Unreadable(f"{name} is a {type(found).__name__}, which may change")
        return found

    def value(self, node: ast.expr) -> Object:
        """Return the value of an expression."""
        match node:
            case ast.Constant(value=x):
                return x
            case ast.Name(id=name):
                return self.named(name)
            case ast.Attribute(value=x, attr=name) if not isinstance(found := self.value(x), Number):
                if self.checked and not inspect.ismodule(found):
                    raise Unreadable(f"{ast.unparse(node)} may change")
                return getattr(found, name)
            case ast.Subscript(value=x, slice=place):
                at = self.value(place)
                if isinstance(at, Number):
                    raise Unreadable(f"{ast.unparse(node)} has a place that is not known")
                return self.value(x)[at]
            case ast.Slice(lower=first, upper=last, step=step):
                return slice(*(None if x is None else self.value(x) for x in (first, last, step)))
            case ast.Tuple(elts=parts):
                return tuple(self.values(parts))
            case ast.List(elts=parts):
                return self.values(parts)
            case ast.UnaryOp(op=op, operand=x):
                return self.unary(type(op), self.value(x))
            case ast.BinOp(left=x, op=op, right=y):
                return self.binary(type(op), self.value(x), self.value(y))
            case ast.Compare(left=first, ops=signs, comparators=more):
                return self.compared([type(sign) for sign in signs], self.values([first, *more]))
            case ast.BoolOp(op=op, values=values):
                return self.first_of(values, isinstance(op, ast.Or))
            case ast.IfExp(test=test, body=x, orelse=y):
                return self.either(self.value(test), lambda: self.value(x), lambda: self.value(y))
            case ast.Call(func=f, args=args, keywords=named) if all(x.arg for x in named):
                return self.call(self.value(f), self.values(args), {str(x.arg): self.value(x.value) for x in named})
            case ast.ListComp(elt=part, generators=over):
                return self.unrolled(part, over)
            case ast.GeneratorExp(elt=part, generators=over):
                return Once(self.unrolled(part, over))
        raise Unreadable(ast.unparse(node))

    def values(self, nodes: Iterable[ast.expr]) -> list[Object]:
        """Return the values of several expressions; some of them may be `*xs`."""
        found: list[Object] = []
        for node in nodes:
            found += self.value(node.value) if isinstance(node, ast.Starred) else [self.value(node)]
        return found

    def unrolled(self, part: ast.expr, over: list[ast.comprehension]) -> list[Object]:
        """Return the list that a comprehension makes."""
        first, *rest = over
        found: list[Object] = []
        before = self.names
        for x in self.value(first.iter):
            self.names = dict(before)
            self.bind(first.target, x)
            self.count()
            tests = [self.truth(self.value(test)) for test in first.ifs]
            if not all(isinstance(test, bool) for test in tests):
                raise Unreadable("a list whose length is not known")
            if all(tests):
                found += self.unrolled(part, rest) if rest else [self.value(part)]
        self.names = before
        return found

    def first_of(self, nodes: Sequence[ast.expr], wanted: bool) -> Object:
        """Return the first value with the wanted truth, or else the last value: `or` and `and`."""
        x = self.value(nodes[0])
        if len(nodes) == 1:
            return x
        ways = (lambda: x, lambda: self.first_of(nodes[1:], wanted))
        return self.either(x, *(ways if wanted else ways[::-1]))


def _is_unknown(x: object) -> bool:
    return isinstance(x, Range) or holds_number(x)


def _is_constant(x: Any) -> bool:
    """Return whether `content` can make an object part of a kernel's key."""
    if type(x) in (tuple, list):
        return all(map(_is_constant, x))
    return is_plain(x) or isinstance(x, (Op, FunctionType, type)) or inspect.ismodule(x) or inspect.isbuiltin(x)
