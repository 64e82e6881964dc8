"""Lines of a journal, read when it is taken up again.

A run of a million rows is taken up again in seconds, so a line that we wrote ourselves is known by
its ends: what lies between them is looked at where it is used. A line that a power cut left in part
has none of its ends, or zeros.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

from codex_api.bulk.failures import JournalError
from codex_api.bulk.result_lines import KNOWN_LINE, RowFacts
from codex_api.bulk.row_ids import RowSet, digest_of
from codex_api.bulk.summary import BulkSummary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codex_api.bulk.result_lines import KnownLine

_OURS: Final = b'{"id":"bulk_'
_FACTS: Final = b',"x":'
_END: Final = b"}}\n"
_FACTS_DECODER: Final[msgspec.json.Decoder[RowFacts]] = msgspec.json.Decoder(RowFacts)


class JournalReading:
    """What the lines of a journal say. It may be read on where it ended.

    Args:
        path: Of the journal.
        by_row: Whether rows are known by their numbers, as those of the same file are; else by ids.

    Attributes:
        rows: Numbers of the finished rows.
        ids: Digests of the ids of those that are not known by a number.
        totals: What became of them.
    """

    def __init__(self, path: Path, *, by_row: bool) -> None:
        self.rows: RowSet = RowSet()
        self.ids: set[bytes] = set()
        self.totals: BulkSummary = BulkSummary()
        self._path = path
        self._by_row = by_row
        self._offset = self._lines = 0
        self._file_number = -1

    def is_of(self, handle: int) -> bool:
        """Whether what was read so far is the beginning of this file."""
        status = os.fstat(handle)
        return status.st_ino == self._file_number and status.st_size >= self._offset

    def read_ahead(self) -> None:
        """Read whole lines, up to the first that is none, and change nothing.

        Raises:
            OSError: The file cannot be read.
        """
        with self._path.open("rb") as file:
            self._read(file)

    def read(self, handle: int) -> None:
        """Read all lines that are left, and cut off what the end of a process tore.

        Args:
            handle: Of the same file, to mend it.

        Raises:
            JournalError: A line before the last ones is none of ours.
            OSError: The file cannot be read or mended.
        """
        with self._path.open("rb") as file:
            self._read(file)
            file.seek(self._offset)
            for known in whole_lines(self._path, handle, KNOWN_LINE, file, self._lines):
                self._take(known)

    def _read(self, file: IO[bytes]) -> None:
        self._file_number = os.fstat(file.fileno()).st_ino
        file.seek(self._offset)
        by_row, add, count = self._by_row, self.rows.add, self.totals.count
        offset, lines = self._offset, self._lines
        try:
            for line in file:
                facts = _facts_of(line) if by_row else None
                if facts is None:
                    if not line.endswith(b"\n"):
                        break
                    self._take(KNOWN_LINE.decode(line))
                elif add(facts.row):
                    count(facts)
                offset += len(line)
                lines += 1
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass  # it is torn, or none of ours
        finally:
            self._offset, self._lines = offset, lines

    def _take(self, known: KnownLine) -> None:
        facts = known.x
        if facts is not None and self._by_row:
            if self.rows.add(facts.row):
                self.totals.count(facts)
            return
        digest = digest_of(known.custom_id)
        if digest in self.ids:
            return
        self.ids.add(digest)
        if facts is not None:
            self.totals.count(facts)
        elif known.error is not None:
            self.totals.failed += 1
        else:
            self.totals.done += 1


def whole_lines(
    path: Path,
    handle: int,
    decoder: msgspec.json.Decoder[Any],
    file: IO[bytes],
    before: int = 0,
) -> Iterator[Any]:
    """Decode all lines from where ``file`` is, and cut off what the end of a process tore.

    Args:
        path: Of the file.
        handle: Of the same file, to mend it.
        decoder: Of a line.
        file: The same file, open for reading.
        before: How many lines were read before.

    Raises:
        JournalError: A line before the last ones is none of ours.
    """
    torn: tuple[int, int] | None = None
    offset = file.tell()
    for number, line in enumerate(file, start=before + 1):
        try:
            known = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            torn = torn or (offset, number)
        else:
            if torn is not None:
                message = f"{path}, line {torn[1]}: it is no line of a bulk run"
                raise JournalError(message)
            yield known
            if not line.endswith(b"\n"):
                os.write(handle, b"\n")
                break  # nothing follows, but what was just written
        offset += len(line)
    if torn is not None:
        os.ftruncate(handle, torn[0])


def _facts_of(line: bytes) -> RowFacts | None:
    """Return what the end of a line of ours says; None where all of it must be looked at."""
    place = line.rfind(_FACTS)
    if place < 0 or not (line.startswith(_OURS) and line.endswith(_END)) or b"\0" in line:
        return None
    try:
        return _FACTS_DECODER.decode(line[place + len(_FACTS) : -2])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
