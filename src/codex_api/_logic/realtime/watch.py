"""What is reported to an observer of one realtime session, and its end once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._logic.incoming.observe import failure_of
from codex_api.telemetry import RealtimeStart
from codex_api.transport._core.messages import public_url

if TYPE_CHECKING:
    from codex_api._logic.calling.dialing import Dialing
    from codex_api.telemetry import RealtimeObserver, Telemetry
    from codex_api.types.realtime_events import RealtimeEvent


class SessionWatch:
    """Tells an observer, where there is one.

    Attributes:
        observer: None when the session has no observer.
    """

    __slots__ = ("_ended", "observer")

    def __init__(self, observer: RealtimeObserver | None = None) -> None:
        self.observer: RealtimeObserver | None = observer
        self._ended = False

    def open(self, *, reconnected: bool) -> None:
        """Report an open connection."""
        if self.observer is not None:
            self.observer.on_open(reconnected=reconnected)

    def event(self, event: RealtimeEvent) -> None:
        """Report an event."""
        if self.observer is not None:
            self.observer.on_event(event)

    def end(self, error: BaseException | None) -> None:
        """Report the end; only the first one counts.

        Args:
            error: What ended the session; None for a goodbye.
        """
        if self.observer is None or self._ended:
            return
        self._ended = True
        self.observer.on_end(failure_of(error))


def watch_session(
    telemetry: Telemetry | None, dialing: Dialing, model: str | None, call_id: str | None
) -> SessionWatch:
    """Report a session that begins to ``telemetry``; return the watch over it."""
    if telemetry is None:
        return SessionWatch()
    url = public_url(dialing.request.url)
    start = RealtimeStart(url=url, model=model, call_id=call_id)
    return SessionWatch(telemetry.on_realtime(start))
