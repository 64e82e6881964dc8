"""When a request may be sent so that the server's limits are used, and not run into.

A pure machine: it sleeps nowhere, sends nothing and reads no clock. It may serve one loop, or own
the budget of many machines.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from codex_api.bulk.family import Family
from codex_api.bulk.load import Load, weights_of
from codex_api.bulk.window import Window

if TYPE_CHECKING:
    from codex_api.rate_limits import ApiRateLimit, ApiRateLimits

#: What a request weighs beside its tokens where no limit is told: both kinds may bind.
_UNTOLD: Final = Load(200, 1, 1)
_START_PACE: Final = 20.0
_MAX_PAUSE: Final = 60.0
_POLL: Final = 0.05
_SHORTEST: Final = 0.001
# What is known of a limit may change with any answer.
_LOOK_AGAIN: Final = 0.5


class Grant(msgspec.Struct, frozen=True, gc=False):
    """Leave to send one request, or several as one.

    Attributes:
        number: Counts the grants of one budget.
        at: When it was given.
        load: What it covers.
        sent: All that was granted up to and with it.
    """

    number: int
    at: float
    load: Load
    sent: Load


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Not now.

    Attributes:
        delay: Seconds after which to ask again.
        limit: What binds: a family such as ``tokens``, ``in flight``, ``pause`` after a refusal,
            or ``unknown`` where the server tells no limits.
    """

    delay: float
    limit: str


class TooLarge(msgspec.Struct, frozen=True, gc=False):
    """Never: the request is larger than all that a limit allows.

    Attributes:
        limit: Its family.
        allowed: What it allows.
        needed: What the request needs of it.
    """

    limit: str
    allowed: float
    needed: float


class FamilyState(msgspec.Struct, frozen=True, gc=False):
    """What is known of one limit, for people to look at.

    Attributes:
        name: Such as ``requests``, ``tokens``, ``requests-day``; ``unknown`` where none is given.
        limit: What its window allows, or None.
        level: What is left now, or None.
        rate: What flows in each second, or None.
        others: What others take each second.
        pace: What is sent at most each second now, or None.
    """

    name: str
    limit: float | None
    level: float | None
    rate: float | None
    others: float
    pace: float | None


