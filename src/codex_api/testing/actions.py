"""What a scripted server can do on a connection, one value per deed.

An action is played to its end before the next one starts. When the client goes away in between,
the rest of the script is dropped, and `ConnectionRecord.actions_played` says how far it came.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, assert_never

from codex_api.testing.websocket_peer import PeerGoneError
from codex_api.testing.wire import (
    chunk,
    compact_json,
    http_response,
    last_chunk,
    sse_event,
    sse_head,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from codex_api.testing.connection import Connection
    from codex_api.testing.gate import Gate
    from codex_api.testing.websocket_peer import Deflate
    from codex_api.testing.wire import HeaderPairs


class Action(Protocol):
    """Something that a script does on a connection.

    The actions below name it as their parent only so that a list of different ones has a type.
    """

    async def play(self, connection: Connection) -> None:
        """Do it, raising `PeerGoneError` when the client is gone."""
        ...


@dataclass(frozen=True, slots=True)
class ReadRequest(Action):
    """Read and record one HTTP request."""

    async def play(self, connection: Connection) -> None:
        """Wait for the whole request."""
        if await connection.read_request() is None:
            raise PeerGoneError


@dataclass(frozen=True, slots=True)
class Send(Action):
    """Send bytes, in pieces of ``piece_bytes`` when that is given."""

    data: bytes
    piece_bytes: int | None = None

    async def play(self, connection: Connection) -> None:
        """Write all of it."""
        size = self.piece_bytes or max(len(self.data), 1)
        for start in range(0, len(self.data), size):
            await connection.write(self.data[start : start + size])


@dataclass(frozen=True, slots=True)
class Pause(Action):
    """Do nothing for ``seconds``; a `WaitFor` is better where a test can open a gate."""

    seconds: float

    async def play(self, connection: Connection) -> None:
        """Sleep, unless the client goes away."""
        try:
            await asyncio.wait_for(connection.ended.wait(), self.seconds)
        except TimeoutError:
            return
        raise PeerGoneError


@dataclass(frozen=True, slots=True)
class WaitFor(Action):
    """Go on when the test opens ``gate``."""

    gate: Gate

    async def play(self, connection: Connection) -> None:
        """Wait for the gate or the end of the client."""
        passed = asyncio.ensure_future(self.gate.passed())
        ended = asyncio.ensure_future(connection.ended.wait())
        try:
            await asyncio.wait({passed, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            passed.cancel()
            ended.cancel()
        if not self.gate.is_set():
            raise PeerGoneError


@dataclass(frozen=True, slots=True)
class Open(Action):
    """Open ``gate``, which tells the test that the script came this far."""

    gate: Gate

    async def play(self, connection: Connection) -> None:
        """Open it."""
        del connection
        self.gate.set()


@dataclass(frozen=True, slots=True)
class Hang(Action):
    """Send nothing more and wait until the client goes away."""

    async def play(self, connection: Connection) -> None:
        """Wait for the end."""
        await connection.ended.wait()


@dataclass(frozen=True, slots=True)
class Close(Action):
    """End the connection with a FIN, after everything sent so far."""

    async def play(self, connection: Connection) -> None:
        """Close it."""
        connection.close()


@dataclass(frozen=True, slots=True)
class Reset(Action):
    """End the connection with an RST."""

    async def play(self, connection: Connection) -> None:
        """Reset it."""
        connection.reset()


@dataclass(frozen=True, slots=True)
class StopReading(Action):
    """Take no more bytes of the client, so that its sends come to a stop."""

    async def play(self, connection: Connection) -> None:
        """Pause reading."""
        connection.pause_reading()


@dataclass(frozen=True, slots=True)
class AcceptWebSocket(Action):
    """Read a handshake and answer it with 101.

    Attributes:
        headers: Added to the answer.
        deflate: Accept permessage-deflate on these terms when the client offers it; None refuses.
        answers_pings: Answer pings (and the close frame) of the client without being told to.
    """

    headers: HeaderPairs = ()
    deflate: Deflate | None = None
    answers_pings: bool = True

    async def play(self, connection: Connection) -> None:
        """Do the handshake."""
        await connection.accept_websocket(
            self.headers, self.deflate, answers_pings=self.answers_pings
        )


@dataclass(frozen=True, slots=True)
class ReadMessage(Action):
    """Wait for one WebSocket message of the client."""

    async def play(self, connection: Connection) -> None:
        """Wait for it."""
        await connection.read_message()


@dataclass(frozen=True, slots=True)
class SendMessage(Action):
    """Send a WebSocket message: text for ``str``, binary for ``bytes``, JSON for a mapping."""

    message: str | bytes | Mapping[str, Any]

    async def play(self, connection: Connection) -> None:
        """Send it in one frame."""
        message = self.message
        if isinstance(message, bytes):
            await connection.write(connection.websocket.binary(message))
            return
        text = message.encode() if isinstance(message, str) else compact_json(message)
        await connection.write(connection.websocket.text(text))


@dataclass(frozen=True, slots=True)
class SendPing(Action):
    """Send a WebSocket ping."""

    payload: bytes = b"ping"

    async def play(self, connection: Connection) -> None:
        """Send it."""
        await connection.write(connection.websocket.ping(self.payload))


@dataclass(frozen=True, slots=True)
class SendClose(Action):
    """Send a close frame; ``code`` None sends one without payload."""

    code: int | None = 1000
    reason: str = ""

    async def play(self, connection: Connection) -> None:
        """Send it."""
        await connection.write(connection.websocket.close(self.code, self.reason))


def answer(
    status: int = 200,
    body: bytes | str | Mapping[str, Any] = b"",
    headers: HeaderPairs = (),
) -> list[Action]:
    """Answer one request with a whole response."""
    return [Send(http_response(status, body, headers))]


def stream(
    payloads: Sequence[Mapping[str, Any] | str],
    headers: HeaderPairs = (),
    *,
    end: Literal["clean", "truncated", "reset", "hang"] = "clean",
) -> list[Action]:
    """Answer one request with an event stream, one chunk an event.

    Args:
        payloads: The events; a string is sent as the data of an event without a name.
        headers: Added to the head.
        end: ``clean`` ends the body as HTTP wants it, ``truncated`` closes the connection without
            the last chunk, ``reset`` sends an RST once the client had time to read, ``hang`` keeps
            the connection open and silent.
    """
    actions: list[Action] = [Send(sse_head(headers))]
    actions += [Send(chunk(sse_event(payload))) for payload in payloads]
    match end:
        case "clean":
            actions.append(Send(last_chunk()))
        case "truncated":
            actions.append(Close())
        case "reset":
            # An RST throws away what the client's kernel has not handed over yet.
            actions += [Pause(0.05), Reset()]
        case "hang":
            actions.append(Hang())
        case _:
            assert_never(end)
    return actions
