from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import msgspec
import pytest
from pydantic import BaseModel

from codex_api._logic.incoming.structured_text import parse_answer, parse_as, parse_response
from codex_api.errors import DecodeError, ResponseIncompleteError
from codex_api.transport import Headers
from codex_api.types.response import Response


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


class Nested(msgspec.Struct):
    n: object


@pytest.mark.parametrize("type_", [Struct, Model, Nested])
@pytest.mark.parametrize("text", ['{"n":"\ud83d secret"}', '{"n":' * 5000])
def test_text_that_no_decoder_takes_is_a_decode_error_too(type_: type, text: str) -> None:
    with pytest.raises(DecodeError, match=f"does not decode as {type_.__name__}: ") as caught:
        parse_as(type_, text)

    assert "secret" not in str(caught.value)


def answered(*messages: str, refusal: str | None = None, type_: type = Struct) -> object:
    return parse_answer(type_, "".join(messages), messages, refusal)


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"n":1}\n```',
        '```\n{"n":1}\n```\n',
        'Here it is:\r\n\r\n```JSON\r\n{"n":1}\r\n```\r\nTell me if it helps.',
        '  ```json  \n  {"n":\n1}\n  ```',
    ],
)
def test_one_fence_is_taken_off(text: str) -> None:
    assert answered(text) == Struct(1)
    assert answered("First I look.", text) == Struct(1)


def test_a_fence_within_a_string_is_part_of_it() -> None:
    class Page(msgspec.Struct):
        text: str

    code = '{"text":"```py\\nx\\n```"}'

    assert answered(code, type_=Page) == Page("```py\nx\n```")
    assert answered(f"```json\n{code}\n```", type_=Page) == Page("```py\nx\n```")


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"n":1}\n```\nor\n```json\n{"n":2}\n```',
        '```json\n{"n":1}',
        'The answer is {"n":1}',
        '{"n":1} and {"n":2}',
        '{"n":1}{"n":2}',
        "```json\n```",
        "`" * 50,
    ],
)
def test_what_is_cut_or_more_than_one_is_no_answer(text: str) -> None:
    with pytest.raises(DecodeError, match="does not decode as Struct: "):
        answered(text)


def test_the_last_message_counts_if_it_is_json() -> None:
    assert answered("First I look.", '{"n":1}') == Struct(1)
    assert answered('{"n":1}', '{"n":2}') == Struct(2)
    assert answered('{"n":1}', "\n") == Struct(1)
    assert answered("1", "2", type_=int) == 2


def test_json_may_be_cut_between_messages() -> None:
    assert answered('{"n":', "1}") == Struct(1)


@pytest.mark.parametrize("messages", [['{"n":1}', "Done."], ['{"n":1}', '{"n":"x"}']])
def test_no_earlier_message_stands_in_for_the_last(messages: list[str]) -> None:
    with pytest.raises(DecodeError, match="does not decode as Struct: "):
        answered(*messages)


@pytest.mark.parametrize("text", ["", " \n", "I would say", '{"n":', '```json\n{"n":1}\n```'])
def test_a_refusal_is_told_whatever_was_said_before_it(text: str) -> None:
    with pytest.raises(DecodeError, match="the model refused: I must not") as caught:
        answered(text, refusal="I must not")

    assert caught.value.__cause__ is None


def test_an_answer_that_fits_is_one_beside_a_refusal() -> None:
    assert answered('{"n":1}', refusal="More I must not say.") == Struct(1)


def test_white_space_is_no_text() -> None:
    with pytest.raises(DecodeError, match="no text to parse"):
        answered(" \n")


@pytest.mark.parametrize("part", ["`", "```", "```json\n", "\n```", "\n", " ", "{", "\n \t"])
def test_odd_fences_take_no_more_time_than_their_length(part: str) -> None:
    for text in (part * 20_000, "```\n" + part * 20_000, part * 20_000 + "x"):
        with pytest.raises(DecodeError):
            answered(text)


NAMED = Headers([("x-request-id", "q")])


def test_a_response_that_was_cut_off_is_the_partial_of_the_error() -> None:
    response = Response(id="r", incomplete_reason="max_output_tokens", headers=NAMED)

    with pytest.raises(ResponseIncompleteError) as caught:
        parse_response(Struct, response)

    assert caught.value.partial is response
    assert caught.value.reason == "max_output_tokens"
    assert (caught.value.response_id, caught.value.request_id) == ("r", "q")


def test_an_error_of_parsing_names_the_request_that_was_answered() -> None:
    response = Response(id="r", headers=NAMED)

    with pytest.raises(DecodeError, match="holds no text") as caught:
        parse_response(Struct, response)

    assert caught.value.request_id == "q"
