"""HTTP over ``pyreqwest``, for asyncio and for blocking code.

Both fronts use the engine's async client. The blocking one drives the engine's coroutines itself,
through ``BlockingDriver``, since the engine's own blocking client cannot be interrupted: neither a
signal nor a deadline nor a close from another thread ends its wait for a silent server
(docs/adr/0002).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

from pyreqwest import exceptions as engine_errors

from codex_api.transport._core.messages import Response
from codex_api.transport.blocking import BlockingDriver
from codex_api.transport.errors import ClientStateError, TransportError, TransportTimeoutError
from codex_api.transport.network import Network
from codex_api.transport.request_slots import AsyncSlots, BlockingSlots
from codex_api.transport.reqwest_engine import Engine, bounded, headers_of, is_short, translated

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from pyreqwest.request import StreamRequest
    from pyreqwest.response import Response as EngineResponse

    from codex_api.transport._core.messages import Request

T = TypeVar("T")

_STREAM_CLOSED = "the streamed answer was closed"


def _cancels() -> int:
    """Count how often the running task was asked to end and did not.

    A cancellation that comes together with the engine's result is swallowed: the engine returns the
    result. So the count is compared before and after, and what was swallowed raised anew.
    """
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _check_cancels(before: int) -> None:
    if _cancels() != before:
        raise asyncio.CancelledError


class _AsyncStream:
    """A streamed answer under asyncio; closing it gives back the slot that it was given."""

    __slots__ = ("_entered", "_kept", "_read", "_response", "headers", "slots", "status")

    def __init__(self, entered: StreamRequest, response: EngineResponse) -> None:
        self._entered: StreamRequest | None = entered
        self.slots: AsyncSlots | None = None
        self._response = response
        self._read = response.body_reader.read_chunk
        self._kept: tuple[bytes | None] | None = None
        self.status = response.status
        self.headers = headers_of(response)

    async def read_chunk(self) -> bytes | None:
        if self._kept is not None:
            (data,), self._kept = self._kept, None
            return data
        cancels = _cancels()
        try:
            chunk = await self._read()
        except engine_errors.PyreqwestError as exc:
            _check_cancels(cancels)
            raise translated(exc) from None
        data = None if chunk is None else chunk.to_bytes()
        if _cancels() != cancels:
            self._kept = (data,)  # for whoever reads on
            raise asyncio.CancelledError
        return data

    async def read_all(self) -> bytes:
        try:
            if is_short(self.headers):
                return (await self._response.bytes()).to_bytes()
            body = bytearray()
            while (chunk := await self._read()) is not None:
                body += bounded(body, chunk)
        except engine_errors.PyreqwestError as exc:
            raise translated(exc) from None
        return bytes(body)

    async def aclose(self) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            try:
                await entered.__aexit__(None, None, None)
            finally:
                if self.slots is not None:
                    self.slots.give()


class AsyncReqwestTransport:
    """``AsyncTransport`` over pyreqwest.

    Args:
        network: TLS, proxy, keep-alive and pool settings.
        connect_timeout: Seconds until TCP and TLS are up; None sets no limit.
        read_timeout: Seconds of silence after which the engine gives a connection up by itself. A
            call that is given up before the head of its answer is there keeps its connection until
            the answer begins or this has passed; None sets no limit.
    """

    def __init__(
        self,
        network: Network | None = None,
        *,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
    ) -> None:
        settings = network or Network()
        self._engine = Engine(settings, connect_timeout, read_timeout)
        limit = settings.max_connections
        self._slots = None if limit is None else AsyncSlots(limit)

    async def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer."""
        if self._slots is None:
            return await self._execute(request, timeout)
        ends_at = _end(timeout)
        await self._slots.take(timeout)
        try:
            return await self._execute(request, _left(ends_at))
        finally:
            self._slots.give()

    async def _execute(self, request: Request, timeout: float | None) -> Response:
        ends_at, cancels = _end(timeout), _cancels()
        try:
            stream = await self._open(self._engine.request(request, whole=True, timeout=timeout))
            try:
                body = await stream.read_all()
                _check_cancels(cancels)
            except BaseException:
                await stream.aclose()
                _check_cancels(cancels)
                raise
        except TransportTimeoutError as exc:
            if not _has_passed(ends_at):
                raise
            raise _late(timeout) from exc
        self._engine.keep_cookies(request.url, stream.headers)
        return Response(stream.status, stream.headers, body)

    async def stream(self, request: Request, timeout: float | None = None) -> _AsyncStream:
        """Send a request and return when the head of the answer is there."""
        if self._slots is None:
            return await self._stream(request, timeout)
        ends_at = _end(timeout)
        await self._slots.take(timeout)
        try:
            stream = await self._stream(request, _left(ends_at))
        except BaseException:
            self._slots.give()
            raise
        stream.slots = self._slots
        return stream

    async def _stream(self, request: Request, timeout: float | None) -> _AsyncStream:
        entered = self._engine.request(request)
        try:
            async with asyncio.timeout(timeout):
                stream = await self._open(entered)
        except TransportError:
            raise
        except TimeoutError as exc:
            message = f"no head of the answer within {timeout} s"
            raise TransportTimeoutError(message) from exc
        self._engine.keep_cookies(request.url, stream.headers)
        return stream

    async def _open(self, entered: StreamRequest) -> _AsyncStream:
        cancels = _cancels()
        try:
            stream = _AsyncStream(entered, await entered.__aenter__())
        except engine_errors.PyreqwestError as exc:
            _check_cancels(cancels)
            raise translated(exc) from None
        if _cancels() != cancels:
            await stream.aclose()
            raise asyncio.CancelledError
        return stream

    async def aclose(self) -> None:
        """Close idle connections and refuse further requests."""
        for client in self._engine.take():
            await client.close()


