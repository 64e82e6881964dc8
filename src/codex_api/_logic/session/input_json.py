"""The JSON of an input that grows from request to request.

Each text holds what is new in it and refers to the one that it grew from, so growing copies
nothing, and of two texts only that is compared which they do not share.
"""

from __future__ import annotations

from typing import Final

_EMPTY: Final = len(b"[]")


class InputJson:
    """A JSON array in compact form. Never changes.

    Attributes:
        before: The text that this one grew from, or None.
        piece: What it adds to that. The bracket at the end belongs to no piece.
        size: Bytes of the whole text.

    Args:
        items: A JSON array.
        before: The text behind which ``items`` stand; None for nothing.
    """

    __slots__ = ("before", "piece", "size")

    def __init__(self, items: bytes = b"[]", before: InputJson | None = None) -> None:
        self.before: InputJson | None = before
        self.piece: bytes = items[:-1]
        if before is not None:
            self.piece = items[1:-1] if before.size == _EMPTY else b"," + items[1:-1]
        self.size: int = len(self.piece) + (1 if before is None else before.size)

    def grown(self, items: bytes) -> InputJson:
        """Return the text with the items of a JSON array behind it."""
        return self if len(items) == _EMPTY else InputJson(items, self)

    def after(self, known: InputJson) -> bytes | None:
        """Return what follows the items of ``known``, with the bracket at the end.

        Returns:
            None where the text does not begin as ``known`` does.
        """
        shared = _shared(self, known)
        rest, begun = _since(shared, self), _since(shared, known)
        begun = begun[:-1]
        return rest[len(begun) :] if rest.startswith(begun) else None

    def __bytes__(self) -> bytes:
        return _since(None, self)


NOTHING: Final = InputJson()


def _since(ancestor: InputJson | None, text: InputJson | None) -> bytes:
    pieces: list[bytes] = [b"]"]
    while text is not None and text is not ancestor:
        pieces.append(text.piece)
        text = text.before
    pieces.reverse()
    return b"".join(pieces)


def _shared(one: InputJson | None, other: InputJson | None) -> InputJson | None:
    """Return the longest text that both have grown from, if there is one."""
    while one is not None and other is not None and one is not other:
        if one.size >= other.size:
            one = one.before
        else:
            other = other.before
    return one if one is other else None
