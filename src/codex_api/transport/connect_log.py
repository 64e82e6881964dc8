"""What connecting says to the standard library's loggers: each step that was done, and its time."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codex_api.transport._core.route import Route

_LOGGER = logging.getLogger("codex_api.connection")


def first_hop(route: Route) -> str:
    """Name what TCP is spoken with, without credentials."""
    return f"the server {route.server}" if route.proxy is None else f"the proxy {route.proxy}"


def tell(step: str, peer: str, began: float) -> None:
    """Say that ``step`` with ``peer`` is done; it began at ``began``, a monotonic instant."""
    if _LOGGER.isEnabledFor(logging.DEBUG):
        _LOGGER.debug("%s: %s, %.3f s", step, peer, time.monotonic() - began)
