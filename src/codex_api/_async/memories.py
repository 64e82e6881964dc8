"""Memory summaries under asyncio."""

from __future__ import annotations

from codex_api._async.unary import Endpoints, unary
from codex_api._logic.endpoints import memories as core


class AsyncMemories(Endpoints):
    """``client.memories``."""

    @unary(core.summarize)
    def summarize(self) -> None:
        """Summarize."""
