"""Lists that come page by page, under asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from codex_api._logic.calling.operation import as_method

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from codex_api._async.runner import Runner
    from codex_api._async.unary import Endpoints
    from codex_api._logic.calling.operation import CallContext
    from codex_api._logic.endpoints.pages import Listing
    from codex_api.types.stored import Page

P = ParamSpec("P")
T = TypeVar("T")


class AsyncPages(Generic[T]):
    """The elements of a list that a server gives page by page.

    Nothing is asked for before it is read, and no page before the one ahead of it was read. It may
    be read several times: each begins anew.
    """

    def __init__(self, runner: Runner, listing: Listing[T]) -> None:
        self._runner = runner
        self._listing = listing

    async def first_page(self) -> Page[T]:
        """Ask for the first page alone.

        Raises:
            CodexApiError: The call failed.
        """
        return await self._runner.run(self._listing.operation())

    async def pages(self) -> AsyncIterator[Page[T]]:
        """Read page by page.

        Raises:
            DecodeError: A page is not what was promised, or the list does not move on.
            CodexApiError: A call failed.
        """
        listing: Listing[T] | None = self._listing
        while listing is not None:
            page = await self._runner.run(listing.operation())
            yield page
            listing = listing.following(page)

    async def __aiter__(self) -> AsyncIterator[T]:
        """Read element by element; raises as ``pages`` does."""
        async for page in self.pages():
            for element in page.items:
                yield element


def paged(
    listing: Callable[Concatenate[CallContext, P], Listing[T]],
) -> Callable[[Callable[[Any], None]], Callable[Concatenate[Any, P], AsyncPages[T]]]:
    """Return a decorator that makes the method of a list, as ``unary`` does of an endpoint."""

    def decorate(named: Callable[[Any], None]) -> Callable[Concatenate[Any, P], AsyncPages[T]]:
        def method(self: Endpoints, /, *args: P.args, **kwargs: P.kwargs) -> AsyncPages[T]:
            runner = self._runner  # pyright: ignore[reportPrivateUsage]  # a method of it
            return AsyncPages(runner, listing(runner.settings.context, *args, **kwargs))

        as_method(method, listing, named)
        return method

    return decorate
