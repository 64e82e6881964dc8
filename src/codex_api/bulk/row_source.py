"""Where a run takes its rows from, without ever waiting: a file, or what a program makes."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from codex_api.bulk.cache_order import CacheOrder
from codex_api.bulk.failures import BulkInputError
from codex_api.bulk.requests import BulkRequest, RequestFile
from codex_api.bulk.row_ids import digest_of
from codex_api.types.request import ResponsesApiRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.bulk.journal import Journal
    from codex_api.bulk.requests import InputFacts
    from codex_api.bulk.settings import RunOrder

Given: TypeAlias = (
    BulkRequest | Mapping[str, Any] | tuple[str, ResponsesApiRequest | Mapping[str, Any] | bytes]
)
Requests: TypeAlias = (
    "str | os.PathLike[str] | RequestFile | Iterable[Given] | AsyncIterable[Given]"
)


class CheckedRows:
    """Rows of a giver who sees to it that no id is on its way twice; such are not remembered."""

    def __init__(self, rows: AsyncIterator[Given]) -> None:
        self._rows = rows

    def __aiter__(self) -> AsyncIterator[Given]:
        return self._rows


#: Rows of an asynchronous program that are read before they can be sent, at most.
_MOST_AHEAD: Final = 64


class _Pending:
    """Stands for a row that is not there yet."""


PENDING: Final = _Pending()


class RowSource:
    """Gives one row after another, those that are finished left out.

    Args:
        requests: A path, or rows.
        shard: Which part of a file.
        wake: Called when a row that was pending is there.
        order: Of the rows of a file.
    """

    def __init__(
        self,
        requests: Requests,
        shard: tuple[int, int] | None,
        wake: Callable[[], None],
        order: RunOrder = "input",
    ) -> None:
        if isinstance(requests, (str, os.PathLike)):
            requests = RequestFile(requests)
        self.file: RequestFile | None = requests if isinstance(requests, RequestFile) else None
        self._shard = shard
        self._wake = wake
        self._order = order
        self._by_group: CacheOrder | None = None
        self._given: Iterator[Given] | None = None
        self._coming: AsyncIterable[Given] | None = None
        self._lines: Iterator[tuple[int, bytes]] | None = None
        if isinstance(requests, RequestFile):
            self._lines = requests.rows(shard)
        elif shard is not None:
            message = "shard is for files: a program gives each process its own rows"
            raise BulkInputError(message)
        elif order != "input":
            message = "order is for files: a program gives its rows in the order that it likes"
            raise BulkInputError(message)
        elif isinstance(requests, AsyncIterable):
            self._coming = requests
        else:
            self._given = iter(requests)
        self._reader: asyncio.Task[None] | None = None
        self._ahead: deque[Given] = deque()
        self._room = asyncio.Event()
        self._number = 0
        self._seen: set[bytes] = set()
        self._is_checked = isinstance(requests, CheckedRows)
        self._unknown: set[str] = set()
        self._journal: Journal | None = None
        self.ended: bool = False

    def facts(self, known: InputFacts | None) -> InputFacts | None:
        """Look at the file, if it is one.

        Args:
            known: What an earlier run knew of it, or None.

        Raises:
            BulkInputError: It cannot be sent.
            OSError: It cannot be read.
        """
        if self.file is None:
            return None
        return self.file.scan() if known is None else self.file.rescan(known)

    def count(self, facts: InputFacts | None) -> int | None:
        """Return how many rows there are to send in all runs, or None."""
        if facts is None:
            return None
        if self._shard is None:
            return facts.rows
        number, of = self._shard
        return len(range(number - 1, facts.rows, of))

    def begin(self, journal: Journal | None, count: int | None) -> None:
        """Leave out what a journal has, and find the order of the rows.

        Args:
            journal: Of the run, open, or None.
            count: How many rows there are, or None.

        Raises:
            OSError: The file cannot be read.
        """
        self._journal = journal
        if journal is not None:
            self._unknown = {custom_id for _, custom_id in journal.unknown}
        if self.file is None:
            return
        done = None if journal is None else journal.rows
        self.ended = done is not None and len(done) == count
        if self._order == "cache" and not self.ended:
            self._by_group = CacheOrder(self.file, self._shard, done)
        else:
            self._lines = self.file.rows(self._shard, done)

    def release(self, index: int) -> None:
        """Take in that a row's call has ended: rows that begin as it does may follow."""
        if self._by_group is not None:
            self._by_group.release(index)

    def poll(self) -> BulkRequest | _Pending | None:
        """Return the next row, ``PENDING`` while none is there, or None at the end.

        Raises:
            BulkInputError: What was given is no row, or its id was given before.
        """
        while not self.ended:
            row = self._from_program() if self.file is None else self._from_file(self.file)
            if row is None:
                self.ended = True
            elif isinstance(row, _Pending) or not self._is_known(row):
                return row
            else:
                self.release(row.index)
        return None

    async def close(self) -> None:
        """Wait for nothing more."""
        if self._by_group is not None:
            self._by_group.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    def _is_known(self, row: BulkRequest) -> bool:
        if row.custom_id in self._unknown:
            return True
        journal = self._journal
        if journal is None:
            return False
        index = row.index if self.file is not None else -1
        return journal.knows(index, row.custom_id)

    def _from_file(self, file: RequestFile) -> BulkRequest | _Pending | None:
        by_group = self._by_group
        if by_group is not None:
            found = by_group.take()
            if found is None and not by_group.is_over:
                return PENDING
        else:
            assert self._lines is not None  # noqa: S101 - there is one of the two
            found = next(self._lines, None)
        return None if found is None else file.decode(*found)

    def _from_program(self) -> BulkRequest | _Pending | None:
        if self._given is not None:
            given = next(self._given, None)
        else:
            found = self._from_ahead()
            if isinstance(found, _Pending):
                return PENDING
            given = found
        if given is None:
            return None
        row = _row(given, self._number)
        self._number += 1
        if not self._is_checked:
            digest = digest_of(row.custom_id)
            if digest in self._seen:
                message = f"row {row.index}: custom_id {row.custom_id[:80]!r} was given before"
                raise BulkInputError(message)
            self._seen.add(digest)
        return row

    def _from_ahead(self) -> Given | _Pending | None:
        if self._reader is None:
            self._reader = asyncio.ensure_future(self._read_ahead())
            self._reader.add_done_callback(lambda _: self._wake())
        if self._ahead:
            given = self._ahead.popleft()
            if len(self._ahead) < _MOST_AHEAD // 2:
                self._room.set()
            return given
        if not self._reader.done():
            return PENDING
        self._reader.result()  # raises what the program raised
        return None

    async def _read_ahead(self) -> None:
        """Keep some rows ready: a task for each would cost more than the rest of the row."""
        assert self._coming is not None  # noqa: S101 - asked only then
        async for given in self._coming:
            self._ahead.append(given)
            if len(self._ahead) == 1:
                self._wake()
            while len(self._ahead) >= _MOST_AHEAD:
                self._room.clear()
                await self._room.wait()


def _row(given: Given, number: int) -> BulkRequest:
    if isinstance(given, BulkRequest):
        row = BulkRequest(given.custom_id, given.body, number)
    elif isinstance(given, tuple):
        row = BulkRequest.of(given[0], given[1], number)
    else:
        custom_id, body = given.get("custom_id"), given.get("body")
        if not isinstance(custom_id, str) or not isinstance(body, Mapping):
            message = f"row {number}: a mapping needs custom_id and body"
            raise BulkInputError(message)
        row = BulkRequest.of(custom_id, cast("Mapping[str, Any]", body), number)
    if not row.custom_id:
        message = f"row {number}: custom_id is empty"
        raise BulkInputError(message)
    return row
