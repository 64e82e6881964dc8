"""From the first use of a client to its end, and every early end in between."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread

from codex_api import (
    AsyncClient,
    Client,
    Network,
    Provider,
    RealtimeSessionConfig,
    RetryConfig,
    Telemetry,
    Timeouts,
    errors,
    events,
)
from codex_api.testing.actions import Hang, Open, Send, WaitFor, answer, stream
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, last_chunk, sse_comment, sse_event, sse_head
from codex_api.transport import Headers, Response
from tests.fronts.simple_calls import (
    COMPLETED,
    DELTA,
    PATIENCE,
    REQUEST,
    FakeClock,
    client_of,
    collected,
    provider,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.transport import Request
    from tests.front import Front

pytestmark = pytest.mark.anyio


class FakeStream:
    """A streamed answer whose every read ends at once."""

    status = 200
    headers = Headers({"content-type": "text/event-stream"})

    def __init__(self, chunks: list[bytes], *, endless: bool = False) -> None:
        self.chunks = chunks
        self.endless = endless
        self.closed = False

    def next_chunk(self) -> bytes | None:
        if self.endless:
            return self.chunks[0]
        return self.chunks.pop(0) if self.chunks else None


class BlockingStream(FakeStream):
    def read_chunk(self, _timeout: float | None = None) -> bytes | None:
        return self.next_chunk()

    def close(self) -> None:
        self.closed = True


class AwaitedStream(FakeStream):
    async def read_chunk(self) -> bytes | None:
        return self.next_chunk()

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed = True


class BlockingTransport:
    def __init__(self, opened: Any) -> None:
        self.opened = opened
        self.closed = False

    def execute(self, _request: Request, _timeout: float | None = None) -> Response:
        return Response(200, Headers(), b'{"models":[]}')

    def stream(self, _request: Request, _timeout: float | None = None) -> Any:
        return self.opened

    def close(self) -> None:
        self.closed = True


class AwaitedTransport(BlockingTransport):
    async def execute(self, request: Request, timeout: float | None = None) -> Any:  # type: ignore[override]
        return super().execute(request, timeout)

    async def stream(self, request: Request, timeout: float | None = None) -> Any:
        return super().stream(request, timeout)

    async def aclose(self) -> None:
        self.closed = True


def faked(front: Front, chunks: list[bytes], *, endless: bool = False) -> Any:
    opened = front.pick(BlockingStream, AwaitedStream)(chunks, endless=endless)
    return front.pick(BlockingTransport, AwaitedTransport)(opened)


def on_fake(front: Front, transport: Any, where: Provider | None = None, **options: Any) -> Any:
    return client_of(
        front, where or Provider("test", "http://h/v1"), transport=transport, **options
    )


# Closing


async def test_nothing_is_connected_before_the_first_call(front: Front) -> None:
    with ScriptedServer([stream([COMPLETED])]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            client.responses.stream(REQUEST)
            assert (client.models, client.files, client.images) is not None

        assert server.connections == []


async def test_a_closed_client_makes_no_call_of_any_kind(front: Front) -> None:
    with ScriptedServer([]) as server:
        client = client_of(front, provider(server))
        opened = client.responses.stream(REQUEST)
        await front(client.close)
        await front(client.close)
        calls: list[Callable[[], Any]] = [
            opened.collect,
            client.responses.stream(REQUEST).collect,
            client.models.list,
            client.responses.connect,
            client.responses.probe,
            lambda: client.realtime.connect(RealtimeSessionConfig(instructions="i")),
        ]
        for call in calls:
            with pytest.raises(errors.ClientStateError, match="make a new one"):
                await front(call)

        assert server.connections == []


async def test_a_client_is_closed_when_its_block_ends(front: Front) -> None:
    with ScriptedServer([]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            pass

        with pytest.raises(errors.ClientStateError):
            await front(client.models.list)


async def test_a_transport_of_the_callers_own_outlives_the_client(front: Front) -> None:
    transport = faked(front, [sse_event(COMPLETED)])
    client = on_fake(front, transport)
    await front(client.close)

    assert not transport.closed
    with pytest.raises(errors.ClientStateError, match="make a new one"):
        await front(client.responses.stream(REQUEST).collect)
    async with front.entering(on_fake(front, transport)) as another:
        assert (await front(another.responses.stream(REQUEST).collect)).id == "resp_1"


async def test_an_open_stream_outlives_its_client(front: Front) -> None:
    gate = Gate()
    script = [Send(sse_head()), WaitFor(gate), Send(chunk(sse_event(COMPLETED)))]
    with ScriptedServer([[*script, Send(last_chunk())]]) as server:
        client = client_of(front, provider(server))
        async with front.entering(client.responses.stream(REQUEST)) as opened:
            await front(client.close)
            gate.set()

            assert (await front(opened.collect)).id == "resp_1"


async def test_closing_a_stream_twice_is_fine(front: Front) -> None:
    with ScriptedServer([stream([DELTA], end="hang")]) as server:
        async with (
            front.entering(client_of(front, provider(server))) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            await front(opened.close)
            await front(opened.close)
            await to_thread.run_sync(server.wait_for_disconnect)


async def test_a_stream_that_was_never_opened_can_be_closed(front: Front) -> None:
    async with front.entering(on_fake(front, faked(front, []))) as client:
        opened = client.responses.stream(REQUEST)
        await front(opened.close)

        for look in ("headers", "request_id", "rate_limits", "turn_state"):
            with pytest.raises(errors.ClientStateError, match="not open"):
                getattr(opened, look)
        assert opened.last_sequence_number is None


async def test_closing_while_the_reader_lets_go_disturbs_nobody() -> None:
    """The reader is past its last event and waits for the connection to be closed."""
    closing, closed = asyncio.Event(), asyncio.Event()

    class Slow(AwaitedStream):
        async def aclose(self) -> None:
            closing.set()
            await closed.wait()

    transport = AwaitedTransport(Slow([sse_event(DELTA) + sse_event(COMPLETED)]))
    async with AsyncClient(Provider("test", "http://h/v1"), transport=transport) as client:
        opened = client.responses.stream(REQUEST)
        reader = asyncio.create_task(opened.collect())
        await closing.wait()
        closer = asyncio.create_task(opened.close())
        await asyncio.sleep(0)
        closed.set()
        await closer

        assert (await reader).text == "Hi"


# Streams that were given up


def test_an_abandoned_reader_is_closed_when_it_is_collected() -> None:
    with ScriptedServer([stream([DELTA], end="hang")]) as server:
        client = Client(provider(server), network=Network(proxy=None))
        opened = client.responses.stream(REQUEST).__enter__()
        while not isinstance(next(opened), events.OutputTextDelta):
            pass
        del opened
        gc.collect()

        server.wait_for_disconnect()
        client.close()


async def test_an_abandoned_asynchronous_reader_is_closed_when_it_is_collected() -> None:
    with ScriptedServer([stream([DELTA], end="hang")]) as server:
        client = AsyncClient(provider(server), network=Network(proxy=None))
        opened = await client.responses.stream(REQUEST).__aenter__()
        while not isinstance(await anext(opened), events.OutputTextDelta):
            pass
        del opened
        gc.collect()
        await asyncio.sleep(0)  # it is let go by a task

        await to_thread.run_sync(server.wait_for_disconnect)
        await client.close()


def test_a_reader_left_behind_by_its_event_loop_is_closed_with_the_loop() -> None:
    with ScriptedServer([stream([DELTA], end="hang")]) as server:
        client = AsyncClient(provider(server), network=Network(proxy=None))

        async def leave() -> Any:
            opened = client.responses.stream(REQUEST)
            await opened.__aenter__()
            async for event in opened:
                if isinstance(event, events.OutputTextDelta):
                    return opened
            return None

        opened = asyncio.run(leave())
        server.wait_for_disconnect()
        asyncio.run(opened.close())
        asyncio.run(client.close())


def test_a_reader_outlives_another_loop_of_its_thread_and_ends_with_its_own() -> None:
    with ScriptedServer([stream([DELTA], end="hang"), stream([DELTA, COMPLETED])]) as server:
        client = AsyncClient(provider(server), network=Network(proxy=None))
        own, other = asyncio.new_event_loop(), asyncio.new_event_loop()
        opened = own.run_until_complete(client.responses.stream(REQUEST).__aenter__())
        assert other.run_until_complete(client.responses.stream(REQUEST).collect()).text == "Hi"
        gc.collect()

        while not isinstance(own.run_until_complete(anext(opened)), events.OutputTextDelta):
            pass
        own.run_until_complete(own.shutdown_asyncgens())
        server.wait_for_disconnect()
        own.run_until_complete(opened.close())
        own.run_until_complete(client.close())
        for loop in (own, other):
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


async def test_an_error_of_the_caller_closes_the_connection(front: Front) -> None:
    with ScriptedServer([stream([DELTA], end="hang")]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(ZeroDivisionError):  # noqa: PT012 - a block is what is tested
                async with front.entering(client.responses.stream(REQUEST)) as opened:
                    async for _ in front.iterate(opened):
                        raise ZeroDivisionError
            await to_thread.run_sync(server.wait_for_disconnect)


async def test_a_hook_that_raises_closes_the_connection(front: Front) -> None:
    class Failing(Telemetry):
        def on_request(self, *_: object) -> None:
            raise errors.CodexApiError("stop")

    with ScriptedServer([stream([DELTA], end="hang")]) as server:
        async with front.entering(
            client_of(front, provider(server), telemetry=Failing())
        ) as client:
            with pytest.raises(errors.CodexApiError, match="stop"):
                await front(client.responses.stream(REQUEST).collect)
            await to_thread.run_sync(server.wait_for_disconnect)


# Cancelling


class Stages(FakeClock):
    """Auth and clock that tell when a stage is reached, and then wait forever."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self.stage = stage
        self.reached = asyncio.Event()

    def add_auth_headers(self, headers: Headers) -> None:
        raise NotImplementedError

    async def apply_auth(self, request: Request) -> Request:
        await self._wait("sign")
        return request

    async def refresh(self) -> bool:
        await self._wait("refresh")
        return False

    async def sleep_async(self, _delay: float, /) -> None:
        await self._wait("retry")

    async def _wait(self, stage: str) -> None:
        if stage == self.stage:
            self.reached.set()
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("stage", "refusal", "requests"), [("sign", 401, 0), ("refresh", 401, 1), ("retry", 503, 1)]
)
async def test_cancelling_between_requests_makes_no_more_of_them(
    stage: str, refusal: int, requests: int
) -> None:
    stages = Stages(stage)
    with ScriptedServer([answer(refusal)], repeat_last=True) as server:
        client = AsyncClient(
            provider(server, retry=RetryConfig()),
            stages,
            network=Network(proxy=None),
            clock=stages,
        )
        async with client:
            task = asyncio.create_task(client.responses.stream(REQUEST).collect())
            await stages.reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        assert len(server.requests) == requests


