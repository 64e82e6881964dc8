from __future__ import annotations

import json
from typing import Any

import pytest

from codex_api import errors, items
from codex_api._logic.incoming.whole_response import accept_response, decode_response, failure_of
from codex_api.errors import DecodeError
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Response
from codex_api.types.response import IncompleteDetails, ResponseFailure
from codex_api.types.turn_state import TurnState

MESSAGE = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hi", "annotations": []}],
}
CUT = {**MESSAGE, "status": "incomplete"}
WHOLE: dict[str, Any] = {"id": "resp_1", "status": "completed", "output": [MESSAGE]}


def answer(body: object, headers: dict[str, str] | None = None) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(200, Headers(headers), data)


def test_a_whole_response_holds_what_it_says() -> None:
    told = {
        "model": "m",
        "metadata": {"a": "b"},
        "conversation": {"id": "conv"},
        "background": True,
        "completed_at": 7.5,
        "previous_response_id": "resp_0",
    }

    response = accept_response(answer({**WHOLE, **told}), "responses")

    assert (response.id, response.text, response.model) == ("resp_1", "Hi", "m")
    assert (response.metadata, response.conversation) == ({"a": "b"}, "conv")
    assert (response.background, response.completed_at) == (True, 7.5)
    assert (response.previous_response_id, response.error) == ("resp_0", None)
    assert (response.rate_limits, response.api_rate_limits) == (None, None)


def test_a_member_of_another_shape_costs_only_itself() -> None:
    told = {"model": 3, "metadata": {"a": "b", "c": 1}, "conversation": "conv", "background": "yes"}

    response = accept_response(answer({**WHOLE, **told, "completed_at": 7}), "responses")

    assert (response.model, response.metadata, response.conversation) == (None, {"a": "b"}, "conv")
    assert (response.background, response.completed_at) == (None, 7.0)


@pytest.mark.parametrize("odd", ["conv", {"id": "conv"}, {"id": 3}, 3])
def test_a_conversation_is_an_id_or_holds_one(odd: object) -> None:
    response = accept_response(answer({**WHOLE, "conversation": odd, "model": 1}), "responses")

    assert response.conversation == ("conv" if "conv" in str(odd) else None)


def test_an_end_that_nobody_knows_is_named() -> None:
    body = {**WHOLE, "status": "expired", "incomplete_details": None}

    assert "expired" in str(failure_of(decode_response(answer(body), "responses")))


@pytest.mark.parametrize(
    ("status", "told", "reason"),
    [
        ("incomplete", {"reason": "content_filter"}, "content_filter"),
        ("incomplete", None, "unknown"),
        ("cancelled", {"reason": "content_filter"}, "cancelled"),
        (None, {"reason": "content_filter"}, "content_filter"),
    ],
)
def test_the_error_names_why_it_ended(status: str | None, told: Any, reason: str) -> None:
    body = {**WHOLE, "status": status, "incomplete_details": told}

    error = failure_of(decode_response(answer(body), "responses"))

    assert isinstance(error, errors.ResponseIncompleteError)
    assert error.reason == reason


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        ({"id": "r", "status": "queued"}, None),
        ({"id": "r", "error": {"code": "c", "message": "m"}}, ResponseFailure("c", "m")),
        ({"status": "failed", "error": 5}, ResponseFailure()),
    ],
)
def test_a_response_needs_no_output(body: dict[str, Any], failure: ResponseFailure | None) -> None:
    response = decode_response(answer(body), "responses")

    assert (response.output, response.error) == ([], failure)


@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled"])
def test_a_response_that_did_not_complete_is_an_error_with_the_response(status: str) -> None:
    body = {**WHOLE, "status": status, "error": {"code": "server_error", "message": "no"}}

    response = decode_response(answer(body), "responses")
    with pytest.raises(errors.ApiError) as caught:
        accept_response(answer(body), "responses")

    partial = caught.value.partial
    assert partial is not None
    assert partial.id == response.id == "resp_1"
    assert type(failure_of(response)) is type(caught.value)
    assert response.error == ResponseFailure("server_error", "no") or status == "incomplete"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, None),
        ({"status": "incomplete"}, "unknown"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
        ),
        ({"status": "in_progress", "output": []}, None),
        ({"status": "in_progress", "output": [CUT]}, None),
        ({"status": "completed", "output": [CUT]}, "unknown"),
        ({"status": "failed"}, "failed"),
    ],
)
def test_why_a_response_is_incomplete(more: dict[str, Any], reason: str | None) -> None:
    response = decode_response(answer({**WHOLE, **more}), "responses")

    assert response.incomplete_reason == reason
    told = IncompleteDetails("content_filter") if reason == "content_filter" else None
    assert response.incomplete_details == told


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'event: x\ndata: {"a":1}\n\n', "read it with responses.stream"),
        (b": comment\n\n", "event stream"),
        (b" <html></html>", "HTML page"),
        (b"[]", "no JSON object"),
        (b"{}", "neither a status nor output"),
        (b'{"id":"r"}', "neither a status nor output"),
        (b'{"output":"x"}', "neither a status nor output"),
    ],
)
def test_what_is_no_response_is_named(body: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode_response(answer(body), "responses")


def test_an_empty_list_of_output_is_a_response() -> None:
    assert decode_response(answer({"output": []}), "responses").output == []


def test_headers_tell_limits_and_the_turns_state() -> None:
    cell = TurnState()
    headers = {
        "x-codex-turn-state": "state",
        "x-codex-primary-used-percent": "12",
        "x-ratelimit-limit-requests": "60",
    }

    response = decode_response(answer(WHOLE, headers), "responses", turn_state=cell)
    silent = decode_response(answer(WHOLE, {"x-codex-other": "1"}), "responses", turn_state=cell)

    assert cell.get() == "state"
    assert response.rate_limits is not None
    assert response.api_rate_limits is not None
    assert (silent.rate_limits, silent.api_rate_limits) == (None, None)


def test_an_item_that_nobody_knows_is_kept() -> None:
    response = decode_response(answer({**WHOLE, "output": [{"type": "new"}]}), "responses")

    (item,) = response.output
    assert isinstance(item, items.UnknownItem)
