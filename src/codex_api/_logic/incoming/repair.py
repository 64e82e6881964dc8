"""Payloads that are not quite JSON.

Numbers it does not have, control characters in texts, a byte order mark, several values in one
event: what other decoders take.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from codex_api._logic.incoming.terminal import TERMINAL_TYPES

# Strings are matched first, so that what looks like a number in a text stays as it is.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\b(?:Infinity|NaN|inf|nan)\b')
_ODD: Final = re.compile(rb"Infinity|NaN|inf|nan|[\x00-\x1f]|^\xef\xbb\xbf")
_CONTROL: Final = re.compile(rb"[\x00-\x1f]")
_BOM: Final = b"\xef\xbb\xbf"
_SOLID: Final = re.compile(r"\S")
_MAX_PAYLOADS: Final = 1000
#: What other protocols end their streams with; it says nothing here.
END_MARKS: Final = frozenset({b"[DONE]", b""})
# What no stream can do without.
_DECISIVE: Final = tuple(
    f'"{tag}"'.encode() for tag in (*TERMINAL_TYPES, "response.output_item.done", "error")
)


def repaired(payload: bytes) -> bytes | None:
    """Return ``payload`` as JSON: null for each number that it does not have, and texts escaped.

    Returns:
        None when that does not make it JSON.
    """
    if not _ODD.search(payload):
        return None
    mended = _TOKEN.sub(_mended, payload.removeprefix(_BOM))
    return mended if mended != payload and _is_json(mended) else None


def _mended(token: re.Match[bytes]) -> bytes:
    if not token[0].startswith(b'"'):
        return b"null"
    return _CONTROL.sub(lambda found: b"\\u%04x" % ord(found[0]), token[0])


def payloads_in(payload: bytes) -> list[bytes]:
    """Return the objects of an event that holds one after the other; nothing when it does not."""
    from json import JSONDecoder  # noqa: PLC0415 - rarely needed

    decode = JSONDecoder().raw_decode
    found: list[bytes] = []
    try:
        text, at = payload.decode(), 0
        while match := _SOLID.search(text, at):
            _, at = decode(text, match.start())
            found.append(text[match.start() : at].encode())
            if len(found) > _MAX_PAYLOADS or not _is_json(found[-1]):
                return []
    except (ValueError, RecursionError):  # no JSON, or no UTF-8
        return []
    return found if len(found) > 1 else []


def may_be_part(payload: bytes) -> bool:
    """Return whether a payload that is no JSON may have held a part of the response."""
    return b"response." in payload


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def is_decisive(payload: bytes) -> bool:
    """Return whether something is in ``payload`` that no stream can do without."""
    return any(name in payload for name in _DECISIVE)
