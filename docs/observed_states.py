"""What the machines of the library do, found out by running them.

Each function drives one machine through every signal in every state that it can be brought into,
and returns the moves that it saw: ``{(from, to): [signals]}``. What the pictures show is therefore
what the code does. Nothing is sent anywhere.
"""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from codex_api import RetryConfig, errors
from codex_api._logic.incoming.machine import ResponseStreamMachine
from codex_api._sync.event_stream import EventStream
from codex_api.transport._core.flow import (
    Authorize,
    CallPolicy,
    Effect,
    Head,
    Refresh,
    Send,
    Sleep,
    open_stream,
)
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.http1 import response as http1
from codex_api.transport._core.messages import Request, Response
from codex_api.transport.errors import CodexApiError, NetworkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Moves: TypeAlias = dict[tuple[str, str], list[str]]

_LONG = 1e6


def _add(moves: Moves, start: str, end: str, signal: str) -> None:
    found = moves.setdefault((start, end), [])
    if signal not in found:
        found.append(signal)


# One response over server-sent events


def _event(kind: str, **more: object) -> bytes:
    return f"data: {json.dumps({'type': kind, **more})}\n\n".encode()


_ERROR = {"code": "server_error", "message": "x"}
_DELTA = _event("response.output_text.delta", delta="x")
_STREAM_SIGNALS: dict[str, Callable[[ResponseStreamMachine], object]] = {
    "an event": lambda machine: machine.feed(_DELTA, 0.0),
    "a comment": lambda machine: machine.feed(b": x\n\n", 0.0),
    "response.completed": lambda machine: machine.feed(
        _event("response.completed", response={"id": "r"}), 0.0
    ),
    "response.incomplete": lambda machine: machine.feed(
        _event("response.incomplete", response={"incomplete_details": {"reason": "x"}}), 0.0
    ),
    "response.failed": lambda machine: machine.feed(
        _event("response.failed", response={"error": _ERROR}), 0.0
    ),
    "end of the bytes": lambda machine: machine.close(),
    "connection broke": lambda machine: machine.broken(NetworkError("x")),
    "clock for events": lambda machine: machine.timed_out(_LONG),
    "clock for bytes": lambda machine: machine.timed_out(_LONG),
    "clock of the call": lambda machine: machine.timed_out(_LONG),
}
_CLOCKS = {
    "clock for events": "idle_timeout",
    "clock for bytes": "liveness_timeout",
    "clock of the call": "first_event_timeout",
}


_OWN_ERRORS = {
    "FirstEventTimeoutError",
    "IdleTimeoutError",
    "LivenessTimeoutError",
    "ResponseIncompleteError",
    "StreamClosedError",
}


def _stream_state(machine: ResponseStreamMachine) -> str:
    if machine.failure is not None:
        name = type(machine.failure).__name__
        return name if name in _OWN_ERRORS else "an error of its kind"
    if machine.done:
        return "completed"
    return "reading" if machine.has_begun else "waiting"


def response_stream() -> Moves:
    """Return the moves of a response over server-sent events."""
    moves: Moves = {}
    for first in ([], [_DELTA]):
        for signal, give in _STREAM_SIGNALS.items():
            limit: dict[str, Any] = {_CLOCKS[signal]: 1.0} if signal in _CLOCKS else {}
            machine = ResponseStreamMachine(Headers(), **limit)
            for chunk in first:
                machine.feed(chunk, 0.0)
            if signal in _CLOCKS and machine.deadline is None:
                continue  # this clock does not run in this state
            start = _stream_state(machine)
            give(machine)
            _add(moves, start, _stream_state(machine), signal)
    return moves


# The object that users read


class _Scripted(EventStream):
    """A stream whose connection does as it is told."""

    def __init__(self, outcome: str) -> None:
        super().__init__()
        self.outcome = outcome
        self.seen: list[str] = []

    def state(self) -> str:
        return self._state.upper()

    def _open(self) -> Any:  # noqa: ANN401 - what the parent says
        self.seen.append(self.state())
        if self.outcome == "refused":
            raise NetworkError("x")
        if self.outcome == "closed while opening":
            self.close()
        return []

    def _more(self) -> Any:  # noqa: ANN401 - what the parent says
        if self.outcome == "failure":
            raise errors.StreamClosedError("x")
        return None if self.outcome == "last event" else []

    def _let_go(self, error: BaseException | None = None) -> None:
        del error

    @property
    def _facts(self) -> Any:  # noqa: ANN401 - nobody asks
        raise NotImplementedError

    def _keep_raw(self) -> None:
        raise NotImplementedError

    def _take_raw(self) -> Any:  # noqa: ANN401 - nobody asks
        raise NotImplementedError

    @property
    def _is_complete(self) -> bool:
        return self.outcome in {"last event", "left behind the last event"}


