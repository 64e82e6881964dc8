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
    """

    type: str | None = None
    code: str | None = None
    message: str | None = None
    plan_type: str | None = None
    resets_at: int | None = None
    resets_in_seconds: float | None = None

    @property
    def kind(self) -> str | None:
        """The code, or the type where there is no code."""
        return self.code or self.type


class _Fields(msgspec.Struct):
    type: msgspec.Raw = msgspec.Raw()
    code: msgspec.Raw = msgspec.Raw()
    message: msgspec.Raw = msgspec.Raw()
    plan_type: msgspec.Raw = msgspec.Raw()
    resets_at: msgspec.Raw = msgspec.Raw()
    resets_in_seconds: msgspec.Raw = msgspec.Raw()


class _Body(msgspec.Struct):
    error: msgspec.Raw = msgspec.Raw()


# A decoder per type: building one for ``dict[str, Raw]`` costs five times what it then decodes.
_DECODERS: dict[object, msgspec.json.Decoder[Any]] = {}


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


def error_detail(data: Json) -> ErrorDetail | None:
    """Read an ``error`` object; None when ``data`` is anything else."""
    fields = read_as(_Fields, data)
    if fields is None:
        return None
    return ErrorDetail(
        type=read_as(str, fields.type),
        code=read_as(str, fields.code),
        message=read_as(str, fields.message),
        plan_type=read_as(str, fields.plan_type),
        resets_at=read_as(int, fields.resets_at),
        resets_in_seconds=read_as(float, fields.resets_in_seconds),
    )


def body_error(body: bytes | None) -> ErrorDetail | None:
    """Read the ``error`` object in an answer's body; None when it has none."""
    if not body:
        return None
    answer = read_as(_Body, body)
    return None if answer is None else error_detail(answer.error)
