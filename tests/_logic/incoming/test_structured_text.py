from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import msgspec
import pytest
from pydantic import BaseModel

from codex_api._logic.incoming.structured_text import parse_as
from codex_api.errors import DecodeError


class Struct(msgspec.Struct):
    n: int


@dataclass
class Data:
    n: int


class Typed(TypedDict):
    n: int


class Model(BaseModel):
    n: int


@pytest.mark.parametrize(
    ("type_", "expected"),
    [(Struct, Struct(1)), (Data, Data(1)), (Typed, {"n": 1}), (Model, Model(n=1))],
)
def test_text_decodes_as_each_kind_of_type(type_: type, expected: object) -> None:
    assert parse_as(type_, '{"n":1}') == expected


@pytest.mark.parametrize("type_", [Struct, Data, Typed, Model])
@pytest.mark.parametrize("text", ["", "{", "[]", '{"n":"secret"}', "{}", "I cannot help"])
def test_text_that_does_not_fit_is_a_decode_error(type_: type, text: str) -> None:
    with pytest.raises(DecodeError, match=f"does not decode as {type_.__name__}: ") as caught:
        parse_as(type_, text)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("type_", [Struct, Model])
def test_the_error_names_the_json_path(type_: type) -> None:
    with pytest.raises(DecodeError, match=r"`\$\.n`"):
        parse_as(type_, '{"n":"x"}')