def stream_object() -> Moves:
    """Return the moves of the object that ``client.responses.stream`` gives."""
    moves: Moves = {}

    def walk(outcome: str, steps: Iterable[tuple[str, Callable[[_Scripted], object]]]) -> None:
        stream = _Scripted(outcome)
        for signal, do in steps:
            start = stream.state()
            stream.seen.clear()
            with suppress(CodexApiError):
                do(stream)
            path = [start, *stream.seen, stream.state()]
            for before, after in pairwise(path):
                told = "with" if before == "NEW" and after == "OPENING" else signal
                if before != after:
                    _add(moves, before, after, told)

    enter = ("opened", lambda stream: stream.__enter__())
    read = "next_events"
    walk("", [("close()", lambda stream: stream.close())])
    walk("refused", [("refused", lambda stream: stream.__enter__())])
    walk("closed while opening", [("close()", lambda stream: stream.__enter__())])
    walk("last event", [enter, ("read to its end", lambda stream: getattr(stream, read)())])
    walk("failure", [enter, ("a failure is read", lambda stream: getattr(stream, read)())])
    walk("", [enter, ("left early", lambda stream: stream.close())])
    walk("left behind the last event", [enter, ("left at its end", lambda stream: stream.close())])
    return moves


# A call up to its answer


def _answered(status: int) -> Response | Head:
    if status == 200:  # noqa: PLR2004 - success
        return Head(200, Headers())
    return Response(status, Headers(), b"")


def _unsent() -> CodexApiError:
    error = NetworkError("x")
    error.sent = "no"
    return error


_ANSWERS = {
    "200-299": _answered(200),
    "400, 403, 404, ...": _answered(400),
    "401": _answered(401),
    "429": _answered(429),
    "500-599": _answered(500),
    "no connection": _unsent(),
}


def call() -> Moves:
    """Return the moves of a call: the effects that its flow asks for, one after another."""
    moves: Moves = {}
    for told, answer in _ANSWERS.items():
        for renews in (True, False):
            _walk_call(moves, told, answer, renews=renews)
    return moves


def _walk_call(
    moves: Moves, told: str, answer: Response | Head | CodexApiError, *, renews: bool
) -> None:
    retry = RetryConfig(max_attempts=1, retry_429=True)
    policy = CallPolicy(retry=retry, clock=lambda: 0.0, wall_clock=lambda: 0.0, draw=lambda: 0.0)
    flow = open_stream(Request(method="POST", url="http://x/"), policy)
    seen = ["begin"]
    signal = ""
    try:
        effect = next(flow)
        while True:
            name = type(effect).__name__
            _add(moves, seen[-1], name, signal)
            seen.append(name)
            signal, result = _result(effect, told, answer, renews=renews)
            if name == "Send" and "Sleep" in seen:
                signal = f"{told}, no retry left"
            elif name == "Send" and "Refresh" in seen:
                signal = f"{told} again"
            is_error = isinstance(result, CodexApiError)
            effect = flow.throw(result) if is_error else flow.send(result)
    except StopIteration:
        _add(moves, seen[-1], "answer", signal)
    except CodexApiError:
        _add(moves, seen[-1], "error", signal)


def _result(
    effect: Effect, told: str, answer: Response | Head | CodexApiError, *, renews: bool
) -> tuple[str, Any]:
    """Return what came of an effect: in words, and for the flow."""
    match effect:
        case Authorize(request):
            return "signed", request
        case Send():
            return told, answer
        case Refresh():
            return "renewed" if renews else "not renewed", renews
        case Sleep():
            return "waited", None


# The body of an answer in HTTP/1.1

_HTTP1_STATES = {
    getattr(http1, name): name.strip("_").lower().replace("_", " ")
    for name in (
        *("_HEAD", "_SIZED", "_UNTIL_CLOSE", "_SIZE", "_SIZE_PART"),
        *("_DATA", "_DATA_END", "_TRAILERS", "_OVER"),
    )
}
_ANSWERS_ON_THE_WIRE = {
    "content-length": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "neither": b"HTTP/1.1 200 OK\r\n\r\nok",
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"2\r\nok\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n",
    "no body": b"HTTP/1.1 204 No Content\r\n\r\n",
}
_HTTP1_SIGNALS = {
    ("sized", "over"): "last byte",
    ("until close", "over"): "end of the bytes",
    ("size", "size part"): "digits",
    ("size part", "data"): "size line",
    ("data", "data end"): "last byte",
    ("data end", "size"): "CR LF",
    ("size part", "trailers"): "size 0",
    ("trailers", "over"): "blank line",
}


def http1_answer() -> Moves:
    """Return the moves of the reader of HTTP/1.1 answers, fed byte by byte."""
    moves: Moves = {}
    for framing, data in _ANSWERS_ON_THE_WIRE.items():
        reader = http1.ResponseReader("GET")

        def state(reader: http1.ResponseReader = reader) -> str:
            return _HTTP1_STATES[reader._state]

        before = state()
        for at in range(len(data)):
            reader.feed(data[at : at + 1])
            if state() != before:
                _add(moves, before, state(), _HTTP1_SIGNALS.get((before, state()), framing))
                before = state()
        if before != "over":
            reader.close()
            _add(moves, before, state(), _HTTP1_SIGNALS.get((before, state()), framing))
    return moves
