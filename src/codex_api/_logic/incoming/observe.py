"""What is reported to an observer of one response, each thing once and the end always."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import msgspec

from codex_api import events
from codex_api._logic.incoming.error_body import read_as
from codex_api.telemetry import StreamEnd, StreamStart
from codex_api.transport._core.messages import EncodedJson, JsonBody, public_url
from codex_api.transport.errors import ClientStateError, CodexApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api._logic.incoming.terminal import Terminal
    from codex_api.events import ResponseEvent
    from codex_api.telemetry import StreamObserver
    from codex_api.transport._core.messages import Body, Request
    from codex_api.types.request import ResponsesOptions
    from codex_api.types.usage import TokenUsage


T = TypeVar("T")
Feed: TypeAlias = "Callable[[T, float], list[ResponseEvent]]"


class _Facts(Protocol):
    @property
    def response_id(self) -> str | None: ...
    @property
    def server_model(self) -> str | None: ...
    @property
    def leftovers(self) -> int: ...
    @property
    def terminal(self) -> Terminal | None: ...


class StreamWatch:
    """Tells an observer about one response.

    Args:
        observer: Gets the reports.
        started_at: When the call began, by the clock of ``feeding``.
    """

    def __init__(self, observer: StreamObserver, started_at: float) -> None:
        self.observer = observer
        self._started_at = started_at
        self._machine: _Facts | None = None
        self._completed: events.Completed | None = None
        self._heard = False
        self._ended = False

    def feeding(self, machine: _Facts, feed: Feed[T]) -> Feed[T]:
        """Return ``feed``, the method of ``machine``, wrapped so that its events are reported."""
        self._machine = machine

        def observed(data: T, now: float) -> list[ResponseEvent]:
            found = feed(data, now)
            if found:
                self._hear(found, now)
            return found

        return observed

    def end(self, error: BaseException | None) -> None:
        """Report the end; only the first one counts.

        Args:
            error: What ended the response, or None when it was complete or given up.
        """
        if self._ended:
            return
        self._ended = True
        machine, done = self._machine, self._completed
        terminal = machine.terminal if machine else None
        self.observer.on_end(
            StreamEnd(
                response_id=machine.response_id if machine else None,
                server_model=machine.server_model if machine else None,
                usage=done.token_usage if done else _usage_of(error),
                is_complete=done is not None,
                error=failure_of(error),
                leftovers=machine.leftovers if machine else 0,
                service_tier=terminal.service_tier if terminal else None,
            )
        )

    def _hear(self, found: list[ResponseEvent], now: float) -> None:
        if not self._heard:
            self._heard = True
            self.observer.on_first_event(now - self._started_at)
        if isinstance(found[-1], events.Completed):
            self._completed = found[-1]


class Asked(msgspec.Struct, frozen=True):
    """What a body asks for, as far as observers are told.

    Attributes:
        model: None when the body names none.
        tier: Its ``service_tier``, of whatever type.
    """

    model: str | None = None
    tier: object = msgspec.field(default=None, name="service_tier")

    @property
    def service_tier(self) -> str | None:
        """The tier, where it is a text."""
        return self.tier if isinstance(self.tier, str) else None


_NOTHING = Asked()


def stream_start(request: Request, options: ResponsesOptions) -> StreamStart:
    """Say what a call is about to ask."""
    asked = asked_of(request.body)
    return StreamStart(
        model=asked.model,
        url=public_url(request.url),
        conversation_id=options.thread_id or options.conversation_id,
        service_tier=asked.service_tier,
    )


def asked_of(body: Body | None) -> Asked:
    """Return what a body asks for; nothing where it cannot be read."""
    if isinstance(body, EncodedJson):
        return read_as(Asked, body.data) or _NOTHING
    if not isinstance(body, JsonBody):
        return _NOTHING
    try:
        # Not encoded: whether all of it can be is for the call itself to find out.
        return msgspec.convert(body.value, Asked)
    except msgspec.ValidationError:
        return _NOTHING


def failure_of(error: BaseException | None) -> CodexApiError | None:
    """Return ``error`` if it is a failure, and None for a call that its caller gave up."""
    if isinstance(error, ClientStateError):
        return None  # closed elsewhere
    return error if isinstance(error, CodexApiError) else None


def _usage_of(error: BaseException | None) -> TokenUsage | None:
    usage: TokenUsage | None = getattr(error, "usage", None)
    return usage
