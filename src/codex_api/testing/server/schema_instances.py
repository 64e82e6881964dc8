"""Instances of JSON Schemas, for structured output and for the arguments of tools.

Values of structured output are taken from the prompt where it has something that fits:
``name=value`` pairs, members of an enum, quoted text, numbers. What has to be made up is a small
value that is valid.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.testing.wire import JsonObject

MAX_DEPTH = 6

_FORMATS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "email": "someone@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "duration": "PT1S",
}
_TRIES = ("a", "A", "1", "aa", "abc", "a1", "A1", "a-b", "a_b", "A-1", "123", "1234", "1.0", "#1")


class SchemaInstances:
    """Makes instances of the parts of one schema.

    Args:
        schema: The root, to which references are resolved.
        prompt: Text that values are taken from.
        is_terse: Leave out what is not required, and say nothing where nothing is a valid value.
    """

    def __init__(self, schema: JsonObject, prompt: str, *, is_terse: bool = False) -> None:
        self._root = schema
        self._prompt = prompt
        self._is_terse = is_terse

    def make(self) -> Any:  # noqa: ANN401 - any JSON
        """Make an instance of the root schema."""
        return self._value(self._root, "value", 0)

    def types(self, schema: JsonObject) -> set[str]:
        """Name the JSON types that ``schema`` allows, as far as it names any."""
        if "$ref" in schema:
            return self.types(self._resolve(schema["$ref"]))
        kinds: Any = schema.get("type", [])
        found = {kinds} if isinstance(kinds, str) else set(cast("list[str]", kinds))
        for branch in [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
            found |= self.types(branch)
        return found

    # One return per keyword.
    def _value(self, schema: JsonObject, name: str, depth: int) -> Any:  # noqa: ANN401
        if "$ref" in schema:
            return self._value(self._resolve(schema["$ref"]), name, depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._member(schema["enum"])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self._value(self._branch(schema[key], depth), name, depth + 1)
        if "allOf" in schema:
            return self._value(self._merged(schema), name, depth + 1)
        return self._typed(schema, name, depth)

    def _typed(self, schema: JsonObject, name: str, depth: int) -> Any:  # noqa: ANN401 - any JSON
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kinds = cast("list[str]", kind)
            is_short = depth > MAX_DEPTH or self._is_terse
            kind = "null" if is_short and "null" in kinds else kinds[0]
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "string":
                return self._string(schema, name)
            case "integer" | "number":
                return self._number(schema, name, whole=kind == "integer")
            case "boolean":
                return not self._is_terse and self._named(name) not in {"false", "no", "0"}
            case _:
                return None

    def _object(self, schema: JsonObject, depth: int) -> JsonObject:
        properties: JsonObject = schema.get("properties") or {}
        needed: list[str] = schema.get("required") or []
        # A recursive schema ends somewhere: deep down only what must be there is there.
        is_short = depth > MAX_DEPTH or self._is_terse
        names = needed if is_short else [*properties, *needed]
        return {
            name: self._value(properties.get(name, {}), name, depth + 1)
            for name in dict.fromkeys(names)
        }

    def _array(self, schema: JsonObject, name: str, depth: int) -> list[Any]:
        fewest: int = schema.get("minItems", 0)
        is_short = depth > MAX_DEPTH or self._is_terse
        count = fewest if is_short else max(fewest, min(1, schema.get("maxItems", 1)))
        prefix: list[Any] = schema.get("prefixItems") or []
        inner: Any = schema.get("items", {})
        rest = [inner] * max(count - len(prefix), 0)
        return [self._value(each, name, depth + 1) for each in [*prefix, *rest]]

    def _string(self, schema: JsonObject, name: str) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        fits = _matcher(schema.get("pattern"))
        if self._is_terse and fits(""):
            fewest: int = schema.get("minLength", 0)
            return "." * fewest
        candidates = [self._named(name), self._quoted(), gist(self._prompt), name, *_TRIES]
        text = next((each for each in candidates if each and fits(each)), name)
        text = text.ljust(schema.get("minLength", 0), ".")
        return text[: schema.get("maxLength")]

    def _number(self, schema: JsonObject, name: str, *, whole: bool) -> float:
        found = self._named(name) or self._first_number()
        try:
            value = float(found)
        except ValueError:
            value = 1.0
        step: float = schema.get("multipleOf") or (1.0 if whole else 0.0)
        gap = step or 0.5
        lowest = [schema.get("minimum"), _shifted(schema.get("exclusiveMinimum"), gap)]
        highest = [schema.get("maximum"), _shifted(schema.get("exclusiveMaximum"), -gap)]
        value = max([value, *(float(bound) for bound in lowest if bound is not None)])
        value = min([value, *(float(bound) for bound in highest if bound is not None)])
        if step:
            value = -(-value // step) * step
        return int(value) if whole or value.is_integer() else value

    def _member(self, members: list[Any]) -> Any:  # noqa: ANN401 - any JSON
        prompt = self._prompt.lower()
        return next((each for each in members if str(each).lower() in prompt), members[0])

    def _branch(self, branches: list[JsonObject], depth: int) -> JsonObject:
        if depth > MAX_DEPTH or self._is_terse:
            plain = [each for each in branches if "$ref" not in each]
            nulls = [each for each in plain if each.get("type") == "null"]
            return [*nulls, *plain, *branches][0]
        return next((each for each in branches if each.get("type") != "null"), branches[0])

    def _merged(self, schema: JsonObject) -> JsonObject:
        merged: JsonObject = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            inner = self._resolve(part["$ref"]) if "$ref" in part else part
            properties = {**merged.get("properties", {}), **inner.get("properties", {})}
            needed = [*merged.get("required", []), *inner.get("required", [])]
            merged = {**merged, **inner}
            if properties:
                merged |= {"properties": properties, "required": needed}
        return merged

    def _resolve(self, reference: str) -> JsonObject:
        target: Any = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            if part:
                target = target[part.replace("~1", "/").replace("~0", "~")]
        return cast("JsonObject", target)

    def _named(self, name: str) -> str:
        found = re.search(
            rf"\b{re.escape(name)}\s*[=:]\s*(\"[^\"]*\"|'[^']*'|[^\s,;]+)",
            self._prompt,
            re.IGNORECASE,
        )
        return found[1].strip("\"'") if found else ""

    def _quoted(self) -> str:
        found = re.search(r"\"([^\"]+)\"|`([^`]+)`", self._prompt)
        return (found[1] or found[2]) if found else ""

    def _first_number(self) -> str:
        found = re.search(r"-?\d+(?:\.\d+)?", self._prompt)
        return found[0] if found else ""


def _matcher(pattern: str | None) -> Callable[[str], object]:
    try:
        return re.compile(pattern or "").search
    except re.error:
        # Schemas have a dialect of their own; what Python cannot read is not looked at.
        return bool


def _shifted(bound: float | None, by: float) -> float | None:
    return None if bound is None else bound + by


def gist(text: str, words: int = 12) -> str:
    """Return the first words of ``text``."""
    parts = text.split()
    return " ".join(parts[:words]) + ("..." if len(parts) > words else "")
