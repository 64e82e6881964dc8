"""A server with limits and a sender, in virtual time: nothing waits, all is drawn from one seed.

Latencies, sizes and limits are those of BULK's scenarios: a row costs some 1,300 tokens and takes
some six seconds, and the limits admit some 45 rows a second. Answers come whole, so what their
headers say of the limits is as old as the answer took.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from codex_api.bulk import Grant, RateBudget, TooLarge
from codex_api.rate_limits import ApiRateLimit, ApiRateLimits

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_OUTPUT = 600


class Row(NamedTuple):
    input_tokens: int
    output_tokens: int
    seconds: float


@dataclass
class Bucket:
    """A token bucket, or with ``is_window`` a counter that starts anew each ``seconds``."""

    limit: float
    seconds: float = 60.0
    is_window: bool = False
    told_seconds: float = 0.0
    level: float = field(init=False)
    at: float = 0.0
    admitted: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.limit

    @property
    def rate(self) -> float:
        return self.limit / self.seconds

    def flow(self, now: float) -> None:
        if self.is_window:
            if now // self.seconds > self.at // self.seconds:
                self.level = self.limit
        else:
            self.level = min(self.limit, self.level + self.rate * (now - self.at))
        self.at = now

    def told(self) -> ApiRateLimit:
        missing = max(0.0, self.limit - self.level)
        reset = missing / self.rate
        if self.is_window:
            reset = self.seconds - self.at % self.seconds
        factor = self.told_seconds / self.seconds if self.told_seconds else 1
        return ApiRateLimit(int(self.limit * factor), max(0, int(self.level)), round(reset, 3))

    def seconds_until(self, charge: float) -> float:
        return max(0.0, (charge - self.level) / self.rate)


@dataclass
class Outcome:
    finished: int
    refused: int
    overloaded: int
    share: float
    most_in_flight: int

    @property
    def refusals(self) -> float:
        return self.refused / max(1, self.finished)


class Simulation:
    """One server, one sender, and what happened.

    Args:
        requests: Limit of requests.
        tokens: Limit of tokens.
        seconds: For how long.
        tells: Whether answers tell the limits.
        charges_at_end: Whether output counts when it is there, by its real size; else by
            ``max_output_tokens`` when the request comes.
        most_at_once: More than that at once are turned away with 503; None takes all.
        other_share: Of the tokens, what another tenant takes.
        retry_after: What refusals ask for: makes it of the seconds until the row would fit.
        events: Called at their instants with the simulation.
    """

    def __init__(
        self,
        budget: RateBudget,
        *,
        requests: Bucket,
        tokens: Bucket,
        seconds: float = 150.0,
        tells: bool = True,
        charges_at_end: bool = False,
        most_at_once: int | None = None,
        other_share: float = 0.0,
        retry_after: Callable[[float], float | None] = lambda seconds: seconds,
        events: tuple[tuple[float, Callable[[Simulation], None]], ...] = (),
        known_output: bool = True,
        seed: int = 7,
    ) -> None:
        self.budget = budget
        self.requests, self.tokens = requests, tokens
        self.seconds = seconds
        self.tells = tells
        self.charges_at_end = charges_at_end
        self.most_at_once = most_at_once
        self.retry_after = retry_after
        self.known_output = known_output
        self.random = random.Random(seed)  # noqa: S311 - the same draws each time
        self.now = 0.0
        self.heap: list[tuple[float, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.retries: deque[Row] = deque()
        self.finished = self.refused = self.overloaded = self.at_once = self.most_in_flight = 0
        self.asking = False
        self.mean_output = 300.0
        self.admissible = min(tokens.level, 1e18)
        for at, event in events:
            self.at(at, lambda event=event: event(self))  # type: ignore[misc]
        if other_share:
            self.other = other_share
            self.at(0.0, self.other_tenant)

    def at(self, instant: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.heap, (instant, next(self.order), what))

    def run(self) -> Outcome:
        start = (self.requests.level, self.tokens.level)
        self.at(0.0, self.send)
        flowed = [0.0, 0.0]
        while self.heap and self.heap[0][0] <= self.seconds:
            instant, _, what = heapq.heappop(self.heap)
            flowed[0] += self.requests.rate * (instant - self.now)
            flowed[1] += self.tokens.rate * (instant - self.now)
            self.now = instant
            what()
        others = getattr(self, "taken_by_others", 0.0)
        ceiling = [start[0] + flowed[0], start[1] + flowed[1] - others]
        share = max(self.requests.admitted / ceiling[0], self.tokens.admitted / ceiling[1])
        return Outcome(self.finished, self.refused, self.overloaded, share, self.most_in_flight)

    def new_row(self) -> Row:
        draw = self.random
        output = min(MAX_OUTPUT, max(16, int(draw.lognormvariate(math.log(270), 0.45))))
        size = max(50, int(draw.lognormvariate(math.log(600), 0.5)))
        return Row(size, output, 0.4 + output / 50 * draw.uniform(0.7, 1.4))

    def send(self) -> None:
        self.asking = False
        while True:
            row = self.retries.popleft() if self.retries else self.new_row()
            output = MAX_OUTPUT if self.known_output else self.mean_output
            answer = self.budget.ask(self.now, tokens=row.input_tokens, output_tokens=output)
            if isinstance(answer, Grant):
                self.most_in_flight = max(self.most_in_flight, self.budget.in_flight)
                on_its_way = self.random.uniform(0.01, 0.05)
                self.at(
                    self.now + on_its_way,
                    lambda row=row, grant=answer: self.arrive(row, grant),  # type: ignore[misc]
                )
                continue
            assert not isinstance(answer, TooLarge)
            assert answer.delay > 0
            self.retries.appendleft(row)
            self.ask_again(answer.delay)
            return

    def ask_again(self, delay: float) -> None:
        if not self.asking:
            self.asking = True
            self.at(self.now + max(delay, 0.001), self.send)

    def arrive(self, row: Row, grant: Grant) -> None:
        back = self.now + self.random.uniform(0.01, 0.03)
        if self.most_at_once is not None and self.at_once >= self.most_at_once:
            self.at(back, lambda: self.turn_away(row, grant))
            return
        for bucket in (self.requests, self.tokens):
            bucket.flow(self.now)
        charge = row.input_tokens + (0 if self.charges_at_end else MAX_OUTPUT)
        missing = max(self.requests.seconds_until(1), self.tokens.seconds_until(charge))
        if missing > 0:
            limits = self.limits()
            self.at(back, lambda: self.refuse(row, grant, limits, missing))
            return
        self.charge(self.requests, 1)
        self.charge(self.tokens, charge)
        self.at_once += 1
        limits = self.limits()
        self.at(self.now + row.seconds, lambda: self.finish(row, grant, limits))

    def charge(self, bucket: Bucket, charge: float) -> None:
        bucket.level -= charge
        bucket.admitted += charge

    def limits(self) -> ApiRateLimits | None:
        if not self.tells:
            return None
        return ApiRateLimits(self.requests.told(), self.tokens.told())

    def finish(self, row: Row, grant: Grant, limits: ApiRateLimits | None) -> None:
        self.at_once -= 1
        if self.charges_at_end:
            self.tokens.flow(self.now)
            self.charge(self.tokens, row.output_tokens)
        self.finished += 1
        self.mean_output += 0.05 * (row.output_tokens - self.mean_output)
        self.budget.seen(grant, limits, self.now)

    def refuse(self, row: Row, grant: Grant, limits: ApiRateLimits | None, missing: float) -> None:
        self.refused += 1
        self.retries.appendleft(row)
        self.budget.refused(grant, limits, self.now, retry_after=self.retry_after(missing))

    def turn_away(self, row: Row, grant: Grant) -> None:
        self.overloaded += 1
        self.retries.appendleft(row)
        self.budget.overloaded(grant, self.now)

    def other_tenant(self) -> None:
        self.tokens.flow(self.now)
        taken = min(max(0.0, self.tokens.level), self.other * self.tokens.rate * 0.2)
        self.tokens.level -= taken
        self.taken_by_others = getattr(self, "taken_by_others", 0.0) + taken
        self.at(self.now + 0.2, self.other_tenant)
