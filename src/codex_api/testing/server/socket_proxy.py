"""Passing a WebSocket on to another server, and recording it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from codex_api.testing.server.event_stream import sever
from codex_api.testing.server.problems import RequestProblem
from codex_api.transport.errors import HttpStatusError, TransportError, WebSocketClosedError
from codex_api.transport.network import Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from codex_api.testing.recording_transport import AsyncRecordingTransport
    from codex_api.transport._core.headers import Headers
    from codex_api.transport.websocket_async import AsyncWebSocket

_NORMAL = 1000
_NOT_TEXT = 1003
_NO_CODE = 1005
_CONNECT_TIMEOUT = 30.0
# They belong to one of the two connections.
_NOT_PASSED = frozenset({"connection", "content-length", "transfer-encoding", "upgrade"})


class SocketPassage:
    """One WebSocket between a program and the other server.

    Args:
        transport: Opens the connection to the other server, and records it.
        noted: URL to record in place of the real one.
    """

    def __init__(
        self, transport: AsyncRecordingTransport, url: str, headers: Headers, noted: str
    ) -> None:
        self._transport = transport
        self._url, self._headers, self._noted = url, headers, noted

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass messages both ways until one side ends."""
        try:
            upstream = await self._transport.connect_websocket(
                self._url,
                self._headers,
                network=Network(),
                deflate=True,
                connect_timeout=_CONNECT_TIMEOUT,
                max_message_bytes=None,
                noted=self._noted,
            )
        except HttpStatusError as exc:
            kept = dict(_kept(exc.headers or {}))
            await Response(exc.body or b"", exc.status or 502, kept)(scope, receive, send)
            return
        except TransportError as exc:
            problem = RequestProblem(502, f"The upstream server: {exc}", "upstream", None, "proxy")
            await JSONResponse({"error": problem.error()}, 502)(scope, receive, send)
            return
        socket = WebSocket(scope, receive, send)
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in _kept(upstream.headers)
        ]
        try:
            await socket.accept(headers=headers)
            await self._pass(socket, upstream)
        finally:
            upstream.abort()

    async def _pass(self, socket: WebSocket, upstream: AsyncWebSocket) -> None:
        ways = {
            asyncio.ensure_future(_outward(socket, upstream)),
            asyncio.ensure_future(_inward(socket, upstream)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ways:
                each.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _outward(socket: WebSocket, upstream: AsyncWebSocket) -> None:
    """Pass on what the program says."""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code", _NO_CODE)
            if code in {_NORMAL, 1001} or code >= 3000:  # noqa: PLR2004 - those of applications
                await upstream.close(code, message.get("reason") or "")
            return
        text = message.get("text")
        if text is None:
            await socket.close(_NOT_TEXT, "only text can be recorded")
            return
        try:
            await upstream.send(text)
        except TransportError:
            await asyncio.Event().wait()  # whoever reads says how it ended


async def _inward(socket: WebSocket, upstream: AsyncWebSocket) -> None:
    """Pass on what the other server says."""
    try:
        while True:
            message = await upstream.recv()
            if isinstance(message, str):
                await socket.send_text(message)
            else:
                await socket.send_bytes(message)
    except WebSocketClosedError as exc:
        if exc.code is None:
            sever(socket.scope, is_reset=False)
        else:
            code = _NORMAL if exc.code == _NO_CODE else exc.code
            await socket.close(code, exc.reason)
    except (TransportError, WebSocketDisconnect):
        sever(socket.scope, is_reset=False)


def _kept(headers: Mapping[str, str] | Headers) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, value in headers.items()
        if name not in _NOT_PASSED and not name.startswith("sec-websocket-")
    ]
