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
        (b'{"a":"b\tc\x00","d":1}', b'{"a":"b\\u0009c\\u0000","d":1}'),
        (b'{\n"a":\t"NaN"}', None),
        (b'\xef\xbb\xbf{"a":1}', b'{"a":1}'),
        (b'{"a":1}\xef\xbb\xbf', None),
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
        (b'{"a":1}{"b":2} {"c":3}', [b'{"a":1}', b'{"b":2}', b'{"c":3}']),
        (b'{"a":1}{"b":2', []),
        (b'{"a":1}\xff', []),
        (b'{"a":1}' + b"[" * 100_000, []),
        (b'{"a":1}' * 1001, []),
    ],
)
def test_an_event_may_hold_one_object_after_the_other(payload: bytes, found: list[bytes]) -> None:
    assert payloads_in(payload) == found
