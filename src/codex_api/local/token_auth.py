"""Credentials that a function of the program gives (wire.md, Authorization)."""

from __future__ import annotations

import asyncio
import threading
import time
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from codex_api.auth import refused
from codex_api.transport.errors import AuthBuildError, AuthTransientError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.messages import Request


class TimedToken(NamedTuple):
    """A token, and until when it is good.

    Attributes:
        expires_at: Unix seconds; None when that is not known.
    """

    token: str
    expires_at: float | None = None

    def __repr__(self) -> str:
        return f"TimedToken([redacted], expires_at={self.expires_at!r})"


class TokenAuth:
    """Sends a bearer token that a function gives, as identity libraries of clouds have them.

    A token whose end is known is kept and asked for anew shortly before it; of any other the
    function is asked for each attempt, and keeps it itself. A 401 makes it ask once more. Callers
    that need a token at the same time share one question.

    Args:
        source: Gives a token as text, as a ``TimedToken``, or as an object with ``token`` and
            ``expires_on`` in Unix seconds. It may be a coroutine function under ``AsyncClient``.
        header: ``authorization`` sends ``Bearer <token>``; any other name sends the token alone.
        margin: Seconds before its end at which a token is replaced.
        clock: Gives Unix seconds, for tests.
    """

    def __init__(
        self,
        source: Callable[[], Any],
        *,
        header: str = "authorization",
        margin: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._header = header.lower()
        self._margin = margin
        self._clock = clock
        self._known: TimedToken | None = None
        self._lock = threading.Lock()
        # The question that goes on, of each event loop.
        self._asked: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[str]] = (
            WeakKeyDictionary()
        )

    def add_auth_headers(self, headers: Headers) -> None:
        """Set the token's header; of an asynchronous source that of the token known, if any.

        Raises:
            AuthBuildError: The source failed, or gave no token.
            AuthTransientError: The source failed for now: it raised an ``OSError``.
        """
        with self._lock:
            if not iscoroutinefunction(self._source):
                self._set(headers, self._good() or self._keep(self._ask()))
            elif self._known is not None:
                self._set(headers, self._known.token)

    def apply_auth(self, request: Request) -> Request | Awaitable[Request]:
        """Set the token's header; awaitable where the source is.

        Raises:
            AuthBuildError: The source failed, or gave no token.
            AuthTransientError: The source failed for now: it raised an ``OSError``.
        """
        with self._lock:
            token = self._good()
            loop = _running_loop()
            going_on = None if token or loop is None else self._asked.get(loop)
            if going_on is not None:
                return _signed(self, request, going_on)
            answer: Any = None if token is not None else self._ask()
            if not hasattr(answer, "__await__"):
                self._set(request.headers, token or self._keep(answer))
                return request
            if loop is None:
                raise refused(answer, str)
            asked = loop.create_task(self._settle(answer))
            # Whoever waited may be gone when it fails.
            asked.add_done_callback(_look_at)
            self._asked[loop] = asked
        return _signed(self, request, asked)

    def refresh(self) -> bool:
        """Forget the token that was refused, so that the next attempt asks for another."""
        with self._lock:
            self._known = None
        return True

    async def _settle(self, answer: Awaitable[Any]) -> str:
        try:
            return self._keep(await answer)
        except Exception as exc:
            raise _source_failed(exc) from exc
        finally:
            self._asked.pop(asyncio.get_running_loop(), None)

    def _good(self) -> str | None:
        known = self._known
        if known is None or known.expires_at is None:
            return None
        return known.token if self._clock() < known.expires_at - self._margin else None

    def _ask(self) -> Any:  # noqa: ANN401 - what the source gives
        try:
            return self._source()
        except Exception as exc:
            raise _source_failed(exc) from exc

    def _keep(self, answer: Any) -> str:  # noqa: ANN401 - what the source gave
        if hasattr(answer, "__await__"):
            raise refused(answer, str)
        token: Any = answer if isinstance(answer, str) else getattr(answer, "token", None)
        if not isinstance(token, str) or not token.strip():
            message = "the source of tokens gave none"
            raise AuthBuildError(message)
        ends = getattr(answer, "expires_at", getattr(answer, "expires_on", None))
        self._known = TimedToken(token.strip(), ends if isinstance(ends, int | float) else None)
        return self._known.token

    def _set(self, headers: Headers, token: str) -> None:
        bearer = self._header == "authorization"
        headers.set(self._header, f"Bearer {token}" if bearer else token)

    def __repr__(self) -> str:
        return f"TokenAuth([redacted], header={self._header!r})"


async def _signed(auth: TokenAuth, request: Request, asked: Awaitable[str]) -> Request:
    # Others may wait for the same token: one that gives up does not take it from them.
    auth._set(request.headers, await asyncio.shield(asked))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # its own
    return request


def _look_at(asked: asyncio.Task[str]) -> None:
    """Take note of an outcome, so that the loop does not complain."""
    if not asked.cancelled():
        asked.exception()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _source_failed(error: Exception) -> AuthBuildError | AuthTransientError:
    if isinstance(error, AuthBuildError | AuthTransientError):
        return error
    message = f"the source of tokens failed: {type(error).__name__}"
    return AuthTransientError(message) if isinstance(error, OSError) else AuthBuildError(message)
