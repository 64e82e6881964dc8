"""The adapter for clients of httpx2, against bytes on loopback."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from codex_api.testing.actions import Hang, Send, answer
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import sse_head
from codex_api.transport import (
    AsyncHttpxTransport,
    HttpxTransport,
)
from codex_api.transport.errors import (
    ClientStateError,
    ConnectTimeoutError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front

from tests.transport.conformance import PATIENCE, Conformance, close, get

pytestmark = pytest.mark.anyio


@pytest.fixture
async def engine(front: Front) -> AsyncIterator[Any]:
    client = front.pick(httpx2.Client, httpx2.AsyncClient)(
        trust_env=False, headers={"x-own": "1"}, follow_redirects=True, auth=("u", "p")
    )
    yield client
    await close(front, client)


@pytest.fixture
def transport(front: Front, engine: Any) -> Any:
    return front.pick(HttpxTransport, AsyncHttpxTransport)(engine)


class TestConformance(Conformance):
    """A client that would follow redirects and has credentials of its own."""


async def test_the_clients_own_credentials_are_not_sent(front: Front, transport: Any) -> None:
    with ScriptedServer([answer(200)]) as server:
        await front(transport.execute, get(server.url, authorization="Bearer k"), PATIENCE)

        assert server.requests[0].header("authorization") == "Bearer k"
        assert server.requests[0].header("x-own") is None


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Give a port where connections wait in vain for being accepted."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as waiting:
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems let some more in")
async def test_a_connection_that_is_not_made_in_time_is_late(
    front: Front, transport: Any, deaf_port: int
) -> None:
    """Under asyncio our own limit ends it, which cannot tell connecting from waiting."""
    for call in (transport.execute, transport.stream):
        with pytest.raises(TransportTimeoutError) as caught:
            await front(call, get(f"http://127.0.0.1:{deaf_port}/"), 0.05)

        assert isinstance(caught.value, ConnectTimeoutError) is not front.is_async
        assert caught.value.__cause__ is not caught.value


def test_a_blocking_read_has_the_limit_of_its_stream() -> None:
    with (
        httpx2.Client(trust_env=False) as client,
        ScriptedServer([[Send(sse_head()), Hang()]]) as s,
    ):
        opened = HttpxTransport(client).stream(get(s.url), PATIENCE)
        with pytest.raises(TransportTimeoutError):
            opened.read_chunk(0.05)
        opened.close()


async def test_a_closed_client_says_so(front: Front, transport: Any, engine: Any) -> None:
    await close(front, engine)
    for call in (transport.execute, transport.stream):
        with pytest.raises(ClientStateError, match="closed"):
            await front(call, get("http://127.0.0.1:9/"), PATIENCE)


async def test_closing_the_transport_leaves_the_client_open(
    front: Front, transport: Any, engine: Any
) -> None:
    await close(front, transport)

    assert not engine.is_closed


def test_one_blocking_client_serves_several_threads() -> None:
    answers: list[int] = []
    with (
        httpx2.Client(trust_env=False) as client,
        ScriptedServer([answer(200)], repeat_last=True) as server,
    ):
        transport = HttpxTransport(client)

        def ask() -> None:
            answers.append(transport.execute(get(server.url), PATIENCE).status)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert answers == [200] * 4