def _end(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _left(ends_at: float | None) -> float | None:
    return None if ends_at is None else max(0.0, ends_at - time.monotonic())


def _has_passed(ends_at: float | None) -> bool:
    """Tell the limit on the whole answer from the one on connecting: the engine does not."""
    return ends_at is not None and time.monotonic() >= ends_at


def _late(timeout: float | None) -> TransportTimeoutError:
    return TransportTimeoutError(f"no complete answer within {timeout} s")


def _run(
    coroutine: Coroutine[Any, Any, T],
    timeout: float | None = None,
    driver: BlockingDriver | None = None,
) -> T:
    try:
        return (driver or BlockingDriver()).run(coroutine, timeout)
    except engine_errors.PyreqwestError as exc:
        raise translated(exc) from None


class _Stream:
    """A streamed answer in blocking code; closing it gives back the slot that it was given."""

    __slots__ = (
        "_closed",
        "_driver",
        "_entered",
        "_pending",
        "_read",
        "_reading",
        "_response",
        "headers",
        "slots",
        "status",
    )

    def __init__(
        self, driver: BlockingDriver, entered: StreamRequest, response: EngineResponse
    ) -> None:
        self._driver = driver
        self._entered: StreamRequest | None = entered
        self.slots: BlockingSlots | None = None
        self._response = response
        self._read = response.body_reader.read_chunk
        self._pending: Coroutine[Any, Any, Any] | None = None
        self._reading = self._closed = False
        self.status = response.status
        self.headers = headers_of(response)

    def read_chunk(self, timeout: float | None = None) -> bytes | None:
        if self._closed:
            raise ClientStateError(_STREAM_CLOSED)
        coroutine = self._pending or self._read()
        self._pending = coroutine  # kept after a timeout, so that nothing it holds is lost
        self._reading = True
        try:
            chunk = self._driver.advance(coroutine, timeout)
            self._pending = None
        except engine_errors.PyreqwestError as exc:
            self._pending = None
            raise translated(exc) from None
        finally:
            self._reading = False
            if self._closed:
                self._release()
        return None if chunk is None else chunk.to_bytes()

    def read_all(self) -> bytes:
        if is_short(self.headers):
            return _run(self._response.bytes(), driver=self._driver).to_bytes()
        body = bytearray()
        while (chunk := _run(self._read(), driver=self._driver)) is not None:
            body += bounded(body, chunk)
        return bytes(body)

    def close(self) -> None:
        self._closed = True
        if self._reading:
            self._driver.stop()  # the reader wakes up and lets go of the connection itself
        else:
            self._release()

    def _release(self) -> None:
        if self._pending is not None:
            self._pending.close()
            self._pending = None
        entered, self._entered = self._entered, None
        if entered is not None:
            try:
                _run(entered.__aexit__(None, None, None))
            finally:
                if self.slots is not None:
                    self.slots.give()


class ReqwestTransport:
    """``Transport`` over pyreqwest; safe to share between threads.

    Args:
        network: TLS, proxy, keep-alive and pool settings.
        connect_timeout: Seconds until TCP and TLS are up; None sets no limit.
        read_timeout: Seconds of silence after which the engine gives a connection up by itself. A
            call that is given up before the head of its answer is there keeps its connection until
            the answer begins or this has passed; None sets no limit.
    """

    def __init__(
        self,
        network: Network | None = None,
        *,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
    ) -> None:
        settings = network or Network()
        self._engine = Engine(settings, connect_timeout, read_timeout)
        limit = settings.max_connections
        self._slots = None if limit is None else BlockingSlots(limit)

    def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer."""
        if self._slots is None:
            return self._execute(request, timeout)
        ends_at = _end(timeout)
        self._slots.take(timeout)
        try:
            return self._execute(request, _left(ends_at))
        finally:
            self._slots.give()

    def _execute(self, request: Request, timeout: float | None) -> Response:
        ends_at = _end(timeout)
        try:
            stream = self._open(self._engine.request(request, whole=True, timeout=timeout), None)
            try:
                body = stream.read_all()
            except BaseException:
                stream.close()
                raise
        except TransportTimeoutError as exc:
            if not _has_passed(ends_at):
                raise
            raise _late(timeout) from exc
        self._engine.keep_cookies(request.url, stream.headers)
        return Response(stream.status, stream.headers, body)

    def stream(self, request: Request, timeout: float | None = None) -> _Stream:
        """Send a request and return when the head of the answer is there."""
        if self._slots is None:
            return self._stream(request, timeout)
        ends_at = _end(timeout)
        self._slots.take(timeout)
        try:
            stream = self._stream(request, _left(ends_at))
        except BaseException:
            self._slots.give()
            raise
        stream.slots = self._slots
        return stream

    def _stream(self, request: Request, timeout: float | None) -> _Stream:
        stream = self._open(self._engine.request(request), timeout)
        self._engine.keep_cookies(request.url, stream.headers)
        return stream

    def _open(self, entered: StreamRequest, timeout: float | None) -> _Stream:
        driver = BlockingDriver()
        return _Stream(driver, entered, _run(entered.__aenter__(), timeout, driver))

    def close(self) -> None:
        """Close idle connections and refuse further requests."""
        for client in self._engine.take():
            _run(client.close())
