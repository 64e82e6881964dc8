from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import to_thread

from codex_api._async.client import AsyncClient
from codex_api._sync.client import Client
from codex_api.auth import ApiKeyAuth
from codex_api.errors import (
    AuthenticationError,
    ClientStateError,
    CodexApiError,
    HttpStatusError,
    IdleTimeoutError,
    InvalidRequestError,
    LivenessTimeoutError,
    StreamClosedError,
    StreamError,
    TransportTimeoutError,
)
from codex_api.provider import Provider, Timeouts
from codex_api.testing.actions import (
    AcceptWebSocket,
    Action,
    Close,
    Hang,
    ReadMessage,
    ReadRequest,
    SendClose,
    SendMessage,
    StopReading,
    WaitFor,
    answer,
)
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.transport._core.retry import RetryConfig
from codex_api.types.realtime import RealtimeAudioFrame, RealtimeSessionConfig, TranscriptEntry
from codex_api.types.realtime_events import (
    AudioOut,
    ConversationItemAdded,
    HandoffRequested,
    InputTranscriptDelta,
    InputTranscriptDone,
    OutputTranscriptDelta,
    RealtimeErrorEvent,
    RealtimeOtherEvent,
    Reconnected,
    SessionUpdated,
)
from codex_api.types.realtime_options import RealtimeOptions, RealtimeReconnect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from codex_api.testing.connection import Connection
    from codex_api.transport._core.headers import Headers
    from tests.front import Front

pytestmark = pytest.mark.anyio

V1 = RealtimeSessionConfig("be brief", "gpt-realtime", "conv_1")
V2 = RealtimeSessionConfig("be brief", "gpt-realtime", version="v2")
V3 = RealtimeSessionConfig("be brief", version="v3")
GREETING = {"type": "session.updated", "session": {"id": "sess_1"}}
SAY_HI = {"type": "response.output_text.delta", "delta": "hi"}


class FastClock:
    """Time that runs by itself and sleeps that take none; remembers how long they should be."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    def draw(self) -> float:
        return 0.5

    def sleep(self, delay: float) -> None:
        self.slept.append(delay)

    async def sleep_async(self, delay: float) -> None:
        self.slept.append(delay)
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class EchoItems(Action):
    """Send back, as a new item, every message that comes."""

    async def play(self, connection: Connection) -> None:
        while True:
            message = json.loads(await connection.read_message())
            echo = {"type": "conversation.item.added", "item": {"echo": message["type"]}}
            await SendMessage(echo).play(connection)


def open_client(front: Front, base_url: str, **options: Any) -> Any:
    retry = options.pop("retry", RetryConfig(max_attempts=0))
    provider = Provider("test", base_url, headers={"originator": "test"}, retry=retry)
    client = front.pick(Client, AsyncClient)
    return client(provider, auth=ApiKeyAuth("sk-test"), **options)


def sent_by_client(server: ScriptedServer, connection: int = 0) -> list[dict[str, Any]]:
    messages = server.connections[connection].websocket.messages
    return [json.loads(message) for message in messages]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that only another thread or the network can bring about."""
    with anyio.fail_after(5):
        while not holds():  # noqa: ASYNC110 - nothing tells of it
            await anyio.sleep(0.001)


def session(*actions: Action) -> Sequence[Action]:
    return [AcceptWebSocket(), ReadMessage(), *actions]


async def test_call_is_created(front: Front) -> None:
    reply = answer(201, b"answer", [("Location", "/v1/realtime/calls/calls/rtc_1")])
    with ScriptedServer([reply, reply]) as server:
        client = open_client(front, server.url)
        async with front.entering(client):
            bare = await front(client.realtime.create_call, "offer")
            call = await front(client.realtime.create_call, "offer", V1, {"x-extra": "1"})

        first, second = server.requests

    assert (bare.sdp, bare.call_id) == (call.sdp, call.call_id) == ("answer", "rtc_1")
    assert (first.target, first.body) == ("/v1/realtime/calls", b"offer")
    assert ("content-type", "application/sdp") in [(n.lower(), v) for n, v in first.headers]
    assert ("authorization", "Bearer sk-test") in [(n.lower(), v) for n, v in first.headers]
    assert second.target == "/v1/realtime/calls?intent=quicksilver&architecture=avas"
    assert second.body.endswith(b"--codex-realtime-call-boundary--\r\n")