async def test_cancelling_while_a_refusal_is_read_closes_the_connection() -> None:
    reading = asyncio.Event()

    class Refusal(AwaitedStream):
        status = 500

        async def read_chunk(self) -> bytes | None:
            reading.set()
            await asyncio.Event().wait()
            return None

    refusal = Refusal([])
    transport = AwaitedTransport(refusal)
    async with AsyncClient(Provider("test", "http://h/v1"), transport=transport) as client:
        task = asyncio.create_task(client.responses.stream(REQUEST).collect())
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert refusal.closed


@pytest.mark.parametrize("stage", ["head", "body", "whole"])
async def test_cancelling_is_not_lost_when_the_answer_comes_in_the_same_instant(
    stage: str,
) -> None:
    """The engine swallows a cancellation when it has a result: the loop is held up until then."""
    gate, sent = Gate(), Gate()
    head = [Send(sse_head()), Send(chunk(sse_event(DELTA)))]
    script = {
        "head": [WaitFor(gate), *head, Open(sent), Hang()],
        "body": [*head, WaitFor(gate), Send(chunk(sse_event(DELTA))), Open(sent), Hang()],
        "whole": [WaitFor(gate), *answer(200, {"models": []}), Open(sent), Hang()],
    }[stage]
    for _ in range(3):
        gate.clear()
        sent.clear()
        with ScriptedServer([script]) as server:
            async with AsyncClient(provider(server), network=Network(proxy=None)) as client:
                call = client.models.list if stage == "whole" else None
                task = asyncio.create_task(
                    call() if call else client.responses.stream(REQUEST).collect()
                )
                await to_thread.run_sync(server.wait_for_requests, 1)
                await asyncio.sleep(0.02)  # so that "body" is likely past its head
                gate.set()
                sent.wait(PATIENCE)
                time.sleep(0.02)  # noqa: ASYNC251 - the engine's thread gets ahead of the loop
                task.cancel()

                with pytest.raises(asyncio.CancelledError):
                    await task


