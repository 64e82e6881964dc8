"""Header arguments of public methods, whose values must stand in no traceback with locals."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from codex_api.transport._core.headers import Headers

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_NAME = "extra_headers"


def hides_headers(method: Callable[P, R]) -> Callable[P, R]:
    """Give ``method`` its ``extra_headers`` as ``Headers``, which show no values.

    Raises:
        RequestBuildError: In each call whose header is illegal.
    """
    place = list(inspect.signature(method).parameters).index(_NAME)

    @wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if len(args) <= place and kwargs.get(_NAME) is None:
            return method(*args, **kwargs)
        values, named = list[Any](args), cast("dict[str, Any]", kwargs)
        del args
        if len(values) > place:
            values[place] = Headers(values[place])
        else:
            named[_NAME] = Headers(named[_NAME])
        return cast("Callable[..., R]", method)(*values, **named)

    return guarded
