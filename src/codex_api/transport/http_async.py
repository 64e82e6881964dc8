"""HTTP/1.1 under asyncio, in the caller's own loop and without a thread.

The rules are those of ``http.py``. Besides, connections belong to the loop that made them, and end
with it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from codex_api.transport.errors import TransportTimeoutError
from codex_api.transport.exchange_async import AsyncExchange
from codex_api.transport.http_request import Preparer, late
from codex_api.transport.network import Network
from codex_api.transport.pool_async import AsyncPool

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import TypeAlias

    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.messages import Request, Response

    Begun: TypeAlias = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


class AsyncHttpStream:
    """A streamed answer as its caller holds it. Whoever forgets it gives its connection up."""

    __slots__ = ("_exchange", "headers", "status")

    def __init__(self, exchange: AsyncExchange) -> None:
        self._exchange = exchange
        self.status: int = exchange.reader.status or 0
        self.headers: Headers = exchange.reader.headers

    def read_chunk(self) -> Coroutine[Any, Any, bytes | None]:
        """Wait for the next piece of the body; cancelling loses nothing."""
        return self._exchange.read_chunk(self)

    async def aclose(self) -> None:
        """Close the connection at once. May be called twice, and from another loop."""
        await self._exchange.aclose()

    def __del__(self) -> None:
        # The connection refers to the exchange, so nothing else would ever end it.
        self._exchange.forget()


class AsyncHttpTransport:
    """``AsyncTransport`` in the caller's event loop; usable from several, and after a fork.

    Args:
        network: TLS, proxy, keep-alive and pool settings.
        connect_timeout: Seconds for name look-up, connection, proxy and TLS together; None sets no
            limit of their own.
    """

    def __init__(
        self, network: Network | None = None, *, connect_timeout: float | None = None
    ) -> None:
        settings = network or Network()
        self._preparer = Preparer(settings)
        self._pool = AsyncPool(settings, connect_timeout)

    async def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            exchange = await self._begin(request, deadline, whole=True)
            try:
                response = await exchange.read_all()
            except BaseException:
                exchange.close()
                raise
        except TransportTimeoutError as exc:
            raise late(exc, "complete answer", timeout, deadline) from None
        self._preparer.keep_cookies(request.url, response.headers)
        return response

    async def stream(self, request: Request, timeout: float | None = None) -> AsyncHttpStream:
        """Send a request and return when the head of the answer is there."""
        return await self.interruptible_stream(request, timeout)

    async def interruptible_stream(
        self, request: Request, timeout: float | None = None, begun: Begun | None = None
    ) -> AsyncHttpStream:
        """Do as ``stream`` does, and tell ``begun`` how to give it up, from any event loop."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            exchange = await self._begin(request, deadline, begun, whole=False)
            try:
                await exchange.wait_for_head()
            except BaseException:
                exchange.close()
                raise
        except TransportTimeoutError as exc:
            raise late(exc, "head of the answer", timeout, deadline) from None
        self._preparer.keep_cookies(request.url, exchange.reader.headers)
        return AsyncHttpStream(exchange)

    async def _begin(
        self, request: Request, deadline: float | None, begun: Begun | None = None, *, whole: bool
    ) -> AsyncExchange:
        outgoing = self._preparer.prepare(request)
        connection = self._pool.take_idle(outgoing.route)
        if connection is None:
            connection = await self._pool.take(outgoing.route, deadline)
        exchange = AsyncExchange(connection, outgoing.method, whole=whole)
        try:
            if begun is not None:
                begun(exchange.aclose)
            if deadline is not None:
                connection.call_at(deadline, exchange.expire)
            if not connection.reused:
                connection.channel.hand_to(exchange)  # a server may have spoken, or gone, already
            if not exchange.is_sent_at_once(outgoing):
                await exchange.send(outgoing, deadline)
        except BaseException:
            exchange.close()
            raise
        return exchange

    async def aclose(self) -> None:
        """Close idle connections and refuse further requests."""
        self._pool.close()
