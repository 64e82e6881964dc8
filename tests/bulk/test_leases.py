"""One budget for several processes: lending in groups, silence, and a new owner."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from codex_api import bulk
from codex_api.bulk import Grant
from codex_api.bulk.leases import BudgetOwner, LeasedBudget, Report, pack, unpack
from codex_api.bulk.load import Load
from codex_api.rate_limits import ApiRateLimit, ApiRateLimits
from tests.bulk.row_server import RowServer, limited
from tests.bulk.rows import body_of, client_of

if TYPE_CHECKING:
    from codex_api.bulk.leases import Lease

ONE = Load(1, 10, 10)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [0.0]
    monkeypatch.setattr("codex_api.bulk.leases.time.monotonic", lambda: clock[0])
    return clock


def test_fewer_grants_than_were_asked_for_are_lent_at_once(now: list[float]) -> None:
    owner = BudgetOwner(max_in_flight=5)
    now[0] = 10.0
    got = 0
    for _ in range(100):
        lease = owner.exchange("a", "", [], 8, ONE)
        got += len(lease.grants)
        assert len(lease.grants) < 8
        now[0] += max(lease.delay, 0.001)

    assert got == owner.in_flight == 5


def test_what_a_silent_holder_has_comes_back(now: list[float]) -> None:
    owner = BudgetOwner(max_in_flight=1, lease_seconds=20)
    first = owner.exchange("a", "", [], 1, ONE)
    now[0] = 10.0
    owner.exchange("a", first.epoch, [], 0, ONE)
    now[0] = 29.0
    assert owner.exchange("b", "", [], 1, ONE).limit == "in flight"
    now[0] = 31.0

    assert len(owner.exchange("b", "", [], 1, ONE).grants) == 1
    # What the silent one says after all changes nothing.
    owner.exchange("a", first.epoch, [Report(first.grants[0].number, "lost")], 0, ONE)
    assert owner.in_flight == 1


def test_reports_of_another_owner_are_not_taken_for_ones_own(now: list[float]) -> None:
    now[0] = 1.0
    owner = BudgetOwner()
    lease = owner.exchange("a", "", [], 1, ONE)
    owner.exchange("a", "another", [Report(lease.grants[0].number, "lost")], 0, ONE)

    assert owner.in_flight == 1


def test_a_lease_is_the_same_when_it_went_as_bytes(now: list[float]) -> None:
    limits = ApiRateLimits(ApiRateLimit(1000, 900, 1.5), ApiRateLimit(10_000, 9_000, 2.0))
    plain, packed = BudgetOwner(max_in_flight=5), BudgetOwner(max_in_flight=5)
    packed._epoch = plain._epoch
    now[0] = 1.0
    told: list[Report] = []
    for _ in range(4):
        lease = plain.exchange("a", plain._epoch, told, 3, ONE)
        same = unpack(packed.exchange_packed(pack("a", plain._epoch, told, 3, ONE)))
        assert same == lease
        told = [Report(grant.number, "seen", limits) for grant in lease.grants]
        now[0] += 1.0

    large = unpack(packed.exchange_packed(pack("a", "", [], 1, Load(1, 20_000))))
    assert large.too_large is not None
    assert large.grants == []


@pytest.mark.anyio
async def test_of_answers_to_requests_of_one_moment_one_tells_the_limits() -> None:
    owner = BudgetOwner()
    told: list[Report] = []

    async def exchange(
        holder: str, epoch: str, reports: list[Report], wanted: int, load: Load
    ) -> Lease:
        told.extend(reports)
        return owner.exchange(holder, epoch, reports, wanted, load)

    limits = ApiRateLimits(ApiRateLimit(1000, 900, 1.5))
    budget = LeasedBudget(exchange)
    for number, at in enumerate((9e3, 9e3 + 0.001, 9e3 + 0.02, 9e3 + 0.005, 1.0)):
        budget.seen(Grant(number, at, ONE, ONE), limits, 1e9)
    await budget.give_back()

    assert [report.limits is not None for report in told] == [True, False, True, False, True]


@pytest.mark.anyio
async def test_a_new_owner_takes_over_in_the_middle_of_a_run() -> None:
    owners = [BudgetOwner(max_in_flight=10)]

    async def exchange(*given: object) -> Lease:
        await asyncio.sleep(0.001)
        if not owners:
            message = "it is being started again"
            raise ConnectionError(message)
        return owners[-1].exchange(*given)  # type: ignore[arg-type]

    with RowServer(limited(60_000, 1_000)) as server:
        async with client_of(server.url) as client:
            rows = [(f"id-{row}", body_of(row)) for row in range(200)]
            budget = LeasedBudget(exchange, max_in_flight=10)
            count = 0
            async for result in bulk.run(client, rows, budget=budget):
                count += result.error is None
                if count == 50:
                    owners.clear()
                    asyncio.get_running_loop().call_later(
                        0.05, lambda: owners.append(BudgetOwner(max_in_flight=10))
                    )
            await budget.give_back()

    assert count == 200
    assert set(server.charged.values()) == {1}
    assert owners[0].in_flight == 0


@pytest.mark.anyio
async def test_two_runs_share_one_budget_without_refusals() -> None:
    owner = BudgetOwner(max_in_flight=40)
    calls = 0

    async def exchange(*given: object) -> Lease:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.001)
        return owner.exchange(*given)  # type: ignore[arg-type]

    with RowServer(limited(12_000, 50)) as server:
        async with client_of(server.url) as client:

            async def one(name: str) -> int:
                rows = [(f"{name}-{row}", body_of(f"{name}-{row}")) for row in range(200)]
                budget = LeasedBudget(exchange, max_in_flight=20)
                run = bulk.run(client, rows, budget=budget)
                count = sum([result.error is None async for result in run])
                await budget.give_back()
                return count

            counts = await asyncio.gather(one("a"), one("b"))

    assert list(counts) == [200, 200]
    assert server.refused < 20
    assert owner.in_flight == 0
    assert calls < 800  # two for a row at the most: most ask when the next grants are due
