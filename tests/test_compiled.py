"""What holds of the engine compiled as well as interpreted. Every other test is run on both, too."""

from __future__ import annotations

import copy
import gc
import inspect
import os
import pickle
import pydoc
import subprocess
import sys

import pytest

import autograd_mini as ag
from autograd_mini import Value, value

VARIANTS = ["0", ""] if ag.compiled() else ["0"]


def run(code: str, variant: str, send: bytes = b"") -> bytes:
    """Run code in an interpreter of its own, from the sources or as installed."""
    environment = {**os.environ, "AUTOGRAD_MINI_COMPILE": variant}
    done = subprocess.run([sys.executable, "-c", code], input=send, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_it_is_what_it_says() -> None:
    assert ag.compiled() != str(value.__file__).endswith(".py")
    parts = ["arguments", "specialization", "buffers", "programs", "axes", "plans", "batch", "binding", "compiler"]
    core = ["recorder", "op", "ops", "node", "walks", "evaluation", "sweeps", "pickles", "value", "sums", "numbering"]
    core += ["edges", "edge_pushing", "accumulation"]
    names = [*core, *(f"program.{name}" for name in parts)]
    files = f"{{sys.modules['autograd_mini.' + n].__file__.endswith('.py') for n in {names}}}"
    code = f"import sys, autograd_mini as ag; ag.compile; print(ag.compiled(), {files})"
    assert run(code, "0") == b"False {True}\n"
    assert run(code, "") == (b"True {False}\n" if ag.compiled() else b"False {True}\n")
    same = "all(sys.modules['autograd_mini.' + n] is getattr(ag, n) for n in ('ops', 'value', 'transform'))"
    assert run(f"import sys, autograd_mini as ag; print({same})", "0") == b"True\n"


SUBINTERPRETER = """
import autograd_mini
try:
    import _interpreters as interpreters  # from CPython 3.13 on
except ImportError:
    import _xxsubinterpreters as interpreters
interpreters.run_string(interpreters.create(), '''
try:
    import autograd_mini
    print("compiled:", autograd_mini.compiled(), flush=True)
except ImportError as error:
    print(error, flush=True)
''')
"""


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_second_interpreter_takes_the_sources_or_is_told_how(variant: str) -> None:
    said = run(SUBINTERPRETER, variant).decode()
    if variant == "0" or not ag.compiled():
        assert said == "compiled: False\n"
    else:
        assert "set AUTOGRAD_MINI_COMPILE=0 in the environment before the import" in said


MAKE = """
import autograd_mini as ag
a, b = ag.Value(2.0, "a"), ag.Value(3.0, "b")
z = ag.dot([a, b, 1.0], [b, a, 4.0], a * b) + ag.where(a > 1, ag.tanh(a), b) - 2**a
z.label = "z"
z.backward()
"""


@pytest.mark.parametrize("variant", VARIANTS)
def test_pickles_pass_between_the_variants(variant: str) -> None:
    theirs = pickle.loads(run(f"{MAKE}import pickle, sys; sys.stdout.buffer.write(pickle.dumps(z))", variant))
    here: dict[str, Value] = {}
    exec(MAKE, here)
    ours = here["z"]
    for mine, other in zip(ag.topological_order(ours), ag.topological_order(theirs), strict=True):
        assert (mine.data, mine.grad, mine.label, mine.partials) == (
            other.data,
            other.grad,
            other.label,
            other.partials,
        )
    code = "import pickle, sys; z = pickle.loads(sys.stdin.buffer.read()); z.backward(); print(z.data, z.label, z.op)"
    assert run(code, variant, pickle.dumps(ours)).decode() == f"{ours.data} z sub\n"


def test_a_class_as_python_has_them() -> None:
    class Named(Value):
        def __init__(self, data: float, note: str) -> None:
            super().__init__(data)
            self.note = note

        def shout(self) -> str:
            return self.note.upper()

    x = Named(2.0, "hello")
    y = x * 3 + 1
    y.backward()
    assert (x.shout(), x.grad, type(y)) == ("HELLO", 3.0, Value)
    assert copy.copy(x).note == copy.deepcopy(x).note == "hello"
    assert isinstance(Value(1.0), ag.ops.Recorder)
    assert Value.__name__ == "Value"
    assert Value.__module__ == "autograd_mini.value"


def test_help_and_introspection() -> None:
    page = pydoc.plain(pydoc.render_doc(Value))
    assert "A number that records the operations on it." in page
    assert "stored here, or 0.0 before that" in page
    assert inspect.getdoc(ag.topological_order).startswith("Return the nodes in the graphs of the outputs")  # type: ignore[union-attr]
    assert list(inspect.signature(ag.dot).parameters) == ["ws", "xs", "bias"]
    assert list(inspect.signature(Value.backward).parameters) == ["self", "seed"]
    assert "tanh" in dir(Value(1.0))
    assert str(inspect.signature(Value)) == "(data: 'SupportsFloat', label: 'str' = '') -> 'None'"
    assert str(inspect.signature(Value.hypot)) == "(self, y: 'SupportsFloat', /) -> 'Value'"
    assert inspect.getdoc(Value.tanh).startswith("Take the hyperbolic tangent")  # type: ignore[union-attr]
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = Value(1.0).nonsense  # type: ignore[attr-defined]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_subclass_has_its_own_signature(variant: str) -> None:
    code = """if 1:
    import inspect
    from autograd_mini import Value
    class Plain(Value): pass
    class Named(Value):
        def __init__(self, data, note): super().__init__(data)
    print(inspect.signature(Plain), inspect.signature(Named))"""
    assert run(code, variant).decode() == "(data: 'SupportsFloat', label: 'str' = '') -> 'None' (data, note)\n"


@pytest.mark.parametrize("variant", VARIANTS)
def test_tracebacks_show_the_lines(variant: str) -> None:
    code = """if 1:
    import traceback, autograd_mini as ag
    for f in (lambda: ag.Value("a"), lambda: ag.compile(3.0), lambda: ag.Value(1.0).sqrt(2)):
        try: f()
        except TypeError as error: print("".join(traceback.format_exception(error)))"""
    page = run(code, variant).decode()
    assert 'number("Value", data)' in page
    assert 'raise TypeError(f"compile: give a function, or a graph and its inputs' in page


def test_the_collector_is_left_alone() -> None:
    code = "import gc; before = gc.get_threshold(), gc.isenabled(), gc.get_freeze_count()\n"
    code += (
        MAKE
        + "from autograd_mini import nn\nprint(before == (gc.get_threshold(), gc.isenabled(), gc.get_freeze_count()))"
    )
    assert run(code, os.environ.get("AUTOGRAD_MINI_COMPILE", "")) == b"True\n"
    node = Value(1.0) * 2
    assert gc.is_tracked(node) != ag.compiled()


def test_bytes_of_a_node() -> None:
    x = Value(0.5)
    size = sys.getsizeof(x * x)
    # From 3.12 on CPython keeps weak references of Python classes in a header that is 8 bytes larger.
    most = 130 if sys.version_info < (3, 12) else 136
    assert size <= 96 if ag.compiled() else size + sys.getsizeof(0.25) <= most


def test_nothing_large_is_imported_before_it_is_used() -> None:
    code = "import sys, autograd_mini; print([m for m in ('numpy', 'graphviz', 'tqdm', 'scipy', 'matplotlib', 'Cython')"
    assert run(code + " if m in sys.modules])", os.environ.get("AUTOGRAD_MINI_COMPILE", "")) == b"[]\n"