async def test_call_that_asks_for_v2_sends_nothing(front: Front) -> None:
    with ScriptedServer() as server:
        client = open_client(front, server.url)
        async with front.entering(client):
            with pytest.raises(InvalidRequestError):
                await front(client.realtime.create_call, "offer", V2)

        assert server.connections == []


async def test_v1_exchange_from_session_update_to_handoff(front: Front) -> None:
    inbound: list[Action] = [
        SendMessage(message)
        for message in (
            GREETING,
            {
                "type": "conversation.output_audio.delta",
                "delta": "AAA=",
                "sample_rate": 24000,
                "channels": 1,
            },
            {"type": "conversation.input_transcript.delta", "delta": "delegate "},
            {"type": "conversation.input_transcript.delta", "delta": "now"},
            {"type": "conversation.output_transcript.delta", "delta": "working"},
            {
                "type": "conversation.handoff.requested",
                "handoff_id": "h",
                "item_id": "i",
                "input_transcript": "delegate now",
            },
        )
    ]
    script = session(*[ReadMessage()] * 4, *inbound, SendClose())
    with ScriptedServer(connections=[script]) as server:
        client = open_client(front, server.url)
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V1)) as connection,
        ):
            await front(
                connection.send_audio_frame,
                RealtimeAudioFrame.from_pcm16(b"\1\0", sample_rate_hz=8),
            )
            await front(connection.send_conversation_item_create, "hello", "developer")
            await front(connection.send_conversation_item_create, "hi", "assistant")
            await front(connection.send_conversation_function_call_output, "h0", "done")
            events = [event async for event in front.iterate(connection)]
            again = [await front(connection.next_event) for _ in range(2)]
            code = connection.close_code

        [request] = server.requests
        update, audio, item, said, output = sent_by_client(server)

    handoff = HandoffRequested(
        "h",
        "i",
        "delegate now",
        (TranscriptEntry("user", "delegate now"), TranscriptEntry("assistant", "working")),
    )
    assert events == [
        SessionUpdated("sess_1"),
        AudioOut(RealtimeAudioFrame("AAA=", 24000, 1)),
        InputTranscriptDelta("delegate "),
        InputTranscriptDelta("now"),
        OutputTranscriptDelta("working"),
        handoff,
    ]
    assert again == [None, None]
    assert code == 1000
    assert request.target == "/v1/realtime?intent=quicksilver&model=gpt-realtime"
    headers = {name.lower(): value for name, value in request.headers}
    assert headers["openai-alpha"] == "quicksilver=v1"
    assert headers["x-session-id"] == "conv_1"
    assert headers["authorization"] == "Bearer sk-test"
    assert headers["originator"] == "test"
    assert "sec-websocket-extensions" not in headers
    assert "accept" not in headers
    assert update["type"] == "session.update"
    assert update["session"]["instructions"] == "be brief"
    assert update["session"]["audio"]["output"]["voice"] == "cove"
    assert audio == {"type": "input_audio_buffer.append", "audio": "AQA="}
    assert item["item"]["role"] == "developer"
    assert said["item"]["content"] == [{"type": "output_text", "text": "hi"}]
    assert output["output_text"] == '"Agent Final Message":\n\ndone'


async def test_v2_transcript_is_merged_and_control_items_stay_out_of_it(front: Front) -> None:
    inbound = [
        SendMessage(message)
        for message in (
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "transcript": "build it",
            },
            {"type": "response.output_text.delta", "delta": "on it"},
            {"type": "conversation.item.added", "item": {"id": "x", "type": "message"}},
            {
                "type": "conversation.item.done",
                "item": {
                    "type": "function_call",
                    "name": "background_agent",
                    "id": "i",
                    "call_id": "c",
                    "arguments": '{"prompt":"build it"}',
                },
            },
        )
    ]
    with ScriptedServer(connections=[session(*inbound, SendClose())]) as server:
        client = open_client(front, server.url)
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V2)) as connection,
        ):
            events = [event async for event in front.iterate(connection)]
            transcript = connection.transcript

        assert server.requests[0].target == "/v1/realtime?model=gpt-realtime"
        names = [name.lower() for name, _ in server.requests[0].headers]
        assert "openai-alpha" not in names

    assert isinstance(events[0], InputTranscriptDone)
    assert isinstance(events[2], ConversationItemAdded)
    assert events[3] == HandoffRequested("c", "i", "build it", transcript)
    assert transcript == (
        TranscriptEntry("user", "build it"),
        TranscriptEntry("assistant", "on it"),
    )


