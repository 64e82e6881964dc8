"""How many calls a run had begun and how many it knows the end of, for when it is killed.

The numbers are in a file that is mapped into memory, so that they are there when the process is
not, whatever killed it, and cost no system call. A machine that loses power may lose the last ones.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC: Final = b"codexbk1"
_SIZE: Final = 64
_STARTED: Final = 8
_NAMES: Final = {"started": _STARTED, "settled": 16, "maybe": 24, "interrupted": 32}
_PUT: Final = struct.Struct("<Q").pack_into


class CallCounters:
    """Counts calls. Close it.

    Attributes:
        started: Calls that were begun.
        settled: Calls that ended, with their result on the disk if they had one.
        maybe: Calls that may have been charged and gave no answer.
        interrupted: How many of these were in flight when a process ended.
    """

    def __init__(self, path: Path | None) -> None:
        self.started: int = 0
        self.settled: int = 0
        self.maybe: int = 0
        self.interrupted: int = 0
        self._map: mmap.mmap | bytearray = bytearray(_SIZE)
        if path is None:
            return
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            if os.fstat(handle).st_size < _SIZE:
                os.ftruncate(handle, _SIZE)
            self._map = mmap.mmap(handle, _SIZE)
        finally:
            os.close(handle)
        if self._map[:8] == _MAGIC:
            for name, place in _NAMES.items():
                value = int.from_bytes(self._map[place : place + 8], "little")
                setattr(self, name, value)
            cut = max(0, self.started - self.settled)
            self._set("maybe", self.maybe + cut)
            self._set("interrupted", self.interrupted + cut)
            self._set("settled", self.started)
        self._map[:8] = _MAGIC

    @classmethod
    def peek(cls, path: Path, *, counts_open: bool) -> CallCounters:
        """Read the counts and leave the file as it is.

        Args:
            path: Of the file.
            counts_open: Whether calls without a known end were cut off, since no process is there.
        """
        counters = cls(None)
        data = path.read_bytes()
        if data[:8] == _MAGIC:
            for name, place in _NAMES.items():
                setattr(counters, name, int.from_bytes(data[place : place + 8], "little"))
        if counts_open:
            cut = max(0, counters.started - counters.settled)
            counters.maybe += cut
            counters.interrupted += cut
        return counters

    def start(self) -> None:
        """Count a call that is about to be made."""
        self.started += 1
        _PUT(self._map, _STARTED, self.started)

    def settle(self, count: int = 1) -> None:
        """Count calls whose end is known, and kept."""
        self._set("settled", self.settled + count)

    def lose(self) -> None:
        """Count a call that may have been charged, and settle it."""
        self._set("maybe", self.maybe + 1)
        self.settle()

    def find(self, count: int) -> None:
        """Take back calls that were cut off, since their responses can be asked for."""
        count = min(count, self.interrupted)
        self._set("interrupted", self.interrupted - count)
        self._set("maybe", self.maybe - count)

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        if isinstance(self._map, mmap.mmap):
            self._map.close()
            self._map = bytearray(_SIZE)

    def _set(self, name: str, value: int) -> None:
        setattr(self, name, value)
        _PUT(self._map, _NAMES[name], value)
