"""What a server does to answer with events, one value per step, the same for SSE and WebSocket.

The built-in model makes steps, faults (`codex_api.testing.faults`) change them, and a player per
transport carries them out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from codex_api.testing.gate import Gate
    from codex_api.testing.wire import JsonObject


@dataclass(frozen=True, slots=True)
class Event:
    """Send one event; ``piece_bytes`` cuts it into writes of that size (SSE only)."""

    payload: JsonObject
    piece_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """Send bytes as they are: in the body over SSE, as one text message over a WebSocket."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Binary:
    """Send a binary message (WebSocket only; over SSE it is sent like `Raw`)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Send a sign of life that is no event: a comment over SSE, a ping over a WebSocket."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait until ``gate`` opens."""

    gate: Gate


@dataclass(frozen=True, slots=True)
class Hang:
    """Send nothing more until the client goes away."""


@dataclass(frozen=True, slots=True)
class End:
    """End the answer here.

    ``clean`` ends it as the protocol wants (last chunk, close frame 1000), ``truncated`` closes the
    TCP connection without that, ``reset`` sends an RST.
    """

    how: Literal["clean", "truncated", "reset"] = "clean"


@dataclass(frozen=True, slots=True)
class CloseFrame:
    """Close the WebSocket with ``code``; over SSE it ends the body."""

    code: int = 1000
    reason: str = ""


Step: TypeAlias = Event | Raw | Binary | KeepAlive | Pause | Hold | Hang | End | CloseFrame
Fault: TypeAlias = Callable[[Iterable[Step]], Iterator[Step]]
