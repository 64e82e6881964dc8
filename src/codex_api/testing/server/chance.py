"""Answers to requests that nobody scripted: faults that strike by seed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codex_api.testing.faults import TERMINAL_TYPES
from codex_api.testing.scenarios import Scenario
from codex_api.testing.steps import Event, Pause

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from codex_api.testing.fault_names import NamedFault
    from codex_api.testing.server.generation import Generation
    from codex_api.testing.wire import JsonObject


class Chance:
    """Throws the dice for each response; the same seed gives the same row of scenarios.

    Args:
        faults: What may go wrong.
        dice: With a seed, where the row is to be repeated.
    """

    def __init__(self, faults: Sequence[NamedFault], dice: random.Random) -> None:
        self._faults, self._dice = faults, dice

    def scenario(self, endpoint: str) -> Scenario:
        """Return the scenario of the next request to ``endpoint``."""
        if endpoint != "responses":
            return Scenario()
        struck = [each.fault for each in self._faults if each.strikes(self._dice)]
        return Scenario(faults=tuple(struck))


async def timely_response(generation: Generation, scenario: Scenario) -> JsonObject:
    """Make a response to its end in the time that its events would take, as one object."""
    final = generation.response
    for step in generation.steps(scenario):
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Event) and step.payload.get("type") in TERMINAL_TYPES:
            final = step.payload["response"]
    return final
