"""One budget for several processes: lending in groups, silence, and a new owner."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from codex_api import bulk
from codex_api.bulk import Grant, TooLarge, Wait
from codex_api.bulk.leases import BudgetOwner, Lease, LeasedBudget, Report, pack, unpack
from codex_api.bulk.load import Load
from codex_api.rate_limits import ApiRateLimit, ApiRateLimits
from tests.bulk.row_server import RowServer, limited
from tests.bulk.rows import body_of, client_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Exchange = Callable[[str, str, list[Report], int, Load], Awaitable[Lease]]

ONE = Load(1, 10, 10)
PLENTY = ApiRateLimit(10**9, 10**9, 0.0)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [0.0]
    monkeypatch.setattr("codex_api.bulk.leases.time.monotonic", lambda: clock[0])
    return clock


def owner_of(limits: ApiRateLimits, max_in_flight: int = 2000) -> BudgetOwner:
    """Make an owner that knows limits already."""
    owner = BudgetOwner(max_in_flight=max_in_flight)
    owner.exchange("test", "", [Report(0, "seen", limits)], 0, ONE)
    return owner


def as_bytes(owner: BudgetOwner, leases: list[Lease]) -> Exchange:
    """Exchange as Ray does, and keep what was lent."""

    async def exchange(
        holder: str, epoch: str, reports: list[Report], wanted: int, load: Load
    ) -> Lease:
        data = owner.exchange_packed(pack(holder, epoch, reports, wanted, load))
        leases.append(unpack(data))
        return leases[-1]

    return exchange


async def turns() -> None:
    """Let an exchange that was begun come to its end."""
    for _ in range(5):
        await asyncio.sleep(0)


async def granted(budget: LeasedBudget, now: list[float], tokens: float = 20) -> Grant | TooLarge:
    """Ask each hundredth of a second until there is an answer."""
    for _ in range(20_000):
        answer = budget.ask(now[0], 1, tokens)
        if not isinstance(answer, Wait):
            return answer
        await turns()
        now[0] += 0.01
    raise AssertionError("it waits for ever")


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

    # Most tell no limits, and go as numbers.
    told = [Report(grant.number, "seen") for grant in lease.grants]
    plain.exchange("a", plain._epoch, told, 0, ONE)
    packed.exchange_packed(pack("a", plain._epoch, told, 0, ONE))
    assert packed.in_flight == plain.in_flight
    large = unpack(packed.exchange_packed(pack("a", "", [], 1, Load(1, 20_000))))
    assert large.too_large is not None
    assert large.grants == []


def test_numbers_of_grants_of_another_owner_or_holder_mean_nothing(now: list[float]) -> None:
    now[0] = 1.0
    owner = BudgetOwner()
    number = owner.exchange("a", "", [], 1, ONE).grants[0].number
    for holder, epoch in (("a", "another"), ("b", owner._epoch)):
        owner.exchange_packed(pack(holder, epoch, [Report(number, "seen")], 0, ONE))
    assert owner.in_flight == 1
    owner.exchange_packed(pack("a", owner._epoch, [Report(number, "seen")], 0, ONE))

    assert owner.in_flight == 0


def test_the_more_holders_there_are_the_less_often_each_of_them_asks(now: list[float]) -> None:
    now[0] = 1.0
    owner = BudgetOwner(max_in_flight=1)
    delays = [owner.exchange(str(name), "", [], 2, ONE).delay for name in range(100)]

    assert delays[1] < 0.1
    assert delays[-1] >= 0.2


@pytest.mark.anyio
async def test_a_run_of_thousands_of_rows_a_second_asks_some_times_a_second(
    now: list[float],
) -> None:
    leases: list[Lease] = []
    now[0] = 10.0
    owner = owner_of(ApiRateLimits(PLENTY, PLENTY))
    budget = LeasedBudget(as_bytes(owner, leases), max_in_flight=500)
    flying: list[Grant] = []
    least = 500
    for step in range(2000):
        while isinstance(grant := budget.ask(now[0], 1, 10, output_tokens=10), Grant):
            flying.append(grant)
        if step > 200:
            least = min(least, len(flying))
        await turns()
        now[0] += 0.001
        for done in flying[:4]:
            budget.seen(done, None, now[0])
        del flying[:4]

    assert len(leases) < 70
    # It asks before it has none left.
    assert least == 500
    assert owner.in_flight <= 750
    for left in flying:
        budget.lost(left)
    await budget.give_back()
    assert owner.in_flight == 0


@pytest.mark.anyio
async def test_grants_are_kept_ready_only_for_calls_that_end_soon(now: list[float]) -> None:
    now[0] = 10.0
    owner = owner_of(ApiRateLimits(PLENTY, PLENTY))
    budget = LeasedBudget(as_bytes(owner, []), max_in_flight=100)
    for _ in range(300):
        while isinstance(budget.ask(now[0], 1, 20), Grant):
            pass
        await turns()
        now[0] += 0.01

    assert budget.in_flight == owner.in_flight == 100


@pytest.mark.anyio
async def test_an_owner_that_has_no_more_is_given_time_to_gather() -> None:
    calls = 0

    async def exchange(*_: object) -> Lease:
        nonlocal calls
        calls += 1
        return Lease("x", [], 0.001, "tokens")

    budget = LeasedBudget(exchange)
    asked: list[int] = []
    for now in (10.0, 10.01, 10.02, 10.04):
        assert isinstance(budget.ask(now, 1, 20), Wait)
        await turns()
        asked.append(calls)

    assert asked == [1, 1, 1, 2]


@pytest.mark.anyio
async def test_rows_of_different_sizes_use_no_more_than_was_lent(now: list[float]) -> None:
    leases: list[Lease] = []
    now[0] = 10.0
    owner = owner_of(ApiRateLimits(PLENTY, PLENTY))
    budget = LeasedBudget(as_bytes(owner, leases), max_in_flight=200)
    sizes = [20.0, 20.0, 130.0, 20.0, 5.0, 900.0, 40.0] * 100
    for size in sizes:
        grant = await granted(budget, now, size)
        assert isinstance(grant, Grant)
        budget.seen(grant, None, now[0])
    left = sum(grant.load.input_tokens for grant in budget._grants)
    used = sum(grant.load.input_tokens for lease in leases for grant in lease.grants) - left

    largest = max(grant.load.input_tokens for lease in leases for grant in lease.grants)
    assert used >= sum(sizes) - largest
    assert used <= 1.5 * sum(sizes)
    await budget.give_back()
    assert owner.in_flight == 0


@pytest.mark.anyio
@pytest.mark.parametrize("size", [600.0, 6000.0])
async def test_a_row_that_no_limit_admits_is_found_among_small_ones(
    now: list[float], size: float
) -> None:
    now[0] = 10.0
    owner = owner_of(ApiRateLimits(None, ApiRateLimit(550, 550, 0.0)))
    budget = LeasedBudget(as_bytes(owner, []), max_in_flight=20)
    for _ in range(20):
        grant = await granted(budget, now, 80)
        assert isinstance(grant, Grant)
        budget.seen(grant, None, now[0])
    answer = await granted(budget, now, size)
    if isinstance(answer, Grant):
        # As large as some small ones together: the server refuses it.
        budget.refused(answer, None, now[0], limit="tokens")
        answer = await granted(budget, now, size)

    assert answer == TooLarge("tokens", 550, size)
    assert isinstance(await granted(budget, now, 80), Grant)


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
