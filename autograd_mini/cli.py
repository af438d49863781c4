"""The command `autograd-mini`, which prints the derivatives of an expression and draws its graph.

This module owns arguments, messages and exit codes: 0 for success, 2 for bad input, 1 if the machine lacks something.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, NoReturn

from .derivation import find, report
from .files import write_whole
from .formulas import ExpressionError, expression
from .printing import op_list, op_table
from .value import Value

LANGUAGES = {"c": "c", "js": "javascript", "py": "numpy"}  # by the endings of files
EXAMPLES = """\
examples:
  autograd-mini "u = b*c; v = a + u; J = 3*v" a=5 b=3 c=2
  autograd-mini "J = 3*(a + b*c)" a=5 b=3 c=2 --wrt b --render J.svg --render J.png
  autograd-mini "y = sigmoid(w*x + b)" w=2 x=pi/4 b=-1 --format latex
  autograd-mini "y = tanh(w*x + b)" w=2 x=1 b=-1 --render y.html   steps and sliders, in a browser
  autograd-mini "y = tanh(w*x + b)" w=2 x=1 b=-1 --render y.c      the value and the gradient as C; also .js, .py
  autograd-mini demo            the worked example, with its pictures
  autograd-mini ops             all functions with their derivatives
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a test may put another kind of stream there
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a dot on an ASCII terminal
    try:
        if words[:1] == ["demo"]:
            return _demo(words[1:])
        if words[:1] == ["ops"]:
            return _ops(words[1:])
        if not words:
            _parser().print_help()
            return 0
        return _derive(words)
    except Refused as error:
        print(f"autograd-mini: {error}", file=sys.stderr)
        return 2
    except (ImportError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # the reader, such as `head`, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"autograd-mini: {error}", file=sys.stderr)
        return 1


class Refused(Exception):
    """An input is wrong. The message is for the person who typed it."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(f"{message}\nTry: {self.prog} --help")


class _Version(argparse.Action):
    """Look up the version only for `--version`, because a package that is not installed has none."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        try:
            print(f"{parser.prog} {version('autograd_mini')}")
        except PackageNotFoundError:
            print(f"{parser.prog}, not installed: run from {Path(__file__).parent}")
        parser.exit()


def _parser() -> _Parser:
    parser = _Parser(
        prog="autograd-mini",
        description="Compute an expression, and write out its derivatives by the chain rule.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("expression", help="assignments, separated by ; such as 'u = b*c; J = 3*(a + u)'")
    parser.add_argument("variables", nargs="*", metavar="name=value", help="the number of each leaf, such as a=5")
    only = "derive only with respect to this name (repeatable)"
    parser.add_argument("--wrt", action="append", metavar="NAME", help=only)
    parser.add_argument(
        "--render",
        action="append",
        default=[],
        metavar="FILE",
        help="draw the graph: .svg .png .pdf .dot .mmd .tex .json, or .html, a page to explore it; or write the value "
        "and the gradient as code: .c .js .py (repeatable)",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the program's version and exit")
    parser.add_argument("--format", choices=("text", "latex", "markdown", "json"), default="text", help="default: text")
    parser.add_argument("--precision", type=_digits, default=4, metavar="N", help="significant digits (default: 4)")
    return parser


def _digits(word: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= 17:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number from 1 to 17")
    return int(word)


def _derive(words: list[str]) -> int:
    # An expression may begin with a minus. A blank before it tells argparse that it is no option.
    option = re.compile(r"-h|--[a-z]{2,}(=.*)?")
    words = [f" {w}" if w.startswith("-") and w != "--" and not option.fullmatch(w) else w for w in words]
    given = _parser().parse_intermixed_args(words)
    output = compute(given.expression.strip(), given.variables)
    try:
        nodes = [find(output, name) for name in given.wrt] if given.wrt else None
    except ValueError as error:
        raise Refused(f"--wrt: {error}") from None
    files = [Path(name) for name in given.render]
    pictures = _files(given.expression.strip(), output, values_of(given.variables), files, given.precision)
    text = report(output, nodes, given.format, given.precision)
    _write(pictures)
    print(text)
    return 0


def compute(text: str, assignments: Sequence[str]) -> Value:
    """Compute an expression with assignments such as `a=5`, run the backward pass, and return the output.

    Raises:
        Refused: the expression or a value cannot be read.

    >>> compute("J = a*b", ["a=2", "b=pi/4"])
    Value(1.5707963267948966, label='J', op='mul', grad=1.0)
    """
    variables = values_of(assignments)
    try:
        output = expression(text, **variables)
    except ExpressionError as error:
        raise Refused(str(error)) from None
    output.backward()
    return output


def values_of(assignments: Sequence[str]) -> dict[str, float]:
    """Return the number of each name in assignments such as `a=5`.

    Raises:
        Refused: an assignment cannot be read.

    >>> values_of(["a=2", "b=pi/4"])
    {'a': 2.0, 'b': 0.7853981633974483}
    """
    variables: dict[str, float] = {}
    for word in assignments:
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals or not name.isidentifier():
            raise Refused(f"{word.strip()!r} is not of the form name=value, such as a=5")
        if name in variables:
            raise Refused(f"{name} is given twice")
        hint = "a value consists of numbers, pi, e and functions; separate one name=value from the next by a blank"
        if re.search(r"(?<![<>=])=(?!=)|[;\n]", value):
            raise Refused(f"the value of {name} must be a number, not {value!r}\n{hint}")
        try:
            variables[name] = expression(value).data
        except ExpressionError as error:
            raise Refused(f"the value of {name}: {error}\n{hint}") from None
    return variables


def _files(
    text: str, output: Value, variables: dict[str, float], files: list[Path], precision: int
) -> list[tuple[Path, bytes]]:
    """Return each file with its content, so that nothing is written before all of it is there."""
    if not files:
        return []
    from .pages.explorer import explore
    from .pictures.drawing import FORMATS, draw

    drawing = draw(output, precision=precision)
    pictures = []
    for file in files:
        ending = file.suffix.lower()[1:]
        if ending not in (*FORMATS, "html", *LANGUAGES):
            raise Refused(f"--render {file}: the name must end in one of .{', .'.join([*FORMATS, 'html', *LANGUAGES])}")
        try:
            if ending in LANGUAGES:
                content = _code(text, output, variables, LANGUAGES[ending]).encode()
            elif ending == "html":
                content = explore(output, precision=precision).html.encode()
            else:
                content = drawing.image(file.suffix[1:])
            pictures.append((file, content))
        except (ValueError, NotImplementedError) as error:
            raise Refused(f"--render {file}: {error}") from None
        if file.is_dir():
            raise Refused(f"--render {file}: this is a folder")
        if not file.parent.is_dir():
            raise Refused(f"--render {file}: there is no folder {file.parent}")
    return pictures


def _code(text: str, output: Value, variables: dict[str, float], language: Any) -> str:
    """Return the source code of an expression and its gradient, as a function of its variables."""
    from .program import compile

    names = list(variables)

    def f(*xs: Value) -> Value:
        return expression(text, **dict(zip(names, xs, strict=True)))

    f.__name__ = output.label if output.label.isidentifier() else "f"
    vars(f)["__signature__"] = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names])
    compiled = compile(f)
    compiled(*variables.values())
    return compiled.source(language, derivative="grad", argnums=tuple(range(len(names))))


def _write(pictures: list[tuple[Path, bytes]]) -> None:
    for file, content in pictures:
        write_whole(file, content)
        print(f"wrote {file}", file=sys.stderr)


def _ops(words: list[str]) -> int:
    parser = _Parser(prog="autograd-mini ops", description="List all functions with their derivatives.")
    parser.add_argument("--format", choices=("text", "markdown"), default="text")
    print(op_list() if parser.parse_args(words).format == "text" else op_table(), end="")
    return 0


def _demo(words: list[str]) -> int:
    parser = _Parser(
        prog="autograd-mini demo",
        description="Reproduce J = 3(a + bc) and train the two-layer sigmoid net: derivatives, tables and pictures.",
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("autograd-mini-demo"), metavar="DIR", help="the folder to write to"
    )
    folder: Path = parser.parse_args(words).folder
    from .demo import demo

    missing = demo(folder)
    for message in missing:
        print(f"autograd-mini: not made: {message}", file=sys.stderr)
    return 1 if missing else 0
