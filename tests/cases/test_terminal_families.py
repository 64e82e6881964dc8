"""The end of a response, by each name, with each status and with each form of its counts."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import errors
from codex_api._logic.incoming.terminal import TERMINAL_TYPES
from codex_api.testing.actions import (
    AcceptWebSocket,
    Action,
    Close,
    Hang,
    ReadMessage,
    ReadRequest,
    Send,
    SendMessage,
)
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import http_response, sse_event, sse_head
from codex_api.types.usage import TokenUsage
from tests.cases.inputs import REQUEST, client, opened

if TYPE_CHECKING:
    from tests.front import Front

pytestmark = pytest.mark.anyio

CREATED = {"type": "response.created", "response": {"id": "resp_1"}}
ITEM = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
STATUSES = ["completed", "incomplete", "failed", "cancelled", None]
# What a name means where no status is told.
BY_NAME = {
    "response.completed": "completed",
    "response.done": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
PLACES = ["http", "websocket", "whole"]


def script(place: str, tag: str, response: dict[str, Any]) -> list[Action]:
    """Return what a server does that tells the end of a response."""
    end = {"type": tag, "response": response}
    match place:
        case "http":
            body = sse_head(chunked=False) + sse_event(CREATED) + sse_event(end)
            return [ReadRequest(), Send(body), Close()]
        case "websocket":
            frames = [SendMessage(json.dumps(payload)) for payload in (CREATED, end)]
            return [AcceptWebSocket(), ReadMessage(), *frames, Hang()]
        case _:
            answer = http_response(200, json.dumps(response).encode())
            return [ReadRequest(), Send(answer), Close()]


async def ended(front: Front, place: str, tag: str, response: dict[str, Any]) -> Any:
    """Return the response that a client gets, or the error."""
    with ScriptedServer(connections=[script(place, tag, response)]) as peer:
        async with front.entering(client(front, peer)) as api:
            try:
                if place == "http":
                    return await front(api.responses.stream(REQUEST).collect)
                if place == "whole":
                    return await front(api.responses.create, REQUEST)
                async with front.entering(await opened(front, api)) as socket:
                    return await front(socket.stream(REQUEST).collect)
            except errors.ApiError as exc:
                return exc


def test_each_name_of_an_end_is_tried() -> None:
    assert set(BY_NAME) == TERMINAL_TYPES


@pytest.mark.parametrize(
    ("place", "tag", "status"),
    [
        (place, tag, status)
        for place, tag, status in itertools.product(PLACES, sorted(BY_NAME), STATUSES)
        if place != "whole" or (tag == "response.completed" and status is not None)
    ],
)
async def test_the_status_decides_whatever_the_end_is_called(
    front: Front, place: str, tag: str, status: str | None
) -> None:
    told = {} if status is None else {"status": status}
    outcome = status or BY_NAME[tag]
    error = {"message": "no"} if outcome == "failed" else None
    response = {"id": "resp_1", "output": [ITEM], "error": error, **told}

    got = await ended(front, place, tag, response)

    match outcome:
        case "completed":
            assert (got.text, got.incomplete_reason) == ("Hi", None)
        case "failed":
            assert isinstance(got, errors.ApiError)
            assert not isinstance(got, errors.ResponseIncompleteError)
        case _:
            assert isinstance(got, errors.ResponseIncompleteError)
            assert got.reason == ("cancelled" if outcome == "cancelled" else "unknown")
    if isinstance(got, errors.ApiError):
        assert got.partial is not None
        assert got.partial.text == "Hi"


MISSING = object()
FORMS = [
    (MISSING, None),
    (None, None),
    (0, 0),
    (7, 7),
    (7.0, 7),
    ("7", 7),
    ("many", None),
    (True, None),
]


def usage_of(names: tuple[str, str, str], counts: tuple[Any, Any, Any]) -> dict[str, Any]:
    told = zip(names, counts, strict=True)
    return {name: count for name, count in told if count is not MISSING}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "names",
    [
        ("input_tokens", "output_tokens", "total_tokens"),
        ("prompt_tokens", "completion_tokens", "total_tokens"),
    ],
    ids=["responses", "chat"],
)
@pytest.mark.parametrize(("form", "count"), FORMS, ids=lambda form: str(form)[:8])
@pytest.mark.parametrize("at", [0, 1, 2])
async def test_each_count_is_read_by_itself(
    front: Front, place: str, names: tuple[str, str, str], form: Any, count: int | None, at: int
) -> None:
    counts: list[Any] = [3, 4, 9]
    expected: list[int | None] = [3, 4, 9]
    counts[at], expected[at] = form, count
    first, second, third = counts
    response = {
        "id": "resp_1",
        "status": "completed",
        "output": [ITEM],
        "usage": usage_of(names, (first, second, third)),
    }

    got = await ended(front, place, "response.completed", response)

    assert isinstance(got.usage, TokenUsage)
    read = [got.usage.input_tokens, got.usage.output_tokens, got.usage.total_tokens]
    assert read == expected
