from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from codex_api._logic.incoming.failed_response import body_error, event_error, terminal_error
from codex_api._logic.incoming.terminal import read_terminal
from codex_api.errors import (
    ApiError,
    CodexApiError,
    ContextWindowExceededError,
    CyberPolicyError,
    ErrorContext,
    HttpStatusError,
    InvalidRequestError,
    QuotaExceededError,
    RateLimitError,
    RetryableError,
    ServerOverloadedError,
    StreamError,
    UnexpectedStatusError,
    UsageLimitReachedError,
    UsageNotIncludedError,
)
from codex_api.rate_limits import RateLimitSnapshot, RateLimitWindow
from codex_api.types.usage import TokenUsage

CONTEXT: ErrorContext = {"request_id": "req_1", "rate_limits": RateLimitSnapshot("codex")}


def failed_error(response: bytes | str, context: ErrorContext) -> ApiError:
    return terminal_error(read_terminal("response.failed", response), None, context)


def incomplete_error(response: bytes | str, context: ErrorContext) -> Any:
    return terminal_error(read_terminal("response.incomplete", response), None, context)


def cancelled_error(response: bytes | str, context: ErrorContext) -> Any:
    return terminal_error(read_terminal("response.cancelled", response), None, context)


def failed(**error: object) -> ApiError:
    return failed_error(json.dumps({"id": "resp_1", "error": error}).encode(), CONTEXT)


def reported(**frame: object) -> CodexApiError | None:
    data = json.dumps({"type": "error", **frame}).encode()
    return event_error(msgspec.json.decode(data, type=dict[str, msgspec.Raw]), data, CONTEXT)


def classified(**frame: object) -> CodexApiError:
    found = reported(**frame)
    assert found is not None
    return found


def caused(error: CodexApiError) -> HttpStatusError:
    assert isinstance(error.__cause__, HttpStatusError)
    return error.__cause__


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        ("context_length_exceeded", ContextWindowExceededError, False),
        ("insufficient_quota", QuotaExceededError, False),
        ("usage_not_included", UsageNotIncludedError, False),
        ("usage_limit_reached", UsageLimitReachedError, False),
        ("cyber_policy", CyberPolicyError, False),
        ("invalid_prompt", InvalidRequestError, False),
        ("bio_policy", InvalidRequestError, False),
        ("server_is_overloaded", ServerOverloadedError, False),
        ("slow_down", ServerOverloadedError, False),
        ("rate_limit_exceeded", RateLimitError, True),
        ("server_error", RetryableError, True),
        ("brand_new", RetryableError, True),
        (None, RetryableError, True),
    ],
)
def test_code_of_a_failed_response_decides_the_class(
    code: str | None, kind: type[ApiError], *, retryable: bool
) -> None:
    error = failed(code=code, message="why")

    assert type(error) is kind
    assert error.retryable is retryable
    assert error.code == code
    assert (error.request_id, error.status) == ("req_1", None)
    assert error.rate_limits == RateLimitSnapshot("codex")


def test_exceeded_rate_limit_is_retryable_after_the_named_delay() -> None:
    message = (
        "Rate limit reached for gpt-5.1 in organization org-AAA on tokens per min (TPM): Limit "
        "30000, Used 22999, Requested 12528. Please try again in 11.054s. Visit our site."
    )

    error = failed(type="tokens", code="rate_limit_exceeded", message=message)

    assert isinstance(error, RetryableError)
    assert error.retry_after == 11.054
    assert error.message == message


def test_only_an_exceeded_rate_limit_names_a_delay() -> None:
    assert failed(code="server_error", message="try again in 5s").retry_after is None


def test_context_window_is_recognised_with_a_newline_in_the_message() -> None:
    error = failed(code="context_length_exceeded", message="Your input is\ntoo long")

    assert isinstance(error, ContextWindowExceededError)


def test_exceeded_quota_is_recognised() -> None:
    assert isinstance(failed(code="insufficient_quota", message="m"), QuotaExceededError)


def test_cyber_policy_keeps_its_message() -> None:
    assert str(failed(code="cyber_policy", message="Flagged.")) == "Flagged."


@pytest.mark.parametrize("message", [None, "", " \n", 7])
def test_cyber_policy_with_a_blank_message_gets_one(message: object) -> None:
    error = failed(code="cyber_policy", message=message)

    assert str(error) == "the request was flagged as a possible cybersecurity risk"


def test_invalid_prompt_needs_no_type() -> None:
    error = failed(code="invalid_prompt", message="Invalid prompt: bad")

    assert isinstance(error, InvalidRequestError)
    assert str(error) == "Invalid prompt: bad"


