"""The handshake of a Responses WebSocket: what is asked, and what the answer says.

See wire.md, Responses over WebSocket.

Two headers of HTTP requests never go into it: the turn state and the responses-lite mark belong to
one request, so they travel in each frame's metadata.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codex_api._logic.calling.dialing import Dialing, handshake_headers
from codex_api._logic.outgoing.session_headers import identity_headers
from codex_api.events import ModelsEtag, ServerModel, ServerReasoningIncluded
from codex_api.transport._core.messages import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api._logic.calling.operation import CallContext
    from codex_api.events import ResponseEvent
    from codex_api.transport._core.headers import Headers
    from codex_api.types.request import ResponsesOptions

BETA = "responses_websockets=2026-02-06"
LITE = "x-openai-internal-codex-responses-lite"
TURN_STATE = "x-codex-turn-state"
# Where the real client puts them; the rest follows as it was set.
_FIRST = ("chatgpt-account-id", "authorization", "user-agent", "originator", "openai-beta")


def handshake(
    context: CallContext,
    options: ResponsesOptions,
    extra_headers: Mapping[str, str] | Headers | None = None,
) -> Dialing:
    """Make the handshake; lowest layer first: provider, caller, ids.

    Raises:
        RequestBuildError: A header is illegal or the URL cannot be built.
    """
    headers = handshake_headers(
        context.layered(options.extra_headers, extra_headers, identity_headers(options))
    )
    headers.fill({"openai-beta": BETA})
    for name in (LITE, TURN_STATE):
        headers.remove(name)
    url = context.provider.websocket_url("responses")
    return Dialing(
        request=Request(method="GET", url=url, headers=headers),
        deflate=True,
        max_message_bytes=options.max_event_bytes,
        first=_FIRST,
    )


@dataclass(slots=True)
class SocketHistory:
    """What the responses of one connection have in common, for the next one to know.

    Attributes:
        has_carried: Whether a response came to its end before.
        ids: Of the responses that did, as far as they had one.
        begins_with_created: Whether the server says when a response begins.
        leftovers: How many frames of a response came after its end.
        is_unusable: Whether they were more than late events: then nothing that follows can be
            trusted to belong to the response that is under way.
    """

    has_carried: bool = False
    ids: set[str] = field(default_factory=set[str])
    begins_with_created: bool = False
    leftovers: int = 0
    is_unusable: bool = False


@dataclass(frozen=True, slots=True)
class HandshakeFacts:
    """What the answer to a handshake tells.

    Attributes:
        status: 101.
        reasoning_included: Whether the server keeps reasoning items by itself.
        models_etag: Version of the model list, or None.
        server_model: The model that the server says it runs, or None.
        turn_state: The sticky-routing value for the turn that opened the connection, or None.
        history: The responses that the connection has carried.
    """

    status: int
    headers: Headers
    reasoning_included: bool
    models_etag: str | None
    server_model: str | None
    turn_state: str | None = None
    history: SocketHistory = field(default_factory=SocketHistory, compare=False)

    @classmethod
    def of(cls, status: int, headers: Headers) -> HandshakeFacts:
        """Read the answer's header fields."""
        return cls(
            status=status,
            headers=headers,
            reasoning_included="x-reasoning-included" in headers,
            models_etag=headers.get("x-models-etag"),
            server_model=headers.get("openai-model"),
            turn_state=headers.get(TURN_STATE),
        )

    def events(self) -> list[ResponseEvent]:
        """Return the events that every response of the connection starts with."""
        events: list[ResponseEvent] = []
        if self.server_model is not None:
            events.append(ServerModel(self.server_model))
        if self.models_etag is not None:
            events.append(ModelsEtag(self.models_etag))
        if self.reasoning_included:
            events.append(ServerReasoningIncluded(True))  # noqa: FBT003 - the event's one field
        return events
