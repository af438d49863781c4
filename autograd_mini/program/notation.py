"""A vector program, written out.

This room owns the names of vectors, which come from the labels of their numbers where these agree:
$z_1^{[1](3)}$ and its like are Z1. It must not know how programs are run.
"""

from __future__ import annotations

from bisect import bisect_right

from ..printing import Label, Text, format_number
from ..trace import Trace
from .lift import Access, Instruction, Program

__all__ = ["written"]


def written(trace: Trace, program: Program) -> str:
    """Write a program: what it was lifted from, and an instruction in each line, with its shape.

    >>> from autograd_mini import trace
    >>> from autograd_mini.program.lift import lift
    >>> t = trace(lambda w, x: sum(a * b for a, b in zip(w, x)), [1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    >>> print(written(t, lift(t)))
    <lambda>: 5 equations, 1 instruction
      v1 = dot(x[0:3], x[3:6])
      return v1
    """
    names = _Names(trace, program)
    n = len(program.instructions)
    lines = [f"{program.name}: {program.equations:,} equations, {n} instruction{'s' * (n != 1)}"]
    for i in program.instructions:
        operands = [names.of(access, i) for access in i.operands]
        if i.kind == "gather":
            text = f"gather {i.count} numbers"
        elif i.kind == "row" and i.op is not None:
            text = str(Text.write(i.op, [Text.name(operand) for operand in operands]))
        else:
            text = f"{i.kind}({', '.join(operands[:2])})"
            text = f"{operands[2]} + {text}" if len(operands) > 2 else text
        shape = "" if i.count == 1 else f"  ({i.rows}×{i.columns})" if i.rows > 1 else f"  ({i.columns})"
        lines.append(f"  {names.results[i.start]}{shape} = {text}")
    returned = [names.at(program.slots[z]) if isinstance(z, int) else format_number(z) for z in trace.outputs]
    more = f", … ({len(returned)} numbers)" if len(returned) > 8 else ""
    return "\n".join([*lines, f"  return {', '.join(returned[:8])}{more}"])


class _Names:
    """A name for each stretch of slots: the inputs', the constants', and each instruction's."""

    def __init__(self, trace: Trace, program: Program) -> None:
        self.program = program
        labels = {program.slots[i]: name for i, name in enumerate(trace.inputs)}
        first = len(trace.inputs)
        for i, equation in enumerate(trace.equations, first):
            if i in program.slots:
                labels[program.slots[i]] = equation.name
        self.results: dict[int, str] = {}
        taken: set[str] = set()
        self.starts: list[int] = []
        self.names: list[str] = []
        for start, stop in self._stretches(labels):
            name = _common([labels.get(slot, "") for slot in range(start, stop)])
            if not name or name in taken:
                name = f"v{sum(n.startswith('v') for n in taken) + 1}" if start >= first else f"x{start}"
            taken.add(name)
            self.starts.append(start)
            self.names.append(name)
            self.results[start] = name

    def _stretches(self, labels: dict[int, str]) -> list[tuple[int, int]]:
        """Return the slots that share a name: inputs by their labels' base and layer, results by instruction."""
        n = self.program.inputs
        stretches: list[tuple[int, int]] = []
        for slot in range(n):
            kind = _family(labels[slot])
            if stretches and _family(labels[stretches[-1][0]]) == kind:
                stretches[-1] = stretches[-1][0], slot + 1
            else:
                stretches.append((slot, slot + 1))
        return stretches + [(i.start, i.start + i.count) for i in self.program.instructions]

    def at(self, slot: int) -> str:
        """Name one slot."""
        n = self.program.inputs
        if n <= slot < n + len(self.program.constants):
            return format_number(float(self.program.constants[slot - n]))
        k = bisect_right(self.starts, slot) - 1
        stop = self.starts[k + 1] if k + 1 < len(self.starts) else self.program.size
        alone = stop - self.starts[k] == 1 or (self.starts[k] < n and k + 1 == len(self.starts))
        return self.names[k] if alone else f"{self.names[k]}[{slot - self.starts[k]}]"

    def of(self, access: Access, i: Instruction) -> str:
        """Name what an operand reads."""
        last = access.base + access.outer * (i.rows - 1) + access.inner * (i.columns - 1)
        last += access.along * (i.length - 1)
        if access.everywhere:
            return self.at(access.base)
        n = self.program.inputs
        if n <= access.base < n + len(self.program.constants):
            return "constants"
        k = bisect_right(self.starts, access.base) - 1
        start = self.starts[k]
        lo, hi = access.base - start, last - start + 1
        whole = lo == 0 and (k + 1 == len(self.starts) or last + 1 == self.starts[k + 1] or last + 1 == n)
        return self.names[k] if whole else f"{self.names[k]}[{lo}:{hi}]"


def _family(label: str) -> tuple[str, str]:
    parsed = Label.parse(label)
    return parsed.base.partition("_{")[0], parsed.layer


def _common(labels: list[str]) -> str:
    """Return a name for numbers whose labels have the same base and layer, "" where they have not."""
    families = {_family(label) for label in labels}
    base, layer = families.pop()
    if families or not base or base == "t":
        return ""
    return (base.upper() if layer and len(labels) > 1 and len(base) == 1 else base) + layer
