"""HTTP/2 for a client whose ``Network.http2`` is set, over ``httpx2`` with our settings.

It needs the extra ``codex-api[httpx2]``. It saves connections, not time: an event costs more than
over HTTP/1.1.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from codex_api.transport.errors import RequestBuildError
from codex_api.transport.http_request import closed
from codex_api.transport.inheritance import disown_after_fork
from codex_api.transport.network import Network, proxy_for

if TYPE_CHECKING:
    import httpx2

    from codex_api.transport._core.messages import Request, Response
    from codex_api.transport.protocols import AsyncStreamResponse, StreamResponse

_MISSING = "Network(http2=True) needs the extra of HTTP/2: pip install codex-api[httpx2]"


class _Clients:
    """What both worlds share: the settings, and when to begin anew."""

    def __init__(
        self, network: Network | None = None, *, connect_timeout: float | None = None
    ) -> None:
        try:
            import h2  # noqa: F401, PLC0415 - an extra
            import httpx2  # noqa: F401, PLC0415 - an extra
        except ImportError as exc:
            raise RequestBuildError(_MISSING) from exc
        self._network = network or Network()
        self._connect_timeout = connect_timeout
        self._is_closed = False
        disown_after_fork(self)

    def disown(self) -> None:
        """Begin anew in a forked child."""
        raise NotImplementedError

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
        return transport.execute(request, timeout)

    def stream(self, request: Request, timeout: float | None = None) -> StreamResponse:
        """Send a request and return when the head of the answer is there."""
        from codex_api.transport.httpx import HttpxTransport  # noqa: PLC0415 - an extra

        transport = HttpxTransport(self._client(request), connect_timeout=self._connect_timeout)
        return transport.stream(request, timeout)

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
        return await transport.execute(request, timeout)

    async def stream(self, request: Request, timeout: float | None = None) -> AsyncStreamResponse:
        """Send a request and return when the head of the answer is there."""
        from codex_api.transport.httpx import AsyncHttpxTransport  # noqa: PLC0415 - an extra

        client = self._client(request)
        transport = AsyncHttpxTransport(client, connect_timeout=self._connect_timeout)
        return await transport.stream(request, timeout)

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
