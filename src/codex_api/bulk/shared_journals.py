"""Journals of many processes in one folder: each writes its own, and knows those of the others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from codex_api.bulk.journal import Journal
from codex_api.bulk.journal_lock import is_locked
from codex_api.bulk.manifest import beside
from codex_api.bulk.result_lines import KNOWN_LINE
from codex_api.bulk.row_ids import digest_of

if TYPE_CHECKING:
    from pathlib import Path


class SharedJournals:
    """Finds rows that were answered before, here or by a process that is gone.

    What a process that lives has answered is handed on by it, so its journal is left alone until
    its lock is free. Where locks of other machines cannot be seen, all journals are read.

    Args:
        folder: That all processes see; it is made when there is none.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._own = folder / f"actor-{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        self._answered: set[bytes] = set()
        self._found: dict[bytes, tuple[Path, int]] = {}
        self._read: dict[Path, int] = {}

    def journal(self) -> Journal:
        """Return a journal for a run of this process."""
        return Journal(self._own)

    def answered(self, custom_id: str) -> None:
        """Take in that a row of this process was answered, and is on the disk."""
        self._answered.add(digest_of(custom_id))

    def look(self) -> None:
        """Read what processes that are gone have answered since the last look."""
        for path in self._folder.glob("actor-*.jsonl"):
            if path != self._own and not is_locked(beside(path, "lock")):
                self._read_on(path)

    def line(self, custom_id: str) -> bytes | None:
        """Return the line of a row that was answered before, or None."""
        digest = digest_of(custom_id)
        if digest in self._answered and digest not in self._found:
            self._read_on(self._own)
        found = self._found.get(digest)
        if found is None:
            return None
        with found[0].open("rb") as file:
            file.seek(found[1])
            return file.readline()

    def _read_on(self, path: Path) -> None:
        offset = self._read.get(path, 0)
        if path.stat().st_size == offset:
            return
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                try:
                    known = KNOWN_LINE.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    break  # in the making, or torn
                if known.x is not None and known.x.outcome != "failed":
                    self._found[digest_of(known.custom_id)] = (path, offset)
                offset += len(line)
        self._read[path] = offset
