"""Performs the effects of flows under asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from codex_api._async.waits import Waiter
from codex_api._logic.incoming.limits import ERROR_BODY_TIMEOUT, MAX_ERROR_BODY_BYTES
from codex_api.transport._core import flow as flows
from codex_api.transport._core.flow import Authorize, Effect, Flow, Head, Refresh, Send, Sleep
from codex_api.transport._core.messages import Response
from codex_api.transport.errors import CodexApiError, TransportError

if TYPE_CHECKING:
    from codex_api._async.authorizer import Authorizer
    from codex_api._logic.calling.operation import Operation
    from codex_api._logic.calling.policy import CallSettings
    from codex_api.telemetry import StreamObserver
    from codex_api.transport._core.messages import Request
    from codex_api.transport.protocols import AsyncStreamResponse, AsyncTransport

T = TypeVar("T")


class Runner:
    """Runs the calls of one client."""

    def __init__(self, transport: AsyncTransport, auth: Authorizer, settings: CallSettings) -> None:
        self.transport = transport
        self.auth = auth
        self.settings = settings

    async def run(self, operation: Operation[T]) -> T:
        """Make a unary call and decode its answer.

        Raises:
            CodexApiError: The mapped failure.
        """
        policy = self.settings.unary_policy(operation.timeout, operation.accept)
        return operation.decode(await self.drive(flows.call(operation.request, policy)))

    async def open(
        self, request: Request, started_at: float, observer: StreamObserver | None = None
    ) -> AsyncStreamResponse:
        """Make a call up to the head of its streamed answer, heard by ``observer``.

        Raises:
            CodexApiError: The mapped failure.
        """
        performer = _Performer(self.transport, self.auth, self.settings)
        policy = self.settings.stream_policy(started_at, observer)
        await performer.drive(flows.open_stream(request, policy))
        assert performer.opened is not None  # noqa: S101 - what open_stream ends with
        return performer.opened

    async def drive(self, flow: Flow[T]) -> T:
        """Perform a flow to its end.

        Raises:
            CodexApiError: The mapped failure.
        """
        return await _Performer(self.transport, self.auth, self.settings).drive(flow)


class _Performer:
    """One flow's run, and the stream that it opened."""

    __slots__ = ("_auth", "_generation", "_settings", "_transport", "opened")

    def __init__(self, transport: AsyncTransport, auth: Authorizer, settings: CallSettings) -> None:
        self._transport = transport
        self._auth = auth
        self._settings = settings
        self._generation = 0
        self.opened: AsyncStreamResponse | None = None

    async def drive(self, flow: Flow[T]) -> T:
        result: object = None
        failure: CodexApiError | None = None
        try:
            while True:
                try:
                    effect = flow.throw(failure) if failure is not None else flow.send(result)
                except StopIteration as stop:
                    answer: T = stop.value
                    return answer
                try:
                    result, failure = await self._perform(effect), None
                except CodexApiError as exc:
                    failure = exc
        except BaseException as exc:
            flow.close()
            if self.opened is not None:
                await self.opened.aclose()
            if not isinstance(exc, CodexApiError):
                raise
            from codex_api.errors import map_api_error  # noqa: PLC0415 - only for failures

            error = map_api_error(exc, now=self._settings.clock.wall())
            if error is exc:
                raise
            raise error from exc

    async def _perform(self, effect: Effect) -> object:
        match effect:
            case Send(request, False, timeout):
                return await self._transport.execute(request, timeout)
            case Send(request, _, timeout):
                return await self._open(request, timeout)
            case Sleep(delay):
                await self._settings.clock.sleep_async(delay)
                return None
            case Authorize(request):
                self._generation = self._auth.generation
                return await self._auth.apply(request)
            case Refresh():
                return await self._auth.refresh(self._generation)

    async def _open(self, request: Request, timeout: float | None) -> Head | Response:
        stream = await self._transport.stream(request, timeout)
        if 200 <= stream.status <= 299:  # noqa: PLR2004 - success
            self.opened = stream
            return Head(stream.status, stream.headers)
        try:
            return Response(stream.status, stream.headers, await self._error_body(stream))
        finally:
            await stream.aclose()

    async def _error_body(self, stream: AsyncStreamResponse) -> bytes:
        monotonic = self._settings.clock.monotonic
        ends_at = monotonic() + ERROR_BODY_TIMEOUT
        waiter = Waiter(monotonic)
        body = b""
        try:
            while len(body) < MAX_ERROR_BODY_BYTES:
                chunk = await waiter.read(stream, ends_at)
                if chunk is None:
                    break
                body += chunk
        except TransportError:
            pass  # the status counts; what came of the body is kept
        finally:
            waiter.stop()
        return body[:MAX_ERROR_BODY_BYTES]
