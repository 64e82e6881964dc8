"""The outermost layer of the app: reads whole requests, records them, checks who asks.

Blobs are the exception: their bodies are left to the endpoint, which streams them to a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, Response

from codex_api.testing.recording import RecordedRequest
from codex_api.testing.server.keys import shown_key
from codex_api.testing.server.presence import until_gone
from codex_api.testing.server.problems import RequestProblem
from codex_api.testing.server.state import Disconnect
from codex_api.testing.wire import compact_json

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from codex_api.testing.scenarios import Scenario
    from codex_api.testing.server.state import ServerState

BASE_PATHS = ("/v1", "/backend-api/codex", "/backend-api")

_VERBS = {"GET": "retrieve", "DELETE": "delete"}
# Where what follows is an id, unless it is the name of a call.
_KEPT = frozenset({"responses", "files", "batches", "conversations"})
_CALLS = frozenset({"compact", "input_tokens"})


class Recorder:
    """Records each request, applies whole-answer scenarios and checks the API key."""

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_blob = "/blobs/" in scope["path"]
        body = b"" if is_blob else await _read_body(receive)
        if body is None:
            return
        request = self._record(scope, body)
        scenario = self._state.take_scenario(endpoint_name(scope["path"], scope["method"]), request)
        scope["state"] |= {"recorded": request, "scenario": scenario}
        send = self._with_request_id(send)
        response = self._refusal(request, scenario, is_open=is_blob)
        if response is None:
            await self._app(scope, receive if is_blob else _replayed(body, receive), send)
            return
        if scenario.head_gate is not None and not await until_gone(
            receive, scenario.head_gate.passed()
        ):
            self._state.note_disconnect(Disconnect(request, 0, None))
            return
        await response(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self._record({**scope, "method": "GET"}, b"")
        name = endpoint_name(scope["path"], "GET")
        # `responses` is taken: it stands for the requests, whatever they come by.
        endpoint = "websocket" if name == "responses" else name
        scenario = self._state.take_scenario(endpoint, request)
        scope["state"] |= {"recorded": request, "scenario": scenario}
        if scenario.head_gate is not None:
            await scenario.head_gate.passed()
        response = self._refusal(request, scenario, is_open=False)
        await (response or self._app)(scope, receive, send)

    def _record(self, scope: Scope, body: bytes) -> RecordedRequest:
        query = scope["query_string"].decode("latin-1")
        request = RecordedRequest(
            method=scope["method"],
            target=scope["raw_path"].decode("latin-1") + (f"?{query}" if query else ""),
            headers=[
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in scope["headers"]
            ],
            body=body,
            connection=scope.setdefault("state", {}).get("connection", 0),
        )
        self._state.journal.add(request)
        return request

    def _refusal(
        self, request: RecordedRequest, scenario: Scenario, *, is_open: bool
    ) -> Response | None:
        if scenario.status is not None:
            return scripted_response(scenario)
        problem = None if is_open else self._auth_problem(request)
        if problem is None:
            return None
        return JSONResponse({"error": problem.error()}, problem.status, problem.headers)

    def _auth_problem(self, request: RecordedRequest) -> RequestProblem | None:
        if not self._state.api_keys:
            return None
        key = shown_key(request.header)
        if not key:
            return RequestProblem(401, "No API key was given in the Authorization header.")
        secret = self._state.secrets.get(key)
        if secret is not None and "/realtime" in request.target:
            if self._state.clock() < secret.expires_at:
                return None
            return RequestProblem(401, "The client secret has expired.", "invalid_api_key")
        if key not in self._state.api_keys:
            return RequestProblem(401, "Incorrect API key provided.", "invalid_api_key")
        return None

    def _with_request_id(self, send: Send) -> Send:
        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("x-request-id", self._state.new_id("req"))
            await send(message)

        return send_with_id


def base_path(path: str) -> str:
    """Return the base path that ``path`` is below, or an empty string."""
    return next((base for base in BASE_PATHS if path.startswith(base + "/")), "")


def endpoint_name(path: str, method: str) -> str:
    """Name an endpoint for scripting: its path below the base, without ids.

    ``GET responses/{id}`` is ``responses/retrieve``, to be told from ``POST responses``; ``GET
    files`` is ``files/list``.
    """
    relative = path[len(base_path(path)) :].strip("/")
    first, *rest = relative.split("/")
    if first == "blobs":
        return "blobs"
    if first not in _KEPT:
        return relative
    if not rest:
        return f"{first}/list" if method == "GET" and first != "responses" else first
    if len(rest) > 1:
        return f"{first}/{rest[1]}"
    return relative if rest[0] in _CALLS else f"{first}/{_VERBS.get(method, 'update')}"


def scripted_response(scenario: Scenario) -> Response:
    """Build the answer of a scenario with a status."""
    headers = dict(scenario.headers)
    if isinstance(scenario.body, (bytes, str)):
        return Response(scenario.body, scenario.status or 200, headers)
    headers.setdefault("content-type", "application/json")
    return Response(compact_json(scenario.body), scenario.status or 200, headers)


async def _read_body(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    pending = [body]

    async def replay() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replay
