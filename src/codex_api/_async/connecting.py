"""A connection to come, for ``await`` and for ``async with`` alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import TracebackType


class Closable(Protocol):
    """A connection."""

    async def close(self) -> None:
        """Close it. May be called twice."""
        ...


T = TypeVar("T", bound=Closable)


class Connecting(Generic[T]):
    """Await it for the connection, or enter it to have the connection closed at the end."""

    def __init__(self, make: Callable[[], Coroutine[object, object, T]]) -> None:
        self._make = make
        self._connection: T | None = None

    def __await__(self) -> Generator[object, object, T]:
        return self._make().__await__()

    async def __aenter__(self) -> T:
        self._connection = await self._make()
        return self._connection

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            await self._connection.close()
