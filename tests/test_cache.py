"""The cache of object code: a file is right or made again, and everything runs without one."""

from __future__ import annotations

import errno
import math
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, strategies as st

import autograd_mini as ag

pytest.importorskip("llvmlite")
from autograd_mini.program import cache, kernels

POSIX = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner and mode here")
Run = Callable[[], int]


def f(x: Any, y: Any) -> Any:
    return ag.sin(x * y)


def is_right(value: float, slopes: tuple[float, float]) -> bool:
    """Return whether these are f and its derivatives at (0.5, -1.5)."""
    slope = math.cos(-0.75)
    return [value, *slopes] == pytest.approx([math.sin(-0.75), -1.5 * slope, 0.5 * slope], rel=1e-12)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a cache, which is not made yet."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "kernels"))
    monkeypatch.setattr(kernels, "_PLACES", {})
    return tmp_path / "kernels"


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that compiles f as a new process does, and returns the number of objects that it made."""
    made = []
    write = cache.write

    def noted(key: str, code: bytes) -> None:
        made.append(key)
        write(key, code)

    def run() -> int:
        made.clear()
        monkeypatch.setattr(kernels, "_PLACES", {})
        assert is_right(*ag.compile(f, runner="llvm").value_and_grad(0.5, -1.5, argnums=(0, 1)))
        return len(made)

    monkeypatch.setattr(cache, "write", noted)
    return run


def only_file(place: Path) -> Path:
    (file,) = place.iterdir()
    return file


# Files.


def test_what_is_kept_is_not_made_again(place: Path, run: Run) -> None:
    assert (run(), run(), run()) == (1, 0, 0)
    assert only_file(place).suffix == cache.SUFFIX


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda content: b"",
    "cut in the check sum": lambda content: content[:20],
    "cut after the check sum": lambda content: content[:32],
    "cut in the code": lambda content: content[:-1],
    "longer": lambda content: content + b"\0",
    "zeros": lambda content: bytes(len(content)),
    "a bit of the check sum": lambda content: flipped(content, 3),
    "a bit of the code": lambda content: flipped(content, len(content) // 2),
    "the last bit": lambda content: flipped(content, len(content) - 1),
    "without a check sum": lambda content: content[32:],
    "no object": lambda content: b"what is this?" * 99,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_made_again(damage: Callable[[bytes], bytes], place: Path, run: Run) -> None:
    run()
    file = only_file(place)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert (run(), run()) == (1, 0)
    assert len(only_file(place).read_bytes()) == len(whole)


@given(code=st.binary(max_size=50), data=st.data())
def test_no_damage_goes_unnoticed(code: bytes, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.VARIABLE, folder)
        cache.write("key", code)
        assert cache.read("key") == code
        file = only_file(Path(folder))
        content = file.read_bytes()
        other = data.draw(st.binary(max_size=len(content) + 2) | st.integers(0, len(content) - 1))
        file.write_bytes(flipped(content, other) if isinstance(other, int) else other)
        assert cache.read("key") == (code if other == content else None)
        assert file.exists() == (other == content)


def test_the_file_of_other_kernels_is_made_again(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    file = only_file(place)
    content = file.read_bytes()
    file.unlink()
    monkeypatch.setattr(kernels, "_PLACES", {})
    assert ag.compile(lambda x: ag.sum([x, x, x]), runner="llvm").grad(1.0) == 3.0
    file.write_bytes(only_file(place).read_bytes())
    assert (run(), run()) == (1, 0)
    assert file.read_bytes()[32:] == content[32:]


def test_an_older_file_is_not_taken(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(kernels, "_version", lambda: "the package as it was")
        assert run() == 1
    assert (run(), run()) == (1, 0)
    assert len([*place.iterdir()]) == 2


def test_a_folder_in_the_place_of_a_file(place: Path, run: Run) -> None:
    run()
    file = only_file(place)
    file.unlink()
    file.mkdir()
    assert (run(), run()) == (1, 1)
    assert cache.clear() == 0


# Folders.


def test_a_folder_that_cannot_be_made(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    for place in (file, file / "below", Path("a" * 300)):
        monkeypatch.setenv(cache.VARIABLE, str(place))
        assert (run(), run()) == (1, 1)
        assert cache.clear() == 0
    assert file.read_text() == "no folder"


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Let root be somebody to whom modes apply."""
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(user)


