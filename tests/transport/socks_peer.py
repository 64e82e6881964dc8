"""A SOCKS proxy on loopback."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def socks_proxy() -> Iterator[tuple[int, list[tuple[str, int]]]]:
    """Carry connections, SOCKS 4, 4a or 5 without credentials.

    Yields:
        Its port, and where it was asked to connect to so far.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[tuple[str, int]] = []
    threads: list[threading.Thread] = []
    near: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return  # closed below
            near.append(sock)
            threads.append(threading.Thread(target=carry, args=(sock,)))
            threads[-1].start()

    def carry(sock: socket.socket) -> None:
        with sock, sock.makefile("rwb", buffering=0) as stream:
            if stream.read(1) == b"\x05":
                host, port = _socks5(stream)
            else:
                host, port = _socks4(stream)
            asked.append((host, port))
            with socket.create_connection(("127.0.0.1", port)) as far:
                _copy_both_ways(sock, far)

    serving = threading.Thread(target=serve)
    serving.start()
    yield listener.getsockname()[1], asked
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
    listener.close()
    serving.join()
    for sock in near:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()


def _socks5(stream: Any) -> tuple[str, int]:
    stream.read(stream.read(1)[0])
    stream.write(b"\x05\x00")
    kind = stream.read(4)[3]
    if kind == 1:
        host = socket.inet_ntoa(stream.read(4))
    else:
        host = stream.read(stream.read(1)[0]).decode()
    (port,) = struct.unpack("!H", stream.read(2))
    stream.write(b"\x05\x00\x00\x01" + bytes(6))
    return host, port


def _socks4(stream: Any) -> tuple[str, int]:
    _, port, address = struct.unpack("!BH4s", stream.read(7))
    _until_nul(stream)
    host = _until_nul(stream) if address[:3] == bytes(3) else socket.inet_ntoa(address)
    stream.write(b"\x00\x5a" + bytes(6))
    return host, port


def _until_nul(stream: Any) -> str:
    text = b""
    while (byte := stream.read(1)) != b"\x00":
        text += byte
    return text.decode()


def _copy_both_ways(near: socket.socket, far: socket.socket) -> None:
    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=copy, args=(far, near))
    back.start()
    copy(near, far)
    back.join()
