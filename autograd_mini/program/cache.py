"""The cache of object code: a file for each set of kernels, so that a machine compiles it once.

A file begins with the check sum of the rest. One that is damaged is removed and made again. Nothing is read from a
folder that others can write to, for the code that is there is run; then, and where no folder can be made, code is
compiled for the process alone.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from ..files import write_whole

__all__ = ["clear", "folder", "read", "write"]

VARIABLE = "AUTOGRAD_MINI_CACHE"  # a folder; or 0, to keep nothing
LARGEST = 64 << 20  # bytes that are kept; the files that were not used for longest go first
SUFFIX = ".kernels"


def folder() -> Path | None:
    """Return the folder of the cache, or None where it is switched off or there is no place for it.

    It is `$AUTOGRAD_MINI_CACHE`, or `autograd_mini/kernels` in the folder of the system for such files; 0 switches it
    off.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen is not None:
        return Path(chosen) if chosen not in ("", "0") else None
    around = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    try:
        return Path(around or Path.home() / ".cache") / "autograd_mini" / "kernels"
    except RuntimeError:  # a user without a home
        return None


def clear() -> int:
    """Remove all object code that is kept, and return the number of files."""
    place = folder()
    files = _files(place) if place is not None else []
    for file in files:
        with suppress(OSError):
            file.unlink()
    return len(files)


def read(key: str) -> bytes | None:
    """Return the object code of a key, or None where there is none that is whole and one's own."""
    place = folder()
    if place is None or not _is_own(place):
        return None
    path = place / (key + SUFFIX)
    try:
        if not _is_own(path):
            return None
        content = path.read_bytes()
    except OSError:
        return None
    check, code = content[:32], content[32:]
    if hashlib.sha256(key.encode() + code).digest() != check:
        with suppress(OSError):
            path.unlink()
        return None
    with suppress(OSError):
        os.utime(path)  # it was used
    return code


def write(key: str, code: bytes) -> None:
    """Keep object code under a key, where there is a place for it."""
    place = folder()
    if place is None:
        return
    with suppress(OSError):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_own(place):
            return
        _make_room(place, len(code))
        write_whole(place / (key + SUFFIX), hashlib.sha256(key.encode() + code).digest() + code)


def _is_own(path: Path) -> bool:
    """Return whether a file or folder is there, is this user's, and can be written to by nobody else."""
    try:
        found = path.stat()
    except OSError:
        return False
    if not hasattr(os, "geteuid"):
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _files(place: Path) -> list[Path]:
    """Return the files of the cache, and of an older one, the longest unused first."""
    found = []
    with suppress(OSError):
        for path in place.iterdir():
            if path.name.endswith(SUFFIX) and path.is_file():
                with suppress(OSError):
                    found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)]


def _make_room(place: Path, size: int) -> None:
    files = _files(place)
    total = size
    sizes = []
    for path in files:
        try:
            sizes.append(path.stat().st_size)
        except OSError:
            sizes.append(0)
    total += sum(sizes)
    for path, old in zip(files, sizes, strict=True):
        if total <= LARGEST:
            break
        with suppress(OSError):
            path.unlink()
        total -= old
