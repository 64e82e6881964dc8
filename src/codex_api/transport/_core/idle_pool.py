"""Connections that wait for their next request, and the rules for taking one.

The newest one of a route is taken first, since it is the least likely to have been closed by the
server; the oldest of all goes when there are too many. Nothing here closes a connection: what is
returned as dropped is for the caller to close.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api.transport._core.route import Route

T = TypeVar("T")


class IdleConnections(Generic[T]):
    """Idle connections by route. Not safe to share between threads by itself.

    Args:
        limit: Connections kept at most; None sets no limit.
        lifetime: Seconds that one is kept; None keeps it for ever.

    Attributes:
        expires_at: ``expire`` has nothing to do before this instant.
    """

    def __init__(self, limit: int | None, lifetime: float | None) -> None:
        self._limit = limit
        self._lifetime = lifetime
        # Since when each is idle. Insertion order is age: the newest of a route is last.
        self._by_route: dict[Route, dict[T, float]] = {}
        self._count = 0
        self.expires_at: float = 0.0

    def __len__(self) -> int:
        return self._count

    def take(self, route: Route) -> T | None:
        """Return the newest connection of ``route`` and forget it; None when there is none."""
        of_route = self._by_route.get(route)
        if of_route is None:
            return None
        connection, _ = of_route.popitem()
        self._count -= 1
        if not of_route:
            del self._by_route[route]
        return connection

    def put(self, route: Route, connection: T, now: float) -> Sequence[T]:
        """Keep ``connection`` from ``now`` on, and return the connections dropped in its favour."""
        of_route = self._by_route.get(route)
        if of_route is None:
            of_route = self._by_route[route] = {}
        of_route[connection] = now
        self._count += 1
        if self._limit is None or self._count <= self._limit:
            return ()
        oldest = min(self._by_route, key=self._oldest_since)
        dropped = next(iter(self._by_route[oldest]))
        self.discard(oldest, dropped)
        return (dropped,)

    def expire(self, now: float) -> Sequence[T]:
        """Forget the connections that were kept too long by ``now``, and return them."""
        if self._lifetime is None:
            self.expires_at = inf
            return ()
        until = now - self._lifetime
        expired = [
            (route, connection)
            for route, of_route in self._by_route.items()
            for connection, since in of_route.items()
            if since <= until
        ]
        for route, connection in expired:
            self.discard(route, connection)
        oldest = min(map(self._oldest_since, self._by_route), default=now)
        self.expires_at = oldest + self._lifetime
        return [connection for _, connection in expired]

    def _oldest_since(self, route: Route) -> float:
        return next(iter(self._by_route[route].values()))

    def discard(self, route: Route, connection: T) -> None:
        """Forget ``connection`` of ``route`` if it is here."""
        of_route = self._by_route.get(route)
        if of_route is not None and of_route.pop(connection, None) is not None:
            self._count -= 1
            if not of_route:
                del self._by_route[route]

    def clear(self) -> list[T]:
        """Forget all connections, and return them."""
        dropped = [connection for of_route in self._by_route.values() for connection in of_route]
        self._by_route.clear()
        self._count = 0
        return dropped