async def test_cancelling_before_the_head_makes_no_more_attempts() -> None:
    """The engine keeps the connection until the answer begins: see the adapter's tests."""
    gate = Gate()
    with ScriptedServer([[WaitFor(gate), *answer(503)]], repeat_last=True) as server:
        async with AsyncClient(provider(server), network=Network(proxy=None)) as client:
            task = asyncio.create_task(client.responses.stream(REQUEST).collect())
            await to_thread.run_sync(server.wait_for_requests, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            gate.set()

        assert len(server.requests) == 1


async def test_a_timeout_of_the_callers_own_is_the_callers() -> None:
    with ScriptedServer([stream([DELTA], end="hang")]) as server:
        async with AsyncClient(provider(server), network=Network(proxy=None)) as client:
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.1):
                    await client.responses.stream(REQUEST).collect()
            await to_thread.run_sync(server.wait_for_disconnect)

    assert not isinstance(caught.value, errors.CodexApiError)


# Readers that are slow, and servers that are fast


class LeapingClock(FakeClock):
    """The machine's time, and what a test adds to it."""

    leap = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.leap


async def test_what_nobody_asks_for_is_not_read(front: Front) -> None:
    piece = chunk(sse_event({**DELTA, "delta": "x" * (1 << 18)}))
    with ScriptedServer([[Send(sse_head()), *[Send(piece)] * 400, Hang()]]) as server:
        async with (
            front.entering(client_of(front, provider(server))) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            async for event in front.iterate(opened):
                if isinstance(event, events.OutputTextDelta):
                    break
            (connection,) = server.connections
            played = -1
            while connection.actions_played != played:  # until the server can send no more
                played = connection.actions_played
                await asyncio.sleep(0.1)

    assert played < 200


async def test_time_before_the_first_look_is_not_taken_for_a_stall(front: Front) -> None:
    gate = Gate()
    script = [Send(sse_head()), WaitFor(gate), Send(chunk(sse_event(COMPLETED)))]
    with ScriptedServer([[*script, Send(last_chunk())]]) as server:
        async with (
            front.entering(client_of(front, provider(server, stream_idle_timeout=0.3))) as client,
            front.entering(client.responses.stream(REQUEST)) as opened,
        ):
            await asyncio.sleep(0.4)
            opening = asyncio.get_running_loop().call_later(0.05, gate.set)
            received = await collected(front, opened)
            opening.cancel()

    assert received[-1] == events.Completed("resp_1")


def test_a_blocked_event_loop_is_not_the_servers_silence() -> None:
    going_on, sent = Gate(), Gate()
    rest = Send(chunk(sse_event(DELTA)) + chunk(sse_event(COMPLETED)) + last_chunk())
    script = [Send(sse_head()), Send(chunk(sse_event(DELTA))), WaitFor(going_on), rest, Open(sent)]

    async def main(server: ScriptedServer) -> str:
        where = provider(server, stream_idle_timeout=0.3)
        async with AsyncClient(where, network=Network(proxy=None)) as client:
            opened = client.responses.stream(REQUEST)
            reader = asyncio.ensure_future(opened.collect())
            while not opened._reader.locked():  # noqa: ASYNC110 - the state itself is waited for
                await asyncio.sleep(0)
            going_on.set()
            assert sent.wait(PATIENCE)
            time.sleep(0.5)  # noqa: ASYNC251 - what holds the loop up, past the limit
            return (await reader).text

    with ScriptedServer([[*script, Hang()]]) as server:
        assert asyncio.run(main(server)) == "HiHi"


async def test_what_arrived_in_time_counts_when_it_is_read_late(front: Front) -> None:
    going_on, sent = Gate(), Gate()
    rest = Send(chunk(sse_event(DELTA)) + chunk(sse_event(COMPLETED)) + last_chunk())
    script = [Send(sse_head()), Send(chunk(sse_event(DELTA))), WaitFor(going_on), rest, Open(sent)]
    clock = LeapingClock()
    with ScriptedServer([[*script, Hang()]]) as server:
        limits = Timeouts(total=50.0, first_event=None)
        api = client_of(front, provider(server), clock=clock, timeouts=limits)
        async with front.entering(api), front.entering(api.responses.stream(REQUEST)) as opened:
            received = []
            async for event in front.iterate(opened):
                received.append(event)
                if isinstance(event, events.OutputTextDelta) and not clock.leap:
                    going_on.set()
                    await to_thread.run_sync(sent.wait)
                    clock.leap = 100.0

    assert received[-1] == events.Completed("resp_1")


@pytest.mark.parametrize(
    ("data", "limits", "idle", "kind"),
    [
        (sse_comment(), Timeouts(), 0.05, errors.IdleTimeoutError),
        (sse_comment(), Timeouts(first_event=0.05), 300.0, errors.FirstEventTimeoutError),
        (sse_event(DELTA), Timeouts(total=0.05), 300.0, errors.DeadlineExceededError),
    ],
    ids=["comments-idle", "comments-first", "events-total"],
)
async def test_a_server_that_never_pauses_cannot_outrun_the_limits(
    front: Front, data: bytes, limits: Timeouts, idle: float, kind: type[Exception]
) -> None:
    transport = faked(front, [data], endless=True)
    where = Provider("test", "http://h/v1", stream_idle_timeout=idle)
    async with front.entering(on_fake(front, transport, where, timeouts=limits)) as client:
        with pytest.raises(kind):
            await front(client.responses.stream(REQUEST).collect)

    assert transport.opened.closed


async def test_two_readers_that_start_at_once_do_not_both_get_events() -> None:
    with ScriptedServer([stream([], end="hang")]) as server:
        async with (
            AsyncClient(provider(server), network=Network(proxy=None)) as client,
            client.responses.stream(REQUEST) as opened,
        ):
            await anext(opened)
            first = asyncio.create_task(anext(opened))
            await asyncio.sleep(0)
            with pytest.raises(errors.ClientStateError, match="one reader"):
                aiter(opened)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first


def test_a_second_thread_is_told_that_a_stream_has_one_reader() -> None:
    with (
        ScriptedServer([stream([], end="hang")]) as server,
        Client(provider(server), network=Network(proxy=None)) as client,
        client.responses.stream(REQUEST) as opened,
    ):
        next(opened)
        ends: list[type[Exception]] = []

        def wait() -> None:
            try:
                next(opened)
            except errors.ClientStateError as exc:
                ends.append(type(exc))

        reader = threading.Thread(target=wait)
        reader.start()
        while not opened._reader.locked():
            time.sleep(0.001)
        for look in (iter, next):
            with pytest.raises(errors.ClientStateError, match="one reader"):
                look(opened)
        opened.close()
        reader.join(PATIENCE)

    assert ends == [errors.ClientStateError]


# Threads, loops, processes


def test_threads_stream_at_the_same_time_through_one_client() -> None:
    """Each stream ends only when all have begun, so none can have waited for another."""
    gate, begun = Gate(), threading.Barrier(8)
    script = [Send(sse_head()), Send(chunk(sse_event(DELTA))), WaitFor(gate)]
    script += [Send(chunk(sse_event(COMPLETED))), Send(last_chunk())]
    answers: list[str] = []
    with (
        ScriptedServer([script], repeat_last=True) as server,
        Client(provider(server), network=Network(proxy=None)) as client,
    ):

        def ask() -> None:
            with client.responses.stream(REQUEST) as opened:
                next(opened)
                text = next(opened)
                begun.wait(PATIENCE)
                gate.set()
                list(opened)
            answers.append(text.delta if isinstance(text, events.OutputTextDelta) else "")

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)

    assert answers == ["Hi"] * 8


