"""What requests weigh, and how much of it was let in of late."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

_ACCEPTED_SECONDS: Final = 5.0
_SLOT: Final = 0.25


class Load(NamedTuple):
    """What was sent, or is to be: one request or a sum of many."""

    requests: float = 1.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0


def weights_of(name: str) -> Load | None:
    """Say what counts against a limit, by its name in the headers; None when that is unknown."""
    if "request" in name:
        return Load(1, 0, 0)
    if "input" in name:
        return Load(0, 1, 0)
    if "output" in name:
        return Load(0, 0, 1)
    return Load(0, 1, 1) if "token" in name else None


class Accepted:
    """How much was accepted of late: what was sent, less what of it was refused."""

    __slots__ = ("_slots",)

    def __init__(self) -> None:
        self._slots: deque[list[float]] = deque()

    def add(self, charge: float, sent_at: float) -> None:
        """Count what is sent, or take it back with a negative ``charge``."""
        slots = self._slots
        slot = sent_at // _SLOT
        if not slots or slots[-1][0] < slot:
            slots.append([slot, charge])
            while slots[0][0] < slot - (_ACCEPTED_SECONDS / _SLOT) - 1:
                slots.popleft()
            return
        for each in reversed(slots):
            if each[0] == slot:
                each[1] += charge
                return

    def rate(self, now: float) -> float | None:
        """Return the charge that was accepted each second; None when too little is known.

        The last quarter of a second does not count: its refusals may still be on their way.
        """
        newest = now // _SLOT - 1
        oldest = newest - _ACCEPTED_SECONDS / _SLOT
        known = [charge for slot, charge in self._slots if oldest < slot <= newest]
        if len(known) * _SLOT < 1:
            return None
        return sum(known) / (len(known) * _SLOT)
