"""Containers: every kind is taken apart and put together by one table, in eager and compiled functions alike."""

from __future__ import annotations

import pickle
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import examples

import autograd_mini as ag
from autograd_mini import Value, nn
from autograd_mini.structure import LEAF, Kind, flatten, holds, is_array, map_leaves, register

RUN = pytest.mark.parametrize("runner", ["numpy", "llvm"])


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass(frozen=True)
class Gauss:
    mu: Any
    sigma: Any
    power: int = field(default=2, metadata={"static": True})
    area: Any = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "area", self.sigma * 2.0)


@dataclass
class Tree:
    w: Any
    parent: Any = None


class Pair:
    """A container of one's own, with a size that is no number of it."""

    def __init__(self, x: Any, y: Any = 0.0, size: Any = 1) -> None:
        self.x, self.y, self.size = x, y, size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pair) and (self.x, self.y, self.size) == (other.x, other.y, other.size)

    __hash__ = None  # type: ignore[assignment]


ag.register_container(Pair, lambda p: ((p.x, p.y), p.size), lambda size, parts: Pair(parts[0], parts[1], size))

numbers = st.floats(-2, 2).map(lambda x: round(x, 3))
names = st.text("abcxyz", min_size=1, max_size=2)
trees: st.SearchStrategy[Any] = st.recursive(
    numbers | st.none(),
    lambda parts: st.one_of(
        st.lists(parts, max_size=3),
        st.lists(parts, max_size=3).map(tuple),
        st.dictionaries(names, parts, max_size=3),
        st.dictionaries(names, parts, max_size=3).map(OrderedDict),
        st.dictionaries(names, parts, max_size=3).map(lambda d: defaultdict(float, d)),
        st.builds(Point, parts, parts),
        st.builds(Tree, parts),
        st.builds(Gauss, numbers, numbers),
        st.builds(Pair, parts, parts, st.integers(0, 2)),
    ),
    max_leaves=8,
)


@given(tree=trees)
@settings(max_examples=examples(200))
def test_what_is_taken_apart_is_put_together(tree: Any) -> None:
    leaves, structure = flatten(tree)
    again = structure.rebuild(leaves)
    assert again == tree
    assert type(again) is type(tree)
    assert all(type(x) is float for x in leaves)
    assert structure.size == len(leaves)
    assert flatten(again) == (leaves, structure)
    assert pickle.loads(pickle.dumps(structure)) == structure
    assert str(structure).count("number") == len(leaves)
    assert holds(map_leaves(Value, tree), Value) is bool(leaves)
    assert not holds(tree, Value)


@RUN
@given(tree=trees.filter(lambda tree: flatten(tree)[0] != []))
@settings(max_examples=examples(40))
def test_derivatives_have_the_structure_of_the_argument(runner: str, tree: Any) -> None:
    """Of the sum of squares of all numbers: twice the numbers, by each way to a gradient."""

    def f(tree: Any) -> Any:
        return ag.sum(x * x for x in flatten(tree)[0])

    expected = map_leaves(lambda x: 2 * x, tree)
    compiled = ag.compile(f, runner=runner)
    value, slopes = compiled.value_and_grad(tree)
    assert value == pytest.approx(f(tree))
    assert slopes == ag.grad(f)(tree) == expected
    assert type(slopes) is type(tree)
    assert compiled.value_and_grad(tree) == (value, slopes)
    again = pickle.loads(pickle.dumps(compiled))
    assert again.value_and_grad(tree) == (value, slopes)
    assert ag.compile(lambda tree: tree, runner=runner)(tree) == tree
    assert ag.trace(lambda tree: tree, tree)(tree) == tree


