"""Rows of a file in an order that lets a provider's prompt cache serve them.

Rows whose prompts begin alike form a group. Its first row goes alone, since what it begins with is
in no cache before the server has read it; the others follow when that call has ended, before any
further group is begun, while what is cached lives.
"""

from __future__ import annotations

from array import array
from collections import deque
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from typing import IO

    from codex_api.bulk.requests import RequestFile
    from codex_api.bulk.row_ids import RowSet

#: Bytes of a prompt that must be alike: providers cache nothing shorter than 1,024 tokens.
SHARED_BYTES: Final = 4096
_NOTHING: Final = msgspec.Raw(b"")


class _Prompt(msgspec.Struct, gc=False):
    """What the cache of a provider goes by, in the order in which models read it."""

    model: msgspec.Raw = _NOTHING
    prompt_cache_key: str | None = None
    tools: msgspec.Raw = _NOTHING
    prompt: msgspec.Raw = _NOTHING
    instructions: msgspec.Raw = _NOTHING
    input: msgspec.Raw = _NOTHING


class _Line(msgspec.Struct, gc=False):
    body: _Prompt


_LINE: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)


def group_of(line: bytes) -> int | None:
    """Return a number that rows of one group share; None for a row that no other can help.

    A row with a ``prompt_cache_key`` belongs to those of its model with the same key. One without
    belongs to those that are alike in model, tools and instructions, and in the beginning of their
    input, where all that is long enough to be cached.
    """
    try:
        prompt = _LINE.decode(line).body
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    digest = blake2b(bytes(prompt.model), digest_size=8)
    if prompt.prompt_cache_key:
        digest.update(b"\0key\0" + prompt.prompt_cache_key.encode("utf-8", "surrogatepass"))
    else:
        pieces = (prompt.tools, prompt.prompt, prompt.instructions, prompt.input)
        shared = b"\0".join([bytes(piece)[:SHARED_BYTES] for piece in pieces])[:SHARED_BYTES]
        if len(shared) < SHARED_BYTES:
            return None
        digest.update(shared)
    return int.from_bytes(digest.digest(), "little")


class _Group:
    """Rows that follow the first one of their group."""

    __slots__ = ("end", "next")

    def __init__(self, start: int, end: int) -> None:
        self.next = start
        self.end = end


class CacheOrder:
    """Gives the rows of a file group by group; some 16 bytes a row are held. Close it.

    Args:
        file: It is read once, to find the groups.
        shard: As ``RequestFile.rows``.
        skip: Numbers of rows to leave out.

    Raises:
        OSError: The file cannot be read.
    """

    def __init__(
        self, file: RequestFile, shard: tuple[int, int] | None, skip: RowSet | None
    ) -> None:
        self._indexes, self._places, self._starts = _sorted_rows(file, shard, skip)
        self._next_group = 0
        # By the number of its first row, a group that waits for the end of that row's call.
        self._led: dict[int, _Group] = {}
        self._ready: deque[_Group] = deque()
        self._file: IO[bytes] = file.path.open("rb")

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()

    @property
    def is_over(self) -> bool:
        """Whether every row was given."""
        return not (self._ready or self._led) and self._next_group >= len(self._starts) - 1

    def take(self) -> tuple[int, bytes] | None:
        """Return the next row as its number and its line; None while none may go.

        Raises:
            OSError: The file cannot be read.
        """
        if self._ready:
            group = self._ready[0]
            place = group.next
            group.next += 1
            if group.next >= group.end:
                self._ready.popleft()
        elif self._next_group < len(self._starts) - 1:
            place, end = self._starts[self._next_group], self._starts[self._next_group + 1]
            self._next_group += 1
            if end - place > 1:
                self._led[self._indexes[place]] = _Group(place + 1, end)
        else:
            return None
        self._file.seek(self._places[place])
        return self._indexes[place], self._file.readline()

    def release(self, index: int) -> None:
        """Let those go that wait for the row with this number, if any do."""
        group = self._led.pop(index, None)
        if group is not None:
            self._ready.append(group)


def _sorted_rows(
    file: RequestFile, shard: tuple[int, int] | None, skip: RowSet | None
) -> tuple[array[int], array[int], array[int]]:
    """Sort rows by groups, in the order of the groups' first rows.

    Returns:
        Numbers of the rows, their places in the file, and where each group begins, the end last.
    """
    known: dict[int, int] = {}
    indexes, places, groups, sizes = array("Q"), array("Q"), array("Q"), array("Q")
    for index, place, line in file.placed_rows(shard, skip):
        found = group_of(line)
        group = len(sizes) if found is None else known.setdefault(found, len(sizes))
        if group == len(sizes):
            sizes.append(0)
        sizes[group] += 1
        indexes.append(index)
        places.append(place)
        groups.append(group)
    starts, free, total = array("Q"), array("Q"), 0
    for size in sizes:
        starts.append(total)
        free.append(total)
        total += size
    starts.append(total)
    by_group = array("Q", bytes(8 * total)), array("Q", bytes(8 * total))
    for index, place, group in zip(indexes, places, groups, strict=True):
        by_group[0][free[group]], by_group[1][free[group]] = index, place
        free[group] += 1
    return *by_group, starts
