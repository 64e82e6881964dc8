"""The ``error`` object of answers, events and wrapped frames, read field by field.

A field of the wrong type counts as absent and costs no other field. Whether that leaves enough to
know what failed is for the caller to say.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

Json = bytes | str | msgspec.Raw


class ErrorDetail(msgspec.Struct, frozen=True):
    """What a server says about a failure.

    Attributes:
        resets_at: Unix seconds.
        resets_in_seconds: Seconds from the answer on.
        param: What of the request is wrong.
        retry_after: Seconds to wait, where a member says so.
        status: The status that the failure would have as an answer.
    """

    type: str | None = None
    code: str | None = None
    message: str | None = None
    plan_type: str | None = None
    resets_at: int | None = None
    resets_in_seconds: float | None = None
    param: str | None = None
    retry_after: float | None = None
    status: int | None = None

    @property
    def kind(self) -> str | None:
        """The code, or the type where there is no code."""
        return self.code or self.type


_DECODERS: dict[object, Any] = {}


def read_as(kind: type[T], data: Json) -> T | None:
    """Decode ``data``; None when it is absent or of another type."""
    if not data:  # Most fields of most events are absent; raising for each would cost most.
        return None
    decoder: msgspec.json.Decoder[T] | None = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def read_any(data: Json) -> object:
    """Decode ``data`` to plain values; None when it is absent, too."""
    return read_as(object, data)
