from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from codex_api import errors
from codex_api._logic.incoming.error_body import ErrorDetail
from codex_api._logic.incoming.failed_response import event_error, terminal_error
from codex_api._logic.incoming.failure_table import BY_NAME, BY_STATUS, row_for
from codex_api._logic.incoming.terminal import read_terminal
from codex_api.errors import map_api_error
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import HttpStatusError

# Names that a status goes before, as they fit several facts.
VAGUE = {
    "invalid_request_error",
    "BadRequestError",
    "NotFoundError",
    "model_not_found",
    "DeploymentNotFound",
    "api_error",
    "server_error",
}


def over_http(status: int, body: Any, headers: dict[str, str] | None = None) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = HttpStatusError("x", status=status, headers=Headers(headers or {}), body=data)
    return map_api_error(error, now=1000.0)


def as_an_event(body: dict[str, Any]) -> Any:
    data = json.dumps({"type": "error"} | body).encode()
    fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    return event_error(fields, data, {})


def as_a_response(error: dict[str, Any]) -> Any:
    response = json.dumps({"id": "r", "status": "failed", "error": error}).encode()
    return terminal_error(read_terminal("response.failed", response), None, {})


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in VAGUE])
def test_the_same_name_is_the_same_class_everywhere(name: str) -> None:
    row = BY_NAME[name]
    status = {
        errors.AuthenticationError: 401,
        errors.RateLimitError: 429,
        errors.UsageLimitReachedError: 429,
        errors.UsageNotIncludedError: 429,
        errors.ServerOverloadedError: 503,
    }.get(row.error, 400)
    error = {"code": name, "message": "why"}
    found = [as_an_event({"error": error}), as_an_event(error), as_a_response(error)]
    if row.error is not errors.RetryableError:
        found.append(over_http(status, {"error": error}))

    assert {type(failure) for failure in found} == {row.error}
    assert {failure.retryable for failure in found} == {row.retryable}
    assert {failure.server_message for failure in found} == {"why"}


@pytest.mark.parametrize("status", BY_STATUS)
def test_a_status_without_a_known_name_decides(status: int) -> None:
    found = over_http(status, {"error": {"message": "why"}})

    assert type(found) is BY_STATUS[status].error
    assert found.retryable is BY_STATUS[status].retryable


@pytest.mark.parametrize(
    ("code", "retryable"), [(400, False), ("404", False), (422, False), (429, True), (502, True)]
)
def test_a_code_that_is_a_status_decides_within_a_stream(code: Any, *, retryable: bool) -> None:
    found = as_an_event({"code": code, "message": "why"})

    assert found.retryable is retryable
    assert not isinstance(found, errors.UnexpectedStatusError)


def test_an_image_that_is_none_is_one_error() -> None:
    words = "The image data you provided does not represent a valid image. Try another."
    error = {"type": "invalid_request_error", "code": "invalid_value", "message": words}

    assert isinstance(as_an_event({"error": error}), errors.InvalidImageError)
    assert isinstance(over_http(400, {"error": error}), errors.InvalidImageError)


def test_a_401_is_one_whatever_its_code_says() -> None:
    assert row_for(ErrorDetail(code="invalid_prompt"), 401).error is errors.AuthenticationError
    assert row_for(ErrorDetail(code="invalid_api_key"), 400).error is errors.InvalidRequestError


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ms-retry-after-ms": "2500"}, 2.5),
        ({"x-rate-limit-reset-tokens": "55"}, 55.0),
        ({"x-ratelimit-reset": "1060"}, 1060.0),
        ({"ratelimit-reset": "12"}, 12.0),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "6m0s",
                "x-ratelimit-remaining-tokens": "9000",
                "x-ratelimit-reset-tokens": "20m",
            },
            360.0,
        ),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6ms"}, 1.0),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "9s"}, None),
        ({"x-ratelimit-reset-tokens": "soon"}, None),
        ({"x-ratelimit-reset-tokens": "9" * 4000}, None),
        ({}, None),
    ],
)
def test_a_delay_is_read_from_headers(headers: dict[str, str], delay: float | None) -> None:
    found = over_http(429, {"error": {"message": "slow"}}, headers)

    assert isinstance(found, errors.RateLimitError)
    assert found.retry_after == delay
    assert found.retryable


def test_an_instant_is_read_against_the_clock() -> None:
    error = HttpStatusError(
        "x", status=429, headers=Headers({"x-ratelimit-reset-requests": "2000000060"}), body=b""
    )

    assert map_api_error(error, now=2_000_000_000.0).retry_after == 60.0
    assert map_api_error(error).retry_after is None


