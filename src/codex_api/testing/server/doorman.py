"""What stands around the application of a server that is open to other programs.

Browsers let any page send requests to this machine. Two checks keep pages out: the ``Host`` has to
be a name that the server is known by, or an address, which no foreign page can make its own (a
rebound DNS name is neither); and an ``Origin``, which only browsers send, has to be the server.
"""

from __future__ import annotations

import ipaddress
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from codex_api.testing.faults import TERMINAL_TYPES
from codex_api.testing.server.problems import RequestProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from codex_api.testing.wire import JsonObject


@dataclass(slots=True)
class ServedRequest:
    """One request, or one frame that asks for a response, and what became of it.

    Attributes:
        method: That of HTTP; ``WS`` is a frame on a WebSocket.
        path: Without its query, which may hold a credential.
        status: None when the connection ended before the head of the answer.
        seconds: From the whole request to the end of its answer.
        events: How many were sent.
        body: Of the request, where it is a JSON object.
        outcome: Type of the last event without ``response.``, such as ``completed``; empty for
            answers that are no events, ``gone`` when the stream has no such end.
        usage: Tokens as told in the answer, or None.
    """

    method: str
    path: str
    status: int | None = None
    seconds: float = 0.0
    events: int = 0
    body: JsonObject = field(default_factory=dict[str, Any])
    outcome: str = ""
    usage: JsonObject | None = None

    def note(self, payload: Any) -> bool:  # noqa: ANN401 - whatever a script sends
        """Take note of an event, and tell whether it ends the response."""
        self.events += 1
        if not isinstance(payload, dict) or payload.get("type") not in {*TERMINAL_TYPES, "error"}:
            return False
        self.outcome = str(payload["type"]).removeprefix("response.")
        response = payload.get("response")
        if isinstance(response, dict):
            self.usage = response.get("usage")
        return True


class Doorman:
    """Checks who asks, and tells what was asked once it is answered.

    Args:
        host: Name or address that the server was told to bind.
        names: Further names that it is known by.
        tell: Called in the server's thread; None tells nobody.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        names: tuple[str, ...] = (),
        tell: Callable[[ServedRequest], None] | None = None,
    ) -> None:
        self._app = app
        self._names = {"localhost", host.lower(), *(name.lower() for name in names)}
        self._tell = tell or (lambda _: None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        served = ServedRequest(scope.get("method", "GET"), scope["path"])
        began = time.monotonic()
        watched = _Sockets if scope["type"] == "websocket" else _Exchange
        watch = watched(served, receive, send, self._tell)
        problem = self._problem(scope)
        try:
            if problem is not None:
                answer = JSONResponse({"error": problem.error()}, problem.status)
                await answer(scope, receive, watch.send)
            else:
                await self._app(scope, watch.receive, watch.send)
        finally:
            served.seconds = time.monotonic() - began
            watch.end()
            self._tell(served)

    def _problem(self, scope: Scope) -> RequestProblem | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if not self._is_known(host):
            message = "The Host header names another server; see --allow-host."
            return RequestProblem(421, message, "unknown_host")
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return RequestProblem(403, "Pages of another origin are not let in.", "foreign_origin")
        return None

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class _Exchange:
    """Looks at an HTTP exchange as it passes."""

    def __init__(
        self,
        served: ServedRequest,
        receive: Receive,
        send: Send,
        tell: Callable[[ServedRequest], None],
    ) -> None:
        del tell
        self._served = served
        self._receive, self._send = receive, send
        self._asked, self._answered = bytearray(), bytearray()
        self._is_stream = self._is_json = self._is_whole = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and "/blobs/" not in self._served.path:
            self._asked += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._served.status = message["status"]
            kind = dict(message.get("headers", ())).get(b"content-type", b"")
            self._is_stream = kind.startswith(b"text/event-stream")
            self._is_json = kind.startswith(b"application/json")
        elif message["type"] == "http.response.body":
            self._body(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
        await self._send(message)

    def end(self) -> None:
        """Make the note complete."""
        self._served.body = _object(bytes(self._asked))
        if self._is_json:
            answer = _object(bytes(self._answered))
            self._served.usage = answer.get("usage")
            error = answer.get("error")
            if isinstance(error, dict):
                self._served.outcome = str(error.get("code") or error.get("type") or "")
        if (self._is_stream and not self._served.outcome) or not self._is_whole:
            self._served.outcome = "gone"

    def _body(self, data: bytes) -> None:
        if not self._is_stream and not self._is_json:
            return
        self._answered += data
        while self._is_stream and b"\n\n" in self._answered:
            block, _, rest = bytes(self._answered).partition(b"\n\n")
            self._answered[:] = rest
            lines = [line[5:] for line in block.split(b"\n") if line.startswith(b"data:")]
            if lines:
                self._served.note(_object(b"\n".join(lines)))


class _Sockets:
    """Looks at the frames of a WebSocket as they pass."""

    def __init__(
        self,
        served: ServedRequest,
        receive: Receive,
        send: Send,
        tell: Callable[[ServedRequest], None],
    ) -> None:
        self._served = served
        self._receive, self._send, self._tell = receive, send, tell
        self._turn: ServedRequest | None = None
        self._began = 0.0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.receive":
            frame = _object(message.get("text") or b"")
            if frame.get("type") == "response.create" and self._turn is None:
                self._turn = ServedRequest("WS", self._served.path, 200, body=frame)
                self._began = time.monotonic()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.accept":
            self._served.status = 101
        elif message["type"] == "websocket.http.response.start":
            self._served.status = message["status"]
        elif message["type"] == "websocket.send" and self._turn is not None:
            payload = _object(message.get("text") or b"")
            if self._turn.note(payload):
                self._turn.status = payload.get("status", 200)
                self._finish(self._turn)
        await self._send(message)

    def end(self) -> None:
        """Tell a response that did not come to its end."""
        if self._turn is not None:
            self._turn.outcome = "gone"
            self._finish(self._turn)

    def _finish(self, turn: ServedRequest) -> None:
        turn.seconds = time.monotonic() - self._began
        self._turn = None
        self._tell(turn)


def _object(data: str | bytes) -> JsonObject:
    try:
        value: object = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
