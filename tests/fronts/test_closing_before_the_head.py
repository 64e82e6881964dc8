"""Streams that are closed while they are being opened."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread

from codex_api import AsyncClient, Client, Network, Provider, RetryConfig
from codex_api.errors import ClientStateError
from codex_api.testing.actions import Hang, Send, WaitFor, answer
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from tests.fronts.simple_calls import REQUEST

if TYPE_CHECKING:
    from tests.front import Front

pytestmark = pytest.mark.anyio

PATIENCE = 10.0


def client(front: Front, server: ScriptedServer) -> Any:
    provider = Provider("mock", server.url, retry=RetryConfig(max_attempts=2, base_delay=0.01))
    return front.pick(Client, AsyncClient)(provider, network=Network(proxy=None))


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nx: "])
async def test_closing_ends_the_wait_for_the_head(front: Front, begun: bytes) -> None:
    with ScriptedServer([[Send(begun), Hang()]]) as server:
        api = client(front, server)
        stream = api.responses.stream(REQUEST)
        opening = asyncio.create_task(front(stream.collect))
        await to_thread.run_sync(server.wait_for_requests, 1, PATIENCE)
        await front(stream.close)
        with pytest.raises(ClientStateError, match="closed"):
            await opening
        await to_thread.run_sync(server.wait_for_disconnect, 0, PATIENCE)
        await front(api.close)

        assert len(server.requests) == 1


async def test_another_event_loop_may_close_it() -> None:
    with ScriptedServer([[Hang()]]) as server:
        async with AsyncClient(Provider("mock", server.url), network=Network(proxy=None)) as api:
            stream = api.responses.stream(REQUEST)
            opening = asyncio.create_task(stream.collect())
            await to_thread.run_sync(server.wait_for_requests, 1, PATIENCE)
            await to_thread.run_sync(lambda: asyncio.run(stream.close()))
            with pytest.raises(ClientStateError, match="closed"):
                await opening


async def test_closing_between_two_attempts_sends_no_other(front: Front) -> None:
    gate = Gate()
    with ScriptedServer([[WaitFor(gate), *answer(503)]], repeat_last=True) as server:
        api = client(front, server)
        stream = api.responses.stream(REQUEST)
        opening = asyncio.create_task(front(stream.collect))
        await to_thread.run_sync(server.wait_for_requests, 1, PATIENCE)
        stream._state = "closed"  # as ``close`` begins, before it looks for a connection
        gate.set()
        with pytest.raises(ClientStateError, match="closed"):
            await opening
        await front(stream.close)
        await front(api.close)

        assert len(server.requests) == 1
