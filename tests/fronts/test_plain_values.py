"""Plain mappings are taken wherever a typed value is, and go out as they are."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import Reasoning, ResponsesApiRequest, TextControls, errors
from codex_api.items import Message
from codex_api.session import SessionSettings
from codex_api.testing.actions import (
    AcceptWebSocket,
    Hang,
    ReadMessage,
    SendMessage,
    answer,
    stream,
)
from codex_api.testing.scripted import ScriptedServer
from codex_api.types.request_fields import RequestFields
from tests.fronts.simple_calls import COMPLETED, CREATED, client_of, collected, provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.front import Front

pytestmark = pytest.mark.anyio

PLAIN: dict[str, Any] = {
    "model": "m",
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
    "tools": [{"type": "function", "name": "f", "odd": [1]}],
    "tool_choice": {"type": "function", "name": "f"},
    "reasoning": {"effort": "high", "later": 1},
    "text": {"verbosity": "low", "format": {"type": "text"}},
    "prompt_cache_options": {"mode": "explicit", "later": True},
    "store": True,
    "temperature": 0.5,
    "not_invented_yet": {"a": None},
}
WHOLE = {"id": "resp_1", "status": "completed", "output": []}
EVENTS = [CREATED, COMPLETED]
URL = {"image_url": "https://x.invalid/a.png"}
DRAWN = answer(body={"created": 1, "data": []})


async def sent(front: Front, script: Any, call: Callable[[Any], Any]) -> Any:
    """Return the body that a call sent."""
    with ScriptedServer([script]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            await call(client)
        (request,) = server.requests
    return json.loads(request.body)


async def read(front: Front, prepared: Any) -> None:
    async with front.entering(prepared) as opened:
        await collected(front, opened)


async def test_a_mapping_is_created_as_it_is(front: Front) -> None:
    body = await sent(
        front, answer(body=WHOLE), lambda client: front(client.responses.create, PLAIN)
    )

    assert body == PLAIN


async def test_a_mapping_is_streamed_as_it_is(front: Front) -> None:
    body = await sent(
        front, stream(EVENTS), lambda client: read(front, client.responses.stream(PLAIN))
    )

    assert body == {**PLAIN, "stream": True}


async def test_a_mapping_goes_through_a_session_as_it_is(front: Front) -> None:
    settings = SessionSettings(transport="http")
    body = await sent(
        front, stream(EVENTS), lambda client: read(front, client.session(settings).stream(PLAIN))
    )

    assert body == {**PLAIN, "stream": True}


async def test_a_mapping_begins_in_the_background(front: Front) -> None:
    body = await sent(
        front, stream(EVENTS), lambda client: front(client.responses.background, PLAIN)
    )

    assert body == {**PLAIN, "stream": True, "background": True}


async def test_the_tokens_of_a_mapping_are_counted(front: Front) -> None:
    body = await sent(
        front,
        answer(body={"input_tokens": 3}),
        lambda client: front(client.responses.input_tokens, PLAIN),
    )

    counted = ("model", "input", "tools", "tool_choice", "reasoning", "text", "not_invented_yet")
    assert body == {name: PLAIN[name] for name in counted}


async def test_a_mapping_goes_over_a_websocket_as_it_is(front: Front) -> None:
    script = [AcceptWebSocket(), ReadMessage(), *map(SendMessage, EVENTS), Hang()]
    with ScriptedServer(connections=[script]) as server:
        async with (
            front.entering(client_of(front, provider(server))) as client,
            front.entering(client.responses.connect()) as socket,
        ):
            await read(front, socket.stream(PLAIN))
        (frame,) = server.connections[0].websocket.messages

    assert json.loads(frame) == {"type": "response.create", **PLAIN, "stream": True}


async def test_a_mapping_is_compacted(front: Front) -> None:
    compacted = {"output": [{"type": "compaction", "encrypted_content": "e"}]}
    given = {"model": "m", "input": PLAIN["input"], "reasoning": {"effort": "low"}}
    body = await sent(
        front, answer(body=compacted), lambda client: front(client.responses.compact, given)
    )

    assert {name: body[name] for name in given} == given


async def test_a_mapping_is_compacted_by_stream_and_keeps_what_the_user_said(front: Front) -> None:
    done = {
        "type": "response.output_item.done",
        "item": {"type": "compaction", "encrypted_content": "e"},
    }
    script = stream([CREATED, done, COMPLETED])
    with ScriptedServer([script]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            kept, _ = await front(
                client.responses.compact, {"model": "m", "input": PLAIN["input"]}, via="stream"
            )

    assert kept == Message.user("hi")


async def test_a_mapping_is_searched_for(front: Front) -> None:
    given = {
        "id": "c",
        "model": "m",
        "input": PLAIN["input"],
        "reasoning": {"effort": "low"},
        "commands": {"search_query": [{"q": "x"}]},
    }
    body = await sent(
        front, answer(body={"output": ""}), lambda client: front(client.search, given)
    )

    assert body == given


async def test_a_mapping_of_traces_is_summarized(front: Front) -> None:
    given = {"model": "m", "traces": [{"id": "t", "metadata": {"source_path": "p"}, "items": [{}]}]}
    body = await sent(
        front,
        answer(body={"output": []}),
        lambda client: front(client.memories.summarize, given),
    )

    assert body == given


async def test_a_mapping_of_an_image_is_drawn(front: Front) -> None:
    given = {"prompt": "p", "n": 2}
    body = await sent(front, DRAWN, lambda client: front(client.images.generate, given))

    assert body == {**given, "model": "gpt-image-2"}


@pytest.mark.parametrize("images", [URL, [URL], {"images": [URL]}])
async def test_mappings_of_images_are_changed(front: Front, images: Any) -> None:
    body = await sent(front, DRAWN, lambda client: front(client.images.edit, images, "p"))

    assert body == {"images": [URL], "prompt": "p", "model": "gpt-image-2"}


async def test_a_mapping_is_a_realtime_session(front: Front) -> None:
    answered = answer(
        body="v=0", headers=[("location", "/v1/realtime/calls/rtc_12345678")], status=201
    )
    with ScriptedServer([answered]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            call = await front(client.realtime.create_call, "v=0", {"instructions": "Be brief"})
        assert b"Be brief" in server.requests[0].body

    assert call.call_id == "rtc_12345678"


@pytest.mark.parametrize(
    ("call", "given", "told"),
    [
        ("responses.compact", {"model": "m", "input": "hi", "toolz": []}, "no key 'toolz'"),
        ("responses.compact", "hi", "CompactionInput or a mapping, not str"),
        ("search", {"identity": 1}, "no key 'identity'"),
        ("memories.summarize", [], "MemorySummarizeInput or a mapping, not list"),
        ("images.generate", {"prompt": "p", "widht": 1}, "no key 'widht'"),
        ("images.generate", 5, "ImageGenerationRequest or a mapping, not int"),
        ("responses.create", {1: "m"}, "the keys of a request are names, not int"),
        ("responses.create", {"model": "m", "extra_body": 1}, "extra_body is a mapping, not int"),
        ("responses.create", [PLAIN], "a ResponsesApiRequest or a mapping, not list"),
    ],
)
async def test_what_is_neither_is_refused_in_words(
    front: Front, call: str, given: Any, told: str
) -> None:
    with ScriptedServer([]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            method = client
            for name in call.split("."):
                method = getattr(method, name)

            with pytest.raises(TypeError, match=told):
                await front(method, given)

        assert server.requests == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reasoning", "high"),
        ("reasoning", TextControls()),
        ("text", "short"),
        ("stream_options", Reasoning()),
        ("prompt_cache_options", []),
        ("tool_choice", 1),
        ("instructions", b"Be brief"),
        ("user", 5),
        ("moderation", "strict"),
        ("temperature", True),
    ],
)
async def test_a_field_of_another_type_is_refused_by_name(
    front: Front, name: str, value: Any
) -> None:
    with ScriptedServer([]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.RequestBuildError, match=f"^{name} must be"):
                await front(client.responses.create, {"model": "m", "input": "hi", name: value})

        assert server.requests == []


def test_a_request_is_changed_without_touching_the_first() -> None:
    first = ResponsesApiRequest.public(model="m", input="hi")

    second = first.replace(input="bye", reasoning={"effort": "low"})

    assert (first.input, second.input, second.reasoning) == ("hi", "bye", {"effort": "low"})
    assert second.model == "m"
    assert first.__replace__(input="bye") == first.replace(input="bye")
    with pytest.raises(TypeError, match="inputt"):
        first.replace(inputt="bye")  # type: ignore[call-arg]  # what is tested


def test_a_request_is_changed_by_the_standard_library() -> None:
    first = ResponsesApiRequest(model="m", input="hi")
    # It came with Python 3.13, and asks the value itself.
    replace = getattr(copy, "replace", lambda value, **changes: value.__replace__(**changes))

    assert replace(first, input="bye") == first.replace(input="bye")


def test_the_names_of_fields_are_those_of_a_request() -> None:
    told = {name: hint.__forward_arg__ for name, hint in RequestFields.__annotations__.items()}

    assert told == ResponsesApiRequest.__annotations__
