"""Kernels by themselves: kernel x pattern of access x direction, compiled and as Python, beside NumPy's runner."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd_mini as ag
from autograd_mini.program.lift import Access, Instruction, Program

pytest.importorskip("llvmlite")
from autograd_mini.program.arrays import Arrays
from autograd_mini.program.builder import KERNELS
from autograd_mini.program.kernels import Kernels
from autograd_mini.program.lanes import Lanes
from autograd_mini.program.runner import Batch, addresses, way_back

INPUTS = 400
# Steps from row to row, from column to column, and from term to term.
STEPS = {
    "one number": (0, 0), "side by side": (None, 1), "apart": (None, 2), "backwards": (None, -1), "overlapping": (1, 1),
    "one a row": (1, 0), "one a column": (0, 1), "columns apart": (0, 3), "turned": (1, None),
}  # fmt: skip
SHAPES = [(1, 1), (1, 3), (1, 7), (1, 8), (1, 9), (1, 19), (2, 1), (2, 2), (3, 5), (2, 17), (5, 4)]
ROWS = [ag.mul, ag.div, ag.exp, ag.sin, ag.atan2, ag.where, ag.relu, ag.floor, ag.mod, ag.logaddexp]
PRODUCTS: dict[str, Any] = {  # steps of both factors from row to row, column to column, term to term
    "matrix by matrix": lambda P, Q, n: ((0, 1, Q), (n, 0, 1)),
    "matrix by turned": lambda P, Q, n: ((0, n, 1), (n, 0, 1)),
    "turned by matrix": lambda P, Q, n: ((0, 1, Q), (1, 0, P)),
    "turned by turned": lambda P, Q, n: ((0, n, 1), (1, 0, P)),
    "factors the other way": lambda P, Q, n: ((n, 0, 1), (0, 1, Q)),
    "own matrices": lambda P, Q, n: ((n * Q, n, 1), (n, 0, 1)),
    "elements": lambda P, Q, n: ((Q, 1, P * Q), (Q, 1, P * Q)),
    "own rows": lambda P, Q, n: ((n * Q, n, 1), (n * Q, n, 1)),
    "windows": lambda P, Q, n: ((0, 1, 1), (0, 0, 1)),
    "apart": lambda P, Q, n: ((2, 1, 3), (1, 2, 2)),
}  # fmt: skip
SIZES = [(1, 1, 1), (1, 5, 3), (1, 9, 8), (4, 4, 4), (5, 6, 7), (6, 17, 9), (3, 8, 20), (2, 3, 19), (9, 5, 2)]


def access(steps: tuple[int, ...], rows: int, columns: int, terms: int, base: int = 0) -> Access:
    """Return an access whose smallest place is the base."""
    outer, inner, along = steps
    least = sum(min(0, step * (count - 1)) for step, count in ((outer, rows), (inner, columns), (along, terms)))
    return Access(base - least, outer, inner, along)


def program(i: Instruction) -> Program:
    return Program("one kernel", (i,), INPUTS, np.empty(0), INPUTS + i.count, np.arange(INPUTS + i.count), 1)


def check(what: str, i: Instruction) -> None:
    """Compare three ways to run an instruction, forward and backward, where each operand's derivative is wanted."""
    of = program(i)
    for a in i.operands:
        lo, hi = i.span(a)
        assert lo >= 0, what
        assert hi <= INPUTS, what
    rng = np.random.default_rng(0)
    x = rng.uniform(0.2, 1.8, INPUTS)
    if i.kind == "take":
        x[i.operands[1].base] = 1.0
    seed = rng.normal(size=i.count)
    reference, compiled = Arrays(of), Kernels(of)
    results = []
    for runner in (reference, compiled):
        d = np.concatenate([x, np.zeros(i.count + compiled.scratch)])
        grad = np.full(len(d), -0.0)
        runner.task(d)()
        way = runner.way(*way_back(of, INPUTS, [slice(0, INPUTS)]))
        slopes = np.zeros(INPUTS)
        for k in range(i.count):  # each result by itself: a kernel must keep them apart
            runner.task(d, grad, INPUTS + k, way, forth=False)()
            given = grad[:INPUTS].copy()
            slopes += seed[k] * given
            assert not grad[INPUTS:].any(), f"{what}: slopes of results are not cleared"
        results.append((d[: of.size], slopes))
    (want, slopes), (got, found) = results
    np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-14, err_msg=f"{what}, forward")
    np.testing.assert_allclose(found, slopes, rtol=1e-12, atol=1e-13, err_msg=f"{what}, backward")
    d, grad = np.concatenate([x, np.zeros(i.count + compiled.scratch)]), np.full(of.size + compiled.scratch, -0.0)
    grad[INPUTS : of.size] = seed
    name = "row" if i.op is not None else i.kind
    ops = (i.op,) if i.op is not None else ()
    with np.errstate(all="ignore"):
        KERNELS[f"{name}_forward"](*ops, compiled.code.ravel(), 0, compiled.index, d, grad, of.size)
        way = compiled.way(*way_back(of, INPUTS, [slice(0, INPUTS)]))
        KERNELS[f"{name}_backward"](*ops, way.code.ravel(), 0, compiled.index, d, grad, of.size)
    np.testing.assert_allclose(d[: of.size], want, rtol=1e-13, atol=1e-14, err_msg=f"{what}, forward as Python")
    np.testing.assert_allclose(grad[:INPUTS], slopes, rtol=1e-12, atol=1e-13, err_msg=f"{what}, backward as Python")


