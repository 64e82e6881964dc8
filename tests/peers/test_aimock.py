"""Both fronts against aimock, a mock of the API that nobody here wrote."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import (
    ApiKeyAuth,
    AsyncClient,
    Client,
    Network,
    Provider,
    Reasoning,
    ResponsesApiRequest,
    RetryConfig,
    errors,
    events,
    items,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front

pytestmark = [pytest.mark.peer, pytest.mark.anyio]

PROGRAM = Path(__file__).parents[2] / ".peers/node_modules/@copilotkit/aimock/dist/cli.js"
TEXT = "Hi there! How can I help you today, my friend?"
LONG_TEXT = TEXT * 100
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def limited(front: str) -> list[dict[str, Any]]:
    """Refuse the first request of a front; the program counts by what a request says."""
    said = f"busy {front}"
    error = {"message": "Rate limited", "type": "rate_limit_error"}
    return [
        {
            "match": {"userMessage": said, "sequenceIndex": 0},
            "response": {"error": error, "status": 429, "retryAfter": 7},
        },
        {"match": {"userMessage": said}, "response": {"content": "Now there is room."}},
    ]


FIXTURES = [
    {"match": {"userMessage": "hello"}, "response": {"content": TEXT}},
    {
        "match": {"userMessage": "weather", "hasToolResult": False},
        "response": {
            "toolCalls": [{"name": "get_weather", "arguments": {"city": "Rome"}, "id": "call_1"}]
        },
    },
    {
        "match": {"userMessage": "weather", "hasToolResult": True},
        "response": {"content": "Sunny."},
    },
    {
        "match": {"userMessage": "think"},
        "response": {"content": "42", "reasoning": "Let me think about it."},
    },
    # The first five chunks hold no text yet; a delay lets what is sent arrive before the end.
    {
        "match": {"userMessage": "truncate"},
        "response": {"content": TEXT},
        "truncateAfterChunks": 6,
        "latency": 20,
    },
    # Of its hundreds of chunks the sixth comes long before the cut, and the last long after.
    {
        "match": {"userMessage": "disconnect"},
        "response": {"content": LONG_TEXT},
        "latency": 10,
        "disconnectAfterMs": 500,
    },
    *limited("sync"),
    *limited("async"),
    {
        "match": {"userMessage": "always busy"},
        "response": {"error": {"message": "Rate limited"}, "status": 429, "retryAfter": 7},
    },
]


class RecordingClock:
    """Real time, but waits are only noted."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def __init__(self) -> None:
        self.delays: list[float] = []

    def draw(self) -> float:
        return 0.5

    def sleep(self, delay: float) -> None:
        self.delays.append(delay)

    async def sleep_async(self, delay: float) -> None:
        self.delays.append(delay)


@pytest.fixture(scope="session")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    node = shutil.which("node")
    if node is None or not PROGRAM.exists():
        pytest.skip("aimock is not installed: run `make peers`")
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}))
    command = [node, str(PROGRAM), "-p", "0", "-f", str(fixtures)]
    # Its arguments are our own.
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as program:
        assert program.stdout is not None
        said = ""
        for line in program.stdout:
            said += line
            if "listening on " in line:
                yield line.rpartition("listening on ")[2].strip() + "/v1"
                break
        else:
            pytest.fail(f"aimock did not start: {said}")
        program.terminate()


def client_of(front: Front, base_url: str, **options: Any) -> Any:
    retry = options.pop("retry", RetryConfig(max_attempts=0))
    return front.pick(Client, AsyncClient)(
        Provider("aimock", base_url, retry=retry),
        ApiKeyAuth("mock"),
        network=Network(proxy=None),
        **options,
    )


def asking(prompt: str, **more: Any) -> ResponsesApiRequest:
    return ResponsesApiRequest(model="gpt-5", input=[items.Message.user(prompt)], **more)


async def events_of(front: Front, client: Any, request: ResponsesApiRequest) -> AsyncIterator[Any]:
    async with front.entering(client.responses.stream(request)) as stream:
        async for event in front.iterate(stream):
            yield event


