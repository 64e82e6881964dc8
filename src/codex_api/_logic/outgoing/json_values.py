"""JSON of values that hold items: fast where they are plain, exact where they have extra fields.

The encoder meets ``extra`` only in an object that has some. Then everything is encoded once more,
with such objects replaced by their JSON: their own fields and the extra ones, in the order in which
they came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from codex_api._logic.outgoing.stand_ins import known_fields, stand_in
from codex_api.transport.errors import RequestBuildError
from codex_api.types.content import Extra, ExtraFieldsError, KeepsExtra, encode_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

# All that an encoder raises for what has no JSON form.
ENCODE_ERRORS = (TypeError, ValueError, OverflowError, RecursionError)
ENCODER = msgspec.json.Encoder(enc_hook=encode_unknown)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def encode_json(value: object) -> bytes:
    """Encode any JSON value, raw parts and items with extra fields included.

    Raises:
        TypeError, ValueError, OverflowError, RecursionError: Something in it has no JSON form.
    """
    try:
        return ENCODER.encode(value)
    except ExtraFieldsError:
        return ENCODER.encode(_spread(value))


def encode_value(value: object, name: str) -> bytes:
    """Encode any JSON value, as ``encode_json`` does.

    Raises:
        RequestBuildError: Something in it has no JSON form; the text begins with ``name``.
    """
    try:
        return encode_json(value)
    except ENCODE_ERRORS as exc:
        message = f"{name} cannot be encoded as JSON: {exc}"
        raise RequestBuildError(message) from exc


def _spread(value: Any) -> object:  # noqa: ANN401  # whatever the caller put into the input
    """Return ``value`` with the JSON of objects with extra fields in place of them."""
    if isinstance(value, list | tuple):
        return [_spread(element) for element in cast("list[object]", value)]
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, object]", value)
        return {key: _spread(element) for key, element in mapping.items()}
    if not isinstance(value, msgspec.Struct):
        return value
    inner = {
        name: _spread(held)
        for name in value.__struct_fields__
        if isinstance(held := getattr(value, name), list | tuple | msgspec.Struct) and held
    }
    if not isinstance(value, KeepsExtra) or value.extra is None:
        return msgspec.structs.replace(value, **inner) if inner else value
    plain = msgspec.structs.replace(value, extra=None, **inner)
    fields = _FIELDS.decode(ENCODER.encode(plain))
    return msgspec.Raw(ENCODER.encode(dict(_merged(value, value.extra, fields))))


def _merged(
    value: KeepsExtra, extra: Extra, fields: dict[str, msgspec.Raw]
) -> Iterator[tuple[str, msgspec.Raw]]:
    came = frozenset(extra.order)
    for name in dict.fromkeys((*extra.order, *fields, *extra)):
        field = known_fields(type(value)).get(name)
        if field is None:
            # Of no class: extra, or the tag, which goes out under its new name if it has one.
            yield from ((name, source[name]) for source in (fields, extra) if name in source)
            continue
        raw = extra.get(name)
        # What came, or did not come, for as long as nobody put something else there.
        is_untouched = (raw is not None or (came and name not in came)) and getattr(
            value, field.name
        ) == stand_in(type(value), name, raw)
        if not is_untouched:
            yield from ((name, fields[name]) for _ in (0,) if name in fields)
        elif raw is not None:
            yield name, raw
