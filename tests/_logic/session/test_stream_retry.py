from __future__ import annotations

from typing import Any

import pytest

from codex_api import errors
from codex_api._logic.session.stream_retry import (
    MAX_RECOVERIES,
    Again,
    Failure,
    GiveUp,
    Phase,
    RefreshFirst,
    RetryDecider,
    Step,
    lost_its_name,
)
from codex_api._logic.session.transport_choice import Signal
from codex_api.transport._core.retry import RetryConfig
from codex_api.transport.errors import HttpStatusError, WebSocketClosedError

CONNECT_FAILED = Again(signals=(Signal.CONNECT_FAILED,))
STREAMS_FAILED = Again(signals=(Signal.STREAMS_FAILED,))
FIRST_RETRY = Again(0.2, counted=True)


def decider(max_retries: int = 5) -> RetryDecider:
    return RetryDecider(RetryConfig(max_attempts=max_retries), lambda: 0.5)


def failure(phase: Phase, error: errors.CodexApiError, **facts: Any) -> Failure:
    facts.setdefault("cause", error)
    return Failure(phase=phase, error=error, **facts)


def refused(status: int, error: type[errors.ApiError], **facts: Any) -> Failure:
    cause = HttpStatusError("refused", status=status)
    return failure(Phase.CONNECT, error(status=status), cause=cause, **facts)


def closed(code: int | None, **facts: Any) -> Failure:
    cause = WebSocketClosedError("closed", code=code)
    return failure(Phase.WEBSOCKET, errors.StreamClosedError(), cause=cause, **facts)


@pytest.mark.parametrize(
    ("case", "step"),
    [
        pytest.param(
            refused(426, errors.UnexpectedStatusError),
            Again(signals=(Signal.UPGRADE_REFUSED,)),
            id="426-never-again",
        ),
        pytest.param(refused(404, errors.UnexpectedStatusError), CONNECT_FAILED, id="404-to-http"),
        pytest.param(refused(503, errors.UnexpectedStatusError), CONNECT_FAILED, id="503-to-http"),
        pytest.param(
            failure(Phase.CONNECT, errors.ConnectTimeoutError()), CONNECT_FAILED, id="unanswered"
        ),
        pytest.param(
            failure(Phase.CONNECT, errors.NetworkError()), CONNECT_FAILED, id="unreachable"
        ),
        pytest.param(
            refused(503, errors.UnexpectedStatusError, may_fall_back=False),
            FIRST_RETRY,
            id="503-when-only-websocket-will-do",
        ),
        pytest.param(
            refused(401, errors.AuthenticationError), CONNECT_FAILED, id="401-was-refreshed-below"
        ),
        pytest.param(
            refused(429, errors.UsageLimitReachedError), GiveUp(), id="429-usage-limit-is-final"
        ),
        pytest.param(
            failure(
                Phase.CONNECT,
                errors.RateLimitError(status=429, retryable=False),
                cause=HttpStatusError(status=429),
            ),
            GiveUp(),
            id="429-without-a-wait-is-final",
        ),
        pytest.param(
            failure(
                Phase.CONNECT,
                errors.RateLimitError(status=429, retry_after=3.0),
                cause=HttpStatusError(status=429),
            ),
            Again(3.0, counted=True),
            id="429-with-a-wait-waits",
        ),
        pytest.param(
            failure(Phase.CONNECT, errors.RequestBuildError("bad")), GiveUp(), id="never-sendable"
        ),
        pytest.param(closed(1001), FIRST_RETRY, id="going-away"),
        pytest.param(closed(None), FIRST_RETRY, id="lost"),
        pytest.param(closed(1008), STREAMS_FAILED, id="1008-to-http"),
        pytest.param(closed(1009), STREAMS_FAILED, id="1009-to-http"),
        pytest.param(closed(1001, was_reused=True), Again(), id="stale-socket"),
        pytest.param(
            closed(1001, was_reused=True, received=True), FIRST_RETRY, id="cut-when-reused"
        ),
        pytest.param(
            failure(
                Phase.WEBSOCKET, errors.RetryableError(code="websocket_connection_limit_reached")
            ),
            Again(),
            id="connection-limit",
        ),
        pytest.param(
            failure(
                Phase.WEBSOCKET,
                errors.InvalidRequestError(code="previous_response_not_found"),
                chained=True,
            ),
            Again(),
            id="lost-chain",
        ),
        pytest.param(
            failure(
                Phase.WEBSOCKET, errors.InvalidRequestError(code="previous_response_not_found")
            ),
            GiveUp(),
            id="the-callers-own-chain-is-lost",
        ),
        pytest.param(
            failure(Phase.WEBSOCKET, errors.AuthenticationError(status=401)),
            RefreshFirst(),
            id="401-on-an-open-socket",
        ),
        pytest.param(
            failure(Phase.HTTP, errors.AuthenticationError(status=401)),
            GiveUp(),
            id="401-over-http-was-refreshed-below",
        ),
        pytest.param(
            failure(Phase.WEBSOCKET, errors.IdleTimeoutError()), FIRST_RETRY, id="stalled"
        ),
        pytest.param(
            failure(Phase.WEBSOCKET, errors.RateLimitError(retry_after=1.2)),
            Again(1.2, counted=True),
            id="the-servers-delay-wins",
        ),
        pytest.param(
            failure(Phase.HTTP, errors.RateLimitError(retry_after=121.0)),
            GiveUp(),
            id="too-long-a-delay-is-final",
        ),
        pytest.param(
            failure(Phase.HTTP, errors.StreamClosedError()), FIRST_RETRY, id="cut-over-http"
        ),
        pytest.param(
            failure(Phase.HTTP, errors.ContextWindowExceededError()), GiveUp(), id="final"
        ),
    ],
)
def test_what_follows_a_first_failure(case: Failure, step: Step) -> None:
    found = decider().next_step(case)

    assert (type(found), found) == (type(step), step)


