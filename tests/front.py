"""One async test body for both fronts: sync calls run in a worker thread."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

FrontName: TypeAlias = Literal["sync", "async"]
_END = object()


class Front:
    """What a test needs to use ``Client`` and ``AsyncClient`` alike.

    What is typed ``Any`` is one of two classes with the same method names, one of them awaitable.
    """

    def __init__(self, name: FrontName) -> None:
        self.name: FrontName = name

    def __repr__(self) -> str:
        return f"Front({self.name!r})"

    @property
    def is_async(self) -> bool:
        return self.name == "async"

    def pick(self, sync: Any, asynchronous: Any) -> Any:
        """Choose the class of this front."""
        return asynchronous if self.is_async else sync

    async def __call__(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.is_async:
            return await call(*args, **kwargs)
        return await to_thread.run_sync(partial(call, *args, **kwargs), abandon_on_cancel=True)

    @asynccontextmanager
    async def entering(self, manager: Any) -> AsyncIterator[Any]:
        """``with manager`` or ``async with manager``."""
        if self.is_async:
            async with manager as value:
                yield value
            return
        value = await to_thread.run_sync(manager.__enter__)
        try:
            yield value
        except BaseException as exc:
            if not await to_thread.run_sync(manager.__exit__, type(exc), exc, exc.__traceback__):
                raise
        else:
            await to_thread.run_sync(manager.__exit__, None, None, None)

    async def iterate(self, stream: Any) -> AsyncIterator[Any]:
        """``for item in stream`` or ``async for item in stream``."""
        if self.is_async:
            async for item in stream:
                yield item
            return
        iterator = iter(stream)
        while (item := await to_thread.run_sync(next, iterator, _END)) is not _END:
            yield item
