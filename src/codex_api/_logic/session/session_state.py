"""What a session remembers between requests, and one request as its exchange needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from codex_api._logic.session.held_input import HeldInput
from codex_api._logic.session.sticky_turn import StickyTurn

if TYPE_CHECKING:
    from codex_api._logic.session.input_json import InputJson
    from codex_api._logic.session.transport_choice import TransportChoice

ReplayMode = Literal["always", "safe"]
# Five minutes short of the server's limit of an hour: most responses end in less.
ROTATE_AFTER = 55 * 60.0


@dataclass(slots=True, kw_only=True)
class SessionState:
    """What a session remembers from one request to the next.

    Attributes:
        rotate_after: Seconds after which a socket is not used for another request.
        opened_at: Monotonic instant at which the current socket was opened, or None.
        owner: Identity of the credentials that the current socket was opened with.
        used: Whether the current socket has carried a response.
        warm: Whether a prewarm opened the turn that the next request belongs to.
    """

    choice: TransportChoice
    rotate_after: float = ROTATE_AFTER
    held: HeldInput = field(default_factory=HeldInput)
    turn: StickyTurn = field(default_factory=StickyTurn)
    opened_at: float | None = None
    owner: str = ""
    used: bool = False
    warm: bool = False

    def forget_socket(self) -> None:
        """Take note that the socket is gone, and with it what only it held."""
        self.held.connection_lost()
        self.opened_at = None
        self.used = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as the exchange needs it.

    Attributes:
        fields: The body without input and client metadata, encoded: what a chain must not change.
        input: The caller's whole input.
        may_chain: Whether the input may be cut to what is new.
        stored: Whether the server keeps the response, so that it can be resumed.
        starts_turn: Whether a new turn begins.
        replay: ``safe`` refuses to ask again for what has side effects.
        generate: False for a prewarm.
        is_repeatable: Whether asking twice does no harm: not where the server keeps the response.
        is_held: Whether the server holds input and output beyond the connection.
    """

    fields: bytes
    input: InputJson
    may_chain: bool = True
    stored: bool = False
    starts_turn: bool = True
    replay: ReplayMode = "always"
    generate: bool | None = None
    is_repeatable: bool = True
    is_held: bool = False

    def with_kept(self, kept: list[bytes]) -> InputJson:
        """Return the whole input with ``kept`` items behind the caller's."""
        return self.input.grown(b"[" + b",".join(kept) + b"]")
