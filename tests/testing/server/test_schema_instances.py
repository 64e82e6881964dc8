"""Instances are valid: checked by a little validator of the keywords that are supported."""

from __future__ import annotations

import re
from typing import Any

import pytest

from codex_api.testing.server.schema_instances import SchemaInstances, gist


def make(schema: dict[str, Any], prompt: str = "") -> Any:
    return SchemaInstances(schema, prompt).make()


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": 5}, 5),
        ({"enum": ["a", "b"]}, "a"),
        ({"type": "null"}, None),
        ({"type": "boolean"}, True),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "integer", "exclusiveMinimum": 7}, 8),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "minimum": 10, "multipleOf": 4}, 12),
        ({"type": "number", "exclusiveMaximum": 0}, -0.5),
        ({"type": "string", "minLength": 9}, "value...."),
        ({"type": "string", "maxLength": 3}, "val"),
        ({"type": "string", "pattern": "^[0-9]{3}$"}, "123"),
        ({"type": "string", "pattern": "(?<unfinished"}, "value"),
        ({"type": "string", "format": "date"}, "2026-01-02"),
        ({"type": ["string", "null"]}, "value"),
        ({"type": "array", "items": {"const": 1}}, [1]),
        ({"type": "array", "items": {"const": 1}, "minItems": 3}, [1, 1, 1]),
        ({"type": "array", "items": {"const": 1}, "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}, [1, 2]),
        ({"anyOf": [{"type": "null"}, {"const": 2}]}, 2),
        ({"oneOf": [{"const": 3}]}, 3),
        ({"properties": {"a": {"const": 1}}}, {"a": 1}),
        ({"type": "object", "required": ["b"]}, {"b": "b"}),
    ],
)
def test_the_smallest_valid_value_is_made(schema: dict[str, Any], expected: Any) -> None:
    assert make(schema) == expected


def test_references_are_followed() -> None:
    schema = {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 1}}}

    assert make(schema) == 1


def test_parts_of_all_of_are_put_together() -> None:
    schema = {
        "$defs": {"named": {"type": "object", "properties": {"a": {"const": 1}}}},
        "allOf": [
            {"$ref": "#/$defs/named"},
            {"properties": {"b": {"const": 2}}, "required": ["b"]},
        ],
    }

    assert make(schema) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "child",
    [
        {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        {"type": "array", "items": {"$ref": "#"}},
    ],
)
def test_a_recursive_schema_comes_to_an_end(child: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"child": child}, "required": ["child"]}

    depth, node = 0, make(schema)
    while isinstance(node, (dict, list)) and node:
        node = node["child"] if isinstance(node, dict) else node[0]
        depth += 1
    assert 1 < depth < 20


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("city=Paris", {"city": "Paris", "days": 1, "unit": "c"}),
        ('City: "New York", days: 4', {"city": "New York", "days": 4, "unit": "c"}),
        ('weather in "Rome" in f for 12 days', {"city": "Rome", "days": 12, "unit": "f"}),
    ],
)
def test_values_are_taken_from_the_prompt(prompt: str, expected: dict[str, Any]) -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"enum": ["c", "f"]},
        },
    }

    made = make(schema, re.sub(r"\bc\b", "", prompt))
    assert {**made, "unit": expected["unit"]} == expected


def test_a_named_boolean_can_be_false() -> None:
    assert make({"properties": {"deep": {"type": "boolean"}}}, "deep=false") == {"deep": False}


def test_the_gist_of_a_text_is_its_beginning() -> None:
    assert gist("a b c", 2) == "a b..."
    assert gist(" a  b ", 2) == "a b"
