from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import OutsideWorldError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front


class Numbers:
    def double(self, value: int) -> int:
        return value * 2

    def __iter__(self) -> Iterator[int]:
        return iter((1, 2, 3))

    @contextmanager
    def scope(self, log: list[str]) -> Iterator[str]:
        try:
            yield "value"
        except ValueError:
            log.append("error")
            raise
        finally:
            log.append("left")


class AsyncNumbers:
    async def double(self, value: int) -> int:
        return value * 2

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in (1, 2, 3):
            yield number

    @asynccontextmanager
    async def scope(self, log: list[str]) -> AsyncIterator[str]:
        try:
            yield "value"
        except ValueError:
            log.append("error")
            raise
        finally:
            log.append("left")


@pytest.fixture
def numbers(front: Front) -> Any:
    return front.pick(Numbers, AsyncNumbers)()


@pytest.mark.anyio
async def test_one_body_calls_both_fronts(front: Front, numbers: Any) -> None:
    assert await front(numbers.double, 4) == 8
    assert await front(numbers.double, value=4) == 8


@pytest.mark.anyio
async def test_one_body_iterates_both_fronts(front: Front, numbers: Any) -> None:
    assert [number async for number in front.iterate(numbers)] == [1, 2, 3]


@pytest.mark.anyio
async def test_an_error_passes_through_the_context_manager(front: Front, numbers: Any) -> None:
    log: list[str] = []

    with pytest.raises(ValueError, match="boom"):  # noqa: PT012 - the block is the subject
        async with front.entering(numbers.scope(log)) as value:
            assert value == "value"
            raise ValueError("boom")

    assert log == ["error", "left"]


@pytest.mark.anyio
async def test_a_blocking_call_leaves_the_loop_free(front: Front) -> None:
    """A sync front in the test's own thread would deadlock against an in-process server."""
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def block() -> float:
        loop.call_soon_threadsafe(started.set)
        deadline = time.monotonic() + 5
        while not released and time.monotonic() < deadline:
            time.sleep(0.001)
        return deadline - time.monotonic()

    async def wait() -> float:
        started.set()
        return 1.0

    released: list[bool] = []
    task = asyncio.ensure_future(front(front.pick(block, wait)))
    await started.wait()
    released.append(True)

    assert await task > 0


def test_sockets_cannot_leave_the_machine() -> None:
    with socket.socket() as sock, pytest.raises(OutsideWorldError):
        sock.connect(("192.0.2.1", 80))


def test_loopback_sockets_connect() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()
