"""What both kinds of session share: the state between requests, and each request's exchange."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from codex_api._logic.calling.websocket_call import trace_context
from codex_api._logic.outgoing.plain_values import as_request
from codex_api._logic.session.encoded_input import EncodedInput
from codex_api._logic.session.exchange import Exchange
from codex_api._logic.session.held_input import HeldInput
from codex_api._logic.session.progress import Progress
from codex_api._logic.session.request_forms import RequestForms
from codex_api._logic.session.session_state import Asked, SessionState
from codex_api._logic.session.sticky_turn import identity
from codex_api._logic.session.stream_retry import RetryDecider
from codex_api._logic.session.transport_choice import TransportChoice
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from codex_api._logic.calling.policy import CallSettings
    from codex_api._logic.calling.stream_call import StreamFacts
    from codex_api._logic.session.effects import SendFrame, Steps
    from codex_api._logic.session.settings import SessionSettings
    from codex_api._logic.session.transport_choice import TransportName
    from codex_api.auth import AuthProvider
    from codex_api.events import RawEvent
    from codex_api.types.request import AnyRequest, ResponsesApiRequest, ResponsesOptions
    from codex_api.types.turn_state import TurnState


class SessionPlan:
    """The state of one session."""

    def __init__(
        self, calls: CallSettings, settings: SessionSettings, options: ResponsesOptions
    ) -> None:
        self.calls = calls
        self.settings = settings
        self.options = options
        choice = TransportChoice(settings.transport, cool_down=settings.cool_down)
        self.state: SessionState = SessionState(
            choice=choice,
            rotate_after=settings.rotate_after,
            held=HeldInput(settings.chain, settings.conversation),
        )
        self.encoded: EncodedInput = EncodedInput()

    @property
    def transport(self) -> TransportName:
        """What the next request goes over, as far as is known now."""
        return self.state.choice.pick(self.calls.clock.monotonic())

    def plan(
        self, request: AnyRequest, *, new_turn: bool | None, generate: bool | None = None
    ) -> RequestPlan:
        """Prepare one request.

        Raises:
            RequestBuildError: It cannot be encoded.
            TypeError: It is neither a request nor a mapping.
        """
        return RequestPlan(self, as_request(request), new_turn=new_turn, generate=generate)


class RequestPlan:
    """One request of a session, encoded, and the exchange that gets its response.

    Attributes:
        answer: The answer that is being read, or was read last; None before there is one.
        keeps_raw: Whether payloads are kept as they come, in ``raws``.
    """

    def __init__(
        self,
        session: SessionPlan,
        request: ResponsesApiRequest,
        *,
        new_turn: bool | None,
        generate: bool | None,
    ) -> None:
        settings, clock = session.settings, session.calls.clock
        forms = RequestForms(request, session.options, session.encoded)
        if settings.chain == "conversation" and not forms.may_chain:
            message = "the session names the conversation itself: the request must name nothing"
            raise RequestBuildError(message)
        self.forms: RequestForms = forms
        self.progress: Progress = Progress(keep_ids=forms.keep_ids)
        self.answer: StreamFacts | None = None
        self.keeps_raw = False
        self.raws: list[RawEvent] = []
        self._session = session
        asked = asked_for(forms, settings, new_turn=new_turn, generate=generate)
        retry = replace(
            session.calls.context.provider.retry,
            max_attempts=settings.stream_max_retries,
            base_delay=settings.stream_base_delay,
        )
        self._exchange = Exchange(
            session.state,
            asked,
            self.progress,
            RetryDecider(retry, clock.draw),
            clock.monotonic,
        )

    def steps(self) -> Steps:
        """Get the response."""
        return self._exchange.steps()

    def prewarm(self) -> Steps:
        """Warm the server up."""
        return self._exchange.prewarm()

    def frame(self, effect: SendFrame) -> bytes:
        """Encode the frame that ``effect`` asks for."""
        calls = self._session.calls
        return self.forms.frame(
            effect.input,
            previous_response_id=effect.previous_response_id,
            generate=effect.generate,
            turn_state=effect.cell.get(),
            trace=trace_context(calls.telemetry),
            wall=calls.clock.wall(),
            conversation=effect.conversation,
        )

    def options(self, cell: TurnState | None = None) -> ResponsesOptions:
        """Return the session's options with the turn's cell."""
        return msgspec.structs.replace(self._session.options, turn_state=cell)


def asked_for(
    forms: RequestForms, settings: SessionSettings, *, new_turn: bool | None, generate: bool | None
) -> Asked:
    """Make a request as its exchange needs it, from its forms and the session's settings."""
    is_in_conversation = settings.chain == "conversation"
    is_kept = settings.chain == "response" and forms.stored and generate is None
    return Asked(
        fields=forms.fields,
        input=forms.input,
        may_chain=forms.may_chain,
        stored=forms.stored and settings.resume,
        starts_turn=forms.starts_turn if new_turn is None else new_turn,
        replay=settings.replay,
        generate=generate,
        is_repeatable=not (forms.stored or is_in_conversation),
        is_held=is_in_conversation or is_kept,
    )


def owner_of(auth: AuthProvider) -> str:
    """Name the credentials that ``auth`` gives now."""
    headers = Headers()
    auth.add_auth_headers(headers)
    return identity(headers)
