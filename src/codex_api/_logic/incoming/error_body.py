"""The ``error`` object of answers, events and wrapped frames, read field by field.

A field of the wrong type counts as absent and costs no other field. Whether that leaves enough to
know what failed is for the caller to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

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


_ABSENT = msgspec.Raw()
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


def read_fitting(kind: type[S], data: Json) -> S | None:
    """Decode an object of which only those members count that fit.

    Returns:
        None when ``data`` is no object, or a member that ``kind`` needs does not fit.
    """
    if (read := read_as(kind, data)) is not None:
        return read
    fields = read_as(dict[str, msgspec.Raw], data)
    return None if fields is None else fitting(kind, fields)


def fitting(
    kind: type[S],
    fields: Mapping[str, msgspec.Raw],
    stand_ins: Mapping[str, Any] | None = None,
) -> S | None:
    """Make a struct of those members that fit, as ``read_fitting`` does.

    Args:
        stand_ins: What stands for members that are needed and are not there.
    """
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        raw = fields.get(field.encode_name, _ABSENT)
        member: Any = field.type
        read = read_fitting if hasattr(member, "__struct_fields__") else read_as
        value: object = read(member, raw)
        if value is not None:
            values[field.name] = value
        elif field.required:
            if stand_ins is None or field.name not in stand_ins:
                return None
            values[field.name] = stand_ins[field.name]
    return kind(**values)


def read_any(data: Json) -> object:
    """Decode ``data`` to plain values; None when it is absent, too."""
    return read_as(object, data)
