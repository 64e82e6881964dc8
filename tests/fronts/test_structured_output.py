"""Answers of a known type, asked for and read, through whole calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec
import pydantic
import pytest

from codex_api import ResponsesApiRequest, TextControls, errors
from codex_api.testing.actions import stream
from codex_api.testing.scripted import ScriptedServer
from tests.fronts.simple_calls import COMPLETED, client_of, provider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.front import Front

pytestmark = pytest.mark.anyio


class StructCity(msgspec.Struct):
    name: str
    people: int
    rivers: list[str]


@dataclass
class DataCity:
    name: str
    people: int
    rivers: list[str]


class ModelCity(pydantic.BaseModel):
    name: str
    people: int
    rivers: list[str]


@pydantic.dataclasses.dataclass
class PydanticDataCity:
    name: str
    people: int
    rivers: list[str]


class DictCity(TypedDict):
    name: str
    people: int
    rivers: list[str]


CITIES: list[Any] = [StructCity, DataCity, ModelCity, PydanticDataCity]
TEXT = '{"name":"Bonn","people":330000,"rivers":["Rhine"]}'
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "people": {"type": "integer"},
        "rivers": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "people", "rivers"],
    "additionalProperties": False,
}


def message(text: str, **more: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text}
    return {"type": "message", "role": "assistant", "content": [part], **more}


def done(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "response.output_item.done", "item": item}


def delta(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": text}


async def exchanged(front: Front, events: list[Any], type_: Any) -> tuple[Any, Any]:
    """Ask for a type; give the answer, and the body that asked."""
    request = ResponsesApiRequest(model="m", input="hi", text=TextControls.for_type(type_))
    with ScriptedServer([stream(events)]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            response = await front(client.responses.stream(request).collect)
        return response, server.requests[0].json()


async def collected(front: Front, events: list[Any], type_: Any = StructCity) -> Any:
    response, _ = await exchanged(front, events, type_)
    return response


def untitled(schema: Any) -> Any:
    """Take the titles out, of which each kind of type has its own."""
    if isinstance(schema, dict):
        return {key: untitled(value) for key, value in schema.items() if key != "title"}
    return schema


@pytest.mark.parametrize("type_", CITIES)
async def test_an_answer_of_a_type_is_asked_for_and_read(front: Front, type_: Any) -> None:
    response, body = await exchanged(front, [done(message(TEXT)), COMPLETED], type_)
    asked = body["text"]["format"]
    city = response.parse(type_)

    assert list(asked) == ["type", "strict", "schema", "name"]
    assert (asked["type"], asked["strict"], asked["name"]) == ("json_schema", True, type_.__name__)
    assert untitled(asked["schema"]) == SCHEMA
    assert isinstance(city, type_)
    assert (city.name, city.people, city.rivers) == ("Bonn", 330000, ["Rhine"])


async def test_an_answer_may_be_a_dictionary_of_a_type(front: Front) -> None:
    response = await collected(front, [done(message(TEXT)), COMPLETED], DictCity)

    assert response.parse(DictCity) == {"name": "Bonn", "people": 330000, "rivers": ["Rhine"]}


async def test_deltas_without_an_item_are_read_too(front: Front) -> None:
    response = await collected(front, [delta(TEXT[:20]), delta(TEXT[20:]), COMPLETED])

    assert response.parse(StructCity).name == "Bonn"


async def test_an_answer_that_was_cut_off_is_incomplete_and_not_broken_json(front: Front) -> None:
    incomplete = {
        "type": "response.incomplete",
        "response": {"id": "resp_1", "incomplete_details": {"reason": "max_output_tokens"}},
    }
    with pytest.raises(errors.ResponseIncompleteError) as caught:
        await collected(front, [delta(TEXT[:20]), incomplete])
    error = caught.value

    assert (error.reason, error.retryable) == ("max_output_tokens", False)
    assert error.partial is not None
    assert error.partial.text == TEXT[:20]
    with pytest.raises(errors.ResponseIncompleteError, match="max_output_tokens"):
        error.partial.parse(StructCity)


async def test_an_answer_whose_item_is_incomplete_is_incomplete_too(front: Front) -> None:
    events = [done(message(TEXT[:20], status="incomplete")), COMPLETED]
    response = await collected(front, events)

    with pytest.raises(errors.ResponseIncompleteError):
        response.parse(StructCity)


async def test_what_came_of_a_broken_stream_is_incomplete(front: Front) -> None:
    with pytest.raises(errors.StreamClosedError) as caught:
        await collected(front, [delta(TEXT)])

    assert caught.value.partial is not None
    with pytest.raises(errors.ResponseIncompleteError):
        caught.value.partial.parse(StructCity)


@pytest.mark.parametrize("type_", [*CITIES, DictCity])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"name":"Bonn","people":"many","rivers":[]}', "people"),
        ('{"name":"Bonn","people":1}', "rivers"),
        ("Bonn", "JSON"),
        ("[]", ""),
    ],
)
async def test_an_answer_of_another_form_names_the_place(
    front: Front, type_: Any, text: str, told: str
) -> None:
    response = await collected(front, [done(message(text)), COMPLETED], type_)

    with pytest.raises(errors.DecodeError) as caught:
        response.parse(type_)
    assert told in str(caught.value)
    assert type_.__name__ in str(caught.value)
    assert text not in str(caught.value)


async def test_a_refusal_says_so_in_the_models_words(front: Front) -> None:
    refusal = {"type": "refusal", "refusal": "I must not say."}
    item = {"type": "message", "role": "assistant", "content": [refusal]}
    response = await collected(front, [done(item), COMPLETED])

    assert response.refusal == "I must not say."
    with pytest.raises(errors.DecodeError, match="I must not say"):
        response.parse(StructCity)


async def test_an_answer_without_text_says_so(front: Front) -> None:
    response = await collected(front, [COMPLETED])

    with pytest.raises(errors.DecodeError, match="no text"):
        response.parse(StructCity)


async def test_messages_before_the_answer_and_a_fence_around_it_do_no_harm(front: Front) -> None:
    fenced = message(f"```json\n{TEXT}\n```")
    response = await collected(front, [done(message("I look.")), done(fenced), COMPLETED])

    assert response.parse(StructCity).name == "Bonn"


async def test_an_answer_that_does_not_fit_tells_the_request(front: Front) -> None:
    script = stream([done(message("Bonn")), COMPLETED], headers=[("x-request-id", "req_9")])
    request = ResponsesApiRequest(model="m", input="hi")
    with ScriptedServer([script]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            response = await front(client.responses.stream(request).collect)

    with pytest.raises(errors.DecodeError) as caught:
        response.parse(StructCity)
    assert caught.value.request_id == "req_9"
