"""HTTP/2 for a client whose ``Network.http2`` is set, over ``httpx2`` with our settings.

It needs the extra ``codex-api[httpx2]``. It saves connections, not time: an event costs more than
over HTTP/1.1.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from codex_api.transport.errors import RequestBuildError
from codex_api.transport.http_request import closed
from codex_api.transport.inheritance import disown_after_fork
from codex_api.transport.network import Network, proxy_for

if TYPE_CHECKING:
    from collections.abc import Generator

    import httpx2

    from codex_api.transport._core.messages import Request, Response
    from codex_api.transport.httpx import AsyncHttpxStream, HttpxStream
    from codex_api.transport.protocols import AsyncStreamResponse, StreamResponse

_UNKNOWN = 0  # no object has this identity
_MISSING = "Network(http2=True) needs the extra of HTTP/2: pip install codex-api[httpx2]"


class _Clients:
    """What both worlds share: the settings, and when to begin anew."""

    def __init__(
        self, network: Network | None = None, *, connect_timeout: float | None = None
    ) -> None:
        if find_spec("httpx2") is None or find_spec("h2") is None:
            raise RequestBuildError(_MISSING)
        self._network = network or Network()
        self._connect_timeout = connect_timeout
        self._is_closed = False
        # How many streams each connection carries; by its identity, which lasts as long as they do.
        self._carried: Counter[int] = Counter()
        disown_after_fork(self)

    def disown(self) -> None:
        """Begin anew in a forked child."""
        raise NotImplementedError

    @contextmanager
    def _beginning(self) -> Generator[None]:
        """Count a request whose connection is not known yet: it may be any."""
        self._carried[_UNKNOWN] += 1
        try:
            yield
        finally:
            self._carried[_UNKNOWN] -= 1

    def _options(self, proxy: str | None) -> dict[str, Any]:
        import httpx2  # noqa: PLC0415 - an extra

        from codex_api.transport.tls import ssl_context  # noqa: PLC0415 - only for TLS

        network = self._network
        context = ssl_context(network, http2=True)
        return {
            "http2": True,
            "verify": context,
            "proxy": None if proxy is None else httpx2.Proxy(proxy, ssl_context=context),
            "trust_env": False,
            "limits": httpx2.Limits(
                max_connections=network.max_connections,
                max_keepalive_connections=network.max_idle_connections,
                keepalive_expiry=network.pool_idle_timeout,
            ),
        }


class _Leaving:
    """Counts a stream as long as it is open, and tells whether its connection is its own.

    The engine does not reset a stream that is left before its end, so the server would go on: then
    the connection is closed, if it carries nothing else.
    """

    def __init__(self, connection: object, carried: Counter[int]) -> None:
        self._key = None if connection is None else id(connection)
        self._carried = carried
        if self._key is not None:
            carried[self._key] += 1

    def leave(self) -> bool:
        """Stop counting, and return whether the stream was alone on its connection."""
        key, self._key = self._key, None
        if key is None:
            return False
        self._carried[key] -= 1
        if self._carried[key]:
            return False
        del self._carried[key]
        return not self._carried[_UNKNOWN]


class _Stream:
    """A streamed answer in blocking code."""

    def __init__(self, stream: HttpxStream, carried: Counter[int]) -> None:
        self._stream = stream
        self._leaving = _Leaving(stream.connection, carried)
        self._is_over = False
        self.status = stream.status
        self.headers = stream.headers

    def read_chunk(self, timeout: float | None = None) -> bytes | None:
        """Wait for the next piece of the body."""
        chunk = self._stream.read_chunk(timeout)
        self._is_over = chunk is None
        return chunk

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()
        if self._leaving.leave() and not self._is_over:
            self._stream.connection.close()


class _AsyncStream:
    """A streamed answer under asyncio."""

    def __init__(self, stream: AsyncHttpxStream, carried: Counter[int]) -> None:
        self._stream = stream
        self._leaving = _Leaving(stream.connection, carried)
        self._is_over = False
        self.status = stream.status
        self.headers = stream.headers

    async def read_chunk(self) -> bytes | None:
        """Wait for the next piece of the body."""
        chunk = await self._stream.read_chunk()
        self._is_over = chunk is None
        return chunk

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()
        if self._leaving.leave() and not self._is_over:
            await self._stream.connection.aclose()


class Http2Transport(_Clients):
    """``Transport`` that offers HTTP/2, and speaks HTTP/1.1 with servers that have none.

    Args:
        network: TLS, proxy and pool settings.
        connect_timeout: Seconds for making a connection; None sets no limit of its own.

    Raises:
        RequestBuildError: The extra is not installed.
    """

    def __init__(
        self, network: Network | None = None, *, connect_timeout: float | None = None
    ) -> None:
        super().__init__(network, connect_timeout=connect_timeout)
        self._clients: dict[str | None, httpx2.Client] = {}

    def disown(self) -> None:
        """Begin anew in a forked child."""
        self._clients = {}

    def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer."""
        from codex_api.transport.httpx import HttpxTransport  # noqa: PLC0415 - an extra

        transport = HttpxTransport(self._client(request), connect_timeout=self._connect_timeout)
        with self._beginning():
            return transport.execute(request, timeout)

    def stream(self, request: Request, timeout: float | None = None) -> StreamResponse:
        """Send a request and return when the head of the answer is there."""
        from codex_api.transport.httpx import HttpxTransport  # noqa: PLC0415 - an extra

        transport = HttpxTransport(self._client(request), connect_timeout=self._connect_timeout)
        with self._beginning():
            return _Stream(transport.stream(request, timeout), self._carried)

    def _client(self, request: Request) -> httpx2.Client:
        import httpx2  # noqa: PLC0415 - an extra

        if self._is_closed:
            raise closed()
        proxy = proxy_for(self._network, request.url)
        client = self._clients.get(proxy)
        if client is None:
            client = self._clients.setdefault(proxy, httpx2.Client(**self._options(proxy)))
        return client

    def close(self) -> None:
        """Close idle connections and refuse further requests."""
        self._is_closed = True
        while self._clients:
            self._clients.popitem()[1].close()


