from __future__ import annotations

import pytest

from codex_api.auth import ApiKeyAuth
from codex_api.cli.connection import Endpoint
from codex_api.cli.realtime.clients import call_clients
from codex_api.provider import Provider, Timeouts

pytestmark = pytest.mark.anyio


async def test_one_client_calls_and_joins() -> None:
    endpoint = Endpoint(Provider("test", "https://h/v1"), ApiKeyAuth("sk"), Timeouts(), {})

    async with call_clients(endpoint) as clients:
        assert clients.caller is clients.sideband


async def test_call_of_the_backend_is_joined_at_the_api() -> None:
    provider = Provider("chatgpt", "https://chatgpt.com/backend-api/codex")

    async with call_clients(Endpoint(provider, ApiKeyAuth("sk"), Timeouts(), {})) as clients:
        assert clients.caller.provider is provider
        assert clients.sideband.provider.base_url == "https://api.openai.com/v1"