def test_retries_are_spaced_by_doubling() -> None:
    decide = decider()
    cut = failure(Phase.HTTP, errors.StreamClosedError())
    steps = [decide.next_step(cut) for _ in range(6)]

    assert steps == [
        *(Again(delay, counted=True) for delay in (0.2, 0.4, 0.8, 1.6, 3.2)),
        GiveUp(),
    ]


@pytest.mark.parametrize(("draw", "delay"), [(0.0, 0.18), (0.5, 0.2), (0.999, 0.219)])
def test_jitter_stays_within_a_tenth(draw: float, delay: float) -> None:
    decide = RetryDecider(RetryConfig(), lambda: draw)

    assert decide.next_step(closed(None)) == Again(delay, counted=True)


def test_http_gets_what_is_left_of_the_budget_when_the_websocket_used_it_up() -> None:
    decide = decider(max_retries=2)
    cut = closed(None, received=True)
    steps = [decide.next_step(cut) for _ in range(3)]
    over_http = failure(Phase.HTTP, errors.StreamClosedError())
    steps.append(decide.next_step(over_http))

    assert steps == [
        Again(0.2, counted=True),
        Again(0.4, counted=True),
        STREAMS_FAILED,
        GiveUp(),
    ]


def broken(sent: Any, **facts: Any) -> Failure:
    """What a WebSocket gives that was lost: only the error knows what had left."""
    case = closed(None, is_repeatable=False, **facts)
    case.error.sent = sent
    return case


@pytest.mark.parametrize(
    "case",
    [
        broken("maybe"),
        broken("begun", received=True),
        broken("maybe", was_reused=True),
    ],
)
def test_what_the_server_may_keep_is_asked_for_once_over_whatever_transport(case: Failure) -> None:
    assert decider().next_step(case) == GiveUp()


def test_what_never_left_is_asked_for_again_though_the_server_would_keep_it() -> None:
    assert decider().next_step(broken("no")) == FIRST_RETRY


@pytest.mark.parametrize(
    "error", [errors.RateLimitError(retry_after=121.0), errors.RetryableError(retry_after=121.0)]
)
def test_a_wait_that_is_too_long_does_not_end_in_a_request_over_http(
    error: errors.ApiError,
) -> None:
    assert decider().next_step(failure(Phase.WEBSOCKET, error)) == GiveUp()


def test_http_is_not_asked_where_the_websocket_was_told_of_a_limit_to_the_last() -> None:
    decide = decider(max_retries=1)
    limited = failure(Phase.WEBSOCKET, errors.RateLimitError())

    assert [decide.next_step(limited) for _ in range(2)] == [FIRST_RETRY, GiveUp()]


def test_backoff_has_a_ceiling() -> None:
    decide = RetryDecider(RetryConfig(max_attempts=20, max_delay=5.0), lambda: 0.5)
    cut = failure(Phase.HTTP, errors.StreamClosedError())

    waits = [decide.next_step(cut) for _ in range(20)]

    assert waits[-1] == Again(5.0, counted=True)


