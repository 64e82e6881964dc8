from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from codex_api._logic.incoming.terminal import Terminal, read_terminal, token_usage
from codex_api.types.usage import TokenUsage


def terminal(tag: str = "response.completed", **response: Any) -> Terminal:
    return read_terminal(tag, json.dumps(response).encode())


def usage(**fields: Any) -> TokenUsage | None:
    return token_usage(json.dumps(fields).encode())


def test_everything_that_a_response_says_is_read() -> None:
    raw = (
        b'{"id":"r","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},'
        b'"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5},"end_turn":false,'
        b'"output":[{"type":"message"},5],"service_tier":"flex","created_at":17.5}'
    )

    found = read_terminal("response.done", raw)

    assert (found.id, found.status, found.reason) == ("r", "incomplete", "max_output_tokens")
    assert found.usage == TokenUsage(3, None, 2, None, 5)
    assert (found.end_turn, found.service_tier, found.created_at) == (False, "flex", 17.5)
    assert [bytes(item) for item in found.output] == [b'{"type":"message"}', b"5"]
    assert bytes(found.raw) == raw
    assert not found.has_error


@pytest.mark.parametrize("response", [b"", b"null", b"[]", b"5", b"{"])
def test_a_response_that_is_none_says_nothing(response: bytes) -> None:
    found = read_terminal("response.failed", response, Raw(b'{"code":"x"}'))

    assert (found.id, found.usage, found.output) == (None, None, [])
    assert found.has_error
    assert found.outcome == "failed"


@pytest.mark.parametrize(
    "member",
    ["id", "status", "incomplete_details", "error", "usage", "end_turn", "output", "created_at"],
)
@pytest.mark.parametrize("value", [None, 5, "x", [], {}, [None]])
def test_a_member_of_another_shape_costs_only_itself(member: str, value: Any) -> None:
    told: dict[str, Any] = {"id": "r", "status": "completed", "end_turn": True, member: value}
    found = terminal(**told)

    assert found.id in {"r", "x", None}
    assert member == "end_turn" or found.end_turn is True


STATUSES = ["completed", "incomplete", "failed", "cancelled"]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    "tag", ["response.completed", "response.done", "response.incomplete", "response.failed"]
)
def test_the_status_decides_whatever_the_event_is_called(tag: str, status: str) -> None:
    assert terminal(tag, status=status).outcome == status


@pytest.mark.parametrize(
    ("tag", "response", "outcome"),
    [
        ("response.completed", {}, "completed"),
        ("response.completed", {"status": "in_progress"}, "completed"),
        ("response.completed", {"error": None}, "completed"),
        ("response.completed", {"error": {"code": "x"}}, "failed"),
        ("response.done", {}, "completed"),
        ("response.done", {"status": 5}, "completed"),
        ("response.done", {"status_details": {"type": "cancelled"}}, "cancelled"),
        ("response.done", {"status_details": {"type": "cancelled"}, "id": 5}, "cancelled"),
        ("response.incomplete", {}, "incomplete"),
        ("response.failed", {}, "failed"),
        ("response.failed", {"status": "completed", "error": {"code": "x"}}, "failed"),
        ("response.cancelled", {}, "cancelled"),
        ("something.else", {}, "completed"),
    ],
)
def test_without_a_status_what_is_told_decides(
    tag: str, response: dict[str, Any], outcome: str
) -> None:
    assert terminal(tag, **response).outcome == outcome


def test_realtime_says_the_same_in_its_status_details() -> None:
    details = {"reason": "turn_detected", "error": {"code": "insufficient_quota"}}

    found = terminal("response.done", status="failed", status_details=details)

    assert found.reason == "turn_detected"
    assert json.loads(bytes(found.error)) == details["error"]


def test_an_error_beside_the_response_counts() -> None:
    found = read_terminal("response.failed", b'{"id":"r","error":null}', Raw(b'{"code":"x"}'))

    assert bytes(found.error) == b'{"code":"x"}'


def test_each_count_is_read_on_its_own() -> None:
    found = usage(
        input_tokens=10,
        input_tokens_details={"cached_tokens": 4, "cache_write_tokens": 0},
        output_tokens=5,
        output_tokens_details={"reasoning_tokens": 3},
        total_tokens=15,
        codex_rollout_budget_units=7,
    )

    assert found == TokenUsage(10, 4, 5, 3, 15, 0, 7)


def test_the_names_of_chat_completions_are_read() -> None:
    found = usage(
        prompt_tokens=3,
        prompt_tokens_details={"cached_tokens": 1},
        completion_tokens=2,
        completion_tokens_details={"reasoning_tokens": 0},
        total_tokens=5,
    )

    assert found == TokenUsage(3, 1, 2, 0, 5)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        *((3, 3), (3.0, 3), (0, 0), ("3", 3), ("3.0", 3), ("0", 0)),
        *((None, None), (-1, None), (True, None), ([], None), ("", None), ("-1", None)),
        *(("many", None), ("3 tokens", None), ("1e3", None), ("3.5", None)),
        *((2**53, 2**53), (2**53 + 2, None)),
        *(("\N{ARABIC-INDIC DIGIT THREE}", None), ("9" * 17, None), ("9" * 400, None)),
    ],
)
def test_a_count_is_a_whole_number_or_unknown(value: Any, count: int | None) -> None:
    assert usage(input_tokens=value, total_tokens=9) == TokenUsage(count, None, None, None, 9)


@pytest.mark.parametrize("written", ["1e999", "1" + "0" * 400, "99999999999999999999"])
def test_a_count_that_cannot_be_is_unknown(written: str) -> None:
    found = token_usage(f'{{"input_tokens":{written},"total_tokens":9}}'.encode())

    assert found is not None
    assert (found.input_tokens, found.total_tokens) == (None, 9)


@pytest.mark.parametrize(
    ("name", "details", "found"),
    [
        ("prompt_tokens_details", {"cached_tokens": 4}, TokenUsage(9, 4, 5, None, None)),
        ("input_token_details", {"cached_tokens": 4}, TokenUsage(9, 4, 5, None, None)),
        ("completion_tokens_details", {"reasoning_tokens": 4}, TokenUsage(9, None, 5, 4, None)),
        ("output_token_details", {"reasoning_tokens": 4}, TokenUsage(9, None, 5, 4, None)),
        ("prompt_tokens_details", None, TokenUsage(9, 0, 5, None, None)),
        ("output_token_details", None, TokenUsage(9, None, 5, 0, None)),
    ],
)
def test_details_are_read_under_each_of_their_names(
    name: str, details: dict[str, int] | None, found: TokenUsage
) -> None:
    told = {"input_tokens": 9, "output_tokens": 5, name: details}

    assert usage(**told) == found
    assert terminal(usage=told).usage == found


def test_null_details_say_that_there_is_nothing_to_detail() -> None:
    found = usage(
        input_tokens=0,
        input_tokens_details=None,
        output_tokens=0,
        output_tokens_details=None,
        total_tokens=0,
    )

    assert found == TokenUsage()


@pytest.mark.parametrize("odd", [b"", b"null", b"[]", b"{}", b'{"cost":5}', b'"3"'])
def test_a_usage_that_tells_nothing_is_none(odd: bytes) -> None:
    assert token_usage(odd) is None


def test_usages_add_up_and_unknown_stays_unknown_only_twice() -> None:
    total = TokenUsage(1, None, 2, None, 3) + TokenUsage(10, 4, None, None, 30, 5)

    assert total == TokenUsage(11, 4, 2, None, 33, 5)
    assert total.uncached_input_tokens == 7
    assert TokenUsage(None).uncached_input_tokens is None
