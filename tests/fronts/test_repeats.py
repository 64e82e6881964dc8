"""What is sent again, and how the server can tell that it is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api import (
    AsyncClient,
    Client,
    CompactionInput,
    ImageEditRequest,
    ImageGenerationRequest,
    MemorySummarizeInput,
    Provider,
    RawMemory,
    RawMemoryMetadata,
    ResponsesApiRequest,
    ResponsesOptions,
    RetryConfig,
    SearchRequest,
    errors,
    items,
)
from codex_api.testing.actions import Action, Close, ReadRequest, Reset, Send
from codex_api.testing.scripted import ScriptedServer
from codex_api.transport.network import Network
from codex_api.types.images import ImageUrl
from tests.fronts.simple_calls import FakeClock

if TYPE_CHECKING:
    from tests.front import Front

pytestmark = pytest.mark.anyio

RETRY = RetryConfig(max_attempts=2, base_delay=0.001)
UNAVAILABLE = b"HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
BEGUN = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"
LATER = b"HTTP/1.1 429 No\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
WRONG = b"HTTP/1.1 422 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
FAILURES: dict[str, list[Action]] = {
    "refused": [ReadRequest(), Send(UNAVAILABLE), Close()],
    "limited": [ReadRequest(), Send(LATER), Close()],
    "wrong": [ReadRequest(), Send(WRONG), Close()],
    "reset": [ReadRequest(), Reset()],
    "closed": [ReadRequest(), Close()],
    "begun": [ReadRequest(), Send(BEGUN), Close()],
}
HISTORY = [items.Message.user("hi")]


async def respond(front: Front, api: Any, **fields: Any) -> None:
    request = ResponsesApiRequest(model="m", input="hi", **fields)
    await front(api.responses.stream(request).collect)


async def stored(front: Front, api: Any) -> None:
    await respond(front, api, store=True)


async def background(front: Front, api: Any) -> None:
    await respond(front, api, background=True)


async def whole(front: Front, api: Any) -> None:
    await front(api.responses.create, ResponsesApiRequest(model="m", input="hi"))


async def whole_and_stored(front: Front, api: Any) -> None:
    await front(api.responses.create, ResponsesApiRequest(model="m", input="hi", store=True))


async def compact(front: Front, api: Any) -> None:
    await front(api.responses.compact, CompactionInput(model="m", input=HISTORY))


async def draw(front: Front, api: Any) -> None:
    await front(api.images.generate, ImageGenerationRequest(prompt="a cat", model="m"))


async def look_up(front: Front, api: Any) -> None:
    await front(api.search, SearchRequest(id="s", model="m"))


async def summarize(front: Front, api: Any) -> None:
    memory = RawMemory(id="1", metadata=RawMemoryMetadata(source_path="p"), items=[])
    await front(api.memories.summarize, MemorySummarizeInput(model="m", raw_memories=[memory]))


async def edit(front: Front, api: Any) -> None:
    image = ImageUrl("data:image/png;base64,iVBORw0KGgo=")
    await front(api.images.edit, ImageEditRequest(prompt="a hat", model="m", images=[image]))


async def count(front: Front, api: Any) -> None:
    await front(api.responses.input_tokens, ResponsesApiRequest(model="m", input="hi"))


async def follow(front: Front, api: Any) -> None:
    await front(api.responses.background, ResponsesApiRequest(model="m", input="hi"))


async def cancel(front: Front, api: Any) -> None:
    await front(api.responses.cancel, "resp_1")


async def converse(front: Front, api: Any) -> None:
    await front(api.conversations.create, HISTORY)


async def rename(front: Front, api: Any) -> None:
    await front(api.conversations.update, "conv_1", {"name": "x"})


async def add(front: Front, api: Any) -> None:
    await front(api.conversations.add_items, "conv_1", HISTORY)


async def batch(front: Front, api: Any) -> None:
    await front(api.batches.create, "file_1")


async def cancel_batch(front: Front, api: Any) -> None:
    await front(api.batches.cancel, "batch_1")


async def store_file(front: Front, api: Any) -> None:
    await front(api.files.create, b"content")


async def announce(front: Front, api: Any) -> None:
    await front(api.files.upload, b"content")


async def ring(front: Front, api: Any) -> None:
    await front(api.realtime.create_call, "v=0")


async def ring_with_session(front: Front, api: Any) -> None:
    await front(api.realtime.create_call, "v=0", {"instructions": "Be brief"})


async def other(front: Front, api: Any) -> None:
    await front(api.request, "POST", "other", {})


# How many requests the server sees of a call that fails again and again.
SAFE = {"refused": 3, "limited": 1, "wrong": 1, "reset": 3, "closed": 3, "begun": 3}
CREATES = SAFE | {"reset": 1, "closed": 1, "begun": 1}
# Once its stream has begun, it is the session that asks again.
STREAM = {"begun": 1}
REPEATS = {
    respond: SAFE | STREAM,
    stored: CREATES,
    background: CREATES,
    follow: CREATES,
    whole: SAFE,
    whole_and_stored: CREATES,
    cancel: SAFE,
    count: SAFE,
    compact: SAFE,
    converse: CREATES,
    rename: SAFE,
    add: CREATES,
    batch: CREATES,
    cancel_batch: SAFE,
    store_file: CREATES,
    announce: CREATES,
    draw: CREATES,
    edit: CREATES,
    look_up: SAFE,
    summarize: SAFE,
    ring: CREATES,
    ring_with_session: CREATES,
    other: CREATES,
}


def made(front: Front, server: ScriptedServer, retry: RetryConfig = RETRY) -> Any:
    provider = Provider("p", server.url, retry=retry)
    return front.pick(Client, AsyncClient)(provider, network=Network(proxy=None), clock=FakeClock())


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("call", REPEATS, ids=lambda call: call.__name__)
async def test_each_post_is_made_as_often_as_it_may(front: Front, call: Any, failure: str) -> None:
    expected = REPEATS[call][failure]
    with ScriptedServer(connections=[FAILURES[failure]] * 3) as server:
        async with front.entering(made(front, server)) as api:
            with pytest.raises(errors.CodexApiError) as caught:
                await call(front, api)
        keys = [request.header("idempotency-key") for request in server.requests]

    assert len(keys) == expected
    assert len(set(keys)) == 1
    assert keys[0] is not None
    assert caught.value.attempts == expected
    assert caught.value.sent == ("maybe" if failure in {"reset", "closed"} else "begun")


async def test_who_says_so_has_everything_made_again(front: Front) -> None:
    retry = RetryConfig(max_attempts=2, base_delay=0.001, unsafe=True)
    with ScriptedServer(connections=[FAILURES["reset"]] * 3) as server:
        async with front.entering(made(front, server, retry)) as api:
            with pytest.raises(errors.CodexApiError):
                await draw(front, api)

        assert len(server.requests) == 3


async def test_two_calls_have_two_keys(front: Front) -> None:
    with ScriptedServer(connections=[FAILURES["refused"]] * 2) as server:
        async with front.entering(made(front, server, RetryConfig(max_attempts=0))) as api:
            for _ in range(2):
                with pytest.raises(errors.CodexApiError):
                    await respond(front, api)
        keys = {request.header("idempotency-key") for request in server.requests}

    assert len(keys) == 2


async def test_the_wire_of_the_codex_client_has_no_key(front: Front) -> None:
    options = ResponsesOptions(session_id="s", thread_id="t")
    request = ResponsesApiRequest(model="m", input="hi")
    with ScriptedServer(connections=[FAILURES["refused"]]) as server:
        async with front.entering(made(front, server, RetryConfig(max_attempts=0))) as api:
            with pytest.raises(errors.CodexApiError):
                await front(api.responses.stream(request, options).collect)

        assert server.requests[0].header("idempotency-key") is None


async def test_a_callers_own_key_is_kept(front: Front) -> None:
    options = ResponsesOptions(extra_headers={"Idempotency-Key": "mine"})
    request = ResponsesApiRequest(model="m", input="hi")
    with ScriptedServer(connections=[FAILURES["refused"]]) as server:
        async with front.entering(made(front, server, RetryConfig(max_attempts=0))) as api:
            with pytest.raises(errors.CodexApiError):
                await front(api.responses.stream(request, options).collect)

        assert server.requests[0].header("idempotency-key") == "mine"
