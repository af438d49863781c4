"""The node: what it shows, how it mixes with Python and NumPy, and the chain rule on whole graphs."""

from __future__ import annotations

import copy
import gc
import itertools
import math
import operator
import os
import pickle
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from strategies import DEEP, Dag, dags, examples, slope

import autograd_mini as ag
from autograd_mini import Value
from autograd_mini.edges import derivatives_of


def J_of_the_text() -> tuple[Value, ...]:
    a, b, c = Value(5, "a"), Value(3, "b"), Value(2, "c")
    u = b * c
    v = a + u
    return 3 * v, v, u, a, b, c


def test_the_text() -> None:
    J, v, u, a, b, c = J_of_the_text()
    J.backward()
    assert J.data == 33
    assert [x.grad for x in (v, a, u, b, c)] == [3, 3, 3, 3 * c.data, 3 * b.data]


# The chain rule on graphs with shared subexpressions.


@given(dag=dags())
@settings(max_examples=examples(150))
def test_backward_gives_the_slopes(dag: Dag) -> None:
    inputs = dag.values()
    z = dag(inputs)
    assert z.data == dag(dag.inputs)
    assume(abs(z.data) < 1e3)
    z.backward()
    for i, x in enumerate(inputs):
        assume(abs(x.grad) < 1e3)
        assert x.grad == pytest.approx(slope(lambda *xs: dag(xs), dag.inputs, i, h=5e-4), rel=1e-4, abs=1e-4)


@given(dag=dags())
@settings(max_examples=examples(100))
def test_forward_mode_over_the_same_edges_agrees(dag: Dag) -> None:
    inputs = dag.values()
    z = dag(inputs)
    z.backward()
    order = ag.topological_order(z)
    for x in inputs:
        tangents = {node: float(node is x) for node in order}
        for node in order:
            for parent, weight in zip(node.parents, node.partials, strict=True):
                tangents[node] += weight * tangents[parent]
        assert x.grad == pytest.approx(tangents[z], rel=1e-9, abs=1e-9)


@given(dag=dags())
@settings(max_examples=examples(50))
def test_backward_twice_is_backward_once(dag: Dag) -> None:
    inputs = dag.values()
    z = dag(inputs)
    z.backward()
    nodes = ag.topological_order(z)
    once = [node.grad for node in nodes]
    assert once == list(derivatives_of(z, nodes).values())
    z.backward()
    for node, grad in zip(nodes, once, strict=True):
        assert node.grad == pytest.approx(2 * grad if node.op is None else grad, rel=1e-12)
    z.zero_grad()
    assert not any(node.grad for node in nodes)
    z.backward(seed=-2.0)
    for node, grad in zip(nodes, once, strict=True):
        assert node.grad == pytest.approx(-2 * grad, rel=1e-12)


@given(dag=dags())
@settings(max_examples=examples(50))
def test_order_has_every_node_once_after_its_parents(dag: Dag) -> None:
    order = ag.topological_order(dag(dag.values()))
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert all(place[parent] < place[node] for node in order for parent in node.parents)


def test_several_outputs_sum_in_the_leaves() -> None:
    x = Value(3.0)
    (x * x).backward()
    (x * 5).backward()
    assert x.grad == 11.0


def test_a_leaf_is_its_own_output() -> None:
    x = Value(3.0)
    x.backward()
    assert x.grad == 1.0


# What a node shows.


def test_parents_are_ordered_and_repeated() -> None:
    x, y = Value(3.0, "x"), Value(4.0, "y")
    assert (x * x).parents == (x, x)
    assert (y - x).parents == (y, x)
    assert (y - x).partials == (1.0, -1.0)
    assert (x * y).edges == ((x, 4.0), (y, 3.0))
    assert (x / 2 + y.detach()).edges[0][1] == 1.0
    assert x.edges == ()
    product = ag.dot([x, 2.0, y], [y, x, 5.0])
    assert isinstance(product, Value)
    assert product.edges == ((x, 4.0), (y, 5.0), (y, 3.0), (x, 2.0))
    assert (y - x).op is ag.sub
    assert (-x).op is ag.neg
    assert (x / y).op is ag.div