@POSIX
def test_a_folder_that_is_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with ordinary_user(), tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv(cache.VARIABLE, folder)
        cache.write("there", b"code")
        os.chmod(folder, 0o500)
        cache.write("new", b"code")
        assert (cache.read("there"), cache.read("new")) == (b"code", None)
        assert cache.clear() == 0
        only_file(Path(folder)).write_bytes(b"damaged")
        assert cache.read("there") is None
        os.chmod(folder, 0o700)


@POSIX
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_write_to_is_not_used(mode: int, place: Path, run: Run) -> None:
    run()
    place.chmod(mode)
    assert (run(), run()) == (1, 1)
    place.chmod(0o755)
    assert run() == 0


@POSIX
@pytest.mark.parametrize("mode", [0o666, 0o660, 0o602])
def test_a_file_that_others_can_write_to_is_made_again(mode: int, place: Path, run: Run) -> None:
    run()
    only_file(place).chmod(mode)
    assert (run(), run()) == (1, 0)
    assert only_file(place).stat().st_mode & 0o777 == 0o600


@POSIX
def test_the_folder_of_another_user_is_not_used(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    content = only_file(place).read_bytes()
    with monkeypatch.context() as other:
        other.setattr(os, "geteuid", lambda: place.stat().st_uid + 1)
        assert (run(), run()) == (1, 1)
    assert only_file(place).read_bytes() == content
    assert run() == 0


@POSIX
def test_users_who_share_their_files_with_a_group(place: Path, run: Run) -> None:
    before = os.umask(0o002)
    try:
        assert (run(), run()) == (1, 0)
    finally:
        os.umask(before)
    assert (place.stat().st_mode & 0o777, only_file(place).stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_user_without_a_home(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in (cache.VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    assert cache.folder() is None
    assert (run(), run()) == (1, 1)
    assert cache.clear() == 0


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "autograd_mini" / "kernels"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for ignored in ("", "a/relative/one"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert cache.folder() == tmp_path / ".cache" / "autograd_mini" / "kernels"
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "chosen"))
    assert cache.folder() == tmp_path / "chosen"


def test_a_full_disk(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "replace", full)
        assert (run(), run()) == (1, 1)
        assert not [*place.iterdir()]
    assert (run(), run()) == (1, 0)


# Rows of one's own: their functions, and the values that these read, are the key of what is kept.

settings, around = ModuleType("settings"), ModuleType("around")
vars(around)["within"] = settings


class Config:
    K = 2.0


CONFIG = Config()


@ag.custom_rule(lambda x, z: settings.K)
def of_a_module(x: float) -> float:
    return float(settings.K * x)


@ag.custom_rule(lambda x, z: Config.K)
def of_a_class(x: float) -> float:
    return Config.K * x


@ag.custom_rule(lambda x, z: 1.0)
def in_a_comprehension(x: float) -> float:
    return float(max([settings.K * v for v in (x, 0.0)]))


@ag.custom_rule(lambda x, z: 1.0)
def of_a_module_in_a_module(x: float) -> float:
    return float(around.within.K * x)


@ag.custom_rule(lambda x, z: settings.L)
def of_which_the_rule_reads_another(x: float) -> float:
    return float(settings.K * x)


@ag.custom_rule(lambda x, z: 1.0)
def of_an_object(x: float) -> float:
    return float(CONFIG.K * x)


READERS = [
    of_a_module,
    of_a_class,
    in_a_comprehension,
    of_a_module_in_a_module,
    of_an_object,
    of_which_the_rule_reads_another,
]


@pytest.mark.parametrize("row", READERS, ids=str)
@pytest.mark.filterwarnings("ignore:.*number by number")
def test_a_row_that_reads_another_number_is_compiled_anew(
    row: Callable[[Any], Any], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k, slope in ((2.0, 1.0), (3.0, 1.0), (3.0, 4.0)):
        monkeypatch.setattr(kernels, "_PLACES", {})
        monkeypatch.setitem(vars(settings), "K", k)
        monkeypatch.setitem(vars(settings), "L", slope)
        monkeypatch.setattr(Config, "K", k)
        fast = ag.compile(lambda x: row(x) * 1.0, runner="llvm")
        assert (fast(1.5), fast.grad(1.5)) == (row(1.5), ag.grad(row)(1.5))


# What is kept, and for how long.


@pytest.mark.parametrize("switch", ["0", ""])
def test_it_can_be_switched_off(switch: str, place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    content = only_file(place).read_bytes()
    with monkeypatch.context() as off:
        off.setenv(cache.VARIABLE, switch)
        assert (run(), run(), cache.clear()) == (1, 1, 0)
    assert only_file(place).read_bytes() == content


def test_it_can_be_cleared(place: Path, run: Run) -> None:
    assert cache.clear() == 0
    run()
    cache.write("another", b"code")
    (place / "of somebody else").touch()
    assert cache.clear() == 2
    assert only_file(place).name == "of somebody else"
    assert (run(), run()) == (1, 0)


def test_it_has_an_end(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not used for longest goes first, also what a process that was killed has left half written."""
    monkeypatch.setattr(cache, "MAX_BYTES", 1000)
    left = place / ".autograd_mini.left"
    for i, key in enumerate("abc"):
        cache.write(key, bytes(200))
        os.utime(place / (key + cache.SUFFIX), (i, i))
    left.write_bytes(bytes(200))
    os.utime(left, (0.5, 0.5))
    assert cache.read("a") == bytes(200)  # and now it was used
    cache.write("d", bytes(200))
    assert not left.exists()
    assert len([*place.iterdir()]) == 4
    cache.write("e", bytes(600))
    assert {file.stem for file in place.iterdir()} == {"d", "e"}
    assert sum(file.stat().st_size for file in place.iterdir()) <= 1000
    cache.write("f", bytes(1000))
    assert cache.read("f") is None
    assert cache.read("e") == bytes(600)


def test_a_small_cache_is_enough_to_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 100)
    assert (run(), run()) == (1, 1)


# Several at once.


def test_threads_at_the_first_call(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """They compile once, whether they share a compiled function or have one each."""
    shared = ag.compile(f, runner="llvm")
    at_once, made = threading.Barrier(8), []
    monkeypatch.setattr(cache, "write", lambda key, code: made.append(key))
    monkeypatch.setattr(kernels, "_PLACES", {})

    def call(k: int) -> bool:
        fast = shared if k % 2 else ag.compile(f, runner="llvm")
        at_once.wait()
        return is_right(*fast.value_and_grad(0.5, -1.5, argnums=(0, 1)))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(8)))
    assert len(made) == 1


def in_python(text: str, *args: str) -> subprocess.Popen[str]:
    """Start a new process."""
    command = [sys.executable, "-W", "ignore", "-c", text, *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def output(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    return out


def test_two_processes_at_once_run_a_pickled_function(place: Path, run: Run, tmp_path: Path) -> None:
    fast = ag.compile(lambda x, y: ag.sin(x * y), runner="llvm")
    assert is_right(*fast.value_and_grad(0.5, -1.5, argnums=(0, 1)))
    pickled = tmp_path / "pickled"
    pickled.write_bytes(pickle.dumps(fast))
    text = "import pickle, sys; f = pickle.load(open(sys.argv[1], 'rb'))\n"
    text += "value, slopes = f.value_and_grad(0.5, -1.5, argnums=(0, 1)); print(value, *slopes)"
    for process in [in_python(text, str(pickled)) for _ in range(2)]:
        value, *slopes = map(float, output(process).split())
        assert is_right(value, (slopes[0], slopes[1]))
    only_file(place)
    assert run() == 0


FORK = """
import os, sys, threading, time
import autograd_mini as ag
from autograd_mini.program import kernels
def f(x):
    return sum(g(x) for g in (ag.tanh, ag.exp, ag.sin, ag.cos, ag.atan, ag.sigmoid, ag.erf, ag.softplus))
thread = threading.Thread(target=lambda: ag.compile(f, runner="llvm").grad(0.5))
thread.start()
while thread.is_alive() and kernels._LOCK.acquire(blocking=False):
    kernels._LOCK.release()
    time.sleep(0.001)
caught = thread.is_alive()
child = os.fork()
fast = ag.compile(lambda x: f(x) * ag.log(x + 1.0), runner="llvm")
os.write(1, f"{fast(0.5)} {caught}\\n".encode())
if not child:
    os._exit(0)
thread.join()
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_fork_while_another_thread_compiles(place: Path) -> None:
    parts = [g(0.5) for g in (ag.tanh, ag.exp, ag.sin, ag.cos, ag.atan, ag.sigmoid, ag.erf, ag.softplus)]
    want = sum(parts) * math.log(1.5)
    lines = output(in_python(FORK)).splitlines()
    assert [float(line.split()[0]) for line in lines] == pytest.approx([want, want], rel=1e-12)
    assert all(line.endswith("True") for line in lines)
