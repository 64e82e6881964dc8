"""Ways in which an answer goes wrong, as functions over its steps.

Each function here gives a `Fault`; several are applied in the order given. Positions count events,
so ``after=0`` is before the first one.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal

from codex_api.testing.steps import (
    Binary,
    CloseFrame,
    End,
    Event,
    Fault,
    Hang,
    Hold,
    KeepAlive,
    Pause,
    Raw,
    Step,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from codex_api.testing.gate import Gate
    from codex_api.testing.wire import JsonObject

TERMINAL_TYPES = frozenset({"response.completed", "response.failed", "response.incomplete"})


def apply(steps: Iterable[Step], faults: Iterable[Fault]) -> Iterator[Step]:
    """Return ``steps`` as all ``faults`` leave them."""
    for fault in faults:
        steps = fault(steps)
    return iter(steps)


def stall(*, after: int) -> Fault:
    """Send ``after`` events and then nothing, with the connection open."""
    return _replace_rest(after, [Hang()])


def cut(*, after: int, how: Literal["clean", "truncated", "reset"] = "truncated") -> Fault:
    """End the answer after ``after`` events.

    A reset waits a moment: it would throw away what the client's kernel still holds.
    """
    last: list[Step] = [Pause(0.05), End(how)] if how == "reset" else [End(how)]
    return _replace_rest(after, last)


def close_frame(*, after: int, code: int, reason: str = "") -> Fault:
    """Close the WebSocket after ``after`` events."""
    return _replace_rest(after, [CloseFrame(code, reason)])


def slow(interval: float) -> Fault:
    """Wait ``interval`` seconds before each event."""
    return _around_events(lambda event: [Pause(interval), event])


def delayed(first: float = 0.0, each: float = 0.0, *, spread: float = 0.0, seed: int = 0) -> Fault:
    """Wait before the events by chance, and always the same for a seed.

    Args:
        first: Median of the seconds before the first event.
        each: Median of the seconds before every other event.
        spread: Standard deviation of the logarithm: 0 is always the median, 1 has a long tail.
    """

    def fault(steps: Iterable[Step]) -> Iterator[Step]:
        dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        median = first
        for step in steps:
            if isinstance(step, Event):
                if median:
                    yield Pause(median * math.exp(dice.gauss(0.0, spread)))
                median = each
            yield step

    return fault


def in_pieces(piece_bytes: int = 1) -> Fault:
    """Cut each event into writes of ``piece_bytes``."""
    return _around_events(lambda event: [replace(event, piece_bytes=piece_bytes)])


def hold(gate: Gate, *, after: int = 0) -> Fault:
    """Keep back what comes after ``after`` events until ``gate`` opens."""
    return inject(Hold(gate), after=after)


def keep_open() -> Fault:
    """Leave the connection open once everything was sent."""

    def fault(steps: Iterable[Step]) -> Iterator[Step]:
        yield from steps
        yield Hang()

    return fault


def comments_only(interval: float, *, after: int = 0) -> Fault:
    """Send ``after`` events and then a comment each ``interval`` seconds, for ever."""

    def fault(steps: Iterable[Step]) -> Iterator[Step]:
        yield from _first(after, steps)
        for _ in repeat(None):
            yield KeepAlive()
            yield Pause(interval)

    return fault


def commented() -> Fault:
    """Put a comment before each event."""
    return _around_events(lambda event: [KeepAlive(), event])


def failed(
    code: str | None, message: str = "Scripted failure.", *, after: int = 2, **extra: object
) -> Fault:
    """Replace what comes after ``after`` events by ``response.failed``."""
    error = {"code": code, "message": message, **extra}
    return _end_with("response.failed", {"status": "failed", "error": error}, after)


def incomplete(reason: str = "max_output_tokens", *, after: int = 2) -> Fault:
    """Replace what comes after ``after`` events by ``response.incomplete``."""
    return _end_with(
        "response.incomplete",
        {"status": "incomplete", "incomplete_details": {"reason": reason}},
        after,
    )


def inject(step: Step | JsonObject, *, after: int) -> Fault:
    """Put a step, or an event with a payload, after ``after`` events."""
    added = Event(step) if isinstance(step, dict) else step

    def fault(steps: Iterable[Step]) -> Iterator[Step]:
        seen = 0
        pending = True
        for each in steps:
            if pending and seen == after:
                pending = False
                yield added
            seen += isinstance(each, Event)
            yield each
        if pending:
            yield added

    return fault


def oversized(size: int, *, after: int = 2) -> Fault:
    """Put a delta of ``size`` characters after ``after`` events."""
    delta = {"type": "response.output_text.delta", "delta": "x" * size, "item_id": "msg_big"}
    return inject({**delta, "output_index": 0, "content_index": 0}, after=after)


def garbage(data: bytes = b"data: {not json\n\n", *, after: int = 2) -> Fault:
    """Put bytes that make no event after ``after`` events."""
    return inject(Raw(data), after=after)


def binary(data: bytes = b"\x00", *, after: int = 2) -> Fault:
    """Put a binary WebSocket message after ``after`` events."""
    return inject(Binary(data), after=after)


def dropped(*types: str) -> Fault:
    """Leave out the events of these types."""
    return _around_events(lambda event: [] if event.payload.get("type") in types else [event])


def edited(edit: Callable[[JsonObject], JsonObject]) -> Fault:
    """Send each event's payload as ``edit`` gives it back."""
    return _around_events(lambda event: [replace(event, payload=edit(dict(event.payload)))])


def _first(count: int, steps: Iterable[Step]) -> Iterator[Step]:
    seen = 0
    for step in steps:
        if seen == count:
            return
        seen += isinstance(step, Event)
        yield step


def _replace_rest(after: int, rest: list[Step]) -> Fault:
    def fault(steps: Iterable[Step]) -> Iterator[Step]:
        yield from _first(after, steps)
        yield from rest

    return fault


def _around_events(change: Callable[[Event], list[Step]]) -> Fault:
    def fault(steps: Iterable[Step]) -> Iterator[Step]:
        for step in steps:
            if isinstance(step, Event):
                yield from change(step)
            else:
                yield step

    return fault


def _end_with(kind: str, changes: dict[str, Any], after: int) -> Fault:
    def fault(steps: Iterable[Step]) -> Iterator[Step]:
        shell: JsonObject = {"id": "resp_scripted", "object": "response", "output": []}
        number = 0
        for step in _first(after, steps):
            if isinstance(step, Event):
                shell = step.payload.get("response", shell)
                number = step.payload.get("sequence_number", number) + 1
            yield step
        yield Event({"type": kind, "response": {**shell, **changes}, "sequence_number": number})

    return fault