async def test_unknown_and_binary_messages_do_not_end_the_session(front: Front) -> None:
    script = session(
        SendMessage('{"type" : "new"}'),
        SendMessage("no json"),
        SendMessage(b"\0"),
        SendMessage(SAY_HI),
        SendClose(None),
    )
    with ScriptedServer(connections=[script]) as server:
        client = open_client(front, server.url)
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V1)) as connection,
        ):
            unknown, garbage, binary, said = [event async for event in front.iterate(connection)]

    assert isinstance(unknown, RealtimeOtherEvent)
    assert (unknown.type, bytes(unknown.raw)) == ("new", b'{"type" : "new"}')
    assert isinstance(garbage, RealtimeOtherEvent)
    assert isinstance(binary, RealtimeErrorEvent)
    assert said == OutputTranscriptDelta("hi")


async def test_unknown_messages_are_skipped_when_asked(front: Front) -> None:
    script = session(SendMessage({"type": "new"}), SendMessage(SAY_HI), SendClose())
    with ScriptedServer(connections=[script]) as server:
        client = open_client(front, server.url)
        options = RealtimeOptions(other_events=False)
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V1, options=options)) as connection,
        ):
            events = [event async for event in front.iterate(connection)]

    assert events == [OutputTranscriptDelta("hi")]


async def test_sending_does_not_wait_for_a_pending_read(front: Front) -> None:
    with ScriptedServer(connections=[session(EchoItems())]) as server:
        client = open_client(front, server.url)
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V1)) as connection,
        ):
            seen: list[Any] = []

            async def read() -> None:
                seen.append(await front(connection.next_event))

            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await anyio.wait_all_tasks_blocked()
                await front(connection.send_response_create)

    [event] = seen
    assert bytes(event.item) == b'{"echo":"response.create"}'


async def test_second_reader_is_told_so(front: Front) -> None:
    with ScriptedServer(connections=[session(Hang())]) as server:
        client = open_client(front, server.url)
        async with front.entering(client):
            connection = await front(client.realtime.connect, V1)

            async def read() -> None:
                assert await front(connection.next_event) is None

            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await until(lambda: connection._reading)
                with pytest.raises(ClientStateError, match="another"):
                    await front(connection.next_event)
                await front(connection.close)


async def test_close_ends_a_pending_read_and_may_be_called_again(front: Front) -> None:
    with ScriptedServer(connections=[session(Hang())]) as server:
        client = open_client(front, server.url)
        async with front.entering(client):
            connection = await front(client.realtime.connect, V1)
            seen: list[Any] = ["nothing yet"]

            async def read() -> None:
                seen[0] = await front(connection.next_event)

            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await until(lambda: connection._reading)
                await front(connection.close)
            await front(connection.close)
            with pytest.raises(StreamClosedError, match="closed"):
                await front(connection.send_response_create)

            assert connection.is_closed
            assert await front(connection.next_event) is None
        record = await to_thread.run_sync(server.wait_for_disconnect)

    assert seen == [None]
    assert record.websocket.close_code == 1000


async def test_v3_says_goodbye_before_the_close_frame(front: Front) -> None:
    started = {"type": "session.started", "session": {"id": "s"}}
    with ScriptedServer(connections=[session(SendMessage(started), Hang())]) as server:
        client = open_client(front, server.url)
        async with front.entering(client):
            connection = await front(client.realtime.connect, V3)
            first = await front(connection.next_event)
            await front(connection.close)
        await to_thread.run_sync(server.wait_for_disconnect)

        assert server.requests[0].target == "/v1/live"
        assert [message["type"] for message in sent_by_client(server)] == [
            "session.update",
            "session.close",
        ]

    assert first == SessionUpdated("s")


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (SendMessage({"type": "error", "message": "no live today"}), "no live today"),
        (SendMessage(SAY_HI), "before it greeted"),
        (SendClose(1000, "bye"), "bye"),
    ],
)
async def test_v3_session_that_is_not_greeted_is_not_opened(
    front: Front, first: Action, told: str
) -> None:
    with ScriptedServer(connections=[session(first, Hang())]) as server:
        client = open_client(front, server.url)
        async with front.entering(client):
            with pytest.raises(StreamError, match=told):
                await front(client.realtime.connect, V3)
        await to_thread.run_sync(server.wait_for_disconnect)


