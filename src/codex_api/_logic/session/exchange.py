"""One request of a session, from the choice of the transport to the response's end.

``Exchange.steps`` yields effects and performs nothing, so all of it is tested without a socket, a
clock or a thread. The order of one try: pick the transport, have a socket that will live long
enough, send no more input than needed, relay; on a failure ask ``RetryDecider`` what follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from codex_api._logic.calling.log import SESSION
from codex_api._logic.session.effects import (
    Announce,
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
    Steps,
)
from codex_api._logic.session.errors import ReplayRefusedError
from codex_api._logic.session.held_input import Outgoing
from codex_api._logic.session.stream_retry import (
    Again,
    Failure,
    GiveUp,
    Phase,
    RefreshFirst,
    RetryDecider,
    lost_its_name,
)
from codex_api._logic.session.transport_choice import Signal
from codex_api.errors import (
    FirstEventTimeoutError,
    IdleTimeoutError,
    ResponseIncompleteError,
    StreamClosedError,
)
from codex_api.events import StreamRetry
from codex_api.transport.errors import (
    CodexApiError,
    NetworkError,
    TransportTimeoutError,
)
from codex_api.types.turn_state import TurnState

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from codex_api._logic.session.effects import Effect
    from codex_api._logic.session.progress import Progress
    from codex_api._logic.session.session_state import Asked, SessionState

_BROKEN = (
    FirstEventTimeoutError,
    IdleTimeoutError,
    NetworkError,
    StreamClosedError,
    TransportTimeoutError,
)

# Some servers take no larger frame, and drop the connection without a word.
_HUGE_FRAME_BYTES = 16 << 20


class Exchange:
    """Gets one response.

    Args:
        clock: Gives monotonic seconds.
    """

    def __init__(
        self,
        state: SessionState,
        asked: Asked,
        progress: Progress,
        decider: RetryDecider,
        clock: Callable[[], float],
    ) -> None:
        self._state = state
        self._asked = asked
        self._progress = progress
        self._decider = decider
        self._clock = clock
        self._resumes = False
        # Whether the server answered the last try to resume.
        self._is_rest_open = False
        self._may_resume = asked.stored

    def steps(self) -> Steps:
        """Get the response.

        Raises:
            CodexApiError: The failure that nothing more can be done about.
        """
        self._begin_turn()
        while True:
            failure = yield from self._attempt()
            if failure is None:
                return
            yield from self._recover(failure)

    def prewarm(self) -> Steps:
        """Open the socket and warm the server up, at best effort: a failure is kept quiet."""
        state = self._state
        if state.choice.pick(self._clock()) != "websocket":
            return
        self._begin_turn()
        failure = yield from self._over_websocket()
        state.warm = failure is None
        if failure is not None:
            self._spare_request(failure)

    def _spare_request(self, failure: Failure) -> None:
        """Take the choice of the transport that a prewarm's failure asks for."""
        if failure.phase is not Phase.CONNECT:
            return  # a socket that opened and failed later may still do for the request itself
        step = self._decider.next_step(failure)
        self._signal(step.signals if isinstance(step, Again) else ())

    def _begin_turn(self) -> None:
        state = self._state
        # What the server told a prewarm is meant for the turn that follows it.
        if self._asked.starts_turn and not state.warm:
            state.turn.begin_turn()
        state.warm = False

    def _attempt(self) -> Generator[Effect, object, Failure | None]:
        if self._resumes:
            return (yield from self._resumed())
        if self._state.choice.pick(self._clock()) == "websocket":
            return (yield from self._over_websocket())
        return (yield from self._over_http())

    # Over a WebSocket -------------------------------------------------------------------------

    def _over_websocket(self) -> Generator[Effect, object, Failure | None]:
        state, asked = self._state, self._asked
        owner = yield from _identity()
        try:
            reused = yield from self._ready_socket(owner)
        except CodexApiError as exc:
            return self._failure(Phase.CONNECT, exc)
        out = yield from self._outgoing()
        cell = TurnState(state.turn.value_for(state.owner))
        try:
            yield SendFrame(
                out.input, out.previous_response_id, asked.generate, cell, out.conversation
            )
            yield Relay(self._progress)
        except CodexApiError as exc:
            state.forget_socket()
            yield DropSocket()
            return self._failure(Phase.WEBSOCKET, exc, was_reused=reused, out=out)
        finally:
            state.turn.offer(cell.get(), state.owner)
        state.used = True
        state.choice.response_finished()
        self._hold()
        return None

    def _outgoing(self) -> Generator[Effect, object, Outgoing]:
        """Decide what goes out, and note it as sent."""
        held, asked = self._state.held, self._asked
        whole = asked.with_kept(self._progress.kept)
        if self._is_warm_up_beside_a_conversation:
            return Outgoing(bytes(whole))
        if held.wants_conversation(whole):
            held.conversation = str((yield BeginConversation()))
        out = held.outgoing(asked.fields, whole) if asked.may_chain else Outgoing(bytes(whole))
        held.begin(asked.fields, asked.input, is_kept=asked.is_held)
        return out

    def _hold(self) -> None:
        """Note what the server holds now that the response has come to its end."""
        progress = self._progress
        if progress.response_id and not self._is_warm_up_beside_a_conversation:
            self._state.held.complete(progress.response_id, progress.output_forms)

    @property
    def _is_warm_up_beside_a_conversation(self) -> bool:
        # What a conversation is given stays in it.
        return self._asked.generate is False and self._state.held.mode == "conversation"

    def _ready_socket(self, owner: str) -> Generator[Effect, object, bool]:
        state = self._state
        alive = (yield CheckSocket()) and state.owner == owner
        if alive and state.opened_at is not None and not self._is_old(state.opened_at):
            return state.used
        state.forget_socket()
        told = yield OpenSocket()
        # Opening renews what the server refuses.
        state.owner = yield from _identity()
        if isinstance(told, str):
            state.turn.offer(told, state.owner)
        state.opened_at = self._clock()
        self._signal((Signal.OPENED,))
        return False

    def _is_old(self, opened_at: float) -> bool:
        return self._clock() - opened_at >= self._state.rotate_after

    # Over HTTP --------------------------------------------------------------------------------

    def _over_http(self) -> Generator[Effect, object, Failure | None]:
        owner = yield from _identity()
        cell = TurnState(self._state.turn.value_for(owner))
        yield DropSocket()
        self._state.forget_socket()
        out = yield from self._outgoing()
        kept = [msgspec.Raw(item) for item in self._progress.kept]
        try:
            yield PostRequest(kept, cell, out if _is_named(out) else None)
            self._state.turn.offer(cell.get(), owner)
            yield Relay(self._progress)
        except CodexApiError as exc:
            return self._failure(Phase.HTTP, exc, out=out)
        finally:
            self._state.turn.offer(cell.get(), owner)
        self._hold()
        return None

    def _resumed(self) -> Generator[Effect, object, Failure | None]:
        progress = self._progress
        response_id, last = progress.response_id, progress.last_sequence
        assert response_id is not None  # noqa: S101 - `_can_resume` looked
        assert last is not None  # noqa: S101 - `_can_resume` looked
        self._is_rest_open = False
        try:
            yield Resume(response_id, last)
            self._is_rest_open = True
            yield Relay(progress)
        except CodexApiError as exc:
            if progress.last_sequence != last:
                self._decider.spent.retries = 0
            return self._failure(Phase.HTTP, exc)
        self._hold()
        return None

    # After a failure --------------------------------------------------------------------------

    def _failure(
        self,
        phase: Phase,
        error: CodexApiError,
        *,
        was_reused: bool = False,
        out: Outgoing | None = None,
    ) -> Failure:
        cause = error.__cause__
        held = self._state.held
        if phase is not Phase.CONNECT:
            broke_off = isinstance(error, (*_BROKEN, ResponseIncompleteError))
            unclear = broke_off or self._is_unanswered
            held.failed(is_clear=not unclear or error.sent == "no")
        return Failure(
            phase=phase,
            error=error,
            cause=cause if isinstance(cause, CodexApiError) else error,
            was_reused=was_reused,
            received=self._progress.received,
            chained=out is not None and _is_named(out) and held.may_be_lost,
            may_fall_back=self._state.choice.may_fall_back,
            is_repeatable=self._is_known or self._asked.is_repeatable,
            is_huge=len(self._asked.fields) + self._asked.input.size > _HUGE_FRAME_BYTES,
        )

    def _recover(self, failure: Failure) -> Steps:
        if self._is_unanswered and _is_refusal(failure):
            # The server does not keep the response after all: ask for it anew.
            self._may_resume = False
            yield from self._restart(failure, Again())
            return
        step = self._decider.next_step(failure)
        if isinstance(step, RefreshFirst):
            if (yield Renew(failure.error)):
                return
            step = self._decider.next_step(failure)
        if isinstance(step, GiveUp | RefreshFirst):
            raise failure.error
        if lost_its_name(failure):
            self._state.held.forget()
        SESSION.info("%s: asked for again in %.3f s", type(failure.error).__name__, step.delay)
        self._signal(step.signals)
        if self._can_resume(failure):
            self._resumes = True
            yield Pause(step.delay)
            return
        yield from self._restart(failure, step)

    @property
    def _is_known(self) -> bool:
        """Whether the server keeps the response, and told enough to ask for its rest."""
        progress = self._progress
        known = progress.response_id is not None and progress.last_sequence is not None
        return self._may_resume and known

    def _can_resume(self, failure: Failure) -> bool:
        # A response that failed has no rest to read. One whose stream broke off has, and so has one
        # of which the server would not give the rest for now.
        broke_off = self._is_unanswered or isinstance(failure.error, _BROKEN)
        return self._is_known and broke_off

    @property
    def _is_unanswered(self) -> bool:
        """Whether the rest was asked for, and the server said nothing of the response itself."""
        return self._resumes and not self._is_rest_open

    def _restart(self, failure: Failure, step: Again) -> Steps:
        """Ask anew, with the finished items as input, after telling the caller what to drop."""
        self._resumes = False
        progress = self._progress
        kept = progress.split()
        if self._asked.replay == "safe" and kept.replayed is not None:
            raise ReplayRefusedError(kept.replayed.type) from failure.error
        dropped = progress.keep(kept.length)
        if step.counted or progress.received:
            retries = self._decider.spent.retries
            yield Announce(StreamRetry(retries, step.delay, failure.error, dropped))
        progress.begin_try()
        if step.delay > 0:
            yield Pause(step.delay)

    def _signal(self, signals: tuple[Signal, ...]) -> None:
        choice = self._state.choice
        for signal in signals:
            before = choice.state
            choice.signal(signal, self._clock())
            if choice.state is not before:
                SESSION.info("%s: the WebSocket is %s now", signal, choice.state)


def _is_named(out: Outgoing) -> bool:
    return out.previous_response_id is not None or out.conversation is not None


def _identity() -> Generator[Effect, object, str]:
    owner = yield Identify()
    return str(owner)


def _is_refusal(failure: Failure) -> bool:
    status = failure.cause.status
    return status is not None and 400 <= status <= 499 and status not in {401, 408, 429}  # noqa: PLR2004 - the class of client errors
