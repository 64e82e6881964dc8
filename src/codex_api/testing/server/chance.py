"""Answers to requests that nobody scripted: faults that strike by seed, and the pace of texts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codex_api.testing.faults import TERMINAL_TYPES
from codex_api.testing.scenarios import Scenario
from codex_api.testing.server.tokens import count_tokens
from codex_api.testing.steps import Event, Pause, Step

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence

    from codex_api.testing.fault_names import NamedFault
    from codex_api.testing.server.generation import Generation
    from codex_api.testing.steps import Fault
    from codex_api.testing.wire import JsonObject

_GENERATING = frozenset({"responses"})


class Chance:
    """Throws the dice for each response; the same seed gives the same row of scenarios.

    Args:
        faults: What may go wrong.
        dice: With a seed, where the row is to be repeated.
        first_delay: Seconds before the first event.
        tokens_per_second: Pace of text and arguments; None does not wait.

    Raises:
        ValueError: A delay is below 0, or a pace not above 0.
    """

    def __init__(
        self,
        faults: Sequence[NamedFault],
        dice: random.Random,
        *,
        first_delay: float = 0.0,
        tokens_per_second: float | None = None,
    ) -> None:
        if not first_delay >= 0:
            raise ValueError("the delay before the first token must not be below 0")
        if tokens_per_second is not None and not tokens_per_second > 0:
            raise ValueError("tokens per second must be more than 0")
        self._faults, self._dice = faults, dice
        self._first_delay, self._pace = first_delay, tokens_per_second

    def scenario(self, endpoint: str) -> Scenario:
        """Give the scenario of the next request to ``endpoint``."""
        if endpoint not in _GENERATING:
            return Scenario()
        struck = [each.fault for each in self._faults if each.strikes(self._dice)]
        if self._first_delay or self._pace:
            struck.insert(0, paced(self._first_delay, self._pace))
        return Scenario(faults=tuple(struck))


def paced(first_delay: float, tokens_per_second: float | None) -> Fault:
    """Wait before the first event, and after each delta as long as its tokens take."""

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


async def timely_response(generation: Generation, scenario: Scenario) -> JsonObject:
    """Make a response to its end in the time that its events would take, as one object."""
    final = generation.response
    for step in generation.steps(scenario):
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Event) and step.payload.get("type") in TERMINAL_TYPES:
            final = step.payload["response"]
    return final
