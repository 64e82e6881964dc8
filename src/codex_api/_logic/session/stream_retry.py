"""What follows when a try to get a response fails (wire.md, Sessions).

``next_step`` is one pure function over a table of cases: the error, where it struck, and what this
request has used up. Three kinds of way on:

- *at once*, not counted: another transport, or a fresh socket where the old one was merely stale;
- *after a wait*, counted against the budget: the server's own delay, or else backoff;
- *none*: the error is the request's outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from codex_api._logic.session.transport_choice import Signal
from codex_api.errors import (
    AuthenticationError,
    ClientStateError,
    QuotaExceededError,
    RateLimitError,
    RequestBuildError,
    UsageLimitReachedError,
    UsageNotIncludedError,
)
from codex_api.transport.errors import NetworkError, WebSocketClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.transport._core.retry import RetryConfig
    from codex_api.transport.errors import CodexApiError

NOT_FOUND = 404
TOO_MANY_REQUESTS = 429
UPGRADE_REQUIRED = 426
POLICY_VIOLATION = 1008
MESSAGE_TOO_BIG = 1009
CONTENT_TOO_LARGE = 413
CONNECTION_LIMIT_CODE = "websocket_connection_limit_reached"
LOST_CHAIN_CODE = "previous_response_not_found"
# Recoveries that cost no retry: enough for a stale socket, a limit and a lost chain in a row.
MAX_RECOVERIES = 3


class Phase(StrEnum):
    """Where an error struck."""

    CONNECT = "connect"
    WEBSOCKET = "websocket"
    HTTP = "http"


@dataclass(slots=True)
class Spent:
    """What one request has used up so far."""

    retries: int = 0
    recoveries: int = 0
    refreshed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed try.

    Attributes:
        error: As the caller would see it.
        cause: The transport's error behind it, or the same.
        was_reused: Whether the socket had carried a response before.
        received: Whether any event of this response came.
        chained: Whether the request named what the server holds, and may go out without.
        may_fall_back: Whether HTTP may take over.
        is_huge: Whether what was sent is larger than some servers take in a frame.
        is_repeatable: Whether asking twice does no harm, which it may where responses are stored.
    """

    phase: Phase
    error: CodexApiError
    cause: CodexApiError
    was_reused: bool = False
    received: bool = False
    chained: bool = False
    may_fall_back: bool = True
    is_huge: bool = False
    is_repeatable: bool = True


class Again(NamedTuple):
    """Try again after ``delay`` seconds.

    Attributes:
        counted: Whether it is a retry that is reported to the caller.
        signals: What it means for the choice of the transport.
    """

    delay: float = 0.0
    counted: bool = False
    signals: tuple[Signal, ...] = ()


class RefreshFirst(NamedTuple):
    """Renew the credentials, then try again at once; give up when that is no use."""


class GiveUp(NamedTuple):
    """The error is the outcome."""


Step: TypeAlias = Again | RefreshFirst | GiveUp

_NEVER_ELSEWHERE = (
    ClientStateError,
    QuotaExceededError,
    RequestBuildError,
    UsageLimitReachedError,
    UsageNotIncludedError,
)


