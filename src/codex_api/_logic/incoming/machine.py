"""One response over server-sent events, from bytes to events.

Two clocks run. *Progress* counts from the last event that is more than a sign of life (see
``direct_events.LIVENESS_TAGS``), so that comments and keep-alive events cannot hide a stall;
*liveness* counts from the last byte, so that a quiet but living connection can be told from
a dead one. The wait for the first event has a limit of its own, counted from the start of the call.

A stream has one outcome: ``done``, or ``failure``. What comes after it is not looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from codex_api import errors, events
from codex_api._logic.incoming.excerpt import excerpt
from codex_api._logic.incoming.failed_response import body_error
from codex_api._logic.incoming.header_events import header_events
from codex_api._logic.incoming.mapping import EventMapper
from codex_api.rate_limits import parse_api_rate_limits
from codex_api.transport._core.sse import DEFAULT_MAX_EVENT_BYTES, SSEDecoder
from codex_api.transport.errors import EventTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from typing_extensions import Buffer

    from codex_api._logic.incoming.terminal import Terminal
    from codex_api.events import RawEvent, ResponseEvent
    from codex_api.rate_limits import ApiRateLimits, RateLimitSnapshot
    from codex_api.transport._core.headers import Headers
    from codex_api.transport.errors import CodexApiError
    from codex_api.types.turn_state import TurnState

_STREAM_TYPE: Final = "text/event-stream"
# How much of a body that is no event stream is kept for the error message.
_HEAD_BYTES: Final = 64 << 10
_FOREIGN_STARTS: Final = (b"{", b"[", b"<")
_WHOLE: Final = re.compile(rb'"object"\s*:\s*"response"')
NEVER: Final = float("inf")


class ResponseStreamMachine:
    """Read one response. Instants are seconds of one clock that never runs backwards.

    Args:
        headers: Headers of the answer.
        idle_timeout: Limit in seconds on the wait for an event; None for none, as all limits.
        liveness_timeout: Limit on the wait for any byte.
        first_event_timeout: Limit on the time from the start of the call to the first event.
        started_at: When the call began.
        now: The present instant, at which the headers are there.
        max_event_bytes: Limit on the size of one event.
        other_events: Give ``OtherEvent`` for what has no class, instead of nothing.
        all_events: Give every public event in its class, not only those that Codex reads.
        request_id: Put on every error; None takes it from the headers.
        turn_state: Cell that gets the turn state; None for one of its own.
        seen_through: Events up to this sequence number are left out; None leaves none out.
        endpoint: Name of what was called, for error texts.

    Attributes:
        initial: Events that the headers stand for, to be delivered first.
        done: The response is complete.
        failure: What ended it instead, or None. Raise it after the events returned with it.
        deadline: The instant at which ``timed_out`` is to be called, or None.
        request_id: Value of ``x-request-id``, or None.
    """

    def __init__(
        self,
        headers: Headers,
        *,
        idle_timeout: float | None = None,
        liveness_timeout: float | None = None,
        first_event_timeout: float | None = None,
        started_at: float = 0.0,
        now: float = 0.0,
        max_event_bytes: int | None = DEFAULT_MAX_EVENT_BYTES,
        other_events: bool = False,
        all_events: bool = False,
        request_id: str | None = None,
        turn_state: TurnState | None = None,
        seen_through: int | None = None,
        endpoint: str = "responses",
    ) -> None:
        self.request_id = (
            request_id or headers.get("x-request-id") or headers.get("x-oai-request-id")
        )
        self._headers = headers
        self.initial = header_events(headers)
        self.done = False
        self.failure: CodexApiError | None = None
        self._mapper = EventMapper(
            other_events=other_events,
            all_events=all_events,
            safety_headers=headers,
            request_id=self.request_id,
            turn_state=turn_state,
            seen_through=seen_through,
        )
        self._take_headers(headers)
        self._endpoint = endpoint
        # Payloads that nobody has taken yet; None as long as nobody wants them.
        self._raws: list[RawEvent] | None = None
        self._feed_data = SSEDecoder(max_event_bytes=max_event_bytes).feed_data
        # The start of the body, until an event shows that it is a stream.
        self._head: bytes | None = b""
        self._idle_timeout = idle_timeout
        self._liveness_timeout = liveness_timeout
        self._first_event_timeout = first_event_timeout
        self._started_at = started_at
        self._progress_at = now
        self._alive_at = now
        self._step = _or_never(idle_timeout)
        if liveness_timeout is not None and liveness_timeout < self._step:
            self._step = liveness_timeout
        first = NEVER if first_event_timeout is None else started_at + first_event_timeout
        deadline = now + self._step
        deadline = min(deadline, first)
        self.deadline: float | None = None if deadline == NEVER else deadline

    @property
    def api_rate_limits(self) -> ApiRateLimits | None:
        """The ``x-ratelimit-*`` limits of the headers, or None."""
        return parse_api_rate_limits(self._headers)

    @property
    def response_id(self) -> str | None:
        """Id of the response, once an event named it."""
        return self._mapper.response_id

    @property
    def server_model(self) -> str | None:
        """The model that the server says it runs, as last reported, or None."""
        return self._mapper.server_model or self._header_model

    @property
    def leftovers(self) -> int:
        """How many frames of another response came and were left alone; none over HTTP."""
        return 0

    @property
    def has_begun(self) -> bool:
        """Whether an event has come, or the end of all."""
        return self._head is None or self.done

    @property
    def rate_limits(self) -> RateLimitSnapshot | None:
        """The newest snapshot of the default limit, or None when none came."""
        return self._mapper.rate_limits

    @property
    def rate_limits_by_id(self) -> Mapping[str, RateLimitSnapshot]:
        """The newest snapshot of each limit, by its id."""
        return self._mapper.limits

    @property
    def turn_state(self) -> TurnState:
        """The cell of the turn state."""
        return self._mapper.turn_state_cell

    @property
    def parts(self) -> Sequence[tuple[int, bytes]]:
        """Parts of items that were sent as a whole: how many events followed, and the payload."""
        return self._mapper.parts

    @property
    def terminal(self) -> Terminal | None:
        """What the end of the response says, once it is there."""
        return self._mapper.terminal

    @property
    def last_sequence_number(self) -> int | None:
        """Sequence number of the newest event that had one, or None."""
        return self._mapper.last_sequence_number

    def keep_raw(self) -> None:
        """Keep the payloads that are read from now on, for ``take_raw``."""
        if self._raws is None:
            self._raws = []

    def take_raw(self) -> list[RawEvent]:
        """Return the payloads that were read since the last look, and what was made of each."""
        taken, self._raws = self._raws or [], [] if self._raws is not None else None
        return taken

    def _feed_kept(self, payloads: Iterable[bytes]) -> list[ResponseEvent]:
        assert self._raws is not None  # noqa: S101 - keep_raw came before
        mapper = self._mapper
        found: list[ResponseEvent] = []
        for payload in payloads:
            told = mapper.feed_all((payload,))
            self._raws.append(events.RawEvent(payload, told))
            found += told
            if mapper.done or mapper.failure is not None:
                break
        return found

    def feed(self, chunk: Buffer, now: float) -> list[ResponseEvent]:
        """Decode what ``chunk`` completes, arrived at ``now``."""
        try:
            payloads = self._feed_data(chunk)
        except EventTooLargeError as exc:
            return self._stop(errors.EventTooLargeError(str(exc), **self._mapper.context), exc)
        if not payloads:
            if self.done or self.failure is not None:
                return []
            if self._head is not None:
                self._head = (self._head + bytes(chunk))[:_HEAD_BYTES]
            self._alive_at = now
            self._set_deadline()
            return []
        mapper = self._mapper
        mapper.progressed = False
        if self._raws is not None:
            found = self._feed_kept(payloads)
        elif len(payloads) == 1:
            found = mapper.feed_one(payloads[0])
        else:
            found = mapper.feed_all(payloads)
        if mapper.progressed:
            # Both clocks start anew; the first event has come.
            self._head = None
            self._progress_at = self._alive_at = now
            self.deadline = now + self._step if self._step != NEVER else None
        else:
            self._alive_at = now
            self._set_deadline()
        if mapper.done or mapper.failure is not None:
            self._end()
        return found

    def close(self) -> list[ResponseEvent]:
        """End the input. Without a completed response that is a failure; may be called twice."""
        if self.done or self.failure is not None:
            return []
        return self._stop(self._foreign() or self._closed(errors.StreamClosedError.default_message))

    def broken(self, error: CodexApiError) -> errors.StreamError:
        """Return the failure for a connection that broke with ``error``; sets ``failure``."""
        failure = self._closed(f"the connection broke before the response was complete: {error}")
        self._stop(failure, error)
        return failure

    def timed_out(self, now: float) -> CodexApiError:
        """Return the failure for reaching ``deadline``; sets ``failure``."""
        context = self._mapper.context
        liveness_at = self._alive_at + _or_never(self._liveness_timeout)
        idle_at = self._progress_at + _or_never(self._idle_timeout)
        silence = f"nothing at all for {now - self._alive_at:g} s"
        failure: errors.StreamError
        if self._first_event_at() < min(liveness_at, idle_at):
            waited = now - self._started_at
            message = f"no event within {waited:g} s of the call's start, and {silence}"
            failure = errors.FirstEventTimeoutError(message + self._trace(), **context)
        elif liveness_at < idle_at:
            failure = errors.LivenessTimeoutError(
                f"the server sent {silence}{self._trace()}", **context
            )
        else:
            waited = now - self._progress_at
            message = f"the server sent no event for {waited:g} s, and {silence}"
            failure = errors.IdleTimeoutError(message + self._trace(), **context)
        self._stop(failure)
        return failure

    def _take_headers(self, headers: Headers) -> None:
        names = headers.names()
        self._header_model = headers["openai-model"] if "openai-model" in names else None
        if "x-codex-turn-state" in names:
            self._mapper.turn_state_cell.offer(headers["x-codex-turn-state"])
        for event in self.initial:
            if isinstance(event, events.RateLimits) and not event.snapshot.is_empty:
                self._mapper.limits[event.snapshot.limit_id or ""] = event.snapshot

    def _set_deadline(self) -> None:
        deadline = min(
            self._alive_at + _or_never(self._liveness_timeout),
            self._progress_at + _or_never(self._idle_timeout),
            self._first_event_at(),
        )
        self.deadline = None if deadline == NEVER else deadline

    def _first_event_at(self) -> float:
        if self._head is None or self._first_event_timeout is None:
            return NEVER
        return self._started_at + self._first_event_timeout

    def _foreign(self) -> CodexApiError | None:
        """Return the error of an answer that is an error or no event stream; None: it was cut."""
        head = (self._head or b"").strip()
        content_type = (self._headers.get("content-type") or "").partition(";")[0].strip().lower()
        coding = (self._headers.get("content-encoding") or "identity").strip().lower()
        named = content_type not in {"", _STREAM_TYPE}
        coded = coding != "identity"
        if not head or not (named or coded or head.startswith(_FOREIGN_STARTS)):
            return None
        what = f"but {content_type or 'of no known type'}: {excerpt(head)}"
        told = body_error(head, self._mapper.context)
        if told is not None:
            return told
        if _WHOLE.search(head):
            what = f"but a whole response, which responses.create reads: {excerpt(head)}"
        if coded:
            what = f"but encoded as {excerpt(coding)!r}, which was not asked for"
        error = errors.DecodeError(
            f"the answer of {self._endpoint} is no event stream {what}",
            **self._mapper.context,
        )
        # Observed: the Codex CLI tries again. A server that gives whole responses would give the
        # next one so, too, and charge for it.
        error.retryable = not _WHOLE.search(head)
        return error

    def _closed(self, message: str) -> errors.StreamClosedError:
        """Return the error of a cut stream."""
        return errors.StreamClosedError(message + self._trace(), **self._mapper.context)

    def _trace(self) -> str:
        """Return what came last and could not be read, for the message of an error."""
        unread = self._mapper.unread
        return f"; an event that could not be read: {excerpt(unread)}" if unread else ""

    def _stop(
        self, failure: CodexApiError, cause: BaseException | None = None
    ) -> list[ResponseEvent]:
        failure.__cause__ = cause
        self.failure = failure
        self.deadline = None
        self._feed_data = _nothing
        return []

    def _end(self) -> None:
        self.done, self.failure = self._mapper.done, self._mapper.failure
        self.deadline = None
        self._feed_data = _nothing


def _or_never(timeout: float | None) -> float:
    return NEVER if timeout is None else timeout


def _nothing(chunk: Buffer) -> list[bytes]:
    del chunk
    return []
