"""JavaScript, run by node."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="this machine has no node to run JavaScript")


def run(code: str) -> Any:
    """Run JavaScript that returns something, and return it; numbers that JSON lacks are strings in it."""
    plain = "(_, x) => Object.is(x, -0) ? 'number:-0' : Math.abs(x) < Infinity || !x?.toFixed ? x : `number:${x}`"
    text = f"console.log(JSON.stringify((() => {{{code}}})(), {plain}))"
    done = subprocess.run([NODE or "", "-"], input=text, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr

    def number(x: Any) -> Any:
        if isinstance(x, list):
            return [number(y) for y in x]
        return float(x[7:]) if isinstance(x, str) and x.startswith("number:") else x

    return number(json.loads(done.stdout))
