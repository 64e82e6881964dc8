"""Text of a peer, made fit for an error message: bounded, and without what looks like a secret."""

from __future__ import annotations

import re
from functools import cache, partial
from typing import Final

MAX_EXCERPT_BYTES: Final = 1000

_SECRETS: Final = cache(
    partial(
        re.compile,
        r"(?P<query>https?://[^\s\"'<>?]*\?)[^\s\"'<>]*"
        r"|(?P<scheme>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}"
        r"|\b(?:sk|sess|ek)-[\w-]{12,}"
        r"|\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?",
        re.IGNORECASE,
    )
)


def excerpt(text: str | bytes) -> str:
    """Cut ``text`` to 1000 bytes on a character boundary and hide secrets and URL queries.

    Returns:
        The text without surrounding white space; ``...`` marks a cut.
    """
    # Hiding only makes a text shorter or a little longer: look at no more than can be shown.
    head = text[: 4 * MAX_EXCERPT_BYTES]
    shown = head.decode("utf-8", "replace") if isinstance(head, bytes) else head
    shown = _SECRETS().sub(_hidden, shown.strip())
    data = shown.encode("utf-8", "replace")
    if len(data) > MAX_EXCERPT_BYTES:
        return data[:MAX_EXCERPT_BYTES].decode("utf-8", "ignore") + "..."
    return shown


def _hidden(match: re.Match[str]) -> str:
    return (match["query"] or match["scheme"] or "") + "[hidden]"
