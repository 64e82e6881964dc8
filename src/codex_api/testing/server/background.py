"""Background responses: made by a task of the server, whoever listens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codex_api.testing.faults import TERMINAL_TYPES
from codex_api.testing.steps import Event, Pause, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codex_api.testing.server.generation import Generation
    from codex_api.testing.server.state import ServerState, StoredResponse
    from codex_api.testing.wire import JsonObject

# How often who listens looks for the next event.
_LOOK_SECONDS = 0.002


class BackgroundRun:
    """One response in the making; its events so far are those of the stored response.

    Args:
        events: All of its events, made as they are asked for; None takes those of the model.
    """

    def __init__(
        self, state: ServerState, generation: Generation, events: Iterator[JsonObject]
    ) -> None:
        self.stored: StoredResponse = generation.stored()
        self._state = state
        self._generation = generation
        self._events = events
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to make it."""
        self._state.stored[self.stored.response["id"]] = self.stored
        self._state.runs[self.stored.response["id"]] = self
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def is_over(self) -> bool:
        """Whether no event follows."""
        events = self.stored.events
        return bool(events) and events[-1]["type"] in TERMINAL_TYPES

    def cancel(self) -> None:
        """Stop it where it is; one that is over stays as it is."""
        if self.is_over:
            return
        if self._task is not None:
            self._task.cancel()
        response = self.stored.response
        response |= {"status": "cancelled", "output": list(self._generation.output)}
        number = len(self.stored.events)
        self.stored.events.append(
            {"type": "response.cancelled", "sequence_number": number, "response": dict(response)}
        )
        self._finish()

    def follow(self, after: int) -> Iterator[Step]:
        """Yield the steps that send the events after number ``after``, as they come."""
        at = 0
        while True:
            events = self.stored.events
            while at < len(events):
                if events[at]["sequence_number"] > after:
                    yield Event(events[at])
                at += 1
            if self.is_over:
                return
            yield Pause(_LOOK_SECONDS)

    async def _run(self) -> None:
        pace = self._state.settings.background_pace
        for event in self._events:
            if event["type"] in TERMINAL_TYPES:
                self._generation.join_thread()
            self.stored.events.append(event)
            await asyncio.sleep(pace)
        self._finish()

    def _finish(self) -> None:
        self.stored.items[:] = self._generation.items
        self._state.runs.pop(self.stored.response["id"], None)
