"""Realtime sessions of the official SDK, sync and async, against the embedded server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from codex_api.testing import EmbeddedServer, ServerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front

pytestmark = [
    pytest.mark.anyio,
    # The SDK opens its blocking connection in a way that its WebSocket library has deprecated.
    pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning"),
]

EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


class Clock:
    """A clock that stands still until it is moved."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[EmbeddedServer]:
    settings = ServerSettings(api_keys=frozenset({"sk-own"}), clock=clock)
    with EmbeddedServer(settings) as server:
        yield server


@pytest.fixture
async def sdk(front: Front, server: EmbeddedServer) -> AsyncIterator[Any]:
    kind = front.pick(openai.OpenAI, openai.AsyncOpenAI)
    async with front.entering(kind(api_key="sk-own", base_url=server.url)) as client:
        yield client


async def until(front: Front, connection: Any, last: str) -> list[Any]:
    """Receive events up to one of the type ``last``; each must be one that the SDK declares."""
    events: list[Any] = []
    while not events or events[-1].type != last:
        events.append(await front(connection.recv))
        EVENTS.validate_python(events[-1].to_dict())
    return events


async def said(front: Front, connection: Any, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    await front(connection.conversation.item.create, item=item)
    await until(front, connection, "conversation.item.done")


async def test_a_text_is_answered_by_a_whole_item(front: Front, sdk: Any) -> None:
    async with front.entering(sdk.realtime.connect(model="gpt-realtime")) as connection:
        session = {"type": "realtime", "output_modalities": ["text"], "instructions": "be kind"}
        await front(connection.session.update, session=session)
        updated = (await until(front, connection, "session.updated"))[-1]
        await said(front, connection, "hello there")
        await front(connection.response.create)
        events = await until(front, connection, "response.done")

    assert updated.session.instructions == "be kind"
    assert updated.session.output_modalities == ["text"]
    text = "".join(each.delta for each in events if each.type == "response.output_text.delta")
    assert text == "You said: hello there"
    (item,) = events[-1].response.output
    assert (item.role, item.status, item.content[0].text) == ("assistant", "completed", text)
    kinds = [each.type for each in events]
    assert kinds.index("response.output_item.added") < kinds.index("response.content_part.added")
    assert kinds[-3:] == ["response.output_item.done", "conversation.item.done", "response.done"]


async def test_a_function_is_called_and_its_output_answered(front: Front, sdk: Any) -> None:
    async with front.entering(sdk.realtime.connect(model="gpt-realtime")) as connection:
        session = {"type": "realtime", "output_modalities": ["text"], "tools": [WEATHER]}
        await front(connection.session.update, session=session)
        await until(front, connection, "session.updated")
        await said(front, connection, "call get_weather with city=Rome")
        await front(connection.response.create)
        events = await until(front, connection, "response.done")
        (call,) = events[-1].response.output
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        await front(connection.conversation.item.create, item=output)
        await until(front, connection, "conversation.item.done")
        await front(connection.response.create)
        answer = (await until(front, connection, "response.done"))[-1].response

    deltas = [e.delta for e in events if e.type == "response.function_call_arguments.delta"]
    assert (call.type, call.name, call.status) == ("function_call", "get_weather", "completed")
    assert call.arguments == "".join(deltas)
    assert json.loads(call.arguments) == {"city": "Rome"}
    assert answer.output[0].content[0].text == 'get_weather returned "sunny".'


async def test_a_response_may_forbid_or_force_functions(front: Front, sdk: Any) -> None:
    async with front.entering(sdk.realtime.connect(model="gpt-realtime")) as connection:
        session = {"type": "realtime", "output_modalities": ["text"], "tools": [WEATHER]}
        await front(connection.session.update, session=session)
        await until(front, connection, "session.updated")
        await said(front, connection, "hello get_weather")
        await front(connection.response.create, response={"tool_choice": "none"})
        without = (await until(front, connection, "response.done"))[-1].response
        choice = {"type": "function", "name": "get_weather"}
        await front(connection.response.create, response={"tool_choice": choice})
        forced = (await until(front, connection, "response.done"))[-1].response

    assert [item.type for item in without.output] == ["message"]
    assert [item.type for item in forced.output] == ["function_call"]


async def test_a_secret_opens_its_own_session_and_nothing_else(
    front: Front, sdk: Any, server: EmbeddedServer
) -> None:
    made = await front(
        sdk.realtime.client_secrets.create,
        expires_after={"anchor": "created_at", "seconds": 60},
        session={"type": "realtime", "model": "gpt-realtime", "instructions": "be brief"},
    )
    kind = front.pick(openai.OpenAI, openai.AsyncOpenAI)
    async with front.entering(kind(api_key=made.value, base_url=server.url)) as other:
        async with front.entering(other.realtime.connect(model="gpt-realtime")) as connection:
            created = (await until(front, connection, "session.created"))[-1]
        with pytest.raises(openai.AuthenticationError):
            await front(other.responses.create, model="m", input="hi")

    assert made.session.instructions == created.session.instructions == "be brief"
    assert made.expires_at == 1_800_000_060


async def test_a_secret_expires(
    front: Front, sdk: Any, server: EmbeddedServer, clock: Clock
) -> None:
    made = await front(sdk.realtime.client_secrets.create)
    clock.now = made.expires_at
    kind = front.pick(openai.OpenAI, openai.AsyncOpenAI)
    async with front.entering(kind(api_key=made.value, base_url=server.url)) as other:
        with pytest.raises(Exception, match="401"):
            async with front.entering(other.realtime.connect(model="gpt-realtime")):
                pass


async def test_a_secret_of_an_odd_length_is_refused(front: Front, sdk: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="seconds"):
        await front(
            sdk.realtime.client_secrets.create,
            expires_after={"anchor": "created_at", "seconds": 9},
        )
