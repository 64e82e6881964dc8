"""One process at a time for one journal."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Final

from codex_api.bulk.failures import JournalError

if TYPE_CHECKING:
    from pathlib import Path


_TRIES: Final = 4
_PAUSE: Final = 0.01


class JournalLock:
    """A lock that ends with its process, however that ends.

    Raises:
        JournalError: Another process has it.
        OSError: The file of the lock cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock_patiently(self._handle)
        except OSError:
            owner = os.read(self._handle, 20).decode("ascii", "replace").strip()
            self.release()
            by = f" by process {owner}" if owner else ""
            message = f"{path.with_suffix('')} is in use{by}"
            raise JournalError(message) from None
        os.ftruncate(self._handle, 0)
        os.write(self._handle, str(os.getpid()).encode())

    def release(self) -> None:
        """Let others have it. May be called twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def is_locked(path: Path) -> bool:
    """Return whether a process uses the journal whose lock this is."""
    if not path.exists():
        return False
    handle = os.open(path, os.O_RDWR)
    try:
        _lock(handle)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _lock_patiently(handle: int) -> None:
    """Lock, and take no look of `is_locked` for another process that has it."""
    for _ in range(_TRIES):
        try:
            _lock(handle)
        except OSError:
            time.sleep(_PAUSE)
        else:
            return
    _lock(handle)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - there only

        # Beyond what is written, so that others can read who has it.
        os.lseek(handle, 1 << 20, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)
    else:
        import fcntl  # noqa: PLC0415 - not everywhere

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
