"""What a typed result does not show of its answer, through both fronts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from codex_api import (
    AsyncClient,
    Client,
    CompactionInput,
    ImageGenerationRequest,
    MemorySummarizeInput,
    Network,
    Provider,
    RawMemory,
    RawMemoryMetadata,
    ResponsesApiRequest,
    RetryConfig,
    SearchRequest,
    errors,
    items,
)
from codex_api.testing import EmbeddedServer, scenarios

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from codex_api.transport import Response
    from tests.front import Front

pytestmark = pytest.mark.anyio

REQUEST = ResponsesApiRequest(model="gpt-5.1", input="hi")


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
async def client(front: Front, server: EmbeddedServer) -> AsyncIterator[Any]:
    retry = RetryConfig(base_delay=0.0)
    kind = front.pick(Client, AsyncClient)
    api = kind(Provider("embedded", server.url, retry=retry), network=Network(proxy=None))
    async with front.entering(api) as client:
        yield client


def calls(client: Any) -> dict[str, tuple[Any, ...]]:
    memory = RawMemory("m", RawMemoryMetadata("/a"), [items.Message.user("hi")])
    return {
        "responses": (client.responses.create, REQUEST),
        "responses/input_tokens": (client.responses.input_tokens, REQUEST),
        "responses/compact": (
            client.responses.compact,
            CompactionInput("gpt-5.1", [items.Message.user("hi")], "be brief"),
        ),
        "models": (client.models.list,),
        "memories/trace_summarize": (
            client.memories.summarize,
            MemorySummarizeInput("gpt-5.1", [memory]),
        ),
        "images/generations": (
            client.images.generate,
            ImageGenerationRequest(model="gpt-image-1", prompt="a square"),
        ),
        "alpha/search": (client.search, SearchRequest(id="s", model="gpt-5.1", input="x")),
        "conversations": (client.conversations.create,),
        "files": (client.files.list().first_page,),
        "batches": (client.batches.list().first_page,),
        "anything": (client.request, "GET", "models"),
    }


async def test_each_call_tells_its_whole_answer(front: Front, client: Any) -> None:
    for name in calls(client):
        answers: list[Response] = []
        call, *arguments = calls(client.with_options(on_answer=answers.append))[name]

        await front(call, *arguments)

        (answer,) = answers
        assert (name, answer.status, answer.attempts) == (name, 200, 1)
        assert answer.headers.get("x-request-id"), name
        assert msgspec.json.decode(answer.body)


async def test_an_answer_tells_how_often_it_was_asked_for(
    front: Front, client: Any, server: EmbeddedServer
) -> None:
    answers: list[Response] = []
    told = client.with_options(on_answer=answers.append)
    server.play(scenarios.http_error(503), endpoint="models")

    await front(told.models.list)

    assert [answer.attempts for answer in answers] == [2]


async def test_a_copy_of_a_copy_goes_on_telling(front: Front, client: Any) -> None:
    answers: list[Response] = []
    told = client.with_options(on_answer=answers.append).with_options(
        retry=RetryConfig(max_attempts=0)
    )

    await front(told.models.list)
    await front(client.models.list)

    assert len(answers) == 1


async def test_a_refusal_is_an_error_and_no_answer(
    front: Front, client: Any, server: EmbeddedServer
) -> None:
    answers: list[Response] = []
    server.play(scenarios.http_error(400))

    with pytest.raises(errors.InvalidRequestError):
        await front(client.with_options(on_answer=answers.append).responses.create, REQUEST)

    assert answers == []


async def test_what_it_raises_is_raised(front: Front, client: Any) -> None:
    class StopError(Exception):
        pass

    def stop(_: Response) -> None:
        raise StopError

    with pytest.raises(StopError):
        await front(client.with_options(on_answer=stop).models.list)
