from __future__ import annotations

import base64
import json
import pickle
from typing import Any

import pytest

from codex_api._logic.incoming.error_mapping import map_api_error
from codex_api.errors import (
    ApiError,
    AuthBuildError,
    AuthenticationError,
    CodexApiError,
    ContextWindowExceededError,
    CyberPolicyError,
    HttpStatusError,
    InternalServerError,
    InvalidImageError,
    InvalidRequestError,
    NetworkError,
    QuotaExceededError,
    RateLimitError,
    RequestBuildError,
    RetryableError,
    RetryLimitError,
    ServerOverloadedError,
    StreamClosedError,
    TransportTimeoutError,
    UnexpectedStatusError,
    UsageLimitReachedError,
    UsageNotIncludedError,
)
from codex_api.rate_limits import (
    ApiRateLimit,
    ApiRateLimits,
    CreditsSnapshot,
    RateLimitReachedType,
    RateLimitWindow,
)
from codex_api.transport._core.headers import Headers

NOW = 1_700_000_000.0
URL = "https://api.test/v1/responses"
CODE = base64.b64encode(b'{"error":{"code":"token_expired"}}').decode()


def refused(
    status: int, body: object = None, headers: dict[str, str] | None = None
) -> HttpStatusError:
    data = body if isinstance(body, bytes) else body and json.dumps(body).encode()
    return HttpStatusError(
        f"status {status}",
        status=status,
        url=URL,
        headers=Headers(headers),
        body=data if isinstance(data, bytes) else None,
    )


def mapped(
    status: int, body: object = None, headers: dict[str, str] | None = None
) -> CodexApiError:
    return map_api_error(refused(status, body, headers), now=NOW)


def error(**fields: object) -> dict[str, Any]:
    return {"error": fields}


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable"),
    [
        (503, error(code="server_is_overloaded"), ServerOverloadedError, False),
        (503, error(code="slow_down"), ServerOverloadedError, False),
        (503, error(code="other"), UnexpectedStatusError, True),
        (503, b"busy", UnexpectedStatusError, True),
        (400, error(code="cyber_policy", message="no"), CyberPolicyError, False),
        (400, error(code="context_length_exceeded"), ContextWindowExceededError, False),
        (400, error(message="bad"), InvalidRequestError, False),
        (400, None, InvalidRequestError, False),
        (401, None, AuthenticationError, False),
        (403, b"no", UnexpectedStatusError, False),
        (404, b"no", UnexpectedStatusError, False),
        (413, b"no", UnexpectedStatusError, False),
        (429, error(type="usage_limit_reached"), UsageLimitReachedError, False),
        (429, error(type="usage_not_included"), UsageNotIncludedError, False),
        (429, error(type="insufficient_quota"), QuotaExceededError, False),
        (429, error(code="insufficient_quota", type="x"), QuotaExceededError, False),
        (429, error(code="rate_limit_exceeded"), RateLimitError, True),
        (429, b"slow", RateLimitError, True),
        (429, None, RateLimitError, True),
        (500, error(message="oops"), InternalServerError, True),
        (502, b"<html>", UnexpectedStatusError, True),
        (599, None, UnexpectedStatusError, True),
        (101, None, UnexpectedStatusError, False),
        (302, None, UnexpectedStatusError, False),
        (402, None, UnexpectedStatusError, False),
        (405, None, UnexpectedStatusError, False),
        (408, None, UnexpectedStatusError, True),
        (409, None, UnexpectedStatusError, False),
        (409, {"error": {"message": "busy", "retry_after": 2}}, UnexpectedStatusError, True),
        (415, None, UnexpectedStatusError, False),
        (422, None, UnexpectedStatusError, False),
        (425, None, UnexpectedStatusError, True),
        (501, None, UnexpectedStatusError, False),
        (502, None, UnexpectedStatusError, True),
    ],
)
def test_status_and_body_decide_the_class_and_whether_to_retry(
    status: int, body: object, kind: type[ApiError], *, retryable: bool
) -> None:
    found = mapped(status, body)

    assert type(found) is kind
    assert found.retryable is retryable
    assert found.status == status


@pytest.mark.parametrize(
    ("plain", "retryable"),
    [
        (NetworkError("reset"), True),
        (TransportTimeoutError("late"), True),
        (RequestBuildError("bad header"), False),
        (AuthBuildError("no key"), False),
        (RetryLimitError(), False),
        (StreamClosedError(), True),
        (RetryableError("again", retry_after=1.0), True),
        (ServerOverloadedError(), False),
        (ContextWindowExceededError(), False),
    ],
)
def test_error_without_an_answer_stays_itself(plain: CodexApiError, *, retryable: bool) -> None:
    assert map_api_error(plain) is plain
    assert plain.retryable is retryable


