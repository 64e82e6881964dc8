"""HTTP over ``httpx2``, for whoever has a client of it already. The only file that imports it.

Slower per event than the built-in engine; it needs the extra ``codex-api[httpx2]``. Both classes
wrap a client that the caller made, configured and closes. Redirects are never followed, and of the
client's own headers none are sent.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import httpx2

from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import RawBody, Response, StreamedBody
from codex_api.transport.errors import (
    ClientStateError,
    ConnectTimeoutError,
    NetworkError,
    RequestBuildError,
    TransportError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable

    from codex_api.transport._core.messages import Request


def _built(
    request: Request, timeout: float | None, connect_timeout: float | None
) -> httpx2.Request:
    headers = list(request.headers.items())
    body = request.body
    content: bytes | Iterable[bytes] | AsyncIterable[bytes] | None
    if isinstance(body, StreamedBody):
        content = body.open()
        if body.length is not None:
            headers.append(("content-length", str(body.length)))
    elif body is None or isinstance(body, RawBody):
        content = body.data if body else None
    else:
        message = "a transport sends prepared bodies only"
        raise RequestBuildError(message)
    limits = httpx2.Timeout(timeout).as_dict()
    if connect_timeout is not None:
        limits["connect"] = min(connect_timeout, connect_timeout if timeout is None else timeout)
    try:
        return httpx2.Request(
            request.method,
            request.url,
            headers=headers,
            content=content,
            extensions={"timeout": limits},
        )
    except (httpx2.InvalidURL, ValueError, TypeError) as exc:
        message = "the request's URL, method or headers are not legal HTTP"
        raise RequestBuildError(message) from exc


def _translated(error: Exception) -> TransportError:
    kind = type(error).__name__
    if isinstance(error, httpx2.ConnectTimeout):
        return ConnectTimeoutError("the connection was not made in time")
    if isinstance(error, httpx2.TimeoutException):
        return TransportTimeoutError(f"the request timed out: {kind}")
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return RequestBuildError(f"the request cannot be sent: {kind}")
    if isinstance(error, RuntimeError):
        return ClientStateError("the httpx2 client is closed")
    return NetworkError(f"{kind}: {error}" if "://" not in str(error) else kind)


def _shared_connection(response: httpx2.Response) -> Any:  # noqa: ANN401 - one of two protocols
    return response.extensions.get("network_stream") if "stream_id" in response.extensions else None


class HttpxStream:
    """A streamed answer in blocking code."""

    def __init__(self, request: httpx2.Request, response: httpx2.Response) -> None:
        self._limits = request.extensions["timeout"]
        self._response = response
        self._chunks = response.iter_raw()
        #: The engine's connection, if it may carry other streams too; else None.
        self.connection = _shared_connection(response)
        self.status = response.status_code
        self.headers = Headers.lenient(response.headers.multi_items())

    def read_chunk(self, timeout: float | None = None) -> bytes | None:
        """Wait for the next piece of the body."""
        self._limits["read"] = timeout
        try:
            return next(self._chunks, None)
        except (httpx2.HTTPError, httpx2.StreamError) as exc:
            raise _translated(exc) from exc

    def close(self) -> None:
        """Give the stream up."""
        self._response.close()


class HttpxTransport:
    """``Transport`` over an ``httpx2.Client``.

    The engine takes the limit on a read from the first read of a stream and keeps it, so a stream's
    clocks may run over by as much. The built-in transport and the asyncio one are exact.

    Args:
        client: Used for every request; the caller closes it.
        connect_timeout: Seconds for making a connection; None sets no limit of its own.
    """

    def __init__(self, client: httpx2.Client, *, connect_timeout: float | None = None) -> None:
        self._client = client
        self._connect_timeout = connect_timeout

    def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer."""
        ends_at = None if timeout is None else time.monotonic() + timeout
        stream = self.stream(request, timeout)
        body = bytearray()
        try:
            while (chunk := stream.read_chunk(timeout)) is not None:
                body += chunk
                # The engine limits single reads only.
                if ends_at is not None and time.monotonic() >= ends_at:
                    raise _late(timeout)
        finally:
            stream.close()
        return Response(stream.status, stream.headers, bytes(body))

    def stream(self, request: Request, timeout: float | None = None) -> HttpxStream:
        """Send a request and return when the head of the answer is there."""
        built = _built(request, timeout, self._connect_timeout)
        try:
            response = self._client.send(built, stream=True, auth=None, follow_redirects=False)
        except (httpx2.HTTPError, RuntimeError) as exc:
            raise _translated(exc) from exc
        return HttpxStream(built, response)

    def close(self) -> None:
        """Leave the client alone; whoever made it closes it."""


class AsyncHttpxStream:
    """A streamed answer under asyncio."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self._chunks = response.aiter_raw()
        #: The engine's connection, if it may carry other streams too; else None.
        self.connection = _shared_connection(response)
        self.status = response.status_code
        self.headers = Headers.lenient(response.headers.multi_items())

    async def read_chunk(self) -> bytes | None:
        """Wait for the next piece of the body."""
        try:
            return await anext(self._chunks, None)
        except (httpx2.HTTPError, httpx2.StreamError) as exc:
            raise _translated(exc) from exc

    async def aclose(self) -> None:
        """Give the stream up."""
        await self._response.aclose()


class AsyncHttpxTransport:
    """``AsyncTransport`` over an ``httpx2.AsyncClient``.

    Args:
        client: Used for every request, in one event loop; the caller closes it.
        connect_timeout: Seconds for making a connection; None sets no limit of its own.
    """

    def __init__(self, client: httpx2.AsyncClient, *, connect_timeout: float | None = None) -> None:
        self._client = client
        self._connect_timeout = connect_timeout

    async def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer."""
        body = bytearray()
        try:
            async with asyncio.timeout(timeout):
                stream = await self._open(request)
                try:
                    while (chunk := await stream.read_chunk()) is not None:
                        body += chunk
                finally:
                    await stream.aclose()
        except TransportError:
            raise
        except TimeoutError as exc:
            raise _late(timeout) from exc
        return Response(stream.status, stream.headers, bytes(body))

    async def stream(self, request: Request, timeout: float | None = None) -> AsyncHttpxStream:
        """Send a request and return when the head of the answer is there."""
        try:
            async with asyncio.timeout(timeout):
                return await self._open(request)
        except TransportError:
            raise
        except TimeoutError as exc:
            raise _late(timeout) from exc

    async def _open(self, request: Request) -> AsyncHttpxStream:
        built = _built(request, None, self._connect_timeout)
        try:
            response = await self._client.send(
                built, stream=True, auth=None, follow_redirects=False
            )
        except (httpx2.HTTPError, RuntimeError) as exc:
            raise _translated(exc) from exc
        return AsyncHttpxStream(response)

    async def aclose(self) -> None:
        """Leave the client alone; whoever made it closes it."""


def _late(timeout: float | None) -> TransportTimeoutError:
    return TransportTimeoutError(f"no complete answer within {timeout} s")
