"""How long a model takes, by seed."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codex_api.testing.server.tokens import count_tokens
from codex_api.testing.steps import Event, Pause, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codex_api.testing.steps import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """A distribution of how long responses take.

    Attributes:
        first_event: Median of the seconds before the first event.
        tokens_per_second: Median of the pace of texts and arguments; None does not wait.
        spread: Standard deviation of the logarithm of both: 0 is always the median, 0.7 is twice or
            half of it for one response in six each, 1 has a long tail.
        seed: The same gives the same times to the same row of requests.

    Raises:
        ValueError: A value is below 0, or the pace is not above 0.
    """

    first_event: float = 0.0
    tokens_per_second: float | None = None
    spread: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.first_event >= 0 and self.spread >= 0):
            message = "delays and their spread must not be below 0"
            raise ValueError(message)
        if self.tokens_per_second is not None and not self.tokens_per_second > 0:
            message = "tokens per second must be more than 0"
            raise ValueError(message)


class LatencyDice:
    """Throws the dice of a `Latency`, once for each response."""

    def __init__(self, latency: Latency) -> None:
        self._latency = latency
        self._dice = random.Random(latency.seed)  # noqa: S311 - to be repeated, not to be secret

    def throw(self) -> Fault:
        """Return the waits of the next response."""
        latency = self._latency
        first, pace = (math.exp(self._dice.gauss(0.0, latency.spread)) for _ in range(2))
        rate = latency.tokens_per_second
        return paced(latency.first_event * first, None if rate is None else rate * pace)


def paced(first_delay: float, tokens_per_second: float | None) -> Fault:
    """Wait before the first event, and before each delta as long as its tokens take."""

    def fault(steps: Iterable[Step]) -> Iterator[Step]:
        if first_delay:
            yield Pause(first_delay)
        for step in steps:
            if tokens_per_second and isinstance(step, Event):
                delta = step.payload.get("delta")
                if isinstance(delta, str) and delta:
                    yield Pause(max(1, count_tokens(delta)) / tokens_per_second)
            yield step

    return fault