def test_mapped_error_is_caused_by_the_refusal() -> None:
    refusal = refused(500)

    assert map_api_error(refusal).__cause__ is refusal


def test_overload_is_recognised_in_a_503_body() -> None:
    found = mapped(503, error(code="server_is_overloaded", message="x"))

    assert isinstance(found, ServerOverloadedError)
    assert str(found) == "the selected model is at capacity; try another one: x"
    assert found.server_message == "x"


def test_cyber_policy_is_recognised_in_a_400_body() -> None:
    found = mapped(400, error(code="cyber_policy", message="This was flagged."))

    assert isinstance(found, CyberPolicyError)
    assert str(found) == "This was flagged."


def test_cyber_policy_is_recognised_in_a_wrapped_websocket_body() -> None:
    frame = {"type": "error", "status": 400, **error(code="cyber_policy", message="Flagged.")}

    found = mapped(400, frame)

    assert isinstance(found, CyberPolicyError)
    assert str(found) == "Flagged."


@pytest.mark.parametrize("message", [None, "", "  ", 5])
def test_cyber_policy_without_a_message_gets_one(message: object) -> None:
    found = mapped(400, error(code="cyber_policy", message=message))

    assert str(found) == "the request was flagged as a possible cybersecurity risk"


def test_bad_image_is_recognised_by_its_text() -> None:
    text = "The image data you provided does not represent a valid image. Check it."

    assert isinstance(mapped(400, error(message=text)), InvalidImageError)


def test_other_400_is_an_invalid_request_with_its_body() -> None:
    found = mapped(400, b"field `input` is required")

    assert isinstance(found, InvalidRequestError)
    assert str(found) == found.body == "field `input` is required"


def test_invalid_request_says_the_error_s_message_when_there_is_one() -> None:
    found = mapped(400, error(message="Unknown parameter: 'x'.", code="unknown_parameter"))

    assert isinstance(found, InvalidRequestError)
    assert str(found) == "Unknown parameter: 'x'."
    assert found.code == "unknown_parameter"
    assert json.loads(found.body or "") == error(
        message="Unknown parameter: 'x'.", code="unknown_parameter"
    )


def test_invalid_request_without_a_body_says_so_itself() -> None:
    found = mapped(400)

    assert isinstance(found, InvalidRequestError)
    assert (str(found), found.body) == ("the request is not valid", "")


USAGE_LIMIT = error(type="usage_limit_reached", plan_type="pro", resets_at=int(NOW) + 90)


def test_usage_limit_picks_the_limit_name_header_of_the_active_family() -> None:
    found = mapped(
        429,
        USAGE_LIMIT,
        {
            "x-codex-active-limit": "codex_other",
            "x-codex-limit-name": "wrong",
            "x-codex-other-limit-name": "gpt-5.2-codex-sonic",
            "x-codex-other-primary-used-percent": "100",
        },
    )

    assert isinstance(found, UsageLimitReachedError)
    assert found.rate_limits is not None
    assert found.rate_limits.limit_id == "codex_other"
    assert found.rate_limits.limit_name == "gpt-5.2-codex-sonic"
    assert found.rate_limits.primary == RateLimitWindow(100.0)
    assert "gpt-5.2-codex-sonic" in str(found)


def test_id_of_a_usage_limit_never_stands_in_for_its_name() -> None:
    found = mapped(429, USAGE_LIMIT, {"x-codex-active-limit": "codex_other"})

    assert isinstance(found, UsageLimitReachedError)
    assert found.rate_limits is not None
    assert (found.rate_limits.limit_id, found.rate_limits.limit_name) == ("codex_other", None)
    assert "other" not in str(found)


def test_usage_limit_carries_plan_reset_and_promo() -> None:
    found = mapped(429, USAGE_LIMIT, {"x-codex-promo-message": "double limits"})

    assert isinstance(found, UsageLimitReachedError)
    assert found.plan_type == "pro"
    assert found.resets_at is not None
    assert found.resets_at.timestamp() == NOW + 90
    assert found.retry_after == 90.0
    assert found.promo_message == "double limits"
    assert "double limits" in str(found)


@pytest.mark.parametrize("header", ["brand_new", "", "\u00ff"])
def test_unknown_reached_type_is_ignored(header: str) -> None:
    found = mapped(429, USAGE_LIMIT, {"x-codex-rate-limit-reached-type": header})

    assert isinstance(found, UsageLimitReachedError)
    assert found.rate_limit_reached_type is None
    assert found.rate_limits is not None
    assert found.rate_limits.rate_limit_reached_type is None


