"""HTTP over ``pyreqwest``, for asyncio and for blocking code. The only file that imports it.

Both fronts use the engine's async client. The blocking one drives the engine's coroutines itself,
through ``BlockingDriver``, since the engine's own blocking client cannot be interrupted: neither a
signal nor a deadline nor a close from another thread ends its wait for a silent server
(docs/adr/0002).
"""

from __future__ import annotations

import asyncio
import atexit
import os
import time
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pyreqwest import exceptions as engine_errors
from pyreqwest.client import ClientBuilder
from pyreqwest.proxy import ProxyBuilder

from codex_api.transport import cookie_jar
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import RawBody, Response, StreamedBody
from codex_api.transport.blocking import BlockingDriver
from codex_api.transport.errors import (
    ClientStateError,
    ConnectTimeoutError,
    EventTooLargeError,
    NetworkError,
    RequestBuildError,
    TransportError,
    TransportTimeoutError,
)
from codex_api.transport.network import Network, certificates_der, proxy_for

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from pyreqwest.bytes import Bytes
    from pyreqwest.client import Client
    from pyreqwest.request import RequestBuilder, StreamRequest
    from pyreqwest.response import Response as EngineResponse

    from codex_api.transport._core.messages import Request

T = TypeVar("T")

# What is read whole is kept in memory: more than any image or model list needs.
MAX_BODY_BYTES = 256 << 20
_NO_ENGINE = "this client was made in another process; make a new one after os.fork()"
_CLOSED = "this client is closed; make a new one"
_STREAM_CLOSED = "the streamed answer was closed"


class _Engine:
    """The engine's clients, built on first use and tied to the process that built them.

    The limit on silence is a client's, not a request's, and counts while a body is sent too. Whole
    answers that may take longer, such as a compaction's or an upload's, go through a client of
    their own without it; their own limit ends them.
    """

    def __init__(
        self, network: Network, connect_timeout: float | None, read_timeout: float | None
    ) -> None:
        self._network = network
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._client: Client | None = None
        self._patient: Client | None = None
        self._pid = os.getpid()
        self._closed = False

    def client(self, *, patient: bool = False) -> Client:
        if os.getpid() != self._pid:
            raise ClientStateError(_NO_ENGINE)
        if self._closed:
            raise ClientStateError(_CLOSED)
        _await_engine_threads_at_exit()
        if patient:
            if self._patient is None:
                self._patient = self._built(None)
            return self._patient
        if self._client is None:
            self._client = self._built(self._read_timeout)
        return self._client

    def take(self) -> list[Client]:
        """Mark it closed and give what there is to close."""
        clients = [client for client in (self._client, self._patient) if client is not None]
        self._client, self._patient, self._closed = None, None, True
        return clients if os.getpid() == self._pid else []

    def request(
        self, request: Request, *, whole: bool = False, timeout: float | None = None
    ) -> StreamRequest:
        """Build a request.

        Args:
            request: Its body is final.
            whole: Whether the answer is read whole anyway, so that its head may wait for a body.
            timeout: Seconds after which the engine itself ends all of it, body included.
        """
        silence = self._read_timeout
        long = silence is not None and (timeout is None or timeout > silence)
        client = self.client(patient=whole and long)
        try:
            builder = client.request(request.method, request.url)
            builder = builder.headers(_wire_headers(request, self._network))
            if not whole:
                # With the engine's default of 64 KiB the first event arrives with the last.
                builder = builder.streamed_read_buffer_limit(0)
            if timeout is not None:
                builder = builder.timeout(timedelta(seconds=max(timeout, 0.0)))
            return _with_body(builder, request).build_streamed()
        except RequestBuildError:
            raise
        except engine_errors.PyreqwestError as exc:
            raise _translated(exc) from None
        except (ValueError, TypeError) as exc:
            kind = type(exc).__name__  # its text may show the illegal value
            message = f"the request's URL, method or headers are not legal HTTP ({kind})"
            raise RequestBuildError(message) from None

    def keep_cookies(self, url: str, headers: Headers) -> None:
        if self._network.cloudflare_cookies and "set-cookie" in headers:
            cookie_jar.store(url, headers)

    def _built(self, read_timeout: float | None) -> Client:
        network = self._network
        builder = (
            ClientBuilder()
            .follow_redirects(enable=False)  # they would carry our auth headers to another host
            .referer(enable=False)
            .gzip(enable=False)
            .brotli(enable=False)
            .zstd(enable=False)
            .deflate(enable=False)
            .http1_lower_case_headers()
            .http2(network.http2)
            .max_connections(network.max_connections)
            .no_proxy()
        )
        if self._connect_timeout is not None:
            builder = builder.connect_timeout(timedelta(seconds=self._connect_timeout))
        if read_timeout is not None:
            builder = builder.read_timeout(timedelta(seconds=read_timeout))
        if network.tcp_keepalive is not None:
            builder = (
                builder.tcp_keepalive(timedelta(seconds=network.tcp_keepalive))
                .tcp_keepalive_interval(timedelta(seconds=network.tcp_keepalive_interval))
                .tcp_keepalive_retries(network.tcp_keepalive_retries)
            )
        idle = network.pool_idle_timeout
        builder = builder.pool_idle_timeout(None if idle is None else timedelta(seconds=idle))
        if network.uses_proxies():
            builder = builder.proxy(ProxyBuilder.custom(lambda url: proxy_for(network, str(url))))
        for certificate in certificates_der(network):
            builder = builder.add_root_certificate_der(certificate)
        try:
            return builder.build()
        except RuntimeError as exc:  # what the engine raises in a forked child
            raise ClientStateError(_NO_ENGINE) from exc
        except engine_errors.PyreqwestError as exc:
            raise _translated(exc) from None


