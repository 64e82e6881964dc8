"""The order and timing of connection attempts to one host (RFC 8305, section 4 and 5).

Families take turns, so that one whose packets vanish costs one interval and not one attempt's
time-out an address. An attempt that fails brings the next one forward: only silence is waited for.
"""

from __future__ import annotations

from collections import deque
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

T = TypeVar("T")

#: Seconds before the next attempt joins one that has not ended: the RFC's recommended value.
ATTEMPT_DELAY = 0.25


def interleaved(addresses: Iterable[T], family: Callable[[T], Hashable]) -> list[T]:
    """Return ``addresses`` with families taking turns; within a family the order stays."""
    by_family: dict[Hashable, list[T]] = {}
    for address in addresses:
        by_family.setdefault(family(address), []).append(address)
    rounds = zip_longest(*by_family.values(), fillvalue=None)
    return [address for address in chain.from_iterable(rounds) if address is not None]


class AttemptSchedule(Generic[T]):
    """Says which address is tried when. Instants are seconds of one monotonic clock.

    Args:
        addresses: In the order in which they are to be tried.
    """

    def __init__(self, addresses: Iterable[T]) -> None:
        self._waiting = deque(addresses)
        self._due_at = float("-inf")

    @property
    def due_at(self) -> float | None:
        """Instant of the next attempt, or None when no address is left."""
        return self._due_at if self._waiting else None

    def take(self, now: float) -> T | None:
        """Return the address to try now, or None when it is too early or none is left."""
        if not self._waiting or now < self._due_at:
            return None
        self._due_at = now + ATTEMPT_DELAY
        return self._waiting.popleft()

    def attempt_failed(self) -> None:
        """Make the next attempt due at once."""
        self._due_at = float("-inf")
