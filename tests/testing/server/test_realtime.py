"""The embedded server's realtime sessions, as our client and the official SDK see them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from openai import AsyncOpenAI
from websockets import Subprotocol
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from codex_api._async.client import AsyncClient
from codex_api.auth import ApiKeyAuth
from codex_api.errors import HttpStatusError
from codex_api.provider import Provider
from codex_api.testing.server import EmbeddedServer
from codex_api.testing.sound import frequency_hz, silence, tone
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import RawBody, Request
from codex_api.transport._core.retry import RetryConfig
from codex_api.transport.http_async import AsyncHttpTransport
from codex_api.transport.network import Network
from codex_api.types.realtime import RealtimeSessionConfig, RealtimeVersion
from codex_api.types.realtime_events import (
    AudioOut,
    ConversationItemAdded,
    HandoffRequested,
    InputAudioSpeechStarted,
    InputTranscriptDone,
    NoopRequested,
    OutputTranscriptDone,
    RealtimeErrorEvent,
    RealtimeEvent,
    ResponseDone,
    SessionUpdated,
)
from codex_api.voice.audio import Pcm16Audio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from codex_api._async.realtime_connection import AsyncRealtimeConnection

pytestmark = pytest.mark.anyio

VERSIONS: list[RealtimeVersion] = ["v1", "v2", "v3"]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer(api_key="sk-test") as running:
        yield running


@pytest.fixture
async def client(server: EmbeddedServer) -> AsyncIterator[AsyncClient]:
    provider = Provider("embedded", server.url, retry=RetryConfig(max_attempts=0))
    async with AsyncClient(provider, auth=ApiKeyAuth("sk-test")) as connected:
        yield connected


async def say(connection: AsyncRealtimeConnection, pcm16: bytes) -> None:
    for frame in Pcm16Audio(pcm16 + silence(0.5)).frames():
        await connection.send_audio_frame(frame)


async def until(connection: AsyncRealtimeConnection, last: type) -> list[RealtimeEvent]:
    events: list[RealtimeEvent] = []
    async for event in connection:
        events.append(event)
        if isinstance(event, last):
            return events
    message = f"the session ended before {last.__name__}"
    raise AssertionError(message)


@pytest.mark.parametrize("version", VERSIONS)
async def test_sound_is_heard_and_echoed(client: AsyncClient, version: RealtimeVersion) -> None:
    config = RealtimeSessionConfig("be brief", version=version)
    async with client.realtime.connect(config) as connection:
        await say(connection, tone(440, 0.5))
        events = await until(connection, OutputTranscriptDone)
        transcript = connection.transcript

    heard = [event.transcript for event in events if isinstance(event, InputTranscriptDone)]
    echo = b"".join(event.frame.pcm16 for event in events if isinstance(event, AudioOut))
    started = any(isinstance(event, InputAudioSpeechStarted) for event in events)
    assert any(
        isinstance(event, SessionUpdated) and event.instructions == "be brief" for event in events
    )
    assert heard == ["a tone of 440 hertz for 0.5 seconds"]
    assert [entry.text for entry in transcript] == [*heard, f"I heard {heard[0]}"]
    assert frequency_hz(echo) == pytest.approx(440, abs=3)
    assert len(echo) == 24000
    assert started is (version == "v2")


@pytest.mark.parametrize("version", VERSIONS)
async def test_high_tone_is_a_handoff_and_its_answer_is_spoken(
    client: AsyncClient, version: RealtimeVersion
) -> None:
    async with client.realtime.connect(RealtimeSessionConfig(version=version)) as connection:
        await say(connection, tone(2000, 0.3))
        handoff = (await until(connection, HandoffRequested))[-1]
        assert isinstance(handoff, HandoffRequested)
        await connection.send_conversation_function_call_output(handoff.handoff_id, "it is done")
        said = (await until(connection, OutputTranscriptDone))[-1]

    assert handoff.input_transcript == "look into a tone of 2000 hertz for 0.3 seconds"
    assert isinstance(said, OutputTranscriptDone)
    assert said.transcript.startswith("The agent says: ")
    assert said.transcript.endswith("it is done")


@pytest.mark.parametrize("version", VERSIONS)
async def test_text_can_ask_for_work(client: AsyncClient, version: RealtimeVersion) -> None:
    async with client.realtime.connect(RealtimeSessionConfig(version=version)) as connection:
        await connection.send_conversation_item_create("delegate build it")
        handoff = (await until(connection, HandoffRequested))[-1]

    assert isinstance(handoff, HandoffRequested)
    assert handoff.input_transcript == "build it"


async def test_v2_answers_when_asked_and_writes_when_told(client: AsyncClient) -> None:
    config = RealtimeSessionConfig(version="v2", output_modality="text")
    async with client.realtime.connect(config) as connection:
        await connection.send_conversation_item_create("hello")
        added = (await until(connection, ConversationItemAdded))[-1]
        await connection.send_response_create()
        events = await until(connection, ResponseDone)

    assert isinstance(added, ConversationItemAdded)
    assert b'"text":"hello"' in bytes(added.item)
    (said,) = (event for event in events if isinstance(event, OutputTranscriptDone))
    assert (said.transcript, said.content_index) == ("You said: hello", 0)
    assert said.item_id is not None
    assert not any(isinstance(event, AudioOut) for event in events)


async def test_v2_can_choose_silence(client: AsyncClient) -> None:
    async with client.realtime.connect(RealtimeSessionConfig(version="v2")) as connection:
        await connection.send_conversation_item_create("remain silent")
        event = (await until(connection, NoopRequested))[-1]

    assert isinstance(event, NoopRequested)
    assert event.call_id == f"call_{event.item_id}"


async def test_transcription_session_only_listens(client: AsyncClient) -> None:
    config = RealtimeSessionConfig(version="v2", mode="transcription")
    async with client.realtime.connect(config) as connection:
        await say(connection, tone(440, 0.2))
        await say(connection, tone(880, 0.2))
        events = await until(connection, InputTranscriptDone)
        events += await until(connection, InputTranscriptDone)

    assert not any(isinstance(event, AudioOut | OutputTranscriptDone) for event in events)


@pytest.mark.parametrize(
    "message", ["no json", "[]", '{"type":"new"}', '{"type":"input_audio_buffer.append"}']
)
async def test_message_that_makes_no_sense_is_an_error_event(
    client: AsyncClient, message: str
) -> None:
    async with client.realtime.connect(RealtimeSessionConfig()) as connection:
        await connection.send_payload(message)
        event = (await until(connection, RealtimeErrorEvent))[-1]

    assert isinstance(event, RealtimeErrorEvent)


async def test_sideband_of_no_call_is_refused_with_404(client: AsyncClient) -> None:
    with pytest.raises(Exception, match="404") as caught:
        await client.realtime.join_call(RealtimeSessionConfig(), "rtc_none")

    assert isinstance(caught.value.__cause__, HttpStatusError)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"v=0", "text/plain", 415),
        (b"{}", "application/json", 400),
        (b"{", "application/json", 400),
        (b"no sdp", "application/sdp", 400),
    ],
)
async def test_call_without_an_offer_is_refused(
    server: EmbeddedServer, body: bytes, content_type: str, status: int
) -> None:
    transport = AsyncHttpTransport(Network(), connect_timeout=5)
    headers = Headers({"content-type": content_type, "authorization": "Bearer sk-test"})
    request = Request(
        method="POST", url=f"{server.url}/realtime/calls", headers=headers, body=RawBody(body)
    )
    try:
        response = await transport.execute(request)
    finally:
        await transport.aclose()

    assert response.status == status


async def test_official_sdk_holds_a_session(server: EmbeddedServer) -> None:
    sdk = AsyncOpenAI(base_url=server.url, api_key="sk-test", max_retries=0)
    seen: list[Any] = []
    async with sdk, sdk.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(
            session={"type": "realtime", "output_modalities": ["audio"]}
        )
        sound = tone(440, 0.3) + silence(0.5)
        await connection.input_audio_buffer.append(audio=base64.b64encode(sound).decode())
        async for event in connection:
            seen.append(event)
            if event.type == "response.done":
                break

    kinds = [event.type for event in seen]
    assert kinds[:3] == [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
    ]
    [heard] = [
        event
        for event in seen
        if event.type == "conversation.item.input_audio_transcription.completed"
    ]
    assert heard.transcript == "a tone of 440 hertz for 0.3 seconds"
    assert "response.output_audio.delta" in kinds
    assert "response.output_audio_transcript.done" in kinds


def test_a_page_shows_its_key_as_a_subprotocol(server: EmbeddedServer) -> None:
    made = httpx2.post(
        f"{server.url}/realtime/client_secrets",
        headers={"authorization": "Bearer sk-test"},
        json={"session": {"type": "realtime", "instructions": "be brief"}},
    ).json()
    url = server.url.replace("http", "ws", 1) + "/realtime?model=m"

    def offered(key: str) -> list[Subprotocol]:
        return [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{key}")]

    with connect(url, subprotocols=offered(made["value"])) as socket:
        created = json.loads(socket.recv(timeout=5))
        assert socket.subprotocol == "realtime"
    with pytest.raises(InvalidStatus, match="401"), connect(url, subprotocols=offered("wrong")):
        pass

    assert created["session"]["instructions"] == "be brief"
