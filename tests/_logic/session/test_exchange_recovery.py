"""What an exchange does after a failure: asks anew, asks for the rest, or gives up."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from codex_api import errors, events
from codex_api._logic.session.effects import Announce, Pause, PostRequest, Renew, Resume, SendFrame
from codex_api._logic.session.errors import ReplayRefusedError
from codex_api._logic.session.held_input import HeldInput
from codex_api.items import FunctionCall, FunctionCallOutput, Message
from codex_api.transport.errors import HttpStatusError, NetworkError
from tests._logic.session.exchange_driver import CREATED, CUT, WHOLE, Driver, done

DELTA = events.OutputTextDelta("x")
LIMIT = errors.RetryableError(code="websocket_connection_limit_reached")


def test_credentials_that_cannot_be_renewed_are_the_outcome() -> None:
    refused = errors.AuthenticationError(status=401)
    driver = Driver(relays=[([], None, refused)], renews=False)

    with pytest.raises(errors.AuthenticationError):
        driver.run(driver.exchange().steps())
    assert len(driver.of(Renew)) == 1


def test_a_stored_response_is_resumed_again_and_again_while_it_goes_on() -> None:
    relays: list[Any] = [([CREATED], 1, CUT)]
    relays += [*(([], number, CUT) for number in range(2, 12)), WHOLE]
    driver = Driver(relays=relays, stored=True)
    driver.run(driver.exchange().steps())

    assert [effect.starting_after for effect in driver.of(Resume)] == list(range(1, 12))
    # Each that goes on begins the count of retries anew.
    assert driver.of(Pause) == [Pause(0.2)] * 11
    assert driver.of(Announce) == []


def test_a_resumption_that_gets_nowhere_ends() -> None:
    driver = Driver(relays=[([CREATED], 1, CUT), *[([], 1, CUT)] * 9], stored=True)

    with pytest.raises(errors.StreamClosedError):
        driver.run(driver.exchange().steps())
    assert len(driver.of(Resume)) == 4  # one of the budget of 5 went before


def test_a_stored_response_that_failed_is_asked_for_anew() -> None:
    failed = errors.RetryableError("the server failed")
    driver = Driver(relays=[([CREATED], 1, failed), WHOLE], stored=True)
    driver.run(driver.exchange().steps())

    assert driver.of(Resume) == []
    assert len(driver.of(SendFrame)) == 2


def test_a_response_that_failed_while_it_was_resumed_is_asked_for_anew() -> None:
    failed = errors.RetryableError("the server failed")
    driver = Driver(relays=[([CREATED], 1, CUT), ([], 3, failed), WHOLE], stored=True)
    driver.run(driver.exchange().steps())

    assert len(driver.of(Resume)) == 1
    assert len(driver.of(SendFrame)) == 2
    assert driver.progress.completed


def test_a_refused_resumption_asks_anew_and_says_so() -> None:
    gone = errors.UnexpectedStatusError(status=404)
    gone.__cause__ = HttpStatusError(status=404)
    driver = Driver(relays=[([CREATED], 1, CUT), WHOLE], refusals=[gone], stored=True)
    driver.run(driver.exchange().steps())

    (announced,) = driver.of(Announce)
    assert announced.event.error is gone
    assert len(driver.of(SendFrame)) == 2


def test_the_retried_input_holds_what_was_kept_with_its_outputs() -> None:
    call = FunctionCall(name="f", arguments="{}", call_id="c1")
    other = FunctionCall(name="g", arguments="{}", call_id="c2")
    driver = Driver(
        relays=[([CREATED, done(Message.assistant("a")), done(call), done(other)], 4, CUT), WHOLE]
    )
    exchange = driver.exchange()
    driver.progress.supply([FunctionCallOutput(call_id="c1", output="ok"), Message.user("x")])
    driver.run(exchange.steps())
    first, second = driver.of(SendFrame)
    (announced,) = driver.of(Announce)

    assert second.input.startswith(first.input[:-1] + b",")
    assert second.input.count(b'"type":"function_call"') == 1
    assert second.input.count(b'"type":"function_call_output"') == 1
    assert announced.event.dropped == 1


def test_kept_items_can_stand_alone() -> None:
    driver = Driver(input=b"[]", relays=[([CREATED, done(Message.assistant("a"))], 4, CUT), WHOLE])
    driver.run(driver.exchange().steps())

    assert driver.of(SendFrame)[1].input.startswith(b'[{"type":"message"')


def refused(status: int) -> errors.CodexApiError:
    error = errors.UnexpectedStatusError(status=status, retryable=True)
    error.__cause__ = HttpStatusError(status=status)
    return error


# --- credentials --------------------------------------------------------------------------------


def test_renewed_credentials_are_tried_at_once_and_nobody_is_told() -> None:
    driver = Driver(relays=[([], None, errors.AuthenticationError(status=401)), WHOLE])
    driver.run(driver.exchange().steps())

    assert len(driver.of(SendFrame)) == 2
    assert (driver.of(Announce), driver.of(Pause)) == ([], [])


def test_renewed_credentials_that_are_refused_too_are_the_outcome() -> None:
    refusals = [errors.AuthenticationError(status=401) for _ in range(2)]
    driver = Driver(relays=[([], None, refusal) for refusal in refusals])

    with pytest.raises(errors.AuthenticationError) as caught:
        driver.run(driver.exchange().steps())
    assert caught.value is refusals[1]
    assert len(driver.of(Renew)) == 1
    assert driver.of(Renew)[0].error is refusals[0]


# --- asking anew --------------------------------------------------------------------------------


def test_a_counted_retry_is_told_before_its_wait(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "codex_api.session")
    driver = Driver(mode="http", relays=[([CREATED, DELTA], None, CUT), WHOLE])

    steps = driver.run(driver.exchange().steps())

    assert steps[3:7] == ["Relay", "Announce", "Pause", "Identify"]
    assert driver.of(Pause) == [Pause(0.2)]
    assert driver.of(Announce)[0].event == events.StreamRetry(1, 0.2, CUT, 0)
    assert caplog.messages == ["StreamClosedError: asked for again in 0.200 s"]


def test_a_recovery_of_which_nothing_was_shown_is_not_told() -> None:
    driver = Driver(relays=[([], None, LIMIT), WHOLE])
    steps = driver.run(driver.exchange().steps())

    assert steps[6:] == ["DropSocket", *("Identify", "CheckSocket", "OpenSocket"), *steps[3:6]]
    assert (driver.of(Announce), driver.of(Pause)) == ([], [])


def test_a_recovery_of_which_something_was_shown_is_told() -> None:
    driver = Driver(relays=[([CREATED, DELTA], 2, LIMIT), WHOLE])
    driver.run(driver.exchange().steps())

    assert driver.of(Announce)[0].event == events.StreamRetry(0, 0.0, LIMIT, 0)
    assert driver.of(Pause) == []


def test_a_stale_socket_is_replaced_at_once_and_a_fresh_one_is_not() -> None:
    def lost() -> errors.CodexApiError:
        error = errors.StreamClosedError()
        error.__cause__ = errors.WebSocketClosedError("gone", code=1001)
        return error

    stale = Driver(relays=[WHOLE, ([], None, lost()), WHOLE])
    for _ in range(2):
        stale.run(stale.exchange().steps())
    fresh = Driver(relays=[([], None, lost()), WHOLE])
    fresh.run(fresh.exchange().steps())

    assert stale.of(Pause) == []
    assert fresh.of(Pause) == [Pause(0.2)]


def test_a_lost_chain_is_mended_only_where_one_was_used() -> None:
    def lost() -> errors.CodexApiError:
        return errors.InvalidRequestError(code="previous_response_not_found")

    driver = Driver(relays=[WHOLE, ([], None, lost()), WHOLE])
    for _ in range(2):
        driver.run(driver.exchange().steps())
    assert [sent.previous_response_id for sent in driver.of(SendFrame)] == [None, "r1", None]

    whole = Driver(relays=[([], None, lost())])
    with pytest.raises(errors.InvalidRequestError):
        whole.run(whole.exchange().steps())


def test_a_socket_that_must_do_is_opened_again_after_a_wait() -> None:
    driver = Driver(mode="websocket", opens=[NetworkError()], relays=[WHOLE])
    driver.run(driver.exchange().steps())

    assert driver.of(Pause) == [Pause(0.2)]
    assert (len(driver.of(SendFrame)), driver.of(PostRequest)) == (1, [])


def test_events_of_a_broken_try_do_not_count_for_the_next() -> None:
    driver = Driver(relays=[([CREATED, DELTA], 2, LIMIT), ([], None, LIMIT), WHOLE])
    driver.run(driver.exchange().steps())

    assert len(driver.of(Announce)) == 1


CALL = FunctionCall(name="f", arguments="{}", call_id="c1")


@pytest.mark.parametrize("item", [CALL, Message.assistant("a")])
def test_who_asks_for_safety_is_not_given_a_call_twice(item: Any) -> None:
    driver = Driver(replay="safe", relays=[([CREATED, done(item)], 2, CUT), WHOLE])

    if item is CALL:
        with pytest.raises(ReplayRefusedError) as caught:
            driver.run(driver.exchange().steps())
        assert (caught.value.__cause__, caught.value.item_type) == (CUT, "function_call")
        assert driver.of(Announce) == []
    else:
        driver.run(driver.exchange().steps())
        assert len(driver.of(SendFrame)) == 2


@pytest.mark.parametrize("sent", ["maybe", "begun"])
def test_what_the_server_may_have_begun_to_keep_is_not_made_twice(sent: Any) -> None:
    error = NetworkError("cut")
    error.sent = sent
    driver = Driver(mode="http", is_repeatable=False, relays=[([], None, error), WHOLE])

    with pytest.raises(NetworkError):
        driver.run(driver.exchange().steps())
    assert len(driver.of(PostRequest)) == 1


# --- asking for the rest ------------------------------------------------------------------------


def test_a_kept_response_that_is_known_is_asked_for_its_rest_and_not_made_twice() -> None:
    def cut() -> errors.CodexApiError:
        error = errors.StreamClosedError()
        error.sent = "begun"
        return error

    driver = Driver(
        mode="http",
        is_repeatable=False,
        stored=True,
        relays=[([CREATED, DELTA], 7, cut()), ([], 7, cut()), WHOLE],
    )
    steps = driver.run(driver.exchange().steps())

    assert steps[3:] == ["Relay", "Pause", "Resume", "Relay", "Pause", "Resume", "Relay"]
    assert driver.of(Resume) == [Resume("r1", 7)] * 2
    assert driver.of(Pause) == [Pause(0.2), Pause(0.4)]


@pytest.mark.parametrize(
    ("told", "number", "stored"), [([CREATED], 3, False), ([CREATED], None, True), ([], 3, True)]
)
def test_a_response_is_asked_for_anew_when_its_rest_cannot_be_had(
    told: list[Any], number: int | None, *, stored: bool
) -> None:
    driver = Driver(mode="http", stored=stored, relays=[(told, number, CUT), WHOLE])
    driver.run(driver.exchange().steps())

    assert driver.of(Resume) == []
    assert len(driver.of(PostRequest)) == 2


@pytest.mark.parametrize(
    ("status", "anew"),
    [(399, False), (400, True), (404, True), (499, True), (500, False)]
    + [(status, False) for status in (401, 408, 429)],
)
def test_only_a_refusal_shows_that_the_server_keeps_nothing(status: int, *, anew: bool) -> None:
    driver = Driver(
        mode="http",
        stored=True,
        relays=[([CREATED], 1, CUT), WHOLE],
        refusals=[refused(status)],
    )
    driver.run(driver.exchange().steps())

    # What the server does not give now it may give later: asking anew would be charged once more.
    assert (len(driver.of(PostRequest)), len(driver.of(Resume))) == ((2, 1) if anew else (1, 2))


def test_a_refusal_inside_the_rest_is_that_of_the_response() -> None:
    final = errors.InvalidRequestError(status=400)
    final.__cause__ = HttpStatusError(status=400)
    driver = Driver(stored=True, relays=[([CREATED], 1, CUT), ([], 2, final)])

    with pytest.raises(errors.InvalidRequestError):
        driver.run(driver.exchange().steps())


def test_a_refusal_that_came_before_any_resumption_is_an_outcome() -> None:
    final = errors.InvalidRequestError(status=400)
    final.__cause__ = HttpStatusError(status=400)
    driver = Driver(mode="http", stored=True, relays=[([], None, final)])

    with pytest.raises(errors.InvalidRequestError):
        driver.run(driver.exchange().steps())


def test_after_a_refused_resumption_none_is_tried_again() -> None:
    relays: list[Any] = [([CREATED], 1, CUT), ([CREATED], 2, CUT), WHOLE]
    driver = Driver(mode="http", stored=True, relays=relays, refusals=[refused(404)])
    driver.run(driver.exchange().steps())

    assert len(driver.of(Resume)) == 1
    assert len(driver.of(PostRequest)) == 3


def test_a_resumption_whose_request_fails_is_a_failure_like_any_other() -> None:
    driver = Driver(
        mode="http",
        stored=True,
        relays=[([CREATED], 1, CUT), WHOLE],
        refusals=[NetworkError("refused")],
    )
    driver.run(driver.exchange().steps())

    assert len(driver.of(Resume)) == 2


def test_a_conversation_is_in_doubt_while_the_rest_of_its_response_is_not_given() -> None:
    driver = Driver(
        mode="http",
        stored=True,
        relays=[([CREATED], 1, CUT), WHOLE],
        refusals=[refused(503) for _ in range(4)],
    )
    driver.state.held = HeldInput("conversation", "conv_1")
    with pytest.raises(errors.UnexpectedStatusError):
        driver.run(driver.exchange().steps())

    with pytest.raises(errors.ClientStateError, match="conv_1"):
        driver.run(driver.exchange().steps())


def test_a_name_that_the_server_forgot_is_forgotten_and_all_goes_out() -> None:
    lost = errors.InvalidRequestError(code="previous_response_not_found")
    driver = Driver(mode="http", is_held=True, relays=[WHOLE, ([], None, lost), WHOLE])
    driver.state.held = HeldInput("response")
    for _ in range(2):
        driver.run(driver.exchange().steps())
    outs = [posted.instead for posted in driver.of(PostRequest)]

    assert [None if out is None else out.previous_response_id for out in outs] == [
        None,
        "r1",
        None,
    ]


def test_after_a_failure_that_the_server_explained_a_conversation_goes_on() -> None:
    final = errors.ContextWindowExceededError()
    driver = Driver(mode="http", is_held=True, relays=[([CREATED], None, final), WHOLE])
    driver.state.held = HeldInput("conversation", "conv_1")
    with pytest.raises(errors.ContextWindowExceededError):
        driver.run(driver.exchange().steps())
    driver.run(driver.exchange().steps())

    assert driver.progress.completed


@pytest.mark.parametrize("error", [CUT, errors.ResponseIncompleteError()])
def test_after_a_failure_that_nobody_explained_a_conversation_is_in_doubt(
    error: errors.CodexApiError,
) -> None:
    driver = Driver(mode="http", is_held=True, relays=[([CREATED], None, error), WHOLE])
    driver.state.held = HeldInput("conversation", "conv_1")

    with pytest.raises(errors.CodexApiError):
        driver.run(driver.exchange().steps())
    with pytest.raises(errors.ClientStateError):
        driver.run(driver.exchange().steps())


def test_a_response_that_was_resumed_is_continued_like_any_other() -> None:
    driver = Driver(
        mode="http", stored=True, is_held=True, relays=[([CREATED], 1, CUT), WHOLE, WHOLE]
    )
    driver.state.held = HeldInput("response")
    for _ in range(2):
        driver.run(driver.exchange().steps())

    assert driver.of(PostRequest)[1].instead.previous_response_id == "r1"