@pytest.mark.parametrize(
    ("error", "headers", "limit"),
    [
        ({"message": "Rate limit reached on requests per day (RPD)"}, {}, "day"),
        ({"message": "Limit on tokens per min (TPM)"}, {}, "tokens"),
        ({"message": "Limit on requests per min"}, {}, "requests"),
        ({"message": "input tokens per minute"}, {}, "input_tokens"),
        ({"message": "slow", "type": "tokens"}, {}, "tokens"),
        ({"message": "slow"}, {"x-ratelimit-remaining-requests": "0"}, "requests"),
        ({"message": "slow"}, {}, None),
    ],
)
def test_the_limit_that_was_hit_is_named(
    error: dict[str, str], headers: dict[str, str], limit: str | None
) -> None:
    assert over_http(429, {"error": error}, headers).limit == limit


@pytest.mark.parametrize(
    ("status", "retryable"), [(499, False), (502, True), (599, True), (600, False)]
)
def test_statuses_without_a_row_pass_if_the_server_failed(status: int, *, retryable: bool) -> None:
    assert row_for(ErrorDetail(), status).retryable is retryable
    # Known by its row, and by no class that a status has.
    assert row_for(ErrorDetail(status=status), None).retryable is retryable


@pytest.mark.parametrize(("code", "status"), [("NotFoundError", 404), ("model_not_found", 404)])
def test_what_is_not_found_is_known_by_its_status_where_there_is_one(
    code: str, status: int
) -> None:
    assert row_for(ErrorDetail(code=code), status) == row_for(ErrorDetail(), status)
    assert row_for(ErrorDetail(code=code), None).error is errors.InvalidRequestError


def test_what_complains_of_a_parameter_is_final_within_a_stream() -> None:
    found = as_an_event({"code": "unsupported_value", "message": "why", "param": "reasoning"})

    assert isinstance(found, errors.InvalidRequestError)
    assert not found.retryable
    assert found.param == "reasoning"


@pytest.mark.parametrize("status", [404, 500])
def test_no_class_is_known_by_a_status_where_none_came(status: int) -> None:
    error = row_for(ErrorDetail(status=status), None).error

    assert error not in {errors.UnexpectedStatusError, errors.InternalServerError}


def test_a_status_within_a_stream_names_the_class_that_has_others() -> None:
    assert row_for(ErrorDetail(status=429), None) is row_for(ErrorDetail(), 429)


@pytest.mark.parametrize(
    ("told", "status", "retryable"),
    [("true", 400, True), ("false", 429, False), ("false", 503, False), ("who knows", 503, True)],
)
def test_a_servers_word_on_another_try_is_believed(
    told: str, status: int, *, retryable: bool
) -> None:
    found = over_http(status, {"error": {"message": "why"}}, {"x-should-retry": told})

    assert found.retryable is retryable


def test_a_conflict_passes_only_if_the_server_says_when() -> None:
    assert not row_for(ErrorDetail(), 409).retryable
    assert row_for(ErrorDetail(retry_after=2.0), 409).retryable
    assert row_for(ErrorDetail(message="busy, try again in 2s"), 409).retryable
    assert row_for(ErrorDetail(), 409, comes_back=True).retryable
    assert over_http(409, {"error": {"message": "busy"}}, {"retry-after": "2"}).retryable
    assert not row_for(ErrorDetail(), 404, comes_back=True).retryable


@pytest.mark.parametrize(
    ("words", "is_known"),
    [
        ("This model's maximum context length is 8192 tokens.", True),
        ("Context length exceeded", False),
        ("the input exceeds the context window of this model", True),
        ("a context of this length is fine", False),
    ],
)
def test_a_request_that_is_too_long_is_known_by_words(words: str, *, is_known: bool) -> None:
    error = {"message": words, "type": "BadRequestError", "code": 400}
    found = [over_http(400, {"error": error}), as_an_event({"error": error})]
    limited = over_http(429, {"error": {"message": words}})

    assert {isinstance(one, errors.ContextWindowExceededError) for one in found} == {is_known}
    assert {one.retryable for one in found} == {False}
    assert isinstance(limited, errors.RateLimitError)


@pytest.mark.parametrize(
    ("code", "status", "decides"),
    [
        ("rate_limit_exceeded", 429, True),
        ("context_length_exceeded", 429, False),
        ("context_length_exceeded", 400, True),
        ("context_length_exceeded", 401, False),
        ("invalid_api_key", 403, False),
        ("invalid_api_key", None, True),
    ],
)
def test_a_name_decides_beside_a_status_that_does_not_contradict_it(
    code: str, status: int | None, *, decides: bool
) -> None:
    named = row_for(ErrorDetail(code=code), status)

    assert (named.error is BY_NAME[code].error) is decides
