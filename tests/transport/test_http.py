"""HTTP in both worlds, against bytes on loopback."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from codex_api.testing.actions import Close, Hang, Open, Reset, Send, WaitFor, answer
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, http_head, last_chunk, sse_head
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import JsonBody, RawBody, Request, StreamedBody
from codex_api.transport.errors import (
    ClientStateError,
    ConnectTimeoutError,
    EventTooLargeError,
    NetworkError,
    RequestBuildError,
    TransportTimeoutError,
)
from codex_api.transport.http import HttpTransport
from codex_api.transport.http_async import AsyncHttpTransport
from codex_api.transport.network import Network
from tests.transport.tls_peers import broken_tls_server, server_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.front import Front

# Long enough for a loaded machine; no test waits for it when all is well.
PATIENCE = 10.0


def get(url: str, **headers: str) -> Request:
    return Request(method="GET", url=url, headers=Headers(headers))


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    made = HttpTransport(Network(proxy=None))
    yield made
    made.close()


@pytest.fixture
async def async_transport() -> AsyncIterator[AsyncHttpTransport]:
    made = AsyncHttpTransport(Network(proxy=None))
    yield made
    await made.aclose()


def test_request_head_is_ours_and_nothing_else(transport: HttpTransport) -> None:
    with ScriptedServer([answer(200, b"ok")]) as server:
        request = Request(
            method="POST",
            url=f"{server.url}/x",
            headers=Headers(
                [("b", "1"), ("accept", "text/event-stream"), ("a", "2"), ("user-agent", "me")]
            ),
            body=RawBody(b"{}"),
        )
        response = transport.execute(request, PATIENCE)

        assert (response.status, response.body) == (200, b"ok")
        assert server.requests[0].headers == [
            ("b", "1"),
            ("accept", "text/event-stream"),
            ("a", "2"),
            ("user-agent", "me"),
            ("host", f"127.0.0.1:{server.port}"),
            ("content-length", "2"),
        ]


def test_every_status_is_an_answer_and_no_redirect_is_followed(
    transport: HttpTransport,
) -> None:
    with ScriptedServer(
        [answer(302, b"", {"location": "http://127.0.0.1:9/"}), answer(500, b"no")]
    ) as server:
        assert transport.execute(get(server.url), PATIENCE).status == 302
        assert transport.execute(get(server.url), PATIENCE).body == b"no"


def test_the_first_chunk_arrives_while_the_rest_is_held_back(transport: HttpTransport) -> None:
    gate = Gate()
    script = [Send(sse_head()), Send(chunk(b"first")), WaitFor(gate), Send(chunk(b"second"))]
    with ScriptedServer([[*script, Send(last_chunk())]]) as server:
        stream = transport.stream(get(server.url), PATIENCE)

        assert stream.read_chunk(PATIENCE) == b"first"
        gate.set()
        assert stream.read_chunk(PATIENCE) == b"second"
        assert stream.read_chunk(PATIENCE) is None
        stream.close()


@pytest.mark.anyio
async def test_the_first_chunk_arrives_early_under_asyncio_too(
    async_transport: AsyncHttpTransport,
) -> None:
    gate = Gate()
    script = [Send(sse_head()), Send(chunk(b"first")), WaitFor(gate), Send(chunk(b"second"))]
    with ScriptedServer([[*script, Send(last_chunk())]]) as server:
        stream = await async_transport.stream(get(server.url), PATIENCE)

        assert await stream.read_chunk() == b"first"
        gate.set()
        assert await stream.read_chunk() == b"second"
        assert await stream.read_chunk() is None
        await stream.aclose()


def test_a_read_that_times_out_loses_nothing(transport: HttpTransport) -> None:
    gate = Gate()
    with ScriptedServer(
        [[Send(sse_head()), WaitFor(gate), Send(chunk(b"late")), Send(last_chunk())]]
    ) as server:
        stream = transport.stream(get(server.url), PATIENCE)
        with pytest.raises(TransportTimeoutError):
            stream.read_chunk(0.01)
        gate.set()

        assert stream.read_chunk(PATIENCE) == b"late"
        stream.close()


def test_a_whole_answer_that_does_not_come_times_out_and_frees_the_connection(
    transport: HttpTransport,
) -> None:
    with ScriptedServer([[Hang()]]) as server:
        with pytest.raises(TransportTimeoutError):
            transport.execute(get(server.url), 0.05)

        assert server.wait_for_disconnect(timeout=PATIENCE)


def test_a_stream_given_up_before_its_head_is_freed_when_the_answer_begins(
    transport: HttpTransport,
) -> None:
    gate = Gate()
    with ScriptedServer([[WaitFor(gate), Send(sse_head()), Send(chunk(b"x")), Hang()]]) as server:
        with pytest.raises(TransportTimeoutError):
            transport.stream(get(server.url), 0.05)
        gate.set()

        assert server.wait_for_disconnect(timeout=PATIENCE)


@pytest.mark.anyio
async def test_a_cancelled_stream_is_freed_when_its_answer_begins(
    async_transport: AsyncHttpTransport,
) -> None:
    gate = Gate()
    with ScriptedServer([[WaitFor(gate), Send(sse_head()), Send(chunk(b"x")), Hang()]]) as server:
        with pytest.raises(TransportTimeoutError):
            await async_transport.stream(get(server.url), 0.05)
        gate.set()

        assert await asyncio.to_thread(server.wait_for_disconnect, timeout=PATIENCE)


def test_closing_a_stream_is_seen_by_the_server_at_once(transport: HttpTransport) -> None:
    with ScriptedServer([[Send(sse_head()), Send(chunk(b"x")), Hang()]]) as server:
        stream = transport.stream(get(server.url), PATIENCE)
        stream.read_chunk(PATIENCE)
        stream.close()
        stream.close()

        assert server.wait_for_disconnect(timeout=PATIENCE)


def test_closing_from_another_thread_ends_the_wait(transport: HttpTransport) -> None:
    waiting = Gate()
    with ScriptedServer([[Send(sse_head()), Open(waiting), Hang()]]) as server:
        stream = transport.stream(get(server.url), PATIENCE)

        def close() -> None:
            waiting.wait(PATIENCE)
            time.sleep(0.02)  # so that the read below is most likely waiting; either order is right
            stream.close()

        closer = threading.Thread(target=close)
        closer.start()
        with pytest.raises(ClientStateError, match="closed"):
            stream.read_chunk(PATIENCE)
        closer.join()

        assert server.wait_for_disconnect(timeout=PATIENCE)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent to a thread")
def test_ctrl_c_ends_a_blocking_read(transport: HttpTransport) -> None:
    with ScriptedServer([[Send(sse_head()), Hang()]]) as server:
        stream = transport.stream(get(server.url), PATIENCE)
        main = threading.main_thread().ident
        assert main is not None
        interrupt = threading.Timer(0.05, lambda: signal.pthread_kill(main, signal.SIGINT))
        interrupt.start()
        # A wait that went on would end with TransportTimeoutError.
        with pytest.raises(KeyboardInterrupt):
            stream.read_chunk(PATIENCE)
        interrupt.join()
        stream.close()
        assert server.wait_for_disconnect(timeout=PATIENCE)


@pytest.mark.parametrize("end", [Close(), Reset()])
def test_a_body_that_is_cut_is_a_network_error(
    transport: HttpTransport, end: Close | Reset
) -> None:
    gate = Gate()
    script = [Send(sse_head()), Send(chunk(b"x")), WaitFor(gate), end]
    with ScriptedServer([script]) as server:
        stream = transport.stream(get(server.url), PATIENCE)
        assert stream.read_chunk(PATIENCE) == b"x"
        gate.set()

        with pytest.raises(NetworkError):
            stream.read_chunk(PATIENCE)
        stream.close()


@pytest.mark.parametrize("head", [{"content-length": "100"}, {"transfer-encoding": "chunked"}])
def test_an_answer_too_large_to_keep_is_refused(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch, head: dict[str, str]
) -> None:
    monkeypatch.setattr("codex_api.transport.http_request.MAX_BODY_BYTES", 50)
    body = b"x" * 100
    sent = chunk(body) + last_chunk() if "transfer-encoding" in head else body
    script = [Send(http_head(200, head)), Send(sent)]
    with ScriptedServer([script]) as server:  # noqa: SIM117 - the server stops after the check
        with pytest.raises(EventTooLargeError, match="50") as caught:
            transport.execute(get(server.url), PATIENCE)

    assert caught.value.sent == "begun"


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
@pytest.mark.anyio
async def test_a_connection_that_is_not_made_in_time_has_an_error_of_its_own(
    front: Front, deaf_port: int
) -> None:
    made: Any = front.pick(HttpTransport, AsyncHttpTransport)(
        Network(proxy=None), connect_timeout=0.05
    )
    for call in (made.execute, made.stream):
        with pytest.raises(ConnectTimeoutError) as caught:
            await front(call, get(f"http://127.0.0.1:{deaf_port}/"), PATIENCE)

        assert caught.value.__cause__ is not caught.value


@pytest.mark.skipif(sys.platform != "linux", reason="other systems let some more in")
@pytest.mark.anyio
async def test_a_whole_answer_that_is_late_is_late_whatever_it_waited_for(
    front: Front, deaf_port: int
) -> None:
    made: Any = front.pick(HttpTransport, AsyncHttpTransport)(Network(proxy=None))

    with pytest.raises(TransportTimeoutError, match=r"within 0\.05 s") as caught:
        await front(made.execute, get(f"http://127.0.0.1:{deaf_port}/"), 0.05)

    assert caught.value.__cause__ is not caught.value


def test_a_body_that_is_not_prepared_is_refused(transport: HttpTransport) -> None:
    request = Request(method="POST", url="http://127.0.0.1:9/", body=JsonBody({}))

    with pytest.raises(RequestBuildError, match="prepared bodies"):
        transport.execute(request)


@pytest.mark.parametrize("value", ["\ud800", "a\nb"])
def test_a_header_that_slipped_through_is_refused_by_the_engine(
    transport: HttpTransport, value: str
) -> None:
    headers = Headers.received([("x-a", value)])

    with pytest.raises(RequestBuildError, match="not legal"):
        transport.execute(Request(method="GET", url="http://127.0.0.1:9/", headers=headers))


def test_no_error_text_holds_the_query(transport: HttpTransport) -> None:
    with pytest.raises(NetworkError) as caught:
        transport.execute(get("http://127.0.0.1:9/x?key=s3cret"), PATIENCE)

    assert "s3cret" not in str(caught.value)
    assert str(caught.value)


@pytest.mark.parametrize("url", ["", "nonsense", "http://", "ftp://127.0.0.1/"])
def test_an_illegal_url_is_refused(transport: HttpTransport, url: str) -> None:
    with pytest.raises((RequestBuildError, NetworkError)):
        transport.execute(get(url), PATIENCE)


def test_a_streamed_body_goes_out_with_its_length(transport: HttpTransport) -> None:
    with ScriptedServer([answer(200, b"ok")]) as server:
        body = StreamedBody(lambda: iter([b"ab", b"cd"]), length=4)
        transport.execute(Request(method="PUT", url=server.url, body=body), PATIENCE)

        assert server.requests[0].body == b"abcd"
        assert server.requests[0].header("content-length") == "4"
        assert server.requests[0].header("transfer-encoding") is None


def test_the_blocking_transport_works_inside_a_running_loop(transport: HttpTransport) -> None:
    async def main(url: str) -> bytes:
        body = transport.execute(get(url), PATIENCE).body
        assert asyncio.get_running_loop().is_running()
        return body

    with ScriptedServer([answer(200, b"ok")]) as server:
        assert asyncio.run(main(server.url)) == b"ok"


def test_the_async_transport_outlives_its_event_loop() -> None:
    made = AsyncHttpTransport(Network(proxy=None))

    async def fetch(url: str) -> bytes:
        return (await made.execute(get(url), PATIENCE)).body

    with ScriptedServer([answer(200, b"1"), answer(200, b"2")]) as server:
        assert asyncio.run(fetch(server.url)) == b"1"
        assert asyncio.run(fetch(server.url)) == b"2"
        asyncio.run(made.aclose())


def test_many_threads_share_one_transport(transport: HttpTransport) -> None:
    with ScriptedServer([answer(200, b"ok")], repeat_last=True) as server:
        bodies: list[bytes] = []

        def fetch() -> None:
            bodies.append(transport.execute(get(server.url), PATIENCE).body)

        threads = [threading.Thread(target=fetch) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert bodies == [b"ok"] * 16


def test_use_after_close_says_what_to_do() -> None:
    made = HttpTransport()
    made.close()
    made.close()

    with pytest.raises(ClientStateError, match="make a new one"):
        made.execute(get("http://127.0.0.1:9/"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork in a process with threads
def test_transport_that_was_used_before_a_fork_works_in_the_child(
    transport: HttpTransport,
) -> None:
    with ScriptedServer([answer(200, b"ok")], repeat_last=True) as server:
        transport.execute(get(server.url), PATIENCE)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - in the child
            try:
                os.write(write, transport.execute(get(server.url), PATIENCE).body)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        body = transport.execute(get(server.url), PATIENCE).body

        assert os.read(read, 1000) == b"ok"
        assert body == b"ok"
        assert [request.connection for request in server.requests] == [0, 1, 0]
        os.close(read)
        os.close(write)


# What asyncio adds


@pytest.mark.anyio
async def test_whole_answers_of_every_length_are_read_under_asyncio(
    async_transport: AsyncHttpTransport,
) -> None:
    chunked = [Send(sse_head()), Send(chunk(b"a")), Send(chunk(b"b")), Send(last_chunk())]
    with ScriptedServer([answer(200, b"ab"), chunked]) as server:
        for _ in range(2):
            assert (await async_transport.execute(get(server.url), PATIENCE)).body == b"ab"


@pytest.mark.anyio
@pytest.mark.parametrize("head", [{"content-length": "100"}, {"transfer-encoding": "chunked"}])
async def test_an_answer_too_large_to_keep_is_refused_under_asyncio(
    async_transport: AsyncHttpTransport, monkeypatch: pytest.MonkeyPatch, head: dict[str, str]
) -> None:
    monkeypatch.setattr("codex_api.transport.http_request.MAX_BODY_BYTES", 50)
    body = b"x" * 100
    sent = chunk(body) + last_chunk() if "transfer-encoding" in head else body
    with (
        ScriptedServer([[Send(http_head(200, head)), Send(sent)]]) as server,
        pytest.raises(EventTooLargeError, match="50") as caught,
    ):
        await async_transport.execute(get(server.url), PATIENCE)

    assert caught.value.sent == "begun"


@pytest.mark.anyio
@pytest.mark.parametrize("end", [Close(), Reset()])
async def test_an_answer_that_is_cut_is_a_network_error_under_asyncio(
    async_transport: AsyncHttpTransport, end: Close | Reset
) -> None:
    for framing in ({"content-length": "100"}, {"transfer-encoding": "chunked"}):
        gate = Gate()
        script = [Send(http_head(200, framing)), Send(b"1\r\nx\r\n"), WaitFor(gate), end]
        with ScriptedServer([script, script]) as server:
            stream = await async_transport.stream(get(server.url), PATIENCE)
            await stream.read_chunk()
            gate.set()
            with pytest.raises(NetworkError):
                await stream.read_chunk()
            await stream.aclose()
            await stream.aclose()

            with pytest.raises(NetworkError):
                await async_transport.execute(get(server.url), PATIENCE)


@pytest.mark.anyio
async def test_use_of_a_closed_transport_says_what_to_do_under_asyncio(
    async_transport: AsyncHttpTransport,
) -> None:
    with ScriptedServer([answer(200)]) as server:
        await async_transport.execute(get(server.url), PATIENCE)
        await async_transport.aclose()
        await async_transport.aclose()
        for call in (async_transport.execute, async_transport.stream):
            with pytest.raises(ClientStateError, match="make a new one"):
                await call(get(server.url), PATIENCE)


@pytest.mark.anyio
async def test_what_came_before_a_broken_record_of_tls_counts(front: Front, tmp_path: Path) -> None:
    ca, bundle = trustme.CA(), tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    made = front.pick(HttpTransport, AsyncHttpTransport)(Network(proxy=None, ca_bundle=bundle))
    begun = http_head(200, {"content-length": "100"}) + b"a part"
    with broken_tls_server(server_context(ca), begun) as port:
        with pytest.raises(NetworkError, match="broke TLS") as failed:
            await front(made.execute, get(f"https://localhost:{port}/"), PATIENCE)
        await front(made.aclose if isinstance(made, AsyncHttpTransport) else made.close)

    assert failed.value.sent == "begun"
