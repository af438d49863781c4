"""The playground's Python: it answers requests of the page. Requests and answers are JSON.

The page asks by name (`compute`, `show`, `copies`, `run`, `complete`). The answers are the package's own pictures,
pages and texts; nothing is computed here.

Graphviz runs outside of Python, in a worker that can be stopped. A request that needs a picture which is not there yet
is answered by the picture's source, `{"wanted": ...}`; the worker has it drawn, gives it to `keep`, and asks again.
"""

from __future__ import annotations

import ast
import json
import linecache
import re
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import TextIOBase
from itertools import takewhile
from rlcompleter import Completer
from typing import Any

import autograd_mini as ag
from autograd_mini import Value, nn
from autograd_mini.cli import Refused, compute as computed, values_of
from autograd_mini.derivation import report
from autograd_mini.pages.page import Explorer
from autograd_mini.pictures.drawing import Drawing
from autograd_mini.printing import names_of

MOST = 5_000  # nodes that a tab shows
MOST_WRITTEN = 200_000  # characters that a cell prints
WIDEST = 900  # points of a picture, which scales
KEPT = 40  # pictures
MOST_NAMES = 100  # that a completion offers
CELL = "<cell>"

pictures: dict[str, str] = {}  # by their source
state: dict[str, Any] = {"output": None, "text": "", "numbers": "", "shown": None, "rankdir": "LR"}
namespace: dict[str, Any] = {}


class Wanted(Exception):
    """Ask for a picture that has not been drawn."""


def call(name: str, arguments: str) -> str:
    """Answer a request; an error is an answer, too."""
    try:
        return json.dumps({"result": REQUESTS[name](*json.loads(arguments))})
    except Wanted as wanted:
        return json.dumps({"wanted": wanted.args[0]})
    except (Refused, ValueError, ImportError) as error:  # what the package says to people
        return json.dumps({"error": str(error)})
    except Exception:
        return json.dumps({"error": traceback.format_exc()})


def keep(source: str, svg: str) -> None:
    """Remember a picture that was drawn."""
    while len(pictures) >= KEPT:
        del pictures[next(iter(pictures))]
    pictures[source] = svg


def picture_of(source: str, format: str) -> bytes:
    """Return a picture that was drawn before; the renderer of the package."""
    if format != "svg":
        raise ValueError(f"this page draws svg, not {format}; its button `png` makes a png of a picture")
    if source not in pictures:
        raise Wanted(source)
    return pictures[source].encode()


def begin() -> None:
    """Make the page the renderer of all pictures."""
    ag.render_with(picture_of)


# The graph of the page, from an expression or from the last line of a cell.


def compute(text: str, numbers: str) -> dict[str, Any]:
    """Compute an expression, which becomes the graph of the page."""
    state["output"] = computed(text.strip(), words_of(numbers))
    state["text"], state["numbers"] = text, numbers
    return facts()


def words_of(numbers: str) -> list[str]:
    """Return the assignments of a line, which blanks or commas part.

    >>> words_of("a = 5, b=pi / 4 c=2")
    ['a = 5', 'b=pi / 4', 'c=2']
    """
    return [word.strip(" ,;") for word in re.split(r"[\s,;]+(?=[^\W\d]\w*\s*=)", numbers.strip(" ,;\n")) if word]


def facts() -> dict[str, Any]:
    """Return the size of the graph, and the names of its nodes, leaves first."""
    order = ag.topological_order(output())
    counted = {"nodes": len(order), "edges": sum(len(node.parents) for node in order), "value": output().data}
    if len(order) > MOST:
        return {**counted, "names": []}
    names = names_of(order, output())
    return {**counted, "names": [names[node] for node in sorted(order[:-1], key=lambda node: node.op is not None)]}


def output() -> Value:
    """Return the output of the page's graph."""
    if state["output"] is None:
        raise ValueError("there is no graph yet: type an expression, or run a cell whose last line is a Value")
    return state["output"]  # type: ignore[no-any-return]