async def test_acknowledgement_is_awaited_when_asked_and_loses_nothing(front: Front) -> None:
    gate = Gate()
    script = session(SendMessage(SAY_HI), WaitFor(gate), SendMessage(GREETING), SendClose())
    with ScriptedServer(connections=[script]) as server:
        client = open_client(front, server.url)
        options = RealtimeOptions(acknowledge=True)
        async with front.entering(client):
            made: list[Any] = []

            async def connect() -> None:
                made.append(await front(client.realtime.connect, V1, options=options))

            async with anyio.create_task_group() as group:
                group.start_soon(connect)
                await to_thread.run_sync(
                    lambda: server.wait_until(lambda: bool(server.connections))
                )
                assert made == []
                gate.set()
            [connection] = made
            events = [event async for event in front.iterate(connection)]

    assert events == [OutputTranscriptDelta("hi"), SessionUpdated("sess_1")]


async def test_acknowledgement_that_does_not_come_ends_the_wait(front: Front) -> None:
    with ScriptedServer(connections=[session(Hang())]) as server:
        client = open_client(front, server.url)
        options = RealtimeOptions(acknowledge=True, acknowledge_timeout=0.05)
        async with front.entering(client):
            with pytest.raises(StreamError, match="acknowledge"):
                await front(client.realtime.connect, V1, options=options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (RealtimeOptions(idle_timeout=0.05), IdleTimeoutError),
        (RealtimeOptions(liveness_timeout=0.05), LivenessTimeoutError),
    ],
)
async def test_each_clock_ends_a_silent_session_with_its_own_error(
    front: Front, options: RealtimeOptions, error: type[Exception]
) -> None:
    with ScriptedServer(connections=[session(Hang())]) as server:
        client = open_client(front, server.url)
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V1, options=options)) as connection,
        ):
            with pytest.raises(IdleTimeoutError) as caught:
                await front(connection.next_event)

            assert type(caught.value) is error
            assert await front(connection.next_event) is None


async def test_pings_keep_a_quiet_session_alive(front: Front) -> None:
    gate = Gate()
    script = session(WaitFor(gate), SendMessage(SAY_HI), SendClose())
    with ScriptedServer(connections=[script]) as server:
        client = open_client(front, server.url)
        options = RealtimeOptions(liveness_timeout=0.3, ping_interval=0.02)
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V1, options=options)) as connection,
        ):

            async def release() -> None:
                enough = lambda: len(server.connections[0].websocket.pings) >= 25  # noqa: E731
                await to_thread.run_sync(lambda: server.wait_until(enough))
                gate.set()

            async with anyio.create_task_group() as group:
                group.start_soon(release)
                event = await front(connection.next_event)

    assert event == OutputTranscriptDelta("hi")


@pytest.mark.parametrize(
    ("ending", "told"),
    [(Close(), "lost without a close frame"), (SendClose(1011, "oops"), "1011: oops")],
)
async def test_broken_session_is_an_error_once_and_ended_ever_after(
    front: Front, ending: Action, told: str
) -> None:
    with ScriptedServer(connections=[session(SendMessage(SAY_HI), ending)]) as server:
        client = open_client(front, server.url)
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V1)) as connection,
        ):
            first = await front(connection.next_event)
            with pytest.raises(StreamClosedError, match=told):
                await front(connection.next_event)
            after = [await front(connection.next_event) for _ in range(2)]

    assert first == OutputTranscriptDelta("hi")
    assert after == [None, None]


async def test_broken_session_is_taken_up_again_with_its_settings(front: Front) -> None:
    scripts = [
        session(ReadMessage(), SendMessage(SAY_HI), Close()),
        [ReadRequest(), *answer(503)],
        session(ReadMessage(), SendMessage(SAY_HI), SendClose()),
    ]
    clock = FastClock()
    with ScriptedServer(connections=scripts) as server:
        client = open_client(front, server.url, clock=clock)
        policy = RealtimeReconnect(base_delay=0.2, replay_transcript=True)
        async with (
            front.entering(client),
            front.entering(
                await front(client.realtime.connect, V1, options=RealtimeOptions(reconnect=policy))
            ) as connection,
        ):
            await front(connection.send_session_update, "be long", voice="ember")
            events = [event async for event in front.iterate(connection)]

        update, replayed = sent_by_client(server, 2)

    said = (TranscriptEntry("assistant", "hi"),)
    assert events[0] == events[2] == OutputTranscriptDelta("hi")
    assert isinstance(events[1], Reconnected)
    assert events[1] == Reconnected(2, "the WebSocket was lost without a close frame", said, 1)
    assert update["session"]["instructions"] == "be long"
    assert update["session"]["audio"]["output"]["voice"] == "ember"
    assert replayed["item"]["role"] == "assistant"
    assert clock.slept == [0.2, 0.4]


