"""A call through the page's server, with aiortc where the browser would be."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

pytest.importorskip("aiortc")

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from codex_api._async.client import AsyncClient
from codex_api.cli.realtime.page_server import PageServer
from codex_api.provider import Provider
from codex_api.testing.server import EmbeddedServer
from codex_api.testing.sound import tone
from codex_api.types.realtime import RealtimeSessionConfig
from codex_api.voice.webrtc_audio import Pcm16Track

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _calls_stay_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda *_, **__: ["127.0.0.1"])


@pytest.fixture
async def page() -> AsyncIterator[httpx2.AsyncClient]:
    with EmbeddedServer() as embedded:
        async with AsyncClient(Provider("embedded", embedded.url)) as client:
            server = PageServer(client, RealtimeSessionConfig("be brief"))
            ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            running = asyncio.ensure_future(server.run(ready.set_result))
            url = await ready
            origin = "/".join(url.split("/")[:3])
            async with httpx2.AsyncClient(
                base_url=url, headers={"origin": origin}, trust_env=False, timeout=20
            ) as browser:
                yield browser
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def call(page: httpx2.AsyncClient, voice: Pcm16Track) -> RTCPeerConnection:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTrack(voice)
    pc.createDataChannel("oai-events")
    await pc.setLocalDescription(await pc.createOffer())
    response = await page.post("calls", content=pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(response.json()["sdp"], "answer"))
    return pc


async def until(lines: AsyncIterator[str], name: str) -> dict[str, Any]:
    async with asyncio.timeout(15):
        async for line in lines:
            event: dict[str, Any] = json.loads(line.removeprefix("data: ") or "{}")
            if event.get("event") == name:
                return event
    message = f"the stream ended before {name}"
    raise AssertionError(message)


async def data_lines(response: httpx2.Response) -> AsyncIterator[str]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield line


async def test_handoff_reaches_the_page_and_its_answer_the_model(page: httpx2.AsyncClient) -> None:
    voice = Pcm16Track()
    async with page.stream("GET", "events") as response:
        lines = data_lines(response)
        pc = await call(page, voice)
        voice.play(tone(2000, 0.4))
        handoff = await until(lines, "HandoffRequested")
        reply = {"handoff_id": handoff["handoff_id"], "text": "it is fixed"}
        answered = await page.post("answer", content=json.dumps(reply))
        said = await until(lines, "OutputTranscriptDone")
        refused = await page.post("answer", content="{}")
        hung_up = await page.post("hangup")
        ended = await until(lines, "CallEnded")
        await pc.close()

    assert answered.status_code == 204
    assert said["transcript"] == "The agent says: it is fixed"
    assert refused.status_code == 400
    assert hung_up.status_code == 204
    assert "error" not in ended


async def test_second_call_ends_the_first(page: httpx2.AsyncClient) -> None:
    async with page.stream("GET", "events") as response:
        lines = data_lines(response)
        first = await call(page, Pcm16Track())
        await until(lines, "SessionUpdated")
        second = await call(page, Pcm16Track())
        await until(lines, "CallEnded")
        again = await until(lines, "SessionUpdated")
        await first.close()
        await second.close()

    assert again["instructions"] == "be brief"