def test_a_number_is_the_nodes_constant() -> None:
    x = Value(3.0)
    for z, operands in [(x * 2, (x, 2.0)), (2 * x, (2.0, x)), (2 - x, (2.0, x)), (2**x, (2.0, x)), (x**2, (x, 2.0))]:
        assert z.operands == operands
        assert z.parents == (x,)


def test_sum_starts_without_a_node() -> None:
    x, y = Value(1.0), Value(2.0)
    assert sum([x]) is x
    total = sum([x, y])
    assert isinstance(total, Value)
    assert total.parents == (x, y)
    assert (0.0 + x).op is ag.add


def test_repr_and_format() -> None:
    x = Value(3, label="x")
    assert repr(x) == "Value(3.0, label='x')"
    y = x * 2
    y.backward()
    assert repr(y) == "Value(6.0, op='mul', grad=1.0)"
    assert f"{y:.2f} {y} {y!r:>5}".startswith("6.00 Value(6.0")


def test_data_and_grad_take_numbers_only() -> None:
    x = Value(3)
    x.data = np.float32(2)
    x.grad = 1
    assert (x.data, type(x.data), x.grad, type(x.grad)) == (2.0, float, 1.0, float)
    with pytest.raises(TypeError, match=r"Value\.data: cannot use '3'"):
        x.data = "3"  # type: ignore[assignment]
    with pytest.raises(TypeError, match="a Value already"):
        Value(x)
    with pytest.raises(TypeError, match="label"):
        Value(3, 4)
    assert x.data == 2.0


def test_comparisons_are_of_data_and_the_hash_is_the_objects() -> None:
    x, y = Value(1.0), Value(2.0)
    assert x < y
    assert x <= 1
    assert y > 1.5
    assert y >= 2
    assert max(x, y) is y
    assert x == Value(1.0)
    assert not x != Value(1.0)  # noqa: SIM202  # both are asked
    assert x == 1
    assert x != y
    assert len({x, y, x, Value(1.0)}) == 3
    assert {x: "x"}.get(Value(1.0)) is None
    assert Value(1.0) in [x]
    assert [y, x].index(Value(1.0)) == 1
    assert not any(v is x for v in [Value(1.0)])
    assert list(np.array([1.0, 5.0]) < Value(3.0)) == [True, False]
    assert list(np.array([1.0, 5.0]) == Value(5.0)) == [False, True]
    assert list(np.array([1.0, 5.0]) != Value(5.0)) == [True, False]
    for other in (None, "1.0", [1.0], (1.0,), 1j, object()):
        assert x != other
        assert not x == other  # noqa: SIM201
    assert x == pytest.approx(1.0)
    for ask in (bool, lambda v: v and 1, lambda v: not v, lambda v: 1 if v else 2):
        with pytest.raises(TypeError, match="write v != 0 to ask for the number, or v is not None"):
            ask(x)
    with pytest.raises(TypeError, match="label"):
        x.label = 5
    with pytest.raises(TypeError, match="<: cannot use 'a'"):
        _ = x < "a"  # type: ignore[operator]  # the type checker says so too


SIGNS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
NUMBERS = st.one_of(
    st.floats(),
    st.integers(),
    st.integers(-4, 4).map(lambda k: 2**53 + k),
    st.fractions(),
    st.decimals(allow_nan=False),
    st.just(10**400),
    st.just(-(10**400)),
    st.booleans(),
)


@given(
    x=st.one_of(st.floats(), st.integers(-4, 4).map(lambda k: float(2**53 + k)), st.integers(-3, 3).map(float)),
    y=NUMBERS,
    sign=st.sampled_from(SIGNS),
)
def test_comparisons_are_exact_as_those_of_a_float(x: float, y: Any, sign: Any) -> None:
    assume(not (math.isnan(x) and isinstance(y, Decimal)))  # which Python refuses to compare
    assert sign(Value(x), y) is sign(x, y)
    assert sign(y, Value(x)) is sign(y, x)
    if isinstance(y, float):
        assert sign(Value(x), Value(y)) is sign(x, y)


