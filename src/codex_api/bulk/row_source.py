"""Where a run takes its rows from, without ever waiting: a file, or what a program makes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from codex_api.bulk.failures import BulkInputError
from codex_api.bulk.requests import BulkRequest, RequestFile
from codex_api.bulk.row_ids import digest_of
from codex_api.types.request import ResponsesApiRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.bulk.journal import Journal
    from codex_api.bulk.requests import InputFacts

Given: TypeAlias = (
    BulkRequest | Mapping[str, Any] | tuple[str, ResponsesApiRequest | Mapping[str, Any] | bytes]
)
Requests: TypeAlias = (
    "str | os.PathLike[str] | RequestFile | Iterable[Given] | AsyncIterable[Given]"
)


class _Pending:
    """Stands for a row that is not there yet."""


PENDING: Final = _Pending()


class RowSource:
    """Gives one row after another, those that are finished left out.

    Args:
        requests: A path, or rows.
        shard: Which part of a file.
        wake: Called when a row that was pending is there.
    """

    def __init__(
        self, requests: Requests, shard: tuple[int, int] | None, wake: Callable[[], None]
    ) -> None:
        if isinstance(requests, (str, os.PathLike)):
            requests = RequestFile(requests)
        self.file: RequestFile | None = requests if isinstance(requests, RequestFile) else None
        self._shard = shard
        self._wake = wake
        self._given: Iterator[Given] | None = None
        self._coming: AsyncIterator[Given] | None = None
        self._lines: Iterator[tuple[int, bytes]] | None = None
        if isinstance(requests, RequestFile):
            self._lines = requests.rows(shard)
        elif shard is not None:
            message = "shard is for files: a program gives each process its own rows"
            raise BulkInputError(message)
        elif isinstance(requests, AsyncIterable):
            self._coming = requests.__aiter__()
        else:
            self._given = iter(requests)
        self._next: asyncio.Task[Given] | None = None
        self._number = 0
        self._seen: set[bytes] = set()
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

    def skip_what(self, journal: Journal) -> None:
        """Leave out what a journal has."""
        self._journal = journal
        if self.file is not None:
            self._lines = self.file.rows(self._shard, journal.rows)
        self._unknown = {custom_id for _, custom_id in journal.unknown}

    def poll(self) -> BulkRequest | _Pending | None:
        """Return the next row, ``PENDING`` while none is there, or None at the end.

        Raises:
            BulkInputError: What was given is no row, or its id was given before.
        """
        while not self.ended:
            row = self._from_file() if self._lines is not None else self._from_program()
            if row is None:
                self.ended = True
            elif isinstance(row, _Pending) or not self._is_known(row):
                return row
        return None

    async def close(self) -> None:
        """Wait for nothing more."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.gather(self._next, return_exceptions=True)
            self._next = None

    def _is_known(self, row: BulkRequest) -> bool:
        if row.custom_id in self._unknown:
            return True
        journal = self._journal
        if journal is None:
            return False
        index = row.index if self._lines is not None else -1
        return journal.knows(index, row.custom_id)

    def _from_file(self) -> BulkRequest | None:
        assert self._lines is not None  # noqa: S101 - asked only then
        assert self.file is not None  # noqa: S101 - they are its lines
        found = next(self._lines, None)
        return None if found is None else self.file.decode(*found)

    def _from_program(self) -> BulkRequest | _Pending | None:
        if self._given is not None:
            given = next(self._given, None)
        else:
            if self._next is None:
                self._next = asyncio.ensure_future(self._await())
                self._next.add_done_callback(lambda _: self._wake())
            if not self._next.done():
                return PENDING
            task, self._next = self._next, None
            try:
                given = task.result()
            except StopAsyncIteration:
                given = None
            except EndOfRowsError:
                given = None
        if given is None:
            return None
        row = _row(given, self._number)
        self._number += 1
        digest = digest_of(row.custom_id)
        if digest in self._seen:
            message = f"row {row.index}: custom_id {row.custom_id[:80]!r} was given before"
            raise BulkInputError(message)
        self._seen.add(digest)
        return row

    async def _await(self) -> Given:
        assert self._coming is not None  # noqa: S101 - asked only then
        try:
            return await self._coming.__anext__()
        except StopAsyncIteration:
            raise EndOfRowsError from None


class EndOfRowsError(Exception):
    """No more rows; a task cannot end with ``StopAsyncIteration``."""


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
