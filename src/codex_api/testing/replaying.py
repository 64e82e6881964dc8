"""Answering requests from a cassette: each by what was recorded for the same request.

Two requests are the same when method, path and body are: a body of JSON is compared as a value, so
that order of keys and spaces say nothing; any other byte by byte. What was hidden in the recording
is hidden in the request as well before they are compared. Headers are not compared.

A WebSocket is known by the first message of its client; from then on each of them has to be the one
that was recorded. One that is not is answered with an ``error`` frame, and the connection closed.
"""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal, cast

from codex_api.testing.actions import Action, Close, Pause, Send, answer
from codex_api.testing.cassettes import Exchange, load
from codex_api.testing.recording import UndecodableBodyError
from codex_api.testing.redaction import redacted
from codex_api.testing.replayed_socket import PlaySocket
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, http_head, last_chunk, object_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from codex_api.testing.recording import RecordedRequest
    from codex_api.testing.scripted import Script

Matching = Literal["request", "order"]

#: A status that nobody retries, and that no server gives by itself.
MISMATCH_STATUS = 418
SWITCHING = 101
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_MOST_DIFFERENCES = 12
_SHOWN_CHARACTERS = 80
_MISSING = object()


class CassetteMismatchError(Exception):
    """A request that the cassette has no answer to; its text says what differs."""


class ReplayServer(ScriptedServer):
    """A server that answers from a cassette; leaving it raises where a request had no answer.

    Args:
        path: The cassette.
        is_timed: Wait before each chunk as long as it took to come.
        repeat_last: Give the last answer to a request again where all were given.
        match: ``request`` gives each answer to the request that it was recorded for, in their order
            where several are the same; ``order`` gives the answers in their order to whatever
            comes.
        ignore: Paths in the body that are not compared, such as ``metadata.run`` or
            ``input[0].id``, with all that is below them.
        speed: Divides the times.
        port: Port to bind; 0 takes a free one.
        tell: Called in the server's thread for each request, with what differs or None, and with
            method and path.

    Raises:
        ValueError: A line is not what a cassette holds.
    """

    def __init__(
        self,
        path: Path,
        *,
        is_timed: bool = False,
        speed: float = 1.0,
        repeat_last: bool = False,
        match: Matching = "request",
        ignore: Sequence[str] = (),
        port: int = 0,
        tell: Callable[[str | None, str], None] | None = None,
    ) -> None:
        super().__init__(base_path="/v1", port=port)
        self._tell = tell
        self._left = load(path)
        self._given: list[Exchange] = []
        self._name = path.name
        self._pace = 1 / speed if is_timed else 0.0
        self._is_repeating = repeat_last
        self._by_order = match == "order"
        self._ignore = tuple(ignore)

    @property
    def left(self) -> list[Exchange]:
        """The exchanges that were not asked for (yet)."""
        return list(self._left)

    def script_for(self, request: RecordedRequest) -> Script | None:
        """Return the answer that was recorded for ``request``."""
        is_websocket = (request.header("upgrade") or "").lower() == "websocket"
        found = self._found(request) if not is_websocket else self._handshake(request)
        if found is None:
            return self._unanswered(request)
        if is_websocket and found.status == SWITCHING:
            return [PlaySocket(self, request, found, self._pace)]
        if self._tell is not None:
            self._tell(None, f"{request.method} {request.path}")
        return _actions(found, self._pace)

    def _unanswered(self, request: RecordedRequest) -> Script:
        told = self._explained(request)
        self.miss(told, request, _content(request))
        error = {"message": told, "type": "cassette_mismatch", "param": None, "code": None}
        return answer(MISMATCH_STATUS, {"error": error})

    def miss(self, told: str, request: RecordedRequest, asked: str | bytes) -> None:
        """Note that a request, or ``asked`` on its WebSocket, has no answer."""
        del asked  # for those who list what came
        self._note_overrun()
        self.errors.append(CassetteMismatchError(told))
        if self._tell is not None:
            self._tell(told, f"{request.method} {request.path}")

    def socket_for(self, request: RecordedRequest, message: str | bytes | None) -> Exchange | str:
        """Take the recorded WebSocket that begins with ``message``, or tell why there is none.

        Args:
            message: None stands for a client that left, or that is spoken to first.
        """
        told: list[str] = []
        for each in self._sockets(request):
            said = next((one.data for one in each.messages[:1] if one.is_sent), None)
            if message is None or self._by_order:
                told = []
            elif said is None:
                continue
            else:
                now = self.message_differences(said, message)
                told = now if not told or len(now) < len(told) else told
            if not told:
                self._take(each)
                if self._tell is not None:
                    self._tell(None, f"{request.method} {request.path}")
                return each
        head = f"{self._name} has no WebSocket at {request.path} that begins so"
        return "\n  ".join([f"{head}; the nearest differs in" if told else head, *_few(told)])

    def message_differences(self, recorded: str | bytes, now: str | bytes) -> list[str]:
        """Name the paths in which two messages differ; none where answers go by their order."""
        if self._by_order:
            return []
        if isinstance(now, str) and isinstance(recorded, str):
            both = _value(recorded.encode()), _value(redacted(now.encode()))
            return list(differences(*both, self._ignore))
        return [] if recorded == now else ["message: recorded and now are of other bytes"]

    def _sockets(self, request: RecordedRequest) -> list[Exchange]:
        """Return the recorded WebSockets of a path, those that were given last."""
        path = request.path
        return [
            each for each in self._all() if each.is_websocket and each.request.get("path") == path
        ]

    def _all(self) -> list[Exchange]:
        """Return what may be played, what was played last at the end."""
        return [*self._left, *(self._given[::-1] if self._is_repeating else ())]

    def _take(self, exchange: Exchange) -> None:
        at = next((at for at, each in enumerate(self._left) if each is exchange), None)
        if at is not None:
            self._given.append(self._left.pop(at))

    def _handshake(self, request: RecordedRequest) -> Exchange | None:
        """Find what answers a handshake; one that was accepted stays until its first message."""
        found = next(iter(self._sockets(request)), None)
        if found is not None and found.status != SWITCHING:
            self._take(found)
        return found

    def _found(self, request: RecordedRequest) -> Exchange | None:
        for each in self._all():
            is_next = self._by_order or not any(self._differences(each, request))
            if is_next and not each.is_websocket:
                self._take(each)
                return each
        return None

    def _differences(self, exchange: Exchange, request: RecordedRequest) -> Iterator[str]:
        asked = exchange.request
        if asked.get("method") != request.method:
            yield f"method: recorded {asked.get('method')}, now {request.method}"
        if asked.get("path") != request.path:
            yield f"path: recorded {asked.get('path')}, now {request.path}"
        yield from differences(
            _value(exchange.request_body), _value(_content(request)), self._ignore
        )

    def _explained(self, request: RecordedRequest) -> str:
        head = f"{self._name} has no answer to {request.method} {request.path}"
        if (request.header("upgrade") or "").lower() == "websocket":
            return f"{head}: no WebSocket is left that was recorded there"
        near = self._nearest(self._left, request)
        what = "the nearest exchange that is left"
        if near is None:
            near = self._nearest(self._given, request)
            what = "the nearest exchange, which was given already,"
        if near == []:
            return f"{head}: it was given already, and is not recorded once more"
        if near is None:
            left = {
                f"{each.request.get('method')} {each.request.get('path')}" for each in self._left
            }
            return f"{head}; what is left: {', '.join(sorted(left)) or 'nothing'}"
        return "\n  ".join([f"{head}; {what} differs in", *_few(near)])

    def _nearest(self, among: list[Exchange], request: RecordedRequest) -> list[str] | None:
        """Return what differs least in an exchange of the same place; None where there is none."""
        told = [
            list(self._differences(each, request))
            for each in among
            if not each.is_websocket
            and (each.request.get("method"), each.request.get("path"))
            == (request.method, request.path)
        ]
        return min(told, key=len, default=None)


