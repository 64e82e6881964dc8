"""What the library did before it had an engine of its own, as ratios to a floor in the same run.

A bound such as "three times today's events a second" needs today's figure on a machine that is not
that of the day. So the old code was measured beside the bare floor, and the ratio is kept: commit
6b4891b (pyreqwest 0.15.1, websockets 17.4), CPython 3.11.7, 2026-11-27, two cores, medians of the
ratios within REPETITIONS repetitions.
"""

from __future__ import annotations

from typing import Final

# Calls a second of the old code by those of a bare protocol, by calls in flight.
UNARY_RATE: Final = {64: 0.2, 512: 0.2}
# Events a second of the old code by those of bare protocols, by streams that are open at once.
MANY_STREAMS_RATE: Final = {1000: 0.2, 2000: 0.2}
# CPU of an event over WebSocket by that of ``websockets`` with msgspec, by front and deflate.
WEBSOCKET_COST: Final = {
    ("async", False): 1.5,
    ("async", True): 1.5,
    ("sync", False): 1.5,
    ("sync", True): 1.5,
}
# CPU of importing and using both clients once by that of importing asyncio, ssl and msgspec.
IMPORT_COST: Final = 3.0
