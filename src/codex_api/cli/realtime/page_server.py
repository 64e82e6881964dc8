"""The server of the realtime page. Needs the extra ``codex-api[server]``.

It listens on the loopback address only. Its URL holds a random token, which every path starts with;
requests that name another host (a rebound DNS name) or come from another origin are refused. The
page may load nothing from elsewhere, and send nothing anywhere else.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Final

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from codex_api.cli.realtime.transcript import event_json
from codex_api.errors import CodexApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from codex_api._async.client import AsyncClient
    from codex_api._async.realtime_connection import AsyncRealtimeConnection
    from codex_api.types.realtime import RealtimeSessionConfig

_HOST = "127.0.0.1"
_FILES: Final = {
    "": ("index.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
}
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_MAX_BODY_BYTES = 256 * 1024
_QUEUE_EVENTS = 2000


class PageServer:
    """Serves the page, one call at a time.

    Args:
        client: Creates the calls.
        config: The session of every call.
        sideband_client: Joins the sidebands; None lets ``client`` do it.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        client: AsyncClient,
        config: RealtimeSessionConfig,
        *,
        sideband_client: AsyncClient | None = None,
        port: int = 0,
    ) -> None:
        self._sideband_client = sideband_client or client
        self._client, self._config, self._port = client, config, port
        self._token = secrets.token_urlsafe(24)
        self._pages: set[asyncio.Queue[bytes | None]] = set()
        self._sideband: AsyncRealtimeConnection | None = None
        self._following: asyncio.Task[None] | None = None
        self._ended_calls = 0

    @property
    def url(self) -> str:
        """Address of the page, token included."""
        return f"http://{_HOST}:{self._port}/{self._token}/"

    def application(self) -> ASGIApp:
        """Return the ASGI application."""
        base = "/{token}"
        app = Starlette(
            routes=[
                *(Route(f"{base}/{path}", self._file, name=path) for path in _FILES),
                Route(f"{base}/calls", self._create, methods=["POST"]),
                Route(f"{base}/hangup", self._hang_up, methods=["POST"]),
                Route(f"{base}/answer", self._answer, methods=["POST"]),
                Route(f"{base}/events", self._events),
            ]
        )
        return _Guard(app, self._token, lambda: self._port)

    async def run(self, ready: Callable[[str], None]) -> None:
        """Serve until cancelled.

        Args:
            ready: Called with the page's address once it is served.
        """
        listener = socket.create_server((_HOST, self._port))
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self.application(),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        try:
            ready(self.url)
            # Not awaited itself: our cancellation would take it down in the middle of its work.
            await asyncio.wait({serving})
        finally:
            server.should_exit = True
            self._tell(None)
            await self._end_call()
            await serving
            listener.close()

    async def _file(self, request: Request) -> Response:
        name, kind = _FILES[request.url.path.rpartition("/")[2]]
        page = resources.files("codex_api.cli.realtime").joinpath("page", name)
        return Response(page.read_bytes(), media_type=f"{kind}; charset=utf-8")

    async def _create(self, request: Request) -> Response:
        offer = await _text(request)
        if offer is None:
            return PlainTextResponse("too large", 413)
        await self._end_call()
        # Whoever hangs up, or calls again, while this call is being made does not want it.
        number = self._ended_calls
        try:
            call = await self._client.realtime.create_call(offer, self._config)
            sideband = await self._sideband_client.realtime.join_call(self._config, call.call_id)
        except CodexApiError as exc:
            return JSONResponse({"error": str(exc)}, 502)
        if number != self._ended_calls:
            await sideband.close()
            return JSONResponse({"error": "the call was hung up"}, 409)
        self._sideband = sideband
        self._following = asyncio.ensure_future(self._follow(sideband, call.call_id))
        return JSONResponse({"sdp": call.sdp, "call_id": call.call_id})

    async def _follow(self, sideband: AsyncRealtimeConnection, call_id: str) -> None:
        ended = {"event": "CallEnded", "call_id": call_id}
        try:
            async for event in sideband:
                self._tell(event_json(event))
        except CodexApiError as exc:
            ended["error"] = str(exc)
        self._tell(msgspec.json.encode(ended))

    async def _hang_up(self, request: Request) -> Response:
        del request
        await self._end_call()
        return Response(status_code=204)

    async def _answer(self, request: Request) -> Response:
        body = await _text(request)
        sideband = self._sideband
        if body is None or sideband is None:
            return PlainTextResponse("there is no call", 409)
        try:
            reply = msgspec.json.decode(body, type=_Reply)
            await sideband.send_conversation_function_call_output(reply.handoff_id, reply.text)
        except (msgspec.DecodeError, CodexApiError) as exc:
            return JSONResponse({"error": str(exc)}, 400)
        return Response(status_code=204)

    async def _events(self, request: Request) -> Response:
        del request
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE_EVENTS)
        self._pages.add(queue)
        return StreamingResponse(self._lines(queue), media_type="text/event-stream")

    async def _lines(self, queue: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
        try:
            yield b": open\n\n"
            while (event := await queue.get()) is not None:
                yield b"data: " + event + b"\n\n"
        finally:
            self._pages.discard(queue)

    def _tell(self, event: bytes | None) -> None:
        for queue in list(self._pages):
            if queue.full():
                # A page that does not read loses its stream, and the browser reconnects it.
                self._pages.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    async def _end_call(self) -> None:
        self._ended_calls += 1
        following, self._following = self._following, None
        sideband, self._sideband = self._sideband, None
        if sideband is not None:
            await sideband.close()
        if following is not None:
            await asyncio.gather(following, return_exceptions=True)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to the program: its end is a cancellation, which ends the streams first."""
        yield


class _Reply(msgspec.Struct):
    handoff_id: str
    text: str


class _Guard:
    """Lets in who has the token and is on this host and origin; puts the headers on everything."""

    def __init__(self, app: ASGIApp, token: str, port: Callable[[], int]) -> None:
        self._app, self._token, self._port = app, token, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *own]
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        hosts = {f"{name}:{self._port()}" for name in (_HOST, "localhost")}
        if headers.get("host") not in hosts:
            return PlainTextResponse("unknown host", 421)
        token = scope["path"].split("/")[1]
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return PlainTextResponse("not found", 404)
        origin = headers.get("origin")
        foreign = origin is not None and origin.removeprefix("http://") not in hosts
        if foreign or (scope["method"] == "POST" and origin is None):
            return PlainTextResponse("another origin", 403)
        return None


async def _text(request: Request) -> str | None:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            return None
    return body.decode(errors="replace")
