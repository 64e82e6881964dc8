"""JSON Schemas of Python types, as the server accepts them.

In strict mode the server guarantees that an answer follows the schema, and in return accepts few
schemas: an object at the root, every property required, no free keys, no defaults, and only the
keywords below. What a schema may not say is left out when decoding checks it anyway (a length, an
unusual format), and refused when the server could not be told the shape at all.
"""

from __future__ import annotations

import re
import sys
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import msgspec

from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

_Schema = dict[str, Any]

_COPIED = frozenset(
    (
        "title",
        "description",
        "type",
        "enum",
        "const",
        "pattern",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
    )
)
_FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
)
_JSON_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (str, "string"),
    (int, "integer"),
    (float, "number"),
    (type(None), "null"),
)
_NAME_BREAK = cache(partial(re.compile, r"[^A-Za-z0-9_-]+"))
_MAX_NAME_CHARS = 64
_DEFS = "#/$defs/"


def schema_name(type_: Any) -> str:  # noqa: ANN401  # any type that has a schema
    """Return the name of a type in the letters that the server allows."""
    name = getattr(type_, "__name__", "")
    return _NAME_BREAK().sub("_", name)[:_MAX_NAME_CHARS] or "answer"


def is_pydantic(type_: Any) -> bool:  # noqa: ANN401  # any type
    """Return whether pydantic decodes this type, without importing pydantic."""
    return hasattr(type_, "__pydantic_validator__")


def schema_of(
    type_: Any,  # noqa: ANN401  # any type that has a schema
    *,
    strict: bool,
    described: Mapping[str, str] | None = None,
) -> _Schema:
    """Return the JSON Schema of a type, with an object at the root.

    Args:
        type_: A ``msgspec.Struct``, dataclass, ``TypedDict`` or pydantic model.
        strict: Whether to rewrite it for strict mode.
        described: Descriptions by property, for those whose type has none there.

    Raises:
        RequestBuildError: The type has no schema, or none that the server accepts.
    """
    schema = _rooted(_generated(type_))
    if schema.get("type") != "object":
        message = "an answer is a JSON object: use a type with fields, and lists or unions in those"
        raise RequestBuildError(message)
    properties: dict[str, _Schema] = schema.get("properties", {})
    # Before it is rewritten: a reference may have no words beside it.
    for name, text in (described or {}).items():
        if name in properties:
            properties[name] = {"description": text} | properties[name]
    return _StrictSchema(schema).rewrite() if strict else schema


def _generated(type_: Any) -> _Schema:  # noqa: ANN401  # as above
    try:
        if is_pydantic(type_):
            # Not a dependency: who hands us such a type has it.
            from pydantic import TypeAdapter  # noqa: PLC0415

            return TypeAdapter(type_).json_schema()
        return msgspec.json.schema(type_, schema_hook=_schema_as)
    except (TypeError, ValueError, RuntimeError) as exc:
        raise unschematic(schema_name(type_), exc) from exc


def unschematic(name: str, error: Exception) -> RequestBuildError:
    """Make the error for what has no schema, out of that of whoever was to make it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # One names the type in the end, the other at once.
    what = lines[0] if type(error).__module__.startswith("pydantic") else lines[-1]
    return RequestBuildError(f"no JSON Schema can be made of {name}: {what}")


def _schema_as(type_: Any) -> _Schema:  # noqa: ANN401 - any type that msgspec does not know
    if _is_path(type_):
        return {"type": "string", "format": "path"}
    raise NotImplementedError


def decoded_as(type_: Any, value: Any) -> Any:  # noqa: ANN401 - any type that msgspec does not know
    """Read a value as a type that msgspec does not know; it checks itself what comes of it."""
    return type_(value) if _is_path(type_) and isinstance(value, str) else value


def _is_path(type_: Any) -> bool:  # noqa: ANN401 - as above
    paths = sys.modules.get("pathlib")
    return paths is not None and isinstance(type_, type) and issubclass(type_, paths.PurePath)


def _rooted(schema: _Schema) -> _Schema:
    """Put the definition that the root refers to in the root itself."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    definitions: dict[str, _Schema] = schema["$defs"]
    name = _definition(reference)
    root = dict(definitions[name])
    # Others, or the root itself, may refer to it too.
    if not _refers(definitions, name):
        definitions = {key: value for key, value in definitions.items() if key != name}
    return {**root, "$defs": definitions} if definitions else root


