"""The opening handshake of a WebSocket: what goes out, in which order, and what can come back."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from websockets import exceptions as ws_errors
from websockets.asyncio import client as asyncio_client
from websockets.client import ClientProtocol
from websockets.datastructures import Headers as WireHeaders
from websockets.sync import client as sync_client

from codex_api.transport._core.flow import status_error
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import public_url
from codex_api.transport._core.retry import RetryConfig
from codex_api.transport.errors import (
    CodexApiError,
    ConnectTimeoutError,
    HttpStatusError,
    NetworkError,
    RequestBuildError,
)

if TYPE_CHECKING:
    import socket

    from websockets.http11 import Request

_FIRST_FIELDS = (
    "Host",
    "Connection",
    "Upgrade",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Key",
)
_LAST_FIELD = "sec-websocket-extensions"
_SWITCHING_PROTOCOLS = 101


class Protocol(ClientProtocol):
    """The sans-I/O client, with our order of handshake fields and a clock on incoming bytes."""

    last_activity: float = 0.0

    @classmethod
    def replacing(cls, protocol: ClientProtocol) -> Protocol:
        """Give one with the settings of ``protocol``, which nothing was sent through yet."""
        return cls(
            protocol.uri,
            extensions=protocol.available_extensions,
            max_size=protocol.max_message_size,
        )

    def send_request(self, request: Request) -> None:
        """Send the handshake with its fields in the real client's order."""
        request.headers = _in_wire_order(request.headers)
        super().send_request(request)

    def receive_data(self, data: bytes | bytearray) -> None:
        """Take bytes in, and note when."""
        self.last_activity = time.monotonic()
        super().receive_data(data)


def _in_wire_order(headers: WireHeaders) -> WireHeaders:
    first = {name.lower(): name for name in _FIRST_FIELDS}
    ordered = WireHeaders((name, headers[name]) for name in _FIRST_FIELDS)
    last: list[str] = []
    for name, value in headers.raw_items():
        lower = name.lower()
        if lower == _LAST_FIELD:
            last.append(value)
        elif lower not in first:
            ordered[lower] = value
    for value in last:
        ordered[_LAST_FIELD] = value
    return ordered


class SyncConnection(sync_client.ClientConnection):
    """A connection in blocking code with our protocol in it, as ``activity``."""

    def __init__(
        self,
        sock: socket.socket,
        protocol: ClientProtocol,
        **options: Any,  # noqa: ANN401 - handed on
    ) -> None:
        self.activity = Protocol.replacing(protocol)
        super().__init__(sock, self.activity, **options)

    def maybe_raise_legacy_warning(self) -> None:
        """Stay silent: we own the connection and close it ourselves."""


class AsyncConnection(asyncio_client.ClientConnection):
    """A connection under asyncio with our protocol in it, as ``activity``."""

    def __init__(self, protocol: ClientProtocol, **options: Any) -> None:  # noqa: ANN401 - handed on
        self.activity = Protocol.replacing(protocol)
        super().__init__(self.activity, **options)


class SyncConnect(sync_client.reconnect):
    """Opens a connection in blocking code."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow none: a redirect is the error that it came as."""
        return exc


class AsyncConnect(asyncio_client.connect):
    """Opens a connection under asyncio."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow none: a redirect is the error that it came as."""
        return exc


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What the server answered to the handshake."""

    url: str
    status: int
    headers: Headers


def upgrade_of(url: str, connection: SyncConnection | AsyncConnection) -> Upgrade:
    """Give what the server answered when ``connection`` was opened."""
    response = connection.response
    if response is None:
        return Upgrade(public_url(url), _SWITCHING_PROTOCOLS, Headers())
    fields = Headers.lenient(response.headers.raw_items())
    return Upgrade(public_url(url), response.status_code, fields)


def connect_error(  # noqa: PLR0911 - one arm a cause
    exc: Exception, url: str, timeout: float | None
) -> CodexApiError:
    """Name in our terms what opening a connection failed with.

    Args:
        timeout: The limit in seconds that was set, for the text.
    """
    match exc:
        case CodexApiError():
            return exc
        case ws_errors.InvalidStatus():
            return _rejection(exc, url)
        case TimeoutError():
            return ConnectTimeoutError(f"the WebSocket was not up within {timeout} s")
        case ssl.SSLCertVerificationError():
            message = f"the server's certificate is not trusted: {exc.verify_message}"
            return NetworkError(message, retryable=False)
        case ws_errors.InvalidURI() | ws_errors.InvalidProxy() | ValueError() | ImportError():
            return RequestBuildError(f"the WebSocket cannot be opened: {type(exc).__name__}")
        case ws_errors.InvalidProxyStatus():
            status = exc.response.status_code
            return NetworkError(f"the proxy refused the WebSocket with status {status}")
        case ws_errors.InvalidMessage() if isinstance(exc.__cause__, EOFError):
            return NetworkError("the server closed the connection during the WebSocket handshake")
        case OSError():
            return NetworkError(f"the WebSocket could not be opened: {exc.strerror or exc}")
        case _:
            return NetworkError(f"the WebSocket handshake failed: {exc}")


def _rejection(exc: ws_errors.InvalidStatus, url: str) -> HttpStatusError:
    response = exc.response
    headers = Headers.lenient(response.headers.raw_items())
    body = bytes(response.body)
    return status_error(response.status_code, url, headers, body, RetryConfig(), time.time())
