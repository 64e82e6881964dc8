"""Every error that this library raises on purpose.

::

    CodexApiError
      TransportError                      no usable answer (see ``codex_api.transport.errors``)
        HttpStatusError                   a status outside 200-299; the cause of errors made of one
        TransportTimeoutError       *       a limit on time passed before an answer was there
          ConnectTimeoutError       *
          DeadlineExceededError
        NetworkError                *       the connection could not be made, or broke
          AuthTransientError        *
          HttpProtocolError         *       the answer is not legal HTTP/1.1
          WebSocketClosedError      *
        RequestBuildError                 nothing was sent
          AuthBuildError CompressionError CertificateError
        RetryLimitError
        ClientStateError
      ApiError                            an answer that says no, or makes no sense
        StreamError                 *     a response stream that did not reach its end
          StreamClosedError         *       the bytes ended first
          IdleTimeoutError          *       no event for ``Provider.stream_idle_timeout``
            LivenessTimeoutError    *       not one byte for ``Timeouts.liveness``
          FirstEventTimeoutError    *       no first event within ``Timeouts.first_event``
          ResponseIncompleteError   (*)     the server stopped early and says why
          DecodeError                     an answer that is not what was promised
          EventTooLargeError              an event over the size limit
        RetryableError              *     the server failed; a later try may work
          RateLimitError            *       too many requests or tokens for now
        InternalServerError         *     status 500
        UnexpectedStatusError       (*)   any other status
        ServerOverloadedError             the model is at capacity
        ContextWindowExceededError        the input is too long for the model
        QuotaExceededError                the account's credit is used up
        UsageLimitReachedError            the plan's allowance is used up until it resets
        UsageNotIncludedError             the plan does not cover this
        InvalidRequestError               the request is wrong
        InvalidImageError                 an image of the input cannot be read
        CyberPolicyError                  refused by the cybersecurity policy
        AuthenticationError               status 401
        FileUploadError             (*)   a file could not be stored, or was not accepted

A star marks what is retryable by default; ``(*)`` is decided for each error, see its class.
Errors pickle and copy, and no text holds a credential, a signed URL or a whole body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypedDict

from codex_api._imports import Lookup, lazy_attributes
from codex_api.transport.errors import (
    AuthBuildError,
    AuthTransientError,
    CertificateError,
    ClientStateError,
    CodexApiError,
    CompressionError,
    ConnectTimeoutError,
    DeadlineExceededError,
    HttpProtocolError,
    HttpStatusError,
    NetworkError,
    RequestBuildError,
    RetryLimitError,
    TransportError,
    TransportTimeoutError,
    WebSocketClosedError,
)
from codex_api.transport.errors import EventTooLargeError as TransportEventTooLargeError

if TYPE_CHECKING:
    from typing import Unpack

    from codex_api._logic.incoming.collect import CollectedResponse
    from codex_api._logic.incoming.error_mapping import map_api_error
    from codex_api.errors._refused import *
    from codex_api.rate_limits import ApiRateLimits, RateLimitSnapshot
    from codex_api.types.response import Response
    from codex_api.types.usage import TokenUsage

__all__ = [
    "ApiError",
    "AuthBuildError",
    "AuthTransientError",
    "AuthenticationError",
    "CertificateError",
    "ClientStateError",
    "CodexApiError",
    "CompressionError",
    "ConnectTimeoutError",
    "ContextWindowExceededError",
    "CyberPolicyError",
    "DeadlineExceededError",
    "DecodeError",
    "ErrorContext",
    "EventTooLargeError",
    "FileUploadError",
    "FirstEventTimeoutError",
    "HttpProtocolError",
    "HttpStatusError",
    "IdleTimeoutError",
    "InternalServerError",
    "InvalidImageError",
    "InvalidRequestError",
    "LivenessTimeoutError",
    "NetworkError",
    "QuotaExceededError",
    "RateLimitError",
    "RequestBuildError",
    "ResponseIncompleteError",
    "RetryLimitError",
    "RetryableError",
    "ServerOverloadedError",
    "StreamClosedError",
    "StreamError",
    "TransportError",
    "TransportTimeoutError",
    "UnexpectedStatusError",
    "UsageLimitReachedError",
    "UsageNotIncludedError",
    "WebSocketClosedError",
    "map_api_error",
]


class ErrorContext(TypedDict, total=False):
    """What is known about a failure besides its kind; see ``ApiError`` for the meanings."""

    retryable: bool | None
    retry_after: float | None
    request_id: str | None
    status: int | None
    rate_limits: RateLimitSnapshot | None
    api_rate_limits: ApiRateLimits | None
    code: str | None
    type: str | None
    param: str | None
    server_message: str | None


class ApiError(CodexApiError):
    """An answer that says no, or makes no sense.

    Attributes:
        code: The server's own name for the failure, or None.
        type: The server's name for its kind, or None.
        param: What of the request the server complains of, or None.
        server_message: The server's own words, bounded, or None.
        partial: What had arrived when the failure was read, set by ``collect()`` and by calls that
            give a whole response; else None.
    """

    default_message: ClassVar[str] = "the API call failed"
    rate_limits: RateLimitSnapshot | None  # pyright: ignore[reportIncompatibleVariableOverride]  # the transport cannot name the type
    api_rate_limits: ApiRateLimits | None  # pyright: ignore[reportIncompatibleVariableOverride]  # as above

    def __init__(
        self,
        message: str = "",
        *,
        retryable: bool | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        status: int | None = None,
        rate_limits: RateLimitSnapshot | None = None,
        api_rate_limits: ApiRateLimits | None = None,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the wire's name
        param: str | None = None,
        server_message: str | None = None,
    ) -> None:
        super().__init__(
            message or self.default_message,
            retryable=retryable,
            retry_after=retry_after,
            request_id=request_id,
            status=status,
            rate_limits=rate_limits,
            api_rate_limits=api_rate_limits,
        )
        self.code = code
        self.type = type
        self.param = param
        self.server_message = server_message
        self.partial: CollectedResponse | Response | None = None


class StreamError(ApiError):
    """A response stream did not reach its end."""

    default_retryable = True
    default_message = "the response stream failed"


class StreamClosedError(StreamError):
    """The bytes of the response ended before it was complete."""

    default_message = "the stream was closed before the response was complete"


class IdleTimeoutError(StreamError, TimeoutError):
    """No event arrived for as long as the idle timeout, whatever else did."""

    default_message = "no event arrived within the idle timeout"


class LivenessTimeoutError(IdleTimeoutError):
    """Not one byte arrived for as long as ``Timeouts.liveness``, comments and pings included."""

    default_message = "no data at all arrived within the liveness timeout"


class FirstEventTimeoutError(StreamError, TimeoutError):
    """The first event did not arrive within ``Timeouts.first_event`` of the request."""

    default_message = "the first event did not arrive in time"


class ResponseIncompleteError(StreamError):
    """The server ended the response early and said why.

    Retryable except for the reasons ``max_output_tokens`` and ``cancelled``, which would only come
    again.

    Attributes:
        reason: ``max_output_tokens``, ``content_filter``, another word of the server's, or
            ``unknown``.
        response_id: Id of the response, or None when the server did not say.
        usage: What the part that was made did cost, or None.
    """

    final_reasons: ClassVar[frozenset[str]] = frozenset({"max_output_tokens", "cancelled"})

    def __init__(
        self,
        message: str = "",
        *,
        reason: str = "unknown",
        response_id: str | None = None,
        usage: TokenUsage | None = None,
        **context: Unpack[ErrorContext],
    ) -> None:
        if context.get("retryable") is None:
            context["retryable"] = reason not in self.final_reasons
        super().__init__(
            message or f"the server ended the response early, reason: {reason}", **context
        )
        self.reason = reason
        self.response_id = response_id
        self.usage = usage


class DecodeError(StreamError):
    """An answer or event is not what was promised, or not JSON at all."""

    default_retryable = False
    default_message = "the answer cannot be read"


class EventTooLargeError(StreamError, TransportEventTooLargeError):
    """An event or message passed the size limit."""

    default_retryable = False
    default_message = "an event is larger than the limit"


# Refusals are imported with the first one. The mapping imports this package.
_LAZY = {name: "errors._refused" for name in __all__ if name not in globals()}
_LAZY["map_api_error"] = "_logic.incoming.error_mapping"

__getattr__: Lookup = lazy_attributes(__name__, _LAZY, parent="codex_api")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
