"""Real calls on loopback: offer, ICE, DTLS, Opus both ways, data channel, sideband, hangup."""

from __future__ import annotations

import asyncio
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("aiortc")

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from openai import AsyncOpenAI

from codex_api import provider
from codex_api._async.client import AsyncClient
from codex_api.errors import (
    ClientStateError,
    ConnectTimeoutError,
    DecodeError,
    InvalidRequestError,
)
from codex_api.provider import Provider
from codex_api.testing.actions import answer
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.server import EmbeddedServer
from codex_api.testing.sound import frequency_hz, level_dbfs, loudest_part, tone
from codex_api.types.realtime import RealtimeSessionConfig, RealtimeVersion
from codex_api.types.realtime_events import (
    ConversationItemDone,
    HandoffRequested,
    InputTranscriptDone,
    OutputTranscriptDone,
    RealtimeEvent,
    SessionUpdated,
)
from codex_api.voice.audio import Pcm16Audio, read_wav, session_frames, write_wav
from codex_api.voice.webrtc import RealtimePeer
from codex_api.voice.webrtc_audio import Pcm16Track

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator

pytestmark = pytest.mark.anyio

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "realtime.md"
CONFIG = RealtimeSessionConfig("be brief", "gpt-realtime", "conv_1")


@pytest.fixture(autouse=True)
def _calls_stay_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    def addresses(*, use_ipv4: bool, use_ipv6: bool) -> list[str]:
        del use_ipv4, use_ipv6
        return ["127.0.0.1"]

    def positional(use_ipv4: bool, use_ipv6: bool) -> list[str]:  # noqa: FBT001 - as it is called
        return addresses(use_ipv4=use_ipv4, use_ipv6=use_ipv6)

    monkeypatch.setattr(aioice.ice, "get_host_addresses", positional)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
