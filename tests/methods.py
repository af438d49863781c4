"""The methods of Value that the table names, as text: `python tests/methods.py` writes them anew into value.py."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from autograd_mini import value
from autograd_mini.ops import METHODS, Op

SOURCE = Path(value.__file__).with_name("value.py")
BEGIN = "    # The rows of the table as methods, as tests/methods.py writes them.\n"
END = "    # Here they end.\n"


def written() -> str:
    """Return the methods as they stand in value.py."""
    return "\n".join([method(name, row) for name, row in METHODS.items()])


def method(name: str, row: Op) -> str:
    """Write one method."""
    rest = row.operands[1:]
    given = dict.fromkeys(rest[: len(rest) - len(row.defaults)], "")
    given |= {y: f" = {default!r}" for y, default in zip(rest[len(given) :], row.defaults, strict=True)}
    parameters = ", ".join(["self", *(f"{y}: SupportsFloat{default}" for y, default in given.items()), "/"])
    about = row.doc if name == row.name else f"Do as `{row.name}`, under the name of NumPy, which calls it."
    lines = [about, "", f"Convention: {row.convention}.", ""] if row.convention and name == row.name else [about]
    if len(about) > 105:
        lines[:1] = textwrap.wrap(about, 105)
    quote = 'r"""' if "\\" in about else '"""'
    doc = textwrap.indent("\n".join([quote + lines[0], *lines[1:]]), " " * 8, lambda line: line != "\n")
    doc = (doc.rstrip() + '\n        """') if len(lines) > 1 else doc + '"""'
    return (
        f"    def {name}({parameters}) -> Value:\n{doc}\n"
        f'        return METHODS["{name}"]({", ".join(["self", *rest])})\n'
    )


def replaced(source: str, methods: str) -> str:
    """Return the source with these methods."""
    before, _, rest = source.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{methods}\n{END}{after}"


def standing(source: str) -> str:
    """Return the methods that stand in a source."""
    (found,) = re.findall(f"{re.escape(BEGIN)}\n(.*?)\n{re.escape(END)}", source, re.DOTALL)
    return str(found)


if __name__ == "__main__":
    SOURCE.write_text(replaced(SOURCE.read_text(), written()))
