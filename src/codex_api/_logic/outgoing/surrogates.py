"""Halves of characters in JSON.

JavaScript cuts texts between the two halves of a character, so a gateway may send a delta that
ends in half an emoji. That is no valid text, and strict decoders refuse the whole event for it.
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import Final

# Every escape is matched, so that the `u` after an escaped backslash is not taken for one.
_ESCAPES: Final = cache(
    partial(
        re.compile,
        rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
        rb"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})"
        rb"|.)",
        re.DOTALL,
    )
)


def may_hold_halves(data: bytes) -> bool:
    """Return whether there may be half of a character in ``data``."""
    # A single byte is found many times faster than two or three.
    return b"\\" in data and (b"\\ud" in data or b"\\uD" in data)


def without_halves(data: bytes) -> bytes:
    """Replace each half of a character by U+FFFD; all else stays byte for byte."""
    if not may_hold_halves(data):
        return data
    return _ESCAPES().sub(_replaced, data)


def whole_text(text: str) -> str:
    """Replace each half of a character by U+FFFD, as in names of files that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _replaced(match: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if match["half"] else match[0]
