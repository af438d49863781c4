"""Every notebook runs, from its first cell to its last, and shows what it was saved with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_its_saved_text_is_true(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell: Any = InteractiveShell()  # type: ignore[no-untyped-call]  # IPython's
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] != "code":
            continue
        result = shell.run_cell("".join(cell["source"]))
        printed = capsys.readouterr().out
        result.raise_error()
        for output in cell["outputs"]:
            text = "".join(output.get("text") or output["data"]["text/plain"])
            assert text.strip() in printed, "run the notebook again and save it"
    assert NOTEBOOKS