def show(tab: str, name: str, is_narrow: bool) -> dict[str, Any]:
    """Return the content of a tab, of the graph or of its derivative with respect to the named node."""
    state["rankdir"] = "TB" if is_narrow else "LR"
    if (n := len(ag.topological_order(output()))) > MOST:
        raise ValueError(
            f"the graph has {n:,} nodes, and this page shows at most {MOST:,}; the package itself shows more"
        )
    return TABS[tab](output(), name)


def chosen(graph: Value, name: str) -> Value:
    """Return the node that a name means; an unnamed result has the name that derivations give it."""
    names = names_of(ag.topological_order(graph), graph)
    for node, known in names.items():
        if known == name:
            return node
    raise ValueError(f"no node has the name {name!r}; there are {', '.join(names.values())}")


def picture(graph: Value, _name: str) -> dict[str, Any]:
    """Draw the graph."""
    return drawn(ag.draw(graph, rankdir=state["rankdir"]))


def drawn(drawing: Drawing) -> dict[str, Any]:
    """Return a picture in the colours of both themes."""
    drawing.theme = "auto"
    return {"svg": drawing.svg(max_width=WIDEST), "words": drawing.description, "title": drawing.title}


def derivation(graph: Value, name: str) -> dict[str, Any]:
    """Derive one derivative, or those of all leaves."""
    return {"tex": ag.explain(graph, chosen(graph, name) if name else None).latex(width=60)}


def tables(graph: Value, _name: str) -> dict[str, Any]:
    """Return the forward and the backward pass, a line for each node."""
    return {"markdown": ag.explain(graph).markdown(width=60)}


def paths(graph: Value, name: str) -> dict[str, Any]:
    """Return the number of paths, and the largest of them."""
    return {"text": str(ag.paths(graph, chosen(graph, name)))}


def blame(graph: Value, name: str) -> dict[str, Any]:
    """Return the cause of a derivative that is 0, nan, infinite or far too large or small."""
    return {"text": str(ag.blame(graph, chosen(graph, name) if name else None))}


def slope(graph: Value, name: str) -> dict[str, Any]:
    """Draw the graph of a derivative."""
    found = ag.gradient(graph, chosen(graph, name))
    found.label = found.label or f"d{names_of(ag.topological_order(graph), graph)[graph]}/d{name}"
    found.backward()
    return drawn(ag.draw(found, rankdir=state["rankdir"]))


def program(graph: Value, _name: str) -> dict[str, Any]:
    """Return the equations that `compile` starts from, and where NumPy is the vector program."""
    leaves = [node for node in ag.topological_order(graph) if node.op is None]
    try:
        written = ag.compile(graph, inputs=leaves)
    except ImportError:
        note = "ag.compile makes vector instructions of these equations. It needs NumPy, which this page does not have."
        return {"text": str(ag.trace_graph(graph, leaves)), "note": note}
    return {"text": f"{written}\n\n{written.written_backward()}"}


def page(explorer: Explorer) -> dict[str, Any]:
    """Return a page for a frame of its own."""
    return {"page": explorer.html, "height": explorer.height, "title": explorer.name}


TABS: dict[str, Callable[[Value, str], dict[str, Any]]] = {
    "picture": picture,
    "derivation": derivation,
    "explore": lambda graph, _name: page(ag.explore(graph)),
    "quiz": lambda graph, _name: page(ag.explore(graph, quiz=True)),
    "tables": tables,
    "paths": paths,
    "blame": blame,
    "slope": slope,
    "program": program,
}


def copies(kind: str) -> str:
    """Return the graph, or its derivation, as text of one kind."""
    graph = output()
    if kind == "python":
        return as_python()
    if kind in ("markdown", "latex"):
        return report(graph, None, kind, 4)
    return ag.draw(graph).image(kind).decode()


def as_python() -> str:
    """Return the lines of Python that make the graph of the expression.

    >>> state.update(text="J = a*b", numbers="a=2 b=pi")
    >>> print(as_python())
    import autograd_mini as ag
    <BLANKLINE>
    J = ag.expression("J = a*b", a=2.0, b=3.141592653589793)
    J.backward()
    print(ag.explain(J))
    """
    values = "".join(f", {name}={value!r}" for name, value in values_of(words_of(state["numbers"])).items())
    text = json.dumps(state["text"].strip(), ensure_ascii=False)
    lines = [
        "import autograd_mini as ag",
        "",
        f"J = ag.expression({text}{values})",
        "J.backward()",
        "print(ag.explain(J))",
    ]
    return "\n".join(lines)


