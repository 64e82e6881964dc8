"""What the library says to the standard library's loggers. It is silent unless a program listens.

No line holds a body, a header field or a query: attempts are told by status and class of error,
events and pieces by their number and size.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api._logic.incoming.observe import Feed
    from codex_api.events import ResponseEvent
    from codex_api.telemetry import CallObserver, Telemetry
    from codex_api.transport.errors import CodexApiError

T = TypeVar("T", bytes, "list[str | bytes]")

CONNECTION = logging.getLogger("codex_api.connection")
CALL = logging.getLogger("codex_api.call")
SESSION = logging.getLogger("codex_api.session")
logging.getLogger("codex_api").addHandler(logging.NullHandler())


class LoggedCall:
    """Says what comes of each attempt of a call, and tells ``hooks`` as well."""

    def __init__(self, hooks: CallObserver | Telemetry | None) -> None:
        self._hooks = hooks

    def on_request(
        self, attempt: int, status: int | None, error: CodexApiError | None, duration: float
    ) -> None:
        """Log one finished attempt; ``duration`` in seconds."""
        CALL.debug("attempt %d: %s after %.3f s", attempt + 1, _outcome(status, error), duration)
        if self._hooks is not None:
            self._hooks.on_request(attempt, status, error, duration)

    def on_retry(self, attempt: int, delay: float, error: CodexApiError) -> None:
        """Log a wait of ``delay`` seconds before the next attempt."""
        CALL.info(
            "attempt %d failed (%s): the next one in %.3f s",
            attempt + 1,
            _outcome(error.status, error),
            delay,
        )
        if self._hooks is not None:
            self._hooks.on_retry(attempt, delay, error)

    def trace_headers(self) -> Mapping[str, str]:
        """Return the active trace of ``hooks``, or nothing."""
        return {} if self._hooks is None else self._hooks.trace_headers()


def logged(feed: Feed[T], carrier: str) -> Feed[T]:
    """Return ``feed``, which says what comes in when somebody listens. Asked once a stream."""
    if not CONNECTION.isEnabledFor(logging.DEBUG):
        return feed

    def said(data: T, now: float) -> list[ResponseEvent]:
        events = feed(data, now)
        size = sum(map(len, data)) if isinstance(data, list) else len(data)
        CONNECTION.debug("%s: received %d units, %d events", carrier, size, len(events))
        return events

    return said


def _outcome(status: int | None, error: CodexApiError | None) -> str:
    name = "" if error is None else type(error).__name__
    return " ".join(filter(None, ("" if status is None else f"status {status}", name)))
