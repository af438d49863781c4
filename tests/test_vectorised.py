"""Written programs of batches: the lines are run as NumPy, on all examples, and give what `vmap` gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings, strategies as st
from strategies import examples
from test_lanes import SHAPES, scalar, steps
from test_notation import NUMPY, ROWS, is_code

import autograd_mini as ag
from autograd_mini import nn
from autograd_mini.program.batch import Batched

MARKS = ("gathered", "without a common form", "take(", "scattered(", "constants")


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()[1:] if not line.strip().startswith("#")]


def run(batched: Batched, args: list[Any], varies: list[bool]) -> tuple[Any, list[Any]] | None:
    """Run the lines forward and backward; None where they are not code, or are those of one example."""
    forward, backward = str(batched), batched.written_backward()
    if "for each of" in forward + backward or any(mark in forward + backward for mark in MARKS):
        return None
    m = next(len(x) for x, mapped in zip(args, varies, strict=True) if mapped)
    space: dict[str, Any] = {**NUMPY, **ROWS, "m": m}
    names: list[str] = []
    for line in (forward + "\n" + backward).splitlines():
        if "# constants" in line:
            return None  # their numbers are not in the text
        if "# inputs" in line and not names:
            names = [part.split()[0] for part in line.partition(":")[2].split(",")]
    assert len(names) == len(args)
    for name, x, mapped in zip(names, args, varies, strict=True):
        whole = np.asarray(x, dtype=float)
        space[name] = whole.reshape(m, -1) if mapped else whole if whole.ndim > 1 else whole.reshape(1, -1)
    *lines, returned = lines_of(forward)
    back = lines_of(backward)
    assert is_code(lines)
    exec("\n".join(lines), space)
    values = eval(returned.removeprefix("return "), space)
    exec("\n".join(back), space)
    return values, [space[f"d{name}"] for name in names]


def check(f: Any, args: list[Any], varies: list[bool]) -> bool:
    """Compare the lines with `vmap`; return whether they are code of the batch."""
    batched = ag.compile(f, runner="numpy").vmap([0 if mapped else None for mapped in varies])
    values, slopes = batched.value_and_grad(*args, argnums=tuple(range(len(args))))
    found = run(batched, args, varies)
    if found is None:
        return False
    own, ours = found
    text = f"{batched}\n{batched.written_backward()}"
    np.testing.assert_allclose(
        np.broadcast_to(np.ravel(own), values.shape), values, rtol=1e-9, atol=1e-10, err_msg=text
    )
    for mine, theirs in zip(ours, slopes, strict=True):
        np.testing.assert_allclose(np.reshape(mine, np.shape(theirs)), theirs, rtol=1e-7, atol=1e-8, err_msg=text)
    return True


@given(data=st.data(), m=st.sampled_from([1, 3, 7]), seed=st.integers(0, 99))
@settings(max_examples=examples(60))
def test_the_lines_are_the_batch(data: st.DataObject, m: int, seed: int) -> None:
    first = data.draw(st.sampled_from([(3,), (4,), (9,), (12,)]))
    shapes = [first, *data.draw(st.lists(st.sampled_from(SHAPES), max_size=3))]
    varies = [True, *(len(shape) < 2 and data.draw(st.booleans()) for shape in shapes[1:])]  # else for each example
    program = data.draw(steps(shapes))
    rng = np.random.default_rng(seed)
    args = [rng.uniform(-1, 1, ((m,) if mapped else ()) + s) for s, mapped in zip(shapes, varies, strict=True)]
    event(f"code: {check(lambda *xs: scalar(xs, program) + 0.0 * np.ravel(xs[0])[0], args, varies)}")


def net(W1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any) -> Any:
    """Return the loss of the text's two-layer net for one example, and a penalty that all examples share."""
    a = ag.sigmoid(w2 @ np.tanh(W1 @ x + b1) + b2)
    return -(y * ag.log(a) + (1 - y) * ag.log(1 - a)) + 0.01 * np.sum(W1 * W1)


def inputs(m: int = 4) -> list[Any]:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(m, 3)), rng.uniform(0.1, 0.9, m)
    return [rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=5), 0.3, X, y]


