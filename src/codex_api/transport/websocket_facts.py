"""What WebSocket connections of both worlds share: facts, limits, and the errors they raise.

Rules that hold for every connection made here: redirects are not followed, since they would carry
our credentials to another host; no ping is sent unasked; pings are answered by whoever reads; the
handshake's own fields come first and in title case, ours follow in lower case, the extension offer
is last. Whatever ends a connection ends it at once, though the peer may leave TCP open.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from codex_api.transport._core.route import parse_target, route_to
from codex_api.transport.errors import (
    ClientStateError,
    ConnectTimeoutError,
    NetworkError,
    RequestBuildError,
    TransportError,
    TransportTimeoutError,
    WebSocketClosedError,
)
from codex_api.transport.network import proxy_for
from codex_api.transport.websocket_handshake import Handshake, Upgrade

if TYPE_CHECKING:
    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.route import Route
    from codex_api.transport._core.websocket import WebSocketMachine
    from codex_api.transport.network import Network

MAX_MESSAGE_BYTES = 64 << 20
# A peer that does not answer our close frame, or does not take our pong, is not waited for longer.
CLOSE_TIMEOUT = 2.0
# How often is read for the peer's close frame; one that goes on sending has not read ours.
GOODBYE_READS = 64
_SCHEMES = frozenset(("ws", "wss"))
_CLOSED = "the WebSocket is closed"


class SocketFacts:
    """What both kinds share: facts of the handshake, and the process that may use them."""

    def __init__(self, upgrade: Upgrade, machine: WebSocketMachine) -> None:
        self.upgrade = upgrade
        self.last_activity: float = time.monotonic()
        self._machine = machine
        self._pid = os.getpid()

    @property
    def status(self) -> int:
        """HTTP status of the handshake: 101."""
        return self.upgrade.status

    @property
    def headers(self) -> Headers:
        """Header fields of the answer to the handshake."""
        return self.upgrade.headers

    @property
    def silence(self) -> float:
        """Seconds since bytes were last received: messages, pings and pongs alike."""
        return time.monotonic() - self.last_activity

    def check_owner(self) -> None:
        """Refuse a use from where the connection was not opened.

        Raises:
            ClientStateError: It belongs to another process, or to another event loop.
        """
        if os.getpid() != self._pid:
            message = "this WebSocket was opened by the parent process: open one after the fork"
            raise ClientStateError(message)


def begin(
    url: str, headers: Headers, network: Network, *, deflate: bool, limit: int | None
) -> tuple[Handshake, Route]:
    """Prepare a handshake, and find the way to its server.

    Raises:
        RequestBuildError: URL, header or proxy settings cannot be used.
    """
    if urlsplit(url).scheme not in _SCHEMES:
        message = "the WebSocket cannot be opened: its URL begins with neither ws: nor wss:"
        raise RequestBuildError(message)
    handshake = Handshake(url, headers, deflate=deflate, max_message_bytes=limit)
    return handshake, route_to(parse_target(url), proxy_for(network, url))


def handshake_failure(
    exc: BaseException, handshake: Handshake, timeout: float | None
) -> BaseException:
    """Name what ended the handshake: a refusal whose body did not end is a refusal all the same."""
    if isinstance(exc, TimeoutError | TransportTimeoutError):
        late = ConnectTimeoutError(f"the WebSocket was not up within {timeout} s")
        return handshake.interrupted() or late
    if isinstance(exc, NetworkError):
        return handshake.interrupted() or exc
    return exc


def send_timeout(timeout: float | None) -> TransportTimeoutError:
    """Make the error for a message that was not taken within ``timeout`` seconds."""
    return TransportTimeoutError(f"the WebSocket message was not taken within {timeout} s")


def closed(cause: TransportError | None) -> TransportError:
    """Make the error for a use after the end; the peer's own words are kept."""
    if isinstance(cause, WebSocketClosedError):
        return again(cause)
    return WebSocketClosedError(_CLOSED if cause is None else f"{_CLOSED}: {cause}")


def again(failure: TransportError) -> TransportError:
    """Make an equal error, since one that is raised twice collects the tracebacks of both."""
    if isinstance(failure, WebSocketClosedError):
        error: TransportError = WebSocketClosedError(
            failure.message, code=failure.code, reason=failure.reason, is_cut=failure.is_cut
        )
    else:
        error = type(failure)(failure.message)
    error.__cause__ = failure.__cause__
    return error
