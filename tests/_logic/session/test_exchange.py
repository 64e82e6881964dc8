from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Raw

from codex_api import errors, events
from codex_api._logic.session.effects import (
    Announce,
    CheckSocket,
    DropSocket,
    Identify,
    OpenSocket,
    Pause,
    PostRequest,
    Relay,
    Renew,
    Resume,
    SendFrame,
)
from codex_api._logic.session.exchange import Exchange
from codex_api._logic.session.progress import Progress
from codex_api._logic.session.session_state import Asked, SessionState
from codex_api._logic.session.stream_retry import RetryDecider
from codex_api._logic.session.transport_choice import State, TransportChoice, TransportMode
from codex_api.items import FunctionCall, FunctionCallOutput, Message
from codex_api.transport._core.retry import RetryConfig
from codex_api.transport.errors import (
    AuthBuildError,
    ConnectTimeoutError,
    HttpStatusError,
    NetworkError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api._logic.session.effects import Effect, Steps

CUT = errors.StreamClosedError()
USER = b'{"type":"message","role":"user","content":[]}'


class Driver:
    """Answers the effects of one exchange from scripts, and remembers them.

    Args:
        opens: What each opening gives: nothing, or a failure.
        relays: What each relay delivers: events, the number of the last one, and a failure or None.
    """

    def __init__(
        self,
        *,
        mode: TransportMode = "auto",
        opens: Sequence[errors.CodexApiError | None] = (),
        relays: Sequence[tuple[list[Any], int | None, errors.CodexApiError | None]] = (),
        renews: bool = True,
        **asked: Any,
    ) -> None:
        self.state = SessionState(choice=TransportChoice(mode))
        self.progress = Progress(keep_ids=False)
        self.effects: list[Effect] = []
        self.now = 0.0
        self.is_open = False
        self.owner = "me"
        self._opens = list(opens)
        self._relays = list(relays)
        self._renews = renews
        self._asked: dict[str, Any] = {"fields": b"{}", "input": b"[" + USER + b"]"} | asked

    def exchange(self, **asked: Any) -> Exchange:
        decider = RetryDecider(RetryConfig(), lambda: 0.5)
        values = Asked(**(self._asked | asked))
        self.progress = Progress(keep_ids=False)
        return Exchange(self.state, values, self.progress, decider, lambda: self.now)

    def run(self, steps: Steps) -> list[str]:
        """Perform everything; give the names of what was done."""
        result: object = None
        failure: errors.CodexApiError | None = None
        done: list[str] = []
        while True:
            try:
                effect = steps.throw(failure) if failure else steps.send(result)
            except StopIteration:
                return done
            done.append(type(effect).__name__)
            self.effects.append(effect)
            result = failure = None
            try:
                result = self._perform(effect)
            except errors.CodexApiError as exc:
                failure = exc

    def _perform(self, effect: Effect) -> object:
        match effect:
            case CheckSocket():
                return self.is_open
            case OpenSocket():
                error = self._opens.pop(0) if self._opens else None
                if error is not None:
                    raise error
                self.is_open = True
            case DropSocket():
                self.is_open = False
            case Relay(progress):
                self._relay(progress)
            case Renew():
                return self._renews
            case Identify():
                return self.owner
            case Pause(delay):
                self.now += delay
            case _:
                pass
        return None

    def _relay(self, progress: Progress) -> None:
        delivered, number, error = self._relays.pop(0)
        for event in delivered:
            progress.observe(event)
        progress.last_sequence = number
        if error is not None:
            raise error

    def of(self, kind: type) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]


CREATED, COMPLETED = events.Created("r1"), events.Completed("r1")
WHOLE = ([CREATED, COMPLETED], 5, None)
OPENING = ["Identify", "CheckSocket", "OpenSocket", "Identify", "SendFrame", "Relay"]


def done(item: Any) -> events.OutputItemDone:
    return events.OutputItemDone(item, Raw(b"{}"))


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


def test_credentials_that_cannot_be_renewed_are_the_outcome() -> None:
    refused = errors.AuthenticationError(status=401)
    driver = Driver(relays=[([], None, refused)], renews=False)

    with pytest.raises(errors.AuthenticationError):
        driver.run(driver.exchange().steps())
    assert len(driver.of(Renew)) == 1


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


def test_a_stored_response_is_resumed_again_and_again_while_it_goes_on() -> None:
    relays: list[Any] = [([CREATED], 1, CUT)]
    relays += [*(([], number, CUT) for number in range(2, 12)), WHOLE]
    driver = Driver(relays=relays, stored=True)
    driver.run(driver.exchange().steps())

    assert [effect.starting_after for effect in driver.of(Resume)] == list(range(1, 12))
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
    driver = Driver(relays=[([CREATED], 1, CUT), ([], 1, gone), WHOLE], stored=True)
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
