"""Sound for realtime sessions: 16-bit PCM, WAV files, frames of a fixed length, resampling.

All sound is little-endian signed 16-bit PCM with interleaved channels ("PCM16"). Sessions speak
24 kHz mono. Resampling is done by FFmpeg's libraries, which the extra ``codex-api[webrtc]`` brings.
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeAlias

import msgspec

from codex_api.types.realtime import REALTIME_SAMPLE_RATE_HZ, RealtimeAudioFrame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

__all__ = [
    "PCM16_BYTES_PER_SAMPLE",
    "Pcm16Audio",
    "WavWriter",
    "read_wav",
    "session_frames",
    "write_wav",
]

PCM16_BYTES_PER_SAMPLE: Final = 2
_LAYOUTS: Final = {1: "mono", 2: "stereo"}

_File: TypeAlias = str | Path | IO[bytes]


class Pcm16Audio(msgspec.Struct, frozen=True):
    """A stretch of sound.

    Attributes:
        pcm16: Little-endian signed 16-bit samples, channels interleaved.
        sample_rate_hz: Samples a second in each channel.
        channels: Number of channels.
    """

    pcm16: bytes
    sample_rate_hz: int = REALTIME_SAMPLE_RATE_HZ
    channels: int = 1

    @property
    def duration_seconds(self) -> float:
        """How long it sounds."""
        return len(self.pcm16) / (PCM16_BYTES_PER_SAMPLE * self.channels * self.sample_rate_hz)

    def converted(
        self, *, sample_rate_hz: int = REALTIME_SAMPLE_RATE_HZ, channels: int = 1
    ) -> Pcm16Audio:
        """Return the same sound at another rate, with all channels mixed to one if asked.

        Args:
            sample_rate_hz: The new rate.
            channels: 1, or the number that there is.

        Raises:
            ValueError: The channels cannot be had.
            ModuleNotFoundError: The sound needs work, and the extra ``webrtc`` is not installed.
        """
        if channels not in {1, self.channels}:
            message = f"cannot make {channels} channels of {self.channels}"
            raise ValueError(message)
        if (sample_rate_hz, channels) == (self.sample_rate_hz, self.channels):
            return self
        # Not at the top: the core install is without it.
        import av  # noqa: PLC0415

        resampler = av.AudioResampler("s16", _LAYOUTS[channels], sample_rate_hz)
        frame = av.AudioFrame("s16", self._layout(), len(self.pcm16) // self._sample_bytes)
        frame.sample_rate = self.sample_rate_hz
        frame.planes[0].update(self.pcm16.ljust(frame.planes[0].buffer_size, b"\0"))
        pcm16 = b"".join(
            bytes(piece.planes[0])[: piece.samples * channels * PCM16_BYTES_PER_SAMPLE]
            for source in (frame, None)
            for piece in resampler.resample(source)
        )
        return Pcm16Audio(pcm16, sample_rate_hz, channels)

    @property
    def _sample_bytes(self) -> int:
        return PCM16_BYTES_PER_SAMPLE * self.channels

    def _layout(self) -> str:
        if self.channels not in _LAYOUTS:
            message = f"sound of {self.channels} channels cannot be converted"
            raise ValueError(message)
        return _LAYOUTS[self.channels]

    def frames(self, *, frame_ms: int = 20) -> Iterator[RealtimeAudioFrame]:
        """Cut the sound into frames of ``frame_ms`` milliseconds; the last may be shorter.

        Raises:
            ValueError: ``frame_ms`` is no whole number of samples at this rate, or not positive.
        """
        samples, rest = divmod(self.sample_rate_hz * frame_ms, 1000)
        if rest or samples <= 0:
            message = f"{frame_ms} ms are no whole number of samples at {self.sample_rate_hz} Hz"
            raise ValueError(message)
        size = samples * self.channels * PCM16_BYTES_PER_SAMPLE
        for start in range(0, len(self.pcm16), size):
            yield RealtimeAudioFrame.from_pcm16(
                self.pcm16[start : start + size],
                sample_rate_hz=self.sample_rate_hz,
                channels=self.channels,
            )


def read_wav(file: _File) -> Pcm16Audio:
    """Read a WAV file with 16-bit samples.

    Raises:
        ValueError: It is no WAV file, or has samples of another size.
    """
    try:
        with wave.open(_opened(file), "rb") as reader:
            width = reader.getsampwidth()
            if width != PCM16_BYTES_PER_SAMPLE:
                message = f"the WAV file has {8 * width}-bit samples; 16-bit ones are needed"
                raise ValueError(message)
            data = reader.readframes(reader.getnframes())
            return Pcm16Audio(data, reader.getframerate(), reader.getnchannels())
    except (wave.Error, EOFError) as exc:
        reason = str(exc) or "it ends too early"  # EOFError says nothing
        message = f"this is no WAV file with PCM samples: {reason}"
        raise ValueError(message) from exc


def write_wav(file: _File, audio: Pcm16Audio) -> None:
    """Write ``audio`` as a WAV file."""
    with WavWriter(file, sample_rate_hz=audio.sample_rate_hz, channels=audio.channels) as writer:
        writer.write_pcm16(audio.pcm16)


class WavWriter:
    """A WAV file that grows while sound comes in; ``close`` makes its header right."""

    def __init__(
        self, file: _File, *, sample_rate_hz: int = REALTIME_SAMPLE_RATE_HZ, channels: int = 1
    ) -> None:
        self._own: IO[bytes] | None = None
        if isinstance(file, str | Path):
            # Opened here: a writer that cannot open its file leaves a half-made object behind.
            file = self._own = Path(file).open("wb")  # noqa: SIM115 - closed by close()
        self._wave = wave.open(file, "wb")  # noqa: SIM115 - closed by close()
        self._wave.setnchannels(channels)
        self._wave.setsampwidth(PCM16_BYTES_PER_SAMPLE)
        self._wave.setframerate(sample_rate_hz)
        self._format = (sample_rate_hz, channels)

    def write_pcm16(self, pcm16: bytes) -> None:
        """Append samples in the file's own format."""
        self._wave.writeframes(pcm16)

    def write_frame(self, frame: RealtimeAudioFrame) -> None:
        """Append a frame.

        Raises:
            ValueError: The frame has another format than the file, or is no base64.
        """
        if (frame.sample_rate_hz, frame.channels) != self._format:
            message = (
                f"a frame of {frame.sample_rate_hz} Hz and {frame.channels} channels does not fit"
                f" a file of {self._format[0]} Hz and {self._format[1]}"
            )
            raise ValueError(message)
        self.write_pcm16(frame.pcm16)

    def close(self) -> None:
        """Finish the file. May be called again."""
        self._wave.close()
        if self._own is not None:
            self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def session_frames(file: _File, *, frame_ms: int = 20) -> Iterator[RealtimeAudioFrame]:
    """Read a WAV file of any rate as frames that a session takes: 24 kHz mono.

    Raises:
        ValueError: It is no WAV file with 16-bit samples.
        ModuleNotFoundError: It must be converted, and the extra ``webrtc`` is not installed.
    """
    return read_wav(file).converted().frames(frame_ms=frame_ms)


def _opened(file: _File) -> str | IO[bytes]:
    return str(file) if isinstance(file, Path) else file
