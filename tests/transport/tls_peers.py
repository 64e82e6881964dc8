"""Real peers on loopback: an HTTPS server and a CONNECT proxy that tunnels or breaks into TLS."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, SHUT_WR, create_connection, socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import trustme


@dataclass
class Seen:
    """What a peer was asked, in order."""

    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    tls_versions: list[str | None] = field(default_factory=list)
    tunnels: list[str] = field(default_factory=list)
    proxy_authorization: list[str | None] = field(default_factory=list)
    cookies: list[str | None] = field(default_factory=list)


def server_context(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
    return context


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    address_family = AF_INET

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: clients that do not trust us break off, which is what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: Seen

    def finish(self) -> None:
        super().finish()
        # The server closes the socket that it accepted, not one that was put around it.
        self.connection.close()

    def log_message(self, *_args: object) -> None:
        """Print nothing."""

    def read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("set-cookie", "__cf_bm=1; Path=/; Secure")
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def _running(handler: type[_Handler], context: ssl.SSLContext | None) -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def http_server(context: ssl.SSLContext | None) -> Iterator[tuple[int, Seen]]:
    """Answer each POST with its own body."""
    seen_here = Seen()

    class Echo(_Handler):
        seen = seen_here

        def do_POST(self) -> None:
            body = self.read_body()
            connection = self.connection
            if isinstance(connection, ssl.SSLSocket):
                self.seen.tls_versions.append(connection.version())
            self.seen.requests.append((self.path, self.headers["host"], body))
            self.seen.cookies.append(self.headers["cookie"])
            self.answer(200, body)

    with _running(Echo, context) as port:
        yield port, seen_here


@contextmanager
def connect_proxy(
    *,
    outside: ssl.SSLContext | None = None,
    inside: ssl.SSLContext | None = None,
    trust: ssl.SSLContext | None = None,
    stand_in: int | None = None,
) -> Iterator[tuple[int, Seen]]:
    """Open tunnels, or with ``inside`` end their TLS here and make each request anew.

    Args:
        outside: Speak TLS with clients of the proxy itself.
        inside: What to show clients in the place of the server they asked for.
        trust: How to reach the real server in that case.
        stand_in: Port here that every tunnel ends at, whatever host was asked for.
    """
    seen_here = Seen()

    class Proxy(_Handler):
        seen = seen_here

        def do_CONNECT(self) -> None:
            self.seen.tunnels.append(self.path)
            self.seen.proxy_authorization.append(self.headers["proxy-authorization"])
            self.send_response(200)
            self.end_headers()
            host, _, port = self.path.rpartition(":")
            if inside is None:
                address = (host, int(port)) if stand_in is None else ("127.0.0.1", stand_in)
                with create_connection(address) as far:
                    _relay(self.connection, far)
                self.close_connection = True
            else:
                self.target = host, int(port)
                self.connection = inside.wrap_socket(self.connection, server_side=True)
                self.rfile = self.connection.makefile("rb")
                self.wfile = self.connection.makefile("wb", buffering=0)
                self.close_connection = False

        def do_POST(self) -> None:
            body = self.read_body()
            self.seen.requests.append((self.path, self.headers["host"], body))
            if not isinstance(self.connection, ssl.SSLSocket):
                self.answer(200, b"by proxy")
                return
            far = HTTPSConnection(*self.target, context=trust)
            try:
                far.request("POST", self.path, body, dict(self.headers.items()))
                response = far.getresponse()
                self.answer(response.status, response.read())
            finally:
                far.close()

    with _running(Proxy, outside) as port:
        yield port, seen_here


def _relay(near: socket, far: socket) -> None:
    def copy(source: socket, sink: socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(SHUT_WR)

    back = threading.Thread(target=copy, args=(far, near), daemon=True)
    back.start()
    copy(near, far)
    back.join()


@contextmanager
def broken_tls_server(context: ssl.SSLContext, before: bytes) -> Iterator[int]:
    """Answer one request with ``before`` and a record that nobody can read, in one piece."""
    with socket(AF_INET) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=_break_tls, args=(listener, context, before), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def _break_tls(listener: socket, context: ssl.SSLContext, before: bytes) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    connection, _ = listener.accept()
    with connection:
        for step in (tls.do_handshake, lambda: tls.read(65_536)):
            while True:
                try:
                    step()
                    break
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(65_536))
        tls.write(before)
        unreadable = b"\x17\x03\x03\x00\x20" + bytes(32)
        connection.sendall(outgoing.read() + unreadable)
        with suppress(OSError):
            connection.recv(65_536)  # until the client goes away
