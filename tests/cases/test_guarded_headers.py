"""Header fields that only the transport may set are refused before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api import AsyncClient, Client, Provider, RetryConfig
from codex_api.errors import RequestBuildError
from codex_api.realtime import RealtimeSessionConfig
from codex_api.testing.scripted import ScriptedServer
from codex_api.transport.network import Network
from codex_api.types.request import ResponsesOptions
from tests.cases.inputs import REQUEST, opened

if TYPE_CHECKING:
    from codex_api.transport import Headers
    from tests.front import Front

pytestmark = pytest.mark.anyio

NAMES = ["content-length", "Transfer-Encoding", "host", "connection", "upgrade"]


class _Signs:
    """Sets a header as credentials are set."""

    def __init__(self, name: str) -> None:
        self._name = name

    def add_auth_headers(self, headers: Headers) -> None:
        headers.set(self._name, "1")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("layer", ["provider", "default", "auth"])
@pytest.mark.parametrize("call", ["unary", "stream", "websocket", "realtime"])
async def test_no_layer_sets_a_field_of_the_connection(
    front: Front, name: str, layer: str, call: str
) -> None:
    headers = {name: "1"}
    with ScriptedServer() as server:
        provider = Provider(
            "p",
            server.url,
            headers=headers if layer == "provider" else {},
            retry=RetryConfig(max_attempts=0),
        )
        made = front.pick(Client, AsyncClient)(
            provider,
            _Signs(name) if layer == "auth" else None,
            network=Network(proxy=None),
            default_headers=headers if layer == "default" else None,
        )
        async with front.entering(made) as api:
            with pytest.raises(RequestBuildError, match=f"'{name.lower()}' belongs"):
                await _called(front, api, call)

    assert server.requests == []


@pytest.mark.parametrize("name", NAMES)
async def test_options_set_no_field_of_the_connection(front: Front, name: str) -> None:
    options = ResponsesOptions(extra_headers={name: "1"})
    with ScriptedServer() as server:
        made = front.pick(Client, AsyncClient)(Provider("p", server.url))
        async with front.entering(made) as api:
            with pytest.raises(RequestBuildError, match=f"'{name.lower()}' belongs"):
                await front(api.responses.stream(REQUEST, options).collect)

    assert server.requests == []


async def _called(front: Front, api: Any, call: str) -> None:
    if call == "unary":
        await front(api.models.list)
    elif call == "stream":
        await front(api.responses.stream(REQUEST).collect)
    elif call == "websocket":
        await opened(front, api)
    else:
        await front(api.realtime.connect, RealtimeSessionConfig())
