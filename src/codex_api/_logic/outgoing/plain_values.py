"""Plain mappings where a typed value is asked for, as whoever builds requests from JSON has them.

A mapping stands for the value that its keys name; what it holds goes out as it is. Anything else of
another type is an error of the program and raises ``TypeError``, not an error of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from codex_api.types.request import ResponsesApiRequest

S = TypeVar("S", bound=msgspec.Struct)

_EXTRA = "extra_body"
_REQUEST_FIELDS = frozenset(ResponsesApiRequest.__struct_fields__) - {_EXTRA}


def as_request(request: object) -> ResponsesApiRequest:
    """Return the request that was meant.

    Args:
        request: A mapping says nothing but what is in it, as ``ResponsesApiRequest.public`` does;
            keys that have no field there go out as ``extra_body``.

    Raises:
        TypeError: It is neither a request nor a mapping of names.
    """
    if isinstance(request, ResponsesApiRequest):
        return request
    if not isinstance(request, Mapping):
        message = (
            f"a request is a ResponsesApiRequest or a mapping, not {type(request).__name__}; "
            "bytes of a body go to responses.stream_raw"
        )
        raise TypeError(message)
    given = named(cast("Mapping[object, Any]", request), "request")
    others = {key: value for key, value in given.items() if key not in _REQUEST_FIELDS}
    further = others.pop(_EXTRA, None)
    if further is not None:
        if not isinstance(further, Mapping):
            message = f"extra_body is a mapping, not {type(further).__name__}"
            raise TypeError(message)
        others |= named(cast("Mapping[object, Any]", further), _EXTRA)
    fields = {key: value for key, value in given.items() if key in _REQUEST_FIELDS}
    return ResponsesApiRequest.public(**fields, extra_body=others or None)


def as_value(kind: type[S], value: object, what: str) -> S:
    """Return the value of ``kind`` that was meant.

    Args:
        kind: Its class.
        value: An instance, or a mapping of its fields or of their names on the wire.
        what: What errors call it, such as ``compaction``.

    Raises:
        TypeError: It is neither, or a field is unknown or missing.
    """
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        message = f"a {what} is a {kind.__name__} or a mapping, not {type(value).__name__}"
        raise TypeError(message)
    given = named(cast("Mapping[object, Any]", value), what)
    fields = {
        name: field.name
        for field in msgspec.structs.fields(kind)
        for name in (field.encode_name, field.name)
    }
    unknown = sorted(given.keys() - fields.keys())
    if unknown:
        message = f"a {what} has no key {unknown[0]!r}; it has {', '.join(kind.__struct_fields__)}"
        raise TypeError(message)
    return kind(**{fields[name]: held for name, held in given.items()})


def named(mapping: Mapping[object, Any], what: str) -> dict[str, Any]:
    """Return a mapping whose keys are names.

    Raises:
        TypeError: One is not.
    """
    for key in mapping:
        if not isinstance(key, str):
            message = f"the keys of a {what} are names, not {type(key).__name__}"
            raise TypeError(message)
    return cast("dict[str, Any]", dict(mapping))
