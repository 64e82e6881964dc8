"""``/realtime/client_secrets``: keys that last for minutes, each for a session of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from codex_api.testing.server.checks import json_body, known_keys, one_of, optional
from codex_api.testing.server.keys import shown_key
from codex_api.testing.server.problems import invalid_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from codex_api.testing.server.state import ServerState
    from codex_api.testing.wire import JsonObject

DEFAULT_SECONDS = 600
SHORTEST_SECONDS, LONGEST_SECONDS = 10, 7200
_DEFAULT_SESSION = {"type": "realtime", "model": "gpt-realtime", "output_modalities": ["audio"]}


@dataclass(frozen=True, slots=True)
class Secret:
    """One key.

    Attributes:
        expires_at: Unix seconds.
        session: Settings of the session that it opens.
    """

    expires_at: int
    session: JsonObject


class Secrets:
    """The endpoint of keys."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def create(self, http: Request) -> Response:
        """Make a key."""
        body = json_body(http.state.recorded)
        known_keys(body, {"expires_after", "session"})
        after: JsonObject = optional(body, "expires_after", dict) or {}
        one_of(after, "anchor", {"created_at"}, "expires_after.")
        seconds: int | None = optional(after, "seconds", int, "expires_after.")
        seconds = DEFAULT_SECONDS if seconds is None else seconds
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
            param = "expires_after.seconds"
            message = f"it must be from {SHORTEST_SECONDS} to {LONGEST_SECONDS}."
            raise invalid_value(param, message)
        given: JsonObject = optional(body, "session", dict) or {}
        session: JsonObject = {**_DEFAULT_SESSION, **given}
        value = self._state.new_id("ek")
        expires_at = int(self._state.clock()) + seconds
        self._state.secrets[value] = Secret(expires_at, session)
        shown = {"object": "realtime.session", "id": self._state.new_id("sess"), **session}
        return JSONResponse({"value": value, "expires_at": expires_at, "session": shown})


def session_of(state: ServerState, headers: Mapping[str, str]) -> JsonObject:
    """Return the settings that the key of a handshake brings; nothing for a usual key."""
    key = shown_key(headers.get)
    return dict(state.secrets[key].session) if key in state.secrets else {}
