"""Carrying out steps as the body of an HTTP answer."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, assert_never

from starlette.responses import Response

from codex_api.testing.server.presence import until_gone
from codex_api.testing.server.state import Disconnect, ServerState
from codex_api.testing.steps import (
    Binary,
    CloseFrame,
    End,
    Event,
    Hang,
    Hold,
    KeepAlive,
    Pause,
    Raw,
    Step,
)
from codex_api.testing.wire import sse_comment, sse_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.types import Receive, Scope, Send

    from codex_api.testing.gate import Gate


class EventStream(Response):
    """A response that plays steps and notices when the client leaves."""

    def __init__(
        self,
        state: ServerState,
        steps: Iterable[Step],
        headers: Mapping[str, str],
        head_gate: Gate | None = None,
    ) -> None:
        super().__init__()
        self._state = state
        self._steps = steps
        self._pairs = {"content-type": "text/event-stream; charset=utf-8", **headers}
        self._head_gate = head_gate
        self._events_sent = 0
        self._last_event: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Play all steps, or as many as the client stays for."""
        if not await until_gone(receive, self._play(scope, send)):
            left = Disconnect(scope["state"]["recorded"], self._events_sent, self._last_event)
            self._state.note_disconnect(left)

    async def _play(self, scope: Scope, send: Send) -> None:
        if self._head_gate is not None:
            await self._head_gate.passed()
        headers = [(name.encode(), value.encode("latin-1")) for name, value in self._pairs.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for step in self._steps:
            if isinstance(step, (End, CloseFrame)):
                if isinstance(step, End) and step.how != "clean":
                    await break_connection(scope, is_reset=step.how == "reset")
                break
            await self._step(step, send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _step(self, step: Step, send: Send) -> None:
        match step:
            case Event():
                await self._event(step, send)
            case Raw(data) | Binary(data):
                await _write(send, data)
            case KeepAlive():
                await _write(send, sse_comment())
            case Pause() | Hold() | Hang():
                await wait_out(step)
            case End() | CloseFrame():
                pass  # They end the loop above.
            case _:
                assert_never(step)

    async def _event(self, step: Event, send: Send) -> None:
        data = sse_event(step.payload)
        size = step.piece_bytes or len(data)
        for start in range(0, len(data), size):
            await _write(send, data[start : start + size])
        self._events_sent += 1
        self._last_event = step.payload.get("type")


async def wait_out(step: Pause | Hold | Hang) -> None:
    """Carry out a step that only waits."""
    match step:
        case Pause(seconds):
            await asyncio.sleep(seconds)
        case Hold(gate):
            await gate.passed()
        case Hang():
            await asyncio.Event().wait()
        case _:
            assert_never(step)


def sever(scope: Scope, *, is_reset: bool) -> None:
    """End the TCP connection under the answer, with an RST or after what was written."""
    transport: asyncio.Transport = scope["state"]["transport"]
    if is_reset:
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()


async def break_connection(scope: Scope, *, is_reset: bool) -> None:
    """Sever the connection and wait to be cancelled, as for a client that is gone."""
    sever(scope, is_reset=is_reset)
    await asyncio.Event().wait()


async def _write(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})
    # Lets the other end of a loopback connection, and the watch for its leaving, have their turn.
    await asyncio.sleep(0)
