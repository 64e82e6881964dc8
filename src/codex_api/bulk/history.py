"""One line each few seconds of how a run went, for pictures."""

from __future__ import annotations

import asyncio
import time
from typing import IO, TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codex_api.bulk.journal import Journal
    from codex_api.bulk.progress import BulkProgress

_SECONDS: Final = 5.0


class HistoryPoint(msgspec.Struct, omit_defaults=True):
    """How a run was at one instant.

    Attributes:
        at: Unix seconds.
        finished: Rows that were finished, earlier runs included.
        failed: How many of these failed.
        in_flight: Calls that were made.
        rate: Rows that were finished each second, of late.
        ceiling: Rows each second that the limits admit; None while they are not known.
        limit: Which limit that is, or None.
        refused: Refusals of this run until then.
        overloaded: How often this run was told of overload until then.
        median_latency: In seconds, or None.
        slow_latency: What 5 in 100 took longer than, in seconds, or None.
        cost: Dollars until then, or None.
    """

    at: float
    finished: int
    failed: int = 0
    in_flight: int = 0
    rate: float = 0.0
    ceiling: float | None = None
    limit: str | None = None
    refused: int = 0
    overloaded: int = 0
    median_latency: float | None = None
    slow_latency: float | None = None
    cost: float | None = None


class HistoryFile:
    """Writes a line each few seconds, and one at the end, while it is entered."""

    def __init__(self, journal: Journal | None, progress: Callable[[], BulkProgress]) -> None:
        self._journal = journal
        self._progress = progress
        self._file: IO[bytes] | None = None
        self._next: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        if self._journal is None:
            return
        path = self._journal.beside("history")
        path.touch(mode=0o600)
        self._file = path.open("ab", buffering=0)
        self._plan()

    def __exit__(self, *exc: object) -> None:
        if self._next is not None:
            self._next.cancel()
        self._write()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _plan(self) -> None:
        self._next = asyncio.get_running_loop().call_later(_SECONDS, self._tick)

    def _tick(self) -> None:
        self._write()
        self._plan()

    def _write(self) -> None:
        if self._file is None:
            return
        told = self._progress()
        point = HistoryPoint(
            at=round(time.time(), 2),
            finished=told.summary.finished,
            failed=told.summary.failed,
            in_flight=told.in_flight,
            rate=round(told.rate, 2),
            ceiling=None if told.ceiling is None else round(told.ceiling, 2),
            limit=told.limit,
            refused=told.summary.refused,
            overloaded=told.summary.overloaded,
            median_latency=_rounded(told.median_latency),
            slow_latency=_rounded(told.slow_latency),
            cost=told.summary.cost,
        )
        try:
            self._file.write(msgspec.json.encode(point) + b"\n")
        except OSError:
            self._file.close()  # a picture is no reason to end a run
            self._file = None


def read_history(path: Path) -> list[HistoryPoint]:
    """Read what there is; a line that is torn is left out."""
    points: list[HistoryPoint] = []
    if path.exists():
        for line in path.read_bytes().splitlines():
            try:
                points.append(msgspec.json.decode(line, type=HistoryPoint))
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
    return points


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
