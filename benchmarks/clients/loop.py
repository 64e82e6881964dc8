"""The one event loop that all asynchronous rows share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

_loop = asyncio.new_event_loop()
_closers: list[Callable[[], Coroutine[Any, Any, None]]] = []


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return _loop.run_until_complete(coroutine)


def close_later(close: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Have ``close`` awaited by the next ``close_all``."""
    _closers.append(close)


def close_all() -> None:
    """Close what the tables so far have left open."""
    while _closers:
        run(_closers.pop()())
