"""Every notebook runs, from its first cell to its last, and shows what it was saved with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
from IPython.core.interactiveshell import InteractiveShell

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
ROUNDING = re.compile(r"\b(\de-1[5-9]|0e\+00)\b")  # differences that are another on each machine


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_its_saved_text_is_true(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plt.switch_backend("agg")
    shell: Any = InteractiveShell()  # type: ignore[no-untyped-call]  # IPython's
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] != "code":
            continue
        result = shell.run_cell("".join(cell["source"]))
        result.raise_error()
        for number in plt.get_fignums():  # Jupyter shows them and closes them at the end of a cell
            print(repr(plt.figure(number)))
        plt.close("all")
        printed = ROUNDING.sub("0", capsys.readouterr().out)
        for output in cell["outputs"]:
            text = "".join(output.get("text") or output["data"]["text/plain"])
            assert ROUNDING.sub("0", text.strip()) in printed, "run the notebook again and save it"
        assert bool(printed.strip()) == bool(cell["outputs"]), "run the notebook again and save it"
    assert NOTEBOOKS
