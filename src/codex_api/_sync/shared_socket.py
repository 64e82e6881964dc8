# Generated from src/codex_api/_async/shared_socket.py by tools/generate_sync.py; do not edit.
"""Taking turns on one WebSocket in blocking code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._logic.calling.websocket_call import closed_error
from codex_api._logic.outgoing.websocket_handshake import HandshakeFacts
from codex_api._sync.waits import Guard, Turn
from codex_api.errors import FirstEventTimeoutError
from codex_api.transport.errors import ClientStateError

if TYPE_CHECKING:
    from codex_api.transport.errors import CodexApiError
    from codex_api.transport.websocket import WebSocket

_UNFINISHED = "this thread has not finished its last response on this WebSocket: read or close it"


class SharedSocket:
    """One connection and whose turn it is on it. Shared by a connection and its responses."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.facts: HandshakeFacts = HandshakeFacts.of(socket.status, socket.headers)
        self._turn = Turn()
        self._guard = Guard()
        self._holder: object = None
        self._reason: CodexApiError | None = None
        self._used = False

    @property
    def is_closed(self) -> bool:
        """Whether the connection is of no more use."""
        return self._reason is not None or self.facts.history.is_unusable or self.socket.is_closed

    @property
    def was_closed_here(self) -> bool:
        """Whether this program dropped the connection, and not the server."""
        return isinstance(self._reason, ClientStateError)

    def take(self, holder: object, timeout: float | None) -> bool:
        """Wait until the connection is free, and say whether it carried a response before.

        Raises:
            ClientStateError: The thread would wait for itself, or the connection was closed here or
                opened elsewhere.
            FirstEventTimeoutError: It was not free within ``timeout`` seconds.
            StreamClosedError: It is of no more use.
        """
        self.socket.check_owner()  # a foreign lock might never be free
        if self._turn.is_ours:
            raise ClientStateError(_UNFINISHED)
        if not self._turn.take(timeout):
            message = f"the WebSocket was busy with another response for {timeout} s"
            raise FirstEventTimeoutError(message)
        if self.is_closed:
            self._turn.release()
            raise closed_error(self._reason)
        self._holder = holder
        used, self._used = self._used, True
        return used

    def release(self, holder: object, failure: CodexApiError | None) -> None:
        """Let the next response begin; ``failure`` drops the connection first.

        Nothing happens when ``holder`` does not have it, so this may be called again.
        """
        with self._guard:
            if self._holder is not holder:
                return
            self._holder = None
        if failure is not None:
            self.fail(failure)
        self._turn.release()

    def fail(self, reason: CodexApiError) -> None:
        """Drop the connection; the first reason stays."""
        if self._reason is None:
            self._reason = reason
        self.socket.abort()
