"""What an exchange asks its driver to do. Each effect's result is named; failures are thrown in."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import msgspec

    from codex_api._logic.session.held_input import Outgoing
    from codex_api._logic.session.progress import Progress
    from codex_api.events import ResponseEvent
    from codex_api.transport.errors import CodexApiError
    from codex_api.types.turn_state import TurnState


@dataclass(frozen=True, slots=True)
class CheckSocket:
    """Look whether the session's WebSocket is open. Result: whether it may be used."""


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """Drop what socket there is and open a fresh one. Result: the turn state it told, or None."""


@dataclass(frozen=True, slots=True)
class DropSocket:
    """Drop the socket without a close frame, if there is one. Result: None."""


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Ask for a response over the socket. Result: None.

    Attributes:
        input: The input to send, a JSON array.
        previous_response_id: Response that ``input`` continues, or None when it is whole.
        generate: False asks for no output, to warm the server up; None leaves the key out.
        cell: The turn's value; what the server tells goes in here.
        conversation: Id of the conversation that ``input`` is added to, or None for none of ours.
    """

    input: bytes
    previous_response_id: str | None
    generate: bool | None
    cell: TurnState
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class PostRequest:
    """Ask for a response over HTTP. Result: None.

    Attributes:
        kept: Items to send after the caller's own input.
        cell: As in ``SendFrame``.
        instead: What goes out in place of the caller's input and ``kept``; None sends those.
    """

    kept: Sequence[msgspec.Raw]
    cell: TurnState
    instead: Outgoing | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Ask over HTTP for the rest of a response that the server keeps. Result: None."""

    response_id: str
    starting_after: int


@dataclass(frozen=True, slots=True)
class Relay:
    """Hand the events of the response that was asked for to the caller. Result: None.

    Every event goes through ``progress.observe`` first. However it ends, ``progress`` learns the
    number of the last event that was read.
    """

    progress: Progress


@dataclass(frozen=True, slots=True)
class Announce:
    """Hand one event of the session's own to the caller. Result: None."""

    event: ResponseEvent


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait. Result: None."""

    delay: float


@dataclass(frozen=True, slots=True)
class Renew:
    """Let the auth provider renew what the server refused. Result: whether to try again."""

    error: CodexApiError


@dataclass(frozen=True, slots=True)
class BeginConversation:
    """Let the server begin a conversation. Result: its id."""


@dataclass(frozen=True, slots=True)
class Identify:
    """Name the credentials in use. Result: their identity, a ``str``."""


# What is done and brings no events.
Deed: TypeAlias = (
    CheckSocket
    | OpenSocket
    | DropSocket
    | SendFrame
    | PostRequest
    | Resume
    | BeginConversation
    | Pause
    | Renew
    | Identify
)
Effect: TypeAlias = Deed | Relay | Announce
Steps: TypeAlias = Generator[Effect, object, None]
