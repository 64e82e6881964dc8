# Generated from src/codex_api/_async/background.py by tools/generate_sync.py; do not edit.
"""Background responses in blocking code."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from codex_api._logic.calling.background import Drops, Polling, deliveries, in_background
from codex_api._logic.calling.log import CALL
from codex_api._logic.calling.reading import CLOSED
from codex_api._logic.calling.resume import resume_call
from codex_api._logic.endpoints import responses as core
from codex_api._logic.endpoints import stored_responses as stored
from codex_api._logic.incoming.whole_response import failure_of
from codex_api._sync.event_stream import EventStream
from codex_api._sync.response_stream import ResponseStream
from codex_api.errors import StreamClosedError
from codex_api.transport.errors import ClientStateError, CodexApiError
from codex_api.types.background import BackgroundHandle

if TYPE_CHECKING:
    from codex_api._logic.calling.background import Delivery
    from codex_api._logic.incoming.collect import StreamFacts
    from codex_api._sync.runner import Runner
    from codex_api.events import RawEvent, ResponseEvent
    from codex_api.rate_limits import ApiRateLimits, RateLimitSnapshot
    from codex_api.types.request import AnyRequest, ResponsesOptions
    from codex_api.types.response import Response


class BackgroundResponse:
    """A response that the server makes without a connection.

    It goes on whatever becomes of this program. ``handle`` finds it again.

    Attributes:
        response: The response as the server last reported it; None before the first look.
    """

    def __init__(self, runner: Runner, handle: BackgroundHandle, options: ResponsesOptions) -> None:
        self._runner = runner
        self._handle = handle
        self._options = options
        self.response: Response | None = None

    @property
    def id(self) -> str:
        """Id of the response."""
        return self._handle.response_id

    @property
    def handle(self) -> BackgroundHandle:
        """What to store, to find the response again and to go on after the last event read."""
        return self._handle

    @property
    def status(self) -> str | None:
        """Its status as last reported; None before the first look."""
        return None if self.response is None else self.response.status

    def refresh(self, timeout: float | None = None) -> Response:
        """Look at the response as it is now, whatever became of it.

        Args:
            timeout: Limit in seconds on the call, or None.

        Raises:
            CodexApiError: The call failed.
        """
        operation = stored.retrieve(
            self._runner.settings.context,
            self.id,
            extra_headers=core.caller_headers(self._options),
            timeout=timeout,
        )
        self.response = self._runner.run(operation)
        return self.response

    def wait(self, poll: float | None = None, timeout: float | None = None) -> Response:
        """Wait until the response is finished, and give it.

        Args:
            poll: Seconds between two looks; None begins with half a second and waits longer each
                time, up to 15.
            timeout: Limit in seconds on all of it, and at least a second for a look; None for none.

        Raises:
            RequestBuildError: ``poll`` is no number of seconds above 0.
            DeadlineExceededError: The limit passed; the response goes on.
            ApiError: The response failed or was cut off, as a stream raises it; ``partial`` has it.
            CodexApiError: A call failed.
        """
        clock = self._runner.settings.clock
        polling = Polling(poll, timeout, clock.monotonic())
        while True:
            response = self.refresh(polling.limit(clock.monotonic()))
            if response.is_finished:
                break
            clock.sleep(polling.pause(clock.monotonic()))
        if response.status != "completed":
            raise failure_of(response)
        return response

    def cancel(self) -> Response:
        """Cancel the response; one that is finished stays as it is.

        Raises:
            CodexApiError: The call failed.
        """
        operation = stored.cancel(
            self._runner.settings.context,
            self.id,
            extra_headers=core.caller_headers(self._options),
        )
        self.response = self._runner.run(operation)
        return self.response

    def stream(self) -> BackgroundStream:
        """Prepare the stream of its events, after the last one that was read.

        When a connection breaks, the next one goes on where it broke, each event once. As many in a
        row as the provider's ``RetryConfig`` allows may bring nothing new.
        """
        return BackgroundStream(self._runner, self, self._options)

    def _seen(self, number: int) -> None:
        self._handle = replace(self._handle, seen_through=number)

    def __repr__(self) -> str:
        return f"BackgroundResponse({self._handle!r}, status={self.status!r})"


class BackgroundStream(EventStream):
    """The events of a background response, over as many connections as it takes.

    Used as ``ResponseStream`` is. Leaving it early does not end the response.
    """

    def __init__(
        self, runner: Runner, owner: BackgroundResponse, options: ResponsesOptions
    ) -> None:
        super().__init__()
        self._runner = runner
        self._owner = owner
        self._options = options
        settings = runner.settings
        self._drops = Drops(settings.context.provider.retry, settings.clock.draw)
        self._inner: ResponseStream | None = None
        self._error: CodexApiError | None = None
        self._is_let_go = False
        # Whether nothing has come since an earlier stream; and the response, once it is finished.
        self._is_empty = owner.handle.seen_through is not None
        self._finished: Response | None = None
        self._is_over = False
        self._waiting: deque[Delivery] = deque()
        # Payloads that were delivered and not taken; None as long as nobody wants them.
        self._raws: list[RawEvent] | None = None

    @property
    def handle(self) -> BackgroundHandle:
        """What to store, to go on after the last event that was delivered."""
        return self._owner.handle

    @property
    def request_id(self) -> str | None:
        """Value of ``x-request-id`` of the newest connection, or None."""
        return None if self._inner is None else self._inner.request_id

    @property
    def rate_limits(self) -> RateLimitSnapshot | None:
        """The newest snapshot of the default limit, or None."""
        return None if self._inner is None else self._inner.rate_limits

    @property
    def api_rate_limits(self) -> ApiRateLimits | None:
        """The ``x-ratelimit-*`` limits of the newest connection, or None."""
        return None if self._inner is None else self._inner.api_rate_limits

    def _open(self) -> list[ResponseEvent]:
        inner = self._connect()
        return list(inner.next_events() or ())

    def _connect(self) -> ResponseStream:
        settings = self._runner.settings
        call = resume_call(
            settings.context,
            self._owner.id,
            self._owner.handle.seen_through,
            self._options,
            settings.telemetry,
        )
        self._inner = inner = ResponseStream(self._runner, call)
        inner.__enter__()
        inner._keep_raw()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a part of it
        return inner

    def _more(self) -> list[ResponseEvent] | None:
        while not self._waiting:
            if self._error is not None:
                if self._was_read_before(self._error):
                    return None
                self._go_on_after(self._error)
            if not self._read():
                return None
        delivery = self._waiting.popleft()
        seen = self._owner.handle.seen_through
        # What a server gives again is nothing new, and nothing to go back to.
        if delivery.number is not None and (seen is None or delivery.number > seen):
            self._drops.forget()
            self._owner._seen(delivery.number)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # its own
        if self._raws is not None and delivery.raw is not None:
            self._raws.append(delivery.raw)
        return [] if delivery.event is None else [delivery.event]

    def _read(self) -> bool:
        """Read what comes next from the connection; False at the end of the response."""
        inner = self._opened()
        found: list[ResponseEvent] | None = []
        try:
            found = inner.next_events()
        except CodexApiError as exc:
            self._error = exc
        for raw in inner._take_raw():  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a part of it
            self._waiting.extend(deliveries(raw))
            self._is_empty = False
        return found is not None

    def _was_read_before(self, error: CodexApiError) -> bool:
        """Tell whether an earlier stream had the last event, so that nothing is left to come.

        Only a server that ends the stream in peace, twice, with the response finished in between,
        says so: what breaks off, or ends before the response does, may still hold events.

        Raises:
            ApiError: The response failed or was cut off.
        """
        is_peaceful = isinstance(error, StreamClosedError) and error.__cause__ is None
        if not (self._is_empty and is_peaceful):
            return False
        if self._finished is None:
            with suppress(CodexApiError):
                response = self._owner.refresh()
                self._finished = response if response.is_finished else None
            return False
        if self._finished.status != "completed":
            raise failure_of(self._finished)
        self._is_over = True
        return True

    def _go_on_after(self, error: CodexApiError) -> None:
        """Connect anew after a break.

        Raises:
            CodexApiError: ``error``, when it is the outcome, or that of connecting.
        """
        clock = self._runner.settings.clock
        inner = self._opened()
        numbered = self._owner.handle.seen_through is not None or inner.response_id is None
        delay = self._drops.wait_after(error, can_resume=numbered and inner.terminal is None)
        if delay is None or self._is_let_go:
            raise error
        CALL.info("background response broke off, going on in %.3f s: %s", delay, error)
        clock.sleep(delay)
        if self._is_let_go:
            raise ClientStateError(CLOSED)
        self._error = None
        inner = self._connect()
        inner.next_events()  # what its headers say was given before

    def _opened(self) -> ResponseStream:
        assert self._inner is not None  # noqa: S101 - it is open
        return self._inner

    def _let_go(self, error: BaseException | None = None) -> None:
        del error
        self._is_let_go = True
        if self._inner is not None:
            self._inner.close()

    @property
    def _is_complete(self) -> bool:
        inner = self._inner
        is_read = inner is not None and inner.terminal is not None
        return (is_read or self._is_over) and not self._waiting

    @property
    def _facts(self) -> StreamFacts:
        return self._opened()

    def _keep_raw(self) -> None:
        self._raws = self._raws or []

    def _take_raw(self) -> list[RawEvent]:
        taken, self._raws = self._raws or [], [] if self._raws is not None else None
        return taken


def begin_background(
    runner: Runner, request: AnyRequest, options: ResponsesOptions
) -> BackgroundResponse:
    """Ask for a background response, and let go of it as soon as its id is known.

    Raises:
        CodexApiError: It was not begun; ``sent`` says whether it may have been all the same.
    """
    settings = runner.settings
    call = core.stream_call(settings.context, in_background(request), options, settings.telemetry)
    with ResponseStream(runner, call) as stream:
        while stream.response_id is None:
            if stream.next_events() is None:
                break
        if stream.response_id is None:
            message = "the answer of responses ended before it told the id of the response"
            raise StreamClosedError(message, request_id=stream.request_id)
        handle = BackgroundHandle(response_id=stream.response_id)
    return BackgroundResponse(runner, handle, options)
