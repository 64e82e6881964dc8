"""How a background response is asked for, followed over drops, and waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, structs

from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.outgoing.plain_values import as_request
from codex_api.transport.errors import DeadlineExceededError, RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.events import RawEvent, ResponseEvent
    from codex_api.transport._core.retry import RetryConfig
    from codex_api.transport.errors import CodexApiError
    from codex_api.types.request import AnyRequest, ResponsesApiRequest


class _Numbered(Struct):
    sequence_number: int | None = None


def in_background(request: AnyRequest) -> ResponsesApiRequest:
    """Return the request as one whose response is made in the background and can be followed.

    Servers keep such a response, and give its events again only if it was asked for as a stream.
    """
    meant = as_request(request)
    store = True if meant.store is False else meant.store
    return structs.replace(meant, background=True, stream=True, store=store)


class Delivery(NamedTuple):
    """One event to deliver, or a payload of which nothing was made.

    Attributes:
        number: Sequence number that is seen through with it, or None.
        raw: The payload, with its last event.
    """

    event: ResponseEvent | None
    number: int | None = None
    raw: RawEvent | None = None


def deliveries(raw: RawEvent) -> list[Delivery]:
    """Take a payload apart; it is seen through with the last of its events."""
    told = read_as(_Numbered, raw.raw)
    number = None if told is None else told.sequence_number
    last = raw.events[-1] if raw.events else None
    return [*map(Delivery, raw.events[:-1]), Delivery(last, number, raw)]


class Drops:
    """Counts the connections in a row that brought nothing new.

    Args:
        retry: How many there may be, and how long to wait after each.
        draw: Gives a number uniform in [0, 1), for the jitter.
    """

    def __init__(self, retry: RetryConfig, draw: Callable[[], float]) -> None:
        self._retry = retry
        self._draw = draw
        self._count = 0

    def forget(self) -> None:
        """Take note that something new came."""
        self._count = 0

    def wait_after(self, error: CodexApiError, *, can_resume: bool) -> float | None:
        """Return the seconds to wait before going on; None when ``error`` is the outcome."""
        if not (can_resume and error.retryable) or self._count >= self._retry.max_attempts:
            return None
        self._count += 1
        return self._retry.wait(self._count, error.retry_after, self._draw)


class Pace(NamedTuple):
    """How often to look at something whose caller does not say.

    Attributes:
        what: What is looked at, as errors name it.
        first: Seconds to the second look; each wait is half as long again as the one before.
        longest: Seconds at most.
    """

    what: str
    first: float
    longest: float


RESPONSE_PACE = Pace("response", 0.5, 15.0)
# A batch is made for a day; most take minutes.
BATCH_PACE = Pace("batch", 5.0, 60.0)
_GROWTH = 1.5
# The last look is one, too.
_LEAST_LOOK = 1.0


class Polling:
    """When to look again whether something is finished.

    Args:
        poll: Seconds between two looks; None takes those of ``pace``.
        timeout: Seconds in all; None for no limit.
        now: When the waiting begins.
        pace: What is looked at, and how often.

    Raises:
        RequestBuildError: ``poll`` is no number of seconds above 0.
    """

    def __init__(
        self, poll: float | None, timeout: float | None, now: float, pace: Pace = RESPONSE_PACE
    ) -> None:
        if poll is not None and not poll > 0:
            message = f"`poll` must be seconds above 0, or None, got {poll!r}"
            raise RequestBuildError(message)
        self._poll = poll
        self._pace = pace
        self._next = pace.first if poll is None else poll
        self._timeout = timeout
        self._ends_at = None if timeout is None else now + timeout

    def limit(self, now: float) -> float | None:
        """Return the seconds that a look may take which begins now; None for no limit."""
        return None if self._ends_at is None else max(self._ends_at - now, _LEAST_LOOK)

    def pause(self, now: float) -> float:
        """Return the seconds until the next look.

        Raises:
            DeadlineExceededError: The limit on all of it has passed.
        """
        delay = self._next
        if self._poll is None:
            self._next = min(delay * _GROWTH, self._pace.longest)
        if self._ends_at is None:
            return delay
        if now >= self._ends_at:
            message = f"the {self._pace.what} was not finished within {self._timeout:g} s"
            raise DeadlineExceededError(message)
        return min(delay, self._ends_at - now)
