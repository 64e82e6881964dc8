"""The pace that refusals leave to a limit: cut once an episode, and raised with time.

Instants are arguments, as in `codex_api.bulk.family`; paces and rates are charge a second.
"""

from __future__ import annotations

from typing import Final

_AGAIN_SECONDS: Final = 2.0
_GROWTH_STEP: Final = 0.05


class Ceiling:
    """The most that may be sent each second, whatever the headers allow.

    Attributes:
        pace: As it was when last looked at; None sets no ceiling.
        last: Number of the newest grant at the last cut; negative before the first one.
    """

    __slots__ = ("_cut_at", "_cuts", "_grown_at", "_rate", "_refused_pace", "last", "pace")

    def __init__(self) -> None:
        self.pace: float | None = None
        self.last: int = -1
        # What flowed in when it was cut; None when that was not known.
        self._rate: float | None = None
        self._cut_at = float("-inf")
        self._cuts = 0
        self._refused_pace: float | None = None
        self._grown_at: float | None = None

    def start_at(self, pace: float, now: float) -> None:
        """Begin at ``pace``, which doubles each second until it is refused."""
        self.pace = pace
        self._grown_at = now

    def at(self, now: float, rate: float | None, surge: float) -> float | None:
        """Return the pace at ``now``, raised for the time that passed; None when there is none.

        Args:
            now: An instant.
            rate: What flows into the limit, or None when it is not known.
            surge: By how much of ``rate`` a full bucket may be spent faster than it fills.
        """
        pace = self.pace
        if pace is None or self._grown_at is None:
            return pace
        passed = now - self._grown_at
        if passed < _GROWTH_STEP:
            return pace
        self._grown_at = now
        if self.last < 0:
            self.pace = pace * 2.0 ** min(passed, 10.0)
            return self.pace
        slow = 0.01 if rate is not None else 0.02
        below = self._refused_pace is not None and pace < 0.85 * self._refused_pace
        pace *= (1 + (0.1 if below else slow)) ** min(passed, 600.0)
        self.pace = None if rate is not None and pace > 1.05 * rate * (1 + surge) else pace
        return self.pace

    def cut(
        self, now: float, current: float, accepted: float | None, *, rate: float | None, last: int
    ) -> float:
        """Begin an episode: lower the pace, and return it.

        Args:
            now: When the refusal arrived.
            current: The pace that was refused.
            accepted: What was accepted each second, or None when that is not known.
            rate: What flows into the limit, or None when it is not known.
            last: Number of the newest grant.
        """
        self._cuts = self._cuts + 1 if now - self._cut_at < _AGAIN_SECONDS else 0
        target = current * (0.5 if self._cuts or accepted is None else 0.93)
        if accepted is not None and not self._cuts:
            target = max(0.5 * current, min(0.95 * accepted, 0.97 * current))
        self._refused_pace = current
        self._grown_at = self._cut_at = now
        self.last, self._rate = last, rate
        self.pace = lowered = max(target, 1e-9)
        return lowered

    def forgive(self, rate: float) -> None:
        """Drop it when it was set while the rate was thought to be much lower."""
        if self._rate is not None and rate > 2 * self._rate:
            self.pace = self._rate = None

    @property
    def was_cut(self) -> bool:
        """Whether anything was ever refused."""
        return self.last >= 0