@RUN
def test_arrays_in_containers(runner: str) -> None:
    def f(p: Any, x: Any) -> Any:
        W, b = flatten(p, is_array)[0]
        return ((W @ x + b) ** 2).sum()

    W, b = np.arange(6.0).reshape(2, 3), np.ones(2)
    x = np.array([1.0, -1.0, 2.0])
    made: Any
    for made in (
        {"W": W, "b": b},
        OrderedDict(W=W, b=b),
        defaultdict(None, W=W, b=b),
        [W, b],
        Point(W, b),
        Tree(W, b),
        Pair(W, b),
        [{"W": W}, (b,)],
    ):
        slopes = ag.compile(f, runner=runner).grad(made, x)
        dW, db = flatten(slopes, is_array)[0]
        dz = 2 * (W @ x + b)
        assert np.array_equal(dW, np.outer(dz, x))
        assert np.array_equal(db, dz)
        assert type(slopes) is type(made)
        _, over = ag.compile(f, runner=runner).vmap((None, 0)).value_and_grad(made, np.array([x, x]))
        assert flatten(over)[0] == [2 * slope for slope in flatten(slopes)[0]]
        bound = ag.compile(f, runner=runner).bind(made, x, argnums=0)
        assert type(bound.args[0]) is type(bound.gradient) is type(made)
        assert flatten(bound.gradient)[0] == flatten(slopes)[0]


@RUN
def test_dicts_keep_their_order_and_their_type(runner: str) -> None:
    def f(d: Any) -> Any:
        return d["b"] * d["a"] ** 2

    for grad in (ag.grad(f), ag.compile(f, runner=runner).grad):
        found: Any = grad(OrderedDict(b=2.0, a=3.0))
        assert found == OrderedDict(b=9.0, a=12.0)
        assert list(found) == ["b", "a"]
    counted = ag.compile(lambda d: d["a"] * 2 + d["missing"], runner=runner)
    slopes = counted.grad(defaultdict(float, a=1.0))
    assert slopes == {"a": 2.0}
    assert slopes["other"] == 0.0
    assert ag.grad(f)(Counter(a=3, b=2)) == {"a": 12.0, "b": 9.0}
    one, other = {2: 1.0, 1: 5.0}, {1: 5.0, 2: 1.0}
    assert [ag.grad(lambda d: d[1] * d[2])(d) for d in (one, other)] == [{2: 5.0, 1: 1.0}] * 2


@RUN
def test_fields_of_a_dataclass(runner: str) -> None:
    """Fields that its constructor takes are numbers, those that it computes follow them, a static one is kept."""

    def f(g: Any) -> Any:
        return g.mu * g.area**g.power

    w = Value(3.0, "w")

    for grad in (ag.grad(f), ag.compile(f, runner=runner).grad):
        slopes = grad(Gauss(3.0, 0.5))
        assert (slopes.mu, slopes.sigma, slopes.power) == (1.0, 12.0, 2)
        assert grad(Gauss(3.0, 0.5, 1)).sigma == 6.0
    c = ag.compile(lambda g: g.mu * 2 if g.power is True else g.mu * 3, runner=runner)
    assert [c(Gauss(1.0, 1.0, power)) for power in (True, 1, 1.0)] == [2.0, 3.0, 3.0]  # type: ignore[arg-type]
    t = ag.trace(lambda x: x * w, 1.0)
    assert ag.grad(lambda x, t: t(x) * x)(2.0, t) == 12.0  # a trace is no container of the Values that it was made on
    with pytest.raises(TypeError, match="cannot use 'a' of type str"):
        c(Tree("a"))
    found = ag.grad(lambda x, t: x * x * t.w)(2.0, Tree(w))
    assert isinstance(found, Value)  # as with a Value in a list
    assert ag.gradient(found, w).data == 4.0


