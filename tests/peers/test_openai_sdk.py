"""The official SDK, sync and async, against the embedded server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from pydantic import BaseModel

from codex_api.testing import EmbeddedServer, scenarios

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front

pytestmark = pytest.mark.anyio

MODEL = "gpt-5.1"
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}


class Mood(BaseModel):
    mood: str
    n: int


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
async def sdk(front: Front, server: EmbeddedServer) -> AsyncIterator[Any]:
    kind = front.pick(openai.OpenAI, openai.AsyncOpenAI)
    async with front.entering(kind(api_key="k", base_url=server.url)) as client:
        yield client


async def test_a_response_is_created(front: Front, sdk: Any) -> None:
    response = await front(sdk.responses.create, model=MODEL, input="hi there")

    assert response.output_text == 'You said: "hi there". I read 1 item.'
    assert response.status == "completed"
    assert response.usage.output_tokens > 0


async def test_a_response_is_streamed(front: Front, sdk: Any) -> None:
    stream = await front(sdk.responses.create, model=MODEL, input="hi there", stream=True)
    received = [event async for event in front.iterate(stream)]

    text = "".join(e.delta for e in received if e.type == "response.output_text.delta")
    assert text == 'You said: "hi there". I read 1 item.'
    assert [event.sequence_number for event in received] == list(range(len(received)))
    assert received[-1].response.output_text == text


async def test_reasoning_is_streamed(front: Front, sdk: Any) -> None:
    stream = await front(
        sdk.responses.create,
        model=MODEL,
        input="hi",
        reasoning={"effort": "high", "summary": "auto"},
        stream=True,
    )
    received = [event async for event in front.iterate(stream)]

    summary = [e.delta for e in received if e.type == "response.reasoning_summary_text.delta"]
    (reasoning, _) = received[-1].response.output
    assert "".join(summary) == "".join(part.text for part in reasoning.summary)


async def test_a_tool_is_called_and_its_output_answered(front: Front, sdk: Any) -> None:
    prompt = "call get_weather with city=Rome, days=3"
    first = await front(sdk.responses.create, model=MODEL, input=prompt, tools=[WEATHER])
    (call,) = first.output
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    second = await front(
        sdk.responses.create,
        model=MODEL,
        input=[output],
        tools=[WEATHER],
        previous_response_id=first.id,
    )

    assert json.loads(call.arguments) == {"city": "Rome", "days": 3}
    assert second.output_text == 'get_weather returned "sunny".'


async def test_a_tool_call_is_streamed(front: Front, sdk: Any) -> None:
    prompt = "call get_weather with city=Rome, days=3"
    stream = await front(
        sdk.responses.create, model=MODEL, input=prompt, tools=[WEATHER], stream=True
    )
    received = [event async for event in front.iterate(stream)]

    pieces = [e.delta for e in received if e.type == "response.function_call_arguments.delta"]
    assert json.loads("".join(pieces)) == {"city": "Rome", "days": 3}


async def test_structured_output_is_parsed(front: Front, sdk: Any) -> None:
    response = await front(
        sdk.responses.parse, model=MODEL, input="mood=good, n=7", text_format=Mood
    )

    assert response.output_parsed == Mood(mood="good", n=7)


async def test_structured_output_is_streamed(front: Front, sdk: Any) -> None:
    manager = sdk.responses.stream(model=MODEL, input="mood=good, n=7", text_format=Mood)
    async with front.entering(manager) as stream:
        final = await front(stream.get_final_response)

    assert final.output_parsed == Mood(mood="good", n=7)


async def test_a_limit_is_retried_by_the_sdk(
    front: Front, sdk: Any, server: EmbeddedServer
) -> None:
    server.play(scenarios.rate_limited("0.01"))
    response = await front(sdk.responses.create, model=MODEL, input="hi")

    assert response.status == "completed"


async def test_a_refused_key_is_its_error(front: Front) -> None:
    with EmbeddedServer(api_key="right") as server:
        kind = front.pick(openai.OpenAI, openai.AsyncOpenAI)
        async with front.entering(kind(api_key="wrong", base_url=server.url)) as client:
            with pytest.raises(openai.AuthenticationError):
                await front(client.responses.create, model=MODEL, input="hi")
