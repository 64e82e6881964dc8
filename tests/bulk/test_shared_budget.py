"""Several holders of one budget on one account, in virtual time."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from codex_api.bulk import Grant, RateBudget, TooLarge, Wait
from codex_api.bulk.leases import BudgetOwner, LeasedBudget
from codex_api.bulk.load import Load
from tests.bulk.simulation import Bucket, Simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from typing import Any

    from codex_api.bulk.leases import Lease
    from codex_api.rate_limits import ApiRateLimits

MESSAGE_SECONDS = 0.004
NO_LOAD = Load()


class _OnItsWay:
    """A message to the owner, which the simulation carries."""

    def __await__(self) -> Generator[_OnItsWay]:
        yield self


class _Holder(LeasedBudget):
    """Speaks with its owner through a simulation and not through a loop."""

    def __init__(self, shared: Shared, max_in_flight: int) -> None:
        async def exchange(*given: Any) -> Lease:
            await _OnItsWay()
            return shared.owner.exchange(*given)

        super().__init__(exchange, max_in_flight=max_in_flight)
        self.shared = shared
        self.taken = 0
        self.talk: Coroutine[Any, Any, None] | None = None

    def _speak(self, now: float, wanted: int, load: Load = NO_LOAD) -> None:
        if self.talk is not None:
            return
        self._spoke = now
        self.talk = self._talk(wanted, load)
        self.talk.send(None)
        self.shared.exchanges += 1
        assert self.shared.simulation is not None
        self.shared.simulation.at(now + MESSAGE_SECONDS, self.hear)

    def hear(self) -> None:
        assert self.talk is not None
        talk, self.talk = self.talk, None
        with pytest.raises(StopIteration):
            talk.send(None)


class Shared(RateBudget):
    """Stands for processes that each send what they may."""

    def __init__(self, holders: int, max_in_flight: int) -> None:
        super().__init__(max_in_flight=max_in_flight)
        self.owner = BudgetOwner(max_in_flight=max_in_flight)
        self.simulation: Simulation | None = None
        self.exchanges = 0
        self.holders = [_Holder(self, max_in_flight // holders) for _ in range(holders)]
        self.turn = itertools.cycle(self.holders)
        self.of: dict[int, _Holder] = {}

    @property
    def in_flight(self) -> int:
        return sum(holder.in_flight for holder in self.holders)

    def ask(
        self, now: float, requests: float = 1, tokens: float = 0, *, output_tokens: float = 0
    ) -> Grant | Wait | TooLarge:
        delays: list[float] = []
        for holder, _ in zip(self.turn, self.holders, strict=False):
            answer = holder.ask(now, requests, tokens, output_tokens=output_tokens)
            if isinstance(answer, Grant):
                holder.taken += 1
                self.of[answer.number] = holder
                return answer
            assert isinstance(answer, Wait)
            delays.append(answer.delay)
        return Wait(min(delays), "all wait")

    def seen(self, grant: Grant, limits: ApiRateLimits | None, now: float) -> None:
        self.of.pop(grant.number).seen(grant, limits, now)

    def refused(self, grant: Grant, limits: ApiRateLimits | None, now: float, **more: Any) -> None:
        self.of.pop(grant.number).refused(grant, limits, now, **more)


def tokens_bind(budget: RateBudget) -> Simulation:
    return Simulation(budget, requests=Bucket(12_000), tokens=Bucket(3_500_000), seconds=90)


def requests_bind(budget: RateBudget) -> Simulation:
    return Simulation(budget, requests=Bucket(2_700), tokens=Bucket(30_000_000), seconds=90)


def another_tenant(budget: RateBudget) -> Simulation:
    simulation = tokens_bind(budget)
    simulation.other = 0.6
    simulation.at(0.0, simulation.other_tenant)
    return simulation


@pytest.mark.parametrize("scenario", [tokens_bind, requests_bind, another_tenant])
def test_holders_use_up_the_limits_without_refusals_and_in_equal_parts(
    scenario: Callable[[RateBudget], Simulation], monkeypatch: pytest.MonkeyPatch
) -> None:
    random.seed(7)
    shared = Shared(5, 1000)
    simulation = shared.simulation = scenario(shared)
    monkeypatch.setattr("codex_api.bulk.leases.time.monotonic", lambda: 100.0 + simulation.now)
    outcome = simulation.run()

    assert outcome.refused == 0
    assert outcome.share >= 0.95
    taken = [holder.taken for holder in shared.holders]
    assert min(taken) > 0.75 * max(taken)
    assert shared.exchanges < 40 * 5 * simulation.seconds
