"""Realtime sessions against aimock, a server that others wrote (``make peers``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api import ApiKeyAuth, AsyncClient, Client, Network, Provider
from codex_api.types.realtime import RealtimeSessionConfig
from codex_api.types.realtime_events import (
    HandoffRequested,
    OutputTranscriptDelta,
    OutputTranscriptDone,
    RealtimeErrorEvent,
    ResponseCreated,
    ResponseDone,
)
from codex_api.types.realtime_options import RealtimeOptions
from tests.peers.aimock import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.front import Front

pytestmark = [pytest.mark.peer, pytest.mark.anyio]

FIXTURES: list[dict[str, Any]] = [
    {"match": {"userMessage": "hello"}, "response": {"content": "Hi there, you two!"}},
    {
        "match": {"userMessage": "build"},
        "response": {
            "toolCalls": [{"name": "background_agent", "arguments": '{"prompt":"build it"}'}]
        },
    },
]
CONFIG = RealtimeSessionConfig("be brief", "gpt-realtime", version="v2", output_modality="text")


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("aimock"), FIXTURES) as url:
        yield url


def client_of(front: Front, base_url: str) -> Any:
    provider = Provider("aimock", base_url)
    network = Network(proxy=None)
    return front.pick(Client, AsyncClient)(provider, ApiKeyAuth("mock"), network=network)


async def exchange(front: Front, base_url: str, text: str, last: type) -> list[Any]:
    events: list[Any] = []
    async with (
        front.entering(client_of(front, base_url)) as client,
        front.entering(
            await front(client.realtime.connect, CONFIG, options=RealtimeOptions(acknowledge=True))
        ) as connection,
    ):
        await front(connection.send_conversation_item_create, text)
        await front(connection.send_response_create)
        async for event in front.iterate(connection):
            events.append(event)
            if isinstance(event, last):
                break
    return events


async def test_an_answer_is_written_in_pieces(front: Front, base_url: str) -> None:
    events = await exchange(front, base_url, "hello", ResponseDone)

    deltas = [event.delta for event in events if isinstance(event, OutputTranscriptDelta)]
    assert "".join(deltas) == "Hi there, you two!"
    said = [event.transcript for event in events if isinstance(event, OutputTranscriptDone)]
    assert "Hi there, you two!" in said
    assert any(isinstance(event, ResponseCreated) for event in events)
    assert not any(isinstance(event, RealtimeErrorEvent) for event in events)


async def test_a_tool_call_is_a_handoff(front: Front, base_url: str) -> None:
    handoff = (await exchange(front, base_url, "build", HandoffRequested))[-1]

    assert handoff.input_transcript == "build it"
    assert handoff.handoff_id.startswith("call_")
