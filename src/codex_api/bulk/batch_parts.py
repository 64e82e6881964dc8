"""Parts of a run that the Batch API answers, and what must be known of them after a crash.

``OUT.jsonl.batches`` names each part that is not over: its rows, its file, its batch. It is
replaced as a whole, and synced, before what it tells is relied upon.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import msgspec

from codex_api.bulk.failures import JournalError
from codex_api.bulk.replaced_file import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from codex_api.bulk.pending_row import PendingRow

RUN: Final = "codex_api_run"
PART: Final = "codex_api_part"


class PartRecord(msgspec.Struct, omit_defaults=True):
    """What is kept of a part.

    Attributes:
        number: Never given twice in the runs of one journal.
        planned_at: Unix seconds.
        ranges: Its rows of a file, by number, as first and last of each range.
        rows: Its rows of a program, by number and id.
        file_id: Of its requests, once they are there.
        was_asked: Whether the server may have been asked for the batch, which is looked for then.
        batch_id: Of its batch, once that is known.
    """

    number: int
    planned_at: float = 0.0
    ranges: list[tuple[int, int]] = []
    rows: list[tuple[int, str]] = []
    file_id: str | None = None
    was_asked: bool = False
    batch_id: str | None = None


class Part:
    """A part on its way.

    Attributes:
        record: What is kept of it.
        rows: Those of its rows that are not finished, by id.
        order: Ids of its rows, as they stand in its file.
    """

    def __init__(self, record: PartRecord, rows: Iterable[PendingRow]) -> None:
        self.record: PartRecord = record
        self.rows: dict[str, PendingRow] = {row.custom_id: row for row in rows}
        self.order: list[str] = list(self.rows)


class _File(msgspec.Struct):
    next: int = 1
    parts: list[PartRecord] = []


class PartStore:
    """Keeps the parts that are not over.

    Args:
        path: Of the file; None keeps them in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = _File()
        # Parts are kept from several threads; an older state must not replace a newer one.
        self._lock = threading.RLock()

    def load(self) -> list[PartRecord]:
        """Read the parts of earlier runs.

        Raises:
            JournalError: The file is none of ours.
            OSError: It cannot be read.
        """
        if self._path is None or not self._path.exists():
            return []
        try:
            self._file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            message = f"{self._path}: no file of batches: {exc}"
            raise JournalError(message) from None
        return list(self._file.parts)

    @property
    def on_their_way(self) -> int:
        """Parts that the server was asked for, and that are not over."""
        return sum(record.was_asked for record in self._file.parts)

    def plan(self, rows: Iterable[PendingRow], *, by_number: bool) -> PartRecord:
        """Begin a part of these rows.

        Args:
            rows: Its rows, by rising number.
            by_number: Whether their numbers are enough to know them again.

        Raises:
            OSError: It cannot be written.
        """
        with self._lock:
            record = PartRecord(self._file.next, time.time())
            self._file.next += 1
        if by_number:
            record.ranges = _ranges(row.index for row in rows)
        else:
            record.rows = [(row.index, row.custom_id) for row in rows]
        with self._lock:
            self._file.parts.append(record)
            self.save()
        return record

    def drop(self, record: PartRecord) -> None:
        """Forget a part that is over.

        Raises:
            OSError: It cannot be written.
        """
        with self._lock:
            self._file.parts.remove(record)
            self.save()

    def save(self) -> None:
        """Write what the records say now, and sync it.

        Raises:
            OSError: It cannot be written.
        """
        if self._path is None:
            return
        with self._lock, replacing(self._path) as file:
            file.write(msgspec.json.encode(self._file) + b"\n")


def _ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
