"""Journals that no run uses: looked at, merged, exported, and rid of rows to be sent again."""

from __future__ import annotations

from array import array
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from codex_api._imports import installed_by
from codex_api.bulk.batch_parts import PartStore
from codex_api.bulk.call_counters import CallCounters
from codex_api.bulk.failures import BulkInputError, JournalError
from codex_api.bulk.journal_lock import JournalLock, is_locked
from codex_api.bulk.manifest import Manifest, beside, read_manifest
from codex_api.bulk.parquet_table import write_parquet
from codex_api.bulk.replaced_file import replacing
from codex_api.bulk.result_lines import KNOWN_LINE, KnownLine
from codex_api.bulk.row_ids import RowSet, digest_of
from codex_api.bulk.summary import BulkSummary

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Generator, Iterator, Sequence

RowOrder: TypeAlias = Literal["finished", "input"]


class JournalState(msgspec.Struct, kw_only=True):
    """What a journal says, whether a run uses it or not.

    Attributes:
        path: Where it is.
        is_running: Whether a process uses it now.
        manifest: None for lines of another program.
        summary: Of all its lines.
        wrong_lines: Lines that cannot be read; the last one may be in the making.
    """

    path: str
    is_running: bool
    manifest: Manifest | None
    summary: BulkSummary
    wrong_lines: int = 0


def read_journal(path: str | os.PathLike[str]) -> JournalState:
    """Look at a journal without touching it.

    Raises:
        JournalError: There is none, or its manifest cannot be read.
    """
    path = _existing(path)
    manifest = read_manifest(path)
    summary = BulkSummary(run="" if manifest is None else manifest.run)
    seen, rows, wrong = set[bytes](), RowSet(), 0
    for _, _, known in _lines(path):
        if known is None:
            wrong += 1
        elif known.x is not None and manifest is not None and manifest.input is not None:
            if rows.add(known.x.row):
                summary.count(known.x)
        elif (digest := digest_of(known.custom_id)) not in seen:
            seen.add(digest)
            _count(summary, known)
    running = is_locked(beside(path, "lock"))
    if manifest is not None:
        if manifest.input is not None:
            summary.rows = _rows_of(manifest)
        last = manifest.runs[-1].summary if manifest.runs else None
        if last is not None and not running:
            summary.stopped = last.stopped
    parts = PartStore(beside(path, "batches"))
    parts.load()
    summary.batches = parts.on_their_way
    if beside(path, "calls").exists():
        counters = CallCounters.peek(beside(path, "calls"), counts_open=not running)
        summary.maybe_charged, summary.interrupted = counters.maybe, counters.interrupted
        summary.estimate_maybe()
    return JournalState(
        path=str(path),
        is_running=running,
        manifest=manifest,
        summary=summary,
        wrong_lines=wrong,
    )


def release_rows(path: str | os.PathLike[str], kinds: Collection[str] | None = None) -> int:
    """Take rows that failed out of a journal, so that the next run sends them again.

    Args:
        path: Of a journal that no run uses.
        kinds: Only failures of these kinds; None takes all.

    Returns:
        How many were taken out.

    Raises:
        JournalError: A run uses it, or there is none.
        OSError: It cannot be written; then nothing has changed.
    """
    path = _existing(path)
    lock = JournalLock(beside(path, "lock"))
    try:
        released: list[tuple[int, str]] = []
        with replacing(path) as out:
            for line, _, known in _lines(path):
                if known is not None and _failed(known) and _is_of(known, kinds):
                    released.append((known.x.row if known.x else 0, known.custom_id))
                elif known is not None:
                    out.write(line if line.endswith(b"\n") else line + b"\n")
        if released and beside(path, "intents").exists():
            with beside(path, "intents").open("ab") as intents:
                for row, custom_id in released:
                    void = {"custom_id": custom_id, "row": row, "void": True}
                    intents.write(msgspec.json.encode(void) + b"\n")
        return len(released)
    finally:
        lock.release()


