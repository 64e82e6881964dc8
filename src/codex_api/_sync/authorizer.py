"""Signing and refreshing in blocking code; one refresh serves all who wait for it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from codex_api.auth import AuthProvider, RefreshingAuth, signer
from codex_api.transport._core.messages import Request
from codex_api.transport.errors import AuthBuildError

if TYPE_CHECKING:
    from collections.abc import Awaitable

_ASYNC_ONLY = "this auth provider is asynchronous; use AsyncClient"


class Authorizer:
    """Applies one auth provider.

    Attributes:
        generation: Grows with each refresh, so that a caller knows whether its credentials are old.
    """

    def __init__(self, auth: AuthProvider) -> None:
        self.auth = auth
        self.generation = 0
        self._sign = signer(auth)
        self._lock = threading.Lock()

    def apply(self, request: Request) -> Request:
        """Sign ``request``.

        Raises:
            AuthBuildError: The provider cannot, or is asynchronous.
        """
        result = self._sign(request)
        if isinstance(result, Request):
            return result
        raise _refused(result)

    def refresh(self, generation: int) -> bool:
        """Renew the credentials unless somebody did since ``generation``."""
        auth = self.auth
        if not isinstance(auth, RefreshingAuth):
            return False
        with self._lock:
            if self.generation != generation:
                return True
            result = auth.refresh()
            if not isinstance(result, bool):
                raise _refused(result)
            self.generation += result
            return result


def _refused(result: Awaitable[object]) -> AuthBuildError:
    close = getattr(result, "close", None)
    if close is not None:
        close()  # a coroutine nobody awaits would warn
    return AuthBuildError(_ASYNC_ONLY)
