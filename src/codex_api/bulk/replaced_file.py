"""Files that are written anew as a whole, synced before they take the place of the old one."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def replacing(target: Path) -> Generator[IO[bytes]]:
    """Yield a file that takes the place of ``target`` when all went well."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.{time.monotonic_ns()}.partial")
    handle = os.open(
        partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
    )
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
