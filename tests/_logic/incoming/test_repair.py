from __future__ import annotations

import pytest

from codex_api._logic.incoming.repair import payloads_in, repaired


@pytest.mark.parametrize(
    ("payload", "mended"),
    [
        (b'{"a":NaN,"b":[Infinity,-Infinity]}', b'{"a":null,"b":[null,null]}'),
        (b'{"a":"NaN"}', None),
        (b'{"a":1}', None),
        (b'{"a":NaN', None),
        (b'{"a":NaN,"\xff":1}', None),
    ],
)
def test_numbers_that_json_does_not_have_become_null(payload: bytes, mended: bytes | None) -> None:
    assert repaired(payload) == mended


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b'{"a":1}\n\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}', []),
        (b'{"a":1}\nno', []),
        (b'{"a":1}\n[]', []),
    ],
)
def test_an_event_may_hold_an_object_a_line(payload: bytes, found: list[bytes]) -> None:
    assert payloads_in(payload) == found
