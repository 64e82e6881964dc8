"""What stands around the application of a server that is open to other programs.

Browsers let any page send requests to this machine. Two checks keep pages out: the ``Host`` has to
be a name that the server is known by, or an address, which no foreign page can make its own (a
rebound DNS name is neither); and an ``Origin``, which only browsers send, has to be the server.
"""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from codex_api.testing.server.problems import RequestProblem
from codex_api.testing.server.watching import ServedRequest, WatchedExchange, WatchedSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send


class Doorman:
    """Checks who asks, and tells what was asked once it is answered.

    Args:
        host: Name or address that the server was told to bind.
        names: Further names that it is known by.
        tell: Called in the server's thread; None tells nobody.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        names: tuple[str, ...] = (),
        tell: Callable[[ServedRequest], None] | None = None,
    ) -> None:
        self._app = app
        self._names = {"localhost", host.lower(), *(name.lower() for name in names)}
        self._tell: Callable[[ServedRequest], None] = tell or _tell_nobody

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        served = ServedRequest(scope.get("method", "GET"), scope["path"])
        began = time.monotonic()
        is_socket = scope["type"] == "websocket"
        watch: WatchedSocket | WatchedExchange = (
            WatchedSocket(served, receive, send, self._tell)
            if is_socket
            else WatchedExchange(served, receive, send)
        )
        problem = self._problem(scope)
        try:
            if problem is not None:
                answer = JSONResponse({"error": problem.error()}, problem.status)
                await answer(scope, receive, watch.send)
            else:
                await self._app(scope, watch.receive, watch.send)
        finally:
            served.seconds = time.monotonic() - began
            watch.end()
            self._tell(served)

    def _problem(self, scope: Scope) -> RequestProblem | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if not self._is_known(host):
            message = "The Host header names another server; see --allow-host."
            return RequestProblem(421, message, "unknown_host")
        origin = headers.get(b"origin")
        if origin is not None and origin.lower().partition("://")[2] != host.lower():
            return RequestProblem(403, "Pages of another origin are not let in.", "foreign_origin")
        return None

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _tell_nobody(served: ServedRequest) -> None:
    del served
