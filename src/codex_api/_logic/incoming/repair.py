"""Payloads that are not quite JSON: numbers it does not have, several values in one event."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from codex_api._logic.incoming.terminal import TERMINAL_TYPES

# Strings are matched first, so that what looks like a number in a text stays as it is.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\b(?:Infinity|NaN|inf|nan)\b')
_ODD: Final = (b"Infinity", b"NaN", b"inf", b"nan")
#: What other protocols end their streams with; it says nothing here.
END_MARKS: Final = frozenset({b"[DONE]", b""})
# What no stream can do without.
_DECISIVE: Final = tuple(
    f'"{tag}"'.encode() for tag in (*TERMINAL_TYPES, "response.output_item.done", "error")
)


def repaired(payload: bytes) -> bytes | None:
    """Return ``payload`` with null for each number that JSON does not have.

    Returns:
        None when that does not make it JSON.
    """
    if not any(name in payload for name in _ODD):
        return None
    mended = _TOKEN.sub(lambda token: token[0] if token[0][:1] == b'"' else b"null", payload)
    return mended if mended != payload and _is_json(mended) else None


def payloads_in(payload: bytes) -> list[bytes]:
    """Return the objects of an event that holds one a line; nothing when it does not."""
    lines = [line for line in payload.split(b"\n") if line.strip()]
    if len(lines) < 2 or not all(_is_json(line) for line in lines):  # noqa: PLR2004 - several
        return []
    return lines


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def is_decisive(payload: bytes) -> bool:
    """Return whether something is in ``payload`` that no stream can do without."""
    return any(name in payload for name in _DECISIVE)
