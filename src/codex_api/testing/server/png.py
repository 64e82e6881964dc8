"""PNG pictures without a library: one colour, and a square in the middle of another."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Signature and the whole IHDR chunk.
_HEAD_BYTES = 33
_TRUECOLOUR, _TRUECOLOUR_ALPHA = 2, 6

Colour = tuple[int, int, int]


def picture(width: int, height: int, ground: Colour | None, figure: Colour) -> bytes:
    """Draw a square of ``figure`` on ``ground``; None leaves the ground transparent."""
    has_alpha = ground is None
    ground_pixel = bytes((0, 0, 0, 0)) if ground is None else bytes(ground)
    figure_pixel = bytes((*figure, 255)) if has_alpha else bytes(figure)
    side = max(min(width, height) // 2, 1)
    left = (width - side) // 2
    # Each row begins with its filter type: 0 is none.
    plain = b"\0" + ground_pixel * width
    crossed = (
        b"\0" + ground_pixel * left + figure_pixel * side + ground_pixel * (width - left - side)
    )
    top = (height - side) // 2
    rows = plain * top + crossed * side + plain * (height - top - side)
    colour_type = _TRUECOLOUR_ALPHA if has_alpha else _TRUECOLOUR
    head = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    data = zlib.compress(rows, 6)
    return SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG, or None for anything else."""
    if not data.startswith(SIGNATURE) or data[12:16] != b"IHDR" or len(data) < _HEAD_BYTES:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
