"""``/responses`` as a WebSocket: one connection, one response at a time.

A connection keeps the conversation of its last response, stored or not, so that the next request
can send what is new and name it by ``previous_response_id``. An increment that repeats what the
server has already is refused: a client that sends it has lost count.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, assert_never

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from codex_api.testing.faults import TERMINAL_TYPES
from codex_api.testing.recording import RecordedRequest
from codex_api.testing.server.answer_headers import models_etag, rate_limits_event
from codex_api.testing.server.checks import as_object, string_map
from codex_api.testing.server.event_stream import break_connection, wait_out
from codex_api.testing.server.generation import Generation
from codex_api.testing.server.items import item_type
from codex_api.testing.server.problems import RequestProblem
from codex_api.testing.server.state import Disconnect, previous_not_found
from codex_api.testing.server.validation import FRAME_KEYS, parse_response_request
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
)
from codex_api.testing.wire import compact_json

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from codex_api.testing.scenarios import Scenario
    from codex_api.testing.server.state import ServerState
    from codex_api.testing.server.validation import ResponseRequest
    from codex_api.testing.steps import Step
    from codex_api.testing.wire import JsonObject

TURN_STATE = "x-codex-turn-state"
LIMIT_REACHED = "websocket_connection_limit_reached"

# What clients leave out, or the server adds, when an item is sent back.
_VOLATILE = frozenset({"id", "status", "phase", "internal_chat_message_metadata_passthrough"})

logger: logging.Logger = logging.getLogger("codex_api.testing")


def websocket_routes(state: ServerState) -> list[BaseRoute]:
    """Return the routes below the base path."""

    async def serve(socket: WebSocket) -> None:
        await ResponsesSocket(state, socket).serve()

    return [WebSocketRoute("/responses", serve)]


class ResponsesSocket:
    """One WebSocket connection."""

    def __init__(self, state: ServerState, socket: WebSocket) -> None:
        self._state = state
        self._socket = socket
        self._opened_at = state.clock()
        self._responses = 0
        self._last_id: str | None = None
        self._conversation: list[JsonObject] = []
        self._sent: list[str] = []
        self._in_progress = False
        self._request: RecordedRequest = socket.state.recorded

    async def serve(self) -> None:
        """Accept the connection and answer requests until the client leaves."""
        await self._socket.accept(headers=self._handshake_headers())
        responding: asyncio.Task[None] | None = None
        try:
            while True:
                frame = await self._receive()
                if responding is not None and self._in_progress:
                    message = "A response is still in progress on this connection."
                    await self._send_problem(RequestProblem(400, message, "response_in_progress"))
                    continue
                if responding is not None:
                    # What is left of it is the wait after its last event, if a script made one.
                    responding.cancel()
                self._in_progress = True
                responding = asyncio.create_task(self._respond(frame))
        except WebSocketDisconnect:
            pass
        finally:
            if responding is not None:
                await self._abandon(responding)

    async def _receive(self) -> str | bytes:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text: str | None = message.get("text")
        return message["bytes"] if text is None else text

    async def _abandon(self, responding: asyncio.Task[None]) -> None:
        if self._in_progress:
            last = self._sent[-1] if self._sent else None
            self._state.note_disconnect(Disconnect(self._request, len(self._sent), last))
        responding.cancel()
        await asyncio.gather(responding, return_exceptions=True)

    async def _respond(self, frame: str | bytes) -> None:
        self._sent.clear()
        try:
            await self._answer(frame)
        except RequestProblem as problem:
            await self._refuse(problem)
            if problem.code == LIMIT_REACHED:
                await self._socket.close(1000)
        except WebSocketDisconnect:
            pass
        except Exception:
            logger.exception("the embedded server failed")
            await self._refuse(RequestProblem(500, "Internal server error."))

    async def _answer(self, frame: str | bytes) -> None:
        self._record(frame)
        scenario = self._state.take_scenario("responses", self._request)
        if scenario.head_gate is not None:
            await scenario.head_gate.passed()
        if scenario.status is not None:
            self._forget()
            await self._send_text(compact_json(_error_frame(scenario)))
            return
        self._check_limits()
        body = _frame_body(frame)
        request = parse_response_request(
            {key: value for key, value in body.items() if key not in {"type", "stream_id"}},
            keys=FRAME_KEYS,
            extra_item_types=self._state.settings.extra_item_types,
        )
        generation = Generation(self._state, request, self._earlier(request))
        await self._announce(request)
        await self._play(generation, scenario)

    def _finish(self, generation: Generation, scenario: Scenario, event: JsonObject) -> None:
        """Take note of the last event of a response, before it is sent."""
        response: JsonObject = event["response"]
        self._forget()
        self._responses += 1
        if event["type"] != "response.failed":
            is_ours = scenario.events is None
            self._conversation = (
                generation.items if is_ours else [*generation.items, *response.get("output", [])]
            )
            self._last_id = response["id"]

    def _forget(self) -> None:
        """End the response; as in the real service a failure costs what it went on from."""
        self._in_progress = False
        self._last_id, self._conversation = None, []

    def _record(self, frame: str | bytes) -> None:
        """Record a frame like a request, with the headers of the handshake."""
        handshake = self._request
        self._request = RecordedRequest(
            method="WEBSOCKET",
            target=handshake.target,
            headers=handshake.headers,
            body=frame.encode() if isinstance(frame, str) else frame,
            connection=handshake.connection,
        )
        self._state.journal.add(self._request)

    def _check_limits(self) -> None:
        settings = self._state.settings
        age = self._state.clock() - self._opened_at
        is_old = settings.websocket_seconds is not None and age >= settings.websocket_seconds
        is_used_up = (
            settings.websocket_responses is not None
            and self._responses >= settings.websocket_responses
        )
        if is_old or is_used_up:
            message = "This WebSocket connection has reached its limit. Open a new one to go on."
            raise RequestProblem(400, message, LIMIT_REACHED)

    def _earlier(self, request: ResponseRequest) -> list[JsonObject]:
        previous: str | None = request.body.get("previous_response_id")
        if previous is None:
            return []
        if previous == self._last_id:
            earlier = self._conversation
        elif previous in self._state.stored:
            earlier = self._state.stored[previous].items
        else:
            raise previous_not_found(previous)
        _check_increment(earlier, request.input)
        return earlier

    async def _announce(self, request: ResponseRequest) -> None:
        if self._state.settings.rate_limits:
            await self._send_text(compact_json(rate_limits_event(self._state)))
        if TURN_STATE not in string_map(request.body, "client_metadata"):
            metadata = {
                "type": "response.metadata",
                "headers": {TURN_STATE: self._state.new_id("ts")},
            }
            await self._send_text(compact_json(metadata))

    async def _play(self, generation: Generation, scenario: Scenario) -> None:
        for step in generation.steps(scenario):
            if isinstance(step, Event) and step.payload.get("type") in TERMINAL_TYPES:
                self._finish(generation, scenario, step.payload)
            await self._step(step)

    async def _step(self, step: Step) -> None:
        match step:
            case Event(payload):
                await self._send_text(compact_json(payload))
                self._sent.append(str(payload.get("type")))
            case Raw(data):
                await self._send_text(data)
            case Binary(data):
                await self._socket.send_bytes(data)
            case KeepAlive():
                self._socket.state.ping()
            case Pause() | Hold() | Hang():
                await wait_out(step)
            case CloseFrame(code, reason):
                await self._socket.close(code, reason)
            case End(how):
                await self._end(how)
            case _:
                assert_never(step)

    async def _end(self, how: str) -> None:
        if how == "clean":
            await self._socket.close(1000)
        else:
            await break_connection(self._socket.scope, is_reset=how == "reset")

    async def _send_text(self, data: bytes) -> None:
        await self._socket.send_text(data.decode())
        await asyncio.sleep(0)

    async def _refuse(self, problem: RequestProblem) -> None:
        self._forget()
        await self._send_problem(problem)

    async def _send_problem(self, problem: RequestProblem) -> None:
        frame = {"type": "error", "status": problem.status, "error": problem.error()}
        await self._send_text(compact_json(frame))

    def _handshake_headers(self) -> list[tuple[bytes, bytes]]:
        scenario: Scenario = self._socket.state.scenario
        headers = {
            "x-models-etag": models_etag(self._state),
            "x-request-id": self._new_request_id(),
        }
        if self._state.settings.reasoning_included:
            headers["x-reasoning-included"] = "true"
        headers |= {name.lower(): value for name, value in scenario.headers.items()}
        return [
            (name.encode(), value.encode("latin-1"))
            for name, value in headers.items()
            if name not in scenario.omitted_headers
        ]

    def _new_request_id(self) -> str:
        return self._state.new_id("req")


def _frame_body(frame: str | bytes) -> JsonObject:
    if isinstance(frame, bytes):
        message = "Send requests as text frames."
        raise RequestProblem(400, message, "invalid_frame")
    try:
        value: object = json.loads(frame)
    except (ValueError, RecursionError) as exc:
        message = f"The frame is not valid JSON: {exc}."
        raise RequestProblem(400, message, "invalid_json") from exc
    body = as_object(value, "frame")
    if body.get("type") != "response.create":
        message = f"Unknown frame type '{body.get('type')}': send 'response.create'."
        raise RequestProblem(400, message, "invalid_value", "type")
    return body


def _error_frame(scenario: Scenario) -> JsonObject:
    body: Any = scenario.body
    error: JsonObject = {"message": str(body)} if isinstance(body, (str, bytes)) else body["error"]
    frame: JsonObject = {"type": "error", "status": scenario.status, "error": error}
    return frame | ({"headers": dict(scenario.headers)} if scenario.headers else {})


def _check_increment(earlier: list[JsonObject], added: list[JsonObject]) -> None:
    """Refuse new items that begin with the conversation, or hold what the server put out."""
    known = [_essence(item) for item in earlier]
    begins_anew = len(known) > 1 and [_essence(item) for item in added[: len(known)]] == known
    calls = {item.get("call_id") for item in earlier if item_type(item).endswith("_call")} - {None}
    repeats = [
        item for item in added if item_type(item).endswith("_call") and item.get("call_id") in calls
    ]
    if begins_anew or repeats:
        message = "The input repeats items of the conversation that previous_response_id names."
        raise RequestProblem(400, message, "repeated_input", "input")


def _essence(item: JsonObject) -> JsonObject:
    return {key: value for key, value in item.items() if key not in _VOLATILE and value is not None}
