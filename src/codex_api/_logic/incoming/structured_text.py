"""Answers that are JSON of a known type."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from codex_api.errors import DecodeError
from codex_api.types.structured import is_pydantic, schema_name

T = TypeVar("T")


def parse_as(type_: type[T], text: str) -> T:
    """Decode the text of an answer.

    Args:
        type_: The type that ``TextControls.for_type`` was given.
        text: A JSON value.

    Raises:
        DecodeError: The text is not JSON, or not of that type; the error names the JSON path.
    """
    if is_pydantic(type_):
        return _parse_pydantic(type_, text)
    try:
        return msgspec.json.decode(text, type=type_)
    except msgspec.DecodeError as exc:
        raise _unreadable(type_, str(exc)) from exc


def _parse_pydantic(type_: type[T], text: str) -> T:
    # Not a dependency: who hands us such a type has it.
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    try:
        return TypeAdapter(type_).validate_json(text)
    except ValidationError as exc:
        # Its own text quotes the input.
        first: Any = exc.errors(include_url=False, include_context=False, include_input=False)[0]
        path = "".join(f".{step}" for step in first["loc"])
        raise _unreadable(type_, f"{first['msg']} - at `${path}`") from exc


def _unreadable(type_: object, what: str) -> DecodeError:
    return DecodeError(f"the answer does not decode as {schema_name(type_)}: {what}")
