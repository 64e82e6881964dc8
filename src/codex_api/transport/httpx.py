"""HTTP over ``httpx2``, for whoever has a client of it already. The only file that imports it.

Slower per event than the built-in engine; it needs the extra ``codex-api[httpx2]``. Both classes
wrap a client that the caller made, configured and closes. Redirects are never followed, and of the
client's own headers none are sent.

In blocking code the engine limits single reads only, and keeps the limit of the first. So we put a
clock into each connection that one of our calls makes: a read there obeys the limit of the call.
Connections that the client had made for others keep the engine's rule.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from codex_api._imports import installed_by
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
from codex_api.transport.http_request import check_size

with installed_by("httpx2", "httpx2"):
    import httpx2

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Generator, Iterable

    from codex_api.transport._core.messages import Request


_NEW_CONNECTION = (
    "connect_tcp.complete",
    "connect_unix_socket.complete",
    "start_tls.complete",
)


class _Call(threading.local):
    """The blocking call that a thread is in; the engine reads in the thread of its caller."""

    is_ours = False
    deadline: float | None = None


_call = _Call()


@contextmanager
def _limited(deadline: float | None) -> Generator[None]:
    """End the reads of this thread at ``deadline``, a monotonic instant; None sets no limit."""
    before = _call.is_ours, _call.deadline
    _call.is_ours, _call.deadline = True, deadline
    try:
        yield
    finally:
        _call.is_ours, _call.deadline = before


def _put_clock_in(event: str, info: dict[str, Any]) -> None:
    """Take the engine's report of what it did, and give a new connection its clock."""
    if not event.endswith(_NEW_CONNECTION):
        return
    stream = info["return_value"]
    read = stream.read

    def read_in_time(max_bytes: int, timeout: float | None = None) -> bytes:
        if _call.is_ours:
            timeout = None
            if _call.deadline is not None:
                timeout = _call.deadline - time.monotonic()
                if timeout <= 0:
                    raise TransportTimeoutError("the limit of the call passed")
        data: bytes = read(max_bytes, timeout)
        return data

    stream.read = read_in_time


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


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
        self.connection: Any = _shared_connection(response)
        self.status: int = response.status_code
        self.headers: Headers = Headers.lenient(response.headers.multi_items())

    def read_chunk(self, timeout: float | None = None) -> bytes | None:
        """Wait for the next piece of the body."""
        self._limits["read"] = timeout  # for a connection without our clock
        try:
            with _limited(_deadline(timeout)):
                return next(self._chunks, None)
        except (httpx2.HTTPError, httpx2.StreamError) as exc:
            raise _translated(exc) from exc

    def close(self) -> None:
        """Close the stream."""
        self._response.close()


class HttpxTransport:
    """``Transport`` over an ``httpx2.Client``.

    Args:
        client: Used for every request; the caller closes it.
        connect_timeout: Seconds for making a connection; None sets no limit of its own.
    """

    def __init__(self, client: httpx2.Client, *, connect_timeout: float | None = None) -> None:
        self._client = client
        self._connect_timeout = connect_timeout

    def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer."""
        deadline = _deadline(timeout)
        stream = self.stream(request, timeout)
        body = bytearray()
        try:
            check_size(stream.headers, 0)
            while (chunk := stream.read_chunk(_left(deadline, timeout))) is not None:
                body += chunk
                check_size(stream.headers, len(body))
        finally:
            stream.close()
        return Response(stream.status, stream.headers, bytes(body))

    def stream(self, request: Request, timeout: float | None = None) -> HttpxStream:
        """Send a request and return when the head of the answer is there."""
        built = _built(request, timeout, self._connect_timeout)
        built.extensions["trace"] = _put_clock_in
        try:
            with _limited(_deadline(timeout)):
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
        self.connection: Any = _shared_connection(response)
        self.status: int = response.status_code
        self.headers: Headers = Headers.lenient(response.headers.multi_items())

    async def read_chunk(self) -> bytes | None:
        """Wait for the next piece of the body."""
        try:
            return await anext(self._chunks, None)
        except (httpx2.HTTPError, httpx2.StreamError) as exc:
            raise _translated(exc) from exc

    async def aclose(self) -> None:
        """Close the stream."""
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
                    check_size(stream.headers, 0)
                    while (chunk := await stream.read_chunk()) is not None:
                        body += chunk
                        check_size(stream.headers, len(body))
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


def _left(deadline: float | None, timeout: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise _late(timeout)
    return left


def _late(timeout: float | None) -> TransportTimeoutError:
    return TransportTimeoutError(f"no complete answer within {timeout} s")
