"""Closing a transport that others are using."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from codex_api.testing.actions import Hang, Pause, Send, answer
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import sse_head
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Request
from codex_api.transport.errors import ClientStateError, TransportTimeoutError
from codex_api.transport.http import HttpTransport
from codex_api.transport.http_async import AsyncHttpTransport
from codex_api.transport.network import Network

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from codex_api.transport._core.route import Route
    from codex_api.transport.channel import Channel
    from codex_api.transport.pool_async import AsyncPool
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


@pytest.mark.parametrize("is_read", [True, False])
def test_stream_that_is_left_open_ends_with_its_event_loop(*, is_read: bool) -> None:
    transport = AsyncHttpTransport(Network(proxy=None))

    async def left_open(url: str) -> Any:
        stream = await transport.stream(get(url), PATIENCE)
        if not is_read:
            stream._exchange._channel.receiver = None  # as in a child process
        return stream

    with ScriptedServer([[Send(sse_head()), Hang()]]) as server:
        stream = asyncio.run(left_open(server.url))
        server.wait_for_disconnect(timeout=PATIENCE)

    assert stream.status == 200


def test_what_cleans_up_at_the_end_of_an_event_loop_may_make_calls() -> None:
    transport = AsyncHttpTransport(Network(proxy=None))
    statuses: list[int] = []
    kept: list[AsyncGenerator[None, None]] = []

    async def lasting(url: str) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            statuses.append((await transport.execute(get(url), PATIENCE)).status)

    async def main(url: str) -> None:
        await transport.execute(get(url), PATIENCE)
        for _ in range(5):
            kept.append(lasting(url))
            await anext(kept[-1])

    with ScriptedServer([[Pause(0.01), *answer(200, b"ok")]], repeat_last=True) as server:
        for _ in range(2):
            asyncio.run(main(server.url))
        server.wait_for_disconnect(timeout=PATIENCE)

    assert statuses == [200] * 10


@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
@pytest.mark.parametrize("call", ["execute", "stream"])
def test_turn_of_a_call_comes_back_when_its_loop_was_closed_under_it(call: str) -> None:
    transport = AsyncHttpTransport(Network(proxy=None, max_connections=1))

    async def begin(url: str) -> asyncio.Task[Any]:
        task = asyncio.create_task(getattr(transport, call)(get(url), PATIENCE))
        await asyncio.to_thread(server.wait_for_requests, 1, PATIENCE)
        task._log_destroy_pending = False  # type: ignore[attr-defined] # it is what we are about
        return task

    with ScriptedServer([[Hang()], answer(200, b"ok")]) as server:
        loop = asyncio.new_event_loop()
        task = loop.run_until_complete(begin(server.url))
        loop.close()
        response = asyncio.run(transport.execute(get(server.url), PATIENCE))
        del task
        gc.collect()
        with pytest.raises(TransportTimeoutError):
            asyncio.run(two_at_once(transport._pool))

    assert response.body == b"ok"


async def two_at_once(pool: AsyncPool) -> None:
    assert pool._slots is not None
    await pool._slots.take(None)
    await pool._slots.take(0.0)
