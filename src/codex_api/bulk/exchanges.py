"""The two ways to have a row answered: by one call, or in the background by an id.

A background response goes on when its connection or this process ends. Its id is in the journal
before it is asked for, so a further run asks for it and does not pay again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from codex_api.bulk.requests import body_with
from codex_api.errors import ApiError, DecodeError, StreamClosedError
from codex_api.transport.errors import CodexApiError, NetworkError, TransportTimeoutError

if TYPE_CHECKING:
    from codex_api._async.responses import AsyncResponses
    from codex_api.bulk.ledger import Ledger
    from codex_api.bulk.pending_row import PendingRow
    from codex_api.bulk.settings import BulkSettings
    from codex_api.types.response import Response

_MOST_LOOKS: Final = 20
_GONE: Final = 404
_SERVER_ERRORS: Final = range(500, 600)


class Exchange:
    """Has rows answered, as the settings say.

    Args:
        responses: Endpoints of a client that asks once.
        ledger: Remembers ids.
        settings: Of the run.
    """

    def __init__(self, responses: AsyncResponses, ledger: Ledger, settings: BulkSettings) -> None:
        self._responses = responses
        self._ledger = ledger
        self._settings = settings

    async def answer(self, row: PendingRow) -> Response:
        """Have a row answered.

        Raises:
            CodexApiError: The call or the response failed.
        """
        if self._settings.via == "background":
            return await self._by_background(row)
        options = row.options(self._ledger.counts.run, self._settings)
        return await self._responses.create_raw(row.body, options, self._settings.timeout)

    async def _by_background(self, row: PendingRow) -> Response:
        if row.response_id is None:
            await self._begin(row)
        assert row.response_id is not None  # noqa: S101 - just set
        waiting = self._responses.reopen(row.response_id)
        looks = 0
        while True:
            try:
                response = await waiting.wait()
            except CodexApiError as exc:
                looks += 1
                if not _may_look_again(exc) or looks >= _MOST_LOOKS:
                    raise self._settled(row, exc) from exc
                delay = min(self._settings.base_delay * looks, self._settings.max_delay)
                await asyncio.sleep(delay)
            else:
                return msgspec.structs.replace(response, api_rate_limits=row.limits)

    async def _begin(self, row: PendingRow) -> None:
        members: dict[str, object] = {"background": True, "store": True}
        window = self._settings.window
        within = None if window is None else {"background_options": {"completion_window": window}}
        body = body_with(row.body, members, within)
        options = row.options(self._ledger.counts.run, self._settings)
        begun = await self._responses.create_raw(body, options, self._settings.timeout)
        if begun.id is None:
            message = "the server gave no id for a background response"
            raise DecodeError(message)
        row.response_id, row.limits = begun.id, begun.api_rate_limits
        await self._ledger.remember(row)

    def _settled(self, row: PendingRow, exc: CodexApiError) -> CodexApiError:
        """Forget the response where it came to its end, and give the error to raise."""
        if isinstance(exc, ApiError) and (exc.partial is not None or exc.status == _GONE):
            row.response_id = None
            if exc.status == _GONE:
                # Servers keep a response for a while only; what it cost was paid.
                gone = StreamClosedError("the background response is no longer there")
                gone.sent = "begun"
                return gone
        return exc


def _may_look_again(exc: CodexApiError) -> bool:
    if isinstance(exc, ApiError) and exc.partial is not None:
        return False
    if exc.status is not None:
        return exc.status in _SERVER_ERRORS or exc.status == 429  # noqa: PLR2004 - too many looks
    return isinstance(exc, NetworkError | TransportTimeoutError)
