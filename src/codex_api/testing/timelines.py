"""What happened when, in files of what passed: cassettes, bodies of event streams, logs of frames.

A lane is one request with its answer, or one turn on a WebSocket; a mark is one event on it. What
looks like a credential is hidden, also in files that were not written by us.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from codex_api.testing.cassettes import Exchange, apply_line, load
from codex_api.testing.frame_logs import is_request_log, read_frames, read_requests
from codex_api.testing.lanes import BAD_ENDS, GOOD_ENDS, Lane, Mark, family_of
from codex_api.testing.redaction import Redactor
from codex_api.testing.wire import decoded_object, object_of
from codex_api.transport import SSEDecoder
from codex_api.transport.errors import CodexApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from codex_api.testing.lanes import Family
    from codex_api.testing.wire import JsonObject

_MOST_DATA = 20_000
_FIRST_BAD_STATUS = 400
_SWITCHING = 101


def read_lanes(path: Path) -> list[Lane]:
    """Read a cassette, the body of an event stream, a log of frames or one of ``serve --log``.

    Raises:
        ValueError: It is none of these.
        OSError: It cannot be read.
    """
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        message = f"{path} is empty"
        raise ValueError(message)
    start = data.lstrip()[:1]
    if start == b"{":
        first = decoded_object(data.lstrip().split(b"\n", 1)[0])
        if "n" in first and "request" in first:
            return lanes_of(load(path), path.name)
        if is_request_log(first):
            return _retries([Lane(source=path.name, **each) for each in read_requests(data)])
        frames, is_timed = read_frames(data)
        is_log = any(decoded_object(text).get("type") for _, _, text in frames)
        lanes = _turns(path.name, frames) if is_log else []
        for lane in lanes:
            lane.is_timed = is_timed
    elif re.search(rb"^(?:data|event|:)", data, re.MULTILINE):
        lane = Lane(source=path.name, method="", path="", is_timed=False)
        _add_events(lane, [(data, 0.0)])
        lanes = [_ended(lane, "" if lane.marks else "no event")]
    else:
        lanes = []
    if not any(lane.marks for lane in lanes):
        message = f"{path} is no cassette, no event stream and no log of frames"
        raise ValueError(message)
    return lanes


def lanes_of(exchanges: Iterable[Exchange], source: str) -> list[Lane]:
    """Return the lanes of a cassette."""
    lanes: list[Lane] = []
    behind = 0.0  # where no time is told, one exchange comes after the other
    for each in exchanges:
        began = behind if each.at is None else each.at
        made = _socket_lanes(each, source) if each.is_websocket else [_http_lane(each, source)]
        for lane in made:
            lane.began += began
            behind = max(behind, lane.began + lane.seconds)
        lanes += made
    return _retries(lanes)


class TapeFollower:
    """Reads a cassette that is still being written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._exchanges: dict[int, Exchange] = {}
        self._open: set[int] = set()
        self._made: dict[int, list[Lane]] = {}

    def poll(self) -> bool:
        """Read what has come since, and return whether something has."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        for text in whole.splitlines():
            line = json.loads(text)
            apply_line(self._exchanges, line)
            number: int = line["n"]
            self._made.pop(number, None)
            if "request" in line:
                self._open.add(number)
            elif "end" in line:
                self._open.discard(number)
        return bool(whole)

    def lanes(self) -> list[Lane]:
        """Return the lanes so far; the outcome of one that is not over is ``open``."""
        for number, exchange in self._exchanges.items():
            if number not in self._made:
                made = lanes_of([exchange], self._path.name)
                if number in self._open and not made[-1].is_good:
                    made[-1].outcome, made[-1].is_good = "open", True
                self._made[number] = made
        return _retries([lane for made in self._made.values() for lane in made])


def _http_lane(exchange: Exchange, source: str) -> Lane:
    request = exchange.request
    lane = Lane(source=source, method=request["method"], path=request["path"])
    lane.status = exchange.status
    lane.body = exchange.request_body.decode(errors="replace")
    _take_request(lane, decoded_object(exchange.request_body))
    at, chunks = exchange.head_after, list[tuple[bytes, float]]()
    for chunk in exchange.chunks:
        at += chunk.after
        chunks.append((chunk.data, at))
    kind = dict(exchange.headers).get("content-type", "")
    if kind.startswith("text/event-stream"):
        _add_events(lane, chunks)
    elif chunks:
        whole = b"".join(data for data, _ in chunks)
        _add_whole(lane, whole, at)
    lane.seconds = at + exchange.last_after
    return _ended(lane, "" if exchange.ending == "clean" else exchange.ending)


def _socket_lanes(exchange: Exchange, source: str) -> list[Lane]:
    at, frames = exchange.head_after, list[tuple[float, bool, str]]()
    for message in exchange.messages:
        at += message.after
        data = message.data
        text = data if isinstance(data, str) else f"{len(data)} bytes"
        frames.append((at, message.is_sent, text))
    path = exchange.request["path"]
    ending: str = exchange.ending
    if ending == "closed":
        ending = f"closed {exchange.close_code} {exchange.close_reason}".rstrip()
    lanes = _turns(source, frames, path, ending, at + exchange.last_after)
    for lane in lanes:
        lane.status = exchange.status
    if exchange.status != _SWITCHING:
        lane = lanes[0]
        _add_whole(lane, exchange.body, at)
        _ended(lane, "")
    return lanes


def _turns(
    source: str,
    frames: Sequence[tuple[float, bool, str]],
    path: str = "",
    ending: str = "",
    ended_at: float | None = None,
) -> list[Lane]:
    """Cut a connection into its turns: each begins with a request for a response."""
    lanes = [Lane(source=source, method="WS", path=path)]
    is_through = False
    for at, is_sent, text in frames:
        event = decoded_object(text)
        lane = lanes[-1]
        begins = is_sent and event.get("type") == "response.create"
        if begins and (is_through or not lane.marks):
            if lane.marks:
                lane = Lane(source=source, method="WS", path=path)
                lanes.append(lane)
            lane.began = at
            lane.body = json.dumps(event.get("input"))
            _take_request(lane, event)
        is_through = False if begins else is_through or event.get("type") in GOOD_ENDS | BAD_ENDS
        _add(lane, event, text, at - lane.began, is_sent=is_sent)
        lane.seconds = at - lane.began
    if ended_at is not None and not is_through:
        lanes[-1].seconds = ended_at - lanes[-1].began
    return [_ended(lane, ending if lane is lanes[-1] and not is_through else "") for lane in lanes]


def _take_request(lane: Lane, body: JsonObject) -> None:
    lane.model = str(body.get("model") or "")
    lane.asked = last_text(body.get("input"))


def _add_events(lane: Lane, chunks: Sequence[tuple[bytes, float]]) -> None:
    redactor = Redactor[float]("events")
    clean = [each for data, at in chunks for each in redactor.feed(at, data)]
    clean += redactor.close()
    decoder = SSEDecoder()
    try:
        for at, data in clean:
            for sent in decoder.feed(data):
                number = float(len(lane.marks))
                event = decoded_object(sent.data)
                when = at if lane.is_timed else number
                _add(lane, event, sent.data, when, name=sent.event)
                lane.seconds = max(lane.seconds, when)
    except CodexApiError as exc:
        _add(lane, {"type": "error"}, str(exc), lane.seconds)


def _add_whole(lane: Lane, data: bytes, at: float) -> None:
    """Add an answer that is no stream as one mark."""
    text = data.decode(errors="replace")
    body = decoded_object(data)
    _take_response(lane, body)
    is_bad = (lane.status or 0) >= _FIRST_BAD_STATUS
    family: Family = "failure" if is_bad else "end"
    lane.marks.append(Mark(at, "answer", family, "", text[:_MOST_DATA]))


def _add(
    lane: Lane, event: JsonObject, data: str, at: float, *, is_sent: bool = False, name: str = ""
) -> None:
    kind = str(event.get("type") or name or "message")
    delta: object = event.get("delta")
    text = delta if isinstance(delta, str) and "audio.delta" not in kind else ""
    if kind in GOOD_ENDS | BAD_ENDS:
        _take_response(lane, object_of(event.get("response")))
    family = "sent" if is_sent else family_of(kind)
    lane.marks.append(Mark(round(at, 4), kind, family, text, data[:_MOST_DATA]))


def _take_response(lane: Lane, response: JsonObject) -> None:
    lane.usage = object_of(response.get("usage")) or lane.usage
    lane.model = str(response.get("model") or lane.model)
    output: object = response.get("output")
    for each in output if isinstance(output, list) else ():  # pyright: ignore[reportUnknownVariableType]
        item = object_of(each)  # pyright: ignore[reportUnknownArgumentType]
        if str(item.get("type")).endswith("_call"):
            lane.tool_calls.append(str(item.get("name") or item.get("type")))


def _ended(lane: Lane, ending: str) -> Lane:
    """Say how it ended: by its last event, else by its status, else by its connection."""
    last = next((mark for mark in reversed(lane.marks) if mark.kind in GOOD_ENDS | BAD_ENDS), None)
    if last is not None:
        lane.is_good = last.kind in GOOD_ENDS
        event = decoded_object(last.data)
        error = object_of(event.get("error") or object_of(event.get("response")).get("error"))
        told = [last.kind.removeprefix("response."), error.get("code") or error.get("type")]
        lane.outcome = " ".join(str(each) for each in told if each)
    elif lane.status is not None and lane.status >= _FIRST_BAD_STATUS:
        error = object_of(decoded_object(lane.marks[-1].data if lane.marks else "").get("error"))
        code = error.get("code") or error.get("type") or ""
        lane.outcome = f"{lane.status} {code}".rstrip()
    elif ending:
        lane.outcome = ending
    else:
        is_stream = any(mark.kind != "answer" for mark in lane.marks)
        lane.is_good = not is_stream
        lane.outcome = "no end" if is_stream else str(lane.status or "")
    return lane


def _retries(lanes: list[Lane]) -> list[Lane]:
    """Find the requests that repeat one that failed before them."""
    for at, lane in enumerate(lanes):
        for earlier in range(at - 1, -1, -1):
            before = lanes[earlier]
            same = (before.method, before.path, before.body) == (lane.method, lane.path, lane.body)
            if same and before.source == lane.source and lane.body:
                lane.retry_of = None if before.is_good else earlier
                break
    return lanes


def last_text(value: object) -> str:
    """Return the last text of an input in one line, however it is written down."""
    from codex_api.testing.passages import last_text as found  # noqa: PLC0415 - light to import us

    return found(value)
