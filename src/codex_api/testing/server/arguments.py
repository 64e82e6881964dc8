"""What a prompt gives a tool: only what it says in one of these forms, never its prose.

After the name of the tool, up to the name of the next one that is called:

- ``name {"key": value}``: the arguments as they stand, whatever the schema says;
- ``name key=value other="two words"``: a value is bare up to a space or a comma, or in double or
  single quotes or backticks, or a JSON array or object;
- ``name "text"``, in quotes or backticks: the first required string.

``with``, a colon or a parenthesis may stand before any of them. What a schema requires beyond that
is the smallest value that is valid: an empty string, ``false``, the first member. The rest is left
out.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

from codex_api.testing.server.schema_instances import SchemaInstances

if TYPE_CHECKING:
    from codex_api.testing.wire import JsonObject

# The smallest patch there is: it changes nothing.
PATCH = "*** Begin Patch\n*** End Patch\n"

_LINK = re.compile(r"\s*(?:with\b|:|\()?\s*")
_FENCED = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|`([^`]*)`", re.DOTALL)
_BARE = re.compile(r"[^\s,;)]+")
_decoder = json.JSONDecoder()


def said_after(name: str, prompt: str, others: list[str]) -> str:
    """Return what ``prompt`` says for the tool ``name``: all of it, where it does not name it."""
    found = named_at(name, prompt)
    if found is None:
        return prompt
    quote = prompt[found.start() - 1 : found.start()]
    end = found.end() + (quote in {'"', "'", "`"} and prompt[found.end() :].startswith(quote))
    ends = [other.start() for each in others if (other := named_at(each, prompt[end:]))]
    return prompt[end:][: min(ends, default=None)]


def named_at(name: str, prompt: str) -> re.Match[str] | None:
    """Find a tool's name as a word of its own."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", prompt)


def function_arguments(schema: JsonObject, said: str) -> str:
    """Return the arguments of a function as JSON text."""
    start = _LINK.match(said)
    rest = said[start.end() :] if start else said
    if rest.startswith("{") and (whole := _json_at(rest)) is not None:
        return whole
    instances = SchemaInstances(schema, "", is_terse=True)
    properties = cast("dict[str, JsonObject]", schema.get("properties") or {})
    given = {
        name: _typed(text, instances.types(properties[name]))
        for name in properties
        if (text := _named(name, said)) is not None
    }
    positional = _quoted_at(rest)
    if positional is not None and not given:
        needed = [name for name in schema.get("required") or () if name in properties]
        texts = [name for name in [*needed, *properties] if "string" in _types(schema, name)]
        given |= dict.fromkeys(texts[:1], positional)
    # Arguments are an object, whatever a loose schema allows.
    made: object = instances.make()
    smallest = cast("JsonObject", made) if isinstance(made, dict) else {}
    return json.dumps({**smallest, **given}, ensure_ascii=False)


def custom_input(name: str, said: str) -> str:
    """Return the input of a custom tool; a patch tool that is given none changes nothing."""
    given = text_given("input", said)
    if given is None:
        return PATCH if name == "apply_patch" else ""
    return given


def text_given(key: str, said: str) -> str | None:
    """Return the text that stands under ``key``, or in quotes or a block; None for none."""
    start = _LINK.match(said)
    named = _named(key, said)
    return _quoted_at(said[start.end() :] if start else said) if named is None else named


def _types(schema: JsonObject, name: str) -> set[str]:
    return SchemaInstances(schema, "").types(schema["properties"][name])


def _json_at(text: str) -> str | None:
    try:
        _, end = _decoder.raw_decode(text)
    except ValueError:
        return None
    return text[:end]


def _quoted_at(text: str) -> str | None:
    fenced = _FENCED.match(text)
    if fenced:
        return fenced[1]
    found = _QUOTED.match(text)
    if not found:
        return None
    return _unescaped(found[0]) if found[1] is not None else found[2]


def _named(name: str, said: str) -> str | None:
    found = re.search(rf"(?<![\w.]){re.escape(name)}\s*=\s*(?=\S)", said)
    if not found:
        return None
    rest = said[found.end() :]
    if rest[0] in "[{" and (whole := _json_at(rest)) is not None:
        return whole
    single = re.match(r"'([^']*)'", rest)
    if single:
        return single[1]
    quoted = _quoted_at(rest)
    if quoted is not None:
        return quoted
    bare = _BARE.match(rest)
    return bare[0].rstrip(".?!") if bare else ""


def _unescaped(literal: str) -> str:
    try:
        return str(json.loads(literal, strict=False))
    except ValueError:
        # No JSON string, such as a path of Windows: as it stands.
        return literal[1:-1]


def _typed(text: str, types: set[str]) -> Any:  # noqa: ANN401 - any JSON
    if "string" in types or not types:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
