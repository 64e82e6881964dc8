"""Trust, proxies and connections of whole clients; the rules themselves are tested beside them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from anyio import to_thread

from codex_api import (
    ApiKeyAuth,
    AsyncClient,
    Network,
    Provider,
    RetryConfig,
    Timeouts,
    errors,
    events,
)
from codex_api.testing.actions import Hang, ReadRequest, Reset, Send, WaitFor, answer, stream
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, last_chunk, sse_event, sse_head
from tests.fronts.simple_calls import COMPLETED, DELTA, FAST, REQUEST, client_of, provider
from tests.transport.tls_peers import connect_proxy, server_context

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from tests.front import Front

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def context(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(ca)


@pytest.fixture
def bundle(ca: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(ca.cert_pem.bytes())
    return path


async def ask(front: Front, where: Provider, network: Network, **options: Any) -> str:
    async with front.entering(client_of(front, where, network=network, **options)) as client:
        response = await front(client.responses.stream(REQUEST).collect)
        text: str = response.text
        return text


# Trust


async def test_a_client_trusts_the_bundle_that_it_is_given(
    front: Front, bundle: Path, context: ssl.SSLContext
) -> None:
    with ScriptedServer([stream([DELTA, COMPLETED])], ssl_context=context) as server:
        network = Network(proxy=None, ca_bundle=bundle)

        assert await ask(front, provider(server), network) == "Hi"


@pytest.mark.parametrize("variable", ["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"])
async def test_a_client_trusts_the_bundle_of_the_environment(
    front: Front,
    bundle: Path,
    context: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setenv(variable, str(bundle))
    with ScriptedServer([stream([DELTA, COMPLETED])], ssl_context=context) as server:
        assert await ask(front, provider(server), Network(proxy=None)) == "Hi"


async def test_a_client_trusts_no_stranger(front: Front, context: ssl.SSLContext) -> None:
    with ScriptedServer([], ssl_context=context) as server:
        where = provider(server, retry=RetryConfig(max_attempts=0))
        with pytest.raises(errors.NetworkError):
            await ask(front, where, Network(proxy=None))

        assert server.requests == []


async def test_a_bundle_that_cannot_be_used_sends_nothing_at_all(
    front: Front, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CODEX_CA_CERTIFICATE", str(tmp_path / "missing.pem"))
    with ScriptedServer([]) as server:
        with pytest.raises(errors.CertificateError, match="CODEX_CA_CERTIFICATE"):
            await ask(front, provider(server), Network(proxy=None))

        assert server.connections == []


# Proxies


async def test_a_client_streams_through_a_tunnel(
    front: Front, bundle: Path, context: ssl.SSLContext
) -> None:
    """The first event arrives through it while the server holds the rest back."""
    gate = Gate()
    script = [Send(sse_head()), Send(chunk(sse_event(DELTA))), WaitFor(gate)]
    script += [Send(chunk(sse_event(COMPLETED))), Send(last_chunk())]
    with (
        connect_proxy() as (port, seen),
        ScriptedServer([script], ssl_context=context) as server,
    ):
        network = Network(proxy=f"http://user:pass@127.0.0.1:{port}", ca_bundle=bundle)
        client = client_of(front, provider(server), network=network, auth=ApiKeyAuth("k"))
        async with front.entering(client), front.entering(client.responses.stream(REQUEST)) as s:
            async for event in front.iterate(s):
                if isinstance(event, events.OutputTextDelta):
                    gate.set()
        (request,) = server.requests

    assert event == events.Completed("resp_1")
    assert seen.tunnels == [f"127.0.0.1:{server.port}"]
    assert seen.proxy_authorization == ["Basic dXNlcjpwYXNz"]
    assert request.header("authorization") == "Bearer k"
    assert request.header("proxy-authorization") is None


async def test_a_client_takes_the_proxy_of_the_environment(
    front: Front, bundle: Path, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        connect_proxy() as (port, seen),
        ScriptedServer([stream([DELTA, COMPLETED])], repeat_last=True, ssl_context=context) as s,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        network = Network(ca_bundle=bundle)
        assert await ask(front, provider(s), network) == "Hi"
        assert len(seen.tunnels) == 1

        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert await ask(front, provider(s), network) == "Hi"
        assert len(seen.tunnels) == 1


async def test_a_proxy_that_refuses_is_a_network_error_without_its_password(front: Front) -> None:
    with ScriptedServer([answer(407)], repeat_last=True) as proxy:
        network = Network(proxy=f"http://user:s3cret@127.0.0.1:{proxy.port}")
        where = Provider("test", "https://127.0.0.1:9/v1", retry=FAST)
        with pytest.raises(errors.NetworkError) as caught:
            await ask(front, where, network)

    assert "s3cret" not in str(caught.value)


# Connections


@pytest.mark.parametrize("http2", [False, True])
async def test_http_2_is_offered_only_when_asked_for(
    front: Front, bundle: Path, ca: trustme.CA, *, http2: bool
) -> None:
    context = server_context(ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    preface = b"PRI * HTTP/2.0\r\n" if http2 else b"POST /v1/responses HTTP/1.1\r\n"
    with ScriptedServer(connections=[[Hang()]], ssl_context=context) as server:
        network = Network(proxy=None, ca_bundle=bundle, http2=http2)
        where = provider(server, retry=RetryConfig(max_attempts=0))
        with pytest.raises(errors.FirstEventTimeoutError):
            await ask(front, where, network, timeouts=Timeouts(first_event=0.3))
        (connection,) = server.connections

    assert bytes(connection.received).startswith(preface)


async def test_no_more_connections_are_opened_than_allowed(front: Front) -> None:
    gate = Gate()
    held = [Send(sse_head()), Send(chunk(sse_event(DELTA))), WaitFor(gate)]
    held += [Send(chunk(sse_event(COMPLETED))), Send(last_chunk())]
    with ScriptedServer([held, stream([DELTA, COMPLETED])]) as server:
        network = Network(proxy=None, max_connections=1)
        async with front.entering(client_of(front, provider(server), network=network)) as client:
            first = asyncio.create_task(front(client.responses.stream(REQUEST).collect))
            await to_thread.run_sync(server.wait_for_requests, 1)
            second = asyncio.create_task(front(client.responses.stream(REQUEST).collect))
            await asyncio.sleep(0.05)
            waiting = len(server.requests)
            gate.set()
            texts = [(await first).text, (await second).text]

    assert waiting == 1
    assert texts == ["Hi", "Hi"]


@pytest.mark.parametrize("kind", ["stream", "whole"])
async def test_a_call_that_gave_up_waiting_for_a_connection_is_never_sent(
    front: Front, kind: str
) -> None:
    with ScriptedServer([stream([DELTA], end="hang")], repeat_last=True) as server:
        network = Network(proxy=None, max_connections=1)
        limits = Timeouts(first_event=0.1, total=None if kind == "stream" else 0.1)
        client = client_of(front, provider(server, retry=FAST), network=network, timeouts=limits)
        async with front.entering(client):
            async with front.entering(client.responses.stream(REQUEST)):
                late = client.responses.stream(REQUEST).collect
                with pytest.raises((errors.TransportTimeoutError, errors.FirstEventTimeoutError)):
                    await front(late if kind == "stream" else client.models.list)
            async with front.entering(client.responses.stream(REQUEST)):
                await to_thread.run_sync(server.wait_for_requests, 2)

        assert [request.path for request in server.requests] == ["/v1/responses"] * 2


async def test_a_cancelled_call_gives_up_its_turn_for_a_connection() -> None:
    with ScriptedServer([stream([DELTA], end="hang"), stream([DELTA, COMPLETED])]) as server:
        client = AsyncClient(provider(server), network=Network(proxy=None, max_connections=1))
        async with client:
            async with client.responses.stream(REQUEST):
                waiting = asyncio.create_task(client.responses.stream(REQUEST).collect())
                await asyncio.sleep(0.02)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            assert (await client.responses.stream(REQUEST).collect()).text == "Hi"

        assert len(server.requests) == 2


async def test_a_failed_call_gives_its_connection_back(front: Front) -> None:
    script = [answer(400), answer(400), answer(200, {"models": []}), stream([DELTA], end="reset")]
    with ScriptedServer([*script, stream([DELTA, COMPLETED])]) as server:
        network = Network(proxy=None, max_connections=1)
        async with front.entering(client_of(front, provider(server), network=network)) as client:
            for call in (client.responses.stream(REQUEST).collect, client.models.list):
                with pytest.raises(errors.InvalidRequestError):
                    await front(call)
            await front(client.models.list)
            with pytest.raises(errors.StreamClosedError):
                await front(client.responses.stream(REQUEST).collect)

            assert (await front(client.responses.stream(REQUEST).collect)).text == "Hi"


async def test_a_broken_connection_makes_room_for_the_next(front: Front) -> None:
    broken = [ReadRequest(), Reset()]
    works = [ReadRequest(), *stream([DELTA, COMPLETED])]
    with ScriptedServer(connections=[broken, broken, works]) as server:
        network = Network(proxy=None, max_connections=1)

        assert await ask(front, provider(server), network) == "Hi"


async def test_idle_connections_are_used_again(front: Front) -> None:
    with ScriptedServer([answer(200, {"models": []})], repeat_last=True) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            for _ in range(3):
                await front(client.models.list)

        assert len(server.connections) == 1


async def test_closing_a_client_ends_its_idle_connections(front: Front) -> None:
    with ScriptedServer([answer(200, {"models": []})], repeat_last=True) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            await front(client.models.list)
        await to_thread.run_sync(server.wait_for_disconnect)