async def client(server: EmbeddedServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(Provider("embedded", server.url)) as connected:
        yield connected


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait for sound, which comes in real time and tells nobody."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.02)


async def until(
    events: AsyncIterable[RealtimeEvent], last: type[RealtimeEvent]
) -> list[RealtimeEvent]:
    seen: list[RealtimeEvent] = []
    async with asyncio.timeout(20):
        async for event in events:
            seen.append(event)
            if isinstance(event, last):
                return seen
    message = f"the call ended before {last.__name__}: {seen}"
    raise AssertionError(message)


async def test_sound_that_arrives_is_the_sound_that_was_sent(
    client: AsyncClient, server: EmbeddedServer, tmp_path: Path
) -> None:
    sent = Pcm16Audio(tone(440, 0.8, sample_rate_hz=16000, level_dbfs=-18), 16000)
    write_wav(tmp_path / "question.wav", sent)
    before = len(server.requests)

    async with RealtimePeer(client, CONFIG, record=tmp_path / "answer.wav") as peer:
        await peer.play(session_frames(tmp_path / "question.wav"))
        by_sideband = await until(peer.sideband, OutputTranscriptDone)
        by_channel = await until(peer.events(), OutputTranscriptDone)
        await eventually(lambda: peer.heard_seconds > 2.5)

    call, sideband = server.requests[before:]
    recorded = read_wav(tmp_path / "answer.wav")
    echo = loudest_part(recorded.pcm16, 0.4)
    [heard] = [event for event in by_sideband if isinstance(event, InputTranscriptDone)]
    assert heard.transcript == "a tone of 440 hertz for 0.8 seconds"
    assert frequency_hz(echo) == pytest.approx(440, abs=3)
    assert level_dbfs(echo) == pytest.approx(-18, abs=1)
    assert isinstance(by_sideband[0], SessionUpdated)
    assert heard in by_channel
    assert by_channel[-1] == by_sideband[-1]
    assert call.target == "/v1/realtime/calls?intent=quicksilver&architecture=avas"
    assert peer.call is not None
    assert sideband.target == f"/v1/realtime?intent=quicksilver&call_id={peer.call.call_id}"
    assert not peer.is_connected


@pytest.mark.parametrize("version", ["v1", "v3"])
async def test_handoff_is_asked_for_by_sound_and_answered_over_the_sideband(
    client: AsyncClient, version: RealtimeVersion
) -> None:
    spoken = bytearray()
    config = RealtimeSessionConfig(version=version)
    async with RealtimePeer(client, config, on_audio=spoken.extend) as peer:
        await peer.play([tone(2000, 0.4)])
        handoff = (await until(peer.sideband, HandoffRequested))[-1]
        assert isinstance(handoff, HandoffRequested)
        await peer.sideband.send_conversation_function_call_output(handoff.handoff_id, "done")
        said = (await until(peer.sideband, OutputTranscriptDone))[-1]
        await eventually(lambda: level_dbfs(loudest_part(bytes(spoken), 0.3)) > -13)

    assert handoff.input_transcript == "look into a tone of 2000 hertz for 0.4 seconds"
    assert isinstance(said, OutputTranscriptDone)
    assert said.transcript.endswith("done")
    assert frequency_hz(loudest_part(bytes(spoken), 0.2)) == pytest.approx(660, abs=5)


async def test_call_of_the_backend_is_joined_at_the_api(
    client: AsyncClient, server: EmbeddedServer
) -> None:
    before = len(server.requests)
    backend = Provider("backend", server.url.replace("/v1", "/backend-api/codex"))
    async with (
        AsyncClient(backend) as caller,
        RealtimePeer(caller, CONFIG, sideband_client=client) as peer,
    ):
        first = await peer.sideband.next_event()

    call, sideband = server.requests[before:]
    assert isinstance(first, SessionUpdated)
    assert call.path == "/backend-api/codex/realtime/calls"
    assert list(json.loads(call.body)) == ["sdp", "session"]
    assert sideband.path == "/v1/realtime"


async def test_data_channel_works_without_a_sideband(client: AsyncClient) -> None:
    async with RealtimePeer(client, CONFIG, sideband=False) as peer:
        item = {"type": "message", "role": "user", "content": [{"type": "text", "text": "hi"}]}
        peer.send_payload(json.dumps({"type": "conversation.item.create", "item": item}))
        events = await until(peer.events(), ConversationItemDone)
        with pytest.raises(ClientStateError, match="no sideband"):
            _ = peer.sideband

    said = [event.transcript for event in events if isinstance(event, OutputTranscriptDone)]
    assert "You said: hi" in said
    with pytest.raises(ClientStateError, match="not open"):
        peer.send_payload("{}")


async def test_events_end_when_the_call_does(client: AsyncClient) -> None:
    peer = RealtimePeer(client, CONFIG)
    await peer.start()
    await peer.hang_up()
    await peer.hang_up()

    assert [event async for event in peer.sideband] == []
    assert [type(event) async for event in peer.events()] in ([], [SessionUpdated])
    with pytest.raises(ClientStateError, match="called already"):
        await peer.start()


async def test_server_that_hangs_up_ends_call_and_events(
    client: AsyncClient, server: EmbeddedServer
) -> None:
    async with (
        RealtimePeer(client, CONFIG, sideband=False) as peer,
        AsyncOpenAI(base_url=server.url, api_key="unused", max_retries=0) as sdk,
    ):
        assert peer.call is not None
        await sdk.realtime.calls.hangup(peer.call.call_id)
        async with asyncio.timeout(10):
            events = [event async for event in peer.events()]

        assert events == []
        assert not peer.is_connected


async def test_v2_is_refused_before_any_request(
    client: AsyncClient, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(server.requests)
    # Gathering candidates sends packets to STUN servers.
    monkeypatch.delattr(RTCPeerConnection, "setLocalDescription")

    with pytest.raises(InvalidRequestError, match="v1 or v3"):
        await RealtimePeer(client, RealtimeSessionConfig(version="v2")).start()

    assert len(server.requests) == before


async def test_recording_that_cannot_be_written_is_an_error_before_the_call(
    client: AsyncClient, server: EmbeddedServer, tmp_path: Path
) -> None:
    before = len(server.requests)

    with pytest.raises(FileNotFoundError):
        await RealtimePeer(client, CONFIG, record=tmp_path / "no" / "a.wav").start()

    assert len(server.requests) == before


async def test_call_whose_sound_finds_no_way_is_an_error() -> None:
    far = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    near = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    near.addTransceiver("audio")
    near.createDataChannel("oai-events")
    await near.setLocalDescription(await near.createOffer())
    await far.setRemoteDescription(near.localDescription)
    await far.setLocalDescription(await far.createAnswer())
    deaf = far.localDescription.sdp
    await far.close()
    await near.close()
    reply = answer(201, deaf.encode(), [("Location", "/v1/realtime/calls/rtc_1")])
    with ScriptedServer([reply]) as server:
        async with AsyncClient(Provider("deaf", server.url)) as client:
            with pytest.raises(ConnectTimeoutError, match="answered, but not connected"):
                await RealtimePeer(client, CONFIG, connect_timeout=0.3).start()


async def test_official_sdk_makes_a_call(server: EmbeddedServer) -> None:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    voice = Pcm16Track()
    pc.addTrack(voice)
    channel = pc.createDataChannel("oai-events")
    heard = asyncio.Event()

    def listen(message: str) -> None:
        if "transcription.completed" in message:
            heard.set()

    channel.on("message", listen)
    await pc.setLocalDescription(await pc.createOffer())
    try:
        async with AsyncOpenAI(base_url=server.url, api_key="unused", max_retries=0) as sdk:
            response = await sdk.realtime.calls.create(
                sdp=pc.localDescription.sdp, session={"type": "realtime", "model": "gpt-realtime"}
            )
            sdp = response.content.decode()
            location = response.response.headers["location"]
            await pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
            await voice.play_all([tone(440, 0.4)])
            async with asyncio.timeout(10):
                await heard.wait()
    finally:
        await pc.close()

    assert location.startswith("/v1/realtime/calls/rtc_")


async def test_recording_may_go_to_a_file_object(client: AsyncClient) -> None:
    file = io.BytesIO()
    async with RealtimePeer(client, CONFIG, sideband=False, record=file) as peer:
        await eventually(lambda: peer.heard_seconds >= 0.2)

    file.seek(0)
    assert read_wav(file).duration_seconds >= 0.2


def test_the_program_of_the_guide_runs(
    server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [program] = re.findall(r"^```py\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setattr(provider, "OPENAI_BASE_URL", server.url)
    write_wav("question.wav", Pcm16Audio(tone(440, 0.3)))

    exec(compile(program, GUIDE, "exec"), {"__name__": "__main__"})  # noqa: S102 - that is the test

    assert read_wav("answer.wav").duration_seconds > 0.3


@pytest.mark.parametrize("sdp", [b"words", b"v=0\r\n", b"v=0\r\nm=audio x\r\n"])
async def test_what_is_no_answer_to_the_offer_is_an_error_that_names_the_call(sdp: bytes) -> None:
    reply = answer(201, sdp, [("Location", "/v1/realtime/calls/rtc_1")])
    with ScriptedServer([reply]) as server:
        async with AsyncClient(Provider("scripted", server.url)) as client:
            peer = RealtimePeer(client, CONFIG)
            with pytest.raises(DecodeError, match="call rtc_1 cannot be used"):
                await peer.start()

    assert not peer.is_connected