@cache
def _await_engine_threads_at_exit() -> None:
    """Let the engine's threads come back from Python before the interpreter is torn down.

    A thread that wakes an event loop gives the GIL up on the way. When the program ends at just
    that moment, it finds no interpreter to return to and aborts the process: on a busy machine 4
    to 15 of 100 programs that end with ``asyncio.run(main())``, and none of 300 with these pauses.
    """
    atexit.register(_pause)


def _pause() -> None:
    for _ in range(10):
        time.sleep(0.002)


def _wire_headers(request: Request, network: Network) -> list[tuple[str, str]]:
    pairs = list(request.headers.items())
    secure = request.url.startswith("https:")
    if secure and network.cloudflare_cookies and "cookie" not in request.headers:
        cookie = cookie_jar.header_for(request.url)
        if cookie is not None:
            pairs.append(("cookie", cookie))
    body = request.body
    if isinstance(body, StreamedBody) and body.length is not None:
        pairs.append(("content-length", str(body.length)))
    return pairs


def _with_body(builder: RequestBuilder, request: Request) -> RequestBuilder:
    body = request.body
    if body is None:
        return builder
    if isinstance(body, RawBody):
        return builder.body_bytes(body.data)
    if isinstance(body, StreamedBody):
        return builder.body_stream(body.open())
    message = "a transport sends prepared bodies only"
    raise RequestBuildError(message)


def _translated(error: engine_errors.PyreqwestError) -> TransportError:
    """Name an engine error in our terms.

    Its texts may hold the whole URL, so they are cut; and the result is raised from nothing, since
    tracebacks and loggers would print the texts of a cause.
    """
    reason = _reason(error)
    if isinstance(error, engine_errors.BuilderError):
        return RequestBuildError(f"the request cannot be built: {reason}")
    if isinstance(error, engine_errors.ConnectTimeoutError):
        return ConnectTimeoutError("the connection was not made in time")
    if isinstance(error, engine_errors.RequestTimeoutError):
        return TransportTimeoutError(f"the request timed out: {reason}")
    if isinstance(error, engine_errors.ClientClosedError):
        return ClientStateError(_CLOSED)
    return NetworkError(reason)


def _reason(error: engine_errors.PyreqwestError) -> str:
    texts: list[str] = [error.message]
    if isinstance(error, engine_errors.DetailedPyreqwestError):
        texts += [cause["message"] for cause in error.details["causes"] or ()]
    told = [text for text in texts if "://" not in text]
    # The chain repeats itself; the outermost text and the innermost cause say it all.
    return ": ".join(dict.fromkeys([told[0], told[-1]])) if told else "the request failed"


def _headers_of(response: EngineResponse) -> Headers:
    return Headers.received(response.headers.items())


