"""``/realtime``, ``/live`` and ``/realtime/calls``.

Calls need aiortc; without it they are answered with status 501, and sessions work all the same.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from codex_api.testing.server.problems import RequestProblem, not_found
from codex_api.testing.server.realtime.conversation import Conversation
from codex_api.testing.server.realtime.secrets import Secrets, session_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from codex_api.testing.server.realtime.call import Call
    from codex_api.testing.server.realtime.sayings import Version
    from codex_api.testing.server.state import ServerState
    from codex_api.testing.wire import JsonObject

_QUEUE_MESSAGES = 4096
_CLOSE_TIMEOUT = 5.0
_SUBPROTOCOL = "realtime"
_AVAS = {"intent": "quicksilver", "architecture": "avas"}


def realtime_routes(state: ServerState) -> list[BaseRoute]:
    """Return the routes below the base path."""
    service = _Service(state)
    return [
        Route("/realtime/client_secrets", Secrets(state).create, methods=["POST"]),
        Route("/realtime/calls", service.create, methods=["POST"]),
        Route("/live", service.create, methods=["POST"]),
        Route("/realtime/calls/{call_id}/hangup", service.hang_up, methods=["POST"]),
        WebSocketRoute("/realtime", service.join_or_open),
        WebSocketRoute("/live", service.join_or_open),
        WebSocketRoute("/live/{call_id}", service.join_or_open),
    ]


class _Service:
    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._calls: dict[str, Call] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        state.closers.append(self._close)

    async def create(self, request: Request) -> Response:
        """Answer the offer of a call."""
        try:
            from codex_api.testing.server.realtime.call import Call  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as exc:
            message = "WebRTC calls need the extra 'webrtc' on this server"
            raise RequestProblem(501, message) from exc
        offer, session = await _offer(request)
        call = Call(_call_version(request, session), self._state.new_id)
        call.conversation.configure(session)
        try:
            answer = await call.answer(offer)
        except ValueError as exc:
            await call.hang_up()
            raise RequestProblem(400, f"the SDP offer is not usable: {exc}") from exc
        call_id = self._state.new_id("rtc")
        self._calls[call_id] = call
        watcher = asyncio.ensure_future(self._watch(call_id, call))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        headers = {"location": f"{request.url.path.rstrip('/')}/{call_id}"}
        return Response(answer, 201, headers, "application/sdp")

    async def _watch(self, call_id: str, call: Call) -> None:
        await call.over()
        del self._calls[call_id]
        await call.hang_up()

    async def _close(self) -> None:
        # Before the tasks are cancelled: a peer connection cannot be closed without its own.
        for call in self._calls.values():
            call.end()
        if self._watchers:
            await asyncio.wait(self._watchers, timeout=_CLOSE_TIMEOUT)

    async def hang_up(self, request: Request) -> Response:
        """End a call."""
        call = self._calls.get(request.path_params["call_id"])
        if call is None:
            raise not_found("Call", request.path_params["call_id"])
        call.end()
        return Response(status_code=200)

    async def join_or_open(self, socket: WebSocket) -> None:
        """Serve a sideband, or a session of its own."""
        call_id = socket.path_params.get("call_id") or socket.query_params.get("call_id")
        if call_id is None:
            await _Session(socket).serve(self._state)
            return
        call = self._calls.get(call_id)
        if call is None:
            await socket.send_denial_response(Response("no such call", 404))
            return
        await _Session(socket).join(call)


class _Session:
    """One WebSocket; what is said to it waits in a bounded queue."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(_QUEUE_MESSAGES)

    async def serve(self, state: ServerState) -> None:
        """Serve a session that lives as long as its WebSocket."""

        def emit(message: JsonObject) -> None:
            self._push(json.dumps(message, separators=(",", ":")))

        version = _socket_version(self._socket)
        conversation = Conversation(version, emit, play=None, new_id=state.new_id)
        conversation.configure(session_of(state, self._socket.headers))
        is_named = _SUBPROTOCOL in self._socket.scope["subprotocols"]
        await self._socket.accept(_SUBPROTOCOL if is_named else None)
        conversation.greet()
        await self._run(conversation)

    async def join(self, call: Call) -> None:
        """Serve the sideband of a call."""
        await self._socket.accept()
        call.listeners.add(self._push)
        try:
            await self._run(call.conversation)
        finally:
            call.listeners.discard(self._push)

    def _push(self, text: str) -> None:
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            # As a real server does with a client that does not read: let it go.
            raise WebSocketDisconnect(1013) from None

    async def _run(self, conversation: Conversation) -> None:
        writer = asyncio.ensure_future(self._write())
        try:
            while not conversation.ended:
                conversation.receive(await self._socket.receive_text())
                if self._queue.qsize() > _QUEUE_MESSAGES // 2:
                    await self._drained()
        except (WebSocketDisconnect, KeyError):
            pass
        finally:
            with suppress(asyncio.QueueFull):
                self._queue.put_nowait(None)
            await asyncio.wait({writer}, timeout=1)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _write(self) -> None:
        while (text := await self._queue.get()) is not None:
            await self._socket.send_text(text)
            self._queue.task_done()

    async def _drained(self) -> None:
        # Take no more of a client that does not read what is said to it.
        await self._queue.join()


def _socket_version(socket: WebSocket) -> Version:
    if "/live" in socket.url.path:
        return "v3"
    return "v1" if socket.query_params.get("intent") == "quicksilver" else "v2"


def _call_version(request: Request, session: dict[str, Any]) -> Version:
    if "delegation" in session:
        return "v3"
    kind = session.get("type")
    routed = all(request.query_params.get(key) == value for key, value in _AVAS.items())
    if routed and kind != "quicksilver":
        message = "calls of this kind speak the session types of v1 and v3 only"
        raise RequestProblem(400, message, param="session.type")
    return "v1" if kind == "quicksilver" else "v2"


async def _offer(request: Request) -> tuple[str, dict[str, Any]]:
    """Read offer and session from a raw, a JSON or a multipart body."""
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        match kind:
            case "application/sdp":
                return body.decode(), {}
            case "application/json":
                fields = json.loads(body)
                return fields["sdp"], fields.get("session") or {}
            case "multipart/form-data":
                parts = _parts(request.headers["content-type"], body)
                return parts["sdp"].decode(), json.loads(parts.get("session", b"{}"))
            case _:
                message = f"a call takes SDP, JSON or multipart, not {kind or 'nothing'}"
                raise RequestProblem(415, message)
    except (KeyError, TypeError, ValueError, RecursionError) as exc:
        message = "the body has no readable SDP offer"
        raise RequestProblem(400, message, param="sdp") from exc


def _parts(content_type: str, body: bytes) -> dict[str, bytes]:
    head = f"content-type: {content_type}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    parts: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            parts[name] = payload
    return parts
