"""Frames of a WebSocket client (RFC 6455, section 5), and what a close frame says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Mask: TypeAlias = "Callable[[bytes], bytes]"

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

_MASKED: Final = 0x80
_SHORT: Final = 125
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127
_MAX_TWO_BYTES: Final = 0xFFFF
_MAX_REASON_BYTES: Final = 123

_PROTOCOL_ERROR: Final = 1002
_NO_CODE: Final = 1005
# Codes that may stand in a close frame (RFC 6455, section 7.4, and its registry).
_KNOWN_CODES: Final = frozenset((*range(1000, 1004), *range(1007, 1015)))
_FREE_CODES: Final = range(3000, 5000)


class FrameError(ValueError):
    """The peer sent what the protocol does not allow.

    Attributes:
        code: What our close frame says.
    """

    def __init__(self, message: str, code: int = _PROTOCOL_ERROR) -> None:
        super().__init__(message)
        self.code = code


def encode_frame(first: int, payload: bytes, mask: Mask) -> bytes:
    """Make a masked frame.

    Args:
        first: FIN, reserved bits and opcode.
        payload: Not masked yet.
        mask: Puts a random key of 4 bytes before the payload, and combines the two.
    """
    length = len(payload)
    if length <= _SHORT:
        head = bytes((first, _MASKED | length))
    elif length <= _MAX_TWO_BYTES:
        head = bytes((first, _MASKED | _TWO_BYTES)) + length.to_bytes(2, "big")
    else:
        head = bytes((first, _MASKED | _EIGHT_BYTES)) + length.to_bytes(8, "big")
    return head + mask(payload)


def close_payload(code: int, reason: str) -> bytes:
    """Make the payload of a close frame: none for 1005. A long reason is cut."""
    if code == _NO_CODE:
        return b""
    cut = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
    return code.to_bytes(2, "big") + cut.encode()


def read_close(payload: bytes) -> tuple[int, str]:
    """Return code and reason of a close frame: 1005 and nothing for an empty one.

    Raises:
        FrameError: It is none.
    """
    if not payload:
        return _NO_CODE, ""
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or (code not in _KNOWN_CODES and code not in _FREE_CODES):
        raise FrameError("a close frame has no legal code")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError as exc:
        raise FrameError("a close frame's reason is not UTF-8") from exc
