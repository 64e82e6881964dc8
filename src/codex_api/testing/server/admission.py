"""The limits of a server at its door, over HTTP and for the frames of WebSockets."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse

from codex_api.testing.recording import RecordedRequest, UndecodableBodyError
from codex_api.testing.server.chat_request import as_response_request
from codex_api.testing.server.limits import duration
from codex_api.testing.server.problems import RequestProblem
from codex_api.testing.server.recorder import endpoint_name
from codex_api.testing.server.tokens import prompt_tokens
from codex_api.testing.server.validation import (
    COMPACT_KEYS,
    FRAME_KEYS,
    RESPONSE_KEYS,
    parse_response_request,
)
from codex_api.testing.server.watching import ServedRequest, WatchedExchange, WatchedSocket
from codex_api.testing.wire import decoded_object, object_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from codex_api.testing.server.limits import Charge, Ledger, Refusal
    from codex_api.testing.server.state import ServerState
    from codex_api.testing.wire import JsonObject

_CHAT = "chat/completions"
_CHARGED = {
    "responses": RESPONSE_KEYS,
    "responses/compact": COMPACT_KEYS,
    _CHAT: RESPONSE_KEYS,
}


class Admission:
    """Lets requests for responses in as the ledger of the server says."""

    def __init__(self, app: ASGIApp, state: ServerState, ledger: Ledger) -> None:
        self._app, self._state, self._ledger = app, state, ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request; whoever comes here has shown a key."""
        name = endpoint_name(scope["path"], scope.get("method", "POST"))
        if scope["type"] == "http" and scope["method"] == "POST" and name in _CHARGED:
            await self._http(scope, receive, send, name)
        elif scope["type"] == "websocket" and name == "responses":
            socket = _Socket(self._ledger, self._state, scope, receive, send)
            try:
                await self._app(scope, socket.receive, socket.send)
            finally:
                socket.end()
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send, name: str) -> None:
        recorded: RecordedRequest = scope["state"]["recorded"]
        body = _body(recorded)
        if name == _CHAT and body is not None:
            body = _of_chat(body)
        tokens = None if body is None else estimated_tokens(self._state, body, _CHARGED[name])
        if body is None or tokens is None:
            await self._app(scope, receive, send)
            return
        model = str(body.get("model"))
        charge, refusal = self._ledger.admit(model, tokens)
        if refusal is not None:
            problem = problem_of(refusal, model, self._ledger.headers(model))
            answer = JSONResponse({"error": problem.error()}, problem.status, problem.headers)
            await answer(scope, receive, send)
            return

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._ledger.headers(model))
            await send(message)

        served = ServedRequest(scope["method"], scope["path"])

        def settle_it(known: ServedRequest) -> None:
            settle(self._ledger, charge, known)

        watch = WatchedExchange(served, receive, send_with_limits, settle_it)
        try:
            await self._app(scope, watch.receive, watch.send)
        finally:
            watch.end()
            settle(self._ledger, charge, served)


class _Socket:
    """One WebSocket, whose frames are let in one by one."""

    def __init__(
        self, ledger: Ledger, state: ServerState, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._ledger, self._state = ledger, state
        self._recorded: RecordedRequest = scope["state"]["recorded"]
        self._inner, self._send_inner = receive, send
        self._charge: Charge | None = None
        served = ServedRequest("GET", scope["path"])
        self._watch = WatchedSocket(served, self._admitted, send, self._settle)
        self.receive: Receive = self._watch.receive
        self.send: Send = self._watch.send

    def end(self) -> None:
        """Settle a response that did not come to its end."""
        self._watch.end()

    async def _admitted(self) -> Message:
        """Return the next message that is let in, and answer those that are not."""
        while True:
            message = await self._inner()
            frame = _frame(message)
            if frame is None or self._charge is not None:
                return message
            body = {key: value for key, value in frame.items() if key not in {"type", "stream_id"}}
            tokens = estimated_tokens(self._state, body, FRAME_KEYS)
            if tokens is None:
                return message
            model = str(body.get("model"))
            charge, refusal = self._ledger.admit(model, tokens)
            if refusal is None:
                self._charge = charge
                return message
            await self._refuse(message, refusal, model)

    async def _refuse(self, message: Message, refusal: Refusal, model: str) -> None:
        handshake = self._recorded
        recorded = RecordedRequest(
            method="WEBSOCKET",
            target=handshake.target,
            headers=handshake.headers,
            body=str(message.get("text")).encode(),
            connection=handshake.connection,
        )
        self._state.journal.add(recorded)
        problem = problem_of(refusal, model, self._ledger.headers(model))
        frame = {
            "type": "error",
            "status": problem.status,
            "error": problem.error(),
            "headers": problem.headers,
        }
        await self._send_inner({"type": "websocket.send", "text": json.dumps(frame)})

    def _settle(self, turn: ServedRequest) -> None:
        if self._charge is not None:
            settle(self._ledger, self._charge, turn)
            self._charge = None


def problem_of(refusal: Refusal, model: str, headers: dict[str, str]) -> RequestProblem:
    """Return the answer to a request that is not let in."""
    delay: dict[str, str] = {}
    if refusal.wait is not None:
        delay["retry-after"] = str(max(1, math.ceil(refusal.wait)))
        delay["retry-after-ms"] = str(math.ceil(refusal.wait * 1000))
    if refusal.cause == "overload":
        message = "The server is overloaded."
        code = "server_is_overloaded"
        return RequestProblem(503, message, code, None, "server_error", headers | delay)
    amounts = f"Limit {refusal.limit}, Used {refusal.used}, Requested {refusal.requested}."
    if refusal.wait is None:
        message = f"Request too large for {model} on tokens per min (TPM): {amounts}"
    else:
        unit = "requests per min (RPM)" if refusal.cause == "requests" else "tokens per min (TPM)"
        message = (
            f"Rate limit reached for {model} on {unit}: {amounts} "
            f"Please try again in {duration(refusal.wait)}."
        )
    kind = "requests" if refusal.cause == "requests" else "tokens"
    return RequestProblem(429, message, "rate_limit_exceeded", None, kind, headers | delay)


def estimated_tokens(state: ServerState, body: JsonObject, keys: frozenset[str]) -> int | None:
    """Count what a request takes at the door; None where it makes no sense."""
    extra = state.settings.extra_item_types
    try:
        request = parse_response_request(body, keys=keys, extra_item_types=extra)
    except RequestProblem:
        return None
    count = prompt_tokens(request.text("instructions"), request.tools, request.input)
    most = body.get("max_output_tokens")
    return count + (most if isinstance(most, int) else 0)


def settle(ledger: Ledger, charge: Charge, served: ServedRequest) -> None:
    """Correct a charge by what the answer says; one that was refused further in costs no token."""
    usage = served.usage
    if usage is not None:
        ledger.settle(charge, usage.get("input_tokens"), usage.get("output_tokens"))
    elif served.status is not None and served.status >= 400:  # noqa: PLR2004 - an error
        ledger.settle(charge, 0, 0)
    else:
        ledger.settle(charge, None, None)


def _body(recorded: RecordedRequest) -> JsonObject | None:
    try:
        return object_of(recorded.json()) or None
    except (UndecodableBodyError, ValueError):
        return None


def _of_chat(body: JsonObject) -> JsonObject | None:
    try:
        return as_response_request(body)
    except RequestProblem:
        return None


def _frame(message: Message) -> JsonObject | None:
    """Return a frame that asks for a response; None for every other message."""
    if message["type"] != "websocket.receive":
        return None
    frame = decoded_object(message.get("text") or "")
    return frame if frame.get("type") == "response.create" else None
