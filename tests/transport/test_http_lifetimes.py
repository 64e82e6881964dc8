"""What happens to connections: pools, early answers, limits, threads, loops, processes, exits."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from codex_api.testing.actions import Close, Hang, Pause, Send, StopReading, WaitFor, answer
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, last_chunk, sse_head
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Request, StreamedBody
from codex_api.transport.errors import NetworkError, TransportTimeoutError
from codex_api.transport.http import HttpTransport
from codex_api.transport.http_async import AsyncHttpTransport
from codex_api.transport.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.front import Front

PATIENCE = 10.0
STREAM = [Send(sse_head()), Send(chunk(b"x")), Send(last_chunk())]


def get(url: str) -> Request:
    return Request(method="GET", url=url, headers=Headers())


def transport_of(front: Front, **settings: Any) -> Any:
    return front.pick(HttpTransport, AsyncHttpTransport)(Network(proxy=None, **settings))


async def close(front: Front, transport: Any) -> None:
    await front(transport.aclose if front.is_async else transport.close)


def seems_dead(front: Front, transport: Any) -> bool:
    """Return whether the end of the connection that is idle has come, or was handled already."""
    idle = (transport._pool._last if front.is_async else transport._pool)._idle
    waiting = [each for of_route in idle._by_route.values() for each in of_route]
    channels = [each.channel if front.is_async else each for each in waiting]
    return all(channel.is_readable() for channel in channels)


# The pool


@pytest.mark.anyio
async def test_connection_is_used_again_when_both_sides_have_come_to_their_end(
    front: Front,
) -> None:
    transport = transport_of(front)
    with ScriptedServer([answer(200, b"ok")], repeat_last=True) as server:
        for _ in range(3):
            await front(transport.execute, get(server.url), PATIENCE)
        await close(front, transport)

        assert len(server.connections) == 1


@pytest.mark.anyio
async def test_connection_that_was_closed_while_idle_is_not_used(front: Front) -> None:
    transport = transport_of(front)
    first = [*answer(200, b"ok"), Close()]
    with ScriptedServer([first, answer(200, b"ok")]) as server:
        await front(transport.execute, get(server.url), PATIENCE)
        await asyncio.to_thread(server.wait_for_disconnect, timeout=PATIENCE)
        # The server notes the end before it closes.
        while not seems_dead(front, transport):  # noqa: ASYNC110 - the state itself is waited for
            await asyncio.sleep(0.001)
        response = await front(transport.execute, get(server.url), PATIENCE)
        await close(front, transport)

        assert response.body == b"ok"
        assert len(server.connections) == 2


@pytest.mark.anyio
@pytest.mark.parametrize("settings", [{"max_idle_connections": 0}, {"pool_idle_timeout": 0}])
async def test_limits_on_idle_connections_hold(front: Front, settings: dict[str, Any]) -> None:
    transport = transport_of(front, **settings)
    with ScriptedServer([answer(200, b"ok")], repeat_last=True) as server:
        for _ in range(2):
            await front(transport.execute, get(server.url), PATIENCE)
        await close(front, transport)

        assert len(server.connections) == 2


@pytest.mark.anyio
async def test_request_on_a_used_connection_that_ends_is_not_sent_again(front: Front) -> None:
    transport = transport_of(front)
    with ScriptedServer([answer(200, b"ok"), [Close()], answer(200, b"ok")]) as server:
        await front(transport.execute, get(server.url), PATIENCE)
        with pytest.raises(NetworkError, match="used before") as caught:
            await front(transport.execute, get(server.url), PATIENCE)
        await close(front, transport)

        assert caught.value.sent == "maybe"
        assert caught.value.retryable
        assert len(server.requests) == 2


# Answers that come early, late, or drip


@pytest.mark.anyio
@pytest.mark.parametrize("length", [None, 64 << 20])
async def test_refusal_is_read_while_the_body_is_still_being_sent(
    front: Front, length: int | None
) -> None:
    transport = transport_of(front)
    script: list[Any] = [StopReading(), *answer(413, b"too large"), Hang()]
    opened: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(64):
            opened.append(number)
            yield bytes(1 << 20)

    with ScriptedServer(connections=[script]) as server:
        body = StreamedBody(pieces, length=length)
        request = Request(method="PUT", url=server.url, headers=Headers(), body=body)
        response = await front(transport.execute, request, PATIENCE)
        await close(front, transport)

    assert (response.status, response.body) == (413, b"too large")
    assert len(opened) < 64


@pytest.mark.anyio
@pytest.mark.parametrize("limit", [None, PATIENCE])
async def test_time_limit_of_what_a_body_comes_from_is_no_limit_of_ours(
    front: Front, limit: float | None
) -> None:
    transport = transport_of(front)

    def pieces() -> Iterator[bytes]:
        yield b"x"
        raise TimeoutError("the disk took too long")

    with ScriptedServer([[Hang()]]) as server:
        body = StreamedBody(pieces, length=None)
        request = Request(method="PUT", url=server.url, headers=Headers(), body=body)
        with pytest.raises(TimeoutError, match="the disk") as caught:
            await front(transport.execute, request, limit)
        await asyncio.to_thread(server.wait_for_disconnect, timeout=PATIENCE)
        await close(front, transport)

    assert not isinstance(caught.value, TransportTimeoutError)


@pytest.mark.anyio
@pytest.mark.parametrize("call", ["execute", "stream"])
@pytest.mark.parametrize("piece", [b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: "])
async def test_head_that_never_ends_obeys_the_limit(front: Front, call: str, piece: bytes) -> None:
    transport = transport_of(front)
    script: list[Any] = [
        part for _ in range(30) for part in (Send(piece[:1]), Send(piece[1:]), Pause(0.02))
    ]
    if not piece.endswith(b"\r\n\r\n"):
        script = [Send(piece), *([Send(b"y"), Pause(0.02)] * 50)]
    with ScriptedServer([[*script, Hang()]]) as server:
        with pytest.raises(TransportTimeoutError, match=r"within 0\.1 s"):
            await front(getattr(transport, call), get(server.url), 0.1)
        await asyncio.to_thread(server.wait_for_disconnect, timeout=PATIENCE)
        await close(front, transport)


@pytest.mark.anyio
@pytest.mark.parametrize("limit", [1e9, float("inf")])
async def test_limit_may_be_longer_than_the_system_can_wait_at_once(
    front: Front, limit: float
) -> None:
    transport = transport_of(front, max_connections=1)
    gate = Gate()
    script = [WaitFor(gate), *answer(200, b"ok")]
    with ScriptedServer([script], repeat_last=True) as server:
        calls = [
            asyncio.create_task(front(transport.execute, get(server.url), limit)) for _ in range(2)
        ]
        while not transport._pool._slots._waiting:  # noqa: ASYNC110 - the state itself
            await asyncio.sleep(0.001)
        gate.set()
        bodies = [(await call).body for call in calls]
        await close(front, transport)

    assert bodies == [b"ok", b"ok"]


@pytest.mark.anyio
async def test_body_that_drips_obeys_the_limit_of_the_whole_answer(front: Front) -> None:
    transport = transport_of(front)
    with ScriptedServer([[Send(sse_head()), *([Send(chunk(b"x")), Pause(0.02)] * 50)]]) as server:
        with pytest.raises(TransportTimeoutError, match="no complete answer") as caught:
            await front(transport.execute, get(server.url), 0.1)
        await close(front, transport)

    assert caught.value.sent == "begun"


@pytest.mark.anyio
async def test_answer_that_nobody_reads_makes_its_server_wait() -> None:
    transport = AsyncHttpTransport(Network(proxy=None))
    filler = Send(chunk(bytes(1 << 20)))
    with ScriptedServer([[Send(sse_head()), *[filler] * 64, Send(last_chunk())]]) as server:
        stream = await transport.stream(get(server.url), PATIENCE)
        for _ in range(50):
            await asyncio.sleep(0.002)
        held = stream._exchange._held_bytes
        received = 0
        while (piece := await stream.read_chunk()) is not None:
            received += len(piece)
        await transport.aclose()

    assert held < 1 << 20
    assert received == 64 << 20


# Cancelling


@pytest.mark.anyio
async def test_cancelling_at_any_time_closes_the_connection_and_leaves_nothing() -> None:
    transport = AsyncHttpTransport(Network(proxy=None))
    tasks = len(asyncio.all_tasks())
    dice = random.Random(8)  # noqa: S311 - the same times in every run
    script = [Send(sse_head()), *([Send(chunk(b"x")), Pause(0.001)] * 20), Hang()]

    async def use(url: str) -> None:
        stream = await transport.stream(get(url), PATIENCE)
        try:
            while await stream.read_chunk():
                pass
        finally:
            await stream.aclose()

    async def watched(url: str) -> None:
        task = asyncio.create_task(use(url))
        await asyncio.sleep(dice.random() * 0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with ScriptedServer([script], repeat_last=True) as server:
        for _ in range(20):
            await asyncio.gather(*(watched(server.url) for _ in range(10)))
        homes = list(transport._pool._by_loop.values())
        await transport.aclose()

    assert [len(home._in_use) for home in homes] == [0]
    assert len(asyncio.all_tasks()) == tasks


# Threads, loops, processes


def test_first_use_in_a_thread_that_ends_harms_no_other() -> None:
    transport = HttpTransport(Network(proxy=None))
    bodies: list[bytes] = []
    with ScriptedServer([answer(200, b"ok")], repeat_last=True) as server:

        def use() -> None:
            bodies.append(transport.execute(get(server.url), PATIENCE).body)

        for _ in range(2000):
            thread = threading.Thread(target=use)
            thread.start()
            thread.join()
        transport.close()

        assert len(server.connections) == 1
    assert bodies == [b"ok"] * 2000


def test_several_loops_in_threads_share_a_transport() -> None:
    transport = AsyncHttpTransport(Network(proxy=None, max_connections=4))
    bodies: list[bytes] = []

    async def use(url: str) -> None:
        async def once() -> None:
            bodies.append((await transport.execute(get(url), PATIENCE)).body)

        await asyncio.gather(*(once() for _ in range(20)))

    with ScriptedServer([answer(200, b"ok")], repeat_last=True) as server:
        threads = [threading.Thread(target=lambda: asyncio.run(use(server.url))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert bodies == [b"ok"] * 80


def fetch(url: str) -> bytes:
    return HttpTransport(Network(proxy=None)).execute(get(url), PATIENCE).body


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_workers_of_every_kind_make_calls(method: str) -> None:
    with ScriptedServer([answer(200, b"ok")], repeat_last=True) as server:
        assert fetch(server.url) == b"ok"
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(fetch, [server.url] * 4) == [b"ok"] * 4


def run_with_uvloop(main: Callable[[], Any]) -> Any:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def test_streams_and_pools_work_under_uvloop() -> None:
    transport = AsyncHttpTransport(Network(proxy=None))
    gate = Gate()
    held = [Send(sse_head()), Send(chunk(b"x")), WaitFor(gate), Send(last_chunk())]

    async def main() -> list[bytes | None]:
        first = await transport.execute(get(server.url), PATIENCE)
        stream = await transport.stream(get(server.url), PATIENCE)
        read = [first.body, await stream.read_chunk()]
        gate.set()
        read.append(await stream.read_chunk())
        await transport.aclose()
        return read

    with ScriptedServer([answer(200, b"ok"), held]) as server:
        assert run_with_uvloop(main) == [b"ok", b"x", None]
        assert len(server.connections) == 1


PROGRAM = """
import asyncio, sys
from codex_api.transport import AsyncHttpTransport, Headers, HttpTransport, Request
from codex_api.transport.network import Network

