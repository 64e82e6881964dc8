"""Sound between PCM16 and WebRTC's audio tracks. Needs the extra ``codex-api[webrtc]``.

On our side sound is 24 kHz mono. A track runs in real time: it sends what it has been given, and
silence when it has nothing, so that the far side hears where an utterance ends.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterable, Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from codex_api._imports import installed_by
from codex_api.types.realtime import REALTIME_SAMPLE_RATE_HZ, RealtimeAudioFrame

with installed_by("webrtc", "aiortc", "av"):
    from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
    from av import AudioFrame, AudioResampler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Pcm16Track", "SoundSource", "pcm16_of"]

SoundSource: TypeAlias = (
    Iterable[RealtimeAudioFrame]
    | AsyncIterable[RealtimeAudioFrame]
    | Iterable[bytes]
    | AsyncIterable[bytes]
)
"""Pieces of sound: frames, or PCM16, of 24 kHz mono."""

_SAMPLES_PER_FRAME = REALTIME_SAMPLE_RATE_HZ // 50
_FRAME_SECONDS = 0.02
_FRAME_BYTES = 2 * _SAMPLES_PER_FRAME
_TIME_BASE = Fraction(1, REALTIME_SAMPLE_RATE_HZ)
# A sender that fell behind by more than this skips ahead: bursts would sound worse than a gap.
_MAX_LAG = 0.2


class Pcm16Track(MediaStreamTrack):
    """An audio track that sends what ``play`` is given, in real time.

    Args:
        max_seconds: Sound that is held at most; ``play_all`` waits for room, ``play`` does not.
    """

    kind = "audio"

    def __init__(self, *, max_seconds: float = 60.0) -> None:
        super().__init__()
        self._buffer = bytearray()
        self._limit = round(max_seconds * REALTIME_SAMPLE_RATE_HZ) * 2
        self._drained = asyncio.Event()
        self._pts = 0
        self._next_at: float | None = None

    @property
    def buffered_seconds(self) -> float:
        """Sound that waits to be sent."""
        return len(self._buffer) / (2 * REALTIME_SAMPLE_RATE_HZ)

    def play(self, pcm16: bytes) -> None:
        """Queue sound: 24 kHz mono.

        Raises:
            BufferError: More than ``max_seconds`` would wait to be sent; nothing is queued.
        """
        if len(self._buffer) + len(pcm16) > self._limit:
            message = f"{self.buffered_seconds:.1f} s of sound wait to be sent already"
            raise BufferError(message)
        self._buffer += pcm16

    async def play_all(self, source: SoundSource) -> None:
        """Send all of ``source``, 24 kHz mono, and return when it has been sent."""
        async for piece in _async(source):
            pcm16 = piece.pcm16 if isinstance(piece, RealtimeAudioFrame) else piece
            for start in range(0, len(pcm16), _FRAME_BYTES):
                while len(self._buffer) > _FRAME_BYTES * 50:
                    await self._sent()
                self._buffer += pcm16[start : start + _FRAME_BYTES]
        while self._buffer:
            await self._sent()

    def clear(self) -> None:
        """Drop what waits to be sent, e.g. when the other side starts to speak."""
        self._buffer.clear()

    async def _sent(self) -> None:
        if self.readyState != "live":
            raise MediaStreamError
        self._drained.clear()
        await self._drained.wait()

    async def recv(self) -> AudioFrame:
        """Return the next 20 ms, when they are due. The peer connection calls this."""
        if self.readyState != "live":
            raise MediaStreamError
        await self._pace()
        data = bytes(self._buffer[:_FRAME_BYTES])
        del self._buffer[:_FRAME_BYTES]
        # The codec is stereo, and mixing mono up to it would cost 3 dB.
        both = array("h", bytes(2 * _FRAME_BYTES))
        both[0::2] = both[1::2] = array("h", data.ljust(_FRAME_BYTES, b"\0"))
        frame = AudioFrame(format="s16", layout="stereo", samples=_SAMPLES_PER_FRAME)
        plane = frame.planes[0]
        plane.update(both.tobytes().ljust(plane.buffer_size, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = (
            REALTIME_SAMPLE_RATE_HZ,
            self._pts,
            _TIME_BASE,
        )
        self._pts += _SAMPLES_PER_FRAME
        self._drained.set()
        return frame

    async def _pace(self) -> None:
        now = asyncio.get_running_loop().time()
        due = now if self._next_at is None else self._next_at
        if due > now:
            await asyncio.sleep(due - now)
        elif now - due > _MAX_LAG:
            due = now
        self._next_at = due + _FRAME_SECONDS

    def stop(self) -> None:
        """End the track; who waits for it to be sent is told."""
        super().stop()
        self._drained.set()


async def pcm16_of(track: MediaStreamTrack) -> AsyncIterator[bytes]:
    """Yield the sound of a remote track as 24 kHz mono until it ends."""
    resampler = AudioResampler("s16", "mono", REALTIME_SAMPLE_RATE_HZ)
    while True:
        try:
            frame = await track.recv()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - aiortc leaves a type argument out
        except MediaStreamError:
            return
        if not isinstance(frame, AudioFrame):
            continue
        for piece in resampler.resample(frame):
            yield bytes(piece.planes[0])[: 2 * piece.samples]


async def _async(source: SoundSource) -> AsyncIterator[RealtimeAudioFrame | bytes]:
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
        return
    for item in source:
        yield item