def test_a_delay_of_the_server_is_ignored_where_none_is_honoured() -> None:
    decide = RetryDecider(RetryConfig(max_retry_after=0), lambda: 0.5)
    limited = failure(Phase.HTTP, errors.RateLimitError(retry_after=50.0))

    assert decide.next_step(limited) == FIRST_RETRY


@pytest.mark.parametrize(
    ("case", "step"),
    [
        (closed(1009), STREAMS_FAILED),
        (closed(None, is_huge=True), STREAMS_FAILED),
        (closed(None, is_huge=True, received=True), FIRST_RETRY),
        (
            failure(
                Phase.WEBSOCKET,
                errors.UnexpectedStatusError(status=413, retryable=False),
                cause=HttpStatusError("too large", status=413),
            ),
            STREAMS_FAILED,
        ),
        (closed(None, is_huge=True, may_fall_back=False), FIRST_RETRY),
    ],
)
def test_what_is_too_large_for_the_websocket_goes_over_http_at_once(
    case: Failure, step: Step
) -> None:
    assert decider().next_step(case) == step


def test_a_used_up_websocket_is_final_when_nothing_else_may_be_used() -> None:
    decide = decider(max_retries=1)
    cut = closed(None, received=True, may_fall_back=False)

    assert [decide.next_step(cut) for _ in range(2)] == [FIRST_RETRY, GiveUp()]


def test_credentials_are_renewed_only_once() -> None:
    decide = decider()
    case = failure(Phase.WEBSOCKET, errors.AuthenticationError(status=401))

    # Both are empty tuples, so only their types tell them apart.
    assert [type(decide.next_step(case)) for _ in range(2)] == [RefreshFirst, GiveUp]


def test_recoveries_run_out_too() -> None:
    decide = decider()
    limit = failure(
        Phase.WEBSOCKET, errors.RetryableError(code="websocket_connection_limit_reached")
    )
    steps = [decide.next_step(limit) for _ in range(MAX_RECOVERIES + 1)]

    assert steps == [*[Again()] * MAX_RECOVERIES, FIRST_RETRY]


@pytest.mark.parametrize(
    ("sent", "repeatable", "step"),
    [
        ("maybe", False, GiveUp()),
        ("begun", False, GiveUp()),
        ("no", False, FIRST_RETRY),
        ("maybe", True, FIRST_RETRY),
    ],
)
def test_what_may_have_been_begun_is_made_again_only_where_twice_does_no_harm(
    sent: Any, step: Step, *, repeatable: bool
) -> None:
    error = errors.NetworkError("cut")
    error.sent = sent

    assert decider().next_step(failure(Phase.HTTP, error, is_repeatable=repeatable)) == step


def test_a_lost_name_is_mended_over_http_too_and_not_for_ever() -> None:
    decide = decider()
    lost = failure(
        Phase.HTTP, errors.InvalidRequestError(code="previous_response_not_found"), chained=True
    )
    steps = [decide.next_step(lost) for _ in range(MAX_RECOVERIES + 1)]

    assert steps == [*[Again()] * MAX_RECOVERIES, GiveUp()]


def test_another_try_is_at_once_and_not_counted_unless_it_says_so() -> None:
    again = Again()

    assert (again.delay, again.counted, again.signals) == (0.0, False, ())
    assert MAX_RECOVERIES == 3
    assert failure(Phase.HTTP, errors.StreamClosedError()).is_repeatable


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (errors.InvalidRequestError(status=404), True),
        (errors.InvalidRequestError(status=405), False),
        (errors.InvalidRequestError(param="previous_response_id"), True),
        (errors.InvalidRequestError(param="conversation"), True),
        (errors.InvalidRequestError(param="input"), False),
        (errors.InvalidRequestError(code="previous_response_not_found"), True),
        (errors.InvalidRequestError(), False),
    ],
)
def test_a_name_is_lost_when_the_server_says_so_or_has_not_found_it(
    error: errors.CodexApiError, *, lost: bool
) -> None:
    assert lost_its_name(failure(Phase.HTTP, error, chained=True)) is lost
    assert lost_its_name(failure(Phase.HTTP, error, chained=False)) is False


def test_a_socket_that_says_why_it_closed_is_not_called_stale() -> None:
    told = closed(1008, was_reused=True, may_fall_back=False)

    assert decider().next_step(told) == FIRST_RETRY
