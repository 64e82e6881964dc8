"""What a server keeps, through both fronts, against the embedded server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from codex_api import AsyncClient, Client, Network, Provider, ResponsesApiRequest, errors, items
from codex_api.testing import EmbeddedServer, ServerSettings, faults, scenarios
from codex_api.transport._core.retry import RetryConfig
from codex_api.types.background import BackgroundHandle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front

pytestmark = pytest.mark.anyio

MODEL = "gpt-5.1"


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
async def client(front: Front, server: EmbeddedServer) -> AsyncIterator[Any]:
    async with front.entering(client_of(front, server)) as client:
        yield client


def client_of(front: Front, server: EmbeddedServer) -> Any:
    provider = Provider("mock", server.url, retry=RetryConfig(base_delay=0.0))
    return front.pick(Client, AsyncClient)(provider, network=Network(proxy=None))


def request(text: str, **more: Any) -> ResponsesApiRequest:
    return ResponsesApiRequest(model=MODEL, input=[items.Message.user(text)], **more)


async def test_a_response_is_found_again_and_deleted(front: Front, client: Any) -> None:
    made = await front(client.responses.create, request("hi", store=True))
    found = await front(client.responses.retrieve, made.id)
    gone = await front(client.responses.delete, made.id)

    assert (found.text, found.status) == (made.text, "completed")
    assert (gone.id, gone.deleted) == (made.id, True)
    with pytest.raises(errors.UnexpectedStatusError) as caught:
        await front(client.responses.retrieve, made.id)
    assert caught.value.status == 404


async def test_input_items_are_read_over_pages(front: Front, client: Any) -> None:
    said = [items.Message.user(f"n {number}") for number in range(5)]
    made = await front(
        client.responses.create, ResponsesApiRequest(model=MODEL, input=said, store=True)
    )
    pages = client.responses.input_items(made.id, limit=2, order="asc")
    found = [item async for item in front.iterate(pages)]

    assert [item.text for item in found] == [item.text for item in said]


async def test_tokens_are_counted(front: Front, client: Any) -> None:
    counted = await front(client.responses.input_tokens, request("one two three"))

    assert counted.input_tokens == 3


async def test_a_background_response_outlives_cuts_and_its_program(
    front: Front, server: EmbeddedServer
) -> None:
    """Each of 20 connections breaks after an event; a new client goes on half way."""
    server.play(*[scenarios.faulty(faults.cut(after=1))] * 20, endpoint="responses/retrieve")
    numbers: list[int] = []

    async def read(stream: Any, limit: int | None) -> None:
        async for each in front.iterate(stream.raw_events()):
            if each.raw:
                numbers.append(msgspec.json.decode(each.raw)["sequence_number"])
            if len(numbers) == limit:
                return

    async with front.entering(client_of(front, server)) as first:
        begun = await front(first.responses.background, request("count to 30"))
        async with front.entering(begun.stream()) as stream:
            await read(stream, 10)
        stored = msgspec.json.encode(begun.handle)
    async with front.entering(client_of(front, server)) as second:
        again = second.responses.reopen(msgspec.json.decode(stored, type=BackgroundHandle))
        async with front.entering(again.stream()) as stream:
            await read(stream, None)
        done = await front(again.wait)

    assert numbers == list(range(len(numbers)))
    assert done.text == " ".join(str(number) for number in range(1, 31))
    breaks = sum(each.target.find("stream=true") > 0 for each in server.requests)
    assert breaks >= 20


async def test_a_background_response_is_cancelled(front: Front) -> None:
    with EmbeddedServer(ServerSettings(background_pace=60)) as slow:
        async with front.entering(client_of(front, slow)) as client:
            begun = await front(client.responses.background, request("hi"))
            stopped = await front(begun.cancel)
            with pytest.raises(errors.ApiError):
                await front(begun.wait)

    assert (stopped.status, begun.status) == ("cancelled", "cancelled")


async def test_responses_share_a_conversation(front: Front, client: Any) -> None:
    made = await front(
        client.conversations.create, [items.Message.user("My name is Ada.")], {"a": "b"}
    )
    answer = await front(client.responses.create, request("hello", conversation=made.id))
    found = [item async for item in front.iterate(client.conversations.items(made.id, order="asc"))]
    taken = await front(client.conversations.delete_item, made.id, found[0].id)
    left = await front(client.conversations.items(made.id).first_page)
    gone = await front(client.conversations.delete, made.id)

    assert [item.text for item in found] == ["My name is Ada.", "hello", answer.text]
    assert "My name is Ada." in answer.text
    assert (taken.metadata, len(left.items), gone.deleted) == ({"a": "b"}, 2, True)


async def test_a_batch_goes_from_file_to_file(front: Front, client: Any) -> None:
    line = {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/responses",
        "body": {"model": MODEL, "input": "hi"},
    }
    file = await front(client.files.create, msgspec.json.encode(line), "batch", name="in.jsonl")
    batch = await front(client.batches.create, file.id)
    batch = await front(client.batches.wait, batch, poll=0.01)
    content = await front(client.files.content, batch.output_file_id)
    known = [each async for each in front.iterate(client.files.list(purpose="batch_output"))]
    gone = await front(client.files.delete, file.id)

    answer = msgspec.json.decode(content)
    assert (batch.status, batch.request_counts.completed) == ("completed", 1)
    assert (answer["custom_id"], answer["response"]["status_code"]) == ("a", 200)
    assert ([each.id for each in known], gone.deleted) == ([batch.output_file_id], True)
