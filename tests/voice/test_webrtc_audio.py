from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("aiortc")

from aiortc.mediastreams import MediaStreamError

from codex_api.testing.sound import frequency_hz, level_dbfs, silence, tone
from codex_api.types.realtime import RealtimeAudioFrame
from codex_api.voice.webrtc_audio import Pcm16Track, pcm16_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


async def heard(track: Pcm16Track, seconds: float) -> bytes:
    sound = b""
    async for pcm16 in pcm16_of(track):
        sound += pcm16
        if len(sound) >= 48_000 * seconds:
            return sound
    return sound


async def test_track_keeps_level_and_pitch() -> None:
    track = Pcm16Track()
    track.play(tone(440, 0.3))

    sound = await heard(track, 0.2)

    assert frequency_hz(sound) == pytest.approx(440, abs=3)
    assert level_dbfs(sound) == pytest.approx(-12, abs=0.3)


async def test_track_with_nothing_to_say_is_silent_in_real_time() -> None:
    track = Pcm16Track()
    loop = asyncio.get_running_loop()
    start = loop.time()

    frames = [await track.recv() for _ in range(6)]

    assert loop.time() - start >= 0.095
    assert [frame.pts for frame in frames] == [480 * n for n in range(6)]
    assert await heard(track, 0.02) == silence(0.02)


async def test_more_than_fits_is_refused_whole() -> None:
    track = Pcm16Track(max_seconds=0.1)
    track.play(silence(0.08))

    with pytest.raises(BufferError, match=r"0\.1 s of sound wait"):
        track.play(silence(0.04))

    assert track.buffered_seconds == pytest.approx(0.08)
    track.clear()
    assert track.buffered_seconds == 0


async def test_playing_all_returns_when_all_is_sent() -> None:
    track = Pcm16Track()
    frames = [RealtimeAudioFrame.from_pcm16(tone(440, 0.02)) for _ in range(5)]
    listening = asyncio.ensure_future(heard(track, 0.12))

    await track.play_all(frames)

    assert track.buffered_seconds == 0
    await listening


async def test_source_may_be_asynchronous_and_long() -> None:
    track = Pcm16Track()

    async def source() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield tone(440, 0.5)

    playing = asyncio.ensure_future(track.play_all(source()))
    await asyncio.sleep(0)
    while track.buffered_seconds < 1:  # noqa: ASYNC110 - the other task fills it
        await asyncio.sleep(0)

    assert track.buffered_seconds <= 1.1
    assert not playing.done()
    track.stop()
    with pytest.raises(MediaStreamError):
        await playing


async def test_track_that_ended_gives_nothing_more() -> None:
    track = Pcm16Track()
    track.stop()

    with pytest.raises(MediaStreamError):
        await track.recv()
    assert await heard(track, 1) == b""
