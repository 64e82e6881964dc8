"""How many requests a server takes at once: learnt from overload, apart from any rate.

A server that says 503 or 529, or lets requests time out, has too much to do at once. Slowing down
does not help it as having less in flight does.
"""

from __future__ import annotations

from typing import Final

_CUT: Final = 0.95
_CUT_AGAIN: Final = 0.8
_AGAIN_SECONDS: Final = 1.0
_GROWTH: Final = 0.01
_COOLDOWN: Final = 0.1
_MAX_COOLDOWN: Final = 30.0


class Window:
    """A limit on what is in flight: cut once an episode of overload, and grown slowly after.

    Attributes:
        in_flight: What is in flight now.
        most: The limit that is never passed.
        size: What may be in flight now.
    """

    __slots__ = (
        "_cut_at",
        "_cut_number",
        "_failed_in_a_row",
        "_grown_at",
        "in_flight",
        "most",
        "size",
    )

    def __init__(self, most: int) -> None:
        self.in_flight: int = 0
        self.most: int = most
        self.size: float = float(most)
        self._cut_at = float("-inf")
        self._cut_number = -1
        self._grown_at: float | None = None
        self._failed_in_a_row = 0

    def admits(self, now: float) -> bool:
        """Return whether one more may be in flight."""
        if self._grown_at is not None:
            passed = now - self._grown_at
            if passed >= 0.05:  # noqa: PLR2004 - seconds; growing needs no finer steps
                self._grown_at = now
                growth = max(1.0, _GROWTH * self.size) * passed
                self.size = min(float(self.most), self.size + growth)
        return self.in_flight < int(self.size)

    def overload(self, now: float, number: int, last: int) -> float | None:
        """Take in that the server had too much to do.

        Call it when the request is no longer counted as in flight.

        Args:
            now: When that was received.
            number: Of the grant of the request that was turned away.
            last: Number of the newest grant.

        Returns:
            Seconds to send nothing; None when the episode is known already.
        """
        if number <= self._cut_number:
            return None
        again = now - self._cut_at < _AGAIN_SECONDS
        held = min(self.size, float(self.in_flight))
        self.size = max(1.0, held * (_CUT_AGAIN if again else _CUT))
        self._cut_at = self._grown_at = now
        self._cut_number = last
        self._failed_in_a_row += 1
        return min(_MAX_COOLDOWN, _COOLDOWN * 2.0 ** min(self._failed_in_a_row - 1, 20))

    def accept(self) -> None:
        """Take in that the server answered."""
        self._failed_in_a_row = 0
