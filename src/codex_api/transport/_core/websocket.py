"""A WebSocket's client side after the handshake (RFC 6455), from bytes to messages and back.

Nothing here reads from a socket. Three rules bound what a peer can do to us: at most
``max_queued_bytes`` of messages wait before parsing stops, whatever the rest of the buffer would
inflate to; a message is given up before the limit on its size is passed, not after; and the first
close frame or violation ends everything at once, whatever follows it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from codex_api.transport._core.deflate import InflateError, MessageDeflate, TooLargeError
from codex_api.transport._core.websocket_frames import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    FrameError,
    Mask,
    close_payload,
    encode_frame,
    read_close,
)
from codex_api.transport.errors import EventTooLargeError, TransportError, WebSocketClosedError

MAX_QUEUED_BYTES: Final = 1 << 16

# First byte of a frame: FIN, three reserved bits, opcode.
_WHOLE_TEXT: Final = 0x81
_PACKED_TEXT: Final = 0xC1
_FIN: Final = 0x80
_COMPRESSED: Final = 0x40
_RESERVED: Final = 0x30
_OPCODE: Final = 0x0F
_MASKED: Final = 0x80
_CONTROL: Final = 0x08
_OPCODES: Final = frozenset((0x0, 0x1, 0x2, 0x8, 0x9, 0xA))
# Second byte: longer payloads have their length in the 2 or 8 bytes that follow.
_SHORT: Final = 125
_TWO_BYTES: Final = 126
_MAX_CONTROL: Final = 125
_MAX_TWO_BYTES: Final = 0xFFFF
_SHORTEST: Final = 2

_NORMAL = 1000
_PROTOCOL_ERROR = 1002
_INVALID_DATA = 1007
_TOO_BIG = 1009


class WebSocketMachine:
    """Frames in and out of one connection.

    Attributes:
        failure: Why no message will follow those that wait; None while the connection is open.

    Args:
        mask: Masks the payload of each frame that is sent, see ``encode_frame``.
        deflate: Compression that the handshake agreed on, or None.
        max_message_bytes: Largest message that may come in, after decompression; None for any.
        max_queued_bytes: How much may wait before ``is_full``.
    """

    __slots__ = (
        "_buffer",
        "_deflate",
        "_fragments",
        "_held",
        "_is_compressed",
        "_is_text",
        "_mask",
        "_max_message_bytes",
        "_max_queued_bytes",
        "_messages",
        "_needed",
        "_outgoing",
        "_queued_bytes",
        "_sent_close",
        "failure",
    )

    def __init__(
        self,
        mask: Mask,
        *,
        deflate: MessageDeflate | None = None,
        max_message_bytes: int | None = None,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
    ) -> None:
        self.failure: TransportError | None = None
        self._mask = mask
        self._deflate = deflate
        self._max_message_bytes = max_message_bytes
        self._max_queued_bytes = max_queued_bytes
        # Bytes of frames that are not complete, or wait until there is room.
        self._buffer: list[bytes] = []
        self._held = 0
        self._needed = 0
        self._messages: deque[str | bytes] = deque()
        self._queued_bytes = 0
        # One buffer: a peer may send millions of fragments of a byte each.
        self._fragments: bytearray | None = None
        self._is_text = self._is_compressed = False
        self._outgoing: list[bytes] = []
        self._sent_close = False

    @property
    def is_full(self) -> bool:
        """Whether reading should wait until messages are taken."""
        return self._queued_bytes >= self._max_queued_bytes

    @property
    def has_outgoing(self) -> bool:
        """Whether something has to be sent."""
        return bool(self._outgoing)

    def feed(self, data: bytes) -> None:
        """Take bytes in. After the end they are ignored."""
        if self.failure is not None:
            return
        self._buffer.append(data)
        self._held += len(data)
        if self._held >= self._needed and self._queued_bytes < self._max_queued_bytes:
            self._parse()

    def lose(self, cause: TransportError | None) -> None:
        """Note that the connection under us has ended, properly or by ``cause``."""
        if self.failure is None:
            message = "the WebSocket was lost without a close frame"
            self.failure = WebSocketClosedError(message if cause is None else f"{message}: {cause}")
            self.failure.__cause__ = cause

    def next_message(self) -> str | bytes | None:
        """Take the oldest message: text as ``str``, binary as ``bytes``; None when none waits."""
        messages = self._messages
        if not messages:
            return None
        message = messages.popleft()
        self._queued_bytes -= len(message)
        if self._held and self._held >= self._needed and not messages and self.failure is None:
            self._parse()
        return message

    @property
    def waiting(self) -> list[str | bytes]:
        """The messages that wait, from the oldest on; ``take`` takes them."""
        return list(self._messages)

    def take(self, count: int) -> None:
        """Take the oldest ``count`` of the messages that wait."""
        messages = self._messages
        if count >= len(messages):
            messages.clear()
            self._queued_bytes = 0
        else:
            for _ in range(count):
                self._queued_bytes -= len(messages.popleft())
        if self._held and self._held >= self._needed and not messages and self.failure is None:
            self._parse()

    def take_outgoing(self) -> bytes:
        """Take what has to be sent in answer: pongs, and the answer to a close frame."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data

    # What is sent

    def text(self, text: str | bytes) -> bytes:
        """Make the frame of a text message; bytes must be UTF-8."""
        data = text.encode() if isinstance(text, str) else text
        if self._deflate is None:
            return encode_frame(_FIN | TEXT, data, self._mask)
        packed = self._deflate.compress(data)
        return encode_frame(_FIN | _COMPRESSED | TEXT, packed, self._mask)

    def ping(self) -> bytes:
        """Make an empty ping."""
        return encode_frame(_FIN | PING, b"", self._mask)

    def close(self, code: int = _NORMAL, reason: str = "") -> bytes:
        """Make the close frame; nothing the second time."""
        if self._sent_close:
            return b""
        self._sent_close = True
        return encode_frame(_FIN | CLOSE, close_payload(code, reason), self._mask)

    # What comes in

    def _parse(self) -> None:
        """Turn the buffer into messages, until it ends, is full or fails."""
        buffer = self._buffer
        data = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        try:
            start = self._frames(data)
        except FrameError as exc:
            start = len(data)
            self._violate(exc)
        except TooLargeError:
            start = len(data)
            self._give_up()
        buffer.clear()
        self._held = len(data) - start
        if self._held:
            buffer.append(data[start:] if start else data)

    def _frames(self, data: bytes) -> int:
        """Handle the complete frames of ``data`` and return where the first other one begins."""
        start, size = 0, len(data)
        self._needed = _SHORTEST
        max_length = self._max_message_bytes or 0
        while size - start >= _SHORTEST and self._queued_bytes < self._max_queued_bytes:
            if self._fragments is None and (end := self._whole_texts(data, start)) != start:
                start = end
                continue
            first, length, at = data[start], data[start + 1], start + 2
            if length > _SHORT:
                at += 2 if length == _TWO_BYTES else self._long_width(length)
                if size < at:
                    self._needed = at - start
                    break
                length = int.from_bytes(data[start + 2 : at], "big")
            self._check(first, length)
            if length > max_length:
                self._check_size(first, length)
            end = at + length
            if size < end:
                self._needed = end - start
                break
            self._frame(first, data[at:end])
            if self.failure is not None:
                return size  # what follows a close frame is nobody's
            start = end
        return start

    def _whole_texts(self, data: bytes, start: int) -> int:
        """Take the usual messages, texts of one frame each, which few checks concern.

        Returns:
            Where something else begins, or a frame that is large, has not come whole, or must not
            be; ``start`` where that is the first one.
        """
        append, packed, size = self._messages.append, self._deflate, len(data)
        limit = self._max_message_bytes
        most = _MAX_TWO_BYTES if limit is None else limit
        room = self._max_queued_bytes - self._queued_bytes
        try:
            while room > 0 and size - start >= _SHORTEST + 2:
                first, length, at = data[start], data[start + 1], start + 2
                if length == _TWO_BYTES:
                    length, at = data[at] << 8 | data[at + 1], at + 2
                elif length > _SHORT:
                    break
                end = at + length
                if length > most or end > size:
                    break
                if first == _WHOLE_TEXT:
                    text = data[at:end].decode()
                elif first == _PACKED_TEXT and packed is not None:
                    text = packed.decompress(data[at:end], limit).decode()
                else:
                    break
                append(text)
                room -= len(text)
                start = end
        except UnicodeDecodeError as exc:
            raise FrameError("a text message is not UTF-8", _INVALID_DATA) from exc
        except InflateError as exc:
            raise FrameError(str(exc), _INVALID_DATA) from exc
        finally:
            self._queued_bytes = self._max_queued_bytes - room
        return start

    def _long_width(self, length: int) -> int:
        """Return how many bytes the length of the longest frames has."""
        if length & _MASKED:
            raise FrameError("a frame of the server is masked")
        return 8

    def _check(self, first: int, length: int) -> None:
        """Refuse a frame that must not be."""
        opcode = first & _OPCODE
        if first & _RESERVED or opcode not in _OPCODES:
            raise FrameError("a frame has a reserved bit or opcode")
        if opcode & _CONTROL:
            if not first & _FIN or first & _COMPRESSED or length > _MAX_CONTROL:
                raise FrameError("a control frame is fragmented, compressed or too long")
        elif (opcode == CONTINUATION) is (self._fragments is None):
            raise FrameError("a fragment is out of place")
        elif first & _COMPRESSED and (self._deflate is None or opcode == CONTINUATION):
            raise FrameError("a frame is compressed, which was not agreed on")

    def _check_size(self, first: int, length: int) -> None:
        """Refuse a frame whose message cannot be within the limit."""
        limit = self._max_message_bytes
        if limit is None or length <= limit:
            return
        # Data that cannot be compressed grows by 5 bytes in 16 KiB, and a few at the end.
        slack = (limit >> 10) + 64 if first & _COMPRESSED or self._is_compressed else 0
        if length > limit + slack:
            raise TooLargeError

    def _frame(self, first: int, payload: bytes) -> None:
        opcode = first & _OPCODE
        if opcode & _CONTROL:
            self._control(opcode, payload)
            return
        if opcode != CONTINUATION:
            self._is_text = opcode == TEXT
            self._is_compressed = bool(first & _COMPRESSED)
        if self._fragments is None:
            if first & _FIN:
                self._deliver(payload)
                return
            self._fragments = bytearray()
        self._check_size(first, len(self._fragments) + len(payload))
        self._fragments += payload
        if first & _FIN:
            whole, self._fragments = bytes(self._fragments), None
            self._deliver(whole)

    def _deliver(self, payload: bytes) -> None:
        if self._is_compressed:
            assert self._deflate is not None  # noqa: S101 - checked with the first frame
            try:
                payload = self._deflate.decompress(payload, self._max_message_bytes)
            except InflateError as exc:
                raise FrameError(str(exc), _INVALID_DATA) from exc
        if self._is_text:
            self._deliver_text(payload)
        else:
            self._messages.append(payload)
            self._queued_bytes += len(payload)

    def _deliver_text(self, payload: bytes) -> None:
        try:
            text = payload.decode()
        except UnicodeDecodeError as exc:
            raise FrameError("a text message is not UTF-8", _INVALID_DATA) from exc
        self._messages.append(text)
        self._queued_bytes += len(text)

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._outgoing.append(encode_frame(_FIN | PONG, payload, self._mask))
        elif opcode == CLOSE:
            code, reason = read_close(payload)
            said = f": {reason[:200]}" if reason else ""
            is_cut = self._fragments is not None
            where = " in the midst of a message" if is_cut else ""
            message = f"the server closed the WebSocket{where} with code {code}{said}"
            self.failure = WebSocketClosedError(message, code=code, reason=reason, is_cut=is_cut)
            self._outgoing.append(self.close(code))

    def _violate(self, exc: FrameError) -> None:
        self.failure = WebSocketClosedError(f"the server broke the WebSocket protocol: {exc}")
        self._outgoing.append(self.close(exc.code, str(exc)))

    def _give_up(self) -> None:
        limit = self._max_message_bytes
        self.failure = EventTooLargeError(f"a WebSocket message is larger than {limit} bytes")
        self._outgoing.append(self.close(_TOO_BIG))
