from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from codex_api._logic.incoming.error_body import ErrorDetail
from codex_api._logic.incoming.failure_body import (
    ERROR_BODY_TIMEOUT,
    MAX_ERROR_BODY_BYTES,
    delay_told,
    is_failure,
    read_failure,
)

INNER = {"message": "words", "code": "c", "type": "t", "param": "p"}
ENVELOPES: dict[str, Any] = {
    "error": {"error": INNER},
    "flat": INNER,
    "response": {"type": "response.failed", "response": {"id": "r", "error": INNER}},
    "beside the response": {"response": {"id": "r", "error": None}, "error": INNER},
    "body": {"type": "error", "status": 400, "body": {"error": INNER}},
    "detail": {"detail": INNER},
    "detail with an error": {"detail": {"error": INNER}},
    "list": [{"error": INNER}],
    "errors": {"errors": [INNER, {"message": "more"}]},
    "upstream": {"error": {"message": "Provider error", "metadata": {"raw": json.dumps(INNER)}}},
    "a text": {"error": json.dumps(INNER)},
    "a body that is a text": {"type": "error", "status": 400, "body": json.dumps({"error": INNER})},
    "a message that is JSON": {"error": {"message": json.dumps({"error": INNER}), "code": "400"}},
    "last": {"response": {"id": "r", "last_error": INNER}},
    "named for itself": INNER | {"object": "error"},
}


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES.keys())
def test_the_same_is_read_in_every_envelope(envelope: Any) -> None:
    detail = read_failure(json.dumps(envelope))

    assert detail is not None
    assert (detail.code, detail.type, detail.param) == ("c", "t", "p")
    assert detail.message in {"words", "words; more"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"error": "words"}', "words"),
        (b'{"detail": "words"}', "words"),
        (b'"words"', "words"),
        (b"Bad gateway", "Bad gateway"),
        (b'{"error": {"msg": "words"}}', "words"),
        (b'{"error_description": "words"}', "words"),
        (b'{"error": "{}"}', "{}"),
        (b'{"message": "{words"}', "{words"),
        (
            b'{"detail": [{"loc": ["body", "input"], "msg": "field required"}, {"msg": "b"}]}',
            "body.input: field required; b",
        ),
    ],
)
def test_words_are_found(data: bytes, words: str) -> None:
    detail = read_failure(data)

    assert detail is not None
    assert detail.message == words


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"5",
        b"<html>",
        b'{"x"',
        b'{"error": []}',
        b'{"error": ""}',
        b" ",
    ],
)
def test_nothing_is_read_where_nothing_is_said(data: bytes) -> None:
    assert read_failure(data) is None


@pytest.mark.parametrize(
    ("wrapped", "levels"),
    [
        (lambda inner: {"error": inner}, 6),
        (lambda inner: {"error": json.dumps(inner)}, 3),
        (lambda inner: {"message": json.dumps(inner)}, 6),
        (lambda inner: {"metadata": {"raw": json.dumps(inner)}}, 6),
        (lambda inner: [inner], 6),
        (lambda inner: {"errors": [inner]}, 3),
    ],
    ids=["error", "text", "message", "upstream", "list", "errors"],
)
def test_envelopes_are_opened_six_deep(wrapped: Any, levels: int) -> None:
    told: Any = {"code": "c", "msg": "words"}
    for _ in range(levels):
        told = wrapped(told)

    assert (found := read_failure(json.dumps(told))) is not None
    assert (found.code, found.message) == ("c", "words")
    deeper = read_failure(json.dumps(wrapped(told)))
    assert deeper is None or (deeper.code is None and deeper.message != "words")


def test_json_without_end_says_nothing() -> None:
    deep: Any = {"error": "words"}
    for _ in range(50):
        deep = {"error": deep}

    assert read_failure(json.dumps(deep)) is None
    assert read_failure(b"[" * 100_000) is None


