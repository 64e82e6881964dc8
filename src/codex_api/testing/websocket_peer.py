"""The server's end of a WebSocket, from bytes to messages and back, without a socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from codex_api.testing.wire import HeaderPairs, header_pairs

if TYPE_CHECKING:
    from websockets.extensions import ServerExtensionFactory

    from codex_api.testing.recording import RecordedRequest


class PeerGoneError(Exception):
    """The client closed or reset the connection before the script was through."""


class NoHandshakeError(Exception):
    """The client sent something else where the script waits for a WebSocket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deflate:
    """Parameters of permessage-deflate that the server insists on; None leaves one open."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | None = None


@dataclass(slots=True)
class WebSocketLog:
    """What the client sent over a WebSocket.

    Attributes:
        messages: Text and binary messages in order.
        pings: Payloads of its pings.
        close_code: Code of its close frame, 1005 for one without, None when there was none.
    """

    messages: list[str | bytes] = field(default_factory=list[str | bytes])
    pings: list[bytes] = field(default_factory=list[bytes])
    close_code: int | None = None
    close_reason: str = ""


class WebSocketPeer:
    """Speaks the protocol; each method gives the bytes to write."""

    def __init__(self, log: WebSocketLog, deflate: Deflate | None, *, answers_pings: bool) -> None:
        extensions: list[ServerExtensionFactory] = []
        if deflate is not None:
            extensions.append(
                ServerPerMessageDeflateFactory(
                    server_no_context_takeover=deflate.server_no_context_takeover,
                    client_no_context_takeover=deflate.client_no_context_takeover,
                    server_max_window_bits=deflate.server_max_window_bits,
                    client_max_window_bits=deflate.client_max_window_bits,
                )
            )
        self.unread: list[str | bytes] = []
        self._log = log
        self._answers_pings = answers_pings
        self._protocol = ServerProtocol(extensions=extensions, max_size=None)
        self._fragments: list[bytes] = []
        self._is_text = False

    def accept(self, request: RecordedRequest, headers: HeaderPairs) -> bytes:
        """Answer the handshake ``request`` with 101.

        Raises:
            NoHandshakeError: It is no handshake, or a bad one.
        """
        lines = [f"{request.method} {request.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers]
        self._protocol.receive_data("\r\n".join([*lines, "", ""]).encode("latin-1"))
        handshakes = [
            each for each in self._protocol.events_received() if isinstance(each, Request)
        ]
        if not handshakes:
            message = f"{request.method} {request.path} is no WebSocket handshake"
            raise NoHandshakeError(message)
        response = self._protocol.accept(handshakes[0])
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            raise NoHandshakeError(response.body.decode())
        for name, value in header_pairs(headers):
            response.headers[name] = value
        self._protocol.send_response(response)
        return self._output()

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the client."""
        if self._protocol.state is State.CLOSED:
            return b""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
        output = self._output()
        return output if self._answers_pings else b""

    @property
    def is_through(self) -> bool:
        """Whether both sides have sent a close frame: then the server drops the connection."""
        return self._answers_pings and self._protocol.close_expected()

    @property
    def client_closed_first(self) -> bool:
        """Whether the client's close frame came before ours."""
        return bool(self._protocol.close_rcvd_then_sent)

    def text(self, data: bytes) -> bytes:
        """Send a text message."""
        self._check_open()
        self._protocol.send_text(data)
        return self._output()

    def binary(self, data: bytes) -> bytes:
        """Send a binary message."""
        self._check_open()
        self._protocol.send_binary(data)
        return self._output()

    def ping(self, payload: bytes) -> bytes:
        """Send a ping."""
        self._check_open()
        self._protocol.send_ping(payload)
        return self._output()

    def close(self, code: int | None, reason: str) -> bytes:
        """Send a close frame."""
        self._check_open()
        self._protocol.send_close(code, reason)
        return self._output()

    def _check_open(self) -> None:
        if self._protocol.state is not State.OPEN:
            raise PeerGoneError

    def _take(self, frame: Frame) -> None:
        data = bytes(frame.data)
        if frame.opcode is Opcode.PING:
            self._log.pings.append(data)
        elif frame.opcode is Opcode.CLOSE:
            self._log.close_code = int.from_bytes(data[:2], "big") if data else 1005
            self._log.close_reason = data[2:].decode()
        elif frame.opcode is not Opcode.PONG:
            if frame.opcode is not Opcode.CONT:
                self._is_text = frame.opcode is Opcode.TEXT
            self._fragments.append(data)
            if frame.fin:
                self._deliver(b"".join(self._fragments))

    def _deliver(self, whole: bytes) -> None:
        self._fragments.clear()
        message = whole.decode() if self._is_text else whole
        self._log.messages.append(message)
        self.unread.append(message)

    def _output(self) -> bytes:
        return b"".join(self._protocol.data_to_send())
