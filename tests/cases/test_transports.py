"""Ways to the server that are barred, in a session and without one."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import AsyncClient, Client, Network, Provider, RetryConfig, errors, events
from codex_api.items import Message
from codex_api.session import SessionSettings
from codex_api.testing import EmbeddedServer
from codex_api.testing.actions import (
    AcceptWebSocket,
    Action,
    Close,
    Hang,
    ReadMessage,
    Reset,
    SendMessage,
)
from codex_api.testing.scripted import ScriptedServer
from tests.cases.inputs import REQUEST, client, frames, opened, over_http, stream
from tests.session.conversation import ask
from tests.transport.socks_peer import socks_proxy

if TYPE_CHECKING:
    from codex_api.testing.connection import Connection
    from tests.front import Front

pytestmark = pytest.mark.anyio
PATIENCE = 30.0


def through(front: Front, base_url: str, proxy: str) -> Any:
    provider = Provider(name="case", base_url=base_url, retry=RetryConfig(max_attempts=0))
    return front.pick(Client, AsyncClient)(provider, network=Network(proxy=proxy))


@pytest.mark.parametrize("transport", ["auto", "http", "websocket"])
async def test_a_session_works_through_a_socks_proxy(front: Front, transport: Any) -> None:
    with EmbeddedServer() as server, socks_proxy() as (port, asked):
        async with front.entering(through(front, server.url, f"socks5h://127.0.0.1:{port}")) as api:
            session = api.session(SessionSettings(transport=transport))
            got = await front(session.stream(REQUEST).collect)
            await front(session.close)

    assert got.text
    assert set(asked) == {("127.0.0.1", server.port)}


async def test_without_the_socks_library_every_way_names_what_to_install(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("python_socks", "python_socks.sync", "python_socks.async_.asyncio"):
        monkeypatch.setitem(sys.modules, name, None)
    needed = r"pip install codex-api\[socks\]"
    async with front.entering(through(front, "http://x.test", "socks5h://127.0.0.1:1")) as api:
        session = api.session(SessionSettings())
        with pytest.raises(errors.RequestBuildError, match=needed):
            await opened(front, api)
        with pytest.raises(errors.RequestBuildError, match=needed):
            await front(session.stream(REQUEST).collect)
        with pytest.raises(errors.RequestBuildError, match=needed):
            await front(api.models.list)
        await front(session.close)


@dataclass(frozen=True, slots=True)
class ReadSome(Action):
    """Take the first bytes of a message."""

    async def play(self, connection: Connection) -> None:
        await connection._next_news()


@pytest.mark.parametrize("end", [Reset(), Close()], ids=["reset", "closed"])
async def test_a_huge_frame_that_is_dropped_goes_over_http_at_once(
    front: Front, end: Action
) -> None:
    dropped = [AcceptWebSocket(), ReadSome(), end]
    with ScriptedServer(connections=[dropped, *over_http(stream("k4_done_ends_stream"))]) as peer:
        async with front.entering(client(front, peer, retry=RetryConfig())) as api:
            session = api.session(SessionSettings())
            request = ask(Message.user("x" * (16 << 20)))
            async with front.entering(session.stream(request)) as response:
                seen = [event async for event in front.iterate(response)]
            await front(session.close)

    assert isinstance(seen[-1], events.Completed)
    assert [request.method for request in peer.requests] == ["GET", "POST"]
    assert not any(isinstance(event, events.StreamRetry) for event in seen)


async def test_a_refusal_in_the_body_of_a_frame_is_read(front: Front) -> None:
    frame = SendMessage(frames("k3_ws_error_in_body")[0])
    script = [AcceptWebSocket(), ReadMessage(), frame, Hang()]
    with ScriptedServer(connections=[script]) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await opened(front, api)
            with pytest.raises(errors.UsageLimitReachedError) as caught:
                await front(socket.stream(REQUEST).collect)
            await front(socket.close)

    assert caught.value.retry_after == 7.0
    assert caught.value.server_message == "usage limit reached"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_that_was_made_and_never_used_works_in_a_forked_child(kind: Any) -> None:
    with ScriptedServer(connections=over_http(stream("k4_done_ends_stream"))) as peer:
        provider = Provider(name="case", base_url=peer.url, retry=RetryConfig(max_attempts=0))
        api = kind(provider, network=Network(proxy=None))

        async def asked() -> Any:
            async with api:
                return await api.responses.stream(REQUEST).collect()

        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                if kind is AsyncClient:
                    got = asyncio.run(asked())
                else:
                    got = api.responses.stream(REQUEST).collect()
                code = 0 if got.text == "Hello" else 2
            finally:
                os._exit(code)
        deadline = time.monotonic() + PATIENCE
        while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0:
            assert time.monotonic() < deadline, "the child hangs"
            time.sleep(0.01)

    assert os.waitstatus_to_exitcode(ended[1]) == 0
