"""This machine's microphone and loudspeaker. Needs the extra ``codex-api[microphone]``.

The extra is the ``sounddevice`` package, which needs the PortAudio library where the package does
not bring it (on Debian: ``libportaudio2``). Both ends speak 24 kHz mono PCM16, as sessions do.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from codex_api.transport.errors import RequestBuildError
from codex_api.types.realtime import REALTIME_SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

__all__ = ["Loudspeaker", "loudspeaker", "microphone"]

_FRAME_SAMPLES = REALTIME_SAMPLE_RATE_HZ // 50
_QUEUE_FRAMES = 250
_FORMAT: dict[str, Any] = {
    "samplerate": REALTIME_SAMPLE_RATE_HZ,
    "blocksize": _FRAME_SAMPLES,
    "channels": 1,
    "dtype": "int16",
}


async def microphone(device: int | str | None = None) -> AsyncIterator[bytes]:
    """Yield what the microphone hears, in pieces of 20 ms, until it is closed.

    When nobody takes them, the oldest pieces beyond five seconds are dropped.

    Args:
        device: Number or part of the name; None takes the default.

    Raises:
        RequestBuildError: The package or its library is not installed.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE_FRAMES)

    def put(piece: bytes) -> None:
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(piece)

    def heard(data: object, frames: int, time: object, status: object) -> None:
        del frames, time, status
        loop.call_soon_threadsafe(put, bytes(data))  # type: ignore[call-overload]  # a buffer, untyped

    with _sounddevice().RawInputStream(device=device, callback=heard, **_FORMAT):
        while True:
            yield await queue.get()


class Loudspeaker:
    """Plays what it is given, and silence in between. ``play`` may be ``RealtimePeer.on_audio``.

    Args:
        max_seconds: Sound that waits to be played at most; the oldest is dropped beyond it.
    """

    def __init__(self, *, max_seconds: float = 30.0) -> None:
        self._limit = round(max_seconds * REALTIME_SAMPLE_RATE_HZ) * 2
        self._buffer = bytearray()
        self._lock = threading.Lock()

    def play(self, pcm16: bytes) -> None:
        """Queue sound: 24 kHz mono."""
        with self._lock:
            self._buffer += pcm16
            del self._buffer[: max(0, len(self._buffer) - self._limit)]

    def clear(self) -> None:
        """Drop what waits to be played, e.g. when the user starts to speak."""
        with self._lock:
            self._buffer.clear()

    def fill(self, size: int) -> bytes:
        """Take ``size`` bytes of what waits, with silence for what is missing."""
        with self._lock:
            data = bytes(self._buffer[:size])
            del self._buffer[:size]
        return data.ljust(size, b"\0")


@contextmanager
def loudspeaker(device: int | str | None = None) -> Generator[Loudspeaker]:
    """Open the loudspeaker.

    Args:
        device: Number or part of the name; None takes the default.

    Raises:
        RequestBuildError: The package or its library is not installed.
    """
    speaker = Loudspeaker()

    def wanted(out: Any, frames: int, time: object, status: object) -> None:  # noqa: ANN401 - a buffer, untyped
        del frames, time, status
        out[:] = speaker.fill(len(out))

    with _sounddevice().RawOutputStream(device=device, callback=wanted, **_FORMAT):
        yield speaker


def _sounddevice() -> Any:  # noqa: ANN401 - the package has no types
    try:
        return import_module("sounddevice")
    except ModuleNotFoundError as exc:
        message = "the microphone needs: pip install 'codex-api[microphone]'"
        raise RequestBuildError(message) from exc
    except OSError as exc:
        message = f"the microphone cannot be used: {exc} (on Debian: apt install libportaudio2)"
        raise RequestBuildError(message) from exc
