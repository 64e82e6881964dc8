"""The handshake of a Responses WebSocket: what is asked, and what the answer tells (SPEC 11.1).

Two headers of HTTP requests never go into it: the turn state and the responses-lite mark belong to
one request, so they travel in each frame's metadata.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from codex_api._logic.outgoing.session_headers import identity_headers
from codex_api.events import ModelsEtag, ServerModel, ServerReasoningIncluded
from codex_api.transport._core.headers import Headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api._logic.calling.operation import CallContext
    from codex_api.auth import AuthProvider
    from codex_api.events import ResponseEvent
    from codex_api.types.request import ResponsesOptions

BETA = "responses_websockets=2026-02-06"
LITE = "x-openai-internal-codex-responses-lite"
TURN_STATE = "x-codex-turn-state"
_NOT_HERE = (LITE, TURN_STATE, "accept", "content-type", "content-encoding")
# Where the real client puts them; the rest follows as it was set.
_FIRST = ("chatgpt-account-id", "authorization", "user-agent", "originator", "openai-beta")


class Handshake(NamedTuple):
    """Where to connect, and with what header fields."""

    url: str
    headers: Headers


def handshake(
    context: CallContext,
    defaults: Headers,
    auth: AuthProvider,
    options: ResponsesOptions,
    extra_headers: Mapping[str, str] | Headers | None = None,
) -> Handshake:
    """Make the handshake; lowest layer first: defaults, provider, caller, ids, credentials.

    Raises:
        RequestBuildError: A header is illegal or the URL cannot be built.
        CodexApiError: The credentials cannot be had.
    """
    headers = Headers(context.provider.headers)
    headers.merge(options.extra_headers)
    headers.merge(extra_headers)
    headers.merge(identity_headers(options))
    headers.fill({"openai-beta": BETA})
    headers.fill(defaults)
    for name in _NOT_HERE:
        headers.remove(name)
    auth.add_auth_headers(headers)
    ordered = Headers()
    for name in _FIRST:
        for value in headers.get_all(name):
            ordered.add(name, value)
    ordered.fill(headers)
    return Handshake(context.provider.websocket_url("responses"), ordered)


@dataclass(frozen=True, slots=True)
class HandshakeFacts:
    """What the answer to a handshake tells.

    Attributes:
        status: 101.
        reasoning_included: Whether the server keeps reasoning items by itself.
        models_etag: Version of the model list, or None.
        server_model: The model that the server says it runs, or None.
    """

    status: int
    headers: Headers
    reasoning_included: bool
    models_etag: str | None
    server_model: str | None

    @classmethod
    def of(cls, status: int, headers: Headers) -> HandshakeFacts:
        """Read the answer's header fields."""
        return cls(
            status=status,
            headers=headers,
            reasoning_included="x-reasoning-included" in headers,
            models_etag=headers.get("x-models-etag"),
            server_model=headers.get("openai-model"),
        )

    def events(self) -> list[ResponseEvent]:
        """Give the events that every response of the connection starts with."""
        events: list[ResponseEvent] = []
        if self.server_model is not None:
            events.append(ServerModel(self.server_model))
        if self.models_etag is not None:
            events.append(ModelsEtag(self.models_etag))
        if self.reasoning_included:
            events.append(ServerReasoningIncluded(True))  # noqa: FBT003 - the event's one field
        return events
