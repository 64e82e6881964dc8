# Generated from src/codex_api/_async/memories.py by tools/generate_sync.py; do not edit.
"""Memory summaries in blocking code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._logic.endpoints import memories as core

if TYPE_CHECKING:
    from codex_api._sync.runner import Runner
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.types.memories import MemorySummarizeInput, MemorySummary
    from codex_api.types.request import ResponsesOptions


class Memories:
    """``client.memories``."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def summarize(
        self,
        summarize_input: MemorySummarizeInput,
        extra_headers: HeaderSource | Headers | None = None,
        *,
        options: ResponsesOptions | None = None,
        timeout: float | None = None,
    ) -> list[MemorySummary]:
        """Summarize recorded traces, one summary for each, in their order.

        Args:
            summarize_input: Traces, at least one.
            extra_headers: For this call.
            options: Says which session and sub-agent the call belongs to.
            timeout: Limit in seconds on the whole call, or None.

        Returns:
            A summary that does not have the promised form is an ``UnknownMemorySummary``.

        Raises:
            RequestBuildError: There is no trace, or one has no JSON form; nothing was sent.
            DecodeError: The answer is not what was promised.
            CodexApiError: The call failed.
        """
        context = self._runner.settings.context
        return self._runner.run(
            core.summarize(
                context,
                summarize_input,
                extra_headers=extra_headers,
                options=options,
                timeout=timeout,
            )
        )
