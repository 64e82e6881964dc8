"""Checks of single JSON values, each raising the problem that the public API reports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from codex_api.testing.recording import RecordedRequest, UndecodableBodyError
from codex_api.testing.server.problems import RequestProblem, invalid_type, invalid_value, missing

if TYPE_CHECKING:
    from collections.abc import Collection

    from codex_api.testing.wire import JsonObject

_NAMES: dict[type, str] = {
    bool: "a boolean",
    str: "a string",
    int: "an integer",
    float: "a number",
    list: "an array",
    dict: "an object",
}


def json_body(request: RecordedRequest) -> JsonObject:
    """Decode the JSON object of a request, undoing its content encoding.

    Raises:
        RequestProblem: 415 for the encoding or the media type, 400 for the JSON.
    """
    media_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        message = f"Unsupported content type '{media_type}': send 'application/json'."
        raise RequestProblem(415, message, "unsupported_content_type")
    try:
        text = request.content.decode()
    except UndecodableBodyError as exc:
        message = f"The request body cannot be decoded: {exc}."
        raise RequestProblem(415, message, "unsupported_content_encoding") from exc
    except UnicodeDecodeError as exc:
        message = "The request body is not UTF-8."
        raise RequestProblem(400, message, "invalid_json") from exc
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        message = f"The request body is not valid JSON: {exc}."
        raise RequestProblem(400, message, "invalid_json") from exc
    return as_object(value, "body")


def as_object(value: object, param: str) -> JsonObject:
    """Return ``value`` if it is an object."""
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", value)
    return cast("JsonObject", value)


def as_objects(value: object, param: str) -> list[JsonObject]:
    """Return ``value`` if it is an array of objects."""
    if not isinstance(value, list):
        raise invalid_type(param, "an array", value)
    elements = cast("list[object]", value)
    return [as_object(each, f"{param}[{at}]") for at, each in enumerate(elements)]


def required(body: JsonObject, key: str, kind: type, where: str = "") -> Any:  # noqa: ANN401 - checked
    """Return ``body[key]``, which must be there and of ``kind``."""
    if body.get(key) is None:
        raise missing(where + key)
    return optional(body, key, kind, where)


def optional(body: JsonObject, key: str, kind: type, where: str = "") -> Any:  # noqa: ANN401 - checked
    """Return ``body[key]``, or None; what is there must be of ``kind``."""
    value = body.get(key)
    if value is None:
        return None
    fits = isinstance(value, (int, float)) if kind is float else isinstance(value, kind)
    if not fits or (isinstance(value, bool) and kind is not bool):
        raise invalid_type(where + key, _NAMES[kind], value)
    return value


def non_empty(body: JsonObject, key: str, where: str = "") -> str:
    """Return the string ``body[key]``, which must not be empty."""
    value: str = required(body, key, str, where)
    if not value:
        raise invalid_value(where + key, "it must not be empty.")
    return value


def one_of(body: JsonObject, key: str, allowed: Collection[str], where: str = "") -> str | None:
    """Return the string ``body[key]`` if it is one of ``allowed``, or None."""
    value: str | None = optional(body, key, str, where)
    if value is not None and value not in allowed:
        supported = ", ".join(f"'{each}'" for each in sorted(allowed))
        message = f"'{value}' is none of {supported}."
        raise invalid_value(where + key, message)
    return value


def strings(body: JsonObject, key: str, where: str = "") -> list[str]:
    """Return the array of strings ``body[key]``, or an empty list."""
    values: list[object] = optional(body, key, list, where) or []
    for at, value in enumerate(values):
        if not isinstance(value, str):
            where_at = f"{where}{key}[{at}]"
            raise invalid_type(where_at, "a string", value)
    return cast("list[str]", values)


def string_map(body: JsonObject, key: str) -> dict[str, str]:
    """Return the object ``body[key]`` whose values are strings, or an empty one."""
    values: dict[str, object] = optional(body, key, dict) or {}
    for name, value in values.items():
        if not isinstance(value, str):
            raise invalid_type(key + "." + name, "a string", value)
    return cast("dict[str, str]", values)


def known_keys(body: JsonObject, allowed: Collection[str]) -> None:
    """Refuse a parameter that the endpoint does not have."""
    for key in body:
        if key not in allowed:
            message = f"Unknown parameter: '{key}'."
            raise RequestProblem(400, message, "unknown_parameter", key)


def _refuse_constant(name: str) -> object:
    message = f"{name} is not JSON"
    raise ValueError(message)