async def test_sender_waits_for_the_new_connection(front: Front) -> None:
    gate = Gate()
    scripts = [session(Close()), session(ReadMessage(), SendClose())]
    with ScriptedServer(connections=scripts) as server:
        client = open_client(front, server.url, clock=FastClock())
        options = RealtimeOptions(reconnect=RealtimeReconnect())
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V1, options=options)) as connection,
        ):
            await to_thread.run_sync(server.wait_for_disconnect)
            sent = anyio.Event()

            async def send() -> None:
                await until(lambda: connection._live().is_closed)
                gate.set()
                await front(connection.send_conversation_item_create, "still there")
                sent.set()

            async with anyio.create_task_group() as group:
                group.start_soon(send)
                await to_thread.run_sync(gate.wait, 5)
                await anyio.wait_all_tasks_blocked()
                assert not sent.is_set()
                events = [event async for event in front.iterate(connection)]

        assert sent_by_client(server, 1)[1]["item"]["content"][0]["text"] == "still there"

    assert [type(event) for event in events] == [Reconnected]


async def test_sender_gives_up_when_nobody_takes_the_session_up_again(front: Front) -> None:
    with ScriptedServer(connections=[session(Close())]) as server:
        client = open_client(front, server.url)
        options = RealtimeOptions(reconnect=RealtimeReconnect(), send_timeout=0.05)
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V1, options=options)) as connection,
        ):
            await to_thread.run_sync(server.wait_for_disconnect)
            await until(lambda: connection._live().is_closed)
            with pytest.raises(TransportTimeoutError, match="no new realtime connection"):
                await front(connection.send_response_create)


async def test_attempts_to_take_a_session_up_again_have_an_end(front: Front) -> None:
    scripts = [session(Close()), *[[ReadRequest(), *answer(503)]] * 2]
    with ScriptedServer(connections=scripts) as server:
        client = open_client(front, server.url, clock=FastClock())
        options = RealtimeOptions(reconnect=RealtimeReconnect(max_attempts=2))
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V1, options=options)) as connection,
        ):
            with pytest.raises(CodexApiError) as caught:
                await front(connection.next_event)

            assert isinstance(caught.value.__cause__, HttpStatusError)
            assert await front(connection.next_event) is None
        assert len(server.requests) == 3


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_sideband_joins_on_a_retry_after_a_refused_connection(front: Front) -> None:
    port = unused_port()
    server = ScriptedServer(connections=[session(SendMessage(SAY_HI), SendClose())])

    class StartingClock(FastClock):
        """Starts the server while the client waits for its retry."""

        def sleep(self, delay: float) -> None:
            super().sleep(delay)
            server._port = port
            server.start()

        async def sleep_async(self, delay: float) -> None:
            await to_thread.run_sync(self.sleep, delay)

    async def listen() -> None:
        server._listener = await asyncio.get_running_loop().create_server(
            server._accept, "127.0.0.1", port
        )

    server._listen = listen  # type: ignore[method-assign]  # at the port that was refused first
    clock = StartingClock()
    retry = RetryConfig(max_attempts=1, base_delay=0.1)
    try:
        client = open_client(front, f"http://127.0.0.1:{port}/v1", clock=clock, retry=retry)
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.join_call, V1, "rtc_1")) as connection,
        ):
            events = [event async for event in front.iterate(connection)]
        target = server.requests[0].target
    finally:
        server.stop()

    assert events == [OutputTranscriptDelta("hi")]
    assert target == "/v1/realtime?intent=quicksilver&call_id=rtc_1"
    assert clock.slept == [0.1]


