"""An exchange of a session, driven effect by effect without socket, clock or thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw

from codex_api import errors, events
from codex_api._logic.session.effects import (
    BeginConversation,
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
from codex_api._logic.session.input_json import InputJson
from codex_api._logic.session.progress import Progress
from codex_api._logic.session.session_state import Asked, SessionState
from codex_api._logic.session.stream_retry import RetryDecider
from codex_api._logic.session.transport_choice import TransportChoice, TransportMode
from codex_api.transport._core.retry import RetryConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api._logic.session.effects import Effect, Steps

CUT = errors.StreamClosedError()
USER = b'{"type":"message","role":"user","content":[]}'
CREATED, COMPLETED = events.Created("r1"), events.Completed("r1")
WHOLE = ([CREATED, COMPLETED], 5, None)
OPENING = ["Identify", "CheckSocket", "OpenSocket", "Identify", "SendFrame", "Relay"]


def done(item: Any) -> events.OutputItemDone:
    return events.OutputItemDone(item, Raw(b"{}"))


class Driver:
    """Answers the effects of exchanges from scripts, and remembers them.

    Args:
        opens: What each opening gives: a turn state, nothing, or a failure.
        relays: What each relay delivers: events, the number of the last one, and a failure or None.
        tells: Turn states that the answers tell, each before its first event; None tells none.
        refusals: Failures of the next tries to resume, before any event comes.
    """

    def __init__(
        self,
        *,
        mode: TransportMode = "auto",
        opens: Sequence[errors.CodexApiError | str | None] = (),
        relays: Sequence[tuple[list[Any], int | None, errors.CodexApiError | None]] = (),
        renews: bool = True,
        tells: Sequence[str | None] = (),
        refusals: Sequence[errors.CodexApiError] = (),
        **asked: Any,
    ) -> None:
        self.state = SessionState(choice=TransportChoice(mode))
        self.progress = Progress(keep_ids=False)
        self.effects: list[Effect] = []
        self.begun = 0
        self.now = 0.0
        self.is_open = False
        self.owner = "me"
        self._opens = list(opens)
        self._relays = list(relays)
        self._renews = renews
        self._tells = list(tells)
        self._refusals = list(refusals)
        #: What the session knew of the turn when the events of each answer began to come.
        self.known_turns: list[str | None] = []
        self._asked: dict[str, Any] = {"fields": b"{}", "input": b"[" + USER + b"]"} | asked

    def exchange(self, **asked: Any) -> Exchange:
        decider = RetryDecider(RetryConfig(), lambda: 0.5)
        given = self._asked | asked
        values = Asked(**(given | {"input": InputJson(given["input"])}))
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

    def _perform(self, effect: Effect) -> object:  # noqa: C901, PLR0912 - one arm an effect
        match effect:
            case BeginConversation():
                self.begun += 1
                return f"conv_{self.begun}"
            case CheckSocket():
                return self.is_open
            case OpenSocket():
                error = self._opens.pop(0) if self._opens else None
                if isinstance(error, errors.CodexApiError):
                    raise error
                self.is_open = True
                return error
            case SendFrame() | PostRequest():
                told = self._tells.pop(0) if self._tells else None
                if told is not None:
                    effect.cell.offer(told)
            case DropSocket():
                self.is_open = False
            case Resume() if self._refusals:
                raise self._refusals.pop(0)
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
        self.known_turns.append(self.state.turn.value_for(self.owner))
        delivered, number, error = self._relays.pop(0)
        for event in delivered:
            progress.observe(event)
        progress.last_sequence = number
        if error is not None:
            raise error

    def of(self, kind: type) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]