@pytest.mark.parametrize("active", [{}, {"x-codex-active-limit": "codex_other"}])
def test_known_reached_type_is_copied_into_the_snapshot(active: dict[str, str]) -> None:
    kind = RateLimitReachedType.WORKSPACE_MEMBER_CREDITS_DEPLETED
    headers = {
        **active,
        "x-codex-rate-limit-reached-type": str(kind),
        "x-codex-credits-has-credits": "false",
        "x-codex-credits-unlimited": "false",
    }

    found = mapped(429, USAGE_LIMIT, headers)

    assert isinstance(found, UsageLimitReachedError)
    assert found.rate_limit_reached_type is kind
    assert found.rate_limits is not None
    assert found.rate_limits.rate_limit_reached_type is kind
    assert found.rate_limits.credits == CreditsSnapshot(has_credits=False, unlimited=False)


def test_unauthorized_shows_ids_and_the_identity_service_s_codes() -> None:
    code = base64.b64encode(json.dumps(error(code="token_expired")).encode()).decode()
    found = mapped(
        401,
        error(message="Invalid token"),
        {
            "x-request-id": "req-401",
            "cf-ray": "ray-401",
            "x-openai-authorization-error": "missing_authorization_header",
            "x-error-json": code,
        },
    )

    assert isinstance(found, AuthenticationError)
    assert found.request_id == "req-401"
    assert found.cf_ray == "ray-401"
    assert found.auth_error == "missing_authorization_header"
    assert found.auth_error_code == "token_expired"
    assert found.url == URL
    assert str(found) == (
        "the credentials were refused: Invalid token, url: https://api.test/v1/responses, "
        "cf-ray: ray-401, request id: req-401, auth error: missing_authorization_header, "
        "auth error code: token_expired"
    )


@pytest.mark.parametrize(
    "header", ["%%%", "bm8ganNvbg==", "e30=", "\u00e9", CODE[:8] + "!" + CODE[8:]]
)
def test_identity_code_that_cannot_be_read_is_none(header: str) -> None:
    found = mapped(401, None, {"x-error-json": header})

    assert isinstance(found, AuthenticationError)
    assert found.auth_error_code is None


def test_cloudflare_403_says_who_blocked_it() -> None:
    page = b"<html><title>Attention Required! | Cloudflare</title>Sorry, you have been blocked"

    found = mapped(403, page, {"cf-ray": "ray-403"})

    assert isinstance(found, UnexpectedStatusError)
    assert str(found) == (
        "Cloudflare blocked the request, as it does with some networks and regions (status 403), "
        "url: https://api.test/v1/responses, cf-ray: ray-403"
    )


def test_unexpected_status_shows_the_error_s_message() -> None:
    found = mapped(404, error(message=" no model "), {"x-oai-request-id": "req_x"})

    assert str(found) == (
        "unexpected status 404 Not Found: no model, url: https://api.test/v1/responses, "
        "request id: req_x"
    )


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"  plain \n", "plain"),
        (b"", "no details given"),
        (None, "no details given"),
        (json.dumps(error(message="")).encode(), json.dumps(error(message=""))),
        (b"x" * 1001, "x" * 1000 + "..."),
    ],
)
def test_unexpected_status_else_shows_the_bounded_body(body: bytes | None, shown: str) -> None:
    found = mapped(418, body)

    assert isinstance(found, UnexpectedStatusError)
    assert str(found).startswith(f"unexpected status 418 I'm a Teapot: {shown}, url: ")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_tells_where_to_and_hides_what_may_be_secret(status: int) -> None:
    to = {"location": "https://u:hush@right.test/v1/responses?sig=hush"}

    text = str(mapped(status, b"<html>moved</html>", to))

    assert "it redirects to https://right.test/v1/responses, and redirects are not" in text
    assert "hush" not in text
    assert ": gone away, url" in str(mapped(status, error(message="gone away"), to))
    assert "redirects" not in str(mapped(status, b"", {}))
    for other in (304, 309, 404):
        assert "redirects" not in str(mapped(other, b"", to))


def test_status_without_a_name_is_a_number() -> None:
    assert str(mapped(599)).startswith("unexpected status 599: ")


def test_body_of_any_size_and_kind_is_bounded_on_the_error() -> None:
    found = mapped(502, b"\xff" * 100_000)

    assert isinstance(found, UnexpectedStatusError)
    assert len((found.body or "").encode()) <= 1003
    assert len(str(found)) < 2000


def test_secret_in_a_body_is_not_shown() -> None:
    found = mapped(401, error(message="bad key sk-proj-abcdefghijklmnop given"))

    assert "sk-proj" not in str(found)
    assert "sk-proj" not in repr(vars(found))


