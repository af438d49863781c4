"""Write files completely or not at all."""

from __future__ import annotations

import errno
import os
import stat
from functools import partial
from pathlib import Path
from uuid import uuid4

SCRATCH = ".autograd_mini."  # the names of unfinished files begin with this


def write_whole(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file in one step. If writing fails, the old file stays as it was.

    If the path is a link, replace the file that it leads to. Keep the mode of an old file, unless one is given. Write
    directly to a device or a pipe.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "this is a folder", str(path))
    place = Path(os.path.realpath(path))
    scratch = place.with_name(SCRATCH + uuid4().hex)
    try:
        before = place.stat() if place.exists() else None
        if before is not None and not stat.S_ISREG(before.st_mode):
            place.write_bytes(content)
            return
        with open(scratch, "xb", opener=partial(os.open, mode=0o666 if mode is None else mode)) as file:
            if before is not None and mode is None:
                os.chmod(scratch, stat.S_IMODE(before.st_mode))
            file.write(content)
        os.replace(scratch, place)
    except OSError as error:
        raise type(error)(error.errno, error.strerror or str(error), str(path)) from None
    finally:
        scratch.unlink(missing_ok=True)