@given(
    x=st.floats(),
    near=st.integers(-2, 2),
    y=NUMBERS,
    sign=st.sampled_from(SIGNS),
)
def test_comparisons_are_exact_in_a_trace(x: float, near: int, y: Any, sign: Any) -> None:
    def f(v: Any) -> Any:
        return v * 2.0 if sign(v, y) else v * 3.0

    assume(not (math.isnan(x) and isinstance(y, Decimal)))
    moved = float(y) + near if abs(y) < 10**300 else x
    for there, here in itertools.product((x, moved), repeat=2):
        t = ag.trace(f, there)
        if sign(there, y) == sign(here, y):
            assert t(here, branches="raise") == f(here) or math.isnan(f(here))
        else:
            with pytest.raises(ag.BranchError):
                t(here, branches="raise")


def test_numpys_numbers_compare_as_they_are() -> None:
    big = Value(2.0**53)
    assert big < np.int64(2**53 + 1)
    assert big != np.int64(2**53 + 1)
    assert Value(1.1) != np.float32(1.1)
    assert Value(float(np.float32(1.1))) == np.float32(1.1)
    assert Value(1.0) == np.array(1.0)
    assert np.float64(1.0) == Value(1.0)


def test_a_gradient_is_never_lost_silently() -> None:
    x = Value(1.0)
    for lose in (float, int, math.exp, math.sqrt):
        with pytest.raises(TypeError, match=r"would lose the gradient: use .*v\.data\)? for the number, or ag\."):
            lose(x)
    assert not hasattr(x, "foo")
    with pytest.raises(AttributeError, match="no attribute 'tanhh'"):
        x.tanhh()  # type: ignore[attr-defined]


def test_names_that_micrograds_drawing_code_reads() -> None:
    x, y = Value(2.0), Value(3.0)
    assert (x * y)._op == "*"
    assert (x * y)._prev == (x, y)
    assert [z._op for z in (x, x**2, -x, x.tanh(), x - y)] == ["", "**", "-", "tanh", "-"]
    with pytest.raises(AttributeError):
        x._prev = ()  # type: ignore[misc]  # read-only, as promised


# Numbers of other kinds.


@pytest.mark.parametrize(
    "number", [2, 2.0, True, np.float64(2), np.float32(2), np.int64(2), np.array(2.0), Fraction(2)]
)
@pytest.mark.parametrize(
    "f", [lambda x, n: x + n, lambda x, n: x - n, lambda x, n: x * n, lambda x, n: x / n, lambda x, n: x**n]
)
def test_any_real_number_on_either_side(number: Any, f: Callable[[Any, Any], Any]) -> None:
    x = Value(3.0)
    for z, expected in [(f(x, number), f(3.0, float(number))), (f(number, x), f(float(number), 3.0))]:
        assert type(z) is Value
        assert z.data == expected
        assert z.parents == (x,)


@pytest.mark.parametrize("bad", ["a", None, 1j, np.complex128(1j), [1], b"a"])
def test_what_is_no_number_is_refused_by_name(bad: Any) -> None:
    x = Value(3.0)
    with pytest.raises(TypeError, match="add: cannot use"):
        x + bad
    with pytest.raises(TypeError, match="sub: cannot use"):
        bad - x
    with pytest.raises(TypeError, match="mul: cannot use"):
        x * bad
    with pytest.raises(TypeError, match="div: cannot use"):
        bad / x
    with pytest.raises(TypeError, match="pow: cannot use"):
        x**bad


def test_a_type_that_knows_values_is_asked() -> None:
    class Money:
        def __radd__(self, other: Value) -> str:
            return f"{other.data} and money"

    assert Value(3.0) + Money() == "3.0 and money"


def test_object_arrays() -> None:
    W = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    x = np.array([Value(5.0), Value(6.0)])
    total = np.sum(np.tanh(W @ x / 100) + np.exp(-x))
    total.backward()
    X = np.array([5.0, 6.0])
    z = np.array([[1.0, 2.0], [3.0, 4.0]]) @ X / 100
    assert total.data == pytest.approx(np.sum(np.tanh(z) + np.exp(-X)))
    outer = np.outer((1 - np.tanh(z) ** 2) / 100, X)
    assert [[w.grad for w in row] for row in W] == [pytest.approx(row) for row in outer]
    assert (np.array([1.0, 2.0]) * x[0])[1].data == 10.0
    assert (x[0] * np.array([1.0, 2.0]))[1].data == 10.0
    assert np.maximum(x, 5.5)[1] is x[1]
    for (
        name
    ) in "sqrt cbrt log log2 log10 log1p expm1 sin cos tan arcsin arctan sinh cosh arcsinh fabs negative".split():
        assert getattr(np, name)(np.array([Value(0.5)]))[0].data == pytest.approx(getattr(np, name)(0.5))


