"""Simple sounds and what can be measured of them, for tests of audio paths.

All sound is mono little-endian 16-bit PCM. Levels are in dB relative to a full-scale square wave
(dBFS); a full-scale sine is at -3.
"""

from __future__ import annotations

import math
import sys
from array import array
from itertools import pairwise

SILENCE_DBFS = -96.0
_FULL_SCALE = 32768


def tone(
    frequency_hz: float,
    duration_seconds: float,
    *,
    sample_rate_hz: int = 24_000,
    level_dbfs: float = -12.0,
) -> bytes:
    """Make a sine tone of the given level."""
    peak = _FULL_SCALE * math.sqrt(2) * 10 ** (level_dbfs / 20)
    step = 2 * math.pi * frequency_hz / sample_rate_hz
    count = round(duration_seconds * sample_rate_hz)
    return _bytes(
        array(
            "h", (max(-32768, min(32767, round(peak * math.sin(step * n)))) for n in range(count))
        )
    )


def silence(duration_seconds: float, *, sample_rate_hz: int = 24_000) -> bytes:
    """Make silence."""
    return bytes(2 * round(duration_seconds * sample_rate_hz))


def level_dbfs(pcm16: bytes) -> float:
    """Measure the level; -96 for silence and for nothing."""
    samples = _samples(pcm16)
    energy = sum(sample * sample for sample in samples)
    if not energy:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, 20 * math.log10(math.sqrt(energy / len(samples)) / _FULL_SCALE))


def frequency_hz(pcm16: bytes, *, sample_rate_hz: int = 24_000) -> float:
    """Measure the frequency of a tone by its rises through zero; 0 when it has none."""
    samples = _samples(pcm16)
    mean = sum(samples) / len(samples) if samples else 0.0
    rises = [
        index + (mean - low) / (high - low)
        for index, (low, high) in enumerate(pairwise(samples))
        if low < mean <= high
    ]
    if len(rises) < 2:  # noqa: PLR2004 - one period needs two rises
        return 0.0
    return (len(rises) - 1) * sample_rate_hz / (rises[-1] - rises[0])


def loudest_part(pcm16: bytes, duration_seconds: float, *, sample_rate_hz: int = 24_000) -> bytes:
    """Cut out the loudest stretch of the given length, in steps of a tenth of it."""
    size = 2 * round(duration_seconds * sample_rate_hz)
    step = max(2, size // 20 * 2)
    starts = range(0, max(1, len(pcm16) - size + 1), step)
    return max((pcm16[start : start + size] for start in starts), key=level_dbfs)


def _samples(pcm16: bytes) -> array[int]:
    samples = array("h", pcm16)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _bytes(samples: array[int]) -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
