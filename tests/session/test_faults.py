"""Whatever happens on the way, a conversation ends with the history that it has without faults."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from codex_api import AsyncClient, Client, Network, Provider, ResponsesApiRequest, RetryConfig
from codex_api.items import FunctionCall, FunctionCallOutput, Message
from codex_api.session import SessionSettings
from codex_api.testing import EmbeddedServer, ServerSettings
from codex_api.testing.faults import close_frame, cut, failed, inject, stall
from codex_api.testing.scenarios import Scenario, faulty, http_error, normal, rate_limited
from codex_api.types.reasoning import Reasoning
from tests.session.conversation import FastClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.front import Front

pytestmark = pytest.mark.anyio

TOOL = {
    "type": "function",
    "name": "look_up",
    "parameters": {"type": "object", "properties": {"what": {"type": "string"}}},
}
TURNS = 120
VOLATILE = ("id", "call_id", "status", "encrypted_content")


def stream_fault(rng: random.Random) -> Scenario:
    after = rng.randrange(12)
    makers: list[Callable[[], Scenario]] = [
        lambda: faulty(cut(after=after)),
        lambda: faulty(cut(after=after, how="clean")),
        lambda: faulty(close_frame(after=after, code=rng.choice([1001, 1008, 1009, 1011]))),
        lambda: faulty(stall(after=after)),
        lambda: faulty(failed("server_error", after=after)),
        lambda: faulty(failed("rate_limit_exceeded", "try again in 28ms", after=after)),
        lambda: faulty(inject({"type": "brand.new", "x": 1}, after=after)),
        lambda: http_error(500),
        lambda: http_error(503),
        lambda: rate_limited("1"),
    ]
    return rng.choice(makers)()


def handshake_fault(rng: random.Random) -> Scenario:
    return rng.choice([normal(), http_error(503), http_error(404), rate_limited("2")])


async def converse(
    front: Front, peer: EmbeddedServer, turns: int, rng: random.Random | None
) -> tuple[list[Any], FastClock]:
    """Talk for ``turns`` turns, every other one with a tool call; ``rng`` brings faults."""
    clock = FastClock()
    provider = Provider(
        "mock", peer.url, retry=RetryConfig(max_attempts=4), stream_idle_timeout=0.05
    )
    api: Any = front.pick(Client, AsyncClient)(provider, network=Network(proxy=None), clock=clock)
    settings = SessionSettings(cool_down=5.0, stream_max_retries=8)
    transcript: list[Any] = []
    history: list[Any] = []
    async with front.entering(api), front.entering(api.session(settings)) as session:
        for number in range(turns):
            calls_tool = number % 2
            prompt = f"Use look_up on {number}." if calls_tool else f"Say {number}."
            if number % 25 == 24:  # as after a compaction: the chain has to begin anew
                transcript, history = [*transcript, *history], []
            history = [*history, Message.user(prompt)]
            for _ in range(2 if calls_tool else 1):
                if rng is not None and rng.random() < 0.3:
                    peer.play(*[stream_fault(rng) for _ in range(rng.randrange(1, 4))])
                if rng is not None and rng.random() < 0.1:
                    peer.play(handshake_fault(rng), endpoint="websocket")
                request = ResponsesApiRequest(
                    model="gpt-5.1-codex",
                    input=history,
                    tools=[TOOL] if calls_tool else [],
                    reasoning=Reasoning(effort="low", summary="auto"),
                )
                response = await front(session.stream(request).collect)
                history = [*history, *response.raw_items]
                history += [
                    FunctionCallOutput(call_id=item.call_id, output=f"found {number}")
                    for item in response.items
                    if isinstance(item, FunctionCall)
                ]
                clock.offset += 1.0
    return [*transcript, *history], clock


def essence(items: list[Any]) -> list[Any]:
    plain = [msgspec.json.decode(msgspec.json.encode(item)) for item in items]
    return [{key: item[key] for key in item if key not in VOLATILE} for item in plain]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
async def test_faults_leave_no_trace_in_the_history(front: Front, seed: int) -> None:
    turns = TURNS if front.is_async and seed == 1 else TURNS // 5
    with EmbeddedServer(ServerSettings(websocket_responses=17)) as peer:
        expected, _ = await converse(front, peer, turns, None)
    with EmbeddedServer(ServerSettings(websocket_responses=17)) as peer:
        found, clock = await converse(front, peer, turns, random.Random(seed))  # noqa: S311 - faults to be repeated

    assert essence(found) == essence(expected)
    assert len(clock.slept) > turns // 20
