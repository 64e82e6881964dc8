from __future__ import annotations

import io
import math
import struct
import wave
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from codex_api.types.realtime import RealtimeAudioFrame
from codex_api.voice.audio import (
    Pcm16Audio,
    WavWriter,
    read_wav,
    session_frames,
    write_wav,
)

if TYPE_CHECKING:
    from pathlib import Path


def tone(frequency_hz: float, seconds: float, rate_hz: int, amplitude: int = 8000) -> bytes:
    count = round(seconds * rate_hz)
    step = 2 * math.pi * frequency_hz / rate_hz
    return struct.pack(f"<{count}h", *(round(amplitude * math.sin(step * n)) for n in range(count)))


def crossings_per_second(audio: Pcm16Audio) -> float:
    samples = struct.unpack(f"<{len(audio.pcm16) // 2}h", audio.pcm16)
    rises = sum(1 for a, b in pairwise(samples) if a < 0 <= b)
    return rises / audio.duration_seconds


def test_wav_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    audio = Pcm16Audio(tone(440, 0.1, 16000), 16000, 1)

    write_wav(tmp_path / "a.wav", audio)

    assert read_wav(tmp_path / "a.wav") == audio
    assert audio.duration_seconds == 0.1


def test_frames_rebuild_the_sound_and_the_last_may_be_short() -> None:
    pcm16 = tone(440, 0.05, 24000)

    frames = list(Pcm16Audio(pcm16).frames(frame_ms=20))

    assert [frame.samples_per_channel for frame in frames] == [480, 480, 240]
    assert b"".join(frame.pcm16 for frame in frames) == pcm16


@pytest.mark.parametrize("frame_ms", [0, -20])
def test_frame_without_length_is_refused(frame_ms: int) -> None:
    with pytest.raises(ValueError, match="ms"):
        list(Pcm16Audio(b"\0\0").frames(frame_ms=frame_ms))


def test_frame_of_half_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="11025 Hz"):
        list(Pcm16Audio(b"\0\0", 11025).frames(frame_ms=1))


def test_conversion_keeps_pitch_and_length() -> None:
    pytest.importorskip("av")
    audio = Pcm16Audio(tone(440, 1, 48000), 48000)

    converted = audio.converted()

    assert converted.sample_rate_hz == 24000
    assert converted.duration_seconds == pytest.approx(1, abs=0.002)
    assert crossings_per_second(converted) == pytest.approx(440, abs=3)


def test_stereo_is_mixed_to_mono() -> None:
    pytest.importorskip("av")
    stereo = Pcm16Audio(struct.pack("<4h", 100, 300, -200, -400), 24000, 2)

    first, second = struct.unpack("<2h", stereo.converted().pcm16)

    assert (first, second) == (pytest.approx(200, abs=1), pytest.approx(-300, abs=1))


def test_surround_sound_is_not_converted() -> None:
    pytest.importorskip("av")
    with pytest.raises(ValueError, match="6 channels"):
        Pcm16Audio(bytes(12), 24000, 6).converted()


def test_sound_that_fits_is_not_touched() -> None:
    audio = Pcm16Audio(b"\1\0")

    assert audio.converted() is audio


def test_channels_cannot_be_invented() -> None:
    with pytest.raises(ValueError, match="2 channels of 1"):
        Pcm16Audio(b"").converted(channels=2)


def test_wav_file_of_any_rate_gives_session_frames(tmp_path: Path) -> None:
    pytest.importorskip("av")
    write_wav(tmp_path / "a.wav", Pcm16Audio(tone(440, 0.2, 8000), 8000))

    frames = list(session_frames(tmp_path / "a.wav"))

    assert {frame.sample_rate_hz for frame in frames} == {24000}
    assert sum(frame.duration_seconds for frame in frames) == pytest.approx(0.2, abs=0.005)


def test_growing_file_takes_frames_of_its_own_format_only() -> None:
    file = io.BytesIO()
    with WavWriter(file) as writer:
        writer.write_frame(RealtimeAudioFrame.from_pcm16(b"\1\0\2\0"))
        with pytest.raises(ValueError, match="does not fit"):
            writer.write_frame(RealtimeAudioFrame.from_pcm16(b"\1\0", sample_rate_hz=8000))

    file.seek(0)
    assert read_wav(file) == Pcm16Audio(b"\1\0\2\0")


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound here")

    with pytest.raises(ValueError, match="no WAV file"):
        read_wav(tmp_path / "a.wav")


def test_file_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0")

    with pytest.raises(ValueError, match="ends too early"):
        read_wav(tmp_path / "a.wav")


def test_samples_of_another_size_are_refused() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(8000)
        writer.writeframes(b"\0")
    file.seek(0)

    with pytest.raises(ValueError, match="8-bit"):
        read_wav(file)
