"""Lines that are appended to a file in groups, each synced to the disk before it counts.

A thread writes, so that no event loop waits for a disk. A group that was written in part is taken
back before it is written again, so a full disk leaves no half line behind.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_AGAIN: Final = 0.5
# Windows and macOS have no `fdatasync`.
_sync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)


class GroupCommit(Generic[T]):
    """Appends to one file.

    Args:
        handle: Of the file, open for writing; it is not closed here.
        interval: Seconds to gather a group.
        committed: Called in the thread of the writer with what was given beside each line.
        failed: Called there when a group cannot be written; it is tried again until ``close``.
    """

    def __init__(
        self,
        handle: int,
        interval: float,
        committed: Callable[[list[T]], None],
        failed: Callable[[OSError], None],
    ) -> None:
        self._handle = handle
        self._interval = interval
        self._committed = committed
        self._failed = failed
        self._good = os.fstat(handle).st_size
        # Appended to by any thread, and taken from by the writer alone.
        self._pending: deque[tuple[bytes, T]] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._work, name="codex-api-journal", daemon=True)
        self._thread.start()

    def append(self, line: bytes, beside: T) -> None:
        """Write ``line`` with the next group. From any thread."""
        self._pending.append((line, beside))
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> int:
        """Write what is left, and end the thread. May be called twice.

        Returns:
            How many lines could not be written.
        """
        self._closing.set()
        self._wake.set()
        self._thread.join()
        return len(self._pending)

    @property
    def error(self) -> OSError | None:
        """Why the last group could not be written, or None."""
        return self._error

    def _work(self) -> None:
        while True:
            self._wake.wait()
            if not self._closing.is_set():
                self._closing.wait(self._interval)
            last = self._closing.is_set()
            self._wake.clear()
            written = self._write()
            if last:
                if not self._pending or not written:
                    return
                self._wake.set()
            elif not written:
                self._closing.wait(_AGAIN)
                self._wake.set()

    def _write(self) -> bool:
        pending = self._pending
        taken = [pending.popleft() for _ in range(len(pending))]
        if not taken:
            return True
        group = b"".join([line for line, _ in taken])
        try:
            self._write_all(group)
            _sync(self._handle)
        except OSError as exc:
            self._take_back()
            pending.extendleft(reversed(taken))
            self._error = exc
            self._failed(exc)
            return False
        self._good += len(group)
        self._error = None
        self._committed([beside for _, beside in taken])
        return True

    def _write_all(self, group: bytes) -> None:
        rest = memoryview(group)
        while rest:
            rest = rest[os.write(self._handle, rest) :]

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._handle, self._good)
            os.lseek(self._handle, self._good, os.SEEK_SET)
        except OSError:
            pass  # what is torn is mended when the journal is opened again
