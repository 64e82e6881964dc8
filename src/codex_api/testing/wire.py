"""Bytes of HTTP/1.1 answers and server-sent events, for scripts.

Nothing is added that was not asked for: a header that is missing in a script is missing on the
wire. The two framing headers are the exception, and giving them explicitly turns them off.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias, cast

JsonObject: TypeAlias = dict[str, Any]
HeaderPairs: TypeAlias = Mapping[str, str] | list[tuple[str, str]] | tuple[tuple[str, str], ...]


def http_head(status: int, headers: HeaderPairs = (), *, reason: str | None = None) -> bytes:
    """Build a status line and headers, with the blank line."""
    if reason is None:
        reason = next((known.phrase for known in HTTPStatus if known == status), "")
    lines = [f"HTTP/1.1 {status} {reason}"]
    lines += [f"{name}: {value}" for name, value in header_pairs(headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def http_response(
    status: int = 200,
    body: bytes | str | Mapping[str, Any] = b"",
    headers: HeaderPairs = (),
    *,
    reason: str | None = None,
) -> bytes:
    """Build a whole answer with ``Content-Length``; a mapping as body is sent as JSON."""
    pairs = header_pairs(headers)
    names = {name.lower() for name, _ in pairs}
    if not isinstance(body, (bytes, str)):
        body = compact_json(body)
        if "content-type" not in names:
            pairs.append(("content-type", "application/json"))
    data = body.encode() if isinstance(body, str) else body
    if not names & {"content-length", "transfer-encoding"}:
        pairs.append(("content-length", str(len(data))))
    return http_head(status, pairs, reason=reason) + data


def sse_head(headers: HeaderPairs = (), *, chunked: bool = True, status: int = 200) -> bytes:
    """Build the head of an event stream: chunked, or ended by the end of the connection."""
    pairs = header_pairs(headers)
    names = {name.lower() for name, _ in pairs}
    if "content-type" not in names:
        pairs.insert(0, ("content-type", "text/event-stream"))
    pairs.append(("transfer-encoding", "chunked") if chunked else ("connection", "close"))
    return http_head(status, pairs)


def sse_event(payload: Mapping[str, Any] | str, *, name: str | None = None) -> bytes:
    """Build one event; its name is the payload's ``type`` unless given, and ``""`` means none."""
    if isinstance(payload, str):
        data = payload
    else:
        data = compact_json(payload).decode()
        name = payload.get("type") if name is None else name
    head = f"event: {name}\n" if name else ""
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"{head}{lines}\n".encode()


def sse_events(payloads: Iterable[Mapping[str, Any] | str]) -> bytes:
    """Build several events in a row."""
    return b"".join(sse_event(payload) for payload in payloads)


def sse_comment(text: str = "keep-alive") -> bytes:
    """Build one comment block, which carries no event."""
    return f": {text}\n\n".encode()


def chunk(data: bytes) -> bytes:
    """Wrap ``data`` as one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def last_chunk() -> bytes:
    """Build the chunk that ends a chunked body."""
    return b"0\r\n\r\n"


def compact_json(value: object) -> bytes:
    """Encode ``value`` without spaces and with non-ASCII text as it is."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def decoded_object(data: str | bytes) -> JsonObject:
    """Decode a JSON object; anything else is an empty one."""
    try:
        return object_of(json.loads(data))
    except ValueError:
        return {}


def object_of(value: object) -> JsonObject:
    """Return ``value`` where it is a JSON object, else an empty one."""
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def header_pairs(headers: HeaderPairs) -> list[tuple[str, str]]:
    """Return ``headers`` as a new list of pairs."""
    return list(headers.items() if isinstance(headers, Mapping) else headers)
