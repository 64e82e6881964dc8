"""permessage-deflate (RFC 7692): messages packed and unpacked, never past a limit."""

from __future__ import annotations

import zlib
from typing import NamedTuple

# What ends each block of a message and is not sent (RFC 7692, section 7.2.1).
_TAIL = b"\x00\x00\xff\xff"
_MEMORY_LEVEL = 5


class DeflateParameters(NamedTuple):
    """What both sides agreed on.

    Attributes:
        keeps_incoming: Whether a message may refer to those that the server sent before it.
        keeps_outgoing: Whether one may refer to those that we sent before it.
        incoming_bits: Size of the server's window, as a power of two.
        outgoing_bits: Size of ours.
    """

    keeps_incoming: bool = True
    keeps_outgoing: bool = True
    incoming_bits: int = 15
    outgoing_bits: int = 15


class InflateError(ValueError):
    """A compressed message is damaged."""


class TooLargeError(ValueError):
    """A message is, or would be, larger than the limit."""


class MessageDeflate:
    """The compression of one connection, in both directions."""

    __slots__ = ("_compressor", "_decompressor", "_parameters")

    def __init__(self, parameters: DeflateParameters) -> None:
        self._parameters = parameters
        self._compressor = _compressor(parameters.outgoing_bits)
        self._decompressor = zlib.decompressobj(-parameters.incoming_bits)

    def compress(self, data: bytes) -> bytes:
        """Pack one message."""
        compressor = self._compressor
        packed = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
        if not self._parameters.keeps_outgoing:
            self._compressor = _compressor(self._parameters.outgoing_bits)
        return packed[: -len(_TAIL)]

    def decompress(self, data: bytes, limit: int | None) -> bytes:
        """Unpack one message.

        Args:
            data: All frames of the message.
            limit: How many bytes may come out; None sets no limit.

        Raises:
            TooLargeError: More would come out. At most ``limit`` bytes were made.
            InflateError: It is damaged.
        """
        decompressor = self._decompressor
        # zlib takes 0 for no limit.
        most = 0 if limit is None else limit + 1
        try:
            unpacked = decompressor.decompress(data + _TAIL, most)
        except zlib.error as exc:
            message = "the compressed data is damaged"
            raise InflateError(message) from exc
        if limit is not None and len(unpacked) > limit:
            message = f"more than {limit} bytes would come out"
            raise TooLargeError(message)
        if not self._parameters.keeps_incoming or decompressor.eof:
            self._decompressor = zlib.decompressobj(-self._parameters.incoming_bits)
        return unpacked


def _compressor(bits: int) -> zlib._Compress:  # pyright: ignore[reportPrivateUsage]  # its only name
    return zlib.compressobj(wbits=-bits, memLevel=_MEMORY_LEVEL)
