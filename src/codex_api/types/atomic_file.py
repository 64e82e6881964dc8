"""Files that other processes read: whole, or not there.

The bytes go to a file of their own beside the target, which then takes the target's name in one
step. A reader has the old file or the new one, never a part.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes, *, private: bool = False) -> Path:
    """Write ``data`` to ``path`` and give the path.

    Args:
        private: Whether only the owner may read the file; else the umask decides.

    Raises:
        OSError: The file cannot be written; what was there before still is.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.partial")
    mode = 0o600 if private else 0o666
    handle = os.open(
        partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode
    )
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return target
