"""CONNECT: how an HTTP proxy is asked for a tunnel, and what it answers (RFC 9110, 9.3.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api.transport._core.headers import Headers
from codex_api.transport._core.http1 import ResponseReader, encode_head
from codex_api.transport.errors import NetworkError

if TYPE_CHECKING:
    from codex_api.transport._core.route import Proxy, Route


def connect_request(route: Route, proxy: Proxy) -> bytes:
    """Return the request for a tunnel to the server of ``route``."""
    fields = Headers()
    if proxy.authorization is not None:
        fields.set("proxy-authorization", proxy.authorization)
    return encode_head("CONNECT", route.server, route.server, fields)


class TunnelAnswer:
    """The head of a proxy's answer to CONNECT. What a refusal says in its body is not read."""

    def __init__(self) -> None:
        self._reader = ResponseReader("CONNECT")

    @property
    def status(self) -> int:
        """Its status; 0 until the head is there."""
        return self._reader.status or 0

    @property
    def is_complete(self) -> bool:
        """Whether the head is there."""
        return self._reader.status is not None

    @property
    def is_open(self) -> bool:
        """Whether the tunnel is there."""
        return 200 <= self.status <= 299  # noqa: PLR2004 - success

    def feed(self, data: bytes) -> None:
        """Take bytes of the answer; none is the end of the connection.

        Raises:
            NetworkError: It is no HTTP answer, it ended too soon, or the server spoke before us.
        """
        if not data:
            raise NetworkError("it closed the connection")
        self._reader.feed(data)
        if self.is_open and self._reader.has_leftover:
            raise NetworkError("it sent bytes that nobody had asked the server for")
