"""Sessions and connections against aimock, a server that others wrote (``make peers``)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import (
    AsyncClient,
    Client,
    Network,
    Provider,
    ResponsesApiRequest,
    RetryConfig,
    errors,
    events,
)
from codex_api.items import FunctionCallOutput, Message
from codex_api.session import SessionSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.front import Front

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".peers/node_modules/@copilotkit/aimock/dist/cli.js"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.peer,
    pytest.mark.skipif(NODE is None or not PROGRAM.exists(), reason="make peers was not run"),
]

FIXTURES = {
    "fixtures": [
        {"match": {"userMessage": "hello"}, "response": {"content": "Hi there!"}},
        {"match": {"userMessage": "more"}, "response": {"content": "More of it."}},
        {
            "match": {"userMessage": "weather", "hasToolResult": False},
            "response": {"toolCalls": [{"name": "weather", "arguments": '{"city":"Bonn"}'}]},
        },
        {
            "match": {"userMessage": "weather", "hasToolResult": True},
            "response": {"content": "It rains."},
        },
        {
            "match": {"userMessage": "broken"},
            "response": {"error": {"message": "no", "type": "server_error"}, "status": 500},
        },
        *(
            fixture
            for name in ("sync", "async")
            for fixture in (
                {
                    "match": {"userMessage": f"cut for {name}", "sequenceIndex": 0},
                    "response": {"content": "This text is going to be cut in the middle of it."},
                    "chunkSize": 5,
                    "truncateAfterChunks": 6,
                },
                {"match": {"userMessage": f"cut for {name}"}, "response": {"content": "Whole."}},
            )
        ),
    ]
}
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}}


@pytest.fixture(scope="module")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps(FIXTURES))
    assert NODE is not None
    with subprocess.Popen(  # noqa: S603 - the program that `make peers` installed
        [NODE, str(PROGRAM), "--port", "0", "--fixtures", str(fixtures)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield f"{_announced(process)}/v1"
        finally:
            process.terminate()


def _announced(process: subprocess.Popen[str]) -> str:
    said: list[str] = []
    for line in process.stdout or ():
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    message = f"aimock did not say where it listens: {said}"
    raise AssertionError(message)


def client(front: Front, url: str) -> Any:
    provider = Provider("aimock", url, retry=RetryConfig(max_attempts=0))
    return front.pick(Client, AsyncClient)(provider, network=Network(proxy=None))


def ask(*items: Any, **fields: Any) -> ResponsesApiRequest:
    return ResponsesApiRequest(model="gpt-4o", input=items, **fields)


async def connect(front: Front, api: Any) -> Any:
    return await (api.responses.connect() if front.is_async else front(api.responses.connect))


async def test_several_turns_on_one_connection(front: Front, aimock: str) -> None:
    async with front.entering(client(front, aimock)) as api:
        socket = await connect(front, api)
        answers = [
            (await front(socket.stream(ask(Message.user(text))).collect)).text
            for text in ("hello", "more", "hello")
        ]
        is_open = not socket.is_closed
        await front(socket.close)

    assert answers == ["Hi there!", "More of it.", "Hi there!"]
    assert is_open


async def test_a_tool_call_and_its_output(front: Front, aimock: str) -> None:
    async with front.entering(client(front, aimock)) as api:
        socket = await connect(front, api)
        question = Message.user("weather")
        first = await front(socket.stream(ask(question, tools=[TOOL])).collect)
        (call,) = first.function_calls
        output = FunctionCallOutput(call_id=call.call_id, output="rain")
        request = ask(question, *first.raw_items, output, tools=[TOOL])
        second = await front(socket.stream(request).collect)
        await front(socket.close)

    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Bonn"})
    assert second.text == "It rains."


async def test_an_error_frame_is_raised_and_the_session_goes_on(front: Front, aimock: str) -> None:
    settings = SessionSettings(transport="websocket", stream_max_retries=0)
    async with (
        front.entering(client(front, aimock)) as api,
        front.entering(api.session(settings)) as session,
    ):
        with pytest.raises(errors.ApiError):
            await front(session.stream(ask(Message.user("broken"))).collect)
        answer = await front(session.stream(ask(Message.user("hello"))).collect)

    assert answer.text == "Hi there!"


async def test_a_connection_destroyed_in_the_middle_is_replaced(front: Front, aimock: str) -> None:
    settings = SessionSettings(transport="websocket", stream_base_delay=0.01)
    async with (
        front.entering(client(front, aimock)) as api,
        front.entering(api.session(settings)) as session,
        front.entering(session.stream(ask(Message.user(f"cut for {front.name}")))) as stream,
    ):
        seen = [event async for event in front.iterate(stream)]

    (retry,) = [event for event in seen if isinstance(event, events.StreamRetry)]
    after = seen[seen.index(retry) :]
    text = "".join(event.delta for event in after if isinstance(event, events.OutputTextDelta))
    assert text == "Whole."
    assert isinstance(seen[-1], events.Completed)