def test_whole_numbers_and_remainders_are_pythons() -> None:
    numbers = [-7.0, 7.0, 2.5, -2.5, 0.5, -0.0, 3.0, -2.0, 1e300, 0.1, math.inf, -math.inf]
    for x in numbers:
        for name, f in (("floor", math.floor), ("ceil", math.ceil), ("trunc", math.trunc), ("round", round)):
            z: Any = f(Value(x))
            assert z.op.name == name
            assert z.data == (f(x) if math.isfinite(x) else x)
        for y in numbers:
            if y == 0.0:
                continue
            for f2 in (operator.mod, operator.floordiv):
                for found in (f2(Value(x), Value(y)), f2(Value(x), y), f2(x, Value(y))):
                    assert repr(found.data) == repr(f2(x, y)), (x, y)
            both: Any = divmod(Value(x), y)
            assert [repr(z.data) for z in both] == [repr(z) for z in divmod(x, y)]
            reflected: Any = divmod(x, Value(y))
            assert [repr(z.data) for z in reflected] == [repr(z) for z in ag.divmod(x, y)]
    v, w = Value(-7.0, "x"), Value(3.0, "y")
    rest = v % w
    rest.backward()
    assert (rest.data, v.grad, w.grad) == (2.0, 1.0, 3.0)
    with pytest.raises(ZeroDivisionError, match=r"division by zero in mod\(x=-7\.0, 0\.0\)"):
        _ = v % 0
    with pytest.raises(ZeroDivisionError, match=r"division by zero in floordiv\(1\.0, z=0\.0\)"):
        _ = 1 // Value(0.0, "z")
    with pytest.raises(TypeError, match=r"it rounds to whole numbers; write round\(v \* 10\*\*n\) / 10\*\*n"):
        round(v, 2)
    with pytest.raises(TypeError, match=r"int\(v\.data\) for the number"):
        int(v)
    bad: Any = "a"
    with pytest.raises(TypeError, match="mod: cannot use 'a'"):
        _ = v % bad


def test_whole_numbers_through_numpy() -> None:
    data = np.array([1.5, -2.5])
    X = np.array([Value(1.5), Value(-2.5)])
    for name in "floor ceil trunc rint exp2 degrees radians rad2deg deg2rad".split():
        f = getattr(np, name)
        assert [z.data for z in f(X)] == pytest.approx(f(data).tolist(), rel=1e-15)
    for g in (np.mod, np.remainder, np.floor_divide):
        assert [z.data for z in g(X, 2.0)] == g(data, 2.0).tolist()
        assert [z.data for z in g(X[0], data)] == g(1.5, data).tolist()
        assert g(np.float64(7.0), X[0]).data == g(7.0, 1.5)
    assert np.clip(X, -1.0, 2.0).tolist() == [X[0], -1.0]
    assert divmod(X[0], data)[1][1].data == 1.5 % -2.5
    with pytest.raises(TypeError, match=r"np\.sinc and np\.where ask it too: use ag\.sinc and ag\.where"):
        bool(X[0])
    assert np.vectorize(ag.sinc, otypes=[object])(X)[0].data == pytest.approx(np.sinc(1.5))


# Contexts.


def test_no_grad_records_nothing_and_nests() -> None:
    x = Value(2.0)
    with ag.no_grad():
        with ag.no_grad():
            pass
        y = x * x + ag.where(x, x, 3.0)
    assert (y.data, y.parents, y.op) == (6.0, (), None)
    assert (x * x).parents == (x, x)


def test_no_grad_is_of_its_thread() -> None:
    x = Value(2.0)
    seen: list[int] = []
    with ag.no_grad():
        thread = threading.Thread(target=lambda: seen.append(len((x * x).parents)))
        thread.start()
        thread.join()
    assert seen == [2]


