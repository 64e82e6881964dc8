# Generated from src/codex_api/_async/compaction.py by tools/generate_sync.py; do not edit.
"""Compaction in blocking code: one route, or one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._logic.endpoints import compaction as core
from codex_api._logic.endpoints.responses import stream_call
from codex_api._sync.response_stream import ResponseStream
from codex_api._sync.runner import Runner
from codex_api.transport.errors import CodexApiError

if TYPE_CHECKING:
    from codex_api.types.compaction import CompactionInput, CompactionRoute
    from codex_api.types.item import ResponseItem
    from codex_api.types.request import ResponsesOptions


class Compactor:
    """One compaction."""

    def __init__(
        self,
        runner: Runner,
        compaction: CompactionInput,
        options: ResponsesOptions,
        timeout: float | None,
    ) -> None:
        self._runner = runner
        self._compaction = compaction
        self._options = options
        self._timeout = timeout

    def run(self, via: CompactionRoute) -> list[ResponseItem]:
        """Compact, and try the other route when ``auto`` finds that one does not exist here."""
        *first, last = core.routes(self._runner.settings.context.provider, via)
        for route in first:
            try:
                return self._take(route)
            except CodexApiError as exc:
                if not core.falls_back(route, exc):
                    raise
        return self._take(last)

    def _take(self, route: core.Route) -> list[ResponseItem]:
        if route == "stream":
            return self._stream()
        context = self._runner.settings.context
        return self._runner.run(
            core.compact(context, self._compaction, timeout=self._timeout, options=self._options)
        )

    def _stream(self) -> list[ResponseItem]:
        settings = core.compaction_settings(self._runner.settings, self._timeout)
        runner = Runner(self._runner.transport, self._runner.auth, settings)
        request = core.compaction_request(self._compaction)
        call = stream_call(settings.context, request, self._options, settings.telemetry)
        policy = settings.unary_policy(None, frozenset())
        attempt = 0
        while True:
            try:
                response = ResponseStream(runner, call).collect()
                return core.compacted(self._compaction, response.items)
            except CodexApiError as exc:
                runner.drive(core.pause_before_retry(exc, attempt, policy))
                attempt += 1
