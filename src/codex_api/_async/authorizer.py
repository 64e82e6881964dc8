"""Signing and refreshing under asyncio; one refresh serves all who wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._async.waits import Lock, settled
from codex_api.auth import AuthProvider, RefreshingAuth, refused, signer
from codex_api.transport._core.messages import Request

if TYPE_CHECKING:
    from collections.abc import Callable


class Authorizer:
    """Applies one auth provider.

    Attributes:
        apply: Lets the provider sign a request. Where that takes no time it gives the request;
            anything else is for ``signed``. Raises ``AuthBuildError`` when the provider cannot.
        generation: Grows with each refresh, so that a caller knows whether its credentials are old.
    """

    def __init__(self, auth: AuthProvider) -> None:
        self.auth = auth
        self.generation: int = 0
        self._failures = 0
        self.apply: Callable[[Request], object] = signer(auth)
        self._lock = Lock()

    async def signed(self, given: object) -> Request:
        """Return the request that the provider gave, which may have to be awaited.

        Raises:
            AuthBuildError: It gave no request; or it is asynchronous, which only the client for an
                event loop takes.
        """
        signed = await settled(given)
        if isinstance(signed, Request):
            return signed
        raise refused(signed, Request)

    async def refresh(self, generation: int) -> bool:
        """Renew the credentials unless somebody did since ``generation``, or just failed to.

        Raises:
            AuthBuildError: The provider gave something else than a bool; or it is asynchronous,
                which only the client for an event loop takes.
        """
        if not isinstance(self.auth, RefreshingAuth):
            return False
        failures = self._failures
        async with self._lock:
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


async def _renew(auth: RefreshingAuth) -> bool:
    renewed = await settled(auth.refresh())
    if isinstance(renewed, bool):
        return renewed
    raise refused(renewed, bool)
