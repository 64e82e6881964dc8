"""Logs of frames and of requests, as programs write them: a JSON object a line.

A line is an event itself, or holds one under `data`, `frame`, `message`, `event` or `payload`, with
a time (`at`, `time`, `ts`, `timestamp`, in seconds, milliseconds or as a date; or `after`, in
seconds since the line before) and a direction (`direction` or `dir`), or has it under `sent` or
`received`.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from codex_api.testing.redaction import redacted
from codex_api.testing.wire import decoded_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codex_api.testing.wire import JsonObject

_TIMES = ("at", "time", "ts", "timestamp", "t")
_DIRECTIONS = ("direction", "dir")
_CONTENTS = ("data", "frame", "message", "event", "payload", "text")
_OUT = frozenset({"out", "send", "sent", "tx", ">", "client"})
# Later than any time in seconds, and earlier than any in milliseconds.
_MILLISECONDS_FROM = 1e11
_FIRST_BAD_STATUS = 400


def is_request_log(line: JsonObject) -> bool:
    """Tell whether a line is one of ``codex-api serve --log``."""
    return {"method", "path", "status", "seconds"} <= line.keys()


def read_requests(data: bytes) -> list[dict[str, Any]]:
    """Return the facts of each request in a log of ``codex-api serve``."""
    found: list[dict[str, Any]] = []
    for line in _lines(data):
        outcome, status = str(line.get("outcome") or ""), line.get("status")
        is_bad = outcome in {"failed", "incomplete", "error", "gone"}
        is_bad = is_bad or not isinstance(status, int) or status >= _FIRST_BAD_STATUS
        found.append(
            {
                "method": str(line.get("method")),
                "path": str(line.get("path")),
                "began": float(line.get("at") or 0.0) - float(line["seconds"]),
                "seconds": float(line["seconds"]),
                "status": status if isinstance(status, int) else None,
                "model": str(line.get("model") or ""),
                "usage": line.get("usage") or {},
                "outcome": outcome or str(status or "no answer"),
                "is_good": not is_bad,
            }
        )
    start = min((each["began"] for each in found), default=0.0)
    return [{**each, "began": each["began"] - start} for each in found]


def read_frames(data: bytes) -> tuple[list[tuple[float, bool, str]], bool]:
    """Return the frames of a log, and whether it tells times.

    Returns:
        Time in seconds since the first, whether it was sent, and text of each; a frame each second
        where no times are told.
    """
    frames: list[tuple[float, bool, str]] = []
    start: float | None = None
    at = 0.0
    is_timed = False
    for number, line in enumerate(_lines(data)):
        told = _time(line)
        if told is not None:
            start = told if start is None else start
            at = told - start
            is_timed = True
        elif isinstance(line.get("after"), int | float):
            at += line["after"]
            is_timed = True
        elif not is_timed:
            at = float(number)
        frames.append((at, *_frame(line)))
    return frames, is_timed


def _lines(data: bytes) -> Iterator[JsonObject]:
    for text in redacted(data).split(b"\n"):
        if line := decoded_object(text):
            yield line


def _time(line: JsonObject) -> float | None:
    for key in _TIMES:
        value = line.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value / 1000 if value > _MILLISECONDS_FROM else float(value)
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value).timestamp()
            except ValueError:
                continue
    return None


def _frame(line: JsonObject) -> tuple[bool, str]:
    for key in ("sent", "received"):
        if key in line:
            return key == "sent", _text(line[key])
    told = next((str(line[key]).lower() for key in _DIRECTIONS if key in line), "")
    content = next((line[key] for key in _CONTENTS if key in line and "type" not in line), line)
    event = decoded_object(_text(content))
    is_sent = told in _OUT or (not told and event.get("type") == "response.create")
    return is_sent, _text(content)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
