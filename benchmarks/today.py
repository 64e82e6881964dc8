"""What the library did before it had an engine of its own, as ratios to a floor in the same run.

A bound such as "three times today's events a second" needs today's figure on a machine that is not
that of the day. So the old code was measured beside the floor by the rows of this folder, and the
ratio is kept: commit 6b4891b (pyreqwest 0.15.1, websockets 17.4), CPython 3.11.7, 2026-11-27, two
cores that others used as well, medians of the ratios within seven to nine repetitions.
"""

from __future__ import annotations

from typing import Final

# Calls a second of the old code by those of a bare protocol, by calls in flight. Its CPU was 8.4
# and 7.9 times that of the floor.
UNARY_RATE: Final = {64: 0.19, 512: 0.21}
# Events a second of the old code by those of bare protocols, by streams that are open at once: the
# least that three runs found. Its CPU was 3.2 times that of the floor in both rows.
MANY_STREAMS_RATE: Final = {1000: 0.36, 2000: 0.31}
# CPU of an event over WebSocket by that of ``websockets`` with msgspec, by front and deflate.
WEBSOCKET_COST: Final = {
    ("async", False): 1.39,
    ("async", True): 1.30,
    ("sync", False): 1.33,
    ("sync", True): 1.12,
}
# CPU of importing and using both clients once by that of importing asyncio, ssl and msgspec.
IMPORT_COST: Final = 2.58
