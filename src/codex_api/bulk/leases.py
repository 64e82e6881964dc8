"""One budget for several processes: its owner lends grants in groups, for a while.

Nothing here knows what carries the calls. A holder that sends nothing for some time is given up,
so that what it had in flight holds up nobody.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from codex_api.bulk.budget import Grant, RateBudget, TooLarge, Wait
from codex_api.bulk.lease_messages import Lease, Report, pack, pack_lease, unpack, unpack_told
from codex_api.bulk.load import Load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codex_api.rate_limits import ApiRateLimits

__all__ = ["BudgetOwner", "Lease", "LeasedBudget", "Report", "pack", "unpack"]

_MOST_AT_ONCE: Final = 1024
_LOOK: Final = 0.02
# A budget catches up on 50 ms in which nobody asked; asking costs 1 ms of CPU on Ray.
_GATHER: Final = 0.025
_OWNER_SECONDS: Final = 0.002
# Longer than what is waited for a larger group, so that calls need not wait for a lease.
_AHEAD: Final = 0.125
# A row so much larger than others is let in by a grant of its own.
_LARGE: Final = 8.0
_NO_LOAD: Final = Load()
_HEARTBEAT: Final = 1.0
_PATIENCE: Final = 0.1
_MOMENT: Final = 0.01
_LONG_AGO: Final = 3600.0


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
                # Many holders ask less often each: what one leaves, the next one takes.
                delay = max(answer.delay, _OWNER_SECONDS * len(self._heard))
                return Lease(self._epoch, grants, delay, answer.limit)
            grants.append(answer)
            self._lent.setdefault(holder, {})[answer.number] = answer
        return Lease(self._epoch, grants)

    def exchange_packed(self, data: bytes) -> bytes:
        """Take what ``pack`` made, and return what ``unpack`` reads; as ``exchange``.

        For carriers that would pickle each value of its own.
        """
        told = unpack_told(data)
        lent = self._lent.get(told.holder, {}) if told.epoch == self._epoch else {}
        for number in told.seen:
            if (grant := lent.pop(number, None)) is not None:
                self._budget.seen(grant, None, 0.0)
        return pack_lease(
            self.exchange(told.holder, told.epoch, told.reports, told.wanted, told.load)
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
        self._most = max_in_flight
        self._group = min(_MOST_AT_ONCE, max(1, 3 * max_in_flight // 8))
        # Grants to have in hand, for calls that end soon: as many as ended of late.
        self._ahead = self._ended = 0
        self._counted_at = 0.0
        self._not_until = 0.0
        self._large: TooLarge | None = None
        self._mean: Load | None = None
        # Tokens of rows beyond what their grants were lent for.
        self._over = 0.0
        # Whether the next row was refused, which may be since no limit admits it.
        self._alone = False
        self._task: asyncio.Task[None] | None = None
        self._spoke = 0.0
        self._told_of = float("-inf")

    @property
    def window(self) -> int:
        """How many may be in flight here; how many the server takes is the owner's to know."""
        return self._most

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
            self._alone = False
            return large
        if self._out >= self._most:
            if now - self._spoke >= _HEARTBEAT:
                self._speak(now, 0)
            return Wait(_LOOK, "in flight")
        load = Load(requests, tokens, output_tokens)
        grant = self._take(now, load)
        if grant is not None:
            self._out += 1
            return grant
        limit = self._binding or ("in flight" if self._task is None else "lease")
        return Wait(max(_LOOK / 4, min(_LOOK, self._not_until - now)), limit)

    def _take(self, now: float, load: Load) -> Grant | None:
        """Take a grant for a row, or ask for some."""
        mean = self._mean or load
        if load != mean or self._alone:
            size, usual = _tokens(load), _tokens(mean)
            if self._alone or size > _LARGE * usual:
                grant = self._take_one(now, load)
            else:
                self._ask_for_more(now, mean)
                grant = self._take_of_mean(size)
            step = 0.1 * min(1.0, _LARGE * usual / size) if usual and size else 1.0
            load = Load(*(old + step * (new - old) for old, new in zip(mean, load, strict=True)))
        else:
            self._ask_for_more(now, mean)
            grant = self._take_of_mean(_tokens(load))
        if grant is not None:
            self._mean = load
        return grant

    def _take_of_mean(self, size: float) -> Grant | None:
        """Take a grant, and use up others where rows are larger than these were lent for."""
        needed = self._over + size
        while self._grants:
            grant = self._grants.popleft()
            lent = _tokens(grant.load)
            needed -= lent
            if needed <= lent:
                self._over = max(needed, -lent)
                return grant
            self._reports.append(Report(grant.number, "lost"))
        self._over = needed - size
        return None

    def _take_one(self, now: float, load: Load) -> Grant | None:
        """Take a grant that was lent for just this row, or ask for it."""
        if self._grants and _tokens(self._grants[-1].load) >= _tokens(load):
            self._alone = False
            return self._grants.pop()
        if now >= self._not_until:
            self._speak(now, 1, load)
        return None

    def _ask_for_more(self, now: float, load: Load) -> None:
        """Ask for grants where many are missing, or none came for a while."""
        if self._task is not None or now < self._not_until:
            return
        free = self._most + self._ahead - self._out - len(self._grants)
        silent = now - self._spoke
        if free < self._group and silent < (_PATIENCE if free > 0 else _HEARTBEAT):
            return  # an exchange costs as much as some calls
        if (passed := now - self._counted_at) >= _PATIENCE / 2:
            self._ahead = min(int(self._ended / passed * _AHEAD), self._most // 2)
            self._counted_at, self._ended = now, 0
        self._speak(now, max(0, min(_MOST_AT_ONCE, free)), load)

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
        """As ``RateBudget.refused``; the row may be too large, so it is asked for by itself."""
        self._alone = True
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
        await self._talk(0, _NO_LOAD)

    def _report(self, report: Report, now: float | None) -> None:
        self._out -= 1
        self._ended += 1
        self._reports.append(report)
        if now is not None and now - self._spoke >= _HEARTBEAT:
            self._speak(now, 0)

    def _speak(self, now: float, wanted: int, load: Load = _NO_LOAD) -> None:
        if self._task is not None:
            return
        self._spoke = now
        self._task = asyncio.ensure_future(self._talk(wanted, load))
        self._task.add_done_callback(self._spoken)

    def _spoken(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            task.exception()  # an owner that is being restarted is asked again

    async def _talk(self, wanted: int, load: Load) -> None:
        reports, self._reports = self._reports, []
        try:
            lease = await self._exchange(self._name, self._epoch, reports, wanted, load)
        except BaseException:
            self._reports[:0] = reports
            raise
        if lease.epoch != self._epoch:
            self._grants.clear()  # of an owner that is gone
            self._epoch, self._told_of = lease.epoch, float("-inf")
        self._grants.extend(lease.grants)
        self._binding, self._large = lease.limit, lease.too_large
        delay = max(lease.delay, _GATHER) if lease.delay else 0.0
        delay *= random.uniform(1.0, 1.5)  # noqa: S311 - else the same holder comes first each time
        self._not_until = self._spoke + delay


def _tokens(load: Load) -> float:
    return load[1] + load[2]