def test_a_net_in_the_texts_lines() -> None:
    varies = [False] * 4 + [True] * 2
    assert check(net, inputs(), varies)
    batched = ag.compile(net).vmap((None, None, None, None, 0, 0))
    batched(*inputs())
    text, back = str(batched), batched.written_backward(argnums=(0, 1, 2))
    for line in ("V3 = X @ W1.T + b1  # m×5", "V5 = tanh(V3)  # m×5", "V6 = V5 @ w2.T + b2  # m×1"):
        assert line in text
    assert "inputs: W1 5×3, b1 1×5, w2 1×5, b2 1×1, X m×3, Y m×1" in text
    for line in ("dV6 = V7 - Y  # m×1", "dw2 = dV6.T @ V5  # 1×5", "dW1 = dV3.T @ X + 1/50 * m * W1  # 5×3"):
        assert line in back
    assert "dX" not in back


def test_a_matrix_of_each_example_is_written_for_each() -> None:
    f = ag.compile(lambda A, x: np.sum(np.tanh(A @ x))).vmap((0, None))
    f(np.ones((2, 3, 4)), np.ones(4))
    assert str(f).startswith(
        "<lambda>: 29 equations, 3 instructions, for each of m examples"
    ) or "for each of m" in str(f)
    assert "v1 = A @ x" in str(f)
    assert f.written_backward(argnums=1).startswith("<lambda>, backward, for each of m examples")


def test_results_and_names() -> None:
    f = ag.compile(lambda x, X, y: [ag.sin(x), X * y, 2.0, X]).vmap((0, None, 0))
    assert str(f) == "<lambda>: not compiled yet; the first call compiles it"
    f([0.1, 0.2], 3.0, [1.0, 2.0])
    text = str(f)
    assert "inputs: X_2 m×1, X 1×1, Y m×1" in text
    assert text.endswith("return V1, V2, 2, X")
    count = ag.compile(lambda m, x: m * x + m * m).vmap((None, 0))
    count(2.0, [1.0, 2.0])
    assert "inputs: m_2 1×1, X m×1" in str(count)
    assert count.written_backward(argnums=0).endswith("  dm_2 = sum(X, axis=0, keepdims=True) + 2 * m * m_2")
    two = ag.compile(lambda w, x: w @ x)
    assert "X @ w.T" in repr_of(two, (None, 0), np.ones(3), np.ones((2, 3)))
    assert "X @ w.T" in str(two.vmap((None, 0)).vmap((None, 0)))  # the examples of both are counted together
    assert "W @ x.T" in str(two.vmap((0, None)))
    assert "sum(W * X, axis=1, keepdims=True)" in str(two.vmap())
    two(np.ones(4), np.ones(4))
    assert str(two.vmap()).count("for m examples at once") == 2
    with pytest.raises(LookupError, match="2 programs"):
        two.vmap().written_backward()


def repr_of(f: Any, axes: Any, *args: Any) -> str:
    batched = f.vmap(axes)
    batched(*args)
    return repr(batched)


def test_the_picture_of_a_batch() -> None:
    batched = ag.compile(net).vmap((None, None, None, None, 0, 0))
    batched(*inputs())
    picture = batched.draw()
    names = {box.id: box.name for box in picture.picture.boxes}
    edges = {(names[arrow.source], names[arrow.target]) for arrow in picture.picture.arrows}
    assert {("X", "V3"), ("W1", "V3"), ("b1", "V3"), ("V3", "V5"), ("v2", "v4"), ("Y", "V11")} <= edges
    assert "X m×3" in picture.description
    assert "V3 = X @ W1.T + b1" in picture.description
    assert picture.image("svg").startswith(b"<?xml")
    with pytest.raises(ValueError, match="rankdir must be one of"):
        batched.draw(rankdir="up")


def test_a_module_and_a_dict() -> None:
    f = ag.compile(lambda p, x: ag.sum(np.tanh(p["W"] @ x) * p["v"])).vmap((None, 0))
    f({"W": np.ones((5, 3)), "v": np.ones(5)}, np.ones((2, 3)))
    assert "V1 = X @ W.T  # m×5" in str(f)
    mlp = nn.MLP(3, [4, 1], "tanh", rng=0)
    g = ag.compile(lambda net, x: net(list(x)) ** 2).vmap((None, 0))
    g(mlp, np.ones((2, 3)))
    assert " = X @ W1.T + b1  # m×4" in str(g)
