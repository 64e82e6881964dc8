"""One budget for several processes: its owner lends grants in groups, for a while.

Nothing here knows what carries the calls. A holder that sends nothing for some time is given up,
so that what it had in flight holds up nobody.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from codex_api.bulk.budget import Grant, RateBudget, TooLarge, Wait
from codex_api.bulk.load import Load
from codex_api.rate_limits import ApiRateLimits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


_MOST_AT_ONCE: Final = 64
_LOOK: Final = 0.02
_HEARTBEAT: Final = 1.0
_PATIENCE: Final = 0.1
_MOMENT: Final = 0.01
_LONG_AGO: Final = 3600.0


class Report(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of a lent grant: ``seen``, ``refused``, ``overloaded`` or ``lost``."""

    number: int
    outcome: str
    limits: ApiRateLimits | None = None
    retry_after: float | None = None
    limit: str | None = None


class Lease(msgspec.Struct, frozen=True):
    """What an owner lends.

    Attributes:
        epoch: Names the owner's life; grants of another one mean nothing to it.
        grants: As many as may be sent now, at most as many as were asked for.
        delay: Seconds after which to ask again.
        limit: What binds.
        too_large: Whether no waiting would let such requests in.
    """

    epoch: str
    grants: list[Grant]
    delay: float = 0.0
    limit: str = ""
    too_large: TooLarge | None = None


class _Lent(msgspec.Struct, array_like=True):
    """A lease in few bytes: its grants follow each other, and cover the same."""

    epoch: str
    count: int
    first: Grant | None
    delay: float
    limit: str
    too_large: TooLarge | None


class _Told(msgspec.Struct, array_like=True):
    holder: str
    epoch: str
    reports: list[Report]
    wanted: int
    load: Load


_ENCODE: Final = msgspec.msgpack.Encoder().encode
_TOLD: Final[msgspec.msgpack.Decoder[_Told]] = msgspec.msgpack.Decoder(_Told)
_LENT: Final[msgspec.msgpack.Decoder[_Lent]] = msgspec.msgpack.Decoder(_Lent)


def pack(holder: str, epoch: str, reports: list[Report], wanted: int, load: Load) -> bytes:
    """Write what ``BudgetOwner.exchange`` takes as bytes, for ``exchange_packed``."""
    return _ENCODE(_Told(holder, epoch, reports, wanted, load))


def unpack(data: bytes) -> Lease:
    """Read what ``BudgetOwner.exchange_packed`` returned.

    Raises:
        msgspec.DecodeError: It is something else.
    """
    lent = _LENT.decode(data)
    grants = [] if lent.first is None else [_nth(lent.first, nth) for nth in range(lent.count)]
    return Lease(lent.epoch, grants, lent.delay, lent.limit, lent.too_large)


def _nth(first: Grant, nth: int) -> Grant:
    load, sent = first.load, first.sent
    sent = Load(*(all_of + nth * each for all_of, each in zip(sent, load, strict=True)))
    return Grant(first.number + nth, first.at, load, sent)


class BudgetOwner:
    """Owns the budget of several processes. One loop or thread uses it.

    Args:
        share: As ``RateBudget``.
        max_in_flight: As ``RateBudget``, of all holders together.
        lease_seconds: For how long a holder may be silent.
    """

    def __init__(
        self, share: float = 1.0, max_in_flight: int = 2000, lease_seconds: float = 20.0
    ) -> None:
        self._budget = RateBudget(share, max_in_flight=max_in_flight)
        self._lease_seconds = lease_seconds
        self._epoch = os.urandom(4).hex()
        self._lent: dict[str, dict[int, Grant]] = {}
        self._heard: dict[str, float] = {}

    def exchange(
        self, holder: str, epoch: str, reports: list[Report], wanted: int, load: Load
    ) -> Lease:
        """Take reports in, and lend grants.

        Args:
            holder: Who asks.
            epoch: Of the grants that are reported; empty at first.
            reports: What became of them.
            wanted: How many grants to lend at most; 0 is a sign of life.
            load: Of one request.
        """
        now = time.monotonic()
        self._heard[holder] = now
        for report in reports:
            self._take(holder, epoch, report, now)
        self._expire(now)
        grants: list[Grant] = []
        while len(grants) < wanted:
            answer = self._budget.ask(now, load[0], load[1], output_tokens=load[2])
            if isinstance(answer, TooLarge):
                return Lease(self._epoch, grants, too_large=answer)
            if isinstance(answer, Wait):
                return Lease(self._epoch, grants, answer.delay, answer.limit)
            grants.append(answer)
            self._lent.setdefault(holder, {})[answer.number] = answer
        return Lease(self._epoch, grants)

    def exchange_packed(self, data: bytes) -> bytes:
        """Take what ``pack`` made, and return what ``unpack`` reads; as ``exchange``.

        For carriers that would pickle each value of its own.
        """
        told = _TOLD.decode(data)
        lease = self.exchange(told.holder, told.epoch, told.reports, told.wanted, told.load)
        grants = lease.grants
        first = grants[0] if grants else None
        return _ENCODE(
            _Lent(lease.epoch, len(grants), first, lease.delay, lease.limit, lease.too_large)
        )

    @property
    def in_flight(self) -> int:
        """Grants that are lent."""
        return self._budget.in_flight

    def _take(self, holder: str, epoch: str, report: Report, now: float) -> None:
        grant = (
            self._lent.get(holder, {}).pop(report.number, None) if epoch == self._epoch else None
        )
        if grant is None:
            # Lent by an owner that is gone, or given up: what it tells of limits is true.
            if report.limits is None:
                return
            answer = self._budget.ask(now, 0)
            if not isinstance(answer, Grant):
                return
            self._budget.seen(answer, report.limits, now)
        elif report.outcome == "seen":
            self._budget.seen(grant, report.limits, now)
        elif report.outcome == "refused":
            self._budget.refused(
                grant, report.limits, now, retry_after=report.retry_after, limit=report.limit
            )
        elif report.outcome == "overloaded":
            self._budget.overloaded(grant, now, retry_after=report.retry_after)
        else:
            self._budget.lost(grant)

    def _expire(self, now: float) -> None:
        silent = [name for name, at in self._heard.items() if now - at > self._lease_seconds]
        for name in silent:
            del self._heard[name]
            for grant in self._lent.pop(name, {}).values():
                self._budget.lost(grant)


