"""Ctrl-C and SIGTERM: the first lets a run drain, the second cuts it off."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from codex_api.bulk.running import BulkRun

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals(
    run: BulkRun, told: Callable[[str, int], None] | None = None
) -> Generator[None]:
    """Stop ``run`` at the first Ctrl-C or SIGTERM, and cut it off at the second.

    Only in the main thread, with the run's event loop running. What handled the signals before
    does so again afterwards.

    Args:
        run: The run.
        told: Called with the name of the signal, and how many came.
    """
    loop = asyncio.get_running_loop()
    count = 0

    def handle(number: int) -> None:
        nonlocal count
        count += 1
        if count == 1:
            run.stop("interrupted")
        else:
            run.cut()
        if told is not None:
            told(signal.Signals(number).name, count)

    def from_python(number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(handle, number)

    before = {number: signal.signal(number, from_python) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
