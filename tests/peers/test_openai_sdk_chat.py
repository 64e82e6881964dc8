"""Chat completions of the official SDK, sync and async, against the embedded server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from codex_api.testing import EmbeddedServer, faults, scenarios

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front

pytestmark = pytest.mark.anyio

MODEL = "gpt-5.1"
ENDPOINT = "chat/completions"
HI = [{"role": "user", "content": "hi there"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
SHELL = {"type": "custom", "custom": {"name": "shell"}}


class Mood(BaseModel):
    mood: str
    n: int


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
async def chat(front: Front, server: EmbeddedServer) -> AsyncIterator[Any]:
    kind = front.pick(openai.OpenAI, openai.AsyncOpenAI)
    async with front.entering(kind(api_key="k", base_url=server.url, max_retries=0)) as client:
        yield client.chat.completions


async def streamed(front: Front, chat: Any, **more: Any) -> list[Any]:
    stream = await front(chat.create, model=MODEL, stream=True, **more)
    chunks = [chunk async for chunk in front.iterate(stream)]
    for chunk in chunks:
        # The SDK has no type for pieces of custom calls, which servers send all the same.
        if '"custom"' not in chunk.to_json():
            ChatCompletionChunk.model_validate(chunk.to_dict())
    return chunks


async def test_a_question_is_answered(front: Front, chat: Any) -> None:
    made = await front(chat.create, model=MODEL, messages=HI, n=2, seed=1, stop=["x"])

    assert ChatCompletion.model_validate(made.to_dict())
    assert [choice.index for choice in made.choices] == [0, 1]
    assert made.choices[0].message.content == 'You said: "hi there". I read 1 item.'
    assert made.choices[0].finish_reason == "stop"
    assert made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens


async def test_an_answer_is_streamed(front: Front, chat: Any) -> None:
    options = {"include_usage": True}
    *chunks, last = await streamed(front, chat, messages=HI, stream_options=options)
    deltas = [chunk.choices[0].delta for chunk in chunks]

    assert "".join(delta.content or "" for delta in deltas).startswith('You said: "hi there".')
    assert deltas[0].role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert (last.choices, last.usage.completion_tokens > 0) == ([], True)
    assert len({chunk.id for chunk in chunks}) == 1


async def test_tools_are_called_and_their_outputs_told(front: Front, chat: Any) -> None:
    asked = {"role": "user", "content": "call get_weather with city=Rome and shell with `ls`"}
    first = await front(chat.create, model=MODEL, messages=[asked], tools=[WEATHER, SHELL])
    (choice,) = first.choices
    function, custom = choice.message.tool_calls
    outputs = [
        {"role": "tool", "tool_call_id": function.id, "content": "sunny"},
        {
            "role": "tool",
            "tool_call_id": custom.id,
            "content": [{"type": "text", "text": "a.txt"}],
        },
    ]
    messages = [asked, choice.message.to_dict(), *outputs]
    second = await front(chat.create, model=MODEL, messages=messages, tools=[WEATHER, SHELL])

    assert choice.finish_reason == "tool_calls"
    assert json.loads(function.function.arguments) == {"city": "Rome"}
    assert custom.custom.input == "ls"
    told = 'get_weather returned "sunny"; shell returned "a.txt".'
    assert second.choices[0].message.content == told


async def test_calls_are_streamed_in_pieces(front: Front, chat: Any) -> None:
    content = "call get_weather with city='New York' and shell with `ls -l`"
    chunks = await streamed(
        front, chat, messages=[{"role": "user", "content": content}], tools=[WEATHER, SHELL]
    )
    arguments, given = "", ""
    for chunk in chunks:
        for call in chunk.choices[0].delta.tool_calls or ():
            if call.index == 0:
                arguments += call.function.arguments
            else:
                given += call.to_dict()["custom"]["input"]

    assert json.loads(arguments) == {"city": "New York"}
    assert given == "ls -l"
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_a_tool_is_forced_allowed_or_forbidden(front: Front, chat: Any) -> None:
    async def called(choice: Any) -> list[str]:
        made = await front(
            chat.create, model=MODEL, messages=HI, tools=[WEATHER, SHELL], tool_choice=choice
        )
        calls = made.choices[0].message.tool_calls or ()
        return [call.id.partition("_")[0] and call.type for call in calls]

    allowed = {"mode": "required", "tools": [{"type": "custom", "custom": {"name": "shell"}}]}
    assert await called({"type": "function", "function": {"name": "get_weather"}}) == ["function"]
    assert await called({"type": "allowed_tools", "allowed_tools": allowed}) == ["custom"]
    assert await called("required") == ["function"]
    assert await called("none") == []


async def test_structured_output_is_parsed(front: Front, chat: Any) -> None:
    messages = [{"role": "user", "content": "mood=good, n=7"}]
    made = await front(chat.parse, model=MODEL, messages=messages, response_format=Mood)

    assert made.choices[0].message.parsed == Mood(mood="good", n=7)


async def test_settings_of_the_model_are_heeded(front: Front, chat: Any) -> None:
    asked = [{"role": "user", "content": "count to 50"}]
    short = await front(chat.create, model=MODEL, messages=asked, max_completion_tokens=5)
    terse = await front(chat.create, model=MODEL, messages=HI, verbosity="low")
    made = await front(
        chat.create,
        model=MODEL,
        messages=[{"role": "user", "content": "hi"}],
        reasoning_effort="high",
        response_format={"type": "json_object"},
    )

    assert short.choices[0].finish_reason == "length"
    assert short.choices[0].message.content == "1 2 3 4 5"
    assert terse.choices[0].message.content == 'You said: "hi there".'
    assert json.loads(made.choices[0].message.content)["answer"]


async def test_a_whole_history_is_read(front: Front, chat: Any) -> None:
    url = "https://example.com/cat.png"
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "I am Ada."},
        {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
        {"role": "assistant", "refusal": "No."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": url}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
            ],
        },
    ]
    made = await front(chat.create, model=MODEL, messages=messages)

    content = made.choices[0].message.content
    assert content.startswith('You said: "What is this?". I read 5 items and 1 image.')
    assert 'Before that you said: "I am Ada.".' in content


async def test_a_refusal_is_told(front: Front, chat: Any) -> None:
    asked = [{"role": "user", "content": "please refuse"}]
    made = await front(chat.create, model=MODEL, messages=asked)
    chunks = await streamed(front, chat, messages=asked)

    refusal = made.choices[0].message.refusal
    assert refusal.startswith("I was asked to refuse")
    assert "".join(chunk.choices[0].delta.refusal or "" for chunk in chunks) == refusal


async def test_a_script_may_fail_it(front: Front, chat: Any, server: EmbeddedServer) -> None:
    server.play(scenarios.rate_limited("1"), endpoint=ENDPOINT)
    with pytest.raises(openai.RateLimitError):
        await front(chat.create, model=MODEL, messages=HI)
    server.play(scenarios.faulty(faults.cut(after=4)), endpoint=ENDPOINT)
    with pytest.raises(openai.APIConnectionError):
        await streamed(front, chat, messages=HI)
    server.play(*[scenarios.faulty(faults.failed("server_error", "broken"))] * 2, endpoint=ENDPOINT)
    with pytest.raises(openai.APIError, match="broken"):
        await streamed(front, chat, messages=HI)
    with pytest.raises(openai.InternalServerError, match="broken"):
        await front(chat.create, model=MODEL, messages=HI)


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ([{"role": "judge", "content": "x"}], "messages[0].role"),
        ([{"role": "tool", "content": "x"}], "messages[0].tool_call_id"),
        ([{"role": "user", "content": [{"type": "smell"}]}], "messages[0].content[0].type"),
        ([{"role": "assistant", "tool_calls": [{}]}], "messages[0].tool_calls[0].id"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    front: Front, chat: Any, messages: Any, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await front(chat.create, model=MODEL, messages=messages)

    assert caught.value.param == param


async def test_too_many_choices_are_refused(front: Front, chat: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="128"):
        await front(chat.create, model=MODEL, messages=HI, n=129)
