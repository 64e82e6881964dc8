"""CPU of a session's turn over WebSocket, by the length of its history: only what is new costs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.clients import ours
from benchmarks.harness import Figure, Table
from codex_api import ResponsesApiRequest, items
from codex_api.session import SessionSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.server import Origins
    from codex_api.session import ResponsesSession

_HISTORIES = (100, 1000, 10_000)
_TURNS = 20  # A repetition.
_LIMIT = 1.25


def _message(number: int) -> items.Message:
    return items.Message.user(f"message number {number} " * 8)


def _turn(
    session: ResponsesSession, history: list[items.Message], *, is_marked: bool = False
) -> float:
    """Run a turn with one new item, marked or not, and return its CPU in microseconds."""
    history.append(_message(len(history)))
    request = ResponsesApiRequest(
        model="bench",
        input=list(history),
        prompt_cache_breakpoints=[(len(history) - 1, 0)] if is_marked else (),
    )
    started = time.process_time()
    with session.stream(request) as stream:
        for _ in stream:
            pass
    return (time.process_time() - started) * 1e6


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    rows = {f"{count:,} items": (count, False) for count in _HISTORIES}
    rows |= {f"{count:,} items, the last one marked": (count, True) for count in _HISTORIES[1:]}
    samples: dict[str, list[float]] = {name: [] for name in rows}
    histories = {
        name: [_message(number) for number in range(count)] for name, (count, _) in rows.items()
    }
    settings = SessionSettings(transport="websocket")
    with ours.sync_client(origins.plain, "/ws/5/v1") as client:
        sessions = {name: client.session(settings) for name in rows}
        for name, session in sessions.items():
            # Connects, and sends everything once.
            _turn(session, histories[name], is_marked=rows[name][1])
        for _ in range(repetitions):
            for name, session in sessions.items():
                took = sorted(
                    _turn(session, histories[name], is_marked=rows[name][1]) for _ in range(_TURNS)
                )
                samples[name].append(took[_TURNS // 2])
        for session in sessions.values():
            session.close()
    figures = [Figure(name, values) for name, values in samples.items()]
    table = Table("Turn of a session over WebSocket, CPU", "us", figures)
    table.bound("1,000 items", "100 items", _LIMIT)
    table.bound("10,000 items", "1,000 items", _LIMIT)
    table.bound("10,000 items, the last one marked", "1,000 items, the last one marked", _LIMIT)
    yield table
