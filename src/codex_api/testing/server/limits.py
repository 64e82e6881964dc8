"""Limits that are enforced, and an account of what each request was charged.

Each model has a bucket of requests and one of tokens. A bucket holds a burst, starts full, and
fills by a minute's amount each minute. A request takes one request, and the tokens of its prompt
and its ``max_output_tokens``; once it is answered, the tokens that it really used take the place
of these. What is refused takes nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Cause = Literal["requests", "tokens", "too_large", "overload"]

_MINUTE = 60.0
# What is missing after a wait of exactly the time told must not be a rounding error.
_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of each model of a server; None is no limit.

    Attributes:
        requests_per_minute: Requests that a bucket gains each minute.
        tokens_per_minute: Tokens that a bucket gains each minute.
        burst_requests: Requests that a bucket holds; None is those of a minute.
        burst_tokens: Tokens that a bucket holds; None is those of a minute.
        concurrent: Responses of all models at the same time; one more is answered 503.

    Raises:
        ValueError: A limit is below 1.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    burst_requests: int | None = None
    burst_tokens: int | None = None
    concurrent: int | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value: int | None = getattr(self, name)
            if value is not None and value < 1:
                message = f"{name} must be at least 1, or None"
                raise ValueError(message)


@dataclass(slots=True)
class Charge:
    """One request in the account.

    Attributes:
        model: As the request names it.
        at: When it came, in seconds since the epoch.
        estimated: Tokens taken when it was let in.
        charged: Tokens taken by now; 0 where it was refused.
        refused: Why, or None.
        input_tokens: As told in the answer, or None where it told nothing (yet).
        output_tokens: Likewise.
    """

    model: str
    at: float
    estimated: int
    charged: int = 0
    refused: Cause | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    is_running: bool = field(default=False, repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let in.

    Attributes:
        limit: The one that was passed.
        used: Of it by now.
        requested: By this request.
        wait: Seconds until it would be let in; None where waiting does not help.
    """

    cause: Cause
    limit: int
    used: int
    requested: int
    wait: float | None


class Bucket:
    """An amount that is taken from, and fills with time; it may be below nothing after a charge.

    Args:
        per_minute: What it gains.
        burst: What it holds; None is a minute's gain.
    """

    def __init__(self, per_minute: int, burst: int | None, clock: Callable[[], float]) -> None:
        self.per_minute: int = per_minute
        self.capacity: int = per_minute if burst is None else burst
        self._clock = clock
        self._level = float(self.capacity)
        self._at = clock()

    def level(self) -> float:
        """Return what is in it now."""
        now = self._clock()
        gained = max(0.0, now - self._at) * self.per_minute / _MINUTE
        self._level = min(float(self.capacity), self._level + gained)
        self._at = now
        return self._level

    def take(self, amount: float) -> None:
        """Take ``amount``, or give it back where it is below 0."""
        self._level = min(float(self.capacity), self.level() - amount)

    def wait(self, amount: float) -> float:
        """Return the seconds until ``amount`` is in it; 0 is now."""
        missing = amount - self.level()
        return 0.0 if missing <= _TINY else missing * _MINUTE / self.per_minute


class Ledger:
    """Lets requests in, and keeps account. To be used from one thread; `charges` from any."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits, self._clock = limits, clock
        self._charges: list[Charge] = []
        self._running = 0
        self._requests: defaultdict[str, Bucket | None] = defaultdict(
            lambda: self._bucket(limits.requests_per_minute, limits.burst_requests)
        )
        self._tokens: defaultdict[str, Bucket | None] = defaultdict(
            lambda: self._bucket(limits.tokens_per_minute, limits.burst_tokens)
        )

    @property
    def charges(self) -> list[Charge]:
        """The account so far, in the order in which requests came."""
        return list(self._charges)

    def admit(self, model: str, tokens: int) -> tuple[Charge, Refusal | None]:
        """Charge a request of ``tokens``, or say why not; whoever was let in has to `settle`."""
        charge = Charge(model, self._clock(), tokens)
        self._charges.append(charge)
        refusal = self._refusal(model, tokens)
        if refusal is not None:
            charge.refused = refusal.cause
            return charge, refusal
        for bucket, amount in ((self._requests[model], 1), (self._tokens[model], tokens)):
            if bucket is not None:
                bucket.take(amount)
        charge.charged, charge.is_running = tokens, True
        self._running += 1
        return charge, None

    def settle(self, charge: Charge, input_tokens: int | None, output_tokens: int | None) -> None:
        """Correct a charge to what was used, once; None leaves the estimate."""
        if not charge.is_running:
            return
        charge.is_running = False
        self._running -= 1
        charge.input_tokens, charge.output_tokens = input_tokens, output_tokens
        if input_tokens is None or output_tokens is None:
            return
        used = input_tokens + output_tokens
        bucket = self._tokens[charge.model]
        if bucket is not None:
            bucket.take(used - charge.charged)
        charge.charged = used

    def headers(self, model: str) -> dict[str, str]:
        """Return the ``x-ratelimit-*`` headers as the buckets are now."""
        told: dict[str, str] = {}
        for noun, bucket in (("requests", self._requests[model]), ("tokens", self._tokens[model])):
            if bucket is not None:
                told[f"x-ratelimit-limit-{noun}"] = str(bucket.per_minute)
                told[f"x-ratelimit-remaining-{noun}"] = str(max(0, int(bucket.level() + _TINY)))
                told[f"x-ratelimit-reset-{noun}"] = duration(bucket.wait(bucket.capacity))
        return told

    def _bucket(self, per_minute: int | None, burst: int | None) -> Bucket | None:
        return None if per_minute is None else Bucket(per_minute, burst, self._clock)

    def _refusal(self, model: str, tokens: int) -> Refusal | None:
        most = self._limits.concurrent
        if most is not None and self._running >= most:
            return Refusal("overload", most, self._running, 1, 1.0)
        requests, room = self._requests[model], self._tokens[model]
        if room is not None and tokens > room.capacity:
            return Refusal("too_large", room.capacity, 0, tokens, None)
        waits: list[tuple[float, Cause, Bucket, int]] = []
        if requests is not None:
            waits.append((requests.wait(1), "requests", requests, 1))
        if room is not None:
            waits.append((room.wait(tokens), "tokens", room, tokens))
        if not waits:
            return None
        wait, cause, bucket, amount = max(waits, key=lambda each: each[0])
        if not wait:
            return None
        used = bucket.capacity - math.floor(bucket.level() + _TINY)
        return Refusal(cause, bucket.per_minute, used, amount, wait)


def duration(seconds: float) -> str:
    """Write a time as the public API does: ``12ms``, ``1.5s``, ``6m0s``; rounded up to a ms."""
    millis = math.ceil(round(seconds * 1000, 6))
    if millis < 1000:  # noqa: PLR2004 - a second
        return f"{millis}ms"
    minutes, rest = divmod(millis, 60_000)
    text = f"{rest / 1000:g}s"
    return f"{minutes}m{text}" if minutes else text
