from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
import pytest
from msgspec import Meta
from pydantic import BaseModel, Field

from codex_api.transport.errors import RequestBuildError
from codex_api.types.structured import schema_name, schema_of


class Color(Enum):
    RED = "r"


class Level(IntEnum):
    LOW = 1


class Dog(msgspec.Struct, tag="dog"):
    name: Annotated[str, Meta(description="d", max_length=3, pattern="^a")] = "a"


class Cat(msgspec.Struct, tag="cat"):
    lives: Annotated[int, Meta(ge=0)] = 9


class Address(msgspec.Struct):
    """Where one lives."""

    street: str


class Person(msgspec.Struct):
    name: str
    home: Address
    away: Annotated[Address, Meta(description="on holiday")]
    pets: list[Dog | Cat]
    color: Color = Color.RED
    level: Level | None = None
    mode: Literal["a", 1] | None = None
    born: date | None = None
    tags: set[str] = msgspec.field(default_factory=set)
    parent: Person | None = None


@dataclass
class Node:
    value: float
    next: Node | None = None


class Typed(TypedDict):
    a: int
    b: NotRequired[bool]


class Inner(BaseModel):
    x: int


class Model(BaseModel):
    """A model."""

    n: int = Field(description="a number", ge=1)
    inner: Inner = Field(description="with company")
    tag: Literal["t"] = "t"
    other: Model | None = None


def strict(type_: Any) -> dict[str, Any]:
    return schema_of(type_, strict=True)


def every_node(node: Any) -> list[dict[str, Any]]:
    """Give each schema inside a schema."""
    inner = [*node.get("properties", {}).values(), *node.get("$defs", {}).values()]
    inner += node.get("anyOf", []) + ([node["items"]] if "items" in node else [])
    return [node, *(found for child in inner for found in every_node(child))]


@pytest.mark.parametrize("type_", [Person, Node, Typed, Model])
def test_a_strict_schema_says_only_what_the_server_guarantees(type_: Any) -> None:
    schema = strict(type_)

    assert schema["type"] == "object"
    for node in every_node(schema):
        assert not node.keys() & {"default", "oneOf", "allOf", "discriminator", "uniqueItems"}
        if "$ref" in node:
            assert node.keys() == {"$ref"}
            assert node["$ref"].removeprefix("#/$defs/") in schema["$defs"]
        elif "anyOf" not in node:
            assert "type" in node
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])


def test_keywords_are_kept_or_left_out_one_by_one() -> None:
    schema = strict(Person)
    fields = schema["properties"]

    assert set(fields["mode"]["anyOf"][0]["type"]) == {"string", "integer"}
    assert fields["born"]["anyOf"][0] == {"type": "string", "format": "date"}
    assert fields["tags"] == {"type": "array", "items": {"type": "string"}}
    assert schema["$defs"]["Color"]["type"] == "string"
    assert schema["$defs"]["Level"]["type"] == "integer"
    assert schema["$defs"]["Dog"]["properties"]["name"] == {
        "type": "string",
        "description": "d",
        "pattern": "^a",
    }
    assert schema["$defs"]["Cat"]["properties"]["lives"] == {"type": "integer", "minimum": 0}


def test_a_reference_with_company_is_written_out() -> None:
    away = strict(Person)["properties"]["away"]

    assert away["description"] == "on holiday"
    assert away["properties"] == {"street": {"type": "string"}}
    assert strict(Model)["properties"]["inner"]["description"] == "with company"


def test_a_recursive_type_keeps_its_definition() -> None:
    schema = strict(Node)

    assert schema["properties"]["next"]["anyOf"][0] == {"$ref": "#/$defs/Node"}
    assert schema["$defs"]["Node"]["properties"] == schema["properties"]


class Loop(msgspec.Struct):
    inner: Annotated[Loop, Meta(description="again")]


def test_a_recursive_reference_with_company_ends() -> None:
    inner = strict(Loop)["properties"]["inner"]

    assert inner["description"] == "again"
    assert inner["properties"]["inner"] == {"$ref": "#/$defs/Loop"}


def test_definitions_that_nothing_refers_to_are_left_out() -> None:
    assert "$defs" not in strict(Typed)
    assert "Inner" not in strict(Model)["$defs"]


def test_a_loose_schema_is_the_type_as_it_is() -> None:
    schema = schema_of(Typed, strict=False)

    assert schema["required"] == ["a"]
    assert "additionalProperties" not in schema


class Free(msgspec.Struct):
    counts: dict[str, int]


class Pairs(msgspec.Struct):
    pairs: list[tuple[int, str]]


class Anything(msgspec.Struct):
    what: Any


class Bare(BaseModel):
    what: list[Any]


@pytest.mark.parametrize(
    ("type_", "said"),
    [
        (Free, r"a mapping with free keys.*\$\.counts"),
        (Pairs, r"elements differ by position .*\$\.pairs\[\]"),
        (Anything, r"a value of any type .*\$\.what"),
        (Bare, r"a value of any type .*\$\.what\[\]"),
        (list[int], "an answer is a JSON object"),
        (Dog | Cat, "an answer is a JSON object"),
        (int, "an answer is a JSON object"),
        (complex, "no JSON Schema can be made of complex"),
    ],
)
def test_what_cannot_be_said_is_refused_by_path(type_: Any, said: str) -> None:
    with pytest.raises(RequestBuildError, match=said):
        strict(type_)


def test_free_keys_are_fine_in_a_loose_schema() -> None:
    assert schema_of(Free, strict=False)["properties"]["counts"]["additionalProperties"]


def test_two_schemas_in_one_place_are_refused() -> None:
    class Odd(BaseModel):
        model_config = {"json_schema_extra": {"allOf": [{}, {}]}}

    with pytest.raises(RequestBuildError, match="a combination of schemas"):
        strict(Odd)


def test_one_schema_of_a_combination_is_taken() -> None:
    class Old(BaseModel):
        x: int = Field(json_schema_extra={"allOf": [{"minimum": 1}]})

    assert strict(Old)["properties"]["x"]["minimum"] == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Point", "Point"), ("Box[int]", "Box_int_"), ("x" * 80, "x" * 64), ("", "answer")],
)
def test_a_name_has_only_letters_that_the_server_allows(name: str, expected: str) -> None:
    assert schema_name(type(name, (), {})) == expected


def test_pydantic_is_imported_only_for_its_own_types() -> None:
    code = (
        "import sys, msgspec\n"
        "from codex_api.types.text import TextControls\n"
        "TextControls.for_type(msgspec.defstruct('P', [('x', int)]))\n"
        "assert 'pydantic' not in sys.modules\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603  # our own interpreter
