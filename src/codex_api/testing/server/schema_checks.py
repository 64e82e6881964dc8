"""Checks of JSON Schemas that a request brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from codex_api.testing.server.checks import as_object, as_objects, optional, strings
from codex_api.testing.server.problems import invalid_type, invalid_value

if TYPE_CHECKING:
    from codex_api.testing.wire import JsonObject

TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})

_NUMBERS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
)
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems")
_MAX_COUNT = 10_000


def check_schema(schema: JsonObject, where: str, *, is_strict: bool = False) -> None:
    """Check ``schema`` and all schemas in it.

    Raises:
        RequestProblem: A keyword has a value that it cannot have, a reference leads nowhere, or
            the schema is less strict than ``is_strict`` wants.
    """
    _Check(schema, is_strict=is_strict).run(schema, where)


class _Check:
    def __init__(self, root: JsonObject, *, is_strict: bool) -> None:
        self._root = root
        self._is_strict = is_strict

    def run(self, schema: JsonObject, where: str) -> None:
        self._check_types(schema, where)
        self._check_numbers(schema, f"{where}.")
        for key in ("format", "pattern"):
            optional(schema, key, str, f"{where}.")
        if "enum" in schema and not optional(schema, "enum", list, f"{where}."):
            raise invalid_value(where, "an enum needs members.")
        if "$ref" in schema:
            self._check_reference(schema["$ref"], where)
        if self._is_strict:
            _check_strict(schema, where)
        for inner_where, inner in _inner_schemas(schema, where):
            self.run(inner, inner_where)

    def _check_types(self, schema: JsonObject, where: str) -> None:
        kinds: Any = schema.get("type", [])
        for kind in cast("list[object]", kinds) if isinstance(kinds, list) else [kinds]:
            if not isinstance(kind, str) or kind not in TYPES:
                message = f"'{kind}' is no type of JSON."
                raise invalid_value(where + ".type", message)
        if kinds == [] and "type" in schema:
            raise invalid_value(where + ".type", "it must not be empty.")
        strings(schema, "required", f"{where}.")

    def _check_numbers(self, schema: JsonObject, where: str) -> None:
        for key in _NUMBERS:
            optional(schema, key, float, where)
        if schema.get("multipleOf", 1) <= 0:
            raise invalid_value(where + "multipleOf", "it must be more than 0.")
        for key in _COUNTS:
            count = optional(schema, key, int, where)
            if count is not None and not 0 <= count <= _MAX_COUNT:
                message = f"it must be from 0 to {_MAX_COUNT}."
                raise invalid_value(where + key, message)

    def _check_reference(self, reference: object, where: str) -> None:
        if not isinstance(reference, str):
            raise invalid_type(where + ".$ref", "a string", reference)
        seen = {reference}
        target = self._target(reference, where)
        while isinstance(target.get("$ref"), str):
            if target["$ref"] in seen:
                raise invalid_value(where + ".$ref", "the references go round in a circle.")
            seen.add(target["$ref"])
            target = self._target(target["$ref"], where)

    def _target(self, reference: str, where: str) -> JsonObject:
        target: Any = self._root if reference.startswith("#") else None
        for part in reference.removeprefix("#").strip("/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if name:
                target = cast("JsonObject", target).get(name) if isinstance(target, dict) else None
        if not isinstance(target, dict):
            message = f"'{reference}' leads nowhere."
            raise invalid_value(where + ".$ref", message)
        return cast("JsonObject", target)


def _inner_schemas(schema: JsonObject, where: str) -> list[tuple[str, JsonObject]]:
    found: list[tuple[str, JsonObject]] = []
    for key in ("properties", "$defs", "definitions"):
        group: JsonObject = optional(schema, key, dict, f"{where}.") or {}
        for name, inner in group.items():
            inner_where = f"{where}.{key}.{name}"
            found.append((inner_where, as_object(inner, inner_where)))
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in schema:
            branches = as_objects(schema[key], f"{where}.{key}")
            if not branches:
                raise invalid_value(where + "." + key, "it must not be empty.")
            found += [(f"{where}.{key}[{at}]", each) for at, each in enumerate(branches)]
    if "items" in schema:
        found.append((f"{where}.items", as_object(schema["items"], f"{where}.items")))
    return found


def _check_strict(schema: JsonObject, where: str) -> None:
    if schema.get("type") != "object":
        return
    if schema.get("additionalProperties") is not False:
        raise invalid_value(where, "a strict object needs 'additionalProperties': false.")
    if set(schema.get("required") or ()) != set(schema.get("properties") or ()):
        raise invalid_value(where, "a strict object must require all of its properties.")
