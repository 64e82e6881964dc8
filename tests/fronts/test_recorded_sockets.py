"""WebSockets of both fronts in cassettes: recorded as they pass, and played again."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import (
    AsyncClient,
    Client,
    Provider,
    RealtimeSessionConfig,
    ResponsesApiRequest,
    RetryConfig,
    errors,
)
from codex_api.testing import EmbeddedServer, faults, scenarios
from codex_api.testing.actions import (
    AcceptWebSocket,
    Close,
    ReadMessage,
    ReadRequest,
    SendClose,
    SendMessage,
)
from codex_api.testing.cassettes import (
    AsyncRecordingTransport,
    Cassette,
    RecordingTransport,
    load,
    replay_server,
)
from codex_api.testing.replaying import CassetteMismatchError
from codex_api.testing.scripted import ScriptedServer
from codex_api.transport import AsyncHttpTransport, HttpTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.front import Front

pytestmark = pytest.mark.anyio

SECRET = "sk-proj-abcdefghijklmnop1234"  # noqa: S105 - the marked one
ONCE = RetryConfig(max_attempts=1)


def hello(text: str = "say hello") -> ResponsesApiRequest:
    return ResponsesApiRequest(model="m", input=text)


@asynccontextmanager
async def client_of(front: Front, url: str, tape: Path | None = None) -> AsyncIterator[Any]:
    transport = None
    if tape is not None:
        engine = front.pick(HttpTransport, AsyncHttpTransport)()
        recording = front.pick(RecordingTransport, AsyncRecordingTransport)
        transport = recording(engine, Cassette(tape))
    provider = Provider(name="t", base_url=url, retry=ONCE)
    async with front.entering(
        front.pick(Client, AsyncClient)(provider, transport=transport)
    ) as client:
        yield client


async def opened(front: Front, client: Any) -> Any:
    if front.is_async:
        return await client.responses.connect()
    return await front(client.responses.connect)


async def asked(front: Front, client: Any, *texts: str) -> list[str]:
    """Ask over one WebSocket, and give the answers."""
    socket = await opened(front, client)
    try:
        return [(await front(socket.stream(hello(text)).collect)).text for text in texts]
    finally:
        await front(socket.close)


async def recorded(front: Front, tape: Path, *texts: str) -> list[str]:
    with EmbeddedServer() as server:
        async with client_of(front, server.url, tape) as client:
            return await asked(front, client, *texts)


async def test_a_websocket_is_recorded_and_played_again(front: Front, tmp_path: Path) -> None:
    tape = tmp_path / "a.jsonl"
    answers = await recorded(front, tape, "say one", "say two")

    (exchange,) = load(tape)
    assert (exchange.is_websocket, exchange.status, exchange.ending) == (True, 101, "left")
    sent = [json.loads(each.data) for each in exchange.messages if each.is_sent]
    assert [each["type"] for each in sent] == ["response.create"] * 2
    assert json.loads(exchange.messages[-1].data)["type"] == "response.completed"
    assert all(each.after >= 0 for each in exchange.messages)
    with replay_server(tape) as server:
        async with client_of(front, server.url) as client:
            assert await asked(front, client, "say one", "say two") == answers
        assert server.left == []


async def test_a_played_websocket_can_be_recorded_again_as_it_was(
    front: Front, tmp_path: Path
) -> None:
    await recorded(front, tmp_path / "a.jsonl", "say one")
    with replay_server(tmp_path / "a.jsonl") as server:
        async with client_of(front, server.url, tmp_path / "b.jsonl") as client:
            await asked(front, client, "say one")

    (first,), (second,) = load(tmp_path / "a.jsonl"), load(tmp_path / "b.jsonl")
    assert [each.data for each in first.messages] == [each.data for each in second.messages]
    names = ("x-request-id", "x-models-etag")
    assert [dict(first.headers)[name] for name in names] == [
        dict(second.headers)[name] for name in names
    ]


async def test_two_websockets_at_once_get_their_own_answers(front: Front, tmp_path: Path) -> None:
    tape = tmp_path / "a.jsonl"
    with EmbeddedServer() as server:
        async with client_of(front, server.url, tape) as client:
            first = await asked(front, client, "say one")
            second = await asked(front, client, "say two")

    with replay_server(tape) as server:
        async with client_of(front, server.url) as client:
            one, two = await opened(front, client), await opened(front, client)
            assert [(await front(one.stream(hello("say two")).collect)).text] == second
            assert [(await front(two.stream(hello("say one")).collect)).text] == first
            await front(one.close)
            await front(two.close)


@pytest.mark.parametrize("at", [0, 1])
async def test_a_changed_message_is_told_with_its_path(
    front: Front, tmp_path: Path, at: int
) -> None:
    tape = tmp_path / "a.jsonl"
    await recorded(front, tape, "say one", "say two")
    texts = ["say one", "say two"]
    texts[at] = "say bye"

    async def play() -> None:
        with replay_server(tape) as server:
            async with client_of(front, server.url) as client:
                with pytest.raises(errors.CodexApiError):
                    await asked(front, client, *texts)

    with pytest.raises(CassetteMismatchError) as caught:
        await play()
    said = ["say one", "say two"][at]
    assert f'input[0].content[0].text: recorded "{said}", now "say bye"' in str(caught.value)


async def test_a_message_beyond_the_recording_is_told(front: Front, tmp_path: Path) -> None:
    tape = tmp_path / "a.jsonl"
    await recorded(front, tape, "say one")

    async def play() -> None:
        with replay_server(tape) as server:
            async with client_of(front, server.url) as client:
                with pytest.raises(errors.CodexApiError):
                    await asked(front, client, "say one", "say two")

    with pytest.raises(CassetteMismatchError, match="was asked more than was recorded"):
        await play()


async def test_a_refused_handshake_is_recorded_as_the_answer_that_it_was(
    front: Front, tmp_path: Path
) -> None:
    tape = tmp_path / "a.jsonl"
    with EmbeddedServer() as server:
        server.play(scenarios.rate_limited("7"), endpoint="websocket")
        async with client_of(front, server.url, tape) as client:
            with pytest.raises(errors.RateLimitError):
                await asked(front, client, "say one")

    (exchange,) = load(tape)
    assert (exchange.status, exchange.ending, exchange.messages) == (429, "clean", [])
    with replay_server(tape) as server:
        async with client_of(front, server.url) as client:
            with pytest.raises(errors.RateLimitError) as caught:
                await asked(front, client, "say one")
            assert caught.value.retry_after == 7.0


async def test_the_code_with_which_a_server_closed_is_kept(front: Front, tmp_path: Path) -> None:
    tape = tmp_path / "a.jsonl"
    with EmbeddedServer() as server:
        server.play(scenarios.faulty(faults.close_frame(after=2, code=1011, reason="bye")))
        async with client_of(front, server.url, tape) as client:
            with pytest.raises(errors.StreamClosedError):
                await asked(front, client, "say one")

    (exchange,) = load(tape)
    assert (exchange.ending, exchange.close_code, exchange.close_reason) == ("closed", 1011, "bye")
    with replay_server(tape) as server:
        async with client_of(front, server.url) as client:
            with pytest.raises(errors.StreamClosedError, match="1011"):
                await asked(front, client, "say one")


async def test_a_websocket_that_broke_breaks_again(front: Front, tmp_path: Path) -> None:
    tape = tmp_path / "a.jsonl"
    with EmbeddedServer() as server:
        server.play(scenarios.faulty(faults.cut(after=2)))
        async with client_of(front, server.url, tape) as client:
            with pytest.raises(errors.StreamClosedError):
                await asked(front, client, "say one")

    assert load(tape)[0].ending == "broken"
    with replay_server(tape) as server:
        async with client_of(front, server.url) as client:
            with pytest.raises(errors.StreamClosedError):
                await asked(front, client, "say one")


async def test_secrets_in_messages_are_not_recorded_though_they_come_in_pieces(
    front: Front, tmp_path: Path
) -> None:
    tape = tmp_path / "a.jsonl"
    created = {"type": "response.created", "response": {"id": "r"}}
    delta = {"type": "response.output_text.delta", "item_id": "m", "output_index": 0}
    pieces = [SECRET[:11], SECRET[11:20], SECRET[20:] + " done"]
    script = [
        AcceptWebSocket(),
        ReadMessage(),
        SendMessage(created),
        *(SendMessage({**delta, "content_index": 0, "delta": each}) for each in pieces),
        SendClose(1011, f"use {SECRET}"),
    ]
    with ScriptedServer(connections=[script]) as server:
        async with client_of(front, server.url, tape) as client:
            with pytest.raises(errors.StreamClosedError):
                await asked(front, client, f"use {SECRET}")

    text = tape.read_text()
    for start in range(0, len(SECRET) - 7, 4):
        assert SECRET[start : start + 8] not in text
    deltas = [json.loads(each.data).get("delta") for each in load(tape)[0].messages]
    assert deltas == [None, None, "[redacted]", "", " done"]


async def test_a_realtime_session_is_recorded_and_played_again(
    front: Front, tmp_path: Path
) -> None:
    tape = tmp_path / "a.jsonl"
    config = RealtimeSessionConfig(version="v2", session_id="s1")

    async def first_event(url: str, path: Path | None) -> str:
        async with client_of(front, url, path) as client:
            connect = client.realtime.connect
            session = await connect(config) if front.is_async else await front(connect, config)
            try:
                async for event in front.iterate(session):
                    return type(event).__name__
            finally:
                await front(session.close)
        return ""

    with EmbeddedServer() as server:
        name = await first_event(server.url, tape)

    (exchange,) = load(tape)
    assert any(each.is_sent for each in exchange.messages)
    with replay_server(tape) as replay:
        assert await first_event(replay.url, None) == name


async def test_a_connection_that_broke_before_its_answer_is_noted_as_broken(
    front: Front, tmp_path: Path
) -> None:
    tape = tmp_path / "a.jsonl"
    with ScriptedServer(connections=[[ReadRequest(), Close()]] * 2) as server:
        async with client_of(front, server.url, tape) as client:
            with pytest.raises(errors.CodexApiError):
                await front(client.responses.stream(hello()).collect)

    assert [each.ending for each in load(tape)] == ["broken", "broken"]
