# Generated from src/codex_api/_async/memories.py by tools/generate_sync.py; do not edit.
"""Memory summaries in blocking code."""

from __future__ import annotations

from codex_api._logic.endpoints import memories as core
from codex_api._sync.unary import Endpoints, unary


class Memories(Endpoints):
    """``client.memories``."""

    @unary(core.summarize)
    def summarize(self) -> None:
        """Summarize."""
