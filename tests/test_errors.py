from __future__ import annotations

import copy
import inspect
import pickle
import re
from datetime import UTC, datetime

import pytest

import codex_api.transport.errors as transport_errors
from codex_api import errors
from codex_api._logic.incoming.collect import Collector
from codex_api.events import OutputTextDelta
from codex_api.rate_limits import ApiRateLimits, RateLimitReachedType, RateLimitSnapshot
from codex_api.transport._core.headers import Headers
from codex_api.types.usage import TokenUsage

CLASSES = [
    value
    for name, value in inspect.getmembers(errors)
    if inspect.isclass(value) and issubclass(value, errors.CodexApiError) and name[0] != "_"
]
RETRYABLE = {
    "AuthTransientError",
    "ConnectTimeoutError",
    "FirstEventTimeoutError",
    "HttpProtocolError",
    "IdleTimeoutError",
    "InternalServerError",
    "LivenessTimeoutError",
    "NetworkError",
    "RateLimitError",
    "ResponseIncompleteError",
    "RetryableError",
    "StreamClosedError",
    "StreamError",
    "TransportTimeoutError",
    "UnexpectedStatusError",
    "WebSocketClosedError",
}
SPECIAL = {
    "ResponseIncompleteError": {
        "reason": "max_output_tokens",
        "response_id": "r",
        "usage": TokenUsage(1),
    },
    "UsageLimitReachedError": {
        "plan_type": "plus",
        "resets_at": datetime(2030, 1, 1, tzinfo=UTC),
        "promo_message": "p",
        "rate_limit_reached_type": RateLimitReachedType.RATE_LIMIT_REACHED,
    },
    "InvalidRequestError": {"body": "b"},
    "AuthenticationError": {"body": "b", "url": "u", "cf_ray": "c", "auth_error": "a"},
    "UnexpectedStatusError": {"body": "b", "url": "u", "auth_error_code": "a"},
    "HttpStatusError": {"url": "u", "headers": Headers({"a": "b"}), "body": b"b"},
    "WebSocketClosedError": {"code": 1006, "reason": "gone", "is_cut": True},
}


def full(kind: type[errors.CodexApiError]) -> errors.CodexApiError:
    """Make an error of a class with a value in every field."""
    context: dict[str, object] = {"retryable": True}
    if kind is not errors.WebSocketClosedError:
        context |= {"retry_after": 1.5, "request_id": "req_1", "status": 429}
    if issubclass(kind, errors.ApiError):
        context |= {
            "rate_limits": RateLimitSnapshot("codex"),
            "api_rate_limits": ApiRateLimits(),
            "code": "c",
        }
    made = kind("what happened", **context, **SPECIAL.get(kind.__name__, {}))  # type: ignore[arg-type]
    made.__cause__ = ValueError("deeper")
    return made


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_survives_pickling_with_all_its_fields(
    kind: type[errors.CodexApiError],
) -> None:
    made = full(kind)

    got = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own bytes
    assert type(got) is kind
    assert vars(got) == vars(made)
    assert (str(got), got.args) == ("what happened", made.args)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_survives_copying_with_all_its_fields(
    kind: type[errors.CodexApiError],
) -> None:
    made = full(kind)

    assert vars(copy.copy(made)) == vars(made)
    assert vars(copy.deepcopy(made)) == vars(made)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_retryability_of_every_class_is_as_the_table_says(
    kind: type[errors.CodexApiError],
) -> None:
    assert kind().retryable is (kind.__name__ in RETRYABLE)
    assert kind("", retryable=True).retryable is True
    assert kind("", retryable=False).retryable is False


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_the_common_fields(kind: type[errors.CodexApiError]) -> None:
    made = kind()

    assert made.message == str(made)
    assert (made.retry_after, made.request_id, made.status) == (None, None, None)
    assert (made.rate_limits, made.api_rate_limits) == (None, None)


@pytest.mark.parametrize(
    "kind", [kind for kind in CLASSES if issubclass(kind, errors.ApiError)], ids=str
)
def test_every_api_error_says_something_by_itself(kind: type[errors.ApiError]) -> None:
    assert str(kind())


def test_star_in_the_drawn_tree_marks_exactly_the_retryable_classes() -> None:
    drawn = re.findall(r"^ +(\w+Error)(?: +(\(?\*))?", errors.__doc__ or "", re.MULTILINE)

    starred = {name for name, star in drawn if star == "*"}
    decided = {name for name, star in drawn if star == "(*"}
    assert starred == RETRYABLE - decided
    assert decided == {"ResponseIncompleteError", "UnexpectedStatusError", "FileUploadError"}


def test_drawn_tree_names_every_class() -> None:
    assert {kind.__name__ for kind in CLASSES} <= set(re.findall(r"\w+Error", errors.__doc__ or ""))


@pytest.mark.parametrize(
    ("reason", "retryable"),
    [
        ("max_output_tokens", False),
        ("cancelled", False),
        ("content_filter", True),
        ("unknown", True),
    ],
)
def test_incomplete_response_is_retryable_unless_it_would_end_the_same(
    reason: str, *, retryable: bool
) -> None:
    error = errors.ResponseIncompleteError(reason=reason)

    assert error.retryable is retryable
    assert reason in str(error)


def test_time_limits_of_a_stream_are_timeouts() -> None:
    for kind in (errors.IdleTimeoutError, errors.LivenessTimeoutError):
        assert issubclass(kind, TimeoutError)
    assert issubclass(errors.FirstEventTimeoutError, TimeoutError)


def test_too_large_event_is_caught_under_both_names() -> None:
    assert issubclass(errors.EventTooLargeError, errors.StreamError)
    assert issubclass(errors.EventTooLargeError, transport_errors.EventTooLargeError)


def test_partial_response_travels_with_the_error() -> None:
    collector = Collector()
    collector.add(OutputTextDelta("half"))
    error = errors.StreamClosedError()
    collector.fail(error)

    got = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert got.partial == error.partial
    assert got.partial.text == "half"


def test_all_names_are_importable() -> None:
    assert errors.__all__ == sorted(errors.__all__)
    for name in errors.__all__:
        assert getattr(errors, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'map_api_errors'"):
        errors.map_api_errors  # noqa: B018 - looked up
