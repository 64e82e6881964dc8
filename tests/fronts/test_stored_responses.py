"""Responses that the server keeps: what goes out for each call, and how its answer is read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import ResponsesApiRequest, errors, events, items
from codex_api.testing.actions import answer, stream
from codex_api.testing.scripted import ScriptedServer
from codex_api.types.stored import Deleted
from tests.fronts.simple_calls import COMPLETED, CREATED, DELTA, client_of, provider

if TYPE_CHECKING:
    from codex_api.testing.actions import Action
    from codex_api.testing.recording import RecordedRequest
    from tests.front import Front

pytestmark = pytest.mark.anyio

KEPT = {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}


def user(number: int) -> dict[str, Any]:
    content = [{"type": "input_text", "text": f"question {number}"}]
    return {"type": "message", "id": f"msg_{number}", "role": "user", "content": content}


def page(numbers: range, **fields: Any) -> list[Action]:
    return answer(body={"object": "list", "data": [user(number) for number in numbers], **fields})


async def asked(front: Front, script: list[list[Action]], call: Any) -> tuple[Any, Any]:
    """Return what the call gave, and the requests that it took."""
    with ScriptedServer(script) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            result = await call(client)
        return result, server.requests


def seen(request: RecordedRequest) -> tuple[str, str, bytes]:
    return request.method, request.target, request.body


async def test_a_response_is_given_as_it_is_now(front: Front) -> None:
    got, (request,) = await asked(
        front,
        [answer(body=KEPT)],
        lambda client: front(client.responses.retrieve, "resp/1", include=["a.b", "c"]),
    )

    assert (got.id, got.status, got.is_finished) == ("resp_1", "in_progress", False)
    path = "/v1/responses/resp%2F1?include%5B%5D=a.b&include%5B%5D=c"
    assert seen(request) == ("GET", path, b"")


async def test_its_events_are_given_from_any_point(front: Front) -> None:
    told = [{**DELTA, "sequence_number": 8}, {**COMPLETED, "sequence_number": 9}]
    with ScriptedServer([stream(told)]) as server:
        async with (
            front.entering(client_of(front, provider(server))) as client,
            front.entering(
                client.responses.retrieve("resp_1", stream=True, starting_after=7)
            ) as opened,
        ):
            got = [event async for event in front.iterate(opened)][1:]
    (request,) = server.requests

    assert got == [events.OutputTextDelta("Hi", sequence_number=8), events.Completed("resp_1")]
    assert request.target == "/v1/responses/resp_1?stream=true&starting_after=7"
    assert request.header("accept") == "text/event-stream"


async def test_events_from_the_start_name_no_number(front: Front) -> None:
    with ScriptedServer([stream([CREATED, COMPLETED])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            await front(client.responses.retrieve("resp_1", stream=True).collect)
    (request,) = server.requests

    assert request.target == "/v1/responses/resp_1?stream=true"


async def test_a_cancelled_response_is_given_and_no_failure(front: Front) -> None:
    got, (request,) = await asked(
        front,
        [answer(body={**KEPT, "status": "cancelled"})],
        lambda client: front(client.responses.cancel, "resp_1"),
    )

    assert (got.status, got.is_finished) == ("cancelled", True)
    assert seen(request) == ("POST", "/v1/responses/resp_1/cancel", b"")


@pytest.mark.parametrize(
    ("body", "deleted"),
    [
        ({"id": "resp_1", "object": "response", "deleted": True}, True),
        ({"id": "resp_1", "deleted": False}, False),
        ({}, True),
        (b"", True),
    ],
)
async def test_a_response_is_deleted(front: Front, body: Any, deleted: bool) -> None:  # noqa: FBT001 - a case
    got, (request,) = await asked(
        front, [answer(body=body)], lambda client: front(client.responses.delete, "resp_1")
    )

    assert (got.id, got.deleted) == ("resp_1", deleted)
    assert isinstance(got, Deleted)
    assert seen(request) == ("DELETE", "/v1/responses/resp_1", b"")


async def test_an_answer_that_is_no_json_deletes_nothing_for_sure(front: Front) -> None:
    with pytest.raises(errors.DecodeError, match="HTML page"):
        await asked(
            front,
            [answer(body=b"<html>")],
            lambda client: front(client.responses.delete, "resp_1"),
        )


async def test_input_items_are_read_page_by_page(front: Front) -> None:
    async def call(client: Any) -> list[Any]:
        pages = client.responses.input_items("resp_1", order="asc", limit=2, include=["x"])
        return [item async for item in front.iterate(pages)]

    got, requests = await asked(
        front,
        [
            page(range(2), has_more=True, last_id="msg_1"),
            page(range(2, 4), has_more=True),
            page(range(4, 5), has_more=False),
        ],
        call,
    )

    assert [item.text for item in got] == [f"question {number}" for number in range(5)]
    assert all(isinstance(item, items.Message) for item in got)
    common = "/v1/responses/resp_1/input_items?limit=2&order=asc&include%5B%5D=x"
    assert [request.target for request in requests] == [
        common,
        f"{common}&after=msg_1",
        f"{common}&after=msg_3",
    ]


async def test_no_page_is_asked_for_before_it_is_needed(front: Front) -> None:
    async def call(client: Any) -> Any:
        pages = client.responses.input_items("resp_1", after="msg_0")
        async for item in front.iterate(pages):
            return item
        raise AssertionError

    got, requests = await asked(front, [page(range(1, 2), has_more=True)], call)

    assert got.text == "question 1"
    assert [request.target for request in requests] == [
        "/v1/responses/resp_1/input_items?after=msg_0"
    ]


async def test_the_first_page_tells_whether_more_follows(front: Front) -> None:
    got, _ = await asked(
        front,
        [page(range(2), has_more=True)],
        lambda client: front(client.responses.input_items("resp_1").first_page),
    )

    assert (len(got.items), got.has_more, got.last_id) == (2, True, "msg_1")
    assert json.loads(got.raw)["object"] == "list"


@pytest.mark.parametrize(
    "pages",
    [
        [page(range(0), has_more=True)],
        [page(range(1), has_more=True, last_id="a"), page(range(1), has_more=True, last_id="a")],
    ],
    ids=["empty", "stays"],
)
async def test_a_list_that_promises_more_and_does_not_move_on_is_an_error(
    front: Front, pages: list[list[Action]]
) -> None:
    async def call(client: Any) -> list[Any]:
        return [item async for item in front.iterate(client.responses.input_items("resp_1"))]

    with pytest.raises(errors.DecodeError, match="not after what"):
        await asked(front, pages, call)


@pytest.mark.parametrize("body", [{}, {"data": 3}, {"data": {}}])
async def test_an_answer_without_a_list_is_an_error(front: Front, body: dict[str, Any]) -> None:
    with pytest.raises(errors.DecodeError, match=r"\$\.data"):
        await asked(
            front,
            [answer(body=body)],
            lambda client: front(client.responses.input_items("resp_1").first_page),
        )


async def test_tokens_are_counted_of_what_the_count_depends_on(front: Front) -> None:
    request = ResponsesApiRequest(
        model="m",
        instructions="be brief",
        input="hi",
        temperature=0.5,
        metadata={"a": "b"},
        truncation="auto",
        extra_body={"personality": "calm"},
    )
    got, (sent,) = await asked(
        front,
        [answer(body={"object": "response.input_tokens", "input_tokens": 11})],
        lambda client: front(client.responses.input_tokens, request),
    )

    assert got.input_tokens == 11
    assert (sent.method, sent.target) == ("POST", "/v1/responses/input_tokens")
    body = json.loads(sent.body)
    assert list(body) == [
        "model",
        "instructions",
        "input",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "truncation",
        "personality",
    ]


async def test_a_count_that_is_missing_is_an_error(front: Front) -> None:
    with pytest.raises(errors.DecodeError, match=r"\$\.input_tokens"):
        await asked(
            front,
            [answer(body={"object": "response.input_tokens"})],
            lambda client: front(
                client.responses.input_tokens, ResponsesApiRequest(model="m", input="hi")
            ),
        )


@pytest.mark.parametrize("name", ["retrieve", "cancel", "delete", "input_items"])
async def test_a_blank_id_is_refused_before_anything_is_sent(front: Front, name: str) -> None:
    async def call(client: Any) -> Any:
        method = getattr(client.responses, name)
        return method(" ") if name == "input_items" else await front(method, " ")

    with pytest.raises(errors.RequestBuildError, match="response_id"):
        await asked(front, [], call)


async def test_one_that_is_not_there_is_told_by_its_status(front: Front) -> None:
    problem = {"error": {"message": "gone", "type": "invalid_request_error"}}

    with pytest.raises(errors.UnexpectedStatusError) as caught:
        await asked(
            front,
            [answer(404, problem)],
            lambda client: front(client.responses.retrieve, "resp_9"),
        )

    assert caught.value.status == 404