@RUN
def test_a_container_of_ones_own(runner: str) -> None:
    def f(p: Any, q: Any) -> Any:
        return p.x * p.y * p.size + q[0].x

    p, q = Pair(2.0, 3.0, 4), [Pair(1.0, 1.0)]
    for grad in (ag.grad(f, (0, 1)), lambda *args: ag.compile(f, runner=runner).grad(*args, argnums=(0, 1))):
        assert grad(p, q) == (Pair(12.0, 8.0, 4), [Pair(1.0, 0.0)])
    c = ag.compile(lambda p: p.x * p.size, runner=runner)
    assert [c(Pair(1.0, 0.0, size)) for size in (2, 3, 2)] == [2.0, 3.0, 2.0]
    assert len(c) == 2
    assert ag.jacobian(lambda p: Pair(p.y, p.x))(Pair(1.0, 2.0)) == Pair(Pair(0.0, 1.0), Pair(1.0, 0.0))
    with pytest.raises(TypeError, match="the tangents must have the structure"):
        ag.jvp(lambda p: p.x, (Pair(1.0, 2.0, 1),), (Pair(1.0, 2.0, 2),))
    with pytest.raises(TypeError, match="the constant part of a container must be hashable"):
        c(Pair(1.0, 1.0, [1]))
    assert ag.compile(lambda p: p.x, static_argnums=1, runner=runner)(Pair(1.0, 2.0)) == 1.0


def test_what_is_no_container_is_refused() -> None:
    class Plain:
        x = 1.0

    class Child(Pair):
        pass

    for other in (Plain(), Child(1.0, 2.0)):
        for ask in (ag.grad(lambda p: p.x), ag.compile(lambda p: p.x), lambda p: ag.trace(lambda p: p.x, p)):
            with pytest.raises(TypeError, match=f"cannot use .*{type(other).__name__}"):
                ask(other)
    anything: Any = Plain
    flat: Any = lambda p: ((p.x,), None)  # noqa: E731
    for wrong in ((Plain(), flat, flat), (anything, None, flat), (anything, flat, 3)):
        with pytest.raises(TypeError, match="register_container: give a class and two functions"):
            ag.register_container(*wrong)
    for known in (list, dict, Pair, nn.Module):
        with pytest.raises(ValueError, match=f"{known.__name__} is registered already"):
            ag.register_container(known, flat, flat)
    with pytest.raises(AttributeError, match="register_container"):
        _ = ag.register_pytree_node  # type: ignore[attr-defined]


def test_a_structure_of_another_process_without_the_registration() -> None:
    class Lost:
        pass

    with pytest.raises(TypeError, match="Lost is not registered in this process: call register_container first"):
        LEAF._replace(kind=Lost).rebuild([])


def nested(wrap: Callable[[Any], Any], depth: int) -> Any:
    tree: Any = 1.0
    for _ in range(depth):
        tree = wrap(tree)
    return tree


WRAPS: dict[str, Callable[[Any], Any]] = {
    "list": lambda x: [x, 1.0, [2.0]],
    "tuple": lambda x: (x, [1.0]),
    "dict": lambda x: {"x": x},
    "dataclass": Tree,
    "own": lambda x: Pair(x, 1.0),
}


@pytest.mark.parametrize("kind", WRAPS)
def test_what_is_too_deep_or_holds_itself_is_refused(kind: str) -> None:
    """Also compiled, where Python's own limit does not count."""
    wrap = WRAPS[kind]
    loop: Any = wrap(1.0)
    if isinstance(loop, list):
        loop[0] = loop
    elif isinstance(loop, dict):
        loop["x"] = loop
    elif isinstance(loop, (Tree, Pair)):
        vars(loop)["w" if isinstance(loop, Tree) else "x"] = loop
    else:
        loop[1].append(loop)

    class Holder(nn.Module):
        def __init__(self, x: Any) -> None:
            self.x = x

    for tree in (nested(wrap, 20_000), loop):
        for ask in (
            ag.grad(lambda x: 1.0),
            ag.compile(lambda x: 1.0),
            ag.compile(lambda x: 1.0).vmap(),
            lambda x: ag.compile(lambda y: x)(1.0),
            lambda x: ag.trace(lambda y: 1.0, x),
        ):
            with pytest.raises(ValueError, match="nested too deeply, or a container holds itself"):
                ask(tree)
        assert ag.grad(lambda x, other: x * x)(3.0, tree) == 6.0  # it is passed on as it is
        if tree is not loop or kind != "dataclass":
            with pytest.raises(ValueError, match=r"Holder: .* nested too deeply"):
                Holder(tree).parameters()
    deep = nested(wrap, 60)
    assert ag.compile(lambda x: ag.sum(flatten(x)[0]))(deep) == ag.sum(flatten(deep)[0])