def test_no_grad_ends_with_an_exception() -> None:
    x = Value(2.0)
    with pytest.raises(ZeroDivisionError), ag.no_grad():
        _ = x / 0
    assert (x * x).parents == (x, x)


def test_detach_cuts_off() -> None:
    x = Value(2.0, "x")
    y = x * x
    z = y.detach() * x
    z.backward()
    assert x.grad == 4.0


# Copies and pickles.


@given(dag=dags())
@settings(max_examples=examples(50))
@pytest.mark.parametrize("clone", [lambda nodes: pickle.loads(pickle.dumps(nodes)), copy.deepcopy])
def test_a_cloned_graph_is_the_same_graph(clone: Callable[[Any], Any], dag: Dag) -> None:
    inputs = dag.values()
    z = dag(inputs)
    (x, *_), w = clone((inputs, z))
    old, new = ag.topological_order(z), ag.topological_order(w)
    assert not set(old) & set(new)
    place = {node: i for i, node in enumerate(old)} | {node: i for i, node in enumerate(new)}
    assert [[place[p] for p in node.parents] for node in old] == [[place[p] for p in node.parents] for node in new]
    assert [(n.data, n.op, n.label, n.partials) for n in old] == [(n.data, n.op, n.label, n.partials) for n in new]
    if inputs[0] in place:
        assert x in new  # shared with the list that held it
    w.backward()
    assert z.grad == 0.0


def test_pickles_of_every_protocol_and_of_pythons_own_pickler() -> None:
    x = Value(2.0, "x")
    z = ag.where(x > 1, x * x, 2) + 2**x
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(z, protocol)).data == 8.0
    assert pickle._loads(pickle._dumps([x, z, x]))[1].data == 8.0  # type: ignore[attr-defined]  # the slow pickler


def test_pythons_own_pickler_writes_each_node_once() -> None:
    y = Value(1.0, "x")
    for _ in range(3000):
        y = -y
    slow, fast = pickle._dumps(y), pickle.dumps(y)  # type: ignore[attr-defined]  # the slow pickler
    assert len(slow) < 1.1 * len(fast)
    assert pickle.loads(slow).data == 1.0


def test_a_pickle_from_before_the_modules_of_the_node_loads() -> None:
    made = (  # by the commit before, of y = ag.where(x, w, 4.0) * x with x = Value(2.0, "x"), w = Value(3.0, "w")
        b"cautograd_mini.pickles\nrebuild_last\n(c__builtin__\nlist\n(tRcautograd_mini.pickles\n"
        b"rebuild\np0\n(cautograd_mini.value\nValue\np1\nNF2.0\nF3.0\nVx\n(F0.0\nF0.0\nt(ttRp2\nag0\n(g1\n"
        b"NF3.0\nF2.0\nVw\n(F0.0\nF0.0\nt(ttRp3\nag0\n(g1\ncautograd_mini.ops\nwhere\nF3.0\nF2.0\nV\np4\n"
        b"carray\narray\n(Vd\n(lF0.0\naF1.0\naF0.0\natR(g2\ng3\nF4.0\nttRp5\nac__builtin__\nlong\n(tRag1\n"
        b"cautograd_mini.ops\nmul\nF6.0\nF1.0\ng4\n(F2.0\nF3.0\nt(g5\ng2\nttR."
    )
    y = pickle.loads(made)
    choice, x = y.parents
    w = choice.parents[1]
    assert (y.data, x.label, x.grad, w.label, w.grad) == (6.0, "x", 3.0, "w", 2.0)
    y.zero_grad()
    y.backward()
    assert (x.grad, w.grad) == (3.0, 2.0)


def test_a_failed_pickle_leaves_nothing_behind() -> None:
    x = Value(2.0, "x")

    @ag.custom_rule(lambda x, z: 2 * x)
    def square(x: float) -> float:  # a local function, which cannot be pickled
        return x * x

    z = x * 3
    y = square(z) + z
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(y)
    assert pickle.loads(pickle.dumps([z, z * x]))[1].data == 12.0


