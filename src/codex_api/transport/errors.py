"""Failures of the generic transport.

::

    CodexApiError
      TransportError
        HttpStatusError              the server answered with a status outside 200-299
        TransportTimeoutError        a limit on time passed before an answer was there
          ConnectTimeoutError        ... while the connection was being made
          DeadlineExceededError      ... the limit on the whole call, retries included
        NetworkError                 the connection could not be made, or broke
          AuthTransientError         credentials could not be had for now
          WebSocketClosedError       the peer closed the WebSocket, or it was lost
        RequestBuildError            the request cannot be sent as it is; nothing was sent
          AuthBuildError             the auth provider refuses to sign it
          CompressionError           its body cannot be compressed
          CertificateError           the configured CA bundle cannot be used
        RetryLimitError              retries ended without an error to report
        EventTooLargeError           one event or message passed the size limit
        ClientStateError             the object is closed, in use, or from another process

Every text here is safe to log: no credential, no query string, no body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    from codex_api.transport._core.headers import Headers

#: How much of a request had left when it failed: nothing, perhaps all, or its answer had begun.
Sent: TypeAlias = Literal["no", "maybe", "begun"]


class CodexApiError(Exception):
    """Root of everything that this library raises on purpose.

    Attributes:
        message: What happened, in one line that is safe to log.
        retryable: Whether the same call may succeed when it is made again.
        retry_after: Seconds that the server asked to wait, or None when it did not say.
        request_id: Value of ``x-request-id`` (or its equivalent), to quote in a support request.
        status: HTTP status of the answer, or None when there was none.
        rate_limits: The limits that the failed answer reported, or None.
        api_rate_limits: The ``x-ratelimit-*`` limits that it reported, or None.
        sent: How much of the request had left: ``"no"`` for nothing, ``"maybe"`` when the server
            may have read it, ``"begun"`` when its answer had begun; None where that is not known.
        attempts: How often the call was made, or None where that was not counted.
    """

    sent: Sent | None = None
    attempts: int | None = None

    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str = "",
        *,
        retryable: bool | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        status: int | None = None,
        rate_limits: object | None = None,
        api_rate_limits: object | None = None,
    ) -> None:
        # Exceptions pickle as cls(*args) plus __dict__, so all else stays out of args.
        super().__init__(message)
        self.message = message
        self.retryable: bool = self.default_retryable if retryable is None else retryable
        self.retry_after = retry_after
        self.request_id = request_id
        self.status = status
        self.rate_limits = rate_limits
        self.api_rate_limits = api_rate_limits

    def __str__(self) -> str:
        return self.message


class TransportError(CodexApiError):
    """No usable answer came back.

    Attributes:
        sent: How much of the request had left: ``"no"`` for nothing, ``"maybe"`` when the server
            may have read it, ``"begun"`` when its answer had begun; None where that is not known.
    """


class HttpStatusError(TransportError):
    """The server answered with a status outside 200-299.

    Attributes:
        url: Where the request went, without user info and query; None for a wrapped error.
        headers: Headers of the answer.
        body: The answer's body, or None when it could not be read. Never part of the text.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        url: str | None = None,
        headers: Headers | None = None,
        body: bytes | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(
            message,
            status=status,
            request_id=request_id,
            retryable=retryable,
            retry_after=retry_after,
        )
        self.url = url
        self.headers = headers
        self.body = body


class TransportTimeoutError(TransportError, TimeoutError):
    """A limit on time passed before an answer was there."""

    default_retryable = True


class ConnectTimeoutError(TransportTimeoutError):
    """The connection was not made within ``Timeouts.connect`` seconds."""


class DeadlineExceededError(TransportTimeoutError):
    """The whole call, retries and waits included, took longer than it may."""

    default_retryable = False


class NetworkError(TransportError):
    """The connection could not be made, or broke before the answer was complete."""

    default_retryable = True


class AuthTransientError(NetworkError):
    """The auth provider cannot give credentials now; a later try may work."""


class HttpProtocolError(NetworkError):
    """The answer is not legal HTTP/1.1, or passed a limit on its head; the connection is closed.

    Retryable: it is mostly a proxy that cut or mixed up an answer.
    """


class WebSocketClosedError(NetworkError):
    """The peer closed the WebSocket, or the connection under it was lost.

    Attributes:
        code: Code of the peer's close frame, 1005 when that was empty, None when none came.
        reason: What the close frame said, or an empty text.
        is_cut: Whether it closed in the midst of a message, which is lost.
    """

    def __init__(
        self,
        message: str = "",
        *,
        code: int | None = None,
        reason: str = "",
        is_cut: bool = False,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message, retryable=retryable)
        self.code = code
        self.reason = reason
        self.is_cut: bool = is_cut


class RequestBuildError(TransportError, ValueError):
    """The request cannot be sent as it is. Nothing was sent."""


class AuthBuildError(RequestBuildError):
    """The auth provider refuses to sign the request, or cannot."""


class CompressionError(RequestBuildError):
    """Compression was asked for and cannot be applied."""


class CertificateError(RequestBuildError):
    """The configured CA bundle cannot be used."""


class RetryLimitError(TransportError):
    """Retries ended without an error to report."""


class EventTooLargeError(TransportError):
    """One event or message is larger than the limit that the caller set."""


class ClientStateError(TransportError, RuntimeError):
    """The object is closed, already in use, or was made in another process."""