class AsyncHttp2Transport(_Clients):
    """``AsyncTransport`` that offers HTTP/2; the rest is as in ``Http2Transport``."""

    def __init__(
        self, network: Network | None = None, *, connect_timeout: float | None = None
    ) -> None:
        super().__init__(network, connect_timeout=connect_timeout)
        self._clients: dict[tuple[asyncio.AbstractEventLoop, str | None], httpx2.AsyncClient] = {}

    def disown(self) -> None:
        """Begin anew in a forked child."""
        self._clients = {}

    async def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer."""
        from codex_api.transport.httpx import AsyncHttpxTransport  # noqa: PLC0415 - an extra

        client = self._client(request)
        transport = AsyncHttpxTransport(client, connect_timeout=self._connect_timeout)
        with self._beginning():
            return await transport.execute(request, timeout)

    async def stream(self, request: Request, timeout: float | None = None) -> AsyncStreamResponse:
        """Send a request and return when the head of the answer is there."""
        from codex_api.transport.httpx import AsyncHttpxTransport  # noqa: PLC0415 - an extra

        client = self._client(request)
        transport = AsyncHttpxTransport(client, connect_timeout=self._connect_timeout)
        with self._beginning():
            return _AsyncStream(await transport.stream(request, timeout), self._carried)

    def _client(self, request: Request) -> httpx2.AsyncClient:
        import httpx2  # noqa: PLC0415 - an extra

        if self._is_closed:
            raise closed()
        for key in [known for known in self._clients if known[0].is_closed()]:
            del self._clients[key]
        key = asyncio.get_running_loop(), proxy_for(self._network, request.url)
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = httpx2.AsyncClient(**self._options(key[1]))
        return client

    async def aclose(self) -> None:
        """Close idle connections of the running loop and refuse further requests."""
        self._is_closed = True
        running = asyncio.get_running_loop()
        while self._clients:
            (loop, _), client = self._clients.popitem()
            if loop is running:
                await client.aclose()
