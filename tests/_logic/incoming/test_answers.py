from __future__ import annotations

import msgspec
import pytest

from codex_api._logic.incoming.answers import EXCERPT_BYTES, decode_answer, decode_elements
from codex_api.errors import ApiError, DecodeError
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Response


class Point(msgspec.Struct):
    x: int


class Cloud(msgspec.Struct):
    points: list[Point]
    title: str = ""


CLOUD = msgspec.json.Decoder(Cloud)


def failure(body: bytes, *, quoted: bool = True) -> DecodeError:
    response = Response(200, Headers({"x-request-id": "req_1"}), body)
    with pytest.raises(DecodeError) as caught:
        decode_answer(CLOUD, response, "clouds", quoted=quoted)
    return caught.value


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"points":[{"x":1},{"x":"2"}]}', "$.points[1].x"),
        (b'{"points":[{}]}', "$.points[0].x"),
        (b"{}", "$.points"),
        (b"3", "$"),
        (b'{"points"', "$"),
        (b"", "$"),
        (b'{"points":[],"title":"\xff"}', "$"),
        (b'{"other":' + b"[" * 100_000, "$"),
    ],
)
def test_the_error_names_endpoint_and_path(body: bytes, path: str) -> None:
    error = failure(body)

    assert f"answer of clouds at `{path}`: " in str(error)
    assert (error.status, error.request_id, error.retryable) == (200, "req_1", False)


@pytest.mark.parametrize("body", [b"<!DOCTYPE html>", b"\n <html>", b"<?xml version='1'?>"])
def test_a_page_is_called_a_page(body: bytes) -> None:
    assert "HTML page" in str(failure(body))


def test_the_excerpt_is_bounded_and_hides_what_may_be_secret() -> None:
    error = failure(b'{"url":"https://h/x?sig=hush","pad":"' + b"x" * 100_000)

    assert "hush" not in str(error)
    assert "https://h/x?" in str(error)
    assert len(str(error)) < EXCERPT_BYTES + 200


def test_half_a_character_does_not_cost_the_answer() -> None:
    response = Response(200, Headers(), rb'{"points":[],"title":"a\ud83d"}')

    assert decode_answer(CLOUD, response, "clouds").title == "a\ufffd"


def test_an_answer_that_holds_secrets_is_not_quoted() -> None:
    assert "abc" not in str(failure(b"abc", quoted=False))


def test_a_bad_element_is_kept_in_its_place() -> None:
    raws = [msgspec.Raw(text) for text in (b'{"x":1}', b'{"x":"1"}', b'{"x":"\xff"}', b"null")]

    kept = decode_elements(raws, msgspec.json.Decoder(Point).decode, bytes)

    assert kept == [Point(1), b'{"x":"1"}', b'{"x":"\xff"}', b"null"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"error":{"code":"server_error","message":"boom"}}', "boom"),
        (b'[{"error":{"code":400,"message":"from a proxy"}}]', "from a proxy"),
    ],
)
def test_a_failure_under_a_status_of_success_is_the_failure_that_it_tells(
    body: bytes, told: str
) -> None:
    response = Response(200, Headers({"x-request-id": "req_1"}), body, attempts=2)

    with pytest.raises(ApiError, match=told) as caught:
        decode_answer(CLOUD, response, "clouds")

    assert (caught.value.request_id, caught.value.attempts) == ("req_1", 2)


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b'\xef\xbb\xbf{"points":[],"title":"a"}', "a"),
        (b'{"points":[],"title":"a\nb","z":NaN}', "a\nb"),
        (b'{"points":[],"title":"a\\ud83d"}', "a\ufffd"),
        (b'\xef\xbb\xbf{"points":[],"title":"\\ud83d"}', "\ufffd"),
    ],
)
def test_an_answer_that_is_nearly_json_is_read(body: bytes, title: str) -> None:
    assert decode_answer(CLOUD, Response(200, Headers(), body), "clouds").title == title


def test_a_number_that_json_does_not_have_is_null_at_its_path() -> None:
    assert "`$.points[0].x`" in str(failure(b'{"points":[{"x":NaN}]}'))


def test_an_unknown_coding_is_told_instead_of_the_bytes() -> None:
    response = Response(200, Headers({"content-encoding": "br"}), b"\x8b\x01\x80")
    with pytest.raises(DecodeError, match="encoded as 'br', which was not asked for") as caught:
        decode_answer(CLOUD, response, "clouds")

    assert "begins" not in str(caught.value)


def test_the_error_tells_that_the_server_had_answered_and_after_how_many_tries() -> None:
    error = failure(b"{}")

    assert (error.sent, error.attempts) == ("begun", 1)
