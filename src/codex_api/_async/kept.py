"""What the public API keeps beside responses and files, under asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._async.pages import paged
from codex_api._async.unary import Endpoints, unary
from codex_api._logic.calling.background import BATCH_PACE, Polling
from codex_api._logic.endpoints import batches, conversations
from codex_api._logic.outgoing.header_arguments import hides_headers

if TYPE_CHECKING:
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.types.batches import Batch


class AsyncConversations(Endpoints):
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


class AsyncBatches(Endpoints):
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

    @hides_headers
    async def wait(
        self,
        batch: Batch | str,
        poll: float | None = None,
        timeout: float | None = None,
        *,
        extra_headers: HeaderSource | Headers | None = None,
    ) -> Batch:
        """Wait until a batch is finished, and give it, whatever became of it.

        A batch that expired or was cancelled has answers, too: look at ``status`` and
        ``output_file_id``.

        Args:
            batch: As another call gave it, or its id.
            poll: Seconds between two looks; None begins with 5 and waits longer each time, up to
                60.
            timeout: Limit in seconds on all of it, and at least a second for a look; None for none.
            extra_headers: For each look.

        Raises:
            RequestBuildError: ``poll`` is no number of seconds above 0, the id is blank, or a
                header is illegal.
            DeadlineExceededError: The limit passed; the batch goes on.
            CodexApiError: A look failed, after the retries of every call.
        """
        settings = self._runner.settings
        batch_id = batch if isinstance(batch, str) else batch.id
        polling = Polling(poll, timeout, settings.clock.monotonic(), BATCH_PACE)
        while True:
            look = batches.retrieve(
                settings.context,
                batch_id,
                extra_headers=extra_headers,
                timeout=polling.limit(settings.clock.monotonic()),
            )
            found = await self._runner.run(look)
            if found.is_finished:
                return found
            await settings.clock.sleep_async(polling.pause(settings.clock.monotonic()))

    @paged(batches.list_batches)
    def list(self) -> None:
        """List."""
