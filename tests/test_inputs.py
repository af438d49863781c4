"""Inputs of other libraries and odd kinds: used as numbers, or refused with a reason."""

from __future__ import annotations

import contextvars
import math
import os
import re
import stat
from collections import OrderedDict, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

import autograd_mini as ag
from autograd_mini import OPS, Value, nn
from autograd_mini.files import write_whole
from autograd_mini.node import Node
from autograd_mini.pickles import rebuild

inf = math.inf


def test_a_class_is_an_argument_like_others() -> None:
    assert ag.grad(lambda x, kind: x * 2 if kind is np.float64 else x)(1.0, np.float64) == 2.0
    assert ag.grad(lambda x, kind: x * 2 if kind is int else x)(1.0, int) == 2.0


class Frame:
    """A table as pandas has it: with a number of axes, iterated by its columns' names."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows
        self.ndim = np.ndim(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Any:
        return iter("ab")

    def to_numpy(self) -> Any:
        return np.array(self.rows)


@pytest.mark.parametrize("runner", ["numpy", None])
def test_tables_are_refused_as_arguments_and_say_how(runner: str | None) -> None:
    table: Any = Frame([1.0, 2.0])
    for ask in (
        ag.grad(ag.sum),
        ag.hessian(ag.sum),
        ag.compile(ag.sum, runner=runner),
        ag.compile(ag.sum, runner=runner).grad,
        lambda x: ag.trace(ag.sum, x),
        Value,
    ):
        with pytest.raises(TypeError, match=r"cannot use a Frame; give its numbers, \.to_numpy\(\)"):
            ask(table)


@pytest.mark.parametrize("compiled", [False, True])
def test_tables_are_data(compiled: bool) -> None:
    X, y = [[1.0, 4.0], [2.0, 5.0], [3.0, 7.0]], [0.0, 1.0, 1.0]
    found = []
    for inputs, targets in ((X, y), (Frame(X), Frame(y)), (np.array(X), Frame([[t] for t in y]))):
        net = nn.MLP(2, [3, 1], "tanh", rng=0)
        found.append(
            nn.fit(net, inputs, targets, loss="mean_squared_error", epochs=3, progress=False, compiled=compiled)
        )
        assert nn.cost(net, inputs, targets, "mean_squared_error").data == nn.cost(net, X, y, "mean_squared_error").data
        assert nn.predict(net, inputs) == nn.predict(net, X)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("huge", [10**400, -(10**5000), Fraction(10**400, 3)], ids=["int", "longer", "fraction"])
def test_numbers_too_large_for_a_float(huge: Any) -> None:
    words = "a number is too large for a float, the largest of which is 1.8e308"
    asks: list[tuple[str, Any]] = [
        ("Value", lambda: Value(huge)),
        ("mul", lambda: Value(1.0) * huge),
        ("exp", lambda: ag.exp(huge)),
        ("<lambda>", lambda: ag.grad(lambda x: x * x)(huge)),
        ("X, row 0", lambda: nn.predict(nn.MLP(1, [1], rng=0), [[huge]])),
    ]
    if isinstance(huge, int):
        asks += [("<lambda>", lambda: ag.compile(lambda x: x * x)(huge)), ("f", lambda: ag.compile(f)([huge, 1.0]))]
    for name, ask in asks:
        with pytest.raises(OverflowError, match=re.escape(name) + ".*" + words):
            ask()


def f(x: Any) -> Any:
    return x[0] * x[1]


def test_times_are_no_numbers() -> None:
    for span in (np.timedelta64(5, "ns"), np.timedelta64(5, "s"), np.datetime64("2026-01-01")):
        with pytest.raises(TypeError, match="which is a time; give a number, such as its seconds"):
            Value(span)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_loss_that_is_a_plain_number_is_refused(compiled: bool) -> None:
    net = nn.MLP(1, [1], rng=0)
    before = net.state_dict()
    with pytest.raises(TypeError, match=r"the loss must return a Value, not 3\.0"):
        nn.fit(net, [[1.0]], [1.0], loss=lambda a, y: 3.0, epochs=1, progress=False, compiled=compiled)
    assert net.state_dict() == before


def test_a_net_that_cannot_be_loaded_is_not_saved(tmp_path: Path) -> None:
    net = nn.MLP(1, [1], rng=0)
    path = net.save(tmp_path / "net.json")
    good = path.read_text()
    for bad in (math.nan, inf):
        net.parameters()[0].data = bad
        with pytest.raises(
            ValueError, match=rf"net.json is not written: the parameter layers.0.neurons.0.w.0 is {bad}"
        ):
            net.save(path)
    assert path.read_text() == good


def test_arrays_of_one_number() -> None:
    v = Value(2.0, "v")
    for w in (np.array(3.0), np.array(Value(3.0))):
        found: list[Any] = [v * w, v + w, v - w, v / w, v**w, w * v, w + v, w - v, w / v, w**v]
        assert [x.data for x in found] == [6.0, 5.0, -1.0, 2 / 3, 8.0, 6.0, 5.0, 1.0, 1.5, 9.0]
    value: Any = np.polyval([1.0, 2.0, 3.0], v)  # type: ignore[call-overload]  # as a user might
    assert value.data == 11.0
    assert ag.grad(lambda x: np.polyval([1.0, 2.0, 3.0], x))(2.0) == 6.0


def test_dicts_with_an_order() -> None:
    given = OrderedDict(b=2.0, a=3.0)
    found = ag.grad(lambda d: d["b"] * d["a"] ** 2)(given)
    assert found == OrderedDict(b=9.0, a=12.0)
    assert list(found) == ["b", "a"]
    assert isinstance(found, OrderedDict)
    assert ag.grad(lambda d: d["b"] * d["a"])(defaultdict(float, given)) == {"a": 2.0, "b": 3.0}
    assert ag.trace(lambda d: d["b"] - d["a"], given)(OrderedDict(b=5.0, a=1.0)) == 4.0


def test_what_is_masked_is_no_number() -> None:
    with pytest.raises(TypeError, match="which is masked and has no number"):
        Value(np.ma.masked)
    with pytest.raises(TypeError, match="masked"):
        _ = Value(1.0) * np.ma.masked_array(1.0, mask=True)
    assert (Value(2.0) * np.ma.masked_array(3.0, mask=False)).data == 6.0


def test_a_rule_that_gives_no_number() -> None:
    nothing: Any = ag.custom_rule(lambda x, z: None)(lambda x: x)
    both: Any = ag.custom_rule(lambda x, y, z: 1.0, lambda x, y, z: None)(lambda x, y: x + y)
    with pytest.raises(TypeError, match="lambda: its rule for x: cannot use None"):
        nothing(Value(1.0))
    with pytest.raises(TypeError, match="lambda: its rule for y: cannot use None"):
        both(1.0, Value(1.0))


def test_the_logarithm_of_a_sum_of_infinite_exponentials() -> None:
    assert ag.logsumexp([-inf, -inf]) == ag.logsumexp([-inf]) == -inf
    assert ag.logsumexp([inf, 1.0]) == ag.logsumexp([inf, inf]) == ag.logsumexp([-inf, inf]) == inf
    assert ag.logsumexp([-inf, 1.0]) == 1.0
    assert math.isnan(ag.logsumexp([math.nan, 1.0]))
    assert ag.grad(ag.logsumexp)([-inf, 1.0, 1.0]) == [0.0, 0.5, 0.5]
    c = ag.compile(ag.logsumexp, runner="numpy")
    for xs in ([1.0, 2.0], [-inf, -inf], [inf, 1.0], [1e3, 1e3]):
        assert c(xs) == pytest.approx(ag.logsumexp(xs), rel=1e-15)


@pytest.mark.parametrize("x", [-0.5, -2.3, -7.25, -1000.4, -0.001, 0.3, 4.5])
def test_the_slopes_of_digamma_left_of_0(x: float) -> None:
    pytest.importorskip("scipy")
    for n in (0.0, 1.0, 2.0, 3.0):
        assert OPS["polygamma"](n, x) == pytest.approx(float(mpmath.polygamma(int(n), x)), rel=1e-10)
    assert ag.grad(ag.digamma)(x) == pytest.approx(float(mpmath.polygamma(1, x)), rel=1e-10)
    assert ag.grad(ag.grad(ag.digamma))(x) == pytest.approx(float(mpmath.polygamma(2, x)), rel=1e-10)


def test_the_poles_of_digamma() -> None:
    for x in (0.0, -1.0, -7.0, -inf):
        for n in (0.0, 1.0, 2.0):
            with pytest.raises(ValueError, match="math domain error in polygamma"):
                OPS["polygamma"](n, x)
        with pytest.raises(ValueError, match="math domain error in digamma"):
            ag.digamma(x)


def test_very_high_orders() -> None:
    assert ag.derivative(ag.exp, order=171)(0.0) == pytest.approx(1.0, rel=1e-10)
    assert ag.derivative(ag.sin, order=165)(0.3) == pytest.approx(math.cos(0.3), rel=1e-9)
    assert ag.derivative(ag.tanh, order=40)(0.0) == 0.0
    x = Value(0.3, "x")
    assert ag.derivative(ag.cos, order=20)(x).data == pytest.approx(math.cos(0.3), rel=1e-9)
    for bad in (-1, 1.5, True):
        with pytest.raises(ValueError, match="derivative of sin: the order must be a whole number from 0 on"):
            ag.derivative(ag.sin, order=bad)  # type: ignore[arg-type]


def test_a_file_is_written_where_a_link_leads_and_keeps_its_mode(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    write_whole(target, b"before")
    target.chmod(0o600)
    link.symlink_to(target)
    write_whole(link, b"after")
    assert (target.read_bytes(), link.is_symlink(), stat.S_IMODE(target.stat().st_mode)) == (b"after", True, 0o600)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "new")
    write_whole(dangling, b"new")
    assert (tmp_path / "new").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "link.json", "new", "target.json"]
    write_whole(Path(os.devnull), b"gone")
    assert not Path(os.devnull).is_file()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_bytes)
        write_whole(pipe, b"through")
        assert read.result() == b"through"
    assert pipe.is_fifo()


def test_parts_that_do_not_make_a_node_are_refused() -> None:
    x = Value(2.0, "x")
    z = ag.dot([x, x], [1.0, x])
    parts = z.__reduce_ex__(4)[1]
    parts[-2].pop()  # a copy of its partials
    z.backward()
    assert x.grad == 5.0
    kind: Any = Value
    for bad in (
        (kind, OPS["mul"], 1.0, 0.0, "", (1.0, 1.0), (x,)),
        (kind, OPS["sin"], 1.0, 0.0, "", (1.0, 1.0), (x, x)),
        (kind, None, 1.0, 0.0, "", (0.0, 0.0), (x,)),
        (kind, OPS["where"], 1.0, 0.0, "", (1.0, 1.0), (x, x, x)),
        (kind, OPS["where"], 1.0, 0.0, "", (1.0, 1.0, 1.0), (x, x)),
        (kind, OPS["mul"], 1.0, 0.0, "", (1.0, 1.0), (x, "2")),
        (int, OPS["mul"], 1.0, 0.0, "", (1.0, 1.0), (x, x)),
        (Node, OPS["mul"], 1.0, 0.0, "", (1.0, 1.0), (x, x)),
        (kind, "mul", 1.0, 0.0, "", (1.0, 1.0), (x, x)),
    ):
        with pytest.raises((TypeError, ValueError)):
            rebuild(*bad)
    with pytest.raises(TypeError, match="mul takes 2 operands, 1 given"):
        x.record(OPS["mul"], (x,))
    named = rebuild(kind, None, 1.0, 0.0, type("Name", (str,), {})("n"), (0.0, 0.0), ())
    assert type(named.label) is str


# Contexts end with their blocks.


def test_contexts_that_end_in_another_order() -> None:
    x = Value(2.0)

    def held(context: Any) -> Any:
        with context():
            yield

    for first, second in ((ag.no_grad, ag.detect_anomaly), (ag.detect_anomaly, ag.no_grad), (ag.no_grad, ag.no_grad)):
        a, b = held(first), held(second)
        next(a)
        next(b)
        a.close()
        assert bool((x * x).parents) is (second is not ag.no_grad)
        if second is ag.detect_anomaly:
            with pytest.raises(ag.AnomalyError):
                _ = x * inf
        b.close()
        assert (x * x).parents == (x, x)
        assert (x * inf).data == inf


def test_a_context_that_ends_on_another_thread_or_task() -> None:
    x = Value(2.0)

    def held() -> Any:
        with ag.no_grad():
            yield (x * x).parents

    with ThreadPoolExecutor(1) as pool:
        generator = held()
        assert pool.submit(next, generator).result() == ()
        assert (x * x).parents == (x, x)
        generator.close()
        assert pool.submit(lambda: (x * x).parents).result() == (x, x)
    here = contextvars.copy_context()
    generator = held()
    assert here.run(next, generator) == ()
    generator.close()
    assert here.run(lambda: (x * x).parents) == (x, x)


def test_an_interrupt_on_the_way_in_leaves_nothing() -> None:
    context = ag.no_grad()
    interrupted: Any = context

    class Interrupts:
        def __init__(self, variable: Any) -> None:
            self.variable = variable

        def get(self) -> Any:
            return self.variable.get()

        def set(self, value: Any) -> None:
            self.variable.set(value)
            raise KeyboardInterrupt

    interrupted.variable = Interrupts(interrupted.variable)
    x = Value(2.0)

    def f() -> Any:
        with pytest.raises(KeyboardInterrupt), context:
            pass
        assert (x * x).parents == (x, x)
        with ag.detect_anomaly():
            return (x * x).parents

    assert contextvars.copy_context().run(f) == (x, x)


def test_a_context_may_decorate_and_is_entered_once() -> None:
    x = Value(2.0)

    @ag.no_grad()
    def square(v: Value) -> Value:
        return v * v

    assert square(x).parents == square(x).parents == ()

    @ag.detect_anomaly()
    def grow(v: Value) -> Value:
        return v * inf

    for _ in range(2):
        with pytest.raises(ag.AnomalyError):
            grow(x)
    context = ag.no_grad()
    with context, pytest.raises(RuntimeError, match="in use by a with block"):
        context.__enter__()
    assert (x * x).parents == (x, x)


def test_a_context_decorates_no_function_that_runs_after_its_call() -> None:
    def numbers() -> Any:
        yield 1.0

    async def number() -> float:
        return 1.0

    async def several() -> Any:
        yield 1.0

    for f in (numbers, number, several):
        for context in (ag.no_grad, ag.detect_anomaly):
            with pytest.raises(TypeError, match="write the with block inside"):
                context()(f)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("table", [[[1.0, 2.0], [3.0, 4.0]], [[1.0]]])
def test_matrices_of_numpy(table: list[list[float]]) -> None:
    for f in (ag.grad, ag.compile):
        with pytest.raises(TypeError, match=r"np\.asarray"):
            f(lambda x: (x * x).sum())(np.matrix(table))


def test_equality_with_odd_kinds() -> None:
    v = Value(1.0)
    others: list[Any] = [np.str_("a"), np.datetime64("2026-01-01"), np.array("a"), "1.0", None, 1 + 1j, object()]
    for other in others:
        assert not v == other  # noqa: SIM201  # both are asked
        assert v != other
    assert v not in [np.str_("b")]
    assert v == 1 + 0j
    with pytest.raises(TypeError, match="<: cannot use"):
        _ = v < np.str_("a")


@dataclass(frozen=True)
class Sizes:
    n: int
    memo: list[int] = field(default_factory=list, compare=False)


@dataclass(eq=False)
class Shape:
    sides: list[int]


def test_dataclasses_as_static_arguments() -> None:
    c = ag.compile(
        lambda x, how: x * (how.n if isinstance(how, Sizes) else len(how.sides)), static_argnums=1, runner="numpy"
    )
    assert [c(2.0, Sizes(3)), c(2.0, Sizes(3)), c(2.0, Sizes(True)), c(2.0, Shape([1, 2]))] == [6.0, 6.0, 2.0, 4.0]
    assert len(c) == 3
