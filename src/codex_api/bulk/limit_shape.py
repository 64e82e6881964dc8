"""What kind of limit answers show: a bucket that fills, or a count that starts anew."""

from __future__ import annotations

from collections import deque
from typing import Final

_SLOPES: Final = 9
_MOST_VOTES: Final = 8


class LimitShape:
    """Learns from pairs of answers, each with the seconds to its reset and what remains.

    A bucket with less in it takes longer to fill. A count that starts anew at one instant has less
    in it the nearer that is.

    Attributes:
        is_count: Whether it is a count; a bucket until answers show otherwise.
        slope: The flow into the bucket, charge a second; None while answers do not agree on one.
        longest: The longest reset that was told, in seconds: a window is as long.
    """

    __slots__ = ("_ends", "_last", "_slopes", "_votes", "is_count", "longest", "slope")

    def __init__(self) -> None:
        self.is_count: bool = False
        self.slope: float | None = None
        self.longest: float = 0.0
        self._ends = 0.0
        self._last: tuple[float, float] | None = None
        self._votes = 0
        self._slopes: deque[float] = deque(maxlen=_SLOPES)

    def observe(self, reset: float, remaining: float, at: float) -> None:
        """Take in the newest answer, whose request was sent ``at`` that instant."""
        self._ends = reset + at
        self.longest = max(self.longest, reset)
        self.compare(reset, remaining)

    def window_ends(self, now: float) -> float:
        """Return the end of the window that is open at ``now``."""
        ends, length = self._ends, self.longest
        return ends if now < ends else ends + length * ((now - ends) // length + 1)

    def compare(self, reset: float, remaining: float) -> None:
        """Compare an answer with the one before, unless they are too near each other to tell."""
        last = self._last
        if last is not None:
            longer, more = reset - last[0], remaining - last[1]
            if abs(longer) < (10.0 if reset.is_integer() and last[0].is_integer() else 0.02):
                return
            if longer * more > 0:
                self._votes = min(self._votes + 1, _MOST_VOTES)
            elif more:
                self._votes = max(self._votes - 1, -_MOST_VOTES)
                self._slopes.append(-more / longer)
                self.slope = self._agreed_slope()
            self.is_count = self._votes > 1
        self._last = (reset, remaining)

    def _agreed_slope(self) -> float | None:
        slopes = sorted(self._slopes)
        if slopes[-1 - len(slopes) // 4] > 1.5 * slopes[len(slopes) // 4]:
            return None
        return slopes[len(slopes) // 2]
