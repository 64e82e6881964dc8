"""Lines in the standard library's loggers: what they say, and what they never hold."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import ApiKeyAuth, AsyncClient, Client, Network, Provider, RetryConfig
from codex_api.testing.actions import answer, stream
from codex_api.testing.scripted import ScriptedServer
from tests.fronts.simple_calls import COMPLETED, DELTA, REQUEST, FakeClock
from tests.session.conversation import FastClock, ask, posted
from tests.session.conversation import client as session_client

if TYPE_CHECKING:
    from tests.front import Front

pytestmark = pytest.mark.anyio

SECRET = "sk-marked-secret"  # noqa: S105 - what must not be found


async def run(front: Front, server: ScriptedServer) -> Any:
    provider = Provider(
        "test",
        server.url,
        query_params={"key": SECRET},
        headers={"x-marked": SECRET},
        retry=RetryConfig(base_delay=0.25),
    )
    client = front.pick(Client, AsyncClient)(
        provider, auth=ApiKeyAuth(SECRET), network=Network(proxy=None), clock=FakeClock()
    )
    async with front.entering(client) as api:
        return await front(api.responses.stream(REQUEST).collect)


async def test_attempts_and_retries_are_told_with_their_reason(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "codex_api")
    refusal = answer(503, SECRET.encode())
    with ScriptedServer([refusal, stream([DELTA, COMPLETED])]) as server:
        await run(front, server)
    told = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    calls = [line for line in told if line[0] == "codex_api.call"]

    assert calls == [
        ("codex_api.call", "DEBUG", "attempt 1: status 503 HttpStatusError after 0.000 s"),
        (
            "codex_api.call",
            "INFO",
            "attempt 1 failed (status 503 HttpStatusError): the next one in 0.250 s",
        ),
        ("codex_api.call", "DEBUG", "attempt 2: status 200 after 0.000 s"),
    ]
    assert {name for name, _, _ in told} == {"codex_api.call", "codex_api.connection"}
    assert SECRET not in caplog.text


async def test_each_step_of_connecting_is_told_once(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "codex_api.connection")
    with ScriptedServer([stream([DELTA, COMPLETED])]) as server:
        await run(front, server)
        peer = server.url.removeprefix("http://").partition("/")[0]
    told = [line for line in caplog.messages if not line.startswith("HTTP: received")]

    assert [line.rpartition(", ")[0] for line in told] == [f"TCP connected: the server {peer}"]


async def test_the_steps_through_a_proxy_are_told_without_its_password(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "codex_api.connection")
    with ScriptedServer([stream([DELTA, COMPLETED])]) as proxy:
        address = proxy.url.removeprefix("http://").partition("/")[0]
        client = front.pick(Client, AsyncClient)(
            Provider("test", "http://name.invalid/v1"),
            auth=ApiKeyAuth(SECRET),
            network=Network(proxy=f"http://user:{SECRET}@{address}"),
        )
        async with front.entering(client) as api:
            await front(api.responses.stream(REQUEST).collect)

    (told,) = [line for line in caplog.messages if line.startswith("TCP connected")]
    assert address in told
    assert SECRET not in caplog.text


async def test_nothing_is_written_unless_somebody_listens(
    front: Front, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with ScriptedServer([answer(503), stream([DELTA, COMPLETED])]) as server:
        await run(front, server)

    assert (caplog.records, capfd.readouterr()) == ([], ("", ""))


async def test_a_session_tells_that_it_goes_over_to_http(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "codex_api.session")
    with ScriptedServer([answer(426), posted("h1")]) as server:
        async with front.entering(session_client(front, server, clock=FastClock())) as api:
            await front(api.session().stream(ask()).collect)

    assert [record.getMessage() for record in caplog.records] == [
        "UnexpectedStatusError: asked for again in 0.000 s",
        "upgrade_refused: the WebSocket is http_only now",
    ]