def test_a_copy_shares_its_parents() -> None:
    x = Value(2.0, "x")
    z = x * 3
    w = copy.copy(z)
    assert w is not z
    assert w.operands == (x, 3.0)


class Parameter(Value):
    decay: float
    user: Any


def test_subclasses_and_weak_references() -> None:
    p = Parameter(2.0, "p")
    p.decay = 0.1
    assert repr(p) == "Parameter(2.0, label='p')"
    assert (1.0 - p * p).data == -3.0
    for clone in (copy.copy(p), copy.deepcopy(p), pickle.loads(pickle.dumps(p)), copy.deepcopy(p * 2).parents[0]):
        assert isinstance(clone, Parameter)
        assert clone.decay == 0.1
    assert weakref.ref(p)() is p


def test_attributes_that_lead_back_to_a_user() -> None:
    s = Parameter(2.0, "s")
    s.decay = 0.1
    t = s * 3
    s.user = t
    for clone in (pickle.loads(pickle.dumps(s)), copy.deepcopy(s)):
        assert (clone.decay, clone.user.data, clone.user.parents[0] is clone) == (0.1, 6.0, True)
    users: list[Any] = [pickle.loads(pickle.dumps(t)), copy.deepcopy(t)]
    for user in users:
        assert user.parents[0].user is user
        assert user.parents[0].decay == 0.1


def test_threads_on_one_output() -> None:
    """Derivatives are kept in the nodes: of threads that ask for them at once each waits for the others."""
    x = Value(3.0, "x")
    y = x
    for _ in range(100):
        y = (y * 1.001 + x) * 0.5
    y.backward()
    one, x.grad = x.grad, 0.0

    def again(times: int) -> None:
        for _ in range(times):
            y.backward()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=again, args=(50,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert x.grad == pytest.approx(200 * one, rel=1e-12)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_while_a_thread_sweeps() -> None:
    x = Value(3.0)
    y = x
    for _ in range(2000):
        y = y * 1.0001
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            y.backward()

    busy = threading.Thread(target=sweep)
    busy.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                signal.alarm(20)  # a deadlock is a failure, not a test without an end
                (x * 2).backward()
                os._exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        stop.set()
        busy.join()


# Depth.


@pytest.fixture(scope="module")
def chain() -> tuple[Value, Value]:
    """Return the two ends of a deep chain."""
    x = Value(1.0, "x")
    y = x
    for _ in range(DEEP):
        y = y * (1.0 + 1.0 / DEEP)
    return x, y


def test_a_deep_chain_differentiates(chain: tuple[Value, Value]) -> None:
    x, y = chain
    y.backward()
    assert x.grad == pytest.approx(math.e, rel=1e-5)
    y.zero_grad()


def test_a_deep_chain_prints_draws_and_explains_shortened(chain: tuple[Value, Value]) -> None:
    x, y = chain
    assert len(repr(y)) < 200
    picture = ag.draw(y)
    assert " boxes are not drawn; max_nodes=None draws all" in picture.description
    assert len(picture.source) < 100_000
    derivation = str(ag.explain(y, x))
    assert derivation.endswith("= 2.718")
    assert "…" in derivation
    assert len(derivation) < 1_000
    assert len(str(ag.explain(y))) < 100_000
    assert ag.paths(y, x).count == 1


def test_a_deep_chain_pickles_and_copies(chain: tuple[Value, Value]) -> None:
    for clone in (pickle.loads(pickle.dumps(chain)), copy.deepcopy(chain)):
        x, y = clone
        nodes = ag.topological_order(y)
        assert len(nodes) == DEEP + 1
        assert nodes[0] is x
        assert nodes[-1].data == chain[1].data


def test_a_million_nodes_are_freed() -> None:
    x = Value(1.0)
    y = -x
    first = weakref.ref(y)
    for _ in range(1_000_000):
        y = -y
    del y
    gc.collect()
    assert first() is None


def test_backward_is_linear_where_paths_are_many() -> None:
    x = Value(1.0)
    y = x
    for _ in range(60):
        y = y + y
    started = time.process_time()
    y.backward()
    assert x.grad == 2.0**60
    assert time.process_time() - started < 1  # seconds; a walk along 2^60 paths would not end
