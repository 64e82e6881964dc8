"""Search under asyncio."""

from __future__ import annotations

from codex_api._async.unary import Endpoints, unary
from codex_api._logic.endpoints import search as core


class AsyncSearch(Endpoints):
    """``client.search``."""

    @unary(core.search)
    def __call__(self) -> None:
        """Search."""
