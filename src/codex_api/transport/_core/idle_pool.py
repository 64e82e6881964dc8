"""Connections that wait for their next request, and the rules for taking one.

The newest one of a route is taken first, since it is the least likely to have been closed by the
server; the oldest of all goes when there are too many. Nothing here closes a connection: what is
returned as dropped is for the caller to close.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from codex_api.transport._core.route import Route

T = TypeVar("T")


class IdleConnections(Generic[T]):
    """Idle connections by route. Not safe to share between threads by itself.

    Args:
        limit: Connections kept at most; None sets no limit.
        lifetime: Seconds that one is kept; None keeps it for ever.
    """

    def __init__(self, limit: int | None, lifetime: float | None) -> None:
        self._limit = limit
        self._lifetime = lifetime
        # Insertion order is age: the newest is last in both.
        self._all: dict[T, tuple[Route, float]] = {}
        self._by_route: dict[Route, dict[T, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def take(self, route: Route) -> T | None:
        """Return the newest connection of ``route`` and forget it; None when there is none."""
        of_route = self._by_route.get(route)
        if of_route is None:
            return None
        connection, _ = of_route.popitem()
        if not of_route:
            del self._by_route[route]
        del self._all[connection]
        return connection

    def put(self, route: Route, connection: T, now: float) -> list[T]:
        """Keep ``connection`` from ``now`` on, and return the connections dropped in its favour."""
        self._all[connection] = (route, now)
        self._by_route.setdefault(route, {})[connection] = None
        dropped: list[T] = []
        if self._limit is not None and len(self._all) > self._limit:
            dropped.append(next(iter(self._all)))
            self.discard(dropped[0])
        return dropped

    def expire(self, now: float) -> list[T]:
        """Forget the connections that were kept too long, and return them."""
        expired: list[T] = []
        if self._lifetime is not None:
            for connection, (_, since) in self._all.items():
                if now - since < self._lifetime:
                    break
                expired.append(connection)
        for connection in expired:
            self.discard(connection)
        return expired

    def discard(self, connection: T) -> None:
        """Forget ``connection`` if it is here."""
        entry = self._all.pop(connection, None)
        if entry is not None:
            of_route = self._by_route[entry[0]]
            del of_route[connection]
            if not of_route:
                del self._by_route[entry[0]]

    def clear(self) -> list[T]:
        """Forget all connections, and return them."""
        dropped = list(self._all)
        self._all.clear()
        self._by_route.clear()
        return dropped