@pytest.mark.parametrize(
    ("member", "detail"),
    [
        ({"code": 400}, ErrorDetail(code="400", status=400)),
        ({"code": "429"}, ErrorDetail(code="429", status=429)),
        ({"code": 7}, ErrorDetail(code="7")),
        ({"code": "c" * 300}, ErrorDetail(code="c" * 256)),
        ({"type": "t" * 300}, ErrorDetail(type="t" * 256)),
        ({"code": "c", "message": 5}, ErrorDetail(code="c")),
        ({"message": "a", "reason": "b"}, ErrorDetail(message="a")),
        ({"code": "c", "status": 300}, ErrorDetail(code="c", status=300)),
        ({"code": "c", "status": 299}, ErrorDetail(code="c")),
        ({"code": "c", "status": 599}, ErrorDetail(code="c", status=599)),
        ({"code": "c", "status": 600}, ErrorDetail(code="c")),
        ({"code": 500, "status": 502, "status_code": 503}, ErrorDetail(code="500", status=502)),
        ({"code": True}, None),
        ({"code": "c", "status": 503}, ErrorDetail(code="c", status=503)),
        ({"code": "c", "status": "failed"}, ErrorDetail(code="c")),
        ({"code": "c", "status_code": 404}, ErrorDetail(code="c", status=404)),
        ({"code": "c", "resets_at": 9}, ErrorDetail(code="c", resets_at=9)),
        (
            {"code": "c", "resets_in_seconds": 7},
            ErrorDetail(code="c", resets_in_seconds=7.0, retry_after=7.0),
        ),
        ({"code": "c", "resets_in_seconds": True}, ErrorDetail(code="c")),
        ({"code": "c", "plan_type": "plus"}, ErrorDetail(code="c", plan_type="plus")),
        ({"code": "c", "resets_at": "soon", "param": 5}, ErrorDetail(code="c")),
        ({"code": "c", "retry_after": 3}, ErrorDetail(code="c", retry_after=3.0)),
        ({"code": "c", "retry_after": "3"}, ErrorDetail(code="c", retry_after=3.0)),
        ({"code": "c", "retry_after": 0}, ErrorDetail(code="c", retry_after=0.0)),
        ({"code": "c", "retry_after": "0"}, ErrorDetail(code="c", retry_after=0.0)),
        ({"code": "c", "retry_after": "9" * 13}, ErrorDetail(code="c")),
        ({"code": "c", "retry_after_seconds": 3}, ErrorDetail(code="c", retry_after=3.0)),
        ({"code": "c", "retryAfter": "1m"}, ErrorDetail(code="c", retry_after=60.0)),
        ({"code": "c", "retry_after_ms": 500}, ErrorDetail(code="c", retry_after=0.5)),
        ({"code": "c", "retry_after": -1}, ErrorDetail(code="c")),
        (
            {"code": "c", "details": [{}, {"retryDelay": "34s"}]},
            ErrorDetail(code="c", retry_after=34),
        ),
        ({"code": "c", "details": ["34s", 5]}, ErrorDetail(code="c")),
        ({"code": "c", "status": "UNAVAILABLE"}, ErrorDetail(code="c", type="UNAVAILABLE")),
        ({"__type": "ThrottlingException"}, ErrorDetail(type="ThrottlingException")),
        ({"code": "c", "type": "Error"}, ErrorDetail(code="c")),
        ({"code": "c", "retry_after": "soon"}, ErrorDetail(code="c")),
    ],
)
def test_each_member_is_read_on_its_own(member: dict[str, Any], detail: ErrorDetail | None) -> None:
    found = read_failure(json.dumps({"error": member}))

    assert found == detail


@pytest.mark.parametrize(
    ("envelope", "detail"),
    [
        ([{"code": "c"}, 5], ErrorDetail(code="c")),
        ({"errors": [{"code": "c"}, 5, {"msg": "b"}]}, ErrorDetail(code="c", message="b")),
        ({"errors": [{"msg": word} for word in "abcdefg"]}, ErrorDetail(message="a; b; c; d; e")),
        (
            {"detail": [{"loc": list("abcdefg"), "msg": "m"}]},
            ErrorDetail(message="a.b.c.d.e: m", status=422),
        ),
        ({"error": {"code": "c"}, "retry_after": 3}, ErrorDetail(code="c", retry_after=3.0)),
    ],
)
def test_a_list_of_complaints_is_read_as_one(envelope: Any, detail: ErrorDetail) -> None:
    assert read_failure(json.dumps(envelope)) == detail


def test_of_an_error_body_a_mebibyte_is_read_for_five_seconds() -> None:
    assert (MAX_ERROR_BODY_BYTES, ERROR_BODY_TIMEOUT) == (1_048_576, 5.0)


def test_text_is_read_as_text_and_as_bytes() -> None:
    assert read_failure("Bad gateway") == read_failure(b"Bad gateway")
    assert read_failure("Bad gateway") == ErrorDetail(message="Bad gateway")


def test_complaints_that_point_into_the_request_say_that_it_is_wrong() -> None:
    placed = {"detail": [{"loc": ["body", "input"], "msg": "field required", "type": "missing"}]}
    found = read_failure(json.dumps(placed))

    assert found == ErrorDetail(type="missing", message="body.input: field required", status=422)


def test_a_delay_is_read_from_a_member_before_words() -> None:
    assert delay_told(ErrorDetail(message="try again in 5s", retry_after=2.0)) == 2.0
    assert delay_told(ErrorDetail(message="try again in 5s")) == 5.0
    assert delay_told(ErrorDetail()) is None


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({"error": {"code": 502}, "choices": []}, True),
        ({"error": "x"}, True),
        ({"error": None}, False),
        ({"error": {}}, False),
        ({"detail": "died"}, True),
        ({"message": "m", "code": "c"}, True),
        ({"message": "m", "object": "chat.completion"}, False),
        ({"delta": "x"}, False),
    ],
)
def test_an_object_without_a_type_is_a_failure_when_it_says_why(
    fields: dict[str, Any], *, failure: bool
) -> None:
    raws = {name: Raw(json.dumps(value)) for name, value in fields.items()}

    assert is_failure(raws) is failure


@pytest.mark.parametrize(
    ("fields", "tag", "failure"),
    [
        ({"message": "m"}, "error", True),
        ({"object": "error", "message": "m"}, "NotFound", True),
        ({"message": "m"}, "BadRequestError", True),
        ({"message": "m"}, "response.error", True),
        ({"message": "m"}, "ThrottlingException", True),
        ({"message": "m"}, "notice", False),
        ({"error": "x"}, "response.completed", False),
    ],
)
def test_an_object_with_a_type_is_a_failure_when_it_is_called_one(
    fields: dict[str, Any], tag: str, *, failure: bool
) -> None:
    raws = {name: Raw(json.dumps(value)) for name, value in fields.items()}

    assert is_failure(raws, tag) is failure
