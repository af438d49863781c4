"""That graphs of every shape are built and freed, in a process whose allocator checks every block."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref

import pytest

import autograd_mini as ag
from autograd_mini import Value

SHAPES = {
    "a chain": """
        for _ in range(300_000):
            y = y * x + 0.5
        """,
    "a chain of one operand": """
        for _ in range(200_000):
            y = -y
        """,
    "a chain of one node as both operands": """
        y = y * 0.0
        for i in range(300_000):
            y = y + y if i % 3 else ag.maximum(y, y)
        """,
    "the same in a thread with a small stack": """
        import threading
        # Python's own freeing of deep chains needs more on 3.13.
        threading.stack_size((256 if ag.compiled() else 2048) * 1024)
        def work():
            z = ag.Value(1.0)
            for _ in range(50_000):
                z = z * z
            del z
        thread = threading.Thread(target=work)
        thread.start(); thread.join()
        threading.stack_size(0)
        """,
    "walks inside walks": """
        import gc
        gc.set_threshold(1)
        class Cycle:
            def __init__(self):
                self.me = self
            def __del__(self):
                assert len(ag.topological_order(w)) == 5
        w = ag.dot([x, x], [x, 2.0], x * 1.0) + 0.0 * x
        for i in range(2_000):
            Cycle()
            y = ag.where(y > 2, y, ag.sum([w, x, x, w])) + 0.0
            assert len(ag.topological_order(w)) == 5
        gc.set_threshold(700, 10, 10)
        """,
    "a wide fan": """
        y = ag.sum([x * i for i in range(100_000)])
        for _ in range(1000):
            y = y + x
        """,
    "nodes of many operands, deep": """
        for _ in range(100_000):
            y = ag.dot([y, x], [x, 0.5], y)
        """,
    "a ladder of shared nodes": """
        z = y
        for _ in range(100_000):
            y, z = y + z, z * 0.5 + y
        y = y * 0.0 + z * 0.0
        """,
    "inside nested lists and tuples": """
        held = y
        for i in range(50_000):
            y = y + x
            held = [held, y] if i % 2 else (y, held)
        del held
        """,
    "one graph after the other, in the same nodes": """
        for i in range(30):
            y, kept = x * 1.0, []
            for k in range(5_000):
                y = ag.tanh(y) if k % 7 else y * x + x
                if k % 50 == i:
                    kept.append(y)
            y.backward()
            assert all(len(v.parents) in (1, 2) and v.label == "" for v in ag.topological_order(y) if v.op)
        """,
    "parts that live on": """
        kept = []
        for i in range(100_000):
            y = y + x
            if i % 1000 == 0:
                kept.append(y)
        del kept[::2]
        """,
    "an error in the middle": """
        for i in range(2_000):
            try:
                t = y
                for j in range(50):
                    t = t + x
                (t - t).log()
            except ValueError:
                pass
            try:
                ag.dot([t, x], [x, "no"], t)
            except TypeError:
                pass
        """,
    "a subclass with attributes": """
        class Named(ag.Value):
            pass
        for i in range(50_000):
            leaf = Named(1.0)
            leaf.note = [leaf.data]
            y = y + leaf
        """,
    "copies and pickles": """
        import copy, pickle
        for i in range(20_000):
            y = y + x
        y = copy.deepcopy(y)
        y = pickle.loads(pickle.dumps(y))
        """,
    "other threads": """
        import threading
        def work():
            z = ag.Value(0.5)
            for _ in range(50_000):
                z = z * x
            z.backward()
        threads = [threading.Thread(target=work) for _ in range(3)]
        [t.start() for t in threads]; [t.join() for t in threads]
        y = y * x
        """,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_graphs_are_built_and_freed(shape: str) -> None:
    body = "\n".join(line[8:] for line in SHAPES[shape].splitlines())
    code = f"import autograd_mini as ag\nx = ag.Value(0.5)\ny = x\n{body}\ny.backward()\ndel y, x\nprint('freed')"
    environment = {"PYTHONMALLOC": "debug", **os.environ}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "freed\n", "")


@pytest.mark.parametrize("shape", [shape for shape, code in SHAPES.items() if "threading" not in code])
def test_the_same_as_in_a_browser(shape: str) -> None:
    """Where the stack is small, plain Python frees operands one by one; a recursion would be an error, on stderr."""
    body = "\n".join(line[8:] for line in SHAPES[shape].splitlines())
    code = f"""
import sys
real, sys.platform = sys.platform, "emscripten"
import autograd_mini as ag
sys.platform = real
assert hasattr(ag.Value, "__del__")
x = ag.Value(0.5)
y = x
{body}
y.backward()
del y, x
print('freed')"""
    environment = {**os.environ, "AUTOGRAD_MINI_COMPILE": "0"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "freed\n", "")


def test_nothing_is_left_behind() -> None:
    x = Value(0.5)
    y = x
    seen = []
    for i in range(10_000):
        y = ag.dot([y, x], [x, 0.5], y) if i % 3 else y * x
        if i % 100 == 0:
            seen.append(weakref.ref(y))
    y.backward()
    assert all(ref() is not None for ref in seen)
    middle = seen[50]()
    del y
    assert sum(ref() is not None for ref in seen) == 51  # what the middle is made of
    del middle
    assert not any(ref() is not None for ref in seen)


def test_an_error_leaves_nothing_behind() -> None:
    x = Value(0.0, "x")
    t = x * 2
    seen = weakref.ref(t)
    with pytest.raises(ValueError, match="domain"):
        (t + 0.0).log()
    with pytest.raises(TypeError):
        ag.dot([t, t], [t, None])  # type: ignore[list-item]
    del t
    assert seen() is None


def test_memory_does_not_grow() -> None:
    """Counted by the system: what a collector does not see would not be seen by Python either."""
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("no /proc on this system")
    code = """
import autograd_mini as ag
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
def work():
    x = ag.Value(0.5)
    y = x
    for _ in range(30_000):
        y = ag.dot([y, x], [x, 0.5], y).tanh() * x
    y.backward()
for _ in range(3):
    work()
before = resident()
for _ in range(15):
    work()
print(resident() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8e6  # one round is more than 20 MB
