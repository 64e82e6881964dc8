"""Which transport carries the next request, and when the WebSocket gets another chance.

=============  ==================  ==============================================================
State          Carries             Meaning
=============  ==================  ==============================================================
``untried``    WebSocket           offered, not known to work
``working``    WebSocket           opened, or carried a response
``cooling``    HTTP                failed; tried again after a while that doubles with each failure
``http_only``  HTTP                not offered, not wanted, or the server said never (426)
=============  ==================  ==============================================================
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

TransportName: TypeAlias = Literal["websocket", "http"]
TransportMode: TypeAlias = Literal["auto", "websocket", "http"]

COOL_DOWN = 60.0
MAX_COOL_DOWN = 900.0


class State(StrEnum):
    """What is known of the WebSocket."""

    UNTRIED = "untried"
    WORKING = "working"
    COOLING = "cooling"
    HTTP_ONLY = "http_only"


class Signal(StrEnum):
    """What happened to it."""

    OPENED = "opened"
    CONNECT_FAILED = "connect_failed"
    STREAMS_FAILED = "streams_failed"
    UPGRADE_REFUSED = "upgrade_refused"
    COOLED = "cooled"


TRANSITIONS: Mapping[tuple[State, Signal], State] = {
    (State.UNTRIED, Signal.OPENED): State.WORKING,
    (State.UNTRIED, Signal.CONNECT_FAILED): State.COOLING,
    (State.UNTRIED, Signal.STREAMS_FAILED): State.COOLING,
    (State.UNTRIED, Signal.UPGRADE_REFUSED): State.HTTP_ONLY,
    (State.WORKING, Signal.OPENED): State.WORKING,
    (State.WORKING, Signal.CONNECT_FAILED): State.COOLING,
    (State.WORKING, Signal.STREAMS_FAILED): State.COOLING,
    (State.WORKING, Signal.UPGRADE_REFUSED): State.HTTP_ONLY,
    (State.COOLING, Signal.COOLED): State.UNTRIED,
}


class TransportChoice:
    """The state of one session's WebSocket.

    Args:
        mode: ``websocket`` never falls back, ``http`` never tries.
        cool_down: Seconds on HTTP after the first failure; doubled for each one after it that no
            finished response came between, up to ``max_cool_down``.
    """

    __slots__ = ("_cool_down", "_failures", "_max_cool_down", "_mode", "_until", "state")

    def __init__(
        self,
        mode: TransportMode = "auto",
        *,
        cool_down: float = COOL_DOWN,
        max_cool_down: float = MAX_COOL_DOWN,
    ) -> None:
        self.state = State.HTTP_ONLY if mode == "http" else State.UNTRIED
        self._mode = mode
        self._cool_down = cool_down
        self._max_cool_down = max_cool_down
        self._failures = 0
        self._until = 0.0

    @property
    def may_fall_back(self) -> bool:
        """Whether HTTP may take over."""
        return self._mode != "websocket"

    def pick(self, now: float) -> TransportName:
        """Return the transport for a request that starts at ``now``, in monotonic seconds."""
        if self.state is State.COOLING and now >= self._until:
            self.state = TRANSITIONS[self.state, Signal.COOLED]
        return "websocket" if self.state in {State.UNTRIED, State.WORKING} else "http"

    def signal(self, signal: Signal, now: float) -> None:
        """Take note of what happened at ``now``; what a state does not know is ignored."""
        if self._mode != "auto":
            return
        new = TRANSITIONS.get((self.state, signal))
        if new is None:
            return
        if new is State.COOLING:
            wait = min(self._cool_down * 2.0 ** min(self._failures, 20), self._max_cool_down)
            self._failures += 1
            self._until = now + wait
        self.state = new

    def response_finished(self) -> None:
        """Take note that a response came to its end over the WebSocket."""
        self._failures = 0
