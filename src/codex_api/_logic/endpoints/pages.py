"""Lists that the public API gives page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

from msgspec import Raw, Struct, structs

from codex_api._logic.calling.operation import CallContext, Operation
from codex_api._logic.incoming.objects import read_page
from codex_api.errors import DecodeError
from codex_api.transport._core.headers import Headers, HeaderSource

if TYPE_CHECKING:
    from codex_api.types.stored import Page

T = TypeVar("T")

Order: TypeAlias = Literal["asc", "desc"]


class Listing(Struct, Generic[T], frozen=True, kw_only=True):
    """A list that is ready to be asked for.

    Attributes:
        path: Below the provider's base URL.
        name: Of the endpoint, for errors and telemetry.
        element: Reads an element; it does not raise.
        query: What is asked for on every page.
        after: The element after which the next page begins; None begins at the start.
        passed: The elements after which pages began before.
    """

    context: CallContext
    path: str
    name: str
    element: Callable[[Raw], T]
    query: Sequence[tuple[str, str]] = ()
    after: str | None = None
    passed: frozenset[str] = frozenset()
    extra_headers: HeaderSource | Headers | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        # Values of headers are shown nowhere.
        structs.force_setattr(self, "extra_headers", Headers(self.extra_headers))

    def operation(self) -> Operation[Page[T]]:
        """Return the call that asks for the next page."""
        place = () if self.after is None else (("after", self.after),)
        return self.context.operation(
            "GET",
            self.path,
            self.name,
            partial(read_page, endpoint=self.name, element=self.element),
            query=(*self.query, *place),
            extra_headers=self.extra_headers,
            timeout=self.timeout,
        )

    def following(self, page: Page[T]) -> Listing[T] | None:
        """Return what follows a page; None at the end of the list.

        Raises:
            DecodeError: The server promises more and does not move on.
        """
        if not page.has_more:
            return None
        passed = self.passed if self.after is None else self.passed | {self.after}
        if page.last_id is None or page.last_id in passed:
            message = f"the answer of {self.name} says that more follows, and not after what"
            raise DecodeError(message)
        return structs.replace(self, after=page.last_id, passed=passed)


def page_query(
    limit: int | None, order: Order | None, include: Sequence[str] = ()
) -> list[tuple[str, str]]:
    """Write what a list is asked with."""
    sized = [] if limit is None else [("limit", str(limit))]
    ordered = [] if order is None else [("order", order)]
    return [*sized, *ordered, *included(include)]


def included(include: Sequence[str]) -> list[tuple[str, str]]:
    """Write what is asked for besides, each by itself as the public API has it."""
    return [("include[]", name) for name in include]
