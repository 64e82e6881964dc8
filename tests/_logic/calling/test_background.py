from __future__ import annotations

import math

import msgspec
import pytest

from codex_api import RetryConfig, events
from codex_api._logic.calling.background import (
    BATCH_PACE,
    Drops,
    Polling,
    deliveries,
    in_background,
)
from codex_api.transport.errors import DeadlineExceededError, NetworkError, RequestBuildError
from codex_api.types.request import ResponsesApiRequest


@pytest.mark.parametrize(("store", "sent"), [(False, True), (True, True)])
def test_a_background_request_is_streamed_and_kept(*, store: bool, sent: bool) -> None:
    request = in_background(ResponsesApiRequest(model="m", input="hi", store=store))

    assert (request.background, request.stream, request.store) == (True, True, sent)


def test_a_payload_is_seen_through_with_its_last_event() -> None:
    first, last = events.OutputTextDelta("a"), events.OutputTextDelta("b")
    raw = events.RawEvent(b'{"type":"x","sequence_number":7}', [first, last])

    assert [(each.event, each.number, each.raw) for each in deliveries(raw)] == [
        (first, None, None),
        (last, 7, raw),
    ]


@pytest.mark.parametrize("payload", [b"no json", b'{"sequence_number":"x"}', b"{}"])
def test_a_payload_of_which_nothing_was_made_is_delivered_too(payload: bytes) -> None:
    raw = events.RawEvent(payload, [])

    assert [(each.event, each.number, each.raw) for each in deliveries(raw)] == [(None, None, raw)]


def test_drops_in_a_row_are_counted_until_something_new_comes() -> None:
    drops = Drops(RetryConfig(max_attempts=2, base_delay=1.0), lambda: 0.5)
    error = NetworkError("cut")

    assert [drops.wait_after(error, can_resume=True) for _ in range(3)] == [1.0, 2.0, None]
    drops.forget()
    assert drops.wait_after(error, can_resume=True) == 1.0


@pytest.mark.parametrize(
    ("error", "can_resume"), [(RequestBuildError("no"), True), (NetworkError("cut"), False)]
)
def test_what_cannot_go_on_is_the_outcome(error: NetworkError, *, can_resume: bool) -> None:
    assert Drops(RetryConfig(), lambda: 0.5).wait_after(error, can_resume=can_resume) is None


def test_a_store_that_nobody_chose_is_left_to_the_server() -> None:
    request = ResponsesApiRequest(model="m", input="hi", store=msgspec.UNSET)

    assert in_background(request).store is msgspec.UNSET


def test_a_batch_is_looked_at_less_often() -> None:
    polling = Polling(None, None, 0.0, BATCH_PACE)

    assert [polling.pause(0.0) for _ in range(8)][::7] == [5.0, 60.0]
    assert Polling(0.5, None, 0.0, BATCH_PACE).pause(0.0) == 0.5


@pytest.mark.parametrize("poll", [0.0, -1.0, math.nan])
def test_a_pause_is_a_number_of_seconds(poll: float) -> None:
    with pytest.raises(RequestBuildError, match="poll"):
        Polling(poll, None, 0.0)


def test_looks_become_rarer_unless_the_caller_says_how_often() -> None:
    own, named = Polling(None, None, 0.0), Polling(2.0, None, 0.0)

    pauses = [own.pause(0.0) for _ in range(12)]
    assert pauses[:3] == [0.5, 0.75, 1.125]
    assert pauses[-1] == 15.0
    assert [named.pause(0.0), named.pause(9.0)] == [2.0, 2.0]


def test_waiting_ends_with_its_limit() -> None:
    polling = Polling(4.0, 10.0, 100.0)

    assert [polling.pause(100.0), polling.pause(108.0)] == [4.0, 2.0]
    assert [polling.limit(100.0), polling.limit(108.0), polling.limit(110.0)] == [10.0, 2.0, 1.0]
    assert Polling(4.0, None, 100.0).limit(100.0) is None
    with pytest.raises(DeadlineExceededError, match="within 10 s"):
        polling.pause(110.0)
