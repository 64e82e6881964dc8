"""Answers that say no, a class for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._imports import show_as
from codex_api.errors import ApiError

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Unpack

    from codex_api.errors import ErrorContext
    from codex_api.rate_limits import RateLimitReachedType


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


show_as("codex_api.errors", globals())
