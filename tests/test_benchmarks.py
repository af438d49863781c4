"""The workloads of the benchmarks: that they are what they say, on every engine."""

from __future__ import annotations

import math

import pytest
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
