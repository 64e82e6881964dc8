"""The key that a request shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# Pages in a browser cannot set the headers of a WebSocket.
_SUBPROTOCOL: Final = "openai-insecure-api-key."


def shown_key(header: Callable[[str], str | None]) -> str:
    """Return the bearer token, or the key among the subprotocols of a WebSocket; ``""`` for none.

    Args:
        header: Gives the value of a header by its name, or None.
    """
    scheme, _, key = (header("authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and key:
        return key
    offered = [each.strip() for each in (header("sec-websocket-protocol") or "").split(",")]
    keys = [each.removeprefix(_SUBPROTOCOL) for each in offered if each.startswith(_SUBPROTOCOL)]
    return next(iter(keys), "")
