from __future__ import annotations

from typing import Any

import pytest

from codex_api._logic.session.transport_choice import TRANSITIONS, Signal, State, TransportChoice


def choice_in(state: State) -> TransportChoice:
    choice = TransportChoice()
    choice.state = state
    return choice


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("signal", [s for s in Signal if s is not Signal.COOLED])
def test_each_state_goes_where_the_table_says(state: State, signal: Signal) -> None:
    choice = choice_in(state)
    choice.signal(signal, 0.0)

    assert choice.state is TRANSITIONS.get((state, signal), state)


def test_the_websocket_is_tried_first() -> None:
    assert TransportChoice().pick(0.0) == "websocket"


def test_a_failed_connection_sends_the_request_over_http_at_once() -> None:
    choice = TransportChoice()
    choice.signal(Signal.CONNECT_FAILED, 10.0)

    assert choice.pick(10.0) == "http"


def test_the_websocket_is_tried_again_after_the_cool_down() -> None:
    choice = TransportChoice(cool_down=60.0)
    choice.signal(Signal.CONNECT_FAILED, 10.0)

    assert choice.pick(69.9) == "http"
    assert choice.pick(70.0) == "websocket"


def test_the_cool_down_doubles_up_to_its_limit() -> None:
    choice = TransportChoice(cool_down=60.0, max_cool_down=200.0)
    now, waits = 0.0, []
    for _ in range(4):
        choice.signal(Signal.CONNECT_FAILED, now)
        started = now
        while choice.pick(now) == "http":
            now += 10.0
        waits.append(now - started)

    assert waits == [60.0, 120.0, 200.0, 200.0]


def test_a_finished_response_resets_the_cool_down() -> None:
    choice = TransportChoice(cool_down=60.0)
    choice.signal(Signal.CONNECT_FAILED, 0.0)
    assert choice.pick(60.0) == "websocket"
    choice.signal(Signal.OPENED, 60.0)
    choice.response_finished()
    choice.signal(Signal.STREAMS_FAILED, 100.0)

    assert choice.pick(159.0) == "http"
    assert choice.pick(160.0) == "websocket"


def test_a_connection_that_opens_and_carries_nothing_does_not_reset_the_cool_down() -> None:
    choice = TransportChoice(cool_down=60.0)
    choice.signal(Signal.STREAMS_FAILED, 0.0)
    assert choice.pick(60.0) == "websocket"
    choice.signal(Signal.OPENED, 60.0)
    choice.signal(Signal.STREAMS_FAILED, 60.0)

    assert choice.pick(179.0) == "http"
    assert choice.pick(180.0) == "websocket"


def test_a_server_that_says_never_is_not_asked_again() -> None:
    choice = TransportChoice()
    choice.signal(Signal.UPGRADE_REFUSED, 0.0)

    assert choice.pick(1e9) == "http"


@pytest.mark.parametrize("signal", Signal)
def test_a_forced_transport_is_kept_whatever_happens(signal: Signal) -> None:
    websocket, http = TransportChoice("websocket"), TransportChoice("http")
    websocket.signal(signal, 0.0)
    http.signal(signal, 0.0)

    assert websocket.pick(0.0) == "websocket"
    assert not websocket.may_fall_back
    assert http.pick(1e9) == "http"


def test_the_websocket_rests_a_minute_and_never_longer_than_a_quarter_of_an_hour() -> None:
    choice = TransportChoice()
    choice.signal(Signal.CONNECT_FAILED, 0.0)
    assert (choice.pick(59.9), choice.pick(60.0)) == ("http", "websocket")
    for _ in range(30):
        choice.state = State.WORKING
        choice.signal(Signal.STREAMS_FAILED, 100.0)

    assert (choice.pick(999.9), choice.pick(1000.0)) == ("http", "websocket")


@pytest.mark.parametrize(("mode", "may"), [("auto", True), ("http", True), ("websocket", False)])
def test_http_may_take_over_unless_the_websocket_must_do(mode: Any, *, may: bool) -> None:
    assert TransportChoice(mode).may_fall_back is may
