"""Answering requests from a cassette: each by what was recorded for the same request.

Two requests are the same when method, path and body are: a body of JSON is compared as a value, so
that order of keys and spaces say nothing; any other byte by byte. What was hidden in the recording
is hidden in the request as well before they are compared. Headers are not compared.
"""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal, cast

from codex_api.testing.actions import Action, Close, Pause, Send, answer
from codex_api.testing.cassettes import Exchange, load, redacted
from codex_api.testing.recording import UndecodableBodyError
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
        found = self._found(request)
        if found is None:
            return self._unanswered(request)
        if self._tell is not None:
            self._tell(None, f"{request.method} {request.path}")
        return _actions(found, self._pace)

    def _unanswered(self, request: RecordedRequest) -> Script:
        self._note_overrun()
        told = self._explained(request)
        self.errors.append(CassetteMismatchError(told))
        if self._tell is not None:
            self._tell(told, f"{request.method} {request.path}")
        error = {"message": told, "type": "cassette_mismatch", "param": None, "code": None}
        return answer(MISMATCH_STATUS, {"error": error})

    def _found(self, request: RecordedRequest) -> Exchange | None:
        for at, each in enumerate(self._left):
            if self._by_order or not any(self._differences(each, request)):
                self._given.append(self._left.pop(at))
                return each
        if self._is_repeating:
            for each in reversed(self._given):
                if self._by_order or not any(self._differences(each, request)):
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
            return f"{head}: WebSocket sessions are not in cassettes"
        told = [(list(self._differences(each, request)), each) for each in self._left]
        same_place = [
            (listed, "the nearest exchange that is left")
            for listed, each in told
            if (each.request.get("method"), each.request.get("path"))
            == (request.method, request.path)
        ]
        if not same_place:
            if any(not any(self._differences(each, request)) for each in self._given):
                return f"{head}: it was given already, and is not recorded once more"
            asked = [each.request for each in self._left]
            left = {f"{each.get('method')} {each.get('path')}" for each in asked}
            return f"{head}; what is left: {', '.join(sorted(left)) or 'nothing'}"
        listed, what = min(same_place, key=lambda each: len(each[0]))
        lines = listed[:_MOST_DIFFERENCES]
        if len(listed) > len(lines):
            lines.append(f"and {len(listed) - len(lines)} more")
        return "\n  ".join([f"{head}; {what} differs in", *lines])


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
