from __future__ import annotations

from typing import Any

import pytest

from codex_api.testing.server.problems import RequestProblem
from codex_api.testing.server.schema_checks import check_schema


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": ["string", "null"], "enum": ["a", None]},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {}}},
        {"type": "object", "properties": {"again": {"$ref": "#"}}},
        {"anyOf": [{"type": "integer", "minimum": 1.5}, {"type": "null"}]},
        {"type": "array", "items": {"type": "string", "minLength": 0}, "maxItems": 3},
    ],
)
def test_a_good_schema_is_let_through(schema: dict[str, Any]) -> None:
    check_schema(schema, "s")


@pytest.mark.parametrize(
    ("schema", "param"),
    [
        ({"type": "text"}, "s.type"),
        ({"type": 5}, "s.type"),
        ({"type": []}, "s.type"),
        ({"type": {}}, "s.type"),
        ({"type": ["string", []]}, "s.type"),
        ({"enum": []}, "s"),
        ({"properties": []}, "s.properties"),
        ({"properties": {"a": True}}, "s.properties.a"),
        ({"items": [{}]}, "s.items"),
        ({"anyOf": []}, "s.anyOf"),
        ({"oneOf": [5]}, "s.oneOf[0]"),
        ({"required": "a"}, "s.required"),
        ({"minimum": "1"}, "s.minimum"),
        ({"multipleOf": 0}, "s.multipleOf"),
        ({"minItems": 1 << 40}, "s.minItems"),
        ({"maxLength": -1}, "s.maxLength"),
        ({"$ref": "#/nowhere"}, "s.$ref"),
        ({"$ref": "elsewhere.json"}, "s.$ref"),
        ({"$ref": 5}, "s.$ref"),
        ({"$ref": "#/a", "a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}}, "s.$ref"),
        ({"anyOf": [{"properties": {"a": {"type": "x"}}}]}, "s.anyOf[0].properties.a.type"),
    ],
)
def test_a_bad_schema_is_refused_by_the_place_of_the_fault(
    schema: dict[str, Any], param: str
) -> None:
    with pytest.raises(RequestProblem) as caught:
        check_schema(schema, "s")

    assert caught.value.param == param
