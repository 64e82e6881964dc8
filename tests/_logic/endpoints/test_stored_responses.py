from __future__ import annotations

from typing import Any

import msgspec
import pytest

from codex_api import ResponsesApiRequest, ResponsesOptions, items
from codex_api._logic.endpoints.stored_responses import input_tokens
from codex_api.errors import DecodeError, RequestBuildError
from codex_api.transport import EncodedJson
from tests._logic.operations import CONTEXT, answered

OPTIONS = ResponsesOptions()


def counted(**fields: Any) -> dict[str, Any]:
    request = ResponsesApiRequest(**{"model": "m", "input": "hi", **fields})
    body = input_tokens(CONTEXT, request, OPTIONS).request.body
    assert isinstance(body, EncodedJson)
    decoded: dict[str, Any] = msgspec.json.decode(body.data)
    return decoded


def test_only_what_the_count_depends_on_is_sent() -> None:
    sent = counted(instructions="be brief", store=True, max_output_tokens=5, service_tier="flex")

    assert {"model", "input", "instructions"} <= set(sent)
    assert not {"store", "stream", "max_output_tokens", "service_tier"} & set(sent)
    assert None not in sent.values()


def test_members_of_the_callers_own_are_counted_with_the_rest() -> None:
    assert counted(extra_body={"new": 1})["new"] == 1


def test_the_answer_is_the_number() -> None:
    operation = input_tokens(CONTEXT, ResponsesApiRequest(model="m", input="hi"), OPTIONS)

    assert operation.request.url == "https://h/v1/responses/input_tokens"
    assert answered(operation, b'{"input_tokens":11}').input_tokens == 11
    with pytest.raises(DecodeError, match="responses/input_tokens"):
        answered(operation, b'{"input_tokens":"many"}')


def test_ids_of_items_are_counted_where_they_would_be_sent() -> None:
    message = items.Message(id="msg_1", role="user", content=[items.InputText("hi")])

    (stored,), (other,) = (
        counted(input=[message], store=store)["input"] for store in (True, False)
    )

    assert (stored.get("id"), other.get("id")) == ("msg_1", None)


def test_a_request_that_cannot_be_sent_is_not_counted() -> None:
    with pytest.raises(RequestBuildError):
        counted(model="")
