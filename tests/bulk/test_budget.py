"""The budget in the scenarios of a bulk run, each in virtual time, with the bounds that users get.

A share is what was admitted of what the limits could admit, the full bucket of the start included.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from codex_api.bulk import Grant, RateBudget, TooLarge, Wait
from codex_api.rate_limits import ApiRateLimit, ApiRateLimits
from tests.bulk.simulation import Bucket, Row, Simulation

if TYPE_CHECKING:
    from collections.abc import Callable


def requests() -> Bucket:
    return Bucket(12_000)


def tokens() -> Bucket:
    return Bucket(3_500_000)


def halve(simulation: Simulation) -> None:
    for bucket in (simulation.requests, simulation.tokens):
        bucket.flow(simulation.now)
        bucket.limit /= 2
        bucket.level = min(bucket.level, bucket.limit)


def s1(budget: RateBudget) -> Simulation:
    return Simulation(budget, requests=requests(), tokens=tokens())


def s2(budget: RateBudget) -> Simulation:
    return Simulation(budget, requests=Bucket(2_700), tokens=Bucket(30_000_000))


def s3(budget: RateBudget) -> Simulation:
    return Simulation(budget, requests=requests(), tokens=tokens(), other_share=0.6)


def s4(budget: RateBudget) -> Simulation:
    return Simulation(budget, requests=requests(), tokens=tokens(), tells=False)


def s5(budget: RateBudget) -> Simulation:
    return Simulation(
        budget,
        requests=Bucket(200, 1, told_seconds=60),
        tokens=Bucket(58_333, 1, told_seconds=60),
    )


def s6(budget: RateBudget) -> Simulation:
    return Simulation(
        budget, requests=requests(), tokens=tokens(), charges_at_end=True, known_output=False
    )


def s7(budget: RateBudget) -> Simulation:
    return Simulation(
        budget, requests=requests(), tokens=tokens(), seconds=300, events=((150.0, halve),)
    )


SCENARIOS: dict[str, Callable[[RateBudget], Simulation]] = {
    "S1 tokens bind": s1,
    "S2 requests bind": s2,
    "S3 another tenant takes 60 %": s3,
    "S4 the server tells no limits": s4,
    "S5 limits of a minute are enforced each second": s5,
    "S6 output is charged at the end": s6,
    "S7 the limits are halved": s7,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_limits_are_used_and_hardly_ever_run_into(name: str) -> None:
    outcome = SCENARIOS[name](RateBudget()).run()

    assert outcome.share >= 0.95
    assert outcome.refusals < 0.1


def test_s8_an_overloaded_server_is_kept_as_busy_as_the_best_fixed_number_would() -> None:
    def overloaded(budget: RateBudget) -> Simulation:
        return Simulation(
            budget, requests=requests(), tokens=Bucket(30_000_000), most_at_once=120, tells=False
        )

    best = overloaded(RateBudget(max_in_flight=120)).run()
    outcome = overloaded(RateBudget()).run()

    assert outcome.finished >= 0.9 * best.finished
    assert outcome.overloaded < 0.1 * outcome.finished


def test_limits_that_are_told_for_each_second_are_used_after_a_slower_start() -> None:
    outcome = Simulation(
        RateBudget(), requests=Bucket(200, 1), tokens=Bucket(58_333, 1), seconds=300
    ).run()

    assert outcome.share >= 0.95
    assert outcome.refusals < 0.1


def test_a_count_that_starts_anew_each_minute_is_used_up_each_time() -> None:
    counted = Bucket(3_500_000, 60, is_window=True)
    outcome = Simulation(RateBudget(), requests=requests(), tokens=counted, seconds=300).run()

    assert counted.admitted >= 0.95 * 5 * counted.limit
    assert outcome.refusals < 0.1


@pytest.mark.parametrize("asked", [None, 0.0, 0.02, 86_400.0])
def test_what_a_refusal_asks_for_does_not_decide_the_pace(asked: float | None) -> None:
    outcome = Simulation(
        RateBudget(), requests=requests(), tokens=tokens(), retry_after=lambda _: asked
    ).run()

    assert outcome.share >= 0.95
    assert outcome.refusals < 0.1


def test_half_a_share_takes_half_of_the_limits() -> None:
    outcome = s1(RateBudget(0.5)).run()

    assert 0.45 < outcome.share < 0.55


def test_max_output_that_is_charged_less_by_the_server_is_found_out() -> None:
    outcome = Simulation(
        RateBudget(), requests=requests(), tokens=tokens(), charges_at_end=True
    ).run()

    assert outcome.share >= 0.95


def limits(limit: int, remaining: int, reset: float) -> ApiRateLimits:
    return ApiRateLimits(tokens=ApiRateLimit(limit, remaining, reset))


def granted(answer: Grant | Wait | TooLarge) -> Grant:
    assert isinstance(answer, Grant)
    return answer


def test_a_request_larger_than_a_limit_never_fits() -> None:
    budget = RateBudget()
    budget.seen(granted(budget.ask(0.0, tokens=10)), limits(1_000, 990, 0.6), 1.0)

    assert budget.ask(2.0, tokens=600, output_tokens=600) == TooLarge("tokens", 1_000, 1_200)


def test_a_request_as_large_as_the_bucket_goes_when_it_is_full() -> None:
    budget = RateBudget()
    budget.seen(granted(budget.ask(0.0, tokens=10)), limits(1_000, 990, 0.6), 1.0)

    assert isinstance(budget.ask(60.0, tokens=1_000), Grant)


def test_a_day_that_is_used_up_binds_and_is_waited_for() -> None:
    budget = RateBudget()
    grant = granted(budget.ask(0.0, tokens=10))
    day = ApiRateLimits(
        ApiRateLimit(600, 599, 0.1), None, {"requests-day": ApiRateLimit(1_000, 0, 86_400.0)}
    )
    budget.refused(grant, day, 0.1, retry_after=86_400.0, limit="day")

    answer = budget.ask(61.0, tokens=10)

    assert isinstance(answer, Wait)
    assert answer.limit == "requests-day"
    assert isinstance(budget.ask(300.0, tokens=10), Grant)


def test_only_the_first_refusal_of_an_episode_makes_a_pause() -> None:
    budget = RateBudget()
    grants = [granted(budget.ask(at, tokens=1)) for at in (0.0, 0.1, 0.2)]
    budget.refused(grants[0], None, 1.0, retry_after=2.0)
    budget.refused(grants[1], None, 2.0, retry_after=2.0)
    budget.refused(grants[2], None, 2.9, retry_after=60.0)

    answer = budget.ask(3.1, tokens=1)

    assert isinstance(answer, Grant) or answer.limit != "pause"


def test_a_clock_that_jumps_back_stops_nothing_for_long() -> None:
    budget = RateBudget()
    budget.seen(granted(budget.ask(1_000.0, tokens=10)), limits(60_000, 59_000, 1.0), 1_001.0)
    answer = budget.ask(10.0, tokens=10)

    assert isinstance(answer, Grant | Wait)
    assert isinstance(answer, Grant) or answer.delay <= 1


def test_a_clock_that_jumps_ahead_saves_up_no_more_than_the_bucket_holds() -> None:
    budget = RateBudget()
    budget.seen(granted(budget.ask(0.0, tokens=10)), limits(6_000, 5_990, 0.1), 0.1)
    now, sent = 3_600.0, 0
    while now < 3_601.0:
        answer = budget.ask(now, tokens=100)
        if isinstance(answer, Grant):
            sent += 100
        else:
            assert isinstance(answer, Wait)
            now += answer.delay

    assert sent <= 6_000 + 100


def test_rows_that_take_two_minutes_hold_up_no_others() -> None:
    class Tailed(Simulation):
        def new_row(self) -> Row:
            row = super().new_row()
            return row._replace(seconds=110.0) if self.random.random() < 0.02 else row

    outcome = Tailed(RateBudget(), requests=requests(), tokens=tokens()).run()

    assert outcome.share >= 0.95
    assert outcome.refusals < 0.1


@pytest.mark.parametrize(
    "told",
    [
        ApiRateLimit(-5, -5, -5.0),
        ApiRateLimit(0, 0, 0.0),
        ApiRateLimit(None, 5, None),
        ApiRateLimit(100, None, None),
        ApiRateLimit(100, 10**15, 1e12),
        ApiRateLimit(100, 0, math.inf),
    ],
)
def test_headers_that_lie_do_not_stop_a_run(told: ApiRateLimit) -> None:
    budget = RateBudget()
    now, grants = 0.0, 0
    while now < 300:
        answer = budget.ask(now, tokens=1)
        assert not isinstance(answer, TooLarge)
        if isinstance(answer, Grant):
            grants += 1
            budget.seen(answer, ApiRateLimits(told, told), now + 0.01)
            now += 0.01
        else:
            now += answer.delay

    assert grants > 10


def test_what_is_lost_is_no_longer_in_flight() -> None:
    budget = RateBudget(max_in_flight=1)
    grant = granted(budget.ask(0.0))

    assert isinstance(budget.ask(1.0), Wait)

    budget.lost(grant)

    assert isinstance(budget.ask(2.0), Grant)


def test_a_wall_of_503_lengthens_the_pause_and_ends_with_the_first_answer() -> None:
    budget = RateBudget()
    now = 0.0
    pauses = []
    for _ in range(6):
        while not isinstance(answer := budget.ask(now), Grant):
            assert isinstance(answer, Wait)
            now += answer.delay
        budget.overloaded(answer, now)
        waited = budget.ask(now)
        assert isinstance(waited, Wait)
        pauses.append(waited.delay)

    assert pauses == sorted(pauses)
    assert pauses[-1] > 10 * pauses[0]


@pytest.mark.parametrize(("share", "most"), [(0.0, 1), (1.1, 1), (0.5, 0)])
def test_settings_out_of_range_are_refused(share: float, most: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        RateBudget(share, max_in_flight=most)
