"""What the public API answers about the things that it keeps: pages of lists, deletions, counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list.

    Attributes:
        items: Its elements, in the order that was asked for.
        has_more: Whether elements follow; False when the server does not say.
        last_id: What to ask for the next page with; None when the page is empty or names none.
        raw: The exact bytes of the answer's body.
    """

    items: Sequence[T] = ()
    has_more: bool = False
    last_id: str | None = None
    raw: bytes = b""


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """That something is gone.

    Attributes:
        id: What was deleted.
        deleted: False when the server says that it is still there.
        raw: The exact bytes of the answer's body.
    """

    id: str
    deleted: bool = True
    raw: bytes = b""


class InputTokens(msgspec.Struct, frozen=True, kw_only=True):
    """How much a request would send to the model.

    Attributes:
        input_tokens: Tokens of instructions, tools and input together.
        raw: The exact bytes of the answer's body.
    """

    input_tokens: int
    raw: bytes = b""