def _definition(reference: str) -> str:
    return reference.removeprefix(_DEFS)


def _refers(definitions: dict[str, _Schema], name: str) -> bool:
    return msgspec.json.encode({"$ref": _DEFS + name})[1:-1] in msgspec.json.encode(definitions)


class _StrictSchema:
    """Rewrites one schema; an error names the path of what cannot be said."""

    def __init__(self, schema: _Schema) -> None:
        self._schema = schema
        self._definitions: dict[str, _Schema] = schema.get("$defs", {})
        # Definitions that are being written out in place of a reference to them.
        self._open: list[str] = []

    def rewrite(self) -> _Schema:
        strict = self._node(self._schema, "$")
        definitions = {name: self._node(node, name) for name, node in self._definitions.items()}
        whole = {"root": strict, **definitions}
        used = {name: node for name, node in definitions.items() if _refers(whole, name)}
        return {**strict, "$defs": used} if used else strict

    def _node(self, node: _Schema, path: str) -> _Schema:
        parts: list[_Schema] = node.get("allOf", [])
        if len(parts) > 1:
            raise _unsayable(path, "a combination of schemas")
        if parts:
            return self._node({**parts[0], **_without(node, "allOf")}, path)
        reference = node.get("$ref")
        if reference is not None:
            return self._reference(_definition(reference), _without(node, "$ref"), path)
        return self._plain(node, path)

    def _reference(self, name: str, rest: _Schema, path: str) -> _Schema:
        """Write out a reference with company, which the server does not take."""
        if name in self._open or not rest.keys() & _COPIED:
            return {"$ref": _DEFS + name}
        self._open.append(name)
        strict = self._node({**self._definitions[name], **rest}, path)
        self._open.pop()
        return strict

    def _plain(self, node: _Schema, path: str) -> _Schema:
        strict = {key: value for key, value in node.items() if key in _COPIED}
        if node.get("format") in _FORMATS:
            strict["format"] = node["format"]
        choices = node.get("anyOf", node.get("oneOf"))
        if choices is not None:
            strict["anyOf"] = [self._node(choice, path) for choice in choices]
        elif "type" not in node:
            strict["type"] = self._type(node, path)
        if node.get("type") == "object":
            strict |= self._object(node, path)
        if node.get("type") == "array":
            strict["items"] = self._items(node, path)
        return strict

    def _object(self, node: _Schema, path: str) -> _Schema:
        # An object that names no properties is free to have any.
        if node.get("additionalProperties", "properties" not in node):
            raise _unsayable(path, "a mapping with free keys; use a list of key and value")
        properties: dict[str, _Schema] = node.get("properties", {})
        return {
            "properties": {
                name: self._node(value, f"{path}.{name}") for name, value in properties.items()
            },
            "required": list(properties),
            "additionalProperties": False,
        }

    def _items(self, node: _Schema, path: str) -> _Schema:
        if "prefixItems" in node:
            raise _unsayable(path, "an array whose elements differ by position")
        return self._node(node.get("items", {}), f"{path}[]")

    def _type(self, node: _Schema, path: str) -> str | list[str]:
        values = node.get("enum", [node["const"]] if "const" in node else [])
        # bool comes before int, whose subclass it is.
        names = [
            next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "")
            for value in values
        ]
        if not names or "" in names:
            raise _unsayable(path, "a value of any type")
        unique = list(dict.fromkeys(names))
        return unique[0] if len(unique) == 1 else unique


def _without(node: _Schema, key: str) -> _Schema:
    return {name: value for name, value in node.items() if name != key}


def _unsayable(path: str, what: str) -> RequestBuildError:
    return RequestBuildError(f"strict schemas cannot describe {what} (at {path})")
