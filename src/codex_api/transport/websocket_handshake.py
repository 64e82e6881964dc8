"""The opening handshake of a WebSocket: what goes out, in which order, and what can come back.

``websockets`` makes the request and checks the answer; nothing here reads from a socket. An answer
other than 101 is read as any HTTP answer, so that its status is known whatever its body is.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from typing import Final

from websockets import exceptions as ws_errors
from websockets.client import ClientProtocol
from websockets.datastructures import Headers as WireHeaders
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
)
from websockets.http11 import Response
from websockets.uri import parse_uri

try:
    from websockets.speedups import apply_mask
except ImportError:  # built without its extension
    from websockets.utils import apply_mask

from codex_api.transport._core.deflate import DeflateParameters, MessageDeflate
from codex_api.transport._core.flow import status_error
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.http1 import ResponseReader
from codex_api.transport._core.messages import public_url
from codex_api.transport._core.retry import RetryConfig
from codex_api.transport._core.websocket import WebSocketMachine
from codex_api.transport.errors import HttpStatusError, NetworkError, RequestBuildError

_FIRST_FIELDS: Final = (
    "Host",
    "Connection",
    "Upgrade",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Key",
)
_LAST_FIELD: Final = "sec-websocket-extensions"
_ACCEPTED: Final = b"HTTP/1.1 101"
_END_OF_HEAD: Final = b"\r\n\r\n"
_MAX_HEAD_BYTES: Final = 256 << 10
_MAX_BODY_BYTES: Final = 64 << 10
# Its records would hold header values and messages. `logging` does not know of it, so that no
# configuration of the caller's can turn it on again.
_SILENT: Final = logging.Logger("codex_api.connection.websockets")  # noqa: LOG001 - see above
_SILENT.disabled = True


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What the server answered to the handshake."""

    url: str
    status: int
    headers: Headers


class Handshake:
    """One handshake.

    Attributes:
        request: The bytes that ask for it.

    Args:
        url: A ``ws`` or ``wss`` URL.
        headers: Our fields; those that every handshake has are its own business.
        deflate: Whether permessage-deflate is offered.
        max_message_bytes: For the connection that comes of it.

    Raises:
        RequestBuildError: The URL is none.
    """

    def __init__(
        self, url: str, headers: Headers, *, deflate: bool, max_message_bytes: int | None
    ) -> None:
        try:
            uri = parse_uri(url)
        except (ws_errors.InvalidURI, ValueError) as exc:
            message = f"the WebSocket cannot be opened: {type(exc).__name__}"
            raise RequestBuildError(message) from exc
        offered = [ClientPerMessageDeflateFactory(client_max_window_bits=True)] if deflate else None
        self._protocol = ClientProtocol(uri, extensions=offered, logger=_SILENT)
        self._url = url
        self._max_message_bytes = max_message_bytes
        self._answer = b""
        self._refusal: ResponseReader | None = None
        self._body = b""
        request = self._protocol.connect()
        request.headers = _in_wire_order(request.headers, headers)
        self._protocol.send_request(request)
        self.request: bytes = b"".join(self._protocol.data_to_send())

    def feed(self, data: bytes) -> tuple[Upgrade, WebSocketMachine] | None:
        """Take a part of the answer in; none is the end of the connection.

        Returns:
            What was agreed on, and the machine that has the bytes behind the answer; None while
            more has to come.

        Raises:
            HttpStatusError: The server answered with another status than 101.
            NetworkError: The answer makes no sense, or was cut.
        """
        is_over = not data
        self._answer += data
        del data  # a traceback with locals would show header fields
        if self._refusal is None and not self._answer.startswith(_ACCEPTED[: len(self._answer)]):
            self._refusal = ResponseReader("GET")
        if self._refusal is not None:
            self._read_refusal(is_over=is_over)
            return None
        if _END_OF_HEAD in self._answer:
            return self._accepted()
        if is_over:
            message = "the server closed the connection during the WebSocket handshake"
            raise NetworkError(message)
        if len(self._answer) > _MAX_HEAD_BYTES:
            message = "the server's answer to the WebSocket handshake has no end"
            raise NetworkError(message)
        return None

    def interrupted(self) -> HttpStatusError | None:
        """Return the refusal whose body did not come to its end, if the answer is one."""
        return self._rejection() if self._refusal is not None and self._refusal.status else None

    def _accepted(self) -> tuple[Upgrade, WebSocketMachine]:
        protocol = self._protocol
        end = self._answer.index(_END_OF_HEAD) + len(_END_OF_HEAD)
        protocol.receive_data(self._answer[:end])
        if protocol.handshake_exc is not None:
            message = f"the WebSocket handshake failed: {protocol.handshake_exc}"
            raise NetworkError(message) from protocol.handshake_exc
        (response,) = protocol.events_received()
        assert isinstance(response, Response)  # noqa: S101 - the first event is
        fields = Headers.lenient(response.headers.raw_items())
        machine = WebSocketMachine(
            _masked,
            deflate=_deflate(protocol),
            max_message_bytes=self._max_message_bytes,
        )
        if len(self._answer) > end:
            machine.feed(self._answer[end:])
        return Upgrade(public_url(self._url), response.status_code, fields), machine

    def _read_refusal(self, *, is_over: bool) -> None:
        reader = self._refusal
        assert reader is not None  # noqa: S101 - the caller looked
        try:
            if self._answer:
                self._body += reader.feed(self._take_answer())
            if is_over:
                reader.close()
        except NetworkError as exc:
            if reader.status is None:
                message = f"the WebSocket handshake failed: {exc}"
                raise NetworkError(message) from exc
            raise self._rejection() from exc  # the status counts, whatever became of the body
        if reader.is_complete or len(self._body) >= _MAX_BODY_BYTES:
            raise self._rejection()

    def _take_answer(self) -> bytes:
        taken, self._answer = self._answer, b""
        return taken

    def _rejection(self) -> HttpStatusError:
        reader = self._refusal
        assert reader is not None  # noqa: S101 - the caller looked
        assert reader.status is not None  # noqa: S101 - as above
        body = self._body[:_MAX_BODY_BYTES]
        now = time.time()
        return status_error(reader.status, self._url, reader.headers, body, RetryConfig(), now)


def _in_wire_order(made: WireHeaders, ours: Headers) -> WireHeaders:
    """Put the fields into the real client's order and casing."""
    ordered = WireHeaders((name, made[name]) for name in _FIRST_FIELDS)
    taken = {name.lower() for name in _FIRST_FIELDS}
    for name, value in [*_rest(made), *ours.items()]:
        if name not in taken and name != _LAST_FIELD:
            ordered[name] = value
    for value in made.get_all(_LAST_FIELD):
        ordered[_LAST_FIELD] = value
    return ordered


def _rest(made: WireHeaders) -> list[tuple[str, str]]:
    # User info of the URL becomes an authorization.
    return [(name.lower(), value) for name, value in made.raw_items()]


def _deflate(protocol: ClientProtocol) -> MessageDeflate | None:
    for extension in protocol.extensions:
        if isinstance(extension, PerMessageDeflate):
            return MessageDeflate(
                DeflateParameters(
                    keeps_incoming=not extension.remote_no_context_takeover,
                    keeps_outgoing=not extension.local_no_context_takeover,
                    incoming_bits=extension.remote_max_window_bits,
                    outgoing_bits=extension.local_max_window_bits,
                )
            )
    return None


def _masked(payload: bytes) -> bytes:
    key = os.urandom(4)
    return key + apply_mask(payload, key)
