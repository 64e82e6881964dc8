from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from codex_api._logic.calling.operation import as_method

if TYPE_CHECKING:
    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api._logic.endpoints.pages import Listing


def endpoint(ctx: CallContext, name: str, *, timeout: float | None = None) -> Operation[list[str]]:
    """Ask for names."""
    raise NotImplementedError(ctx, name, timeout)


def named() -> None:
    """Say nothing."""


def test_a_method_has_the_signature_of_its_endpoint_and_the_name_it_is_given() -> None:
    def method(*arguments: object) -> None:
        raise NotImplementedError(arguments)

    as_method(method, endpoint, named)

    signature = inspect.signature(method)
    assert list(signature.parameters) == ["self", "name", "timeout"]
    assert signature.parameters["timeout"].default is None
    assert signature.return_annotation == "list[str]"
    assert (method.__name__, method.__qualname__) == ("named", "named")
    assert (method.__doc__, method.__module__) == ("Ask for names.", __name__)


def listing(ctx: CallContext, *, limit: int | None = None) -> Listing[str]:
    """List names."""
    raise NotImplementedError(ctx, limit)


def test_the_method_of_a_list_returns_its_pages() -> None:
    def method(*arguments: object) -> None:
        raise NotImplementedError(arguments)

    as_method(method, listing, named)

    assert inspect.signature(method).return_annotation == "Pages[str]"
