"""The journal of a bulk run: its output, from which a further run goes on.

``OUT.jsonl`` has one line for each finished row. Beside it lie, each with the suffix of its kind:

- ``.manifest``: what the input was, and what became of each run, as JSON;
- ``.calls``: how many calls are in flight (see ``call_counters``);
- ``.lock``: held while a process uses the journal;
- ``.intents``: ids of rows that were about to be sent, where that is asked for;
- ``.batches``: parts of the run that the Batch API works on;
- ``.history``: one line each few seconds, for pictures.

All are for their owner's eyes only. What is torn at the end of a file is cut off when it is opened.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from codex_api.bulk.call_counters import CallCounters
from codex_api.bulk.failures import JournalError
from codex_api.bulk.group_commit import GroupCommit
from codex_api.bulk.journal_lock import JournalLock
from codex_api.bulk.journal_reading import JournalReading, whole_lines
from codex_api.bulk.manifest import Manifest, RunRecord, beside, read_manifest
from codex_api.bulk.row_ids import RowSet, digest_of
from codex_api.bulk.summary import BulkSummary
from codex_api.types.atomic_file import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.bulk.requests import InputFacts

JournalMode: TypeAlias = Literal["resume", "new", "fresh"]

_APPEND: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
_KEPT_RUNS: Final = 1000


class _Intent(msgspec.Struct, omit_defaults=True, gc=False):
    custom_id: str
    row: int = 0
    void: bool = False
    id: str | None = None


_INTENT: Final[msgspec.json.Decoder[_Intent]] = msgspec.json.Decoder(_Intent)


class Journal:
    """The output of a run, which survives its process.

    It may be given to one run; the run opens and closes it.

    Args:
        path: Of the output; its folder must exist.
        mode: ``resume`` goes on where an earlier run ended, or begins; ``new`` refuses a file that
            is there; ``fresh`` moves it aside.
        intents: Whether ids are synced before their rows are sent. Then a row that was in flight
            when a process ended is never sent again, and fails with the kind ``unknown``.
        interval: Seconds to gather results before they are synced.
        other_input: Whether a resumed input may have changed; rows are told apart by their ids.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        mode: JournalMode = "resume",
        intents: bool = False,
        interval: float = 0.05,
        other_input: bool = False,
    ) -> None:
        self.path: Path = Path(path)
        self.intents: bool = intents
        self._mode = mode
        self._interval = interval
        self._other_input = other_input
        self.rows: RowSet = RowSet()
        self._ids: set[bytes] = set()
        self._by_row = False
        self._ahead: JournalReading | None = None
        self._lock: JournalLock | None = None
        self._handles: list[int] = []
        self._lines: GroupCommit[Any] | None = None
        self._intents: GroupCommit[Any] | None = None
        self.manifest: Manifest = Manifest(run="")
        self.calls: CallCounters = CallCounters(None)
        self.totals: BulkSummary = BulkSummary()
        self.unknown: list[tuple[int, str]] = []
        self.keeps_ids: bool = False
        self.begun: dict[str, str] = {}

    def beside(self, kind: str) -> Path:
        """Return the path of a file that belongs to the journal."""
        return beside(self.path, kind)

    def open(
        self,
        facts: InputFacts | None,
        shard: tuple[int, int] | None,
        committed: Callable[[list[Any]], None],
        failed: Callable[[OSError], None],
    ) -> None:
        """Lock the journal, mend it, and read what is done.

        Args:
            facts: Of the input, or None where a program makes the rows.
            shard: Which part of the input is to be sent.
            committed: Called from another thread with what was given beside each synced line.
            failed: Called from there when lines cannot be written.

        Raises:
            JournalError: It is in use, or of another input, or there though it should be new.
            OSError: A file cannot be read or made.
        """
        self._lock = JournalLock(self.beside("lock"))
        try:
            if self._mode != "resume" and self._is_there():
                self._make_room()
            self._read_manifest(facts, shard)
            handle = self._open(self.path)
            self._load(handle)
            self.calls = CallCounters(self.beside("calls"))
            self.totals.run = self.manifest.run
            self.totals.earlier = self.totals.finished
            if self.intents or self.keeps_ids or self.beside("intents").exists():
                self._open_intents(committed, failed)
            self._lines = GroupCommit(handle, self._interval, committed, failed)
            self.manifest.runs.append(RunRecord(time.time()))
            self._write_manifest()
        except BaseException:
            self.close()
            raise

    def knows(self, index: int, custom_id: str) -> bool:
        """Return whether a row is finished."""
        return index in self.rows or (bool(self._ids) and digest_of(custom_id) in self._ids)

    def append(self, line: bytes, beside: object) -> None:
        """Write the line of a finished row with the next group."""
        assert self._lines is not None  # noqa: S101 - only while it is open
        self._lines.append(line, beside)

    def intend(self, index: int, custom_id: str, beside: object) -> None:
        """Write that a row is about to be sent."""
        self._write_intent(_Intent(custom_id, index), beside)

    def remember(self, index: int, custom_id: str, response_id: str | None, beside: object) -> None:
        """Write the id by which a row's background response is asked for."""
        self._write_intent(_Intent(custom_id, index, id=response_id), beside)

    def void(self, index: int, custom_id: str) -> None:
        """Write that a row that was to be sent was not, or was refused."""
        self._write_intent(_Intent(custom_id, index, void=True), None)

    def record(self, summary: BulkSummary) -> None:
        """Write what became of this run into the manifest.

        Raises:
            OSError: It cannot be written.
        """
        run = self.manifest.runs[-1]
        run.ended_at, run.summary = time.time(), summary
        self._write_manifest()

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and not closed yet."""
        return bool(self.manifest.runs) and self._lock is not None

    def known_input(self) -> InputFacts | None:
        """Return what an earlier run knew of its input, or None.

        Raises:
            JournalError: The manifest cannot be read.
        """
        manifest = None if self._mode == "fresh" else read_manifest(self.path)
        return None if manifest is None else manifest.input

    def read_ahead(self) -> None:
        """Read what is there before it is known whether it may be gone on with.

        ``open`` reads on from there, and finds what is wrong. May be called from another thread.
        """
        if self._mode == "resume":
            ahead = JournalReading(self.path, by_row=True)
            with suppress(OSError):
                ahead.read_ahead()
                self._ahead = ahead

    def flush(self) -> None:
        """Write what is left; nothing can be appended after that. May be called twice.

        Raises:
            JournalError: Results could not be written, and are lost; the text says how many.
        """
        lines, intents = self._lines, self._intents
        self._lines = self._intents = None
        if intents is not None:
            intents.close()
        if lines is not None and (lost := lines.close()):
            message = f"{lost} results could not be written to {self.path}: {lines.error}"
            raise JournalError(message) from lines.error

    def close(self) -> None:
        """Let go of the files, after ``flush``. May be called twice.

        Raises:
            JournalError: As ``flush``, which may not have been called.
        """
        try:
            self.flush()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self.calls.close()
        for handle in self._handles:
            os.close(handle)
        self._handles.clear()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _is_there(self) -> bool:
        return self.path.exists() and self.path.stat().st_size > 0

    def _make_room(self) -> None:
        if self._mode == "new":
            message = f"{self.path} is there already: resume it, or begin afresh"
            raise JournalError(message)
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.old{number}")).exists():
            number += 1
        self.path.rename(aside)
        for kind in ("manifest", "calls", "intents", "history", "batches"):
            self.beside(kind).unlink(missing_ok=True)

    def _read_manifest(self, facts: InputFacts | None, shard: tuple[int, int] | None) -> None:
        known = read_manifest(self.path)
        if known is None:
            self.manifest = Manifest(os.urandom(4).hex(), input=facts, shard=shard)
            return
        self.manifest = known
        was = known.input
        same = was is not None and facts is not None and was.sha256 == facts.sha256
        if not self._other_input and (was is not None or facts is not None) and not same:
            message = (
                f"{self.path} belongs to another input"
                f"{f' ({was.path}, sha256 {was.sha256[:12]})' if was else ''}"
            )
            raise JournalError(message)
        if known.shard != shard:
            message = f"{self.path} is for shard {_shown(known.shard)}, not {_shown(shard)}"
            raise JournalError(message)
        self._by_row = same
        self.manifest.input = facts

    def _open(self, path: Path) -> int:
        is_new = not path.exists()
        handle = os.open(path, _APPEND, 0o600)
        self._handles.append(handle)
        if is_new:
            _sync_folder(path.parent)
        return handle

    def _load(self, handle: int) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is None or not self._by_row or not ahead.is_of(handle):
            ahead = JournalReading(self.path, by_row=self._by_row)
        ahead.read(handle)
        self.rows, self._ids, self.totals = ahead.rows, ahead.ids, ahead.totals

    def _open_intents(
        self, committed: Callable[[list[Any]], None], failed: Callable[[OSError], None]
    ) -> None:
        path = self.beside("intents")
        handle = self._open(path)
        pending: dict[str, int] = {}
        with path.open("rb") as file:
            for intent in whole_lines(path, handle, _INTENT, file):
                if intent.void:
                    pending.pop(intent.custom_id, None)
                    self.begun.pop(intent.custom_id, None)
                elif not self.knows(intent.row if self._by_row else -1, intent.custom_id):
                    pending[intent.custom_id] = intent.row
                    if intent.id is not None:
                        self.begun[intent.custom_id] = intent.id
        self.unknown = [
            (row, custom_id) for custom_id, row in pending.items() if custom_id not in self.begun
        ]
        # Rows wait for this one, so it gathers for as short a time as is of use.
        self._intents = GroupCommit(handle, min(self._interval, 0.002), committed, failed)

    def _write_intent(self, intent: _Intent, beside: object) -> None:
        assert self._intents is not None  # noqa: S101 - only with intents
        self._intents.append(msgspec.json.encode(intent) + b"\n", beside)

    def _write_manifest(self) -> None:
        del self.manifest.runs[:-_KEPT_RUNS]
        write_atomically(
            self.beside("manifest"), msgspec.json.encode(self.manifest) + b"\n", private=True
        )


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file survive, where folders can be synced."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def _shown(shard: tuple[int, int] | None) -> str:
    return "1/1" if shard is None else f"{shard[0]}/{shard[1]}"
