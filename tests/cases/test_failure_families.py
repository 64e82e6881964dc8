"""The same failure, told in every envelope and at every place, is the same error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import CompactionInput, ImageGenerationRequest, SearchRequest, errors, items
from codex_api._logic.incoming.failure_table import BY_NAME
from codex_api.testing.actions import (
    AcceptWebSocket,
    Close,
    Hang,
    ReadMessage,
    ReadRequest,
    Send,
    SendMessage,
)
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import http_response, sse_head
from tests.cases.inputs import REQUEST, client, opened

if TYPE_CHECKING:
    from codex_api.testing.actions import Action
    from tests.front import Front

pytestmark = pytest.mark.anyio

WORDS = "in the words of the server"
CREATED = {"type": "response.created", "response": {"id": "resp_1"}}


def envelopes(inner: dict[str, Any]) -> dict[str, Any]:
    return {
        "error": {"error": inner},
        "typed": {"type": "error", "error": inner},
        "response": {"type": "response.failed", "response": {"id": "resp_1", "error": inner}},
        "beside": {"type": "response.failed", "response": {"id": "resp_1"}, "error": inner},
        "body": {"type": "error", "status": 400, "body": {"error": inner}},
        "detail": {"detail": inner},
        "errors": {"errors": [inner]},
        "upstream": {"error": {"message": "upstream", "metadata": {"raw": json.dumps(inner)}}},
    }


def sse(data: bytes, name: bytes = b"") -> bytes:
    created = b"data: " + json.dumps(CREATED).encode() + b"\n\n"
    return sse_head(chunked=False) + created + name + b"data: " + data + b"\n\n"


def script(place: str, envelope: Any) -> list[Action]:
    """Return what a server does that tells the failure at a place."""
    data = json.dumps(envelope).encode()
    kind = {"content-type": "application/json"}
    match place:
        case "status" | "handshake":
            return [ReadRequest(), Send(http_response(400, data, kind)), Close()]
        case "answer":
            return [ReadRequest(), Send(http_response(200, data, kind)), Close()]
        case "event":
            return [ReadRequest(), Send(sse(data)), Close()]
        case "named event":
            return [ReadRequest(), Send(sse(data, b"event: error\n")), Close()]
        case _:
            created = SendMessage(json.dumps(CREATED))
            frames = [created, SendMessage(data.decode())]
            return [AcceptWebSocket(), ReadMessage(), *frames, Hang()]


async def failure(front: Front, place: str, envelope: Any) -> Any:
    async def ask() -> None:
        async with front.entering(client(front, peer)) as api:
            if place in {"frame", "handshake"}:
                async with front.entering(await opened(front, api)) as socket:
                    await front(socket.stream(REQUEST).collect)
            else:
                await front(api.responses.stream(REQUEST).collect)

    with (
        ScriptedServer(connections=[script(place, envelope)]) as peer,
        pytest.raises(errors.ApiError) as caught,
    ):
        await ask()
    return caught.value


PLACES = ["status", "answer", "event", "named event", "frame", "handshake"]
# At a status these say less than it does; the others are the same error at each place.
VAGUE = {
    "AuthenticationError",
    "DeploymentNotFound",
    "NotFoundError",
    "api_error",
    "authentication_error",
    "BadRequestError",
    "internal_server_error",
    "invalid_api_key",
    "invalid_request_error",
    "model_not_found",
    "server_error",
    "vector_store_timeout",
    "websocket_connection_limit_reached",
}
ENVELOPES = list(envelopes({}))


def check(error: Any, name: str) -> None:
    row = BY_NAME[name]
    assert (type(error), error.retryable) == (row.error, row.retryable)
    assert (error.code, error.server_message) == (name, WORDS)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (name, place)
        for name in sorted(BY_NAME)
        for place in PLACES
        if not (name in VAGUE and place in {"status", "handshake"})
    ],
)
async def test_each_name_is_the_same_error_at_each_place(
    front: Front, name: str, place: str
) -> None:
    inner = {"message": WORDS, "code": name, "type": "some_error"}

    check(await failure(front, place, {"error": inner}), name)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("name", ["rate_limit_exceeded", "context_length_exceeded"])
async def test_each_envelope_is_read_at_each_place(
    front: Front, name: str, envelope: str, place: str
) -> None:
    inner = {"message": WORDS, "code": name}

    check(await failure(front, place, envelopes(inner)[envelope]), name)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "told",
    [
        {"message": "Rate limit reached. Please try again in 1.5s."},
        {"message": "Slow down. Try again in 1.5 seconds."},
        {"retry_after": 1.5},
        {"retry_after_ms": 1500},
        {"resets_in_seconds": 1.5},
    ],
    ids=["short words", "long words", "seconds", "milliseconds", "reset"],
)
async def test_each_delay_is_read_at_each_place(
    front: Front, told: dict[str, Any], place: str
) -> None:
    inner = {"message": WORDS, "code": "rate_limit_exceeded", **told}

    assert (await failure(front, place, {"error": inner})).retry_after == 1.5


WHOLE: dict[str, Any] = {
    "create": lambda api: (api.responses.create, REQUEST),
    "retrieve": lambda api: (api.responses.retrieve, "resp_1"),
    "compact": lambda api: (
        api.responses.compact,
        CompactionInput("m", [items.Message.user("hi")]),
    ),
    "models": lambda api: (api.models.list,),
    "draw": lambda api: (api.images.generate, ImageGenerationRequest(prompt="a cat", model="m")),
    "search": lambda api: (api.search, SearchRequest(id="s", model="m")),
    "conversation": lambda api: (api.conversations.retrieve, "conv_1"),
    "batches": lambda api: (api.batches.list().first_page,),
}


@pytest.mark.parametrize("envelope", [name for name in ENVELOPES if name != "response"])
@pytest.mark.parametrize("call", WHOLE)
async def test_a_failure_with_a_good_status_is_one_for_each_endpoint(
    front: Front, call: str, envelope: str
) -> None:
    inner = {"message": WORDS, "code": "rate_limit_exceeded"}
    with ScriptedServer(connections=[script("answer", envelopes(inner)[envelope])]) as peer:
        async with front.entering(client(front, peer)) as api:
            method, *arguments = WHOLE[call](api)
            with pytest.raises(errors.ApiError) as caught:
                await front(method, *arguments)

    check(caught.value, "rate_limit_exceeded")
    assert caught.value.attempts == 1
