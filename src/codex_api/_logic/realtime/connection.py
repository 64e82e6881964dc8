"""The life of one realtime session over one or more WebSockets, without the sockets.

The front reports what happens (a connection stands, a frame came, the connection is gone) and does
what it is told (send these frames, try again after so long, raise this). Rules kept here:

- A new connection opens with ``session.update``, a reconnection too; joining a v3 call sends none.
- A direct v3 session must greet before anything else; other versions are asked to acknowledge only
  when the caller wants it. Either way no event is lost to the wait.
- A close frame that says done or going away, or nothing, is the end, unless a message is cut. Any
  other code and a lost connection are errors. Reconnecting, when it is on, is tried where trying
  again can help; the error that ends a session is retryable there, too.
- What a server says against a session before it takes it is an error by the table of failures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

import msgspec

from codex_api import errors
from codex_api._logic.incoming.failed_response import body_error
from codex_api._logic.realtime.dialects.registry import DIALECTS
from codex_api._logic.realtime.frames import FrameReader
from codex_api._logic.realtime.session_state import SessionState
from codex_api.transport._core.retry import RetryConfig
from codex_api.transport.errors import (
    ClientStateError,
    CodexApiError,
    HttpStatusError,
    RequestBuildError,
    TransportTimeoutError,
    WebSocketClosedError,
)
from codex_api.types.realtime import RealtimeSessionConfig
from codex_api.types.realtime_events import (
    RealtimeErrorEvent,
    RealtimeEvent,
    RealtimeOtherEvent,
    Reconnected,
    SessionUpdated,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api._logic.realtime.dialects.dialect import Dialect
    from codex_api.types.realtime import (
        RealtimeModality,
        RealtimeMode,
        TranscriptEntry,
    )
    from codex_api.types.realtime_options import RealtimeOptions

# Away, abnormal, server error, restart, overload, bad gateway: another try may fare better.
_PASSING: Final = frozenset({None, 1001, 1006, 1011, 1012, 1013, 1014})
_ACKNOWLEDGEMENTS: Final = frozenset({"session.updated", "session.started"})
# Done, going away, no code.
_GOODBYES: Final = frozenset({1000, 1001, 1005})
_REFUSED: Final = frozenset({401, 403})


class SessionMachine:
    """One session: a direct one, or the sideband of a call.

    Attributes:
        config: As last sent; a session update through the connection changes it.
        state: Transcript and flags.
        sideband: Whether it joins a call.
        closed: Whether no event will come any more.
    """

    def __init__(
        self, config: RealtimeSessionConfig, options: RealtimeOptions, *, sideband: bool
    ) -> None:
        self.config: RealtimeSessionConfig = config
        self.dialect: Dialect = DIALECTS[config.version]
        self._frames = FrameReader(self.dialect)
        self.options = options
        self.state: SessionState = SessionState(max_transcript_chars=options.max_transcript_chars)
        self.closed: bool = False
        self.sideband = sideband
        self._greets = self.dialect.is_live and not sideband
        self._acknowledged = True
        self._event_at = self._opened_at = self._waiting_at = self._pinged_at = 0.0
        self._break: CodexApiError | None = None
        self._attempts = 0

    def opened(self, now: float) -> list[str]:
        """Start on a connection that stands now, and give the frames that open it."""
        self._event_at = self._opened_at = self._waiting_at = self._pinged_at = now
        self._frames = FrameReader(self.dialect)
        if self.sideband and self.dialect.is_live:
            self._acknowledged = True
            return []
        self._acknowledged = not (self.options.acknowledge or self._greets)
        frames = [self.dialect.session_update(self.config)]
        for entry in self._replayed():
            frames += self.dialect.item_create(entry.text, entry.role)
        return frames

    def goodbye(self) -> list[str]:
        """Return the frames to send before the close frame; none to a peer that is gone."""
        return [] if self.closed else self.dialect.closing()

    @property
    def acknowledged(self) -> bool:
        """Whether connecting need not wait any longer."""
        return self._acknowledged

    def reopened(self) -> Reconnected:
        """Return the event that tells of the new connection, once it stands and is acknowledged."""
        reason = "" if self._break is None else self._break.message
        event = Reconnected(
            self._attempts, reason, self.state.transcript_tail, len(self._replayed())
        )
        self._break, self._attempts = None, 0
        self.state.restart()
        return event

    def feed(self, frame: str | bytes, now: float) -> list[RealtimeEvent]:
        """Read one message.

        Raises:
            CodexApiError: The server refuses the session before it has taken it.
        """
        self._event_at = now
        found: list[RealtimeEvent] = []
        for event in self._frames.read(frame):
            if not self._acknowledged:
                self._greet(event)
            if self.options.other_events or not isinstance(event, RealtimeOtherEvent):
                found.append(self.state.apply(event))
        return found

    def update(
        self,
        *,
        instructions: str | None = None,
        mode: RealtimeMode | None = None,
        output_modality: RealtimeModality | None = None,
        voice: str | None = None,
    ) -> str:
        """Change the configuration and give the message that says so; None leaves a part alone."""
        changes = {
            "instructions": instructions,
            "mode": mode,
            "output_modality": output_modality,
            "voice": voice,
        }
        set_here = {name: value for name, value in changes.items() if value is not None}
        self.config = msgspec.structs.replace(self.config, **set_here)
        return self.dialect.session_update(self.config)

    def _greet(self, event: RealtimeEvent) -> None:
        match event:
            case SessionUpdated():
                self._acknowledged = True
            case RealtimeOtherEvent(kind) if kind in _ACKNOWLEDGEMENTS:
                self._acknowledged = True  # some servers leave the session's id out
            case RealtimeErrorEvent():
                self.closed = True
                raise _refusal(event)
            case _ if self._greets:
                self.closed = True
                text = "the server sent an event before it greeted the realtime session"
                raise errors.StreamError(text)
            case _:
                pass

    def waiting(self, now: float) -> None:
        """Start the clocks of one wait: time that the caller spent elsewhere is not the peer's."""
        self._waiting_at = self._pinged_at = now

    def wake_at(self, last_activity: float) -> float | None:
        """Return the monotonic instant at which to call ``timed_out`` and ``ping_due``, or None.

        Args:
            last_activity: Instant of the last bytes that came in, pongs included.
        """
        clocks = [*self._clocks(last_activity), self._ping_clock(last_activity)]
        return min((since + limit for since, limit in clocks if limit is not None), default=None)

    def ping_due(self, now: float, last_activity: float) -> bool:
        """Return whether a ping should go out now; it then counts as sent."""
        since, limit = self._ping_clock(last_activity)
        due = limit is not None and now >= since + limit
        if due:
            self._pinged_at = now
        return due

    def timed_out(self, now: float, last_activity: float) -> CodexApiError | None:
        """Return the error of the clock that has run out, or None."""
        idle, alive, greeting = (
            limit is not None and now >= since + limit
            for since, limit in self._clocks(last_activity)
        )
        if greeting:
            return errors.StreamError(
                "the server did not acknowledge the realtime session within"
                f" {self.options.acknowledge_timeout} s"
            )
        if alive:
            return errors.LivenessTimeoutError(
                f"nothing came over the realtime WebSocket for {self.options.liveness_timeout} s"
            )
        if idle:
            return errors.IdleTimeoutError(
                f"no realtime event came for {self.options.idle_timeout} s"
            )
        return None

    def _clocks(self, last_activity: float) -> tuple[tuple[float, float | None], ...]:
        options = self.options
        greeting = None if self._acknowledged else options.acknowledge_timeout
        event_at = max(self._event_at, self._waiting_at)
        return (
            (event_at, options.idle_timeout),
            (max(event_at, last_activity), options.liveness_timeout),
            (self._opened_at, greeting),
        )

    def _ping_clock(self, last_activity: float) -> tuple[float, float | None]:
        return max(self._pinged_at, self._event_at, last_activity), self.options.ping_interval

    def lost(self, error: CodexApiError, draw: Callable[[], float]) -> float | None:
        """Decide after the connection, or an attempt to make a new one, failed with ``error``.

        Returns:
            Seconds until the next attempt, or None when the session is over.
        """
        policy = self.options.reconnect
        if self.closed or policy is None or not _passes(error):
            self.closed = True
            return None
        if self._break is None:
            self._break = error
        retry = RetryConfig(
            base_delay=policy.base_delay,
            max_delay=policy.max_delay,
            max_retry_after=policy.max_retry_after,
        )
        delay = retry.wait(self._attempts + 1, error.retry_after, draw)
        if self._attempts >= policy.max_attempts or delay is None:
            self.closed = True
            return None
        self._attempts += 1
        return delay

    def ends_quietly(self, error: CodexApiError) -> bool:
        """Return whether ``error`` is a regular close without a reconnect, and no failure."""
        if not isinstance(error, WebSocketClosedError) or error.code not in _GOODBYES:
            return False
        return self._attempts == 0 and not error.is_cut

    def _replayed(self) -> tuple[TranscriptEntry, ...]:
        policy = self.options.reconnect
        if self._break is None or self.sideband or policy is None:
            return ()
        return self.state.transcript if policy.replay_transcript else ()