def _cancels() -> int:
    """Count how often the running task was asked to end and did not.

    A cancellation that comes together with the engine's result is swallowed: the engine returns the
    result. So the count is compared before and after, and what was swallowed raised anew.
    """
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _check_cancels(before: int) -> None:
    if _cancels() != before:
        raise asyncio.CancelledError


class _AsyncStream:
    """A streamed answer under asyncio."""

    __slots__ = ("_entered", "_kept", "_read", "_response", "headers", "status")

    def __init__(self, entered: StreamRequest, response: EngineResponse) -> None:
        self._entered: StreamRequest | None = entered
        self._response = response
        self._read = response.body_reader.read_chunk
        self._kept: tuple[bytes | None] | None = None
        self.status = response.status
        self.headers = _headers_of(response)

    async def read_chunk(self) -> bytes | None:
        if self._kept is not None:
            (data,), self._kept = self._kept, None
            return data
        cancels = _cancels()
        try:
            chunk = await self._read()
        except engine_errors.PyreqwestError as exc:
            _check_cancels(cancels)
            raise _translated(exc) from None
        data = None if chunk is None else chunk.to_bytes()
        if _cancels() != cancels:
            self._kept = (data,)  # for whoever reads on
            raise asyncio.CancelledError
        return data

    async def read_all(self) -> bytes:
        try:
            if _is_short(self.headers):
                return (await self._response.bytes()).to_bytes()
            body = bytearray()
            while (chunk := await self._read()) is not None:
                body += _bounded(body, chunk)
        except engine_errors.PyreqwestError as exc:
            raise _translated(exc) from None
        return bytes(body)

    async def aclose(self) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            await entered.__aexit__(None, None, None)


