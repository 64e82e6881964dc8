"""The sizes of chunks, which come again and again, and so are looked up instead of parsed.

The length of a read that is one whole chunk settles how its size line must look; and where a read
holds many chunks, what stands between two of them is a key.
"""

from __future__ import annotations

import re
from typing import Final

# Bounds both caches below.
_MOST_SIZES: Final = 4096


class _SizeLines(dict[int, tuple[int, tuple[bytes, ...]]]):
    """How the size line of a chunk that has data may look, by the length of all of the chunk.

    Each is the line's length, and the line with its CR LF in lower and in upper case.
    """

    def __missing__(self, total: int) -> tuple[int, tuple[bytes, ...]]:
        digits = 1
        while 16**digits + digits + 4 <= total:
            digits += 1
        size = total - digits - 4
        line = b"%x\r\n" % size
        if len(self) >= _MOST_SIZES:
            self.clear()
        entry = self[total] = (len(line), (line, line.upper()) if size > 0 else ())
        return entry


size_line_of: Final = _SizeLines().__getitem__
# What follows the data of a chunk: CR LF, a size line of two or three digits, and data up to seven
# bytes in all. Of these all but the data's length, and the size.
NEXT_CHUNKS: Final[dict[bytes, tuple[int, int]]] = {}
NEXT_CHUNK_BYTES: Final = 7
_NEXT_CHUNK: Final = re.compile(rb"\r\n([0-9A-Fa-f]{1,15})\r\n").match


def next_chunk(data: bytes, end: int) -> tuple[int, int] | None:
    """Return what the entry of ``NEXT_CHUNKS`` for a chunk that ends at ``end`` must be.

    None if there is no whole size line, or not a plain one, or the last chunk.
    """
    matched = _NEXT_CHUNK(data, end)
    size = int(matched[1], 16) if matched else 0
    if not matched or not size:
        return None
    entry = matched.end() - end, size
    key = data[end : end + NEXT_CHUNK_BYTES]
    if NEXT_CHUNK_BYTES - 1 <= entry[0] <= NEXT_CHUNK_BYTES == len(key):
        if len(NEXT_CHUNKS) >= _MOST_SIZES:
            NEXT_CHUNKS.clear()
        NEXT_CHUNKS[key] = entry
    return entry