def closed_error() -> errors.StreamClosedError:
    """Make the error for sending to a session that has ended."""
    return errors.StreamClosedError("the realtime session is closed", retryable=False)


def opening_error(error: CodexApiError, *, now: float) -> CodexApiError:
    """Make the error for a session that could not be opened, of what prevented it."""
    if isinstance(error, WebSocketClosedError):
        message = f"the realtime session was closed before it began: {error.message}"
        return errors.StreamClosedError(message, retryable=_passes(error))
    return errors.map_api_error(error, now=now)


def final_error(error: CodexApiError, *, now: float) -> CodexApiError:
    """Make the error that ends the iteration of events, of what ended the session."""
    if isinstance(error, WebSocketClosedError):
        message = f"the realtime session broke off: {error.message}"
        # What says goodbye has no grudge; it came too early.
        retryable = _passes(error) or error.code in _GOODBYES
        return errors.StreamClosedError(message, retryable=retryable)
    return errors.map_api_error(error, now=now)


def _refusal(event: RealtimeErrorEvent) -> CodexApiError:
    known = event.code or event.kind or event.param
    failure = body_error(bytes(event.raw), {}) if event.raw is not None and known else None
    if failure is not None:
        return failure
    text = f"the server refused the realtime session: {event.message}"
    return errors.StreamError(text, retryable=False)


