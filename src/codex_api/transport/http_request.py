"""What both HTTP drivers do before and after the bytes: routes, heads, cookies, limits, errors."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from codex_api.transport import cookie_jar
from codex_api.transport._core.http1 import encode_head
from codex_api.transport._core.messages import RawBody, StreamedBody
from codex_api.transport._core.route import parse_target, route_to
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
    from codex_api.transport._core.route import Route, Target
    from codex_api.transport.network import Network

#: What is read whole is kept in memory: more than any image or model list needs.
MAX_BODY_BYTES = 256 << 20
#: A body up to this size leaves together with its head, in one packet if it fits.
JOINED_BYTES = 65_536
# How long the environment's proxies count as known; looking them up costs more than a request.
_ROUTE_SECONDS = 1.0
_MOST_ROUTES = 256
_PREPARED = (RawBody, StreamedBody)
_CLOSED = "this client is closed; make a new one"


class Outgoing(NamedTuple):
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


class Preparer:
    """Turns requests into bytes, for one client."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._routes: dict[tuple[str, str, int], tuple[float, Route]] = {}

    def prepare(self, request: Request) -> Outgoing:
        """Return what goes out for ``request``.

        Raises:
            RequestBuildError: It cannot be sent as it is.
        """
        body = request.body
        if body is not None and not isinstance(body, _PREPARED):
            raise RequestBuildError("a transport sends prepared bodies only")
        target = parse_target(request.url)
        route = self._route(target, request.url)
        absolute = route.proxy is not None and not route.tunnel
        path = f"http://{target.authority}{target.path}" if absolute else target.path
        fields = self._fields(request, target, route)
        if not fields.are_printable():
            _check(fields)
        head = encode_head(request.method, path, target.authority, fields, body)
        if isinstance(body, StreamedBody):
            return Outgoing(request.method, route, head, b"", body)
        return Outgoing(request.method, route, head, body.data if body else b"", None)

    def keep_cookies(self, url: str, headers: Headers) -> None:
        """Keep what cookies an answer set, as far as they are Cloudflare's."""
        if self._network.cloudflare_cookies and "set-cookie" in headers.names():
            cookie_jar.store(url, headers)

    def _route(self, target: Target, url: str) -> Route:
        if target.scheme not in {"http", "https"}:
            raise RequestBuildError("the request's URL must begin with http:// or https://")
        key, now = target[:3], time.monotonic()
        known = self._routes.get(key)
        if known is not None and now < known[0]:
            return known[1]
        # With a bundle that cannot be used nothing is sent, not even without TLS.
        load_certificates(self._network, os.environ)
        route = route_to(target, proxy_for(self._network, url))
        if len(self._routes) >= _MOST_ROUTES:
            self._routes.clear()
        self._routes[key] = (now + _ROUTE_SECONDS, route)
        return route

    def _fields(self, request: Request, target: Target, route: Route) -> Headers:
        fields = request.headers
        cookie = None
        if self._network.cloudflare_cookies and target.is_tls and "cookie" not in fields:
            cookie = cookie_jar.header_for(request.url)
        proxy = route.proxy
        for_proxy = proxy.authorization if proxy is not None and not route.tunnel else None
        user = target.authorization
        if user is not None and "authorization" in fields:
            user = None
        if cookie is None and for_proxy is None and user is None:
            return fields
        fields = fields.copy()
        added = (("authorization", user), ("cookie", cookie), ("proxy-authorization", for_proxy))
        for name, value in added:
            if value is not None:
                fields.set(name, value)
        return fields


def _check(fields: Headers) -> None:
    """Refuse values that would end a line; ``Headers`` checks them, but not what was received."""
    for _, value in fields.items():  # noqa: PERF102 - no dictionary
        if _is_illegal(value):
            raise RequestBuildError("the request's headers are not legal HTTP")


def _is_illegal(value: str) -> bool:
    return any(
        (char != "\t" and (char < " " or char == "\x7f")) or _surrogate(char) for char in value
    )


def _surrogate(char: str) -> bool:
    return "\ud800" <= char <= "\udfff"


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
    declared = headers.get("content-length")
    if received > MAX_BODY_BYTES or (
        declared is not None and declared.isdecimal() and int(declared) > MAX_BODY_BYTES
    ):
        message = f"the answer is larger than {MAX_BODY_BYTES} bytes"
        raise EventTooLargeError(message)


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
