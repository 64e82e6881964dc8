"""Closing a transport that others are using."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from codex_api.testing.actions import Hang, Send, answer
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import sse_head
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Request
from codex_api.transport.errors import ClientStateError
from codex_api.transport.http import HttpTransport
from codex_api.transport.http_async import AsyncHttpTransport
from codex_api.transport.network import Network

if TYPE_CHECKING:
    from codex_api.transport._core.route import Route
    from codex_api.transport.channel import Channel
    from tests.front import Front

PATIENCE = 10.0


def get(url: str) -> Request:
    return Request(method="GET", url=url, headers=Headers())


@pytest.mark.anyio
async def test_call_that_waits_for_its_turn_is_refused_when_its_client_is_closed(
    front: Front,
) -> None:
    transport: Any = front.pick(HttpTransport, AsyncHttpTransport)(
        Network(proxy=None, max_connections=1)
    )
    with ScriptedServer([[Send(sse_head()), Hang()], answer(200, b"ok")]) as server:
        stream = await front(transport.stream, get(server.url), PATIENCE)
        waiting = asyncio.create_task(front(transport.execute, get(server.url), PATIENCE))
        while not transport._pool._slots._waiting:  # noqa: ASYNC110 - the state itself
            await asyncio.sleep(0.001)
        await front(transport.aclose if front.is_async else transport.close)
        await front(stream.aclose if front.is_async else stream.close)
        with pytest.raises(ClientStateError, match="closed"):
            await waiting

        assert len(server.connections) == 1


def test_transport_may_be_closed_by_a_signal_in_the_middle_of_a_call() -> None:
    transport = HttpTransport(Network(proxy=None))
    with ScriptedServer([answer(200, b"ok")], repeat_last=True) as server:
        first = transport.stream(get(server.url), PATIENCE)
        for stream in (first, transport.stream(get(server.url), PATIENCE)):
            while stream.read_chunk(PATIENCE):
                pass
        idle = transport._pool._idle
        take = idle.take

        def interrupted(route: Route) -> Channel | None:
            transport.close()
            return take(route)

        idle.take = interrupted  # type: ignore[method-assign]
        response = transport.execute(get(server.url), PATIENCE)

        assert response.body == b"ok"
        assert len(idle) == 0
        server.wait_for_disconnect(timeout=PATIENCE)
