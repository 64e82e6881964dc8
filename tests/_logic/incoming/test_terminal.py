from __future__ import annotations

import msgspec
import pytest

from codex_api._logic.incoming.terminal import completed_event, token_usage
from codex_api.events import Completed
from codex_api.types.usage import TokenUsage


def test_completed_response_needs_only_its_id() -> None:
    assert completed_event(b'{"id":"resp_1"}') == Completed("resp_1", None, None)


def test_null_usage_and_null_details_count_as_absent() -> None:
    event = completed_event(
        b'{"id":"r","usage":{"input_tokens":0,"input_tokens_details":null,"output_tokens":0,'
        b'"output_tokens_details":null,"total_tokens":0}}'
    )

    assert event == Completed("r", TokenUsage(0, 0, 0, 0, 0))
    assert completed_event(b'{"id":"r","usage":null}').token_usage is None


def test_usage_and_end_of_turn_are_read() -> None:
    event = completed_event(
        b'{"id":"r","end_turn":false,"usage":{"input_tokens":10,'
        b'"input_tokens_details":{"cached_tokens":4},"output_tokens":5,'
        b'"output_tokens_details":{"reasoning_tokens":3},"total_tokens":15}}'
    )

    assert event == Completed("r", TokenUsage(10, 4, 5, 3, 15), end_turn=False)


def usage(details: bytes) -> TokenUsage | None:
    return token_usage(b'{"input_tokens":1,"output_tokens":1,"total_tokens":2%b}' % details)


def test_cache_write_tokens_are_read() -> None:
    found = usage(b',"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":7}')

    assert found == TokenUsage(1, 0, 1, 0, 2, cache_write_tokens=7)


def test_absent_cache_write_tokens_are_none() -> None:
    found = usage(b',"input_tokens_details":{"cached_tokens":0}')

    assert found is not None
    assert found.cache_write_tokens is None


def test_reported_zero_of_cache_write_tokens_stays_zero() -> None:
    found = usage(b',"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0}')

    assert found is not None
    assert found.cache_write_tokens == 0


def test_cache_write_tokens_without_details_are_none() -> None:
    found = usage(b"")

    assert found is not None
    assert found.cache_write_tokens is None


@pytest.mark.parametrize(
    ("response", "path"),
    [
        (b"{}", "id"),
        (b'{"id":5}', "$.id"),
        (b'{"id":"r","usage":{"input_tokens":"1"}}', "$.usage.input_tokens"),
        (b'{"id":"r","usage":{"input_tokens":1,"total_tokens":1}}', "output_tokens"),
        (b'{"id":"r","end_turn":"no"}', "$.end_turn"),
        (b"[]", "object"),
    ],
)
def test_response_that_makes_no_sense_is_an_error_naming_the_path(
    response: bytes, path: str
) -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        completed_event(response)

    assert path in str(caught.value)


def test_usage_that_makes_no_sense_is_none() -> None:
    assert token_usage(b'{"input_tokens":1}') is None
