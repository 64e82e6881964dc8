"""What a server says of a failure, in whatever envelope it says it.

An HTTP error body, a 200 body that is an error, an event, a WebSocket frame: the same members are
looked for in the same places, from the outside in. A member of the wrong type counts as absent and
costs no other. Known envelopes: ``{"error": {...}}``, ``{"error": "words"}``, the members
themselves, ``{"response": {"error": ...}}``, ``{"body": {...}}``, ``{"detail": ...}`` as a text or
a list, ``{"errors": [...]}``, a list, and plain text. Each of them may also be a text that holds
JSON, as gateways pass on what they were told.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from codex_api._logic.incoming.error_body import ErrorDetail, Json, read_as
from codex_api._logic.incoming.retry_delay import delay_in_message, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from msgspec import Raw

_Object: TypeAlias = dict[str, object]

# The body of an error answer: enough for any JSON, not enough to hurt.
MAX_ERROR_BODY_BYTES: Final = 1 << 20
# Seconds for reading it; the status alone is worth more than the wait.
ERROR_BODY_TIMEOUT: Final = 5.0

_WORDS: Final = ("message", "msg", "error_description", "title", "reason")
# Where an envelope holds the next one, outermost first.
_INSIDE: Final = ("error", "last_error", "response", "body", "detail", "errors")
_DELAYS: Final = {
    "retry_after": 1.0,
    "retry_after_seconds": 1.0,
    "retryAfter": 1.0,
    "retryDelay": 1.0,
    "resets_in_seconds": 1.0,
    "retry_after_ms": 0.001,
}
# Members of other answers: of a chat completion, of a response.
_NOT_FAILURES: Final = frozenset({"choices", "object", "output"})
# What stands where there is no error.
NO_ERROR: Final = frozenset({b"", b"null", b"false", b"{}", b"[]", b'""'})
_MAX_DEPTH: Final = 6
_MAX_LISTED: Final = 5
_UNPROCESSABLE: Final = 422
_STATUSES: Final = range(300, 600)
_LONGEST_CODE: Final = 256


def read_failure(data: Json) -> ErrorDetail | None:
    """Read what a body, event or frame says of a failure; None when it says nothing.

    Args:
        data: JSON, or text of any kind.
    """
    value: object = read_as(object, data)
    if value is None:
        text = data if isinstance(data, str) else bytes(data).decode("utf-8", "replace")
        text = text.strip()
        # Text that looks like JSON and is none says nothing; nor does a page for a browser.
        says_nothing = text in {"", "null"} or text[0] in '{["<'
        return None if says_nothing else ErrorDetail(message=text)
    return _detail(value, 0)


def _detail(value: object, depth: int) -> ErrorDetail | None:
    found: dict[str, Any] = {}
    for level in _levels(value, depth):
        if isinstance(level, str):
            found.setdefault("message", level)
            continue
        for name, member in (*_names(level), *_numbers(level)):
            found.setdefault(name, member)
    return ErrorDetail(**found) if found.keys() & {"message", "code", "type"} else None


def _levels(value: object, depth: int) -> Iterator[str | _Object]:
    """Yield the parts of an envelope, innermost first: what is inside knows best."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        passed_on = _passed_on(value)
        if passed_on is not None and _detail(passed_on, depth + 1) is not None:
            yield from _levels(passed_on, depth + 1)
        elif value.strip():
            yield value.strip()
    elif isinstance(value, list):
        yield from _listed(cast("list[object]", value), depth)
    elif (level := _object(value)) is not None:
        metadata = _object(level.get("metadata")) or {}
        for words in (metadata.get("raw"), level.get("message")):
            # What a gateway passes on of the failure behind it.
            yield from _levels(_passed_on(words), depth + 1)
        for name in _INSIDE:
            if name in level:
                yield from _levels(level[name], depth + 1)
        yield level


def _object(value: object) -> _Object | None:
    return cast("_Object", value) if isinstance(value, dict) else None