@pytest.mark.parametrize("op", ROWS, ids=str)
@pytest.mark.parametrize("pattern", STEPS)
def test_rows(op: Any, pattern: str) -> None:
    for rows, columns in SHAPES:
        outer, inner = STEPS[pattern]
        inner = rows if inner is None else inner
        outer = columns * abs(inner) if outer is None else outer
        first = access((outer, inner, 0), rows, columns, 1, 3)
        others = [access((columns, 1, 0), rows, columns, 1, 150), access((0, 0, 0), rows, columns, 1, 300)]
        check(
            f"{op}, {pattern}, {rows} by {columns}",
            Instruction("row", op, INPUTS, rows, columns, 1, (first, *others)[: op.arity]),
        )


@pytest.mark.parametrize("pattern", PRODUCTS)
@pytest.mark.parametrize("begins", [False, True], ids=["", "with a number"])
def test_products(pattern: str, begins: bool) -> None:
    for rows, columns, n in SIZES:
        a, b = PRODUCTS[pattern](rows, columns, n)
        operands = [access(a, rows, columns, n), access(b, rows, columns, n)]
        if max(Instruction("dot", None, 0, rows, columns, n, ()).span(x)[1] for x in operands) > INPUTS:
            continue
        operands += [access((0, 1, 0), rows, columns, 1, 380)] * begins
        check(
            f"dot, {pattern}, {rows} by {columns} by {n}",
            Instruction("dot", None, INPUTS, rows, columns, n, tuple(operands)),
        )


@pytest.mark.parametrize("along", [0, 1, 2, -1])
def test_sums_and_choices(along: int) -> None:
    for rows, columns in [(1, 1), (2, 3), (1, 9)]:
        for n in (1, 2, 7, 8, 9, 20):
            for inner in (1, 2):
                x = access((3, inner, along), rows, columns, n)
                check(f"sum, {rows} by {columns} of {n}", Instruction("sum", None, INPUTS, rows, columns, n, (x,)))
        choice = Access(399, 0, 0, 0)
        check(
            "take",
            Instruction("take", None, INPUTS, rows, columns, 4, (access((1, 2, along), rows, columns, 4), choice)),
        )