# The cell.


class Printed(TextIOBase):
    """The output stream of a cell. It hands each text to the page at once."""

    def __init__(self, hand_over: Callable[[str], Any]) -> None:
        self.hand_over = hand_over
        self.left = MOST_WRITTEN

    def write(self, text: str) -> int:
        """Hand a text over, until it is too much."""
        if self.left > 0:
            self.hand_over(text[: self.left] + ("\n… the page shows no more" if len(text) >= self.left else ""))
            self.left -= len(text)
        return len(text)


def run(code: str, hand_over: Callable[[str], Any], draw: Callable[[str, str], str]) -> str:
    """Run a cell in a new namespace, and keep the value of its last line; return an error, whole, or nothing.

    Pictures that the code itself asks for are drawn here, by `draw`: a line of it cannot be run twice.
    """
    from tqdm import tqdm  # only now: the import takes a third of a second there

    namespace.clear()
    namespace.update(__name__="__main__", ag=ag, nn=nn)
    linecache.cache[CELL] = (len(code), None, code.splitlines(keepends=True), CELL)
    state["shown"] = None
    tqdm.monitor_interval = 0  # there are no threads
    printed = Printed(hand_over)
    ag.render_with(lambda source, format: draw(source, format).encode())
    try:
        with redirect_stdout(printed), redirect_stderr(printed), warnings.catch_warnings():
            warnings.simplefilter("default")
            state["shown"] = last_value(code)
    except BaseException as error:  # SystemExit, too
        first = error.__traceback__
        while first is not None and first.tb_frame.f_code.co_filename != CELL:
            first = first.tb_next
        return "".join(traceback.format_exception(type(error), error, first))
    finally:
        begin()
    if isinstance(state["shown"], Value):
        state["output"] = state["shown"]
    return ""


def last_value(code: str) -> Any:
    """Run the code, and return the value of its last line if that is an expression."""
    body = ast.parse(code, CELL).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), CELL, "exec"), namespace)
    return eval(compile(ast.Expression(last.value), CELL, "eval"), namespace) if isinstance(last, ast.Expr) else None


def shown() -> dict[str, Any]:
    """Return the last value of the cell as a notebook shows it: a picture, a page, formulas or text."""
    value = state["shown"]
    if value is None:
        return {}
    if isinstance(value, Value):
        return {"text": repr(value), "facts": facts()}  # whose picture is in a tab
    if isinstance(value, Drawing):
        return drawn(value)
    if isinstance(value, Explorer):
        return page(value)
    if hasattr(value, "_repr_latex_") and (tex := value._repr_latex_()):
        return {"tex": tex.strip("$"), "text": repr(value)}
    return {"text": repr(value)[:MOST_WRITTEN]}


def complete(before: str) -> dict[str, Any]:
    """Return the names that may go on where the text ends, and how much of the last one is there.

    >>> complete("y = ag.softma")["names"]
    ['softmax']
    """
    found = re.search(r"(?:[^\W\d]\w*\.)*(?:[^\W\d]\w*)?$", before)
    word = found[0] if found else ""
    known = {"ag": ag, "nn": nn, **namespace}
    completer = Completer(known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        offered = (completer.complete(word, k) for k in range(MOST_NAMES if word else 0))
        names = [name for name in takewhile(bool, offered) if name]
    stem = word.rpartition(".")[2]
    plain = sorted({name.rpartition(".")[2].rstrip("() ") for name in names} - {stem})
    return {"names": plain, "typed": len(stem)}


REQUESTS: dict[str, Callable[..., Any]] = {
    "compute": compute,
    "show": show,
    "copies": copies,
    "shown": shown,
    "complete": complete,
    "version": lambda: {"python": sys.version.split()[0], "package": ag.__version__},
}