def test_internal_error_adds_what_the_server_says() -> None:
    found = mapped(500, error(message="shard lost"), {"x-request-id": "r"})

    assert str(found) == "the server failed, possibly because of high demand: shard lost"
    assert found.request_id == "r"


def test_internal_error_with_a_page_for_a_body_says_its_own_text() -> None:
    assert str(mapped(500, b"<html>")) == "the server failed, possibly because of high demand"


def test_rate_limit_is_retryable_when_the_server_says_for_how_long() -> None:
    found = mapped(429, error(message="Slow down."), {"retry-after": "3"})

    assert isinstance(found, RateLimitError)
    assert (found.retryable, found.retry_after) == (True, 3.0)
    assert str(found) == "the rate limit is reached: Slow down."


@pytest.mark.parametrize(
    ("header", "value", "wait"),
    [
        ("retry-after-ms", "1500", 1.5),
        ("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("retry-after", "1", 1.0),
    ],
)
def test_wait_is_read_in_every_form(header: str, value: str, wait: float) -> None:
    assert mapped(503, None, {header: value}).retry_after == wait


def test_wait_until_a_date_is_unknown_without_a_clock() -> None:
    dated = refused(429, None, {"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"})
    counted = refused(429, None, {"retry-after": "7"})

    assert map_api_error(dated).retry_after is None
    assert map_api_error(counted).retry_after == 7.0


def test_wait_that_the_refusal_knows_already_is_kept() -> None:
    refusal = refused(429, None, {"retry-after": "7"})
    refusal.retry_after = 5.0

    assert map_api_error(refusal, now=NOW).retry_after == 5.0


def test_ray_identifies_a_rate_limited_request_without_an_id() -> None:
    assert mapped(429, None, {"cf-ray": "ray-9"}).request_id == "ray-9"
    assert mapped(429, None, {"cf-ray": "ray-9", "x-request-id": "r"}).request_id == "r"


def test_every_refusal_reports_its_limits() -> None:
    found = mapped(
        404,
        None,
        {"x-codex-primary-used-percent": "10", "x-ratelimit-remaining-requests": "5"},
    )

    assert isinstance(found, UnexpectedStatusError)
    assert found.rate_limits is not None
    assert found.rate_limits.primary == RateLimitWindow(10.0)
    assert found.api_rate_limits == ApiRateLimits(requests=ApiRateLimit(remaining=5))


def test_refusal_without_limits_reports_none() -> None:
    found = mapped(404)

    assert (found.rate_limits, found.api_rate_limits) == (None, None)


def test_refusal_without_headers_is_mapped_too() -> None:
    bare = HttpStatusError("", status=429, request_id="given")

    found = map_api_error(bare)
    assert isinstance(found, RateLimitError)
    assert found.request_id == "given"


def test_mapped_error_pickles() -> None:
    found = mapped(429, USAGE_LIMIT, {"x-codex-primary-used-percent": "100"})

    copy = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own bytes
    assert vars(copy) == vars(found)
    assert str(copy) == str(found)


@pytest.mark.parametrize(
    ("status", "wait"),
    [
        (408, 7.0),
        (409, 7.0),
        (425, 7.0),
        (429, 7.0),
        (503, 7.0),
        (400, None),
        (410, None),
        (426, None),
        (500, None),
    ],
)
def test_a_wait_in_headers_is_read_where_a_status_may_ask_for_one(
    status: int, wait: float | None
) -> None:
    assert mapped(status, error(message="no"), {"retry-after": "7"}).retry_after == wait


def test_a_wait_in_words_counts_where_the_headers_ask_for_none() -> None:
    body = error(message="slow down, try again in 3s", code="rate_limit_exceeded")

    assert mapped(429, body).retry_after == 3.0
    assert mapped(429, body, {"retry-after": "7"}).retry_after == 7.0


def test_only_a_403_with_the_words_of_cloudflare_is_its() -> None:
    page = b"<html>Cloudflare: Sorry, you have been blocked. blocked</html>"

    assert "Cloudflare blocked" in str(mapped(403, page))
    assert "Cloudflare blocked" not in str(mapped(403, b"no"))
    assert "Cloudflare blocked" not in str(mapped(418, page))


def test_an_unexpected_status_keeps_its_body() -> None:
    shown, bare = mapped(418, b"a teapot"), mapped(418, b"")

    assert isinstance(shown, UnexpectedStatusError)
    assert isinstance(bare, UnexpectedStatusError)
    assert (shown.body, bare.body) == ("a teapot", None)
