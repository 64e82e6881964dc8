"""Which transport an exchange takes, what it sends, and what the session knows afterwards."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from codex_api import errors, events
from codex_api._logic.session.effects import (
    BeginConversation,
    DropSocket,
    PostRequest,
    SendFrame,
)
from codex_api._logic.session.held_input import HeldInput, Outgoing
from codex_api._logic.session.input_json import InputJson
from codex_api._logic.session.progress import Progress
from codex_api._logic.session.session_state import Asked, SessionState
from codex_api._logic.session.transport_choice import Signal, State, TransportChoice
from codex_api.items import Message, encode_item
from codex_api.transport.errors import (
    AuthBuildError,
    ConnectTimeoutError,
    HttpStatusError,
    NetworkError,
)
from tests._logic.session.exchange_driver import (
    COMPLETED,
    CREATED,
    CUT,
    OPENING,
    USER,
    WHOLE,
    Driver,
    done,
)


def test_the_first_request_opens_a_socket_and_the_second_uses_it() -> None:
    driver = Driver(relays=[WHOLE, WHOLE])

    assert driver.run(driver.exchange().steps()) == OPENING
    assert driver.run(driver.exchange().steps()) == [
        "Identify",
        "CheckSocket",
        "SendFrame",
        "Relay",
    ]


def test_an_old_socket_is_replaced() -> None:
    driver = Driver(relays=[WHOLE, WHOLE])
    driver.run(driver.exchange().steps())
    driver.now += driver.state.rotate_after

    assert driver.run(driver.exchange().steps()) == OPENING


def test_a_socket_is_not_used_with_other_credentials() -> None:
    driver = Driver(relays=[WHOLE, WHOLE])
    driver.run(driver.exchange().steps())
    driver.owner = "you"

    assert driver.run(driver.exchange().steps()) == OPENING
    assert driver.of(SendFrame)[1].previous_response_id is None


def test_a_socket_that_cannot_be_opened_gives_way_to_http() -> None:
    driver = Driver(opens=[ConnectTimeoutError()], relays=[WHOLE])
    steps = driver.run(driver.exchange().steps())

    assert steps == [
        *("Identify", "CheckSocket", "OpenSocket"),
        *("Identify", "DropSocket", "PostRequest", "Relay"),
    ]
    assert driver.state.choice.state is State.COOLING


def test_http_alone_never_looks_for_a_socket() -> None:
    driver = Driver(mode="http", relays=[WHOLE])

    assert "OpenSocket" not in driver.run(driver.exchange().steps())
    assert driver.of(PostRequest)


def test_credentials_that_cannot_be_had_end_the_request() -> None:
    exchange = Driver().exchange().steps()
    next(exchange)
    refusal = AuthBuildError("no key")

    with pytest.raises(AuthBuildError):
        exchange.throw(refusal)


def test_a_prewarm_does_nothing_where_there_is_no_websocket() -> None:
    driver = Driver(mode="http")

    assert driver.run(driver.exchange(generate=False).prewarm()) == []


def test_a_prewarm_that_cannot_connect_spares_the_request_the_same() -> None:
    driver = Driver(opens=[NetworkError()], relays=[WHOLE])
    driver.run(driver.exchange(generate=False).prewarm())
    steps = driver.run(driver.exchange().steps())

    assert "OpenSocket" not in steps
    assert driver.of(PostRequest)


def test_a_prewarm_whose_stream_breaks_leaves_the_websocket_its_chance() -> None:
    driver = Driver(relays=[([], None, CUT), WHOLE])
    driver.run(driver.exchange(generate=False).prewarm())

    assert driver.run(driver.exchange().steps()) == OPENING


def test_a_response_without_an_id_is_not_continued() -> None:
    driver = Driver(relays=[([], None, None), WHOLE])
    driver.run(driver.exchange().steps())
    driver.run(driver.exchange().steps())

    assert driver.of(SendFrame)[1].previous_response_id is None


def test_what_an_answers_head_tells_is_not_the_response_itself() -> None:
    progress = Progress(keep_ids=False)
    for event in (events.ServerModel("m"), events.ModelsEtag("e")):
        progress.observe(event)
    assert not progress.received
    progress.observe(events.OutputTextDelta(delta="x"))

    assert progress.received


REUSING = ["Identify", "CheckSocket", "SendFrame", "Relay"]
ANSWER = Message.assistant("a")
ANSWERED = ([CREATED, done(ANSWER), COMPLETED], 5, None)
LONGER = b"[" + USER + b"," + encode_item(ANSWER, keep_ids=False) + b"," + USER + b"]"


def test_a_session_begins_knowing_nothing() -> None:
    state = SessionState(choice=TransportChoice())

    assert (state.opened_at, state.owner, state.used, state.warm) == (None, "", False, False)
    assert state.rotate_after == 3300.0


def test_a_request_is_chained_opens_a_turn_and_may_be_repeated_unless_it_says_otherwise() -> None:
    asked = Asked(fields=b"{}", input=InputJson())

    assert (asked.may_chain, asked.starts_turn, asked.is_repeatable) == (True, True, True)
    assert (asked.stored, asked.replay, asked.generate) == (False, "always", None)


def test_a_socket_is_used_until_the_instant_at_which_it_is_old() -> None:
    driver = Driver(relays=[WHOLE, WHOLE, WHOLE])
    driver.now = 10.0
    driver.run(driver.exchange().steps())
    assert driver.state.opened_at == 10.0
    driver.now += driver.state.rotate_after - 0.1
    assert driver.run(driver.exchange().steps()) == REUSING
    driver.now += 0.1

    assert driver.run(driver.exchange().steps()) == OPENING


def test_a_socket_that_the_server_closed_is_replaced_and_its_chain_forgotten() -> None:
    driver = Driver(relays=[ANSWERED, WHOLE])
    driver.run(driver.exchange().steps())
    driver.is_open = False

    assert driver.run(driver.exchange(input=LONGER).steps()) == OPENING
    sent = driver.of(SendFrame)[1]
    assert (sent.input, sent.previous_response_id) == (LONGER, None)


def test_a_request_sends_only_what_the_server_does_not_hold() -> None:
    driver = Driver(relays=[ANSWERED, WHOLE])
    driver.run(driver.exchange().steps())
    driver.run(driver.exchange(input=LONGER, generate=False).steps())
    first, second = driver.of(SendFrame)

    assert (first.input, first.previous_response_id, first.generate) == (
        b"[" + USER + b"]",
        None,
        None,
    )
    assert (second.input, second.previous_response_id, second.generate) == (
        b"[" + USER + b"]",
        "r1",
        False,
    )


@pytest.mark.parametrize("change", [{"may_chain": False}, {"fields": b'{"other":1}'}])
def test_a_request_that_may_not_be_chained_is_sent_whole(change: dict[str, Any]) -> None:
    driver = Driver(relays=[ANSWERED, WHOLE])
    driver.run(driver.exchange().steps())
    driver.run(driver.exchange(input=LONGER, **change).steps())

    assert driver.of(SendFrame)[1].input == LONGER
    assert driver.of(SendFrame)[1].previous_response_id is None


def test_what_broke_off_is_not_continued() -> None:
    driver = Driver(relays=[ANSWERED, ([CREATED], 1, errors.ContextWindowExceededError()), WHOLE])
    driver.run(driver.exchange().steps())
    with pytest.raises(errors.ContextWindowExceededError):
        driver.run(driver.exchange(input=LONGER).steps())

    assert driver.effects[-1] == DropSocket()
    assert (driver.state.opened_at, driver.state.used) == (None, False)
    driver.run(driver.exchange(input=LONGER).steps())
    assert driver.of(SendFrame)[2].previous_response_id is None


def test_over_http_the_socket_goes_and_what_it_held_is_forgotten() -> None:
    driver = Driver(relays=[WHOLE, WHOLE, WHOLE])
    driver.run(driver.exchange().steps())
    assert driver.state.used
    driver.state.choice.state = State.COOLING
    driver.state.choice._until = 50.0
    steps = driver.run(driver.exchange().steps())

    assert steps == ["Identify", "DropSocket", "PostRequest", "Relay"]
    assert driver.of(PostRequest)[0].instead is None
    assert (driver.state.opened_at, driver.state.used) == (None, False)
    driver.now = 50.0
    assert driver.run(driver.exchange().steps()) == OPENING


# --- the turn -----------------------------------------------------------------------------------


def test_the_turn_goes_on_with_the_first_value_that_the_server_told() -> None:
    driver = Driver(opens=["T1"], tells=["T2"], relays=[WHOLE, WHOLE])
    driver.run(driver.exchange().steps())
    driver.run(driver.exchange(starts_turn=False).steps())

    assert [sent.cell.get() for sent in driver.of(SendFrame)] == ["T1", "T1"]


def test_a_new_turn_begins_without_a_value() -> None:
    driver = Driver(tells=["T1", None], relays=[WHOLE, WHOLE])
    driver.run(driver.exchange().steps())
    assert driver.state.turn.value_for("me") == "T1"
    driver.run(driver.exchange().steps())

    assert driver.of(SendFrame)[1].cell.get() is None


def test_a_value_that_a_broken_answer_told_belongs_to_the_turn_all_the_same() -> None:
    driver = Driver(tells=["T1"], relays=[([], None, CUT), WHOLE])
    driver.run(driver.exchange().steps())

    assert [sent.cell.get() for sent in driver.of(SendFrame)] == ["T1", "T1"]


def test_over_http_the_value_is_known_when_the_events_begin_to_come() -> None:
    driver = Driver(mode="http", tells=["T1"], relays=[WHOLE, WHOLE])
    driver.run(driver.exchange().steps())
    driver.run(driver.exchange(starts_turn=False).steps())

    assert driver.known_turns == ["T1", "T1"]
    assert [sent.cell.get() for sent in driver.of(PostRequest)] == ["T1", "T1"]


def test_over_http_events_may_tell_the_value_even_of_an_answer_that_broke() -> None:
    class Late(Driver):
        def _relay(self, progress: Progress) -> None:
            self.of(PostRequest)[-1].cell.offer("T9")
            super()._relay(progress)

    driver = Late(mode="http", relays=[([], None, CUT), WHOLE])
    driver.run(driver.exchange().steps())

    assert driver.known_turns == [None, "T9"]


def test_a_value_is_not_told_to_other_credentials() -> None:
    driver = Driver(mode="http", tells=["T1"], relays=[WHOLE, WHOLE])
    driver.run(driver.exchange().steps())
    driver.owner = "you"
    driver.run(driver.exchange(starts_turn=False).steps())

    assert driver.of(PostRequest)[1].cell.get() is None


def test_a_prewarm_opens_the_turn_of_the_next_request_and_of_no_other() -> None:
    driver = Driver(opens=["T1"], relays=[([], None, None), WHOLE, WHOLE])
    driver.run(driver.exchange(generate=False).prewarm())
    assert driver.state.warm
    for _ in range(2):
        driver.run(driver.exchange().steps())

    assert [sent.cell.get() for sent in driver.of(SendFrame)] == ["T1", "T1", None]


def test_a_prewarm_begins_a_turn_of_its_own() -> None:
    driver = Driver(tells=["T1"], relays=[WHOLE, WHOLE])
    driver.run(driver.exchange().steps())
    driver.run(driver.exchange(generate=False).prewarm())

    assert driver.of(SendFrame)[1].cell.get() is None


def test_a_prewarm_that_failed_opened_no_turn() -> None:
    driver = Driver(tells=["T1"], relays=[([], None, CUT), WHOLE])
    driver.run(driver.exchange(generate=False).prewarm())
    assert not driver.state.warm
    driver.run(driver.exchange().steps())

    assert driver.of(SendFrame)[1].cell.get() is None


def test_a_prewarm_that_nothing_can_mend_is_kept_quiet() -> None:
    limit = errors.UsageLimitReachedError()
    driver = Driver(opens=[limit])

    assert driver.run(driver.exchange(generate=False).prewarm()) == [
        "Identify",
        "CheckSocket",
        "OpenSocket",
    ]
    assert driver.state.choice.state is State.UNTRIED


# --- the choice of the transport ----------------------------------------------------------------


def test_a_server_that_refuses_the_upgrade_is_never_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "codex_api.session")
    refused = errors.UnexpectedStatusError(status=426)
    refused.__cause__ = HttpStatusError(status=426)
    driver = Driver(opens=[refused], relays=[WHOLE])
    driver.run(driver.exchange().steps())

    assert driver.state.choice.state is State.HTTP_ONLY
    assert caplog.messages == [
        "UnexpectedStatusError: asked for again in 0.000 s",
        "upgrade_refused: the WebSocket is http_only now",
    ]


def test_an_opened_socket_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "codex_api.session")
    driver = Driver(relays=[WHOLE, WHOLE])
    driver.run(driver.exchange().steps())
    driver.is_open = False
    driver.run(driver.exchange().steps())

    assert caplog.messages == ["opened: the WebSocket is working now"]


def test_a_finished_response_forgives_the_failures_before_it() -> None:
    driver = Driver(opens=[NetworkError()], relays=[WHOLE, WHOLE])
    driver.run(driver.exchange().steps())
    driver.now = 60.0
    assert driver.run(driver.exchange().steps()) == OPENING
    driver.state.choice.signal(Signal.STREAMS_FAILED, 100.0)

    assert driver.state.choice.pick(160.0) == "websocket"


def test_a_request_that_may_be_too_large_for_a_frame_goes_over_http() -> None:
    most = 16 << 20
    for size, carrier in ((most, SendFrame), (most + 1, PostRequest)):
        whole = b"[" + b" " * (size - 4) + b"]"
        driver = Driver(input=whole, relays=[([], None, NetworkError()), WHOLE])
        driver.run(driver.exchange().steps())

        assert isinstance(driver.effects[-2], carrier)


# --- conversations ------------------------------------------------------------------------------


def in_conversation(conversation: str | None = None, **scripts: Any) -> Driver:
    driver = Driver(**scripts)
    driver.state.held = HeldInput("conversation", conversation)
    return driver


def test_a_conversation_is_begun_once_and_given_only_what_is_new() -> None:
    driver = in_conversation(relays=[ANSWERED, WHOLE], is_held=True)
    steps = driver.run(driver.exchange().steps())
    driver.run(driver.exchange(input=LONGER).steps())

    assert steps[4:] == ["BeginConversation", "SendFrame", "Relay"]
    assert [(sent.input, sent.conversation) for sent in driver.of(SendFrame)] == [
        (b"[" + USER + b"]", "conv_1"),
        (b"[" + USER + b"]", "conv_1"),
    ]
    assert len(driver.of(BeginConversation)) == 1


def test_over_http_a_conversation_stands_for_what_it_holds() -> None:
    driver = in_conversation("conv_1", mode="http", relays=[ANSWERED, WHOLE], is_held=True)
    driver.run(driver.exchange().steps())
    driver.run(driver.exchange(input=LONGER).steps())
    outs = [posted.instead for posted in driver.of(PostRequest)]

    assert outs == [Outgoing(b"[" + USER + b"]", None, "conv_1")] * 2
    assert driver.of(BeginConversation) == []


def test_a_prewarm_leaves_the_conversation_alone() -> None:
    driver = in_conversation("conv_1", relays=[WHOLE, WHOLE], is_held=True)
    driver.run(driver.exchange(generate=False).prewarm())
    driver.run(driver.exchange().steps())

    assert [sent.conversation for sent in driver.of(SendFrame)] == [None, "conv_1"]
    assert driver.of(SendFrame)[1].input == b"[" + USER + b"]"


def test_a_connection_that_never_came_about_leaves_no_doubt_of_the_conversation() -> None:
    driver = in_conversation("conv_1", opens=[NetworkError()], relays=[WHOLE], is_held=True)
    driver.run(driver.exchange().steps())

    assert driver.of(PostRequest)[0].instead.conversation == "conv_1"


def test_a_prewarm_that_is_too_large_for_a_frame_does_not_say_so_of_the_request() -> None:
    error = errors.StreamClosedError()
    error.__cause__ = errors.WebSocketClosedError("too large", code=1009)
    driver = Driver(relays=[([], None, error)])
    driver.run(driver.exchange(generate=False).prewarm())

    assert driver.state.choice.state is State.WORKING