request = Request(method="GET", url=sys.argv[1], headers=Headers())
blocking = HttpTransport(Network(proxy=None))
left_open = blocking.stream(request, 10)
left_open.read_chunk(10)
shared = AsyncHttpTransport(Network(proxy=None))

async def main():
    stream = await shared.stream(request, 10)
    await stream.read_chunk()
    return stream

for _ in range(2):
    kept = asyncio.run(main())
"""


@pytest.mark.slow
def test_program_may_end_with_open_streams_and_no_warning() -> None:
    script = [Send(sse_head()), Send(chunk(b"x")), Hang()]
    with ScriptedServer([script], repeat_last=True) as server:
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM, server.url]
        ended = subprocess.run(command, check=False, capture_output=True, timeout=50)  # noqa: S603 - ours

    assert ended.stderr == b""
    assert ended.returncode == 0


def open_handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


counts_handles = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="counts handles in /proc"
)
HELD = [Send(sse_head()), Send(chunk(b"x")), Hang()]


@counts_handles
def test_streams_that_are_left_early_leave_no_handle() -> None:
    transport = HttpTransport(Network(proxy=None))
    with ScriptedServer([HELD], repeat_last=True) as server:
        before = open_handles()
        for number in range(20):
            transport.stream(get(server.url), PATIENCE).close()
            server.wait_for_disconnect(number)
        transport.close()
        left = open_handles() - before

    # The server may not have closed its own end of the last one yet.
    assert left <= 1


@pytest.mark.anyio
async def test_stream_that_is_forgotten_gives_its_connection_up(front: Front) -> None:
    transport = transport_of(front, max_connections=1)
    with ScriptedServer([HELD, answer(200, b"ok")]) as server:
        stream = await front(transport.stream, get(server.url), PATIENCE)
        del stream
        gc.collect()
        # The only connection there may be is free again.
        response = await front(transport.execute, get(server.url), PATIENCE)
        assert await asyncio.to_thread(server.wait_for_disconnect, 0, timeout=PATIENCE)
        await close(front, transport)

    assert response.body == b"ok"


# The timer of a connection, which serves one exchange after the other


@pytest.mark.anyio
async def test_limit_is_kept_after_an_exchange_with_another_limit(front: Front) -> None:
    transport = transport_of(front)
    for before in (PATIENCE, None, 0.2):
        with ScriptedServer([answer(200, b"ok"), [Hang()]]) as server:
            await front(transport.execute, get(server.url), before)
            with pytest.raises(TransportTimeoutError, match=r"within 0\.05 s"):
                await front(transport.execute, get(server.url), 0.05)

            assert len(server.connections) == 1
    await close(front, transport)


@pytest.mark.anyio
async def test_limit_of_a_finished_exchange_does_not_end_the_next_one() -> None:
    transport = AsyncHttpTransport(Network(proxy=None))
    slow = [Pause(0.3), *answer(200, b"late")]
    with ScriptedServer([answer(200, b"ok"), slow, slow]) as server:
        await transport.execute(get(server.url), 0.2)
        responses = [await transport.execute(get(server.url), limit) for limit in (None, PATIENCE)]

        assert [response.body for response in responses] == [b"late", b"late"]
        assert len(server.connections) == 1
    await transport.aclose()


@pytest.mark.parametrize("limit", [0.05, 1.2])  # shorter and longer than a read waits by itself
def test_blocking_read_ends_at_its_limit_and_goes_on_afterwards(limit: float) -> None:
    gate = Gate()
    script = [Send(sse_head()), Send(chunk(b"x")), WaitFor(gate), Send(chunk(b"y") + last_chunk())]
    transport = HttpTransport(Network(proxy=None))
    with ScriptedServer([script]) as server:
        stream = transport.stream(get(server.url), PATIENCE)

        assert stream.read_chunk(PATIENCE) == b"x"
        with pytest.raises(TransportTimeoutError):
            stream.read_chunk(limit)
        gate.set()
        assert stream.read_chunk(PATIENCE) == b"y"
        assert stream.read_chunk(PATIENCE) is None
    transport.close()
