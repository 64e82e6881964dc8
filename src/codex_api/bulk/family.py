"""One limit of an account, as the headers of its answers show it.

Nothing here knows the time: instants are arguments, seconds on any clock that does not run
backwards. Rules that are easy to lose:

- What a header says was true when its request was admitted, not when its answer arrived. A level is
  the newest-sent answer's, plus what flowed in since, less what was sent since.
- What is missing beyond our own sends was taken by others; they go on taking.
- A refusal says that the pace is too high, and once an episode: only one that was sent after the
  last cut counts. How much to cut is seen from what was accepted, never from the server's number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from codex_api.bulk.ceiling import Ceiling
from codex_api.bulk.limit_shape import LimitShape
from codex_api.bulk.load import Accepted, Load

if TYPE_CHECKING:
    from codex_api.rate_limits import ApiRateLimit

MINUTE: Final = 60.0
DAY: Final = 86400.0
# Families of an hour and more are spent as fast as the others allow, and only then waited for.
_LONG_WINDOW: Final = 3600.0
# Share of a bucket, and seconds of its flow, that stay in it: arrivals jitter.
_RESERVE_SHARE: Final = 0.02
_RESERVE_SECONDS: Final = 0.1
_MOST_RESERVE: Final = 0.3
_LONGEST_RESET: Final = 31 * DAY
_SURGE: Final = 4.0
_CATCH_UP: Final = 0.05
_DRIFT_SECONDS: Final = 1.0
_LEARN_SECONDS: Final = 0.01
# Share of the bucket that may be sent without a look at it: it changes the pace by less than 1 %.
_SLACK: Final = 0.002
_DRIFT_WEIGHT: Final = 0.3


class Family:
    """One limit: its level, its rate, and the pace at which it is spent.

    Attributes:
        name: Its name in the headers; empty for the limit that no header says.
        limit: What the window allows, or None when it was never told.
        capacity: The most that may be saved up.
        rate: What flows in each second; None when it was never told.
        others: What others take each second.
        ceiling: The pace that refusals left.
        is_long: Whether its window is too long to be paced.
    """

    __slots__ = (
        "_accepted",
        "_anchor",
        "_asked",
        "_base",
        "_kept",
        "_least_rate",
        "_next_at",
        "_open",
        "_own",
        "_paced",
        "_scale",
        "_shape",
        "_share",
        "_slack",
        "_slack_until",
        "_spent",
        "_surge",
        "_unbooked",
        "_weights",
        "capacity",
        "ceiling",
        "is_long",
        "limit",
        "name",
        "others",
        "rate",
    )

    def __init__(self, name: str, weights: Load, share: float = 1.0) -> None:
        self.name: str = name
        self.limit: float | None = None
        self.capacity: float = 0.0
        self.rate: float | None = None
        self.others: float = 0.0
        self.ceiling: Ceiling = Ceiling()
        self._weights = weights
        self._share = share
        self._scale = 1.0
        self._surge = _SURGE
        # What follows from limit and rate, and is asked for with each request.
        self.is_long: bool = False
        self._kept = 0.0
        self._shape = LimitShape()
        self._least_rate = 0.0
        # End of a window, and what we sent in it.
        self._spent = (0.0, 0.0)
        # Remaining, instant and sum of charges of the newest-sent answer.
        self._base: tuple[float, float, float] | None = None
        self._anchor: tuple[float, float, float] | None = None
        self._next_at = 0.0
        # Of the last `wait`: what was asked for, and what was left, the bucket's size not minded.
        self._asked = 0.0
        self._open: float | None = None
        # What we may still spend of our share, and since when that is so.
        self._own: tuple[float, float] | None = None
        self._accepted = Accepted()
        # Where much is left: what may be sent, and until when, before levels are looked at again;
        # the pace meanwhile, and what of it was sent.
        self._slack = self._slack_until = 0.0
        self._paced = math.inf
        self._unbooked = 0.0

    def charge(self, load: Load) -> float:
        """Return what ``load`` costs of this limit, by our own reckoning."""
        weights = self._weights
        return load[0] * weights[0] + load[1] * weights[1] + load[2] * weights[2]

    def observe(self, told: ApiRateLimit, sent_at: float, sent: Load) -> None:
        """Take in what one answer said of this limit.

        Args:
            told: Its headers.
            sent_at: When its request was sent.
            sent: Everything that was sent up to and with that request.
        """
        if self._base is not None:
            age = self._base[1] - sent_at
            if age > 0:
                if told.limit == self.limit and told.remaining is not None and told.reset_after:
                    # True whenever it was said.
                    self._shape.compare(told.reset_after, float(told.remaining))
                return
            if age > -_LEARN_SECONDS and told.limit == self.limit:
                return  # a level that is so new says as much, for less
        self._slack = 0.0
        if told.limit is not None and told.limit > 0:
            known = self.limit, self.rate, self.capacity
            self._learn_rate(float(told.limit), told, sent_at)
            if known != (self.limit, self.rate, self.capacity):
                self.is_long = told.limit / (self.rate or told.limit) >= _LONG_WINDOW
                self._kept = self._reserve(0.0)
        if self.limit is None or self.rate is None or told.remaining is None:
            return
        remaining = max(0.0, float(told.remaining))
        self._base = (remaining, sent_at, self.charge(sent))
        self._learn_drift()

    def level(self, now: float, sent: Load) -> float | None:
        """Return what is left at ``now``, after all that was ``sent``; None: not known."""
        level = self._uncapped(now, sent)
        return None if level is None else min(self.capacity, level)

    def _uncapped(self, now: float, sent: Load) -> float | None:
        """Return what would be left if the bucket could not run over."""
        base, rate = self._base, self.rate
        if base is None or rate is None:
            return None
        if self._shape.is_count:
            return self._left_of_window(now, sent)
        weights = self._weights
        spent = sent[0] * weights[0] + sent[1] * weights[1] + sent[2] * weights[2]
        level = base[0] - self._scale * (spent - base[2])
        passed = now - base[1]
        return level + (rate - self.others) * passed if passed > 0 else level

    def wait(self, now: float, load: Load, sent: Load) -> float:
        """Return the seconds until ``load`` may be sent; 0 when it may now, infinite when never."""
        weights = self._weights
        raw = load[0] * weights[0] + load[1] * weights[1] + load[2] * weights[2]
        self._asked = raw
        if raw <= 0:
            return 0.0
        pause = max(0.0, self._next_at - now)
        if raw <= self._slack and now < self._slack_until:
            return pause
        return max(pause, self._wait_for_level(now, raw, sent))

    def _wait_for_level(self, now: float, raw: float, sent: Load) -> float:
        """Return the seconds until enough is left, whatever the pace is."""
        self._open = level = self._uncapped(now, sent)
        charge, capacity = self._scale * raw, self.capacity
        if self.limit is not None and charge > self.limit:
            return math.inf
        # What is left is not known, or more than any reserve takes.
        if level is None or min(level, capacity) - charge >= _MOST_RESERVE * capacity:
            return 0.0
        # What is as large as the bucket goes when that is full.
        missing = min(charge + self._reserve(charge), 0.98 * capacity) - min(level, capacity)
        if missing <= 0:
            return 0.0
        return (
            self._shape.window_ends(now) - now if self._shape.is_count else missing / self._flow()
        )

    def take(self, now: float) -> None:
        """Count what ``wait`` was asked for last as sent now, and set when the next may go."""
        raw = self._asked
        if raw <= 0:
            return
        charge = self._scale * raw
        if raw <= self._slack and now < self._slack_until:
            self._slack -= raw
            self._unbooked += raw
            self._next_at = max(now - _CATCH_UP, self._next_at) + charge / self._paced
            return
        level = None if self._open is None else min(self.capacity, self._open - charge)
        if self._shape.is_count:
            ends = self._shape.window_ends(now)
            own = self._spent[1] if self._spent[0] == ends else 0.0
            self._spent = (ends, own + charge)
            pace = self._pace(now, level, 0.0)
        else:
            own = 0.0 if self.rate is None else self._own_level(now)
            self._own = (own - charge, now)
            pace = self._pace(now, level, own)
        self._accepted.add(raw + self._unbooked, now)
        self._unbooked = 0.0
        self._loosen(now, level, pace)
        if pace is not None:
            self._next_at = max(now - _CATCH_UP, self._next_at) + charge / pace

    def _loosen(self, now: float, level: float | None, pace: float | None) -> None:
        """See whether so much is left that looking at each request would change nothing."""
        self._slack = 0.0
        if level is None or self._shape.is_count or self.ceiling.pace is not None:
            return
        if level > 2 * _MOST_RESERVE * self.capacity:
            self._slack = _SLACK * self.capacity / self._scale
            self._slack_until = now + _LEARN_SECONDS
            self._paced = math.inf if pace is None else pace

    def pace(self, now: float, sent: Load) -> float | None:
        """Return the charge that may be sent each second now; None when nothing limits it."""
        own = 0.0 if self.rate is None else self._own_level(now)
        return self._pace(now, self.level(now, sent), own)

    def _pace(self, now: float, level: float | None, own: float) -> float | None:
        """Return the pace by what is left, of the limit and of our share of it."""
        ceiling = self.ceiling.pace
        if ceiling is not None:
            ceiling = self.ceiling.at(now, self.rate, self._surge)
        if self.rate is None or self.is_long:
            return ceiling
        pace = self._flow()
        if level is not None and self._shape.is_count:
            left = max(self._shape.window_ends(now) - now, 0.05 * self._shape.longest)
            pace = 0.98 * self._share * max(level, 0.0) / left
            pace = min(max(pace, 0.1 * self.rate), (1 + self._surge) * self.rate)
        elif level is not None:
            spare = min(level - self._kept, own)
            if spare > 0:
                pace *= 1 + self._surge * spare / self.capacity
        return pace if ceiling is None else min(pace, ceiling)

    def refuse(
        self, now: float, load: Load, sent_at: float, number: int, last: int, sent: Load
    ) -> bool:
        """Take in a refusal.

        Args:
            now: When it arrived.
            load: What was refused.
            sent_at: When it was sent.
            number: Of its grant.
            last: Number of the newest grant.
            sent: Everything that was sent so far.

        Returns:
            Whether it began an episode: its request was sent after the last cut.
        """
        charge = self.charge(load)
        self._accepted.add(self._unbooked, now)
        self._accepted.add(-charge, sent_at)
        self._slack = self._unbooked = 0.0
        if number <= self.ceiling.last:
            return False
        level = self.level(now, sent)
        if level is not None and level > charge + 0.2 * self.capacity:
            # Refused although much was left: the server lets nobody save up that much.
            self._surge /= 2
        current = self.pace(now, sent)
        accepted = self._accepted.rate(now)
        self._least_rate = 0.0
        if current is None:
            current = accepted or charge
        cut = self.ceiling.cut(now, current, accepted, rate=self.rate, last=last)
        self._next_at = min(self._next_at, now + charge / cut)
        return True

    def _flow(self) -> float:
        rate = self.rate
        assert rate is not None  # noqa: S101 - asked only where it is known
        flow = (rate - self.others) * self._share
        return max(0.02 * rate, flow)

    def _left_of_window(self, now: float, sent: Load) -> float:
        assert self._base is not None  # noqa: S101 - asked only where it is known
        ends = self._shape.window_ends(now)
        remaining, at, spent = self._base
        if ends - at <= self._shape.longest:
            return remaining - self._scale * (self.charge(sent) - spent)
        own = self._spent[1] if self._spent[0] == ends else 0.0
        return self.capacity - own

    def _own_level(self, now: float) -> float:
        """Return what is left of our share of the bucket."""
        assert self.rate is not None  # noqa: S101 - asked only where it is known
        most = self._share * self.capacity
        own = self._own
        if own is None:
            return most
        level, passed = own[0] - self._scale * self._unbooked, now - own[1]
        if passed > 0:
            level += self.rate * self._share * passed
        return min(most, level)

    def _reserve(self, charge: float) -> float:
        flow = (self.rate or 0.0) * _RESERVE_SECONDS
        most = _MOST_RESERVE * self.capacity
        if self.is_long:
            return min(flow, most)
        wanted = max(_RESERVE_SHARE * self.capacity, min(flow, most))
        return max(0.0, min(wanted, self.capacity - charge))

    def _learn_rate(self, limit: float, told: ApiRateLimit, sent_at: float) -> None:
        if limit != self.limit:
            self._base = self._anchor = None
            self._shape = LimitShape()
            self._least_rate = 0.0
        self.limit = self.capacity = limit
        self.rate = limit / (DAY if "day" in self.name else MINUTE)
        reset, remaining = told.reset_after, told.remaining
        if reset is None or remaining is None or not 0 <= reset <= _LONGEST_RESET:
            return
        self._shape.observe(reset, float(remaining), sent_at)
        if self._shape.is_count:
            self.rate = limit / self._shape.longest
            self.ceiling.forgive(self.rate)
            return
        slope = self._shape.slope
        if slope is not None:
            self.rate = slope
        elif reset >= 5.0 and limit > remaining:  # noqa: PLR2004 - seconds, so that rounding is small
            self.rate = min(self.rate * 1.5, (limit - remaining) / reset)
        elif reset > 0 and remaining >= 0.9 * limit:
            # It fills in less than it would if the window were as long as usual.
            self.rate = max(self.rate, (limit - remaining) / (reset + 0.001))
        self.rate = max(self.rate, self._least_rate)
        if slope is not None or reset < 0.05:  # noqa: PLR2004 - seconds: as good as full
            self.capacity = min(limit, max(remaining + reset * self.rate, 1.0))
        self.ceiling.forgive(self.rate)

    def _learn_from_plenty(self, spent_each_second: float, rate: float) -> None:
        """See that the bucket stays full whatever is sent: more flows in, or we reckon too dear."""
        if self._shape.slope is None:
            self._least_rate = max(self._least_rate, spent_each_second)
        elif spent_each_second > 2 * rate:
            self._scale = max(0.7 * self._scale, 0.01)

    def _learn_drift(self) -> None:
        """Compare two answers some time apart: what is missing was taken by others."""
        base, anchor, rate = self._base, self._anchor, self.rate
        assert base is not None  # noqa: S101 - just set
        assert rate is not None  # noqa: S101 - known when a base is
        if self._shape.is_count:
            self._anchor = None
            self.others = 0.0
            return
        if anchor is None:
            self._anchor = base
            return
        passed = base[1] - anchor[1]
        if passed < _DRIFT_SECONDS:
            return
        self._anchor = base
        full = 0.98 * self.capacity
        own = base[2] - anchor[2]
        if anchor[0] >= full or base[0] >= full:
            self.others *= 1 - _DRIFT_WEIGHT
            if min(anchor[0], base[0]) >= 0.9 * self.capacity:
                self._learn_from_plenty(self._scale * own / passed, rate)
            return
        consumed = anchor[0] + rate * passed - base[0]
        rest = consumed - self._scale * own
        if rest > 0 and self._scale < 1 and own > 0:
            self._scale = min(1.0, self._scale + _DRIFT_WEIGHT * rest / own)
            return
        others = self.others + _DRIFT_WEIGHT * (rest / passed - self.others)
        if others < 0 and own > 0 and consumed > 0:
            self._scale += _DRIFT_WEIGHT * (consumed / own - self._scale)
            self._scale = min(1.0, max(0.02, self._scale))
        self.others = min(max(0.0, others), 0.9 * rate)
