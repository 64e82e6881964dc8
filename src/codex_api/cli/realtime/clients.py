"""The clients of a call: one creates it, one joins its sideband; mostly they are the same."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from codex_api._async.client import AsyncClient
from codex_api.provider import Provider

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_api.cli.connection import Endpoint


class CallClients(NamedTuple):
    """Who does what in a call."""

    caller: AsyncClient
    sideband: AsyncClient


@asynccontextmanager
async def call_clients(endpoint: Endpoint) -> AsyncGenerator[CallClients]:
    """Open the clients for calls at ``endpoint``."""
    provider, auth, timeouts, _ = endpoint
    async with AsyncClient(provider, auth, timeouts=timeouts) as caller:
        if "backend-api" not in urlsplit(provider.base_url).path.split("/"):
            yield CallClients(caller, caller)
            return
        # Calls of the ChatGPT backend are joined at the API's own address.
        async with AsyncClient(Provider.openai(), auth, timeouts=timeouts) as sideband:
            yield CallClients(caller, sideband)
