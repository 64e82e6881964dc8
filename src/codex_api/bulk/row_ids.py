"""Which rows are done and which ids came before, in little memory.

Rows of a file are known by their number, so that one bit each is enough. Ids are compared by
digests of 16 bytes; to look for duplicates among millions of them, they go to a temporary file in
parts that are looked at one after another.
"""

from __future__ import annotations

import tempfile
from hashlib import blake2b
from typing import IO, Final

_DIGEST: Final = 16
_SHARDS: Final = 64
_CHUNK: Final = 1 << 15


def digest_of(custom_id: str) -> bytes:
    """Return 16 bytes that stand for an id."""
    return blake2b(custom_id.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()


class RowSet:
    """Numbers of rows, one bit each."""

    def __init__(self) -> None:
        self._bits = bytearray()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        # Asked for each row of an input when a run is taken up again.
        try:
            return number >= 0 and self._bits[number >> 3] >> (number & 7) & 1 == 1
        except IndexError:
            return False

    def add(self, number: int) -> bool:
        """Put a number in; give whether it was not there before."""
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(self._bits):
            self._bits.extend(bytes(max(place + 1 - len(self._bits), len(self._bits), 1024)))
        if self._bits[place] & bit:
            return False
        self._bits[place] |= bit
        self._count += 1
        return True


class Duplicates:
    """Finds ids that come twice, among more than fit into memory. Close it."""

    def __init__(self) -> None:
        self._pending = [bytearray() for _ in range(_SHARDS)]
        self._chunks: list[list[int]] = [[] for _ in range(_SHARDS)]
        self._file: IO[bytes] | None = None

    def add(self, custom_id: str) -> None:
        """Take an id in."""
        digest = digest_of(custom_id)
        shard = digest[0] % _SHARDS
        pending = self._pending[shard]
        pending += digest
        if len(pending) >= _CHUNK:
            self._spill(shard)

    def find(self) -> set[bytes]:
        """Return the digests of the ids that came more than once."""
        twice: set[bytes] = set()
        for shard in range(_SHARDS):
            digests = self._digests(shard)
            seen: set[bytes] = set()
            for start in range(0, len(digests), _DIGEST):
                digest = digests[start : start + _DIGEST]
                if digest in seen:
                    twice.add(digest)
                seen.add(digest)
        return twice

    def close(self) -> None:
        """Remove the temporary file. May be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _spill(self, shard: int) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._chunks[shard].append(self._file.tell())
        # Of one size, so that where each begins is all that must be kept.
        self._file.write(self._pending[shard][:_CHUNK])
        del self._pending[shard][:_CHUNK]

    def _digests(self, shard: int) -> bytes:
        parts: list[bytes] = []
        if self._file is not None:
            for start in self._chunks[shard]:
                self._file.seek(start)
                parts.append(self._file.read(_CHUNK))
        return b"".join((*parts, self._pending[shard]))
