"""The page on optimal control with IPOPT, where it is installed; without it the rest of the page is a doctest."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "howto" / "optimal-control.md"


def test_ipopt_finds_the_energy_that_scipy_finds() -> None:
    pytest.importorskip("scipy")
    pytest.importorskip("cyipopt")
    before, after = PAGE.read_text().split("\n## With IPOPT\n")
    names: dict[str, Any] = {}
    for example in doctest.DocTestParser().get_examples(before):
        exec(example.source, names)
    (block,) = re.findall(r"^```python\n(.*?)^```$", after, re.MULTILINE | re.DOTALL)
    exec(block, names)
    assert names["info"]["status"] == 0
    assert names["info"]["obj_val"] == pytest.approx(names["found"].fun, abs=1e-4)
    assert abs(names["gaps"](names["z"])).max() < 1e-8