class LeasedBudget(RateBudget):
    """Stands for a budget that another process owns; given to a run as its own.

    Args:
        exchange: Calls ``BudgetOwner.exchange``.
        max_in_flight: Of this process.
    """

    def __init__(
        self,
        exchange: Callable[[str, str, list[Report], int, Load], Awaitable[Lease]],
        *,
        max_in_flight: int = 500,
    ) -> None:
        super().__init__(max_in_flight=max_in_flight)
        self._exchange = exchange
        self._name = os.urandom(8).hex()
        self._epoch = ""
        self._grants: deque[Grant] = deque()
        self._reports: list[Report] = []
        self._out = 0
        self._not_until = 0.0
        self._large: TooLarge | None = None
        self._load = Load()
        self._task: asyncio.Task[None] | None = None
        self._spoke = 0.0
        self._told_of = float("-inf")

    @property
    def in_flight(self) -> int:
        """Grants whose outcome is not known yet."""
        return self._out

    def ask(
        self, now: float, requests: float = 1, tokens: float = 0, *, output_tokens: float = 0
    ) -> Grant | Wait | TooLarge:
        """Take a grant that was lent, or ask for more and say to wait."""
        if self._large is not None:
            large, self._large = self._large, None
            return large
        if self._out >= self.window:
            self._speak(now, 0)
            return Wait(_LOOK, "in flight")
        self._load = Load(requests, tokens, output_tokens)
        if not self._ask_for_more(now):
            self._speak(now, 0)
        if self._grants:
            self._out += 1
            return self._grants.popleft()
        limit = self._binding or ("in flight" if self._task is None else "lease")
        return Wait(max(_LOOK / 4, min(_LOOK, self._not_until - now)), limit)

    def _ask_for_more(self, now: float) -> bool:
        """Ask for grants where many are missing, or none came for a while; give whether it did."""
        free = self.window - self._out - len(self._grants)
        group = max(1, min(_MOST_AT_ONCE, self.window // 2))
        if free <= 0 or now < self._not_until or self._task is not None:
            return False
        if free < group and now - self._spoke < _PATIENCE:
            return False  # an exchange costs as much as some calls
        self._speak(now, min(_MOST_AT_ONCE, free))
        return True

    def seen(self, grant: Grant, limits: ApiRateLimits | None, now: float) -> None:
        """As ``RateBudget.seen``; of answers to requests of one moment, one tells the limits."""
        later = grant.at - self._told_of
        # So much earlier: an owner with another clock lent it.
        if limits is not None and not -_LONG_AGO < later < _MOMENT:
            self._told_of = grant.at
        else:
            limits = None
        self._report(Report(grant.number, "seen", limits), now)

    def refused(
        self,
        grant: Grant,
        limits: ApiRateLimits | None,
        now: float,
        *,
        retry_after: float | None = None,
        limit: str | None = None,
    ) -> None:
        """As ``RateBudget.refused``."""
        self._report(Report(grant.number, "refused", limits, retry_after, limit), now)

    def overloaded(self, grant: Grant, now: float, *, retry_after: float | None = None) -> None:
        """As ``RateBudget.overloaded``."""
        self._report(Report(grant.number, "overloaded", None, retry_after), now)

    def lost(self, grant: Grant) -> None:
        """As ``RateBudget.lost``."""
        self._report(Report(grant.number, "lost"), None)

    async def give_back(self) -> None:
        """Report what is outstanding, and release the grants that were not used."""
        while self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        self._reports += [Report(grant.number, "lost") for grant in self._grants]
        self._grants.clear()
        await self._talk(0)

    def _report(self, report: Report, now: float | None) -> None:
        self._out -= 1
        self._reports.append(report)
        if now is not None:
            self._speak(now, 0)

    def _speak(self, now: float, wanted: int) -> None:
        if self._task is not None or (not wanted and now - self._spoke < _HEARTBEAT):
            return
        self._spoke = now
        self._task = asyncio.ensure_future(self._talk(wanted))
        self._task.add_done_callback(self._spoken)

    def _spoken(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            task.exception()  # an owner that is being restarted is asked again

    async def _talk(self, wanted: int) -> None:
        reports, self._reports = self._reports, []
        try:
            lease = await self._exchange(self._name, self._epoch, reports, wanted, self._load)
        except BaseException:
            self._reports[:0] = reports
            raise
        if lease.epoch != self._epoch:
            self._grants.clear()  # of an owner that is gone
            self._epoch, self._told_of = lease.epoch, float("-inf")
        self._grants.extend(lease.grants)
        self._binding, self._large = lease.limit, lease.too_large
        self._not_until = asyncio.get_running_loop().time() + lease.delay