def merge_journals(
    paths: Sequence[str | os.PathLike[str]], target: str | os.PathLike[str]
) -> BulkSummary:
    """Put the lines of several journals, such as those of shards, into one file.

    An answer wins over a failure, and the first over the others.

    Returns:
        What the merged file holds.

    Raises:
        JournalError: One is not there, or has a line that cannot be read.
        OSError: The target cannot be written.
    """
    sources = [_existing(path) for path in paths]
    target = Path(target)
    answered: set[bytes] = set()
    for path in sources:
        for _, number, known in _lines(path):
            if known is None:
                raise _unreadable(path, number)
            if not _failed(known):
                answered.add(digest_of(known.custom_id))
    summary, written = BulkSummary(), set[bytes]()
    with replacing(target) as out:
        for path in sources:
            for line, _, known in _lines(path):
                assert known is not None  # noqa: S101 - it was read before
                digest = digest_of(known.custom_id)
                if digest in written or (_failed(known) and digest in answered):
                    continue
                written.add(digest)
                _count(summary, known)
                out.write(line if line.endswith(b"\n") else line + b"\n")
    return summary


def export_rows(path: str | os.PathLike[str], target: str, *, order: RowOrder = "finished") -> int:
    """Write the rows of a journal as a table, by the ending of ``target``.

    ``.parquet`` needs the extra ``parquet``; ``.jsonl`` has the lines as they are. A target with a
    scheme, such as ``s3://bucket/results.parquet``, needs the extra ``objects``.

    Args:
        path: Of the journal.
        target: A path, or a URL.
        order: ``input`` sorts by the rows' numbers.

    Returns:
        How many rows were written.

    Raises:
        BulkInputError: The ending is none of the two.
        JournalError: There is no journal, or it has a line that cannot be read.
        ModuleNotFoundError: An extra is missing.
        OSError: The target cannot be written.
    """
    path = _existing(path)
    if target.endswith(".jsonl"):
        write: Callable[[Iterator[bytes], IO[bytes]], int] = _write_lines
    elif target.endswith(".parquet"):
        write = write_parquet
    else:
        message = f"{target}: exports end in .parquet or .jsonl"
        raise BulkInputError(message)
    with _target(target) as out:
        return write(_in_order(path, order), out)


def _existing(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if not path.is_file():
        message = f"{path}: there is no such journal"
        raise JournalError(message)
    return path


def _lines(path: Path) -> Iterator[tuple[bytes, int, KnownLine | None]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line, number, KNOWN_LINE.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                yield line, number, None


def _failed(known: KnownLine) -> bool:
    return known.x.outcome == "failed" if known.x is not None else known.error is not None


def _is_of(known: KnownLine, kinds: Collection[str] | None) -> bool:
    if kinds is None:
        return True
    return (known.x.kind if known.x is not None else "other") in kinds


def _count(summary: BulkSummary, known: KnownLine) -> None:
    if known.x is not None:
        summary.count(known.x)
    elif known.error is not None:
        summary.failed += 1
    else:
        summary.done += 1


def _rows_of(manifest: Manifest) -> int:
    assert manifest.input is not None  # noqa: S101 - asked only then
    if manifest.shard is None:
        return manifest.input.rows
    number, of = manifest.shard
    return len(range(number - 1, manifest.input.rows, of))


def _unreadable(path: Path, number: int) -> JournalError:
    return JournalError(f"{path}, line {number}: it is no line of a bulk run")


def _in_order(path: Path, order: RowOrder) -> Iterator[bytes]:
    if order == "finished":
        for line, number, known in _lines(path):
            if known is None:
                raise _unreadable(path, number)
            yield line.rstrip(b"\n")
        return
    rows, places, offset = array("q"), array("q"), 0
    for line, number, known in _lines(path):
        if known is None:
            raise _unreadable(path, number)
        rows.append(known.x.row if known.x is not None else number)
        places.append(offset)
        offset += len(line)
    with path.open("rb") as file:
        for index in sorted(range(len(rows)), key=rows.__getitem__):
            file.seek(places[index])
            yield file.readline().rstrip(b"\n")


@contextmanager
def _target(target: str) -> Generator[IO[bytes]]:
    if "://" not in target:
        with replacing(Path(target)) as out:
            yield out
        return
    with installed_by("objects", "fsspec"):
        fsspec: Any = import_module("fsspec")
    with fsspec.open(target, "wb") as out:
        yield out


def _write_lines(lines: Iterator[bytes], out: IO[bytes]) -> int:
    count = 0
    for line in lines:
        out.write(line + b"\n")
        count += 1
    return count
