# Generated from src/codex_api/_async/search.py by tools/generate_sync.py; do not edit.
"""Search in blocking code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._logic.endpoints import search as core

if TYPE_CHECKING:
    from codex_api._sync.runner import Runner
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.types.request import ResponsesOptions
    from codex_api.types.search import SearchRequest, SearchResponse


class Search:
    """``client.search``."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def __call__(
        self,
        request: SearchRequest,
        extra_headers: HeaderSource | Headers | None = None,
        *,
        options: ResponsesOptions | None = None,
        timeout: float | None = None,
    ) -> SearchResponse:
        """Search.

        Args:
            request: Queries and other commands, and how to search.
            extra_headers: For this call.
            options: Says which session and sub-agent the call belongs to.
            timeout: Limit in seconds on the whole call, or None.

        Raises:
            RequestBuildError: A field is not legal; nothing was sent.
            DecodeError: The answer is not what was promised.
            CodexApiError: The call failed.
        """
        context = self._runner.settings.context
        return self._runner.run(
            core.search(
                context, request, extra_headers=extra_headers, options=options, timeout=timeout
            )
        )