def test_parameters_in_containers() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            self.point = Point(Value(1.0), Value(2.0))
            self.gauss = Gauss(Value(3.0), [Value(4.0), Value(5.0)][0])
            self.tree = Tree({"b": Value(6.0), "a": Value(7.0)})
            self.tree.parent = self.tree  # passed over: it was seen
            self.pair = Pair([Value(8.0)], Value(9.0))

    net = Net()
    assert net.state_dict() == {
        **{"point": [1.0, 2.0], "gauss.mu": 3.0, "gauss.sigma": 4.0},
        **{"tree.w.b": 6.0, "tree.w.a": 7.0, "pair": [[8.0], 9.0]},
    }
    net.load_state_dict({**net.state_dict(), "tree.w.a": 0.5, "pair": ([1.5], 2.5)})
    assert [p.data for p in net.parameters()] == [1.0, 2.0, 3.0, 4.0, 6.0, 0.5, 1.5, 2.5]
    slopes = ag.compile(lambda net: net.pair.x[0] * net.tree.w["b"]).grad(net)
    assert (slopes["pair"], slopes["tree.w.b"]) == ([[6.0], 0.0], 1.5)


def test_programs_do_not_need_nets() -> None:
    """A class of one's own, with Values that it holds, is an argument of programs as a module is."""

    class Held:
        def __init__(self) -> None:
            self.a, self.b = Value(2.0, "a"), Value(3.0, "b")

    def taken_apart(h: Held) -> Any:
        return (h.a, h.b), (h, (h.a, h.b))

    def slopes(owner: Any, found: list[float]) -> dict[str, float]:
        return {p.label: x for p, x in zip(owner[1], found, strict=True)}

    register(Kind(Held, taken_apart, slopes, owner=True))
    held = Held()
    c = ag.compile(lambda h, x: h.a * h.b * x)
    for x in (1.0, 2.0):
        assert c.value_and_grad(held, x) == (held.a.data * 3.0 * x, {"a": 3.0 * x, "b": held.a.data * x})
        held.a.data = 5.0
    assert len(c) == 1


class Stop(Exception):
    pass


def test_a_call_that_fails_leaves_the_next_one_right() -> None:
    """The buffer of a run that an error ended is not used again, for its derivatives may be in disorder."""
    f = ag.compile(lambda x, y: ag.log(x) * y, check=True, runner="numpy")
    expected = f.value_and_grad(2.0, 3.0, argnums=(0, 1))
    for _ in range(3):
        with pytest.raises(ValueError, match="math domain error"):
            f.value_and_grad(-1.0, 3.0)
        assert f.value_and_grad(2.0, 3.0, argnums=(0, 1)) == expected
    programs = f._programs

    def fails(workspace: Any, request: Any) -> Any:
        workspace.grad[:] = 7.0
        raise Stop

    with pytest.raises(Stop):
        programs.run((2.0, 3.0), fails, 0)
    assert f.value_and_grad(2.0, 3.0, argnums=(0, 1)) == expected


def test_results_of_threads_do_not_mix() -> None:
    f = ag.compile(lambda p: {"s": p["w"] @ p["x"], "p": [p["w"] * p["x"], 2.0]})
    args = [{"w": np.full(5, float(k)), "x": np.arange(5.0)} for k in range(200)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(f, args))
    for k, out in enumerate(found):
        assert (out["s"], out["p"][1]) == (10.0 * k, 2.0)
        assert (out["p"][0] == k * np.arange(5.0)).all()


def test_a_class_of_dicts_whose_rest_is_no_keys_is_printed() -> None:
    class Sized(dict[str, Any]):
        pass

    ag.register_container(
        Sized, lambda d: (list(d.values()), len(d)), lambda n, parts: Sized(zip("abc"[:n], parts, strict=True))
    )
    assert str(flatten(Sized(a=1.0, b=2.0))[1]) == "Sized(number, number)"