class AsyncReqwestTransport:
    """``AsyncTransport`` over pyreqwest.

    Args:
        network: TLS, proxy, keep-alive and pool settings.
        connect_timeout: Seconds until TCP and TLS are up; None sets no limit.
        read_timeout: Seconds of silence after which the engine gives a connection up by itself. A
            call that is given up before the head of its answer is there keeps its connection until
            the answer begins or this has passed; None sets no limit.
    """

    def __init__(
        self,
        network: Network | None = None,
        *,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
    ) -> None:
        self._engine = _Engine(network or Network(), connect_timeout, read_timeout)

    async def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer."""
        ends_at, cancels = _end(timeout), _cancels()
        try:
            stream = await self._open(self._engine.request(request, whole=True, timeout=timeout))
            try:
                body = await stream.read_all()
                _check_cancels(cancels)
            except BaseException:
                await stream.aclose()
                _check_cancels(cancels)
                raise
        except TransportTimeoutError as exc:
            if not _has_passed(ends_at):
                raise
            raise _late(timeout) from exc
        self._engine.keep_cookies(request.url, stream.headers)
        return Response(stream.status, stream.headers, body)

    async def stream(self, request: Request, timeout: float | None = None) -> _AsyncStream:
        """Send a request and return when the head of the answer is there."""
        entered = self._engine.request(request)
        try:
            async with asyncio.timeout(timeout):
                stream = await self._open(entered)
        except TransportError:
            raise
        except TimeoutError as exc:
            message = f"no head of the answer within {timeout} s"
            raise TransportTimeoutError(message) from exc
        self._engine.keep_cookies(request.url, stream.headers)
        return stream

    async def _open(self, entered: StreamRequest) -> _AsyncStream:
        cancels = _cancels()
        try:
            stream = _AsyncStream(entered, await entered.__aenter__())
        except engine_errors.PyreqwestError as exc:
            _check_cancels(cancels)
            raise _translated(exc) from None
        if _cancels() != cancels:
            await stream.aclose()
            raise asyncio.CancelledError
        return stream

    async def aclose(self) -> None:
        """Close idle connections and refuse further requests."""
        for client in self._engine.take():
            await client.close()


def _end(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _has_passed(ends_at: float | None) -> bool:
    """Tell the limit on the whole answer from the one on connecting: the engine does not."""
    return ends_at is not None and time.monotonic() >= ends_at


def _late(timeout: float | None) -> TransportTimeoutError:
    return TransportTimeoutError(f"no complete answer within {timeout} s")


def _is_short(headers: Headers) -> bool:
    """Whether the answer says that it is one that we would keep in memory."""
    length = headers.get("content-length") or ""
    return length.isdecimal() and len(length) < 20 and int(length) <= MAX_BODY_BYTES  # noqa: PLR2004 - any real length is shorter


def _bounded(body: bytearray, chunk: Bytes) -> bytes:
    if len(body) + len(chunk) > MAX_BODY_BYTES:
        message = f"the answer is larger than {MAX_BODY_BYTES} bytes"
        raise EventTooLargeError(message)
    return chunk.to_bytes()


def _run(
    coroutine: Coroutine[Any, Any, T],
    timeout: float | None = None,
    driver: BlockingDriver | None = None,
) -> T:
    try:
        return (driver or BlockingDriver()).run(coroutine, timeout)
    except engine_errors.PyreqwestError as exc:
        raise _translated(exc) from None


class _Stream:
    """A streamed answer in blocking code."""

    __slots__ = (
        "_closed",
        "_driver",
        "_entered",
        "_pending",
        "_read",
        "_reading",
        "_response",
        "headers",
        "status",
    )

    def __init__(
        self, driver: BlockingDriver, entered: StreamRequest, response: EngineResponse
    ) -> None:
        self._driver = driver
        self._entered: StreamRequest | None = entered
        self._response = response
        self._read = response.body_reader.read_chunk
        self._pending: Coroutine[Any, Any, Any] | None = None
        self._reading = self._closed = False
        self.status = response.status
        self.headers = _headers_of(response)

    def read_chunk(self, timeout: float | None = None) -> bytes | None:
        if self._closed:
            raise ClientStateError(_STREAM_CLOSED)
        coroutine = self._pending or self._read()
        self._pending = coroutine  # kept after a timeout, so that nothing it holds is lost
        self._reading = True
        try:
            chunk = self._driver.advance(coroutine, timeout)
            self._pending = None
        except engine_errors.PyreqwestError as exc:
            self._pending = None
            raise _translated(exc) from None
        finally:
            self._reading = False
            if self._closed:
                self._release()
        return None if chunk is None else chunk.to_bytes()

    def read_all(self) -> bytes:
        if _is_short(self.headers):
            return _run(self._response.bytes(), driver=self._driver).to_bytes()
        body = bytearray()
        while (chunk := _run(self._read(), driver=self._driver)) is not None:
            body += _bounded(body, chunk)
        return bytes(body)

    def close(self) -> None:
        self._closed = True
        if self._reading:
            self._driver.stop()  # the reader wakes up and lets go of the connection itself
        else:
            self._release()

    def _release(self) -> None:
        if self._pending is not None:
            self._pending.close()
            self._pending = None
        entered, self._entered = self._entered, None
        if entered is not None:
            _run(entered.__aexit__(None, None, None))


class ReqwestTransport:
    """``Transport`` over pyreqwest; safe to share between threads.

    Args:
        network: TLS, proxy, keep-alive and pool settings.
        connect_timeout: Seconds until TCP and TLS are up; None sets no limit.
        read_timeout: Seconds of silence after which the engine gives a connection up by itself. A
            call that is given up before the head of its answer is there keeps its connection until
            the answer begins or this has passed; None sets no limit.
    """

    def __init__(
        self,
        network: Network | None = None,
        *,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
    ) -> None:
        self._engine = _Engine(network or Network(), connect_timeout, read_timeout)

    def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer."""
        ends_at = _end(timeout)
        try:
            stream = self._open(self._engine.request(request, whole=True, timeout=timeout), None)
            try:
                body = stream.read_all()
            except BaseException:
                stream.close()
                raise
        except TransportTimeoutError as exc:
            if not _has_passed(ends_at):
                raise
            raise _late(timeout) from exc
        self._engine.keep_cookies(request.url, stream.headers)
        return Response(stream.status, stream.headers, body)

    def stream(self, request: Request, timeout: float | None = None) -> _Stream:
        """Send a request and return when the head of the answer is there."""
        stream = self._open(self._engine.request(request), timeout)
        self._engine.keep_cookies(request.url, stream.headers)
        return stream

    def _open(self, entered: StreamRequest, timeout: float | None) -> _Stream:
        driver = BlockingDriver()
        return _Stream(driver, entered, _run(entered.__aenter__(), timeout, driver))

    def close(self) -> None:
        """Close idle connections and refuse further requests."""
        for client in self._engine.take():
            _run(client.close())
