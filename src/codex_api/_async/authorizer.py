"""Signing and refreshing under asyncio; one refresh serves all who wait for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codex_api.auth import AuthProvider, RefreshingAuth, signer
from codex_api.transport._core.messages import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Authorizer:
    """Applies one auth provider.

    Attributes:
        generation: Grows with each refresh, so that a caller knows whether its credentials are old.
    """

    def __init__(self, auth: AuthProvider) -> None:
        self.auth = auth
        self.generation = 0
        self._sign = signer(auth)
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def apply(self, request: Request) -> Request:
        """Sign ``request``.

        Raises:
            AuthBuildError: The provider cannot.
        """
        result = self._sign(request)
        return result if isinstance(result, Request) else await result

    async def refresh(self, generation: int) -> bool:
        """Renew the credentials unless somebody did since ``generation``."""
        auth = self.auth
        if not isinstance(auth, RefreshingAuth):
            return False
        async with self._own_lock():
            if self.generation != generation:
                return True
            result: bool | Awaitable[bool] = auth.refresh()
            renewed = result if isinstance(result, bool) else await result
            self.generation += renewed
            return renewed

    def _own_lock(self) -> asyncio.Lock:
        # A lock belongs to the loop that first waits on it; a client may outlive its loop.
        loop = asyncio.get_running_loop()
        if self._lock is None or self._loop is not loop:
            self._lock, self._loop = asyncio.Lock(), loop
        return self._lock