def test_usage_limit_in_a_stream_knows_plan_and_reset() -> None:
    error = failed(code="usage_limit_reached", plan_type="plus", resets_at=2_000_000_000)

    assert isinstance(error, UsageLimitReachedError)
    assert error.plan_type == "plus"
    assert error.resets_at is not None


@pytest.mark.parametrize("response", [b"", b"null", b"{}", b'{"error":null}', b'{"error":[]}'])
def test_failure_without_an_error_object_is_a_stream_error(response: bytes) -> None:
    error = failed_error(response, CONTEXT)

    assert type(error) is StreamError
    assert error.retryable


def test_mistyped_field_of_an_error_costs_only_itself() -> None:
    error = failed(code="invalid_prompt", message=["m"], resets_at="soon")

    assert isinstance(error, InvalidRequestError)


def test_incomplete_response_carries_what_is_known() -> None:
    response = {
        "id": "resp_1",
        "incomplete_details": {"reason": "max_output_tokens"},
        "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
    }

    error = incomplete_error(json.dumps(response).encode(), CONTEXT)

    assert (error.reason, error.response_id) == ("max_output_tokens", "resp_1")
    assert error.usage == TokenUsage(1, None, 2, None, 3)
    assert not error.retryable
    assert error.request_id == "req_1"


def test_filtered_response_is_retryable() -> None:
    response = b'{"incomplete_details":{"reason":"content_filter"},"usage":5,"id":6}'

    error = incomplete_error(response, CONTEXT)

    assert error.retryable
    assert (error.reason, error.response_id, error.usage) == ("content_filter", None, None)


@pytest.mark.parametrize("details", ["null", "{}", '{"reason":5}', "5"])
def test_incomplete_response_without_a_reason_is_unknown(details: str) -> None:
    error = incomplete_error(f'{{"incomplete_details":{details}}}', CONTEXT)

    assert error.reason == "unknown"


def test_cancelled_response_is_not_retryable() -> None:
    error = cancelled_error(b'{"id":"resp_1"}', CONTEXT)

    assert (error.reason, error.response_id, error.retryable) == ("cancelled", "resp_1", False)


def test_flat_error_event_is_classified_by_its_code() -> None:
    error = classified(code="rate_limit_exceeded", message="try again in 2s", param=None)

    assert isinstance(error, RetryableError)
    assert (error.retry_after, error.code, error.status) == (2.0, "rate_limit_exceeded", None)


def test_nested_error_event_is_classified_by_its_code() -> None:
    error = classified(error={"type": "server_error", "code": "insufficient_quota"})

    assert isinstance(error, QuotaExceededError)


def test_nested_error_event_without_a_code_is_classified_by_its_type() -> None:
    error = classified(error={"type": "usage_limit_reached", "code": None, "resets_at": 1})

    assert isinstance(error, UsageLimitReachedError)
    assert error.code == "usage_limit_reached"


def test_error_event_about_an_invalid_request_is_final() -> None:
    error = classified(error={"type": "invalid_request_error", "message": "No such item."})

    assert isinstance(error, InvalidRequestError)
    assert str(error) == "No such item."


def test_error_that_is_a_text_is_the_message() -> None:
    error = classified(error="upstream gone")

    assert isinstance(error, RetryableError)
    assert str(error) == "upstream gone"


def test_error_event_that_says_nothing_is_an_error_still() -> None:
    assert isinstance(classified(), RetryableError)


def test_wrapped_429_is_the_refused_request_with_its_headers_and_body() -> None:
    frame: dict[str, Any] = {
        "status": 429,
        "error": {"type": "usage_limit_reached", "code": None, "message": "limit"},
        "headers": {
            "x-codex-primary-used-percent": "100.0",
            "x-codex-primary-window-minutes": 15,
            "x-codex-credits-has-credits": True,
            "x-codex-credits-unlimited": False,
            "x-null": None,
            "x-list": ["a"],
            "x-object": {},
            "bad name": "a",
            "x-bad-value": "a\nb",
        },
    }

    error = classified(**frame)

    assert isinstance(error, UsageLimitReachedError)
    assert error.status == 429
    assert error.rate_limits is not None
    assert error.rate_limits.primary == RateLimitWindow(100.0, 15)
    cause = caused(error)
    assert cause.headers is not None
    assert dict(cause.headers.items()) == {
        "x-codex-primary-used-percent": "100.0",
        "x-codex-primary-window-minutes": "15",
        "x-codex-credits-has-credits": "true",
        "x-codex-credits-unlimited": "false",
    }
    assert json.loads(cause.body or b"") == {"type": "error", **frame}
    assert cause.url is None


