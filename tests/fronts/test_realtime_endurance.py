"""Ten minutes of a session at 50 frames a second, in simulated time."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from codex_api._async.client import AsyncClient
from codex_api.provider import Provider
from codex_api.types.realtime import RealtimeAudioFrame, RealtimeSessionConfig
from codex_api.types.realtime_events import AudioOut, Reconnected
from codex_api.types.realtime_options import RealtimeOptions, RealtimeReconnect

if TYPE_CHECKING:
    from codex_api._async.realtime_connection import AsyncRealtimeConnection

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FRAMES = 10 * 60 * 50
SLOW_AT = FRAMES // 4
DROPPED_AT = FRAMES // 2
FRAME_BYTES = 960
STATM = Path("/proc/self/statm")


class SimulatedClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now

    def draw(self) -> float:
        return 0.5

    def sleep(self, delay: float) -> None:
        self.now += delay

    async def sleep_async(self, delay: float) -> None:
        self.now += delay
        await asyncio.sleep(0)


class Speaker:
    """Sends numbered frames, drops its first connection in the middle, goes on in the next."""

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0
        self.connections = 0

    async def serve(self, socket: ServerConnection) -> None:
        self.connections += 1
        listening = asyncio.ensure_future(self._listen(socket))
        with suppress(ConnectionClosed):
            while self.sent < FRAMES:
                sound = self.sent.to_bytes(4, "big").ljust(FRAME_BYTES, b"\0")
                delta = base64.b64encode(sound).decode()
                await socket.send(json.dumps({"type": "response.audio.delta", "delta": delta}))
                self.sent += 1
                if self.sent == DROPPED_AT:
                    socket.transport.abort()
                    break
        if self.sent == FRAMES:
            await socket.close()
        listening.cancel()

    async def _listen(self, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for _ in socket:
                self.received += 1


def resident_bytes() -> int:
    return int(STATM.read_text().split()[1]) * 4096


async def stalled(speaker: Speaker) -> int:
    """Give how far the server came once it cannot send any more."""
    before = -1
    while speaker.sent != before:
        before = speaker.sent
        await asyncio.sleep(0.1)
    return before


async def speak(connection: AsyncRealtimeConnection, count: int) -> None:
    frame = RealtimeAudioFrame.from_pcm16(bytes(FRAME_BYTES))
    for _ in range(count):
        await connection.send_audio_frame(frame)


@pytest.mark.skipif(not STATM.exists(), reason="reads the memory in use the Linux way")
async def test_ten_minutes_with_a_slow_reader_and_a_dropped_connection() -> None:
    clock, speaker = SimulatedClock(), Speaker()
    options = RealtimeOptions(idle_timeout=30, reconnect=RealtimeReconnect())
    config = RealtimeSessionConfig(version="v2")
    numbers: list[int] = []
    breaks: list[int] = []
    memory: list[int] = []
    async with serve(speaker.serve, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        provider = Provider("test", f"http://127.0.0.1:{port}/v1")
        async with (
            AsyncClient(provider, clock=clock) as client,
            client.realtime.connect(config, options=options) as connection,
        ):
            sending = asyncio.ensure_future(speak(connection, FRAMES))
            async for event in connection:
                clock.now += 0.02
                if isinstance(event, Reconnected):
                    breaks.append(len(numbers))
                elif isinstance(event, AudioOut):
                    numbers.append(int.from_bytes(event.frame.pcm16[:4], "big"))
                if len(numbers) == SLOW_AT:
                    clock.now += 60
                    ahead = await stalled(speaker) - len(numbers)
                if len(numbers) % 1000 == 0:
                    memory.append(resident_bytes())
            sending.cancel()
            code = connection.close_code

    [gap] = breaks
    assert ahead < DROPPED_AT - SLOW_AT, "the server was not slowed down by the slow reader"
    assert numbers[:gap] == list(range(gap))
    assert numbers[gap:] == list(range(DROPPED_AT, FRAMES))
    assert code == 1000
    assert speaker.connections == 2
    assert speaker.received > FRAMES // 2
    assert clock.now > 1000 + 10 * 60 - (DROPPED_AT - gap) / 50
    assert max(memory) - memory[2] < 24 << 20
