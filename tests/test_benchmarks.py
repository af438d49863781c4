"""The workloads of the benchmarks: that they are what they say, on every engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import compiled_derivatives
import engines
import first_calls
import loops
import numpy as np
import programs
import pytest
import sparse_derivatives
from engines import Plain
from gpt import GPT, Adam, Functions, names, tokens, train

import autograd_mini as ag

OURS = Functions(ag.exp, ag.log, ag.relu)
FLOATS = Functions(math.exp, math.log, lambda x: max(0.0, x))


def test_the_gpt_is_of_the_size_it_says() -> None:
    model = GPT(ag.Value, OURS)
    assert len(model.parameters()) == 4192
    nodes = len(ag.topological_order(model.loss(tokens("isabella"))))
    assert 60_000 < nodes < 80_000


def test_the_same_model_runs_on_any_scalar() -> None:
    document = tokens("ava")
    loss, plain = GPT(ag.Value, OURS).loss(document), GPT(Plain).loss(document)
    assert GPT(float, FLOATS).loss(document) == loss.data == plain.data
    assert loss.data == pytest.approx(math.log(27), rel=0.1)


def test_engines_find_the_same_gradient() -> None:
    ours, theirs = GPT(ag.Value, OURS), GPT(Plain)
    for model in (ours, theirs):
        model.loss(tokens("al")).backward()
    slopes = [p.grad for p in theirs.parameters()]
    assert [p.grad for p in ours.parameters()] == pytest.approx(slopes, rel=1e-9, abs=1e-12)
    for model in (ours, theirs):
        Adam(model.parameters(), 10).step()
    assert [p.data for p in ours.parameters()] == pytest.approx([p.data for p in theirs.parameters()], rel=1e-6)


def test_it_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRAD_MINI_NAMES", "there is no such file")
    assert len(names()) == 5000
    losses = train(ag.Value, OURS, 25)
    assert sum(losses[-5:]) / 5 < 0.9 * losses[0]


PEERS = programs.compilers("jax", "torch", "casadi", "numba")
WORK: dict[str, Callable[[], programs.Work]] = {
    "gpt": lambda: programs.gpt(PEERS, ["al", "ava"]),
    "moons": lambda: programs.moons(PEERS, 10),
    "formula": lambda: programs.formula(PEERS),
    "options": lambda: programs.options(PEERS, 5),
    "arm": lambda: programs.arm(PEERS),
    "random graph": lambda: programs.random_graph(PEERS, 60, limit=60.0),
    "batch": lambda: programs.batch(PEERS, 1, examples=100),
    "batch on threads": lambda: programs.batch(PEERS, 2, examples=100),
    "rnn": lambda: loops.rnn_work(PEERS, *2 * [np.linspace(-1.0, 1.0, 24).reshape(6, 4)]),
}


@pytest.mark.parametrize("make", WORK.values(), ids=WORK)
def test_compiled_programs_and_peers_find_the_same_numbers(make: Callable[[], programs.Work]) -> None:
    work = make()
    runs, ready = programs.checked(work)
    assert runs.keys() == ready.keys() == work.keys()


@pytest.mark.parametrize("title", compiled_derivatives.MATRICES)
def test_compiled_matrices_and_peers_find_the_same_numbers(title: str) -> None:
    kind, make, x = compiled_derivatives.MATRICES[title]
    runs, _ = programs.checked(compiled_derivatives.work(PEERS, kind, make, x))
    eager = ag.hessian(make(ag)) if kind == "hessian" else ag.jacobian(make(ag))
    np.testing.assert_allclose(programs.flat(runs["ours"]()), programs.flat(eager(x)), rtol=1e-9, atol=1e-9)


def test_first_calls_find_the_right_numbers() -> None:
    arguments = {work: args for work, (args, _) in programs.first_arguments().items()}
    assert arguments.keys() == first_calls.OURS.keys()
    assert first_calls.OURS[first_calls.FORMULA](*arguments[first_calls.FORMULA]) == (33.0, (3.0, 6.0, 9.0))

    args = programs.net_arguments(10)
    (value, slopes), by_hand = first_calls.OURS[first_calls.MOONS](*args), programs.net_by_hand(*args)
    np.testing.assert_allclose(programs.flat([value, slopes]), programs.flat([*by_hand]), rtol=1e-9, atol=1e-12)

    w, b, X, y = arguments[first_calls.LOGISTIC]
    losses, (dw, db) = first_calls.OURS[first_calls.LOGISTIC](w, b, X, y)
    np.testing.assert_allclose(losses, math.log(2.0), rtol=1e-12)
    np.testing.assert_allclose(dw, -0.5 * y @ X, rtol=1e-12, atol=1e-12)
    assert db == pytest.approx(-0.5 * y.sum())


def test_a_first_call_in_a_new_process(tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    assert programs.first_call(first_calls.FORMULA, (5.0, 3.0, 2.0), str(tmp_path)) > 0.0
    assert [file.suffix for file in tmp_path.iterdir()] == [".kernels"]


def test_a_peer_that_finds_other_numbers_is_not_timed() -> None:
    formula = programs.formula({})
    with pytest.raises(AssertionError, match="a liar"):
        programs.checked(formula | {"a liar": lambda: lambda: (33.0, (3.0, 6.0, 9.001))})


def test_graphs_are_of_the_size_they_say() -> None:
    twenty = programs.expression(ag.exp, ag.log, ag.sqrt, ag.tanh)
    assert len(ag.trace(twenty, 1.0, 0.5, 0.2, 0.3).equations) == 20
    traced = ag.trace(programs.dag(ag, 5000), np.linspace(-1.0, 1.0, 50))
    assert 5000 <= len(traced.equations) <= 5002
    for kind in ("the net on moons", "a random graph"):
        nodes = int(programs.large(kind, 10_000).split()[0].replace(",", ""))
        assert nodes == pytest.approx(10_000, rel=0.1)


def test_a_table_has_every_peer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "ROUNDS", 1)
    work = programs.formula({})
    programs.race("J = 3(a + bc)", work)
    title, *lines, ready = capsys.readouterr().out.strip().splitlines()
    assert title == "J = 3(a + bc)"
    assert len(lines) == len(work)
    assert all(line.strip().startswith(peer) for line, peer in zip(lines, work, strict=True))
    assert lines[0].endswith("1.00")
    assert "ready" in ready


@pytest.mark.parametrize("peer", sparse_derivatives.PEERS)
def test_peers_find_the_same_sparse_matrices(peer: str) -> None:
    if peer in ("CasADi", "asdex"):
        pytest.importorskip(peer.lower())
    theirs, here = sparse_derivatives.PEERS[peer](scale=20), sparse_derivatives.ours(scale=20)
    for title, work in theirs.items():
        if "10,000" in title or "again" in title:
            continue
        found, expected = work(), here[title]()
        assert expected.nnz < expected.shape[0] * 6
        if peer == "ours by colouring":  # sums of columns that share no row
            assert found.sum(axis=0) == pytest.approx(expected.sum(axis=1))
            continue
        dense = np.asarray(found.todense())
        assert dense == pytest.approx(expected.toarray(), rel=1e-9, abs=1e-9)
