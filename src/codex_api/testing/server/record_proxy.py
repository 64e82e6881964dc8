"""A reverse proxy that records what passes, for programs whose transport cannot be replaced.

Bodies are passed on chunk for chunk as they come. What is recorded is cleaned as in every cassette;
what is passed on is not. WebSockets are passed on message for message.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from codex_api.testing.recording_transport import AsyncRecordingTransport
from codex_api.testing.server.event_stream import break_connection
from codex_api.testing.server.presence import until_gone
from codex_api.testing.server.problems import RequestProblem
from codex_api.testing.server.socket_proxy import SocketPassage
from codex_api.transport import AsyncHttpTransport, Headers, RawBody, Request
from codex_api.transport.errors import TransportError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from codex_api.testing.cassettes import Cassette, Ending
    from codex_api.transport import AsyncStreamResponse, AsyncTransport

_BASE = "/v1"
# They belong to one of the two connections, or would compress what is to be read.
_NOT_PASSED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class RecordProxy:
    """An ASGI application in front of another server.

    Args:
        upstream: Base URL that takes the place of ``/v1``.
        cassette: Where everything is recorded.
        transport: Reaches the other server; None makes one. It is closed by `aclose`.
    """

    def __init__(
        self, upstream: str, cassette: Cassette, transport: AsyncTransport | None = None
    ) -> None:
        self._upstream = upstream.rstrip("/")
        self._cassette = cassette
        self._transport = transport or AsyncHttpTransport()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and its answer back."""
        if scope["type"] == "websocket":
            noted, request = self._requests({**scope, "method": "GET"}, b"")
            url = request.url.replace("http", "ws", 1)
            transport = AsyncRecordingTransport(self._transport, self._cassette)
            passage = SocketPassage(transport, url, request.headers, noted.url)
            await passage.run(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        passing = _Passing(self._cassette, self._transport)
        noted, request = self._requests(scope, bytes(body))
        if not await until_gone(receive, passing.run(noted, request, scope, send)):
            passing.end("left")

    async def aclose(self) -> None:
        """Close the transport, and write what is left of exchanges that have not ended."""
        await self._transport.aclose()
        self._cassette.close()

    def _requests(self, scope: Scope, body: bytes) -> tuple[Request, Request]:
        """Return a request as the program made it, and as it is passed on."""
        pairs = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        kept = Headers.lenient(
            (name, value)
            for name, value in pairs
            if name not in _NOT_PASSED and not name.startswith("sec-websocket-")
        )
        path: str = scope["raw_path"].decode("latin-1")
        query: str = scope["query_string"].decode("latin-1")
        target = path.removeprefix(_BASE) + (f"?{query}" if query else "")
        raw = RawBody(body) if body else None
        noted = Request(
            method=scope["method"], url=f"http://localhost{path}", headers=kept, body=raw
        )
        url = self._upstream + target
        return noted, Request(method=scope["method"], url=url, headers=kept, body=raw)


class _Passing:
    """One exchange on its way."""

    def __init__(self, cassette: Cassette, transport: AsyncTransport) -> None:
        self._cassette, self._transport = cassette, transport
        self._number: int | None = None

    def end(self, how: Ending) -> None:
        """Note how it ended; only the first call counts."""
        if self._number is not None:
            self._cassette.end(self._number, how)

    async def run(self, noted: Request, request: Request, scope: Scope, send: Send) -> None:
        """Carry it out."""
        self._number = number = self._cassette.begin(noted)
        try:
            response = await self._transport.stream(request)
        except TransportError as exc:
            self.end("broken")
            problem = RequestProblem(502, f"The upstream server: {exc}", "upstream", None, "proxy")
            await JSONResponse({"error": problem.error()}, 502)(scope, _nothing, send)
            return
        try:
            self._cassette.head(number, response.status, response.headers)
            await self._body(number, response, scope, send)
        finally:
            await response.aclose()

    async def _body(
        self, number: int, response: AsyncStreamResponse, scope: Scope, send: Send
    ) -> None:
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in response.headers.items()
            if name not in _NOT_PASSED
        ]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        try:
            while (data := await response.read_chunk()) is not None:
                self._cassette.chunk(number, bytes(data))
                await send({"type": "http.response.body", "body": bytes(data), "more_body": True})
        except TransportError:
            self.end("broken")
            await break_connection(scope, is_reset=False)
        self.end("clean")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _nothing() -> Message:
    await asyncio.Event().wait()
    return {"type": "http.disconnect"}