class RateBudget:
    """Paces requests by what the answers say about limits.

    Ask before each request; send when a ``Grant`` comes, ask again after a ``Wait``. Then say what
    became of the grant, once: ``seen``, ``refused``, ``overloaded`` or ``lost``.

    Args:
        share: Of the limits, how much to use: more than 0, at most 1. Where the server tells no
            limits it has no effect.
        max_in_flight: How many may be in flight at most.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(self, share: float = 1.0, *, max_in_flight: int = 2000) -> None:
        if not 0 < share <= 1:
            message = f"share must be more than 0 and at most 1, got {share!r}"
            raise ValueError(message)
        if max_in_flight < 1:
            message = f"max_in_flight must be at least 1, got {max_in_flight!r}"
            raise ValueError(message)
        self._share = share
        self._families: dict[str, Family] = {}
        self._untold = Family("", _UNTOLD)
        self._window = Window(max_in_flight)
        self._sent = Load(0, 0, 0)
        self._number = 0
        self._not_before = float("-inf")
        self._binding = ""
        self._refusals = 0

    @property
    def in_flight(self) -> int:
        """Grants whose outcome is not known yet."""
        return self._window.in_flight

    @property
    def binding(self) -> str:
        """What made the last request wait, as ``Wait.limit`` says it; empty before any waited."""
        return self._binding

    @property
    def window(self) -> int:
        """How many may be in flight now."""
        return int(self._window.size)

    def ask(
        self, now: float, requests: float = 1, tokens: float = 0, *, output_tokens: float = 0
    ) -> Grant | Wait | TooLarge:
        """Ask whether a request may be sent now.

        Args:
            now: Seconds on a clock that does not run backwards.
            requests: More than 1 to send a group.
            tokens: Of its input, estimated; a quarter of its bytes will do.
            output_tokens: Of its answer: what the request allows, or what answers have.
        """
        load = Load(requests, tokens, output_tokens)
        if not self._window.admits(now):
            return self._wait(_POLL, "in flight")
        if now < self._not_before:
            return self._wait(self._not_before - now, "pause")
        longest, limit = 0.0, ""
        for family in self._families.values():
            delay = family.wait(now, load, self._sent)
            if delay > longest:
                longest, limit = delay, family.name
        if longest == math.inf:
            return self._never(load, limit)
        if self._is_blind:
            if self._untold.ceiling.pace is None:
                self._untold.ceiling.start_at(_START_PACE * self._untold.charge(load), now)
            delay = self._untold.wait(now, load, self._sent)
            if delay > longest:
                longest, limit = delay, "unknown"
        if longest > 0:
            return self._wait(min(longest, _LOOK_AGAIN), limit)
        return self._grant(now, load)

    def seen(self, grant: Grant, limits: ApiRateLimits | None, now: float) -> None:
        """Take in that a request was answered, well or ill, but was let in.

        Args:
            grant: What it was sent with.
            limits: What its headers said, or None when they said nothing.
            now: When the answer was there.
        """
        del now
        self._window.in_flight -= 1
        self._window.accept()
        self._observe(grant, limits)

    def refused(
        self,
        grant: Grant,
        limits: ApiRateLimits | None,
        now: float,
        *,
        retry_after: float | None = None,
        limit: str | None = None,
    ) -> None:
        """Take in that a request was refused for a limit on requests or tokens.

        Args:
            grant: What it was sent with.
            limits: What the headers of the refusal said, or None.
            now: When it was there.
            retry_after: Seconds that the server asks to wait, or None.
            limit: Which limit was hit, as ``RateLimitError.limit`` says it, or None.
        """
        self._window.in_flight -= 1
        self._refusals += 1
        self._observe(grant, limits)
        began = False
        for family in self._blamed(limit, grant, now):
            began |= family.refuse(
                now, grant.load, grant.at, grant.number, self._number, self._sent
            )
        if began:
            asked = 0.0 if retry_after is None else min(max(retry_after, 0.0), _MAX_PAUSE)
            self._not_before = max(self._not_before, now + asked)

    def overloaded(self, grant: Grant, now: float, *, retry_after: float | None = None) -> None:
        """Take in that a server had too much to do: 503, 529, or no answer in time.

        Args:
            grant: What the request was sent with.
            now: When that was received.
            retry_after: Seconds that the server asks to wait, or None.
        """
        self._window.in_flight -= 1
        pause = self._window.overload(now, grant.number, self._number)
        if pause is not None:
            asked = min(max(retry_after or 0.0, 0.0), _MAX_PAUSE)
            self._not_before = max(self._not_before, now + max(pause, asked))

    def lost(self, grant: Grant) -> None:
        """Take in that a request gets no answer: cancelled, or its connection broke."""
        del grant
        self._window.in_flight -= 1

    def families(self, now: float) -> list[FamilyState]:
        """Describe each limit as it is at ``now``."""
        shown = [*self._families.values(), *([self._untold] if self._is_blind else [])]
        return [
            FamilyState(
                family.name or "unknown",
                family.limit,
                family.level(now, self._sent),
                family.rate,
                family.others,
                family.pace(now, self._sent),
            )
            for family in shown
        ]

    def ceiling(self, load: Load, now: float) -> tuple[float, str] | None:
        """Return how many requests like ``load`` the limits admit each second, and which binds.

        Returns:
            None when no limit is known.
        """
        rates = [
            ((family.rate - family.others) * self._share / family.charge(load), family.name)
            for family in self._families.values()
            if family.rate is not None and family.charge(load) > 0
        ]
        del now
        return min(rates) if rates else None

    @property
    def _is_blind(self) -> bool:
        return not self._families or self._untold.ceiling.last >= 0

    def _wait(self, delay: float, limit: str) -> Wait:
        self._binding = limit
        return Wait(max(delay, _SHORTEST), limit)

    def _never(self, load: Load, name: str) -> TooLarge:
        family = self._families[name]
        assert family.limit is not None  # noqa: S101 - else it admits everything
        return TooLarge(name, family.limit, family.charge(load))

    def _grant(self, now: float, load: Load) -> Grant:
        sent = self._sent
        self._sent = Load(sent[0] + load[0], sent[1] + load[1], sent[2] + load[2])
        for family in self._families.values():
            family.take(now)
        if self._is_blind:
            self._untold.take(now)
        self._number += 1
        self._window.in_flight += 1
        return Grant(self._number, now, load, self._sent)

    def _observe(self, grant: Grant, limits: ApiRateLimits | None) -> None:
        if limits is None:
            return
        if limits.requests is not None:
            self._family("requests", grant, limits.requests)
        if limits.tokens is not None:
            self._family("tokens", grant, limits.tokens)
        for name, told in limits.others.items():
            self._family(name, grant, told)

    def _family(self, name: str, grant: Grant, told: ApiRateLimit) -> None:
        family = self._families.get(name)
        if family is None:
            weights = weights_of(name)
            if weights is None or not told.limit or told.limit < 0:
                return  # nothing to reckon with
            if not self._families:
                self._untold = Family("", _UNTOLD)  # what was guessed before is known now
            family = self._families[name] = Family(name, weights, self._share)
        family.observe(told, grant.at, grant.sent)

    def _blamed(self, limit: str | None, grant: Grant, now: float) -> list[Family]:
        """Return the families that a refusal is about."""
        name = (limit or "").replace("_", "-")
        if name in self._families:
            return [self._families[name]]
        if name == "day":
            days = [family for family in self._families.values() if family.is_long]
            if days:
                return days
        elif self._families and not name:
            short = [
                family
                for family in self._families.values()
                if (level := family.level(now, self._sent)) is not None
                and level < family.charge(grant.load)
            ]
            return short or list(self._families.values())
        return [self._untold]
