"""Exchanges of sessions whose history the server keeps."""

from __future__ import annotations

import pytest

from codex_api._logic.session.effects import PostRequest, SendFrame
from codex_api._logic.session.held_input import HeldInput, Outgoing
from codex_api.items import Message, encode_item
from codex_api.transport.errors import ClientStateError, HttpStatusError
from tests._logic.session.exchange_driver import COMPLETED, CREATED, CUT, USER, WHOLE, Driver, done

ANSWER = Message.assistant("a")
ANSWERED = ([CREATED, done(ANSWER), COMPLETED], 5, None)
NEW = b'{"type":"message","role":"user","content":[1]}'
FIRST = b"[" + USER + b"]"
SECOND = b"[" + b",".join((USER, encode_item(ANSWER, keep_ids=False), NEW)) + b"]"
GONE = HttpStatusError(status=404)


def held(driver: Driver, *given: str) -> Driver:
    driver.state.held = HeldInput(*given)  # type: ignore[arg-type]  # a mode and an id
    return driver


def test_a_conversation_is_begun_before_the_first_request_alone() -> None:
    driver = held(Driver(mode="http", relays=[ANSWERED, WHOLE], is_held=True), "conversation")

    first = driver.run(driver.exchange(input=FIRST).steps())
    second = driver.run(driver.exchange(input=SECOND).steps())

    assert first == ["Identify", "DropSocket", "BeginConversation", "PostRequest", "Relay"]
    assert second == ["Identify", "DropSocket", "PostRequest", "Relay"]
    assert [effect.instead for effect in driver.of(PostRequest)] == [
        Outgoing(FIRST, None, "conv_1"),
        Outgoing(b"[" + NEW + b"]", None, "conv_1"),
    ]


def test_a_prewarm_puts_nothing_into_a_conversation() -> None:
    driver = held(Driver(relays=[WHOLE, WHOLE], is_held=True), "conversation")

    driver.run(driver.exchange(generate=False).prewarm())
    driver.run(driver.exchange().steps())

    warm_up, request = driver.of(SendFrame)
    assert (warm_up.conversation, warm_up.previous_response_id) == (None, None)
    assert (request.conversation, request.input) == ("conv_1", FIRST)


def test_a_stored_response_is_continued_over_http_and_asked_whole_when_forgotten() -> None:
    driver = held(
        Driver(mode="http", relays=[ANSWERED, ([], None, GONE), WHOLE], is_held=True), "response"
    )

    driver.run(driver.exchange(input=FIRST).steps())
    driver.run(driver.exchange(input=SECOND).steps())

    assert [effect.instead for effect in driver.of(PostRequest)] == [
        None,
        Outgoing(b"[" + NEW + b"]", "r1"),
        None,
    ]


def test_nobody_goes_on_in_a_conversation_of_the_caller_whose_end_is_unknown() -> None:
    driver = held(
        Driver(
            mode="http",
            relays=[([CREATED], 1, CUT)],
            is_held=True,
            is_repeatable=False,
        ),
        "conversation",
        "conv_9",
    )

    with pytest.raises(ClientStateError, match="conv_9"):
        driver.run(driver.exchange().steps())
