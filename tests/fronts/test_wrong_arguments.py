"""Arguments of another type are refused in words, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api import AsyncClient, Client, Provider
from codex_api.testing.scripted import ScriptedServer
from tests.fronts.simple_calls import client_of, provider

if TYPE_CHECKING:
    from tests.front import Front

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("where", "auth", "told"),
    [
        ("https://host/v1", None, "Provider.openai"),
        (None, None, "Provider.openai"),
        (Provider.openai(), "sk-1", "ApiKeyAuth"),
    ],
)
def test_a_client_says_what_it_takes(front: Front, where: Any, auth: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told) as caught:
        front.pick(Client, AsyncClient)(where, auth)

    assert "sk-1" not in str(caught.value)


@pytest.mark.parametrize("name", ["stream", "create", "input_tokens", "background", "session"])
@pytest.mark.parametrize("request_", [b"{}", "hi", None])
async def test_a_call_says_what_a_request_is(front: Front, name: str, request_: Any) -> None:
    with ScriptedServer([]) as server:
        async with front.entering(client_of(front, provider(server))) as client:

            async def ask() -> None:
                if name == "stream":
                    client.responses.stream(request_)
                elif name == "session":
                    client.session().stream(request_)
                else:
                    await front(getattr(client.responses, name), request_)

            with pytest.raises(TypeError, match="ResponsesApiRequest"):
                await ask()

        assert server.requests == []