def test_wrapped_400_keeps_its_body() -> None:
    error = classified(status=400, error={"message": "bad", "code": "previous_response_not_found"})

    assert isinstance(error, InvalidRequestError)
    assert (str(error), error.code) == ("bad", "previous_response_not_found")
    assert b"previous_response_not_found" in (caused(error).body or b"")


def test_wrapped_503_about_overload_is_recognised() -> None:
    error = classified(status=503, error={"code": "server_is_overloaded"})

    assert isinstance(error, ServerOverloadedError)


def test_status_may_be_called_status_code() -> None:
    assert isinstance(classified(status_code=429), RateLimitError)


def test_wrapped_error_takes_the_request_id_of_the_stream() -> None:
    error = classified(status=502)

    assert isinstance(error, UnexpectedStatusError)
    assert error.request_id == "req_1"


@pytest.mark.parametrize("status", [400, 429, None, 200])
def test_connection_limit_is_retryable_whatever_the_status(status: int | None) -> None:
    error = classified(
        status=status, error={"code": "websocket_connection_limit_reached", "message": "60 min"}
    )

    assert type(error) is RetryableError
    assert (str(error), error.retry_after) == ("60 min", None)
    assert error.code == "websocket_connection_limit_reached"


def test_connection_limit_without_a_message_explains_itself() -> None:
    error = classified(status=400, error={"code": "websocket_connection_limit_reached"})

    assert "60 minutes" in str(error)


@pytest.mark.parametrize("status", [200, 204, 299, 99, 0, 1000, -1, "200"])
def test_frame_whose_status_is_no_failure_is_no_error(status: object) -> None:
    assert reported(status=status, error={"code": "x", "message": "m"}) is None


@pytest.mark.parametrize("status", [100, 199, 300, 999, "429"])
def test_any_other_status_is_an_error(status: int | str) -> None:
    assert classified(status=status).status == int(status)


@pytest.mark.parametrize("status", [4.5, True, [429], "failed", "4290", "\u0664\u0662\u0669", ""])
def test_what_is_no_status_at_all_leaves_the_error_to_its_words(status: object) -> None:
    error = classified(status=status, error={"code": "insufficient_quota", "message": "m"})

    assert isinstance(error, QuotaExceededError)
    assert error.status is None


@pytest.mark.parametrize("name", ["code", "status", "status_code"])
@pytest.mark.parametrize("value", [400, "400"])
def test_a_number_is_the_status_beside_words_that_are_none(name: str, value: object) -> None:
    told = {"status": "INVALID_ARGUMENT", name: value, "message": "bad"}
    error = reported(error=told)

    assert error is not None
    assert not error.retryable


def test_a_failure_told_beside_the_response_keeps_its_words_and_code() -> None:
    event = b'{"type":"response.failed","code":"invalid_prompt","message":"m"}'
    end = read_terminal("response.failed", b'{"id":"r"}')

    error = terminal_error(end, None, {}, event)

    assert isinstance(error, InvalidRequestError)
    assert (error.code, "m" in str(error)) == ("invalid_prompt", True)


@pytest.mark.parametrize("nothing", [b"null", b"{}", b"[]", b"false", b'""'])
def test_an_error_that_says_nothing_is_none(nothing: bytes) -> None:
    end = read_terminal("response.completed", b'{"id":"r","error":' + nothing + b"}")

    assert (end.outcome, end.has_error) == ("completed", False)


def test_error_frame_without_a_status_is_not_mapped_to_one() -> None:
    error = classified(error={"type": "usage_limit_reached", "message": "limit"}, headers={})

    assert error.status is None
    assert error.__cause__ is None


def test_null_status_counts_as_absent() -> None:
    assert classified(status=None, error={"code": "insufficient_quota"}).status is None


def test_secret_in_a_message_is_not_shown() -> None:
    assert "sk-proj" not in str(failed(code="x", message="key sk-proj-abcdefghijklmnop"))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([{"error": {"message": "boom"}}, {"more": 1}], "boom"),
        ({"type": "error", "message": "boom"}, "boom"),
        ({"error": {"message": "boom"}}, "boom"),
        ([], None),
        ([{"id": "a"}], None),
        ({"type": "list", "error": {"message": "boom"}}, None),
        ({"data": []}, None),
        ("text", None),
    ],
)
def test_a_body_under_a_status_of_success_may_be_a_failure(body: Any, told: str | None) -> None:
    error = body_error(json.dumps(body).encode(), CONTEXT)

    assert (None if error is None else str(error)) == told
    assert error is None or error.request_id == "req_1"
