# Generated from src/codex_api/_async/pages.py by tools/generate_sync.py; do not edit.
"""Lists that come page by page, in blocking code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from codex_api._logic.calling.operation import as_method

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codex_api._logic.calling.operation import CallContext
    from codex_api._logic.endpoints.pages import Listing
    from codex_api._sync.runner import Runner
    from codex_api._sync.unary import Endpoints
    from codex_api.types.stored import Page

P = ParamSpec("P")
T = TypeVar("T")


class Pages(Generic[T]):
    """The elements of a list that a server gives page by page.

    Nothing is asked for before it is read, and no page before the one ahead of it was read. It may
    be read several times: each begins anew.
    """

    def __init__(self, runner: Runner, listing: Listing[T]) -> None:
        self._runner = runner
        self._listing = listing

    def first_page(self) -> Page[T]:
        """Ask for the first page alone.

        Raises:
            CodexApiError: The call failed.
        """
        return self._runner.run(self._listing.operation())

    def pages(self) -> Iterator[Page[T]]:
        """Read page by page.

        Raises:
            DecodeError: A page is not what was promised, or the list does not move on.
            CodexApiError: A call failed.
        """
        listing: Listing[T] | None = self._listing
        while listing is not None:
            page = self._runner.run(listing.operation())
            yield page
            listing = listing.following(page)

    def __iter__(self) -> Iterator[T]:
        """Read element by element; raises as ``pages`` does."""
        for page in self.pages():
            yield from page.items


def paged(
    listing: Callable[Concatenate[CallContext, P], Listing[T]],
) -> Callable[[Callable[[Any], None]], Callable[Concatenate[Any, P], Pages[T]]]:
    """Return a decorator that makes the method of a list, as ``unary`` does of an endpoint."""

    def decorate(named: Callable[[Any], None]) -> Callable[Concatenate[Any, P], Pages[T]]:
        def method(self: Endpoints, /, *args: P.args, **kwargs: P.kwargs) -> Pages[T]:
            runner = self._runner  # pyright: ignore[reportPrivateUsage]  # a method of it
            return Pages(runner, listing(runner.settings.context, *args, **kwargs))

        as_method(method, listing, named)
        return method

    return decorate