def _listed(values: list[object], depth: int) -> Iterator[str | _Object]:
    """Yield the words of a list of complaints as one text, and what else the first one says."""
    complaints: list[str] = []
    for value in values[:_MAX_LISTED]:
        said = _detail(value, depth + 1)
        if said is not None and said.message:
            complaints.append(_located(value, said.message))
    if complaints:
        yield "; ".join(complaints)
    if any("loc" in (_object(value) or {}) for value in values[:_MAX_LISTED]):
        # What points into the request says that it is wrong, with or without a status.
        yield {"status": _UNPROCESSABLE}
    if values and not isinstance(values[0], str):
        yield from _levels(values[0], depth + 1)


def _located(value: object, words: str) -> str:
    place = (_object(value) or {}).get("loc")
    if not isinstance(place, list):
        return words
    steps = cast("list[object]", place)[:_MAX_LISTED]
    return f"{'.'.join(str(step) for step in steps)}: {words}"


def _passed_on(value: object) -> _Object | None:
    """Return the object that a text holds, or None."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return None
    return _object(read_as(object, value))


def _names(level: _Object) -> Iterator[tuple[str, str]]:
    for name in _WORDS:
        words = level.get(name)
        if isinstance(words, str) and words.strip():
            yield "message", words
            break
    code, kind = level.get("code"), level.get("type")
    if isinstance(code, str) and code:
        yield "code", code[:_LONGEST_CODE]
    elif _is_number(code):
        yield "code", str(code)[:_LONGEST_CODE]
    # The event's own type says nothing of the failure.
    if not _is_name(kind):
        kind, named = level.get("__type"), level.get("status")
        kind = named if isinstance(named, str) and named.isupper() else kind
    if _is_name(kind):
        yield "type", str(kind)[:_LONGEST_CODE]
    for name in ("param", "plan_type"):
        text = level.get(name)
        if isinstance(text, str):
            yield name, text


def _is_name(kind: object) -> bool:
    if not isinstance(kind, str) or kind.lower() in {"", "error"} or kind.isdecimal():
        return False
    return not kind.startswith("response.")


def _numbers(level: _Object) -> Iterator[tuple[str, float]]:
    resets_at, seconds = level.get("resets_at"), level.get("resets_in_seconds")
    if isinstance(resets_at, int) and not isinstance(resets_at, bool):
        yield "resets_at", resets_at
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        yield "resets_in_seconds", float(seconds)
    details = level.get("details")
    listed = cast("list[object]", details)[:_MAX_LISTED] if isinstance(details, list) else []
    delays = (_delay(place) for place in (level, *filter(None, map(_object, listed))))
    delay = next((delay for delay in delays if delay is not None), None)
    if delay is not None:
        yield "retry_after", delay
    for name in ("status", "status_code", "code"):
        if (status := _status(level.get(name))) is not None:
            yield "status", status
            break


def _delay(level: _Object) -> float | None:
    for name, unit in _DELAYS.items():
        value = level.get(name)
        if isinstance(value, str):
            value = float(value) if value.isdecimal() and len(value) < 13 else parse_duration(value)  # noqa: PLR2004 - no wait has more digits
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = float(value) * unit
            if math.isfinite(seconds) and seconds >= 0:
                return seconds
    return None


def _status(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3:  # noqa: PLR2004 - the digits of a status
        value = int(value)
    return value if isinstance(value, int) and value in _STATUSES else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def words_of(detail: ErrorDetail) -> str:
    """Return the server's words, or nothing."""
    return (detail.message or "").strip()


def delay_told(detail: ErrorDetail) -> float | None:
    """Return the seconds that a failure asks to wait, in a member or in words; else None."""
    if detail.retry_after is not None:
        return detail.retry_after
    return delay_in_message(words_of(detail))


def is_failure(fields: Mapping[str, Raw], tag: str | None = None) -> bool:
    """Return whether an object is a failure: it says so, has an error, or only says why.

    Args:
        fields: Its members.
        tag: Its type; None for none.
    """
    if bytes(fields.get("object", b"")) == b'"error"':
        return True
    if tag is not None:
        # Some servers name the failure where others name the event.
        return tag.lower().endswith(("error", "exception"))
    if any(bytes(fields.get(name, b"")) not in NO_ERROR for name in ("error", "errors")):
        return True
    return bool(fields.keys() & {"detail", "message"}) and not fields.keys() & _NOT_FAILURES
