# Generated from src/codex_api/_async/kept.py by tools/generate_sync.py; do not edit.
"""What the public API keeps beside responses and files, in blocking code."""

from __future__ import annotations

from codex_api._logic.endpoints import batches, conversations
from codex_api._sync.pages import paged
from codex_api._sync.unary import Endpoints, unary


class Conversations(Endpoints):
    """``client.conversations``."""

    @unary(conversations.create)
    def create(self) -> None:
        """Create."""

    @unary(conversations.retrieve)
    def retrieve(self) -> None:
        """Retrieve."""

    @unary(conversations.update)
    def update(self) -> None:
        """Update."""

    @unary(conversations.delete)
    def delete(self) -> None:
        """Delete."""

    @paged(conversations.items)
    def items(self) -> None:
        """Items."""

    @unary(conversations.add_items)
    def add_items(self) -> None:
        """Add items."""

    @unary(conversations.item)
    def item(self) -> None:
        """Item."""

    @unary(conversations.delete_item)
    def delete_item(self) -> None:
        """Delete item."""


class Batches(Endpoints):
    """``client.batches``."""

    @unary(batches.create)
    def create(self) -> None:
        """Create."""

    @unary(batches.retrieve)
    def retrieve(self) -> None:
        """Retrieve."""

    @unary(batches.cancel)
    def cancel(self) -> None:
        """Cancel."""

    @paged(batches.list_batches)
    def list(self) -> None:
        """List."""