async def collected(front: Front, client: Any, request: ResponsesApiRequest) -> Any:
    return await front(client.responses.stream(request).collect)


async def test_text_is_streamed_in_pieces(front: Front, base_url: str) -> None:
    async with front.entering(client_of(front, base_url)) as client:
        received = [event async for event in events_of(front, client, asking("hello"))]

    deltas = [event.delta for event in received if isinstance(event, events.OutputTextDelta)]
    assert "".join(deltas) == TEXT
    assert len(deltas) > 1
    assert isinstance(received[-1], events.Completed)


async def test_a_tool_is_called_and_its_output_answered(front: Front, base_url: str) -> None:
    request = asking("weather", tools=[WEATHER])
    async with front.entering(client_of(front, base_url)) as client:
        first = await collected(front, client, request)
        (call,) = first.function_calls
        output = items.FunctionCallOutput(call_id=call.call_id, output="sunny")
        history = [*request.input, *first.raw_items, output]
        again = ResponsesApiRequest(model="gpt-5", input=history, tools=[WEATHER])
        second = await collected(front, client, again)

    assert (call.name, call.call_id) == ("get_weather", "call_1")
    assert json.loads(call.arguments) == {"city": "Rome"}
    assert second.text == "Sunny."


async def test_arguments_of_a_call_are_streamed(front: Front, base_url: str) -> None:
    request = asking("weather", tools=[WEATHER])
    async with front.entering(client_of(front, base_url)) as client:
        received = [event async for event in events_of(front, client, request)]

    pieces = [e.delta for e in received if isinstance(e, events.FunctionCallArgumentsDelta)]
    assert json.loads("".join(pieces)) == {"city": "Rome"}


async def test_reasoning_comes_before_the_answer(front: Front, base_url: str) -> None:
    request = asking("think", reasoning=Reasoning(effort="high", summary="auto"))
    async with front.entering(client_of(front, base_url)) as client:
        received = [event async for event in events_of(front, client, request)]
        whole = await collected(front, client, request)

    kinds = [type(event) for event in received]
    assert kinds.index(events.ReasoningSummaryDelta) < kinds.index(events.OutputTextDelta)
    assert (whole.reasoning_summary, whole.text) == ("Let me think about it.", "42")


@pytest.mark.parametrize(("how", "text"), [("truncate", TEXT), ("disconnect", LONG_TEXT)])
async def test_an_answer_that_is_cut_is_an_error_after_what_came(
    front: Front, base_url: str, how: str, text: str
) -> None:
    async with front.entering(client_of(front, base_url)) as client:
        with pytest.raises(errors.StreamClosedError) as caught:
            await collected(front, client, asking(how))

    assert caught.value.retryable
    assert caught.value.request_id is not None
    partial = caught.value.partial
    assert partial is not None
    assert text.startswith(partial.text)
    assert partial.text not in {"", text}


async def test_a_limit_is_waited_for_as_long_as_the_server_says(
    front: Front, base_url: str
) -> None:
    clock = RecordingClock()
    retry = RetryConfig(max_attempts=2, retry_429=True)
    async with front.entering(client_of(front, base_url, retry=retry, clock=clock)) as client:
        answer = await collected(front, client, asking(f"busy {front.name}"))

    assert answer.text == "Now there is room."
    (delay,) = clock.delays
    # Jitter may add to what the server asked for, never take from it.
    assert 7.0 <= delay <= 7.7


async def test_a_limit_that_is_not_retried_says_when_to_come_back(
    front: Front, base_url: str
) -> None:
    clock = RecordingClock()
    async with front.entering(client_of(front, base_url, clock=clock)) as client:
        with pytest.raises(errors.RateLimitError) as caught:
            await collected(front, client, asking("always busy"))

    assert caught.value.retry_after == 7.0
    assert caught.value.status == 429
    assert clock.delays == []
    limits = caught.value.api_rate_limits
    assert limits is not None
    assert limits.requests is not None
    assert limits.requests.remaining == 0
