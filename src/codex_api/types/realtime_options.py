"""How a realtime session is watched, and what happens when its connection breaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_TRANSCRIPT_CHARS: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeReconnect:
    """How a broken session is taken up again.

    Attributes:
        max_attempts: Connections tried for one break before it counts as final.
        base_delay: Seconds before the first try, doubled for each one after it, +-10 %.
        max_delay: Ceiling in seconds on that.
        max_retry_after: Longest wait in seconds that the server may ask for; a longer one ends the
            session at once, and with 0 it is not heard.
        replay_transcript: Whether a new session is told what was said, as conversation items; the
            server has forgotten it. A call that is joined again still knows.
    """

    max_attempts: int = 5
    base_delay: float = 0.2
    max_delay: float = 30.0
    max_retry_after: float = 120.0
    replay_transcript: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeOptions:
    """How a session is watched and kept.

    Attributes:
        idle_timeout: Seconds without an event that end the session; None waits forever, since a
            silent room is no fault. Raises ``IdleTimeoutError``.
        liveness_timeout: Seconds without any byte, answers to our pings included; None waits
            forever. Raises ``LivenessTimeoutError``.
        ping_interval: Seconds of silence after which a waiting reader pings; None never pings. Then
            only the server's own traffic counts for ``liveness_timeout``: a session in which
            silence is normal needs that off as well.
        acknowledge: Whether connecting waits for the server to take the session's settings.
        acknowledge_timeout: Seconds for that, and for the greeting of v3.
        send_timeout: Seconds until the network has taken one message.
        other_events: Whether messages that have no class here are delivered.
        max_transcript_chars: Characters of transcript that are kept.
        reconnect: None ends the session with its first connection.
    """

    idle_timeout: float | None = None
    liveness_timeout: float | None = 90.0
    ping_interval: float | None = 20.0
    acknowledge: bool = False
    acknowledge_timeout: float = 15.0
    send_timeout: float | None = 30.0
    other_events: bool = True
    max_transcript_chars: int = MAX_TRANSCRIPT_CHARS
    reconnect: RealtimeReconnect | None = None
