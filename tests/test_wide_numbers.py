"""Numbers with an exponent of any size, against floats and fractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from operator import add, mul, sub, truediv
from typing import Any

import pytest
from hypothesis import assume, given, strategies as st

from autograd_mini.wide import Wide

floats = st.floats(-1e150, 1e150).filter(lambda x: x == 0.0 or abs(x) > 1e-150)
exponents = st.integers(-5000, 5000)


def exactly(x: Wide) -> Fraction:
    return Fraction(x.m) * Fraction(2) ** x.e


@given(floats, floats)
@pytest.mark.parametrize("operation", [add, sub, mul, truediv])
def test_they_round_as_floats(operation: Callable[..., Any], x: float, y: float) -> None:
    assume(operation is not truediv or y)
    expected = operation(x, y)
    assume(abs(expected) > 2.0**-1000 or expected == 0.0)
    assert float(operation(Wide(x), y)) == float(operation(Wide(x), Wide(y))) == expected
    if operation is not truediv:
        assert float(operation(x, Wide(y))) == expected


@given(floats, exponents, floats, exponents)
@pytest.mark.parametrize("operation", [add, sub, mul, truediv])
def test_they_are_right_out_of_the_range_of_floats(
    operation: Callable[..., Any], x: float, j: int, y: float, k: int
) -> None:
    assume(operation is not truediv or y)
    a, b = Wide(x, j), Wide(y, k)
    found, exact = exactly(operation(a, b)), operation(exactly(a), exactly(b))
    assert abs(found - exact) <= abs(exact) / 2**53
    assert exactly(-a) == -exactly(a)
    assert bool(a) == bool(x)


def test_the_ends_of_the_range() -> None:
    assert float(Wide(1.0, 2000)) == math.inf
    assert float(Wide(-1.0, 2000)) == -math.inf
    assert float(Wide(1.0, -2000)) == 0.0
    assert float(Wide(math.inf) + Wide(1.0, 2000)) == math.inf
    assert math.isnan(float(Wide(math.inf) - math.inf))
    assert math.isnan(float(Wide(math.nan) * Wide(0.0)))
    with pytest.raises(ZeroDivisionError):
        Wide(1.0) / 0.0