@pytest.mark.parametrize("status", [401, 403])
async def test_sideband_does_not_retry_refused_credentials(front: Front, status: int) -> None:
    with ScriptedServer([answer(status)]) as server:
        retry = RetryConfig(max_attempts=3, base_delay=0.1)
        client = open_client(front, server.url, clock=FastClock(), retry=retry)
        async with front.entering(client):
            with pytest.raises(CodexApiError) as caught:
                await front(client.realtime.join_call, V1, "rtc_1")

        assert len(server.requests) == 1

    assert isinstance(caught.value.__cause__, HttpStatusError)
    assert caught.value.__cause__.status == status
    assert isinstance(caught.value, AuthenticationError) is (status == 401)


async def test_sideband_tries_again_while_the_call_is_unknown(front: Front) -> None:
    scripts = [[ReadRequest(), *answer(404)], session(SendClose())]
    clock = FastClock()
    with ScriptedServer(connections=scripts) as server:
        retry = RetryConfig(max_attempts=1, base_delay=0.1)
        client = open_client(front, server.url, clock=clock, retry=retry)
        async with front.entering(client):
            connection = await front(client.realtime.join_call, V1, "rtc_1")
            await front(connection.close)

    assert clock.slept == [0.1]


async def test_direct_session_is_not_retried(front: Front) -> None:
    with ScriptedServer([answer(503)]) as server:
        retry = RetryConfig(max_attempts=3)
        client = open_client(front, server.url, clock=FastClock(), retry=retry)
        async with front.entering(client):
            with pytest.raises(CodexApiError):
                await front(client.realtime.connect, V1)

        assert len(server.requests) == 1


async def test_server_that_does_not_read_ends_a_send(front: Front) -> None:
    script = [AcceptWebSocket(), StopReading(), Hang()]
    with ScriptedServer(connections=[script]) as server:
        client = open_client(front, server.url, timeouts=Timeouts(connect=5))
        options = RealtimeOptions(send_timeout=0.2)
        async with front.entering(client):
            connection = await front(client.realtime.connect, V1, options=options)

            async def fill() -> None:
                for _ in range(64):
                    await front(connection.send_payload, "x" * 1_000_000)

            with pytest.raises(TransportTimeoutError, match="not taken"):
                await fill()
            await front(connection.close)


async def test_async_session_is_awaited_or_entered() -> None:
    with ScriptedServer(connections=[session(SendClose())] * 2) as server:
        async with AsyncClient(Provider("test", server.url)) as client:
            awaited = await client.realtime.connect(V1)
            await awaited.close()
            async with client.realtime.connect(V1) as entered:
                assert [event async for event in entered] == []
            assert entered.is_closed


class RenewedAuth:
    """Has a stale key until it is asked to renew it."""

    def __init__(self) -> None:
        self.key = "stale"

    def add_auth_headers(self, headers: Headers) -> None:
        headers.set("authorization", f"Bearer {self.key}")

    def refresh(self) -> bool:
        renewable, self.key = self.key == "stale", "fresh"
        return renewable


async def test_refused_credentials_are_renewed_once(front: Front) -> None:
    scripts = [[ReadRequest(), *answer(401)], session(SendClose())]
    with ScriptedServer(connections=scripts) as server:
        client = front.pick(Client, AsyncClient)(Provider("test", server.url), RenewedAuth())
        async with front.entering(client):
            connection = await front(client.realtime.connect, V1)
            await front(connection.close)

        keys = [request.header("authorization") for request in server.requests]

    assert keys == ["Bearer stale", "Bearer fresh"]


async def test_credentials_that_stay_refused_are_an_error(front: Front) -> None:
    with ScriptedServer([answer(401), answer(401)]) as server:
        client = front.pick(Client, AsyncClient)(Provider("test", server.url), RenewedAuth())
        async with front.entering(client):
            with pytest.raises(AuthenticationError):
                await front(client.realtime.connect, V1)

        assert len(server.requests) == 2


async def test_closing_ends_attempts_to_take_a_session_up_again(front: Front) -> None:
    closing: list[Any] = []

    class ClosingClock(FastClock):
        """Lets the caller close the connection while it waits for its next attempt."""

        def sleep(self, delay: float) -> None:
            super().sleep(delay)
            closing[0].close()

        async def sleep_async(self, delay: float) -> None:
            self.slept.append(delay)
            await closing[0].close()

    with ScriptedServer(connections=[session(Close())]) as server:
        client = open_client(front, server.url, clock=ClosingClock())
        options = RealtimeOptions(reconnect=RealtimeReconnect())
        async with front.entering(client):
            connection = await front(client.realtime.connect, V1, options=options)
            closing.append(connection)

            assert await front(connection.next_event) is None
        assert len(server.connections) == 1


