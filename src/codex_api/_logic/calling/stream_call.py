"""What both fronts know of one streamed call: its request, and what its answer told so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from codex_api._logic.calling.reading import NOT_OPEN
from codex_api._logic.incoming.machine import ResponseStreamMachine
from codex_api._logic.incoming.observe import Feed, StreamWatch, stream_start
from codex_api.transport.errors import ClientStateError, CodexApiError, DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codex_api._logic.incoming.terminal import Terminal
    from codex_api.rate_limits import ApiRateLimits, RateLimitSnapshot
    from codex_api.telemetry import StreamObserver, Telemetry
    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.messages import Request
    from codex_api.types.request import ResponsesOptions, TurnState

T = TypeVar("T")

# Of 64 KiB or less each; more than a socket holds by default.
MAX_LATE_READS = 64


class StreamCall(Struct, frozen=True, kw_only=True):
    """A streamed call that is ready to be made.

    Attributes:
        idle_timeout: Seconds without an event; the provider's.
        liveness_timeout: Seconds without any byte.
        first_event_timeout: Seconds from the call's start to the first event.
        total_timeout: Seconds for all of it.
        seen_through: Sequence number up to which events are left out, of a response whose start was
            read before; None leaves none out.
        asks_once: Whether a failed attempt is for the layer above to make again, which has a budget
            of its own.
    """

    request: Request
    options: ResponsesOptions
    idle_timeout: float | None
    liveness_timeout: float | None
    first_event_timeout: float | None
    total_timeout: float | None
    telemetry: Telemetry | None = None
    seen_through: int | None = None
    asks_once: bool = False


class StreamFacts:
    """The part of a response stream that needs no I/O. The fronts derive from it."""

    def __init__(self, call: StreamCall) -> None:
        self._call = call
        self._machine: ResponseStreamMachine | None = None
        self._headers: Headers | None = None
        self._total_deadline: float | None = None
        self._watch: StreamWatch | None = None
        self._late_reads = 0
        self._attempts = 1

    @property
    def headers(self) -> Headers:
        """Header fields of the answer.

        Raises:
            ClientStateError: The stream is not open yet.
        """
        if self._headers is None:
            raise ClientStateError(NOT_OPEN)
        return self._headers

    @property
    def request_id(self) -> str | None:
        """Value of ``x-request-id``, or None."""
        return self._opened().request_id

    @property
    def rate_limits(self) -> RateLimitSnapshot | None:
        """The newest snapshot of the default limit, or None when none came."""
        return self._opened().rate_limits

    @property
    def rate_limits_by_id(self) -> Mapping[str, RateLimitSnapshot]:
        """The newest snapshot of each limit, by its id."""
        return self._opened().rate_limits_by_id

    @property
    def api_rate_limits(self) -> ApiRateLimits | None:
        """The ``x-ratelimit-*`` limits of the answer's headers, or None."""
        return self._opened().api_rate_limits

    @property
    def server_model(self) -> str | None:
        """The model that the server last said it runs, or None."""
        return self._opened().server_model

    @property
    def turn_state(self) -> str | None:
        """The sticky-routing value of this turn, or None."""
        return self._turn_state_cell().get()

    @property
    def response_id(self) -> str | None:
        """Id of the response, once an event named it."""
        return self._opened().response_id

    @property
    def parts(self) -> Sequence[tuple[int, bytes]]:
        """Parts of items that were sent as a whole, for ``collect``: see ``EventMapper.parts``."""
        return () if self._machine is None else self._machine.parts

    @property
    def terminal(self) -> Terminal | None:
        """What the end of the response says, once it is there."""
        return None if self._machine is None else self._machine.terminal

    @property
    def last_sequence_number(self) -> int | None:
        """Number of the last event read, as the server counts, or None."""
        return None if self._machine is None else self._machine.last_sequence_number

    def _turn_state_cell(self) -> TurnState:
        return self._opened().turn_state

    def _opened(self) -> ResponseStreamMachine:
        if self._machine is None:
            raise ClientStateError(NOT_OPEN)
        return self._machine

    def _begin(self, started_at: float) -> StreamObserver | None:
        call = self._call
        if call.telemetry is None:
            return None
        observer = call.telemetry.on_stream(stream_start(call.request, call.options))
        if observer is not None:
            self._watch = StreamWatch(observer, started_at)
        return observer

    def _end(self, error: BaseException | None = None) -> None:
        if isinstance(error, CodexApiError) and self._machine is not None:
            self._count(error, self._machine)
        if self._watch is not None:
            self._watch.end(error)

    def _count(self, error: CodexApiError, machine: ResponseStreamMachine) -> None:
        """Say on an error what had been sent when the stream ended with it."""
        if error.attempts is None and not isinstance(error, ClientStateError):
            error.attempts = self._attempts
            error.sent = "begun" if self._answer_has_begun(machine) else "maybe"

    def _answer_has_begun(self, machine: ResponseStreamMachine) -> bool:
        """Return whether the server has begun to answer: over HTTP since its headers are there."""
        del machine
        return True

    def _heard(self, feed: Feed[T]) -> Feed[T]:
        """Return ``feed`` of the machine, wrapped when there is an observer."""
        return feed if self._watch is None else self._watch.feeding(self._opened(), feed)

    def _start_machine(
        self, headers: Headers, started_at: float, now: float
    ) -> ResponseStreamMachine:
        call = self._call
        self._headers = headers
        if call.total_timeout is not None:
            self._total_deadline = started_at + call.total_timeout
        self._machine = machine = ResponseStreamMachine(
            headers,
            idle_timeout=call.idle_timeout,
            liveness_timeout=call.liveness_timeout,
            first_event_timeout=call.first_event_timeout,
            started_at=started_at,
            now=now,
            max_event_bytes=call.options.max_event_bytes,
            other_events=call.options.other_events,
            all_events=call.options.all_events,
            turn_state=call.options.turn_state,
            seen_through=call.seen_through,
        )
        return machine

    def _deadline(self, machine: ResponseStreamMachine, slack: float) -> float | None:
        """Return the instant at which waiting ends.

        Args:
            machine: Its clocks run from what it was last fed.
            slack: Seconds since then in which nobody waited, because the caller was busy. They are
                not the server's fault and count for the whole call only.
        """
        deadline = machine.deadline
        if deadline is not None:
            deadline += slack
        total = self._total_deadline
        return total if deadline is None or (total is not None and total < deadline) else deadline

    def _due(self, machine: ResponseStreamMachine, now: float, fed_at: float) -> float | None:
        """Return the instant at which the next wait ends.

        After a limit has passed, what arrived before is still looked at, without waiting: a program
        that was held up finds more than one reading of it. A server that always has more to send
        is not followed for long.

        Raises:
            CodexApiError: The limit has passed, and nothing that was read since moved it.
        """
        deadline = machine.deadline
        if deadline is None or self._total_deadline is not None:
            deadline = self._deadline(machine, now - fed_at)
        else:
            deadline += now - fed_at
        if deadline is None or now < deadline:
            self._late_reads = 0
            return deadline
        self._late_reads += 1
        if self._late_reads > MAX_LATE_READS:
            raise self._late(machine, now)
        return now

    def _late(self, machine: ResponseStreamMachine, now: float) -> CodexApiError:
        if self._total_deadline is not None and now >= self._total_deadline:
            limit = self._call.total_timeout
            return DeadlineExceededError(f"the call took longer than {limit} s")
        return machine.timed_out(now)
