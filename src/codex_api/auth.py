"""Credentials on requests (wire.md, Authorization).

An auth provider adds headers. It may also sign the whole request (``apply_auth``), and offer to
renew refused credentials (``refresh``): then one 401 is followed by one refresh, shared by all
calls that wait for it, and one more try. Nothing here prints a secret.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import AuthBuildError

if TYPE_CHECKING:
    from codex_api.transport._core.messages import Request

Token = Callable[[], str | Awaitable[str]]


class AuthProvider(Protocol):
    """The least an auth provider does. Cheap, and called for every attempt."""

    def add_auth_headers(self, headers: Headers) -> None:
        """Set the credential's headers, over whatever is there.

        Raises:
            AuthBuildError: It cannot; the call fails and is not retried.
            AuthTransientError: It cannot now; retried as a broken connection is.
        """
        ...


@runtime_checkable
class RequestSigner(Protocol):
    """Signs a whole request: final URL, headers and body bytes."""

    def apply_auth(self, request: Request) -> Request | Awaitable[Request]:
        """Return the request to send instead. Awaitable only under ``AsyncClient``.

        Raises:
            AuthBuildError: It cannot; the call fails and is not retried.
            AuthTransientError: It cannot now; retried as a broken connection is.
        """
        ...


@runtime_checkable
class RefreshingAuth(Protocol):
    """Renews credentials that a server refused with 401."""

    def refresh(self) -> bool | Awaitable[bool]:
        """Renew, and say whether a new try makes sense. Awaitable only under ``AsyncClient``."""
        ...


def _text(secret: object, needed: str) -> str:
    if isinstance(secret, str):
        return secret
    message = f"{needed} that is text, not {type(secret).__name__}"
    raise AuthBuildError(message)


class NoAuth:
    """Sends no credentials."""

    def add_auth_headers(self, headers: Headers) -> None:
        """Leave the headers alone."""

    def __repr__(self) -> str:
        return "NoAuth()"


class ApiKeyAuth:
    """Sends an API key as a bearer token, or as it is in a header of another name.

    Args:
        key: The key; blank space around it is cut.
        header: ``authorization`` sends ``Bearer <key>``; any other name sends the key alone, such
            as Azure's ``api-key``.

    Raises:
        AuthBuildError: The key is blank or no text, such as None for a variable that is not set.
    """

    __slots__ = ("_fields", "_header", "_key")

    def __init__(self, key: str, *, header: str = "authorization") -> None:
        self._key = _text(key, "ApiKeyAuth needs a key").strip()
        self._header = header.lower()
        self._fields: Headers | None = None
        if not self._key:
            message = "ApiKeyAuth needs a key that is not blank"
            raise AuthBuildError(message)

    @classmethod
    def from_env(
        cls, variable: str = "OPENAI_API_KEY", *, header: str = "authorization"
    ) -> ApiKeyAuth:
        """Read the key from an environment variable.

        Raises:
            AuthBuildError: The variable is not set, or blank.
        """
        key = os.environ.get(variable, "")
        if not key.strip():
            message = f"no API key: set the environment variable {variable}"
            raise AuthBuildError(message)
        return cls(key, header=header)

    def add_auth_headers(self, headers: Headers) -> None:
        """Set the key's header."""
        if self._fields is None:
            bearer = self._header == "authorization"
            self._fields = Headers({self._header: f"Bearer {self._key}" if bearer else self._key})
        headers.merge(self._fields)

    def __repr__(self) -> str:
        return f"ApiKeyAuth([redacted], header={self._header!r})"


class ChatGptAuth:
    """Sends a ChatGPT access token and the account that it belongs to.

    Args:
        access_token: The token now.
        account_id: Sent as ``chatgpt-account-id``; None sends none.
        fedramp: Whether the account is a FedRAMP one.
        refresh: Called after a 401 to get a new token; None lets the 401 fail the call. It may be a
            coroutine function under ``AsyncClient``.

    Raises:
        AuthBuildError: The token is blank or no text.
    """

    __slots__ = ("_account_id", "_fedramp", "_renew", "_token")

    def __init__(
        self,
        access_token: str,
        account_id: str | None = None,
        *,
        fedramp: bool = False,
        refresh: Token | None = None,
    ) -> None:
        self._token = _text(access_token, "ChatGptAuth needs an access token").strip()
        if not self._token:
            message = "ChatGptAuth needs an access token that is not blank"
            raise AuthBuildError(message)
        self._account_id = account_id
        self._fedramp = fedramp
        self._renew = refresh

    def add_auth_headers(self, headers: Headers) -> None:
        """Set the token, and the account's headers when they are known."""
        headers.set("authorization", f"Bearer {self._token}")
        if self._account_id:
            headers.set("chatgpt-account-id", self._account_id)
        if self._fedramp:
            headers.set("x-openai-fedramp", "true")

    def refresh(self) -> bool | Awaitable[bool]:
        """Take a new token from the callback; False when there is no callback."""
        if self._renew is None:
            return False
        token = self._renew()
        return self._take(token) if isinstance(token, str) else _Renewal(token, self._take)

    def _take(self, token: str) -> bool:
        self._token = token.strip() or self._token
        return bool(token.strip())

    def __repr__(self) -> str:
        return f"ChatGptAuth([redacted], fedramp={self._fedramp!r})"


class _Renewal:
    """A token on its way. Its ``close`` reaches the coroutine inside, which none of ours would."""

    def __init__(self, token: Awaitable[str], take: Callable[[str], bool]) -> None:
        self._token = token
        self._take = take

    def __await__(self) -> Generator[object, None, bool]:
        return self._take((yield from self._token.__await__()))

    def close(self) -> None:
        _close(self._token)


class AuthHeaderTelemetry(NamedTuple):
    """Whether an auth provider attaches a credential, and in which header."""

    attached: bool
    name: str | None


def auth_header_telemetry(auth: AuthProvider) -> AuthHeaderTelemetry:
    """Say which credential header ``auth`` sets, never its value (wire.md, Authorization)."""
    headers = Headers()
    auth.add_auth_headers(headers)
    for name in ("authorization", "x-api-key", "api-key", "x-goog-api-key"):
        if name in headers:
            return AuthHeaderTelemetry(attached=True, name=name)
    return AuthHeaderTelemetry(attached=False, name=None)


def refused(result: object, wanted: type) -> AuthBuildError:
    """Make the error for what an auth provider gave instead of a ``wanted``, and let go of it."""
    if hasattr(result, "__await__"):
        _close(result)
        return AuthBuildError("this auth provider is asynchronous; use AsyncClient")
    return AuthBuildError(
        f"the auth provider has to give a {wanted.__name__}, not {type(result).__name__}"
    )


def _close(awaitable: object) -> None:
    close = getattr(awaitable, "close", None)
    if close is not None:
        close()  # a coroutine that nobody awaits would warn


def signer(auth: AuthProvider) -> Callable[[Request], Request | Awaitable[Request]]:
    """Return how ``auth`` is applied: by its own signature if it signs, else by headers.

    The request that is handed in is the attempt's own; its headers may be changed in place.
    """
    if isinstance(auth, RequestSigner):
        return auth.apply_auth

    def add_headers(request: Request) -> Request:
        auth.add_auth_headers(request.headers)
        return request

    return add_headers
