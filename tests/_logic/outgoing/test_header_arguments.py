from __future__ import annotations

from typing import Any

import pytest

from codex_api._logic.outgoing.header_arguments import hides_headers
from codex_api.transport import Headers
from codex_api.transport.errors import RequestBuildError


@hides_headers
def call(first: int, extra_headers: Any = None, *, last: int = 0) -> tuple[int, Any, int]:
    """Call."""
    return first, extra_headers, last


@pytest.mark.parametrize(
    ("args", "named"),
    [((1, {"x-key": "secret"}), {}), ((1,), {"extra_headers": {"x-key": "secret"}, "last": 2})],
)
def test_headers_come_as_values_that_hide(args: Any, named: dict[str, Any]) -> None:
    first, headers, last = call(*args, **named)

    assert (first, last) == (1, named.get("last", 0))
    assert headers == Headers({"x-key": "secret"})
    assert "secret" not in repr(headers)


def test_no_headers_stay_none() -> None:
    assert call(1) == (1, None, 0)
    assert call(1, extra_headers=None) == (1, None, 0)


def test_an_illegal_header_is_refused() -> None:
    with pytest.raises(RequestBuildError):
        call(1, {"bad name": "x"})


def test_a_method_keeps_its_name_and_its_words() -> None:
    assert (call.__name__, call.__doc__) == ("call", "Call.")
