"""The cache of object code: a file for each set of kernels, so that a machine compiles it once.

A file begins with a checksum of its key and of its content. A damaged file is removed and made again. The code in a
file is run, so the cache reads nothing from a file or folder that other users can write to. In that case, and if no
folder can be made, each process compiles its own code.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from ..files import SCRATCH, write_whole

VARIABLE = "AUTOGRAD_MINI_CACHE"  # the path of a folder, or 0 to keep nothing
MAX_BYTES = 64 << 20  # the most bytes to keep; the least recently used files are removed first
SUFFIX = ".kernels"


def folder() -> Path | None:
    """Return the folder of the cache.

    This is `$AUTOGRAD_MINI_CACHE`, or else `autograd_mini/kernels` in the system's folder for caches. Return None if
    the variable is 0 or empty, or if the user has no home folder.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen is not None:
        return Path(chosen).expanduser() if chosen not in ("", "0") else None
    around = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", "")
    try:
        return (Path(around) if os.path.isabs(around) else Path.home() / ".cache") / "autograd_mini" / "kernels"
    except RuntimeError:  # the user has no home folder
        return None


def clear() -> int:
    """Remove all object code from the disk, and return the number of removed files."""
    place = folder()
    return sum(_removed(path) for _, _, path in _files(place)) if place is not None else 0


def read(key: str) -> bytes | None:
    """Return the object code of a key; None if there is no file, or if it is damaged or not safe to read."""
    place = folder()
    if place is None or not _is_own_folder(place):
        return None
    path = place / (key + SUFFIX)
    try:
        with path.open("rb") as file:
            if not _is_own(os.fstat(file.fileno())):
                return None
            content = file.read()
    except OSError:
        return None
    check, code = content[:32], content[32:]
    if hashlib.sha256(key.encode() + code).digest() != check:
        _removed(path)
        return None
    with suppress(OSError):
        os.utime(path)  # marks the file as used
    return code


def write(key: str, code: bytes) -> None:
    """Keep object code under a key, if there is a folder for it."""
    place = folder()
    content = hashlib.sha256(key.encode() + code).digest() + code
    if place is None or len(content) > MAX_BYTES:
        return
    with suppress(OSError):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_own_folder(place):
            _make_room(place, len(content))
            write_whole(place / (key + SUFFIX), content, mode=0o600)


def _is_own(found: os.stat_result) -> bool:
    """Return whether a file or folder belongs to this user, and nobody else can write to it."""
    if not hasattr(os, "geteuid"):
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_own_folder(place: Path) -> bool:
    try:
        return _is_own(place.stat())
    except OSError:  # the file or folder does not exist
        return False


def _files(place: Path) -> list[tuple[float, int, str]]:
    """Return the times, sizes and paths of the cache's files, least recently used first; include half-written files."""
    found = []
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX) or entry.name.startswith(SCRATCH):
                with suppress(OSError):  # another process has removed the file
                    file = entry.stat(follow_symlinks=False)
                    found.append((file.st_mtime, file.st_size, entry.path))
    return sorted(found)


def _removed(path: str | Path) -> bool:
    """Remove a file, and return whether it was removed."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def _make_room(place: Path, size: int) -> None:
    files = _files(place)
    total = size + sum(old for _, old, _ in files)
    for _, old, path in files:
        if total <= MAX_BYTES:
            break
        total -= old * _removed(path)