def test_two_event_loops_use_one_client_at_the_same_time() -> None:
    answers: list[str] = []
    with ScriptedServer([stream([DELTA, COMPLETED])], repeat_last=True) as server:
        client = AsyncClient(provider(server), network=Network(proxy=None))

        async def ask() -> None:
            for _ in range(5):
                response = await client.responses.stream(REQUEST).collect()
                answers.append(response.text)

        threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        asyncio.run(client.close())

    assert answers == ["Hi"] * 10


def test_blocking_calls_work_inside_a_running_loop() -> None:
    with ScriptedServer([stream([DELTA, COMPLETED])]) as server:

        async def ask() -> str:
            with Client(provider(server), network=Network(proxy=None)) as client:
                return client.responses.stream(REQUEST).collect().text

        assert asyncio.run(ask()) == "Hi"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("used", [False, True])
def test_a_client_works_in_a_child_process_too(*, used: bool) -> None:
    """Whether or not the parent used it before, and closing it there harms nobody."""
    with ScriptedServer([stream([COMPLETED])], repeat_last=True) as server:
        client = Client(provider(server), network=Network(proxy=None))
        if used:
            client.responses.stream(REQUEST).collect()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = 0 if client.responses.stream(REQUEST).collect().id == "resp_1" else 2
                client.close()
            finally:
                os._exit(code)
        deadline = time.monotonic() + PATIENCE
        while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0:
            assert time.monotonic() < deadline, "the child hangs"
            time.sleep(0.01)

        assert os.waitstatus_to_exitcode(ended[1]) == 0
        assert client.responses.stream(REQUEST).collect().id == "resp_1"
        client.close()
