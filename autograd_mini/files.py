"""Files that are there as a whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from uuid import uuid4

__all__ = ["write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: it is there as a whole or, where writing fails, as it was."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "this is a folder", str(path))
    scratch = path.with_name(f".autograd_mini.{uuid4().hex}")
    try:
        with open(scratch, "xb") as file:
            file.write(content)
        os.replace(scratch, path)
    except OSError as error:
        raise type(error)(error.errno, error.strerror or str(error), str(path)) from None
    finally:
        scratch.unlink(missing_ok=True)
