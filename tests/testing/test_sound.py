from __future__ import annotations

import pytest

from codex_api.testing.sound import frequency_hz, level_dbfs, loudest_part, silence, tone


@pytest.mark.parametrize("level", [-40.0, -12.0, -3.1])
@pytest.mark.parametrize("frequency", [100.0, 440.0, 3000.0])
def test_tone_has_the_level_and_the_frequency_asked_for(level: float, frequency: float) -> None:
    sound = tone(frequency, 0.25, level_dbfs=level)

    assert len(sound) == 2 * 6000
    assert level_dbfs(sound) == pytest.approx(level, abs=0.2)
    assert frequency_hz(sound) == pytest.approx(frequency, rel=0.005)


def test_level_is_not_that_of_another_tone() -> None:
    assert level_dbfs(tone(440, 0.1, level_dbfs=-20)) < level_dbfs(tone(440, 0.1)) - 7


def test_silence_has_neither_level_nor_frequency() -> None:
    assert level_dbfs(silence(0.1)) == -96
    assert frequency_hz(silence(0.1)) == 0
    assert level_dbfs(b"") == -96
    assert frequency_hz(b"") == 0


def test_loudest_part_is_found_in_silence() -> None:
    sound = silence(1) + tone(440, 0.5) + silence(1)

    assert level_dbfs(loudest_part(sound, 0.25)) == pytest.approx(-12, abs=0.2)
    assert loudest_part(b"\1\0", 0.25) == b"\1\0"


def test_rate_is_taken_into_account() -> None:
    sound = tone(440, 0.5, sample_rate_hz=8000)

    assert frequency_hz(sound, sample_rate_hz=8000) == pytest.approx(440, abs=1)