async def test_closing_cuts_a_long_wait_for_the_next_attempt_short(front: Front) -> None:
    with ScriptedServer(connections=[session(Close())]) as server:
        client = open_client(front, server.url)
        options = RealtimeOptions(reconnect=RealtimeReconnect(base_delay=600, max_delay=600))
        async with front.entering(client):
            connection = await front(client.realtime.connect, V1, options=options)
            seen: list[Any] = []

            async def read() -> None:
                seen.append(await front(connection.next_event))

            with anyio.fail_after(10):
                async with anyio.create_task_group() as group:
                    group.start_soon(read)
                    await until(lambda: connection._machine._attempts == 1)
                    await front(connection.close)

    assert seen == [None]


async def test_closing_ends_a_new_connection_that_is_not_acknowledged(front: Front) -> None:
    scripts = [session(SendMessage(GREETING), Close()), session(Hang())]
    with ScriptedServer(connections=scripts) as server:
        client = open_client(front, server.url, clock=FastClock())
        options = RealtimeOptions(
            reconnect=RealtimeReconnect(), acknowledge=True, acknowledge_timeout=0.3
        )
        async with front.entering(client):
            connection = await front(client.realtime.connect, V1, options=options)
            assert await front(connection.next_event) == SessionUpdated("sess_1")
            seen: list[Any] = ["nothing yet"]

            async def read() -> None:
                seen[0] = await front(connection.next_event)

            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await until(lambda: len(server.connections) == 2)
                await front(connection.close)
        await to_thread.run_sync(server.wait_for_disconnect, 1)

    assert seen == [None]


async def test_closing_ends_a_reader_that_waits_for_the_acknowledgement(front: Front) -> None:
    scripts = [session(SendMessage(GREETING), Close()), session(Hang())]
    with ScriptedServer(connections=scripts) as server:
        client = open_client(front, server.url, clock=FastClock())
        options = RealtimeOptions(
            reconnect=RealtimeReconnect(), acknowledge=True, acknowledge_timeout=600.0
        )
        async with front.entering(client):
            connection = await front(client.realtime.connect, V1, options=options)
            assert await front(connection.next_event) == SessionUpdated("sess_1")

            with anyio.fail_after(10):
                async with anyio.create_task_group() as group:
                    group.start_soon(front, connection.next_event)
                    await until(lambda: connection._opening is not None)
                    await front(connection.close)


async def test_sending_into_a_broken_session_is_an_error(front: Front) -> None:
    with ScriptedServer(connections=[session(Close())]) as server:
        client = open_client(front, server.url)
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V1)) as connection,
        ):
            await until(lambda: connection._live().is_closed)
            with pytest.raises(StreamClosedError, match="is closed"):
                await front(connection.send_conversation_handoff_append, "h", "t")


async def test_peer_that_takes_nothing_does_not_hold_the_close(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("_sync", "_async"):
        monkeypatch.setattr(f"codex_api.{module}.realtime_connection._GOODBYE_TIMEOUT", 0.1)
    started = {"type": "session.started", "session": {"id": "s"}}
    script = session(SendMessage(started), StopReading(), Hang())
    with ScriptedServer(connections=[script]) as server:
        client = open_client(front, server.url)
        async with front.entering(client):
            connection = await front(client.realtime.connect, V3)

            async def fill() -> None:
                for _ in range(64):
                    await front(connection.send_payload, "x" * 1_000_000)

            async with anyio.create_task_group() as group:
                group.start_soon(swallowing, fill)
                await until(connection._writing.locked)
                await anyio.sleep(0.2)
                with anyio.fail_after(5):
                    await front(connection.close)


async def swallowing(call: Callable[[], Awaitable[None]]) -> None:
    with contextlib.suppress(CodexApiError):
        await call()


async def test_connection_tells_what_it_knows(front: Front) -> None:
    script = session(SendMessage(SAY_HI), Hang())
    with ScriptedServer(connections=[script]) as server:
        client = open_client(front, server.url)
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, V1)) as connection,
        ):
            await front(connection.send_standalone_handoff, "codex", "news")
            await front(connection.next_event)
            tail = [connection.take_transcript_tail() for _ in range(2)]

            assert connection.config == V1
            assert not connection.response_active
            assert connection.headers["upgrade"].lower() == "websocket"

    assert tail == [(TranscriptEntry("assistant", "hi"),), ()]
