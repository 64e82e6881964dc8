"""A call up to its answer, as a generator that decides and performs nothing.

A flow yields effects and gets their results back; an effect that fails is thrown into it as a
``CodexApiError``. A driver of some forty lines performs the effects, one for blocking code and
one for asyncio. A flow owns no resource: the driver closes what it opened.

Rules kept here and nowhere else: the body is prepared once and every attempt sends the same bytes;
auth is applied inside each attempt; refused credentials are refreshed once and do not count as a
retry; a body that was compressed on our own account is sent once more uncompressed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Protocol, TypeAlias, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import (
    EncodedJson,
    JsonBody,
    Request,
    Response,
    StreamedBody,
    final_body,
    prepare,
    public_url,
)
from codex_api.transport._core.packed_answer import CODING, unpacked
from codex_api.transport._core.retry import RetryConfig, retry_after
from codex_api.transport.errors import (
    CodexApiError,
    DeadlineExceededError,
    HttpStatusError,
    TransportTimeoutError,
)

T = TypeVar("T")

UNAUTHORIZED = 401
# What servers and proxies answer to a content coding that they cannot read.
_REFUSED_CODING = frozenset({400, 415})


class Head(Struct, frozen=True, gc=False):
    """Status and headers of a streamed answer whose body the driver holds open.

    Attributes:
        attempts: How often the request was sent until it came.
    """

    status: int
    headers: Headers
    attempts: int = 1


class Send(Struct, frozen=True, gc=False):
    """Make one attempt. Result: ``Response``, or ``Head`` for a streamed answer with 200-299.

    Attributes:
        stream: Whether the body of a good answer stays open.
        timeout: Seconds until the whole answer, or the head of a streamed one; None for no limit.
    """

    request: Request
    stream: bool
    timeout: float | None = None


class Sleep(Struct, frozen=True):
    """Wait. Result: None."""

    delay: float


class Authorize(Struct, frozen=True, gc=False):
    """Let the auth provider sign a request. Result: the ``Request`` to send."""

    request: Request


class Refresh(Struct, frozen=True):
    """Let the auth provider renew its credentials. Result: whether to try again."""

    error: HttpStatusError


_ANSWERS = (Response, Head)
_UNPREPARED = (JsonBody, EncodedJson)

Effect: TypeAlias = Send | Sleep | Authorize | Refresh
Flow: TypeAlias = Generator[Effect, object, T]


class CallObserver(Protocol):
    """What a flow reports; wire.md, Hooks and the hook before each wait."""

    def on_request(
        self, attempt: int, status: int | None, error: CodexApiError | None, duration: float
    ) -> None:
        """Handle one finished attempt; ``duration`` in seconds, auth included."""
        ...

    def on_retry(self, attempt: int, delay: float, error: CodexApiError) -> None:
        """Handle a wait of ``delay`` seconds before attempt ``attempt`` + 1."""
        ...


class CallPolicy(Struct, frozen=True, kw_only=True):
    """All that a flow needs beside the request.

    Attributes:
        clock: Gives monotonic seconds.
        wall_clock: Gives Unix seconds, for ``Retry-After`` dates.
        draw: Gives a number uniform in [0, 1), for the jitter.
        defaults: Headers for names that are absent otherwise; lowest layer.
        trace_headers: Gives the active W3C trace context, laid over everything else.
        deadline: Monotonic instant at which the call ends, or None.
        deadline_error: Makes the error for that.
        accept: Statuses besides 200-299 that are answers and not errors.
        may_compress: Whether ``compression="auto"`` still compresses.
        on_coding_refused: Told when a server took the body only uncompressed.
    """

    retry: RetryConfig
    clock: Callable[[], float]
    wall_clock: Callable[[], float]
    draw: Callable[[], float]
    observer: CallObserver | None = None
    defaults: Headers = field(default_factory=Headers)
    trace_headers: Callable[[], Mapping[str, str]] | None = None
    deadline: float | None = None
    deadline_error: Callable[[], CodexApiError] = lambda: DeadlineExceededError(
        "the call took longer than its limit"
    )
    accept: frozenset[int] = frozenset()
    may_compress: bool = True
    on_coding_refused: Callable[[], None] | None = None


def call(request: Request, policy: CallPolicy) -> Flow[Response]:
    """Make a call whose answer is read whole.

    Raises:
        CodexApiError: The last attempt's error, or one that no retry can mend.
    """
    return _attempts(request, policy, _whole, stream=False)


def _whole(answer: Response | Head) -> Response:
    assert isinstance(answer, Response)  # noqa: S101 - what Send(stream=False) gives
    return answer


def open_stream(request: Request, policy: CallPolicy) -> Flow[Head]:
    """Make a call whose answer is streamed, up to its head; the driver holds the body.

    Raises:
        CodexApiError: The last attempt's error, or one that no retry can mend.
    """
    return _attempts(request, policy, _head, stream=True)


def _head(answer: Response | Head) -> Head:
    if isinstance(answer, Response):
        return Head(answer.status, answer.headers, answer.attempts)
    return answer


def _attempts(
    request: Request, policy: CallPolicy, finish: Callable[[Response | Head], T], *, stream: bool
) -> Flow[T]:
    auto = request.compression == "auto"
    if auto and not policy.may_compress:
        request = replace(request, compression="none")
    final = final_body(request)
    typed_last = not stream and bool(final.fields) and "content-type" not in request.headers
    attempt = sent = 0
    refreshed = refused = False
    while True:
        started = 0.0 if policy.observer is None else policy.clock()
        answer: Response | Head | None = None
        error: CodexApiError | None
        try:
            # The attempt gets headers of its own, which auth and the lower layers then fill in.
            signed = _finish((yield Authorize(final.of(request))), policy, typed_last=typed_last)
            sent += 1
            answer = _answer((yield Send(signed, stream, _seconds(signed, policy))))
            error = _status_error(signed, answer, policy)
        except CodexApiError as exc:
            error = _overdue(exc, policy)
        if policy.observer is not None:
            _report(policy.observer, attempt, answer, error, policy.clock() - started)
        if error is None and answer is not None:
            if refused and policy.on_coding_refused is not None:
                policy.on_coding_refused()
            return finish(replace(answer, attempts=sent) if sent > 1 else answer)
        assert error is not None  # noqa: S101 - no answer means that an error was caught
        if auto and error.status in _REFUSED_CODING and final.is_compressed:
            refused = True
            request = replace(request, compression="none")
            final = final_body(request)
            continue
        if not refreshed and isinstance(error, HttpStatusError) and error.status == UNAUTHORIZED:
            refreshed = True
            if (yield Refresh(error)):
                continue
        yield from _wait(policy, request, attempt, error)
        attempt += 1


def _wait(policy: CallPolicy, request: Request, attempt: int, error: CodexApiError) -> Flow[None]:
    error.attempts = attempt + 1
    delay = policy.retry.delay(error, attempt, policy.draw)
    if delay is None or not _resendable(request):
        raise error
    if not policy.retry.may_repeat(error, is_repeatable=request.is_repeatable):
        raise error
    if policy.deadline is not None and policy.clock() + delay >= policy.deadline:
        raise error
    if policy.observer is not None:
        policy.observer.on_retry(attempt, delay, error)
    yield Sleep(delay)


def _resendable(request: Request) -> bool:
    return not isinstance(request.body, StreamedBody) or request.body.rewindable


def _finish(signed: object, policy: CallPolicy, *, typed_last: bool) -> Request:
    """Lay the lowest and the highest layers of headers around what a signer gave."""
    assert isinstance(signed, Request)  # noqa: S101 - what Authorize gives
    if isinstance(signed.body, _UNPREPARED):
        signed = prepare(signed)  # a signer that put another body in the place of ours
    headers = signed.headers
    if typed_last:
        headers.move_to_end("content-type")
    headers.fill(policy.defaults)
    if policy.trace_headers is not None and (traced := policy.trace_headers()):
        headers.merge(traced)
    headers.refuse_connection_fields()
    return signed


def _seconds(request: Request, policy: CallPolicy) -> float | None:
    """Return the limit on an attempt that begins now, or None for none."""
    timeout = request.timeout
    if policy.deadline is None:
        return timeout
    left = policy.deadline - policy.clock()
    if left <= 0:
        raise policy.deadline_error()
    return left if timeout is None or left < timeout else timeout


def _answer(answer: object) -> Response | Head:
    assert isinstance(answer, _ANSWERS)  # noqa: S101 - what Send gives
    if CODING in answer.headers.names() and isinstance(answer, Response):
        return unpacked(answer)
    return answer


def _overdue(error: CodexApiError, policy: CallPolicy) -> CodexApiError:
    """Return the error of an attempt; one that was late may be the end of the whole call."""
    if not isinstance(error, TransportTimeoutError) or isinstance(error, DeadlineExceededError):
        return error
    if policy.deadline is None or policy.clock() < policy.deadline:
        return error
    late = policy.deadline_error()
    late.__cause__ = error
    return late


def _status_error(
    request: Request, answer: Response | Head, policy: CallPolicy
) -> HttpStatusError | None:
    if 200 <= answer.status <= 299 or answer.status in policy.accept:  # noqa: PLR2004 - success
        return None
    body = answer.body if isinstance(answer, Response) else None
    return status_error(
        answer.status, request.url, answer.headers, body, policy.retry, policy.wall_clock()
    )


def status_error(
    status: int,
    url: str,
    headers: Headers,
    body: bytes | None,
    retry: RetryConfig,
    now: float,
) -> HttpStatusError:
    """Make the error for an answer outside 200-299; ``now`` is in Unix seconds."""
    error = HttpStatusError(
        f"the server answered with status {status}",
        status=status,
        url=public_url(url),
        headers=headers,
        body=body,
        request_id=headers.get("x-request-id") or headers.get("x-oai-request-id"),
        retry_after=retry_after(headers, now),
    )
    error.retryable = retry.retries(error)
    error.sent = "begun"
    return error


def _report(
    observer: CallObserver,
    attempt: int,
    answer: Response | Head | None,
    error: CodexApiError | None,
    duration: float,
) -> None:
    status = answer.status if answer is not None else error.status if error else None
    observer.on_request(attempt, status, error, duration)