@dataclass(slots=True)
class RetryDecider:
    """Decides for one request, and keeps its count.

    Args:
        retry: How often the request is made again in all, on both transports, and how fast.
        draw: Gives a number uniform in [0, 1), for the jitter.
    """

    retry: RetryConfig
    draw: Callable[[], float]
    spent: Spent = field(default_factory=Spent)

    def next_step(self, failure: Failure) -> Step:
        """Decide what follows ``failure``, and count it."""
        if isinstance(failure.error, _NEVER_ELSEWHERE):
            return GiveUp()
        if self._may_refresh(failure):
            self.spent.refreshed = True
            return RefreshFirst()
        if failure.phase is Phase.CONNECT:
            return self._after_connect(failure)
        if failure.phase is Phase.WEBSOCKET:
            return self._after_websocket(failure)
        if lost_its_name(failure) and self.spent.recoveries < MAX_RECOVERIES:
            self.spent.recoveries += 1
            return Again()
        return self._counted(failure)

    def _may_refresh(self, failure: Failure) -> bool:
        # A handshake and an HTTP call renew by themselves, below this layer.
        refused = isinstance(failure.error, AuthenticationError)
        return refused and failure.phase is Phase.WEBSOCKET and not self.spent.refreshed

    def _after_connect(self, failure: Failure) -> Step:
        if failure.cause.status == TOO_MANY_REQUESTS:
            # HTTP is limited alike, so another transport would not help.
            return self._counted(failure)
        if not failure.may_fall_back:
            return self._counted(failure)
        never = failure.cause.status == UPGRADE_REQUIRED
        return self._to_http(Signal.UPGRADE_REFUSED if never else Signal.CONNECT_FAILED)

    def _after_websocket(self, failure: Failure) -> Step:
        if failure.may_fall_back and _is_too_large(failure):
            return self._to_http(Signal.STREAMS_FAILED)
        if self.spent.recoveries < MAX_RECOVERIES and self._recovers(failure):
            self.spent.recoveries += 1
            return Again()
        step = self._counted(failure)
        if isinstance(step, GiveUp) and self._is_worth_http(failure):
            return self._to_http(Signal.STREAMS_FAILED)
        return step

    def _is_worth_http(self, failure: Failure) -> bool:
        """Return whether HTTP may do what the WebSocket did not within the budget."""
        error = failure.error
        if not failure.may_fall_back or not error.retryable or not self._may_repeat(failure):
            return False
        # HTTP is limited alike.
        return self._is_used_up and not isinstance(error, RateLimitError)

    @property
    def _is_used_up(self) -> bool:
        return self.spent.retries >= self.retry.max_attempts

    def _may_repeat(self, failure: Failure) -> bool:
        # The error knows what had left; what the socket closed with does not.
        return self.retry.may_repeat(failure.error, is_repeatable=failure.is_repeatable)

    def _recovers(self, failure: Failure) -> bool:
        """Return whether a new connection and the whole input mend it, as for a transient fault."""
        code = getattr(failure.error, "code", None)
        if code == CONNECTION_LIMIT_CODE or lost_its_name(failure):
            return True
        if not failure.was_reused or failure.received or not self._may_repeat(failure):
            return False
        cause = failure.cause
        return isinstance(cause, WebSocketClosedError) and not _only_over_websocket(cause)

    def _to_http(self, signal: Signal) -> Again:
        # The count goes on: a question has one budget, whatever carries it.
        return Again(signals=(signal,))

    def _counted(self, failure: Failure) -> Step:
        error = failure.error
        if not error.retryable or self._is_used_up or not self._may_repeat(failure):
            return GiveUp()
        wait = self.retry.wait(self.spent.retries + 1, error.retry_after, self.draw)
        if wait is None:
            return GiveUp()
        self.spent.retries += 1
        return Again(wait, counted=True)


def lost_its_name(failure: Failure) -> bool:
    """Return whether the server does not know what the request said it continues."""
    error = failure.error
    if not failure.chained:
        return False
    named = getattr(error, "param", None) in {"previous_response_id", "conversation"}
    # Not every server says what it has not found.
    missing = NOT_FOUND in {failure.cause.status, error.status}
    return named or missing or getattr(error, "code", None) == LOST_CHAIN_CODE


def _is_too_large(failure: Failure) -> bool:
    """Return whether the request is more than this WebSocket takes, which HTTP may take.

    Servers say so in a close frame or with a status; some just drop the connection.
    """
    cause = failure.cause
    if cause.status == CONTENT_TOO_LARGE or _only_over_websocket(cause):
        return True
    return failure.is_huge and not failure.received and isinstance(cause, NetworkError)


def _only_over_websocket(error: CodexApiError) -> bool:
    """Return whether the same request would fail again over a WebSocket, and may pass over HTTP."""
    return isinstance(error, WebSocketClosedError) and error.code in {
        POLICY_VIOLATION,
        MESSAGE_TOO_BIG,
    }
