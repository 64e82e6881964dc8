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

from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

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
    from datetime import datetime
    from typing import Unpack

    from codex_api._logic.incoming.collect import CollectedResponse
    from codex_api._logic.incoming.error_mapping import map_api_error
    from codex_api.rate_limits import ApiRateLimits, RateLimitReachedType, RateLimitSnapshot
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


def __getattr__(name: str) -> Any:  # noqa: ANN401  # the shape of a module's __getattr__
    # The mapping imports the classes below, so it cannot be imported up here.
    if name == "map_api_error":
        from codex_api._logic.incoming.error_mapping import map_api_error  # noqa: PLC0415  # see above

        return map_api_error
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


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


class ContextWindowExceededError(ApiError):
    """The input does not fit the model's context window."""

    default_message = (
        "the conversation is longer than the model's context window; start a new one or shorten it"
    )


class QuotaExceededError(ApiError):
    """The credit of the account is used up."""

    default_message = "the account's quota is used up; check its plan and billing"


class UsageNotIncludedError(ApiError):
    """The account's plan does not cover this use."""

    default_message = (
        "this use is not part of the account's plan; upgrading to Plus includes it: "
        "https://chatgpt.com/explore/plus"
    )


class UsageLimitReachedError(ApiError):
    """The allowance of the plan is used up until it resets.

    Attributes:
        plan_type: The account's plan, such as ``plus``, or None.
        resets_at: When the allowance is renewed, in UTC, or None when the server did not say.
        promo_message: What the server suggests to do about it, or None.
        rate_limit_reached_type: Which kind of limit was reached, or None.
    """

    default_message = "the usage limit is reached; try again later"

    def __init__(
        self,
        message: str = "",
        *,
        plan_type: str | None = None,
        resets_at: datetime | None = None,
        promo_message: str | None = None,
        rate_limit_reached_type: RateLimitReachedType | None = None,
        **context: Unpack[ErrorContext],
    ) -> None:
        super().__init__(message, **context)
        self.plan_type = plan_type
        self.resets_at = resets_at
        self.promo_message = promo_message
        self.rate_limit_reached_type = rate_limit_reached_type


class ServerOverloadedError(ApiError):
    """The model is at capacity."""

    default_message = "the selected model is at capacity; try another one"


class InternalServerError(ApiError):
    """The server failed with status 500."""

    default_retryable = True
    default_message = "the server failed, possibly because of high demand"


class RetryableError(ApiError):
    """The server could not finish the response; a later try may work."""

    default_retryable = True
    default_message = "the server could not finish the response"


class RateLimitError(RetryableError):
    """Too many requests or tokens for now; ``retry_after`` says how long to wait, if given.

    Attributes:
        limit: Which limit was hit, where the answer says: ``requests``, ``tokens``,
            ``input_tokens``, ``output_tokens``, ``images``, or ``day`` for one of a whole day.
    """

    default_message = "the rate limit is reached"

    def __init__(
        self, message: str = "", *, limit: str | None = None, **context: Unpack[ErrorContext]
    ) -> None:
        super().__init__(message, **context)
        self.limit = limit


class InvalidRequestError(ApiError):
    """The request is wrong and would be refused again.

    Attributes:
        body: The refusing answer as text, bounded, or None when it came within a stream.
    """

    default_message = "the request is not valid"

    def __init__(
        self, message: str = "", *, body: str | None = None, **context: Unpack[ErrorContext]
    ) -> None:
        super().__init__(message, **context)
        self.body = body


class InvalidImageError(ApiError):
    """An image of the input cannot be read by the server."""

    default_message = "the server cannot read an image of the input"


class CyberPolicyError(ApiError):
    """The request was refused by the cybersecurity policy."""

    default_message = "the request was flagged as a possible cybersecurity risk"


class _StatusError(ApiError):
    """A refusal that is known by its status.

    Attributes:
        body: The answer as text, bounded, or None.
        url: Where the request went, without user info and query, or None.
        cf_ray: Value of ``cf-ray``, or None.
        auth_error: What the identity service answered, or None.
        auth_error_code: Its code, or None.
    """

    def __init__(
        self,
        message: str = "",
        *,
        body: str | None = None,
        url: str | None = None,
        cf_ray: str | None = None,
        auth_error: str | None = None,
        auth_error_code: str | None = None,
        **context: Unpack[ErrorContext],
    ) -> None:
        super().__init__(message, **context)
        self.body = body
        self.url = url
        self.cf_ray = cf_ray
        self.auth_error = auth_error
        self.auth_error_code = auth_error_code


class AuthenticationError(_StatusError):
    """The credentials were refused (status 401).

    Attributes:
        body: The answer as text, bounded, or None.
        url: Where the request went, without user info and query, or None.
        cf_ray: Value of ``cf-ray``, or None.
        auth_error: What the identity service answered, or None.
        auth_error_code: Its code, or None.
    """

    default_message = "the credentials were refused"


class UnexpectedStatusError(_StatusError):
    """The server answered with a status that has no class of its own.

    Attributes:
        body: The answer as text, bounded, or None.
        url: Where the request went, without user info and query, or None.
        cf_ray: Value of ``cf-ray``, or None.
        auth_error: What the identity service answered, or None.
        auth_error_code: Its code, or None.
    """

    default_retryable = True
    default_message = "the server answered with an unexpected status"


class FileUploadError(ApiError):
    """A file could not be stored, or was not accepted.

    Retryable when the transfer broke or the server was not ready in time.

    Attributes:
        stage: ``blob`` for the transfer of the bytes, ``finalize`` for the check after it.
        file_id: Id that the server gave the file, or None.
    """

    default_message = "the file could not be uploaded"

    def __init__(
        self,
        message: str = "",
        *,
        stage: str | None = None,
        file_id: str | None = None,
        **context: Unpack[ErrorContext],
    ) -> None:
        super().__init__(message, **context)
        self.stage = stage
        self.file_id = file_id