LANES = 16
SEVERAL = [
    Instruction("row", ag.div, INPUTS, 2, 3, 1, (Access(3, 6, 2, 0), Access(90, 0, 1, 0))),
    Instruction("row", ag.sin, INPUTS, 1, 4, 1, (Access(30, 0, -1, 0),)),
    Instruction("row", ag.exp, INPUTS, 1, 4, 1, (Access(30, 0, 2, 0),)),
    Instruction("sum", None, INPUTS, 2, 2, 5, (Access(10, 7, 1, 2),)),
    Instruction("dot", None, INPUTS, 2, 3, 4, (Access(0, 0, 1, 3), Access(40, 4, 0, 1))),
    Instruction("dot", None, INPUTS, 2, 3, 4, (Access(0, 0, 1, 3), Access(40, 4, 0, 1), Access(99, 0, 1, 0))),
    Instruction("take", None, INPUTS, 1, 2, 4, (Access(5, 0, 4, 1), Access(399, 0, 0, 0))),
    Instruction("gather", None, INPUTS, 1, 4, 1, (), np.array([7, 3, 3, 0])),
]


@pytest.mark.parametrize("shared", [slice(0, 0), slice(0, 35), slice(35, INPUTS), slice(8, 12)], ids=str)
@pytest.mark.parametrize("i", SEVERAL, ids=lambda i: f"{i.op or i.kind}")
def test_lanes(i: Instruction, shared: slice) -> None:
    """The program of a batch does in each lane what the program of one example does, whichever inputs are shared."""
    of = program(i)
    rng = np.random.default_rng(1)
    x = rng.uniform(0.2, 1.8, (INPUTS, LANES))
    if i.kind == "take":
        x[399] = rng.integers(-1, 5, LANES)
    x[shared] = x[shared, :1]
    outputs = list(range(INPUTS, of.size))
    tables = [table for table in (slice(0, shared.start), slice(shared.stop, INPUTS)) if table.stop > table.start]
    lanes = Lanes(of, tables, outputs, LANES)
    reference = Arrays(of)
    want, slopes = np.zeros((of.size, LANES)), np.zeros((i.count, INPUTS, LANES))
    ways = [reference.way(*way_back(of, z, [slice(0, INPUTS)])) for z in outputs]
    for lane in range(LANES):
        one, grad = np.concatenate([x[:, lane], np.zeros(i.count)]), np.full(of.size, -0.0)
        reference.task(one)()
        want[:, lane] = one
        for k, z in enumerate(outputs):
            reference.task(one, grad, z, ways[k], forth=False)()
            slopes[k, :, lane] = grad[:INPUTS]
    every = lanes.lanes_of(range(INPUTS))
    for runner in (Arrays(lanes.program), Kernels(lanes.program)):
        size = lanes.program.size + runner.scratch
        d, grad = np.zeros(size), np.full(size, -0.0)
        d[every] = x
        runner.task(d)()
        name = type(runner).__name__
        np.testing.assert_allclose(
            d[lanes.lanes_of(outputs)], want[INPUTS:], rtol=1e-13, atol=1e-14, err_msg=f"{name}, forward"
        )
        steps, silent = way_back(of, INPUTS, [slice(0, INPUTS)])
        for k, z in enumerate(outputs):
            if not lanes.step[z]:
                continue  # a result of shared inputs has one lane
            steps, silent = way_back(of, z, [slice(0, INPUTS)])
            way = runner.way(lanes.steps(steps), lanes.lanes_of(silent).ravel())
            batch = Batch(LANES, [], [], [], 0, int(lanes.place[z]), LANES, way)
            runner.blocks(batch, d, grad)([], np.zeros((1, 0)))(0, 1)
            got = grad[every]
            total = slopes[k].copy()
            total[shared] = total[shared].sum(axis=1, keepdims=True)
            np.testing.assert_allclose(got, total, rtol=1e-11, atol=1e-12, err_msg=f"{name}, result {k}, backward")
            assert not grad[lanes.program.inputs :].any()


def test_gathers() -> None:
    for places in ([0], [5, 5, 5], [9, 1, 4, 4, 0, 2, 7, 3, 8, 6, 5]):
        check(f"gather {places}", Instruction("gather", None, INPUTS, 1, len(places), 1, (), np.array(places)))


def test_the_addresses_of_a_pattern_are_those_that_numpy_reads() -> None:
    i = Instruction("row", ag.exp, INPUTS, 2, 3, 1, (access((6, 2, 0), 2, 3, 1, 3),))
    assert addresses(i)[1][0][:, :, 0].tolist() == [[3, 5, 7], [9, 11, 13]]
