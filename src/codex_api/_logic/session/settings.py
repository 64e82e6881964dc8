"""How a session behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from codex_api._logic.session.held_input import ChainMode
from codex_api._logic.session.session_state import ROTATE_AFTER, ReplayMode
from codex_api._logic.session.transport_choice import COOL_DOWN, TransportMode
from codex_api.transport.errors import RequestBuildError


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """Settings of one session. Durations are seconds.

    Attributes:
        transport: ``auto`` prefers the WebSocket and falls back to HTTP; ``websocket`` and ``http``
            use nothing else.
        stream_max_retries: How often a response is asked for again in all: after failures of the
            request and of its stream, over both transports.
        stream_base_delay: Wait before the first of them, doubled for each one after it, +-10 %.
        cool_down: How long HTTP is used before a WebSocket that failed is tried again; doubled with
            each failure in a row, up to a quarter of an hour.
        rotate_after: Age at which a WebSocket is replaced between two responses; servers end them
            after an hour.
        replay: ``safe`` does not ask again for a response once a tool call was handed out whose
            output the session does not know; ``always`` does.
        resume: Whether the rest of a stored response is asked for when its stream breaks off.
        chain: How input that the server holds is left out. ``connection`` names the last response
            on the WebSocket that carried it, and sends everything over HTTP. ``response`` names it
            over HTTP and on new connections, too, where the server stores responses (``store``);
            one that it has forgotten is asked for with the whole input. ``conversation`` adds each
            new item to a conversation that the server keeps.
        conversation: Id of the caller's conversation for ``chain="conversation"``, to which the
            first input is added whole. None begins one, and another one when the input does not go
            on from it, nobody knows what it holds, or the server has forgotten it.
    """

    transport: TransportMode = "auto"
    stream_max_retries: int = 5
    stream_base_delay: float = 0.2
    cool_down: float = COOL_DOWN
    rotate_after: float = ROTATE_AFTER
    replay: ReplayMode = "always"
    resume: bool = True
    chain: ChainMode = "connection"
    conversation: str | None = None

    def __post_init__(self) -> None:
        if self.transport not in {"auto", "websocket", "http"}:
            message = f"SessionSettings.transport must be auto, websocket or http: {self.transport}"
            raise RequestBuildError(message)
        if self.replay not in {"always", "safe"}:
            message = f"SessionSettings.replay must be always or safe: {self.replay}"
            raise RequestBuildError(message)
        if self.chain not in get_args(ChainMode):
            message = f"SessionSettings.chain must be one of {', '.join(get_args(ChainMode))}"
            raise RequestBuildError(message)
        if self.conversation is not None and self.chain != "conversation":
            message = "SessionSettings.conversation needs chain='conversation'"
            raise RequestBuildError(message)
        for name in ("stream_max_retries", "stream_base_delay", "cool_down", "rotate_after"):
            if not getattr(self, name) >= 0:
                message = f"SessionSettings.{name} must not be negative"
                raise RequestBuildError(message)
