"""The floor of blocking rows: a socket, msgspec and nothing else."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from benchmarks.clients import typed
from benchmarks.clients.framing import EventReader, request

if TYPE_CHECKING:
    from benchmarks.server import Origin

NAME = "bare socket"
_READ_BYTES = 1 << 18


class Client:
    """One connection, kept alive."""

    def __init__(self, origin: Origin) -> None:
        plain = socket.create_connection(("127.0.0.1", origin.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = origin.context
        self._socket = context.wrap_socket(plain, server_hostname="127.0.0.1") if context else plain

    def stream(self, path: str) -> int:
        reader, count = EventReader(), 0
        receive, feed = self._socket.recv, reader.feed
        self._socket.sendall(request("POST", path, typed.BODY))
        while not reader.is_complete:
            for event in feed(receive(_READ_BYTES)):
                count += type(event) is typed.Delta
        return count

    def first(self, path: str) -> typed.Event:
        """Return the first event; the connection is of no use afterwards."""
        reader = EventReader()
        self._socket.sendall(request("POST", path, typed.BODY))
        while not (events := reader.feed(self._socket.recv(_READ_BYTES))):
            pass
        return events[0]

    def send(self, path: str) -> None:
        """Send a request whose answer nobody reads."""
        self._socket.sendall(request("POST", path, b""))

    def close(self) -> None:
        self._socket.close()
