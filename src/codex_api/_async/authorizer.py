"""Signing and refreshing under asyncio; one refresh serves all who wait for it."""

from __future__ import annotations

import asyncio
from inspect import isawaitable

from codex_api.auth import AuthProvider, RefreshingAuth, refused, signer
from codex_api.transport._core.messages import Request


class Authorizer:
    """Applies one auth provider.

    Attributes:
        generation: Grows with each refresh, so that a caller knows whether its credentials are old.
    """

    def __init__(self, auth: AuthProvider) -> None:
        self.auth = auth
        self.generation = 0
        self._failures = 0
        self._sign = signer(auth)
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def apply(self, request: Request) -> Request:
        """Sign ``request``.

        Raises:
            AuthBuildError: The provider cannot, or gave no request.
        """
        result = self._sign(request)
        if isinstance(result, Request):
            return result
        signed = await _settled(result)
        if isinstance(signed, Request):
            return signed
        raise refused(signed, Request)

    async def refresh(self, generation: int) -> bool:
        """Renew the credentials unless somebody did since ``generation``, or just failed to.

        Raises:
            AuthBuildError: The provider gave something else than a bool.
        """
        if not isinstance(self.auth, RefreshingAuth):
            return False
        failures = self._failures
        async with self._own_lock():
            if self.generation != generation:
                return True
            if self._failures != failures:
                return False
            try:
                renewed = await _renew(self.auth)
            except Exception:  # a cancelled one may have worked: the next in line finds out
                self._failures += 1
                raise
            self.generation += renewed
            self._failures += not renewed
            return renewed

    def _own_lock(self) -> asyncio.Lock:
        # A lock belongs to the loop that first waits on it; a client may outlive its loop.
        loop = asyncio.get_running_loop()
        if self._lock is None or self._loop is not loop:
            self._lock, self._loop = asyncio.Lock(), loop
        return self._lock


async def _renew(auth: RefreshingAuth) -> bool:
    renewed = await _settled(auth.refresh())
    if isinstance(renewed, bool):
        return renewed
    raise refused(renewed, bool)


async def _settled(result: object) -> object:
    return await result if isawaitable(result) else result
