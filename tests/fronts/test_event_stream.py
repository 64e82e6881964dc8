"""Reading and closing at the same time, over each of the things that events come over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread

from codex_api import (
    AsyncClient,
    Client,
    Network,
    Provider,
    ResponsesApiRequest,
    RetryConfig,
    errors,
    events,
)
from codex_api.items import Message
from codex_api.testing.actions import AcceptWebSocket, Hang, ReadMessage, SendMessage, stream
from codex_api.testing.scripted import ScriptedServer
from tests.front import Front

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

PATIENCE = 10.0
TRIES = 50
REQUEST = ResponsesApiRequest(model="m", input=[Message.user("hi")])
CREATED = {"type": "response.created", "response": {"id": "resp_1"}}
DELTA = {"type": "response.output_text.delta", "delta": "Hi"}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1"}}
CARRIERS = ["http", "websocket", "session"]


def client(front: Front, server: ScriptedServer) -> Any:
    provider = Provider("test", server.url, retry=RetryConfig(max_attempts=0))
    return front.pick(Client, AsyncClient)(provider, network=Network(proxy=None))


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def server_of(carrier: str, *payloads: dict[str, Any], times: int = 1) -> ScriptedServer:
    """Send ``payloads`` and nothing more, on each of ``times`` connections."""
    if carrier == "http":
        return ScriptedServer([stream(list(payloads), end="hang")], repeat_last=True)
    turn = [AcceptWebSocket(), ReadMessage(), *map(SendMessage, payloads), Hang()]
    return ScriptedServer(connections=[turn for _ in range(times)])


class Source:
    """Streams of one carrier, and what has to be closed with them."""

    def __init__(self, front: Front, api: Any, carrier: str) -> None:
        self._front = front
        self._api = api
        self._carrier = carrier
        self._open: list[Any] = []

    async def __call__(self) -> Any:
        front, responses = self._front, self._api.responses
        if self._carrier == "http":
            return responses.stream(REQUEST)
        if self._carrier == "session":
            session = self._api.session()
            self._open.append(session)
            return session.stream(REQUEST)
        if front.is_async:
            socket = await responses.connect()
        else:
            socket = await to_thread.run_sync(responses.connect)
        self._open.append(socket)
        return socket.stream(REQUEST)

    async def close(self) -> None:
        for one in self._open:
            await self._front(one.close)


async def outcome_of(front: Front, opened: Any, heard: Callable[[], None]) -> object:
    """Read to the end and say what came of it; each event is told to ``heard``."""
    try:
        async with front.entering(opened):
            async for _ in front.iterate(opened):
                heard()
    except errors.ClientStateError as exc:
        return str(exc)
    except Exception as exc:  # noqa: BLE001 - what the test is about
        return exc
    return "the end"


async def test_closing_from_elsewhere_ends_the_reader_whatever_it_is_doing(
    front: Front, carrier: str
) -> None:
    """Half of the tries close while an event is handed out, half while the next is waited for."""
    outcomes = []
    with server_of(carrier, CREATED, *[DELTA] * 20, times=TRIES) as server:
        async with front.entering(client(front, server)) as api:
            source = Source(front, api, carrier)
            for attempt in range(TRIES):
                opened = await source()
                loop, seen, begun = asyncio.get_running_loop(), [0], asyncio.Event()

                def heard(
                    seen: list[int] = seen,
                    begun: asyncio.Event = begun,
                    last: int = 21 if attempt % 2 else 1 + attempt % 20,
                ) -> None:
                    seen[0] += 1
                    if seen[0] == last:
                        begun.set()

                reader = loop.create_task(outcome_of(front, opened, heard))
                async with asyncio.timeout(PATIENCE):
                    await begun.wait()
                    await front(opened.close)
                    outcomes.append(await reader)
            await source.close()

    assert set(outcomes) == {
        "the response stream is closed; call stream() again for another response"
    }


async def test_a_collected_response_is_never_a_part(front: Front, carrier: str) -> None:
    outcomes = []
    with server_of(carrier, CREATED, DELTA, times=TRIES) as server:
        async with front.entering(client(front, server)) as api:
            source = Source(front, api, carrier)
            for _ in range(TRIES):
                opened = await source()
                reader = asyncio.ensure_future(front(opened.collect))
                async with asyncio.timeout(PATIENCE):
                    await asyncio.sleep(0)
                    await front(opened.close)
                    with pytest.raises(errors.ClientStateError) as caught:
                        await reader
                outcomes.append(caught.value)
            await source.close()

    assert len(outcomes) == TRIES


async def test_a_second_reader_is_told_that_there_is_one(front: Front, carrier: str) -> None:
    with server_of(carrier, CREATED) as server:
        async with front.entering(client(front, server)) as api:
            source = Source(front, api, carrier)
            opened = await source()
            async with front.entering(opened):
                await until_created(front, opened)
                first = asyncio.ensure_future(outcome_of_next(front, opened))
                await reading(opened)
                with pytest.raises(errors.ClientStateError, match="one reader at a time"):
                    await next_of(front, opened)
                with pytest.raises(errors.ClientStateError, match="one reader at a time"):
                    await front(opened.collect)
                await front(opened.close)
                outcome = await first
            await source.close()

    assert "closed" in str(outcome)


async def until_created(front: Front, opened: Any) -> None:
    while not isinstance(await next_of(front, opened), events.Created):
        pass


async def reading(opened: Any) -> None:
    while not opened._reader.locked():  # noqa: ASYNC110 - the state itself is what is waited for
        await asyncio.sleep(0)


async def next_of(front: Front, opened: Any) -> Any:
    return await (anext(opened) if front.is_async else front(next, opened))


async def outcome_of_next(front: Front, opened: Any) -> object:
    try:
        return await next_of(front, opened)
    except errors.ClientStateError as exc:
        return exc


async def test_a_complete_response_outlives_its_closing(front: Front, carrier: str) -> None:
    with server_of(carrier, CREATED, DELTA, COMPLETED) as server:
        async with front.entering(client(front, server)) as api:
            source = Source(front, api, carrier)
            opened = await source()
            async with front.entering(opened):
                seen = [event async for event in front.iterate(opened)]
                await front(opened.close)
                with pytest.raises(errors.ClientStateError, match="read to its end"):
                    await front(opened.collect)
            await source.close()

    assert seen[-1] == events.Completed("resp_1")


async def test_what_failed_once_is_not_silent_later(front: Front) -> None:
    with ScriptedServer([stream([CREATED], end="truncated")]) as server:
        async with (
            front.entering(client(front, server)) as api,
            front.entering(api.responses.stream(REQUEST)) as opened,
        ):
            with pytest.raises(errors.StreamClosedError):
                await front(opened.collect)
            with pytest.raises(errors.ClientStateError, match="ended with an error"):
                await next_of(front, opened)
            with pytest.raises(errors.ClientStateError, match="ended with an error"):
                await front(opened.collect)


async def test_a_stream_that_was_closed_unopened_does_not_open(front: Front, carrier: str) -> None:
    with server_of(carrier, CREATED) as server:
        async with front.entering(client(front, server)) as api:
            source = Source(front, api, carrier)
            opened = await source()
            await front(opened.close)
            with pytest.raises(errors.ClientStateError, match="opened once"):
                await front(opened.__aenter__ if front.is_async else opened.__enter__)
            await source.close()


async def test_another_event_loop_can_close_a_stream(carrier: str) -> None:
    with server_of(carrier, CREATED) as server:
        api = AsyncClient(
            Provider("test", server.url, retry=RetryConfig(max_attempts=0)),
            network=Network(proxy=None),
        )
        front = Front("async")
        async with api:
            source = Source(front, api, carrier)
            opened = await source()
            async with opened:
                await until_created(front, opened)
                reader = asyncio.ensure_future(outcome_of_next(front, opened))
                await reading(opened)
                async with asyncio.timeout(PATIENCE):
                    await to_thread.run_sync(lambda: asyncio.run(opened.close()))
                    outcome = await reader
            await source.close()

    assert isinstance(outcome, errors.ClientStateError)
    assert "closed" in str(outcome)


async def test_another_event_loop_cannot_read_a_stream(carrier: str) -> None:
    with server_of(carrier, CREATED) as server:
        api = AsyncClient(
            Provider("test", server.url, retry=RetryConfig(max_attempts=0)),
            network=Network(proxy=None),
        )
        async with api:
            source = Source(Front("async"), api, carrier)
            opened = await source()

            async def read() -> Any:
                return await anext(opened)

            async with opened:
                await until_created(Front("async"), opened)
                with pytest.raises(errors.ClientStateError, match="event loop"):
                    await to_thread.run_sync(lambda: asyncio.run(read()))
            await source.close()
