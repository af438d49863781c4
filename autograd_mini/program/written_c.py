"""A program as C99: one file. It needs no memory from the heap, and only the library of mathematics."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator, Sequence

from .export import Export, Way
from .functions_c import RUNTIME, CScript
from .statements import Variable
from .written_loops import LINE, LoopWriter, Names, indented, is_used, listed, literal

# Words of C and C++, and names of their libraries: compilers may know these names.
RESERVED = (
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while asm typeof "
    "bool true false class delete new private public protected template this throw try catch namespace using virtual "
    "operator friend export and or not xor main abort abs atexit calloc clock div errno exit free labs ldiv malloc "
    "printf puts rand realloc remove rename signal sprintf srand stdin stdout stderr strlen system time y0 y1 yn j0 j1 "
    "jn gamma signgam I NAN INFINITY isnan isinf isfinite signbit fpclassify isnormal failed acos acosh asin asinh "
    "atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs fdim floor fma fmax fmin fmod frexp "
    "hypot ilogb ldexp lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter "
    "nexttoward pow remainder remquo rint round scalb scalbln scalbn significand drem exp10 pow10 sin sincos sinh sqrt "
    "tan tanh tgamma trunc index strdup read write link pipe wait unix linux"
).split()


class _Writer(LoopWriter):
    """A writer of one way through a program. Each way is a function of its own."""

    equals = "=="
    of_condition = "(double) ({})"
    comment = "/* {} */"

    def __init__(self, names: Names, script: CScript, way: Way) -> None:
        super().__init__(names)
        self.script, self.way, self.results = script, way, set(way.results)

    def declared(self, name: str, size: int, value: str | None, *, fixed: bool) -> str:
        """Write the declaration of a number, or of an array."""
        return f"double {name}[{size}];" if size > 1 else f"{'const ' * fixed}double {name} = {value};"

    def loop(self, counter: str, count: int) -> str:
        """Write the head of a loop."""
        return f"for (int {counter} = 0; {counter} < {count}; {counter}++)"

    def failed(self, condition: str) -> str:
        """Write the statement that leaves the program if a condition holds."""
        return f"if ({condition}) return 1;"

    def element(self, variable: Variable, place: str) -> str:
        """Write a number of an array, or a number. A pointer leads to a number that is a result."""
        pointer = variable.size == 1 and variable in self.results
        return f"*{self.named[variable]}" if pointer else super().element(variable, place)

    def head(self, name: str) -> str:
        """Write the head of the function."""
        parts = [
            f"const double {self.named[x]}[{x.size}]" if x.size > 1 else f"double {self.named[x]}"
            for x in self.way.given
        ]
        parts += [
            f"double {self.named[x]}[{x.size}]" if x.size > 1 else f"double *{self.named[x]}" for x in self.way.results
        ]
        lines: list[str] = []
        line = f"int {name}("
        for part in parts:
            if len(line) + len(part) > LINE:
                lines, line = [*lines, line.rstrip()], "    "
            line += f"{part}, "
        return "\n".join([*lines, line.removesuffix(", ") + ")"])

    def function(self, name: str) -> str:
        """Write the function."""
        body = [*self.body(self.way, [*self.way.given, *self.way.results, *self.way.constants])]
        constants = [x for x in self.way.constants if is_used(self.named[x], body)]
        lines = [
            _array("double", self.named[x], [literal(self.script, y).text for y in x.values.flat]) for x in constants
        ]
        lines += [_array("int", table, [*map(str, index.flat)]) for table, index in self.tables.values()]
        lines += [f"(void) {self.named[x]};" for x in self.way.given if not is_used(self.named[x], body)]
        return f"{self.head(name)} {{\n{indented([*lines, *body, 'return 0;'])}\n}}"


def _array(kind: str, name: str, numbers: Sequence[str]) -> str:
    return f"static const {kind} {name}[{len(numbers)}] = {{\n{listed(numbers, '    ')}\n}};"


def write(export: Export, taken: Collection[str] = ()) -> str:
    """Return the text of the file. It does not use names that are taken."""
    names = Names([*RESERVED, *RUNTIME, *taken], ascii=True)
    name, script = names.new(export.name), CScript()
    first = export.ways[0]
    shared = [names.new(x.name) for x in [*first.given, *first.results]]
    writers = []
    for way in export.ways:
        writer = _Writer(Names(names.taken, ascii=True), script, way)
        writer.named |= dict(zip([*way.given, *way.results], shared, strict=True))
        writer.named |= {x: writer.names.new(x.name) for x in way.constants}
        writers.append(writer)
    functions = [*_functions(name, writers, names, shared)]
    if script.functions.keys() & {x for writer in writers for x in writer.names.taken}.difference(
        RESERVED, RUNTIME, taken
    ):
        return write(export, {*taken, *script.functions})
    helpers = [str(script)] if script.functions else []
    return "\n\n".join([_comment(export, writers[0], functions), "#include <math.h>", *helpers, *functions]) + "\n"


def _functions(name: str, writers: list[_Writer], names: Names, shared: list[str]) -> Iterator[str]:
    """Yield the function. If there are several ways, yield the functions of the ways first."""
    if len(writers) == 1:
        yield writers[0].function(name)
        return
    calls = []
    for k, writer in enumerate(writers, 1):
        own = names.new(f"{name}_way_{k}")
        yield f"static {writer.function(own)}"
        calls.append(f"if ({own}({', '.join(shared)}) == 0) return 0;")
    yield f"{writers[0].head(name)} {{\n{indented([*calls, 'return 1;'])}\n}}"


def _comment(export: Export, writer: _Writer, functions: list[str]) -> str:
    """Return the comment at the head of the file."""
    described = dict(export.described())
    text = {x: described.get(x.name, "") for x in [*writer.way.given, *writer.way.results]}
    width = max(len(writer.named[x]) for x in text)
    lines = [export.title, "", "Arguments:"] if writer.way.given else [export.title]
    lines += [f"  {writer.named[x]:{width}}  {text[x]}" for x in writer.way.given]
    lines += ["Results, which must not overlap with the arguments:"]
    lines += [f"  {writer.named[x]:{width}}  {text[x]}" for x in writer.way.results]
    refuses = any(way.routine.specialization.branches for way in export.ways)
    numbers = max(map(_stack, functions))
    end = [
        "Return 0, or 1 where the function takes a way through its branches that is not here."
        if refuses
        else "Return 0."
    ]
    if numbers:
        end.append(f"The arrays within take {8 * numbers:,} bytes of the stack.")
    lines += ["", *textwrap.wrap(" ".join([*end, *export.notes]), LINE - 3)]
    return "/* " + "\n".join(f" * {line}".rstrip() for line in lines)[3:] + "\n */"


def _stack(function: str) -> int:
    """Return the count of numbers in the arrays of a function."""
    return sum(map(int, re.findall(r"^ *double \w+\[(\d+)\];$", function, re.MULTILINE)))
