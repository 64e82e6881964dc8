from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

from codex_api._async.client import AsyncClient
from codex_api.cli.realtime.page_server import PageServer
from codex_api.provider import Provider
from codex_api.testing.actions import AcceptWebSocket, Action, Hang, ReadRequest, WaitFor, answer
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.transport._core.retry import RetryConfig
from codex_api.types.realtime import RealtimeSessionConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedServer]:
    with ScriptedServer([answer(500, {"error": {"message": "no calls today"}})]) as server:
        yield server


@asynccontextmanager
async def page_server(upstream: ScriptedServer) -> AsyncIterator[PageServer]:
    provider = Provider("test", upstream.url, retry=RetryConfig(max_attempts=0))
    async with AsyncClient(provider) as client:
        page = PageServer(client, RealtimeSessionConfig())
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        running = asyncio.ensure_future(page.run(ready.set_result))
        await ready
        yield page
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def server(upstream: ScriptedServer) -> AsyncIterator[PageServer]:
    async with page_server(upstream) as page:
        yield page


@pytest.fixture
async def browser() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        yield client


def origin(server: PageServer) -> str:
    return "/".join(server.url.split("/")[:3])


@pytest.mark.parametrize("path", ["", "page.js", "page.css"])
async def test_page_is_served_with_strict_headers(
    server: PageServer, browser: httpx2.AsyncClient, path: str
) -> None:
    response = await browser.get(server.url + path)

    headers = response.headers
    assert response.status_code == 200
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert headers["permissions-policy"].startswith("microphone=(self)")


async def test_page_is_on_loopback_only(server: PageServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert len(server.url.split("/")[3]) >= 32


@pytest.mark.parametrize("path", ["/", "/guess/", "/guess/page.js", "/guess/events"])
async def test_without_the_token_there_is_nothing(
    server: PageServer, browser: httpx2.AsyncClient, path: str
) -> None:
    response = await browser.get(origin(server) + path)

    assert response.status_code == 404
    assert "content-security-policy" in response.headers


async def test_other_host_name_is_refused(server: PageServer, browser: httpx2.AsyncClient) -> None:
    response = await browser.get(server.url, headers={"host": "rebound.example"})

    assert response.status_code == 421


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "https://elsewhere.example"}, {"origin": "null"}]
)
async def test_call_from_another_origin_is_refused(
    server: PageServer,
    browser: httpx2.AsyncClient,
    upstream: ScriptedServer,
    headers: dict[str, str],
) -> None:
    response = await browser.post(f"{server.url}calls", content="offer", headers=headers)

    assert response.status_code == 403
    assert upstream.requests == []


async def test_call_that_fails_tells_why_and_no_more(
    server: PageServer, browser: httpx2.AsyncClient, upstream: ScriptedServer
) -> None:
    headers = {"origin": origin(server)}

    response = await browser.post(f"{server.url}calls", content="offer", headers=headers)

    [request] = upstream.requests
    assert response.status_code == 502
    assert list(response.json()) == ["error"]
    assert request.target == "/v1/realtime/calls?intent=quicksilver&architecture=avas"


async def test_hanging_up_while_the_call_is_made_leaves_no_sideband(
    browser: httpx2.AsyncClient,
) -> None:
    gate = Gate()
    created = answer(201, b"answer", [("Location", "/v1/realtime/calls/rtc_1")])
    scripts: list[list[Action]] = [
        [ReadRequest(), WaitFor(gate), *created],
        [AcceptWebSocket(), Hang()],
    ]
    with ScriptedServer(connections=scripts) as upstream:
        async with page_server(upstream) as server:
            headers = {"origin": origin(server)}
            calling = asyncio.ensure_future(
                browser.post(f"{server.url}calls", content="offer", headers=headers)
            )
            while not upstream.requests:  # noqa: ASYNC110 - another thread's list
                await asyncio.sleep(0.005)
            await browser.post(f"{server.url}hangup", headers=headers)
            gate.set()
            called = await calling
            answered = await browser.post(f"{server.url}answer", content="{}", headers=headers)

    assert called.status_code == 409
    assert called.json() == {"error": "the call was hung up"}
    assert answered.status_code == 409


async def test_offer_that_is_too_large_is_refused(
    server: PageServer, browser: httpx2.AsyncClient
) -> None:
    headers = {"origin": origin(server)}

    response = await browser.post(f"{server.url}calls", content="x" * 300_000, headers=headers)

    assert response.status_code == 413


async def test_answer_needs_a_call(server: PageServer, browser: httpx2.AsyncClient) -> None:
    headers = {"origin": origin(server)}

    response = await browser.post(f"{server.url}answer", content="{}", headers=headers)

    assert response.status_code == 409


async def test_hanging_up_without_a_call_is_fine(
    server: PageServer, browser: httpx2.AsyncClient
) -> None:
    headers = {"origin": origin(server)}

    assert (await browser.post(f"{server.url}hangup", headers=headers)).status_code == 204