def _few(listed: list[str]) -> list[str]:
    lines = listed[:_MOST_DIFFERENCES]
    if len(listed) > len(lines):
        lines.append(f"and {len(listed) - len(lines)} more")
    return lines


def differences(
    recorded: object, now: object, ignore: Sequence[str] = (), path: str = ""
) -> Iterator[str]:
    """Name the paths in which two JSON values differ, with both values.

    Args:
        ignore: Paths that are left out, with all that is below them.
        path: Where in a larger value they stand.
    """
    if path in ignore or recorded == now:
        return
    both: tuple[object, object] = (recorded, now)
    if isinstance(recorded, dict) and isinstance(now, dict):
        before = object_of(cast("object", recorded))
        after = object_of(cast("object", now))
        for key in [*before, *(key for key in after if key not in before)]:
            inner = f"{path}.{key}" if path else key
            yield from differences(
                before.get(key, _MISSING), after.get(key, _MISSING), ignore, inner
            )
    elif isinstance(recorded, list) and isinstance(now, list):
        olds, news = cast("list[object]", recorded), cast("list[object]", now)
        for at, (old, new) in enumerate(zip_longest(olds, news, fillvalue=_MISSING)):
            yield from differences(old, new, ignore, f"{path}[{at}]")
    else:
        yield f"{path or 'body'}: recorded {_shown(both[0])}, now {_shown(both[1])}"


def _shown(value: object) -> str:
    if value is _MISSING:
        return "nothing"
    if isinstance(value, bytes):
        return f"{len(value)} bytes that are no JSON" if value else "no body"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _value(data: bytes) -> Any:  # noqa: ANN401 - whatever was sent
    try:
        return json.loads(data)
    except ValueError:
        return data


def _content(request: RecordedRequest) -> bytes:
    try:
        return redacted(request.content)
    except UndecodableBodyError:
        return request.body


def _actions(exchange: Exchange, pace: float) -> list[Action]:
    headers = [(name, value) for name, value in exchange.headers if name.lower() not in _FRAMING]
    has_body = exchange.status not in {204, 304}
    if has_body:
        headers.append(("transfer-encoding", "chunked"))
    actions: list[Action] = [Send(http_head(exchange.status, headers))]
    for each in exchange.chunks:
        if pace:
            actions.append(Pause(each.after * pace))
        actions.append(Send(chunk(each.data)))
    if not exchange.is_whole:
        actions.append(Close())
    elif has_body:
        actions.append(Send(last_chunk()))
    return actions
