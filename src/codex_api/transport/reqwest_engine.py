"""The ``pyreqwest`` engine as both transports over it need it: clients, requests, errors.

With ``reqwest.py`` the only file that imports the engine.
"""

from __future__ import annotations

import atexit
import os
import time
from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from pyreqwest import exceptions as engine_errors
from pyreqwest.client import ClientBuilder
from pyreqwest.proxy import ProxyBuilder

from codex_api.transport import cookie_jar
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import RawBody, StreamedBody
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
    from collections.abc import Iterator

    from pyreqwest.bytes import Bytes
    from pyreqwest.client import Client
    from pyreqwest.http import HeaderMap
    from pyreqwest.request import RequestBuilder, StreamRequest
    from pyreqwest.response import Response as EngineResponse

    from codex_api.transport._core.messages import Request

# What is read whole is kept in memory: more than any image or model list needs.
MAX_BODY_BYTES = 256 << 20
_NO_ENGINE = "this client was made in another process; make a new one after os.fork()"
_CLOSED = "this client is closed; make a new one"


class Engine:
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
        """Give the client; ``patient`` gives the one without a limit on silence.

        Raises:
            ClientStateError: The engine is closed, or from another process.
            TransportError: It cannot be built with these settings.
        """
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
            raise translated(exc) from None
        except (ValueError, TypeError) as exc:
            kind = type(exc).__name__  # its text may show the illegal value
            message = f"the request's URL, method or headers are not legal HTTP ({kind})"
            raise RequestBuildError(message) from None

    def keep_cookies(self, url: str, headers: Headers) -> None:
        """Keep what cookies an answer set, as far as they are Cloudflare's."""
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
            raise translated(exc) from None


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


def translated(error: engine_errors.PyreqwestError) -> TransportError:
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


def headers_of(response: EngineResponse) -> Headers:
    """Give the fields of an answer's head.

    The engine cannot give a value that is not ASCII: fields with one are left out.
    """
    try:
        return Headers.received(response.headers.items())
    except ValueError:
        return Headers.received(_ascii_fields(response.headers))


def _ascii_fields(fields: HeaderMap) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys(fields):
        with suppress(ValueError):
            yield from ((name, value) for value in fields.getall(name))


def is_short(headers: Headers) -> bool:
    """Whether the answer says that it is one that we would keep in memory."""
    length = headers.get("content-length") or ""
    return length.isdecimal() and len(length) < 20 and int(length) <= MAX_BODY_BYTES  # noqa: PLR2004 - any real length is shorter


def bounded(body: bytearray, chunk: Bytes) -> bytes:
    """Give the bytes of ``chunk``, or raise ``EventTooLargeError`` if ``body`` got too big."""
    if len(body) + len(chunk) > MAX_BODY_BYTES:
        message = f"the answer is larger than {MAX_BODY_BYTES} bytes"
        raise EventTooLargeError(message)
    return chunk.to_bytes()
