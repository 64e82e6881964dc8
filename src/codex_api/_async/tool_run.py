"""Runs of tools under asyncio: stream, call, ask again."""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING

from codex_api._async.waits import ASYNCHRONOUS, settled, work_through
from codex_api._logic.incoming.collect import Collector
from codex_api.transport.errors import CodexApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api._async.session import AsyncResponsesSession
    from codex_api._logic.incoming.collect import CollectedResponse
    from codex_api._logic.session.run_result import RunEvent
    from codex_api._logic.session.tool_loop import ToolLoop


class AsyncToolRun:
    """One run over a session.

    Args:
        on_event: Called with each event, one after the other; what it raises ends the run.

    Raises:
        TypeError: ``on_event`` is ``async`` where nothing can be awaited.
    """

    def __init__(
        self,
        session: AsyncResponsesSession,
        loop: ToolLoop,
        on_event: Callable[[RunEvent], object] | None,
    ) -> None:
        if inspect.iscoroutinefunction(on_event) and not ASYNCHRONOUS:
            message = "on_event is async: only a session of AsyncClient can await it"
            raise TypeError(message)
        self._session = session
        self._loop = loop
        self._on_event = on_event

    async def carry_out(self) -> None:
        """Ask and call until the run has ended.

        Raises:
            CodexApiError: A response failed.
        """
        loop = self._loop
        while loop.ended is None:
            jobs = loop.answered(await self._ask())
            if loop.ended is None:
                with contextlib.suppress(_EndedError):
                    await work_through(jobs, loop.at_once, self._made)
                loop.go_on()

    async def _ask(self) -> CollectedResponse:
        collector = Collector()
        async with self._session.stream(self._loop.request) as stream:
            try:
                async for event in stream:
                    collector.add(event)
                    await self._tell(event)
            except CodexApiError as exc:
                collector.fail(exc, stream)
                raise
            return collector.finish(stream)

    async def _made(self, index: int, outcome: object) -> None:
        await self._tell(self._loop.made(index, outcome))
        if self._loop.ended is not None:
            raise _EndedError

    async def _tell(self, event: RunEvent) -> None:
        if self._on_event is not None:
            await settled(self._on_event(event))


class _EndedError(Exception):
    """The run has ended while calls were being made."""
