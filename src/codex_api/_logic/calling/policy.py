"""What all calls of one client share: context, limits, and the policy of each call."""

from __future__ import annotations

from functools import partial
from logging import INFO
from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct, field

from codex_api import __version__
from codex_api._logic.calling.dialing import handshake_headers
from codex_api._logic.calling.log import CALL, LoggedCall
from codex_api.errors import FirstEventTimeoutError
from codex_api.provider import Provider
from codex_api.transport._core.flow import CallPolicy
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.retry import RetryConfig
from codex_api.transport.errors import ClientStateError, CodexApiError, DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api._logic.calling.operation import CallContext
    from codex_api.clock import Clock
    from codex_api.telemetry import CallObserver, Telemetry
    from codex_api.transport._core.messages import Response

_CLOSED = "this client is closed; make a new one"
_NO_RETRIES = RetryConfig(max_attempts=0)
_NONE_ACCEPTED: frozenset[int] = frozenset()
# Lowest layer of all: present only where nobody else said anything.
_AGENT = f"codex-api-python/{__version__}"


def check_arguments(provider: object, auth: object) -> None:
    """Refuse what is no provider or no credentials, in words that say what to give instead.

    Raises:
        TypeError: One of the two is something else, such as a text.
    """
    if not isinstance(provider, Provider):
        what = type(provider).__name__
        message = f"a provider is a Provider, such as Provider.openai(), not {what}"
        raise TypeError(message)
    if auth is not None and not hasattr(auth, "add_auth_headers"):
        what = type(auth).__name__
        message = f"auth is an auth provider, such as ApiKeyAuth(key), not {what}"
        raise TypeError(message)


def client_defaults(headers: Headers) -> Headers:
    """Complete a client's default headers with the library's own."""
    # The real client says what it takes before it says who it is.
    defaults = Headers() if "accept" in headers else Headers({"accept": "*/*"})
    defaults.fill(headers)
    defaults.fill({"user-agent": _AGENT})
    return defaults


class CallSettings(Struct, kw_only=True):
    """The state of a client that its calls look at.

    Attributes:
        context: Provider and limits.
        defaults: Headers for names that nothing else sets.
        on_answer: Given each answer that comes whole before it is read; None for nobody.
        refused_coding: Whether a server took a body only after it came uncompressed.
        closed: Whether the client was closed.
    """

    context: CallContext
    clock: Clock
    telemetry: Telemetry | None
    defaults: Headers = field(default_factory=Headers)
    on_answer: Callable[[Response], object] | None = None
    refused_coding: bool = False
    closed: bool = False

    def check_open(self) -> None:
        """Raise ``ClientStateError`` when the client was closed: no new call begins."""
        if self.closed:
            raise ClientStateError(_CLOSED)

    def unary_policy(
        self,
        timeout: float | None,
        accept: frozenset[int],
        observer: CallObserver | None = None,
    ) -> CallPolicy:
        """Make the policy of a call whose answer is read whole.

        Args:
            timeout: Limit in seconds on the whole call; None takes ``Timeouts.total``.
            observer: Hears of its attempts instead of the client's telemetry.

        Raises:
            ClientStateError: The client was closed.
        """
        limit = self.context.timeouts.total if timeout is None else timeout
        deadline = None if limit is None else self.clock.monotonic() + limit
        return self._policy(deadline, limit, accept, first_event=False, observer=observer)

    def stream_policy(
        self,
        started_at: float,
        observer: CallObserver | None = None,
        *,
        asks_once: bool = False,
    ) -> CallPolicy:
        """Make the policy of a call up to the head of its stream.

        Args:
            started_at: When the call began, a monotonic instant.
            observer: Hears of its attempts instead of the client's telemetry.
            asks_once: Whether a failed attempt is not made again.

        Raises:
            ClientStateError: The client was closed.
        """
        timeouts = self.context.timeouts
        limit, first = timeouts.total, timeouts.first_event
        first_event = first is not None and (limit is None or first < limit)
        if first_event:
            limit = first
        return self._policy(
            None if limit is None else started_at + limit,
            limit,
            _NONE_ACCEPTED,
            first_event=first_event,
            observer=observer,
            retry=_NO_RETRIES if asks_once else None,
        )

    def dialing_policy(self, observer: CallObserver | None = None) -> CallPolicy:
        """Make the policy of a WebSocket's handshake: one attempt, and one more after a refresh.

        Args:
            observer: Hears of the attempts; the frames carry the trace, not the handshake.

        Raises:
            ClientStateError: The client was closed.
        """
        self.check_open()
        return CallPolicy(
            retry=_NO_RETRIES,
            clock=self.clock.monotonic,
            wall_clock=self.clock.wall,
            draw=self.clock.draw,
            observer=observer,
            defaults=handshake_headers(self.defaults),
            accept=frozenset({101}),
        )

    def raise_mapped(self, error: CodexApiError) -> NoReturn:
        """Raise the error to show for ``error``, which is being handled."""
        from codex_api.errors import map_api_error  # noqa: PLC0415 - only for failures

        mapped = map_api_error(error, now=self.clock.wall())
        if mapped is error:
            raise error
        raise mapped from error

    def _policy(
        self,
        deadline: float | None,
        limit: float | None,
        accept: frozenset[int],
        *,
        first_event: bool,
        observer: CallObserver | None = None,
        retry: RetryConfig | None = None,
    ) -> CallPolicy:
        self.check_open()
        hooks: CallObserver | Telemetry | LoggedCall | None = observer or self.telemetry
        if CALL.isEnabledFor(INFO):
            hooks = LoggedCall(observer or self.telemetry)

        return CallPolicy(
            retry=retry or self.context.provider.retry,
            clock=self.clock.monotonic,
            wall_clock=self.clock.wall,
            draw=self.clock.draw,
            observer=hooks,
            defaults=self.defaults,
            trace_headers=hooks.trace_headers if hooks else None,
            deadline=deadline,
            deadline_error=partial(_no_event if first_event else _late, limit),
            accept=accept,
            may_compress=not self.refused_coding,
            on_coding_refused=self._remember_refusal,
        )

    def _remember_refusal(self) -> None:
        self.refused_coding = True


def _no_event(limit: float | None) -> CodexApiError:
    return FirstEventTimeoutError(f"no event within {limit} s of the call's start")


def _late(limit: float | None) -> CodexApiError:
    return DeadlineExceededError(f"the call took longer than {limit} s")