def _passes(error: CodexApiError) -> bool:
    match error:
        case WebSocketClosedError(code=code):
            return code in _PASSING
        case HttpStatusError(status=status):
            return status not in _REFUSED
        case RequestBuildError() | ClientStateError():
            return False
        case errors.IdleTimeoutError() | errors.LivenessTimeoutError() | TransportTimeoutError():
            return True
        case _:
            return error.retryable


def sideband_delay(
    error: CodexApiError, attempt: int, retry: RetryConfig, draw: Callable[[], float]
) -> float | None:
    """Decide whether a sideband that could not join tries again.

    Any failure is worth another try, since a call takes a moment to become known, except refused
    credentials and a request that cannot be sent at all.

    Args:
        error: What the attempt failed with.
        attempt: Number of the failed attempt; 0 is the first.
        retry: The provider's settings.
        draw: Gives a number uniform in [0, 1).

    Returns:
        Seconds to wait, or None to give up.
    """
    if attempt >= retry.max_attempts or error.status in _REFUSED:
        return None
    if isinstance(error, RequestBuildError | ClientStateError | errors.AuthenticationError):
        return None
    return retry.wait(attempt + 1, error.retry_after, draw)


def as_config(config: object) -> RealtimeSessionConfig:
    """Return the configuration that was meant.

    Args:
        config: A mapping is read by ``RealtimeSessionConfig.from_mapping``.

    Raises:
        TypeError: It is neither.
        RequestBuildError: A key or value of the mapping is not legal.
    """
    if isinstance(config, Mapping):
        return RealtimeSessionConfig.from_mapping(cast("Mapping[str, object]", config))
    if isinstance(config, RealtimeSessionConfig):
        return config
    message = f"a session is a RealtimeSessionConfig or a mapping, not {type(config).__name__}"
    raise TypeError(message)
