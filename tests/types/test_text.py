from __future__ import annotations

import msgspec
import pytest

from codex_api.types.text import TextControls, TextFormat, create_text_param_for_request

SCHEMA = {"type": "object", "properties": {}}


class Point(msgspec.Struct):
    x: int


def test_unset_controls_are_left_out() -> None:
    assert msgspec.json.encode(TextControls()) == b"{}"


def test_a_format_has_all_its_keys_in_order() -> None:
    text = TextControls(format=TextFormat(name="n", strict=False, schema=SCHEMA))

    assert msgspec.json.encode(text) == (
        b'{"format":{"type":"json_schema","strict":false,'
        b'"schema":{"type":"object","properties":{}},"name":"n"}}'
    )


@pytest.mark.parametrize(
    ("verbosity", "schema", "expected"),
    [
        (None, None, b"null"),
        ("low", None, b'{"verbosity":"low"}'),
        (
            None,
            {},
            (
                b'{"format":{"type":"json_schema","strict":true,"schema":{},'
                b'"name":"codex_output_schema"}}'
            ),
        ),
        (
            "high",
            SCHEMA,
            (
                b'{"verbosity":"high","format":{"type":"json_schema","strict":true,'
                b'"schema":{"type":"object","properties":{}},"name":"codex_output_schema"}}'
            ),
        ),
    ],
)
def test_the_text_parameter_of_a_codex_request(
    verbosity: str | None, schema: dict[str, object] | None, expected: bytes
) -> None:
    assert msgspec.json.encode(create_text_param_for_request(verbosity, schema)) == expected


def test_a_codex_schema_may_be_loose() -> None:
    text = create_text_param_for_request(None, SCHEMA, strict=False)

    assert b'"strict":false' in msgspec.json.encode(text)


def test_a_type_names_its_format() -> None:
    text = TextControls.for_type(Point, verbosity="low")

    assert text == TextControls(
        "low",
        TextFormat(
            name="Point",
            strict=True,
            schema={
                "title": "Point",
                "type": "object",
                "properties": {"x": {"type": "integer"}},
                "required": ["x"],
                "additionalProperties": False,
            },
        ),
    )


def test_the_name_and_strictness_can_be_chosen() -> None:
    text = TextControls.for_type(Point, "spot", strict=False)

    assert isinstance(text.format, TextFormat)
    assert (text.format.name, text.format.strict) == ("spot", False)
    assert "additionalProperties" not in text.format.schema
