"""What both HTTP drivers do before and after the bytes: routes, heads, cookies, limits, errors."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from codex_api.transport import cookie_jar
from codex_api.transport._core.cookies import is_cookie_host
from codex_api.transport._core.http1 import encode_head
from codex_api.transport._core.messages import RawBody, StreamedBody
from codex_api.transport._core.packed_answer import MAX_BODY_BYTES
from codex_api.transport._core.route import Route, parse_target, route_to
from codex_api.transport.errors import (
    ClientStateError,
    ConnectTimeoutError,
    EventTooLargeError,
    NetworkError,
    RequestBuildError,
    TransportTimeoutError,
)
from codex_api.transport.network import load_certificates, proxy_for

if TYPE_CHECKING:
    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.messages import Request
    from codex_api.transport._core.route import Target
    from codex_api.transport.network import Network

#: A body up to this size leaves together with its head, in one packet if it fits.
JOINED_BYTES = 65_536
# How long the environment's proxies count as known; looking them up costs more than a request.
_WAY_SECONDS = 1.0
_MOST_WAYS = 256
_PREPARED = (RawBody, StreamedBody)
_CLOSED = "this client is closed; make a new one"


class Outgoing(Struct, frozen=True):
    """A request as it goes out.

    Attributes:
        head: Request line and fields.
        body: The bytes of a fixed body; what is streamed is in ``streamed``.
    """

    method: str
    route: Route
    head: bytes
    body: bytes
    streamed: StreamedBody | None

    def __repr__(self) -> str:
        # Credentials are in the head, whole conversations in the body.
        return f"Outgoing({self.method!r}, {self.route!r})"


class _Way(Struct, frozen=True):
    """How requests reach a server, and what that asks of their heads.

    Attributes:
        until: Monotonic instant from which on it has to be looked up again.
        for_proxy: Value of ``Proxy-Authorization``, or None.
        takes_cookies: Whether there may be cookies for this server.
    """

    until: float
    route: Route
    for_proxy: str | None
    takes_cookies: bool

    @property
    def names_whole_url(self) -> bool:
        """Whether the request line holds the URL and not its path alone."""
        return self.route.proxy is not None and not self.route.tunnel


class Preparer:
    """Turns requests into bytes, for one client."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._ways: dict[tuple[str, str, int], _Way] = {}

    def prepare(self, request: Request) -> Outgoing:
        """Return what goes out for ``request``.

        Raises:
            RequestBuildError: It cannot be sent as it is.
        """
        body = request.body
        if body is not None and not isinstance(body, _PREPARED):
            raise RequestBuildError("a transport sends prepared bodies only")
        target = parse_target(request.url)
        way = self._ways.get(target[:3])
        if way is None or time.monotonic() >= way.until:
            way = self._find_way(target, request.url)
        path, fields = target.path, request.headers
        if way.route.proxy is not None or way.takes_cookies or target.authorization is not None:
            fields = _completed(request, target, way)
            if way.names_whole_url:
                path = f"http://{target.authority}{path}"
        head = encode_head(request.method, path, target.authority, fields, body)
        if isinstance(body, StreamedBody):
            return Outgoing(request.method, way.route, head, b"", body)
        return Outgoing(request.method, way.route, head, body.data if body else b"", None)

    def keep_cookies(self, url: str, headers: Headers) -> None:
        """Keep what cookies an answer set, as far as they are Cloudflare's."""
        if self._network.cloudflare_cookies and "set-cookie" in headers.names():
            cookie_jar.store(url, headers)

    def _find_way(self, target: Target, url: str) -> _Way:
        if target.scheme not in {"http", "https"}:
            raise RequestBuildError("the request's URL must begin with http:// or https://")
        # With a bundle that cannot be used nothing is sent, not even without TLS.
        load_certificates(self._network, os.environ)
        route = route_to(target, proxy_for(self._network, url))
        way = _Way(
            until=time.monotonic() + _WAY_SECONDS,
            route=route,
            for_proxy=None if route.proxy is None or route.tunnel else route.proxy.authorization,
            takes_cookies=self._network.cloudflare_cookies
            and target.is_tls
            and is_cookie_host(target.host.lower()),
        )
        if len(self._ways) >= _MOST_WAYS:
            self._ways.clear()
        self._ways[target[:3]] = way
        return way


def _completed(request: Request, target: Target, way: _Way) -> Headers:
    """Return the request's fields, with those that its URL, its way and the cookie jar add."""
    fields = request.headers
    user, cookie = target.authorization, None
    if user is not None and "authorization" in fields:
        user = None
    if way.takes_cookies and "cookie" not in fields:
        cookie = cookie_jar.header_for(request.url)
    if cookie is None and way.for_proxy is None and user is None:
        return fields
    fields = fields.copy()
    added = (("authorization", user), ("cookie", cookie), ("proxy-authorization", way.for_proxy))
    for name, value in added:
        if value is not None:
            fields.set(name, value)
    return fields


def closed() -> ClientStateError:
    """Return the error for a request to a closed transport."""
    return ClientStateError(_CLOSED)


def late(
    cause: TransportTimeoutError, what: str, timeout: float | None, deadline: float | None
) -> TransportTimeoutError:
    """Return the error for an answer, or its head, that was not there in time.

    Args:
        cause: What the wait ended with; one of a limit of its own is returned as it is.
        what: What was not there.
        timeout: The limit in seconds, for the text.
        deadline: Its monotonic instant.
    """
    if isinstance(cause, ConnectTimeoutError) and (deadline is None or time.monotonic() < deadline):
        return cause
    why = f": {cause}" if cause.sent == "no" else ""
    error = TransportTimeoutError(f"no {what} within {timeout} s{why}")
    error.sent = cause.sent
    return error


def unanswered(error: NetworkError, *, reused: bool) -> NetworkError:
    """Return the error for a connection that ended before the first byte of an answer."""
    if not reused:
        return error
    message = "a connection that had been used before ended before the answer began"
    return NetworkError(f"{message}: {error}", retryable=error.retryable)


def check_size(headers: Headers, received: int) -> None:
    """Raise ``EventTooLargeError`` for an answer that is too large to keep, or says so.

    Args:
        headers: Its fields, checked for their form.
        received: Bytes of its body so far.
    """
    declared = headers.joined("content-length")
    if declared is not None and declared.isdecimal():
        check_held(int(declared))
    check_held(received)


def check_held(size: int) -> None:
    """Raise ``EventTooLargeError`` for more bytes of an answer than are kept."""
    if size > MAX_BODY_BYTES:
        error = EventTooLargeError(f"the answer is larger than {MAX_BODY_BYTES} bytes")
        error.sent = "begun"
        raise error


def piece_of_body(piece: object) -> bytes:
    """Return a piece of a streamed body as bytes.

    Raises:
        RequestBuildError: It is something else.
    """
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, bytearray):
        return bytes(piece)
    if isinstance(piece, memoryview):
        return piece.tobytes()
    message = f"a streamed body is made of bytes, not of {type(piece).__name__}"
    raise RequestBuildError(message)
