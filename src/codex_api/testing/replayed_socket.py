"""Playing a recorded WebSocket to a client that says what was said in the recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api.testing.actions import Action, Close, Pause, SendClose, SendMessage
from codex_api.testing.websocket_peer import PeerGoneError

if TYPE_CHECKING:
    from codex_api.testing.cassettes import Exchange, Message
    from codex_api.testing.connection import Connection
    from codex_api.testing.recording import RecordedRequest
    from codex_api.testing.replaying import ReplayServer

_POLICY_VIOLATION = 1008
# A close frame without a code; it cannot be sent as one.
_NO_CODE = 1005
_OF_THE_CONNECTION = ("connection", "upgrade", "content-length", "transfer-encoding")


class PlaySocket(Action):
    """Accept a handshake, and play what was recorded with the client's first message.

    Args:
        server: Chooses the recording, and is told of what does not match.
        first: The recording whose answer to the handshake is given. It is the one that is played
            where the server spoke first.
        pace: Factor of the recorded times; 0 does not wait.
    """

    def __init__(
        self, server: ReplayServer, request: RecordedRequest, first: Exchange, pace: float
    ) -> None:
        self._server, self._request = server, request
        self._first, self._pace = first, pace

    async def play(self, connection: Connection) -> None:
        """Do so until the recording ends."""
        headers = [pair for pair in self._first.headers if pair[0] not in _OF_THE_CONNECTION]
        await connection.accept_websocket(headers, None, answers_pings=True, request=self._request)
        heard: str | bytes | None = None
        if not any(each.is_sent is False for each in self._first.messages[:1]):
            try:
                heard = await connection.read_message()
            except PeerGoneError:
                self._server.socket_for(self._request, None)
                raise
        chosen = self._server.socket_for(self._request, heard)
        if isinstance(chosen, str):
            await self._refuse(connection, chosen, heard)
            return
        for number, message in enumerate(chosen.messages):
            if not message.is_sent:
                await self._wait(connection, message.after)
                await SendMessage(message.data).play(connection)
                continue
            if heard is None:
                heard = await connection.read_message()
            if told := self._told(number, message, heard):
                await self._refuse(connection, told, heard)
                return
            heard = None
        await self._end(connection, chosen)

    def _told(self, number: int, message: Message, heard: str | bytes) -> str:
        differences = self._server.message_differences(message.data, heard)
        if not differences:
            return ""
        head = f"message {number + 1} of the WebSocket at {self._request.path} differs in"
        return "\n  ".join([head, *differences])

    async def _end(self, connection: Connection, chosen: Exchange) -> None:
        if chosen.ending == "closed":
            await self._wait(connection, chosen.last_after)
            code = None if chosen.close_code == _NO_CODE else chosen.close_code
            await SendClose(code, chosen.close_reason).play(connection)
        elif chosen.ending == "broken":
            await self._wait(connection, chosen.last_after)
            await Close().play(connection)
        else:
            heard = await connection.read_message()  # or the client leaves, as it did
            told = f"the WebSocket at {self._request.path} was asked more than was recorded"
            await self._refuse(connection, told, heard)

    async def _wait(self, connection: Connection, seconds: float) -> None:
        if self._pace:
            await Pause(seconds * self._pace).play(connection)

    async def _refuse(self, connection: Connection, told: str, heard: str | bytes | None) -> None:
        self._server.miss(told, self._request, heard or b"")
        error = {"message": told, "type": "cassette_mismatch", "param": None, "code": None}
        frame = {"type": "error", "status": 418, "error": error}
        await SendMessage(frame).play(connection)
        await SendClose(_POLICY_VIOLATION, "cassette mismatch").play(connection)
