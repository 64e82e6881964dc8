"""The official SDK's WebSocket against our server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from openai import AsyncOpenAI, OpenAI

from codex_api.testing import EmbeddedServer, ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[True, False], ids=["deflate", "plain"])
def peer(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(ServerSettings(deflate=request.param)) as server:
        yield server


def message(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


# The SDK uses the connection in a way that the package below it is about to give up.
@pytest.mark.filterwarnings("ignore:connect\\(\\) must be used:DeprecationWarning")
def test_responses_follow_each_other(peer: EmbeddedServer) -> None:
    client = OpenAI(api_key="sk-test", base_url=peer.url, max_retries=0)
    texts: list[str] = []
    previous: Any = None
    with client, client.responses.connect() as connection:
        for text in ("first", "second"):
            extra = {} if previous is None else {"previous_response_id": previous}
            connection.response.create(model="gpt-5.1-codex", input=message(text), **extra)
            for event in connection:
                if event.type == "response.completed":
                    texts.append(event.response.output_text)
                    previous = event.response.id
                    break

    assert "first" in texts[0]
    # The server knew the first question from the response that the second one names.
    assert '"first"' in texts[1]
    assert '"second"' in texts[1]


async def test_responses_follow_each_other_under_asyncio(peer: EmbeddedServer) -> None:
    async with (
        AsyncOpenAI(api_key="sk-test", base_url=peer.url, max_retries=0) as client,
        client.responses.connect() as connection,
    ):
        await connection.response.create(model="gpt-5.1-codex", input=message("hello"))
        types = []
        async for event in connection:
            types.append(event.type)
            if event.type == "response.completed":
                break

    assert "response.created" in types
    assert "response.output_text.delta" in types
