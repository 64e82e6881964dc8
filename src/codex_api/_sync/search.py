# Generated from src/codex_api/_async/search.py by tools/generate_sync.py; do not edit.
"""Search in blocking code."""

from __future__ import annotations

from codex_api._logic.endpoints import search as core
from codex_api._sync.unary import Endpoints, unary


class Search(Endpoints):
    """``client.search``."""

    @unary(core.search)
    def __call__(self) -> None:
        """Search."""
