# Generated from src/codex_api/_async/unary.py by tools/generate_sync.py; do not edit.
"""Methods made of endpoints in blocking code, so that signature and docstring are written once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from codex_api._logic.calling.operation import as_method

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api._sync.runner import Runner

P = ParamSpec("P")
T = TypeVar("T")


class Endpoints:
    """Endpoints of one subject, called through one runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner


def unary(
    endpoint: Callable[Concatenate[CallContext, P], Operation[T]],
) -> Callable[[Callable[[Any], None]], Callable[Concatenate[Any, P], T]]:
    """Return a decorator that makes the method of an endpoint.

    Args:
        endpoint: Lends the method its arguments, its result and its docstring; only name and place
            come from what is decorated.
    """

    def decorate(
        named: Callable[[Any], None],
    ) -> Callable[Concatenate[Any, P], T]:
        def method(self: Endpoints, /, *args: P.args, **kwargs: P.kwargs) -> T:
            runner = self._runner  # pyright: ignore[reportPrivateUsage]  # a method of it
            operation = endpoint(runner.settings.context, *args, **kwargs)
            del args, kwargs  # a traceback with locals would show headers and query
            return runner.run(operation)

        as_method(method, endpoint, named)
        return method

    return decorate
