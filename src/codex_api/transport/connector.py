"""Makes connections in blocking code: name look-up, racing addresses, proxy, TLS, one deadline."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING

from codex_api.transport import connect_errors
from codex_api.transport._core.happy_eyeballs import AttemptSchedule, interleaved
from codex_api.transport._core.tunnel import TunnelAnswer, connect_request
from codex_api.transport.addresses import Address, addresses_from, literal_address, tcp_socket
from codex_api.transport.channel import SocketChannel, TlsChannel
from codex_api.transport.connect_log import first_hop, tell
from codex_api.transport.errors import NetworkError, TransportTimeoutError
from codex_api.transport.readiness import wait_for

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from codex_api.transport._core.route import Proxy, Route
    from codex_api.transport.channel import Channel
    from codex_api.transport.network import Network


def open_channel(route: Route, network: Network, deadline: float | None) -> Channel:
    """Connect along ``route``, up to the point where the request may be sent.

    Args:
        deadline: Instant of ``time.monotonic()`` that all of it obeys; None sets no limit.

    Raises:
        ConnectTimeoutError: The deadline passed.
        NetworkError: Name look-up, proxy, server or TLS failed; the text says which. A certificate
            that is not trusted is not retryable.
        RequestBuildError: The settings cannot be used: a CA bundle, or SOCKS without its extra.
    """
    try:
        return _open(route, network, deadline)
    except TransportTimeoutError:
        raise connect_errors.connect_timed_out(route) from None
    except NetworkError as exc:
        exc.sent = "no"
        raise


def _open(route: Route, network: Network, deadline: float | None) -> Channel:
    proxy = route.proxy
    # First of all: with a CA bundle that cannot be used nothing is sent.
    context = client_context(route, network)
    began = time.monotonic()
    if proxy is not None and proxy.is_socks:
        from codex_api.transport.socks import connect_socks  # noqa: PLC0415 - an extra

        sock = connect_socks(route, proxy, network, deadline)
    else:
        sock = _connect_tcp(route, network, deadline)
    channel: Channel = SocketChannel(sock)
    tell("TCP connected", first_hop(route), began)
    try:
        if context is not None and proxy is not None and proxy.scheme == "https":
            channel = _with_tls(channel, context, proxy.host, f"the proxy {proxy}", deadline)
        if proxy is not None and route.tunnel and not proxy.is_socks:
            _tunnel(channel, route, proxy, deadline)
        if context is not None and route.is_tls:
            peer = f"the server {route.server}"
            channel = _with_tls(channel, context, route.host, peer, deadline)
    except BaseException:
        channel.close()
        raise
    return channel


def client_context(route: Route, network: Network) -> ssl.SSLContext | None:
    """Return what TLS along ``route`` is spoken with; None where none is.

    Raises:
        CertificateError: A CA bundle is configured and cannot be used.
    """
    if not route.is_tls and (route.proxy is None or route.proxy.scheme != "https"):
        return None
    from codex_api.transport.tls import ssl_context  # noqa: PLC0415 - only for TLS

    return ssl_context(network)


def _with_tls(
    channel: Channel, context: ssl.SSLContext, host: str, peer: str, deadline: float | None
) -> TlsChannel:
    from codex_api.transport.tls import TlsLayer  # noqa: PLC0415 - only for TLS

    began = time.monotonic()
    secured = TlsChannel(channel, TlsLayer(context, host, peer), peer)
    secured.handshake(deadline)
    tell("TLS established", peer, began)
    return secured


def _tunnel(channel: Channel, route: Route, proxy: Proxy, deadline: float | None) -> None:
    answer, began = TunnelAnswer(), time.monotonic()
    try:
        channel.send(connect_request(route, proxy), deadline)
        while not answer.is_complete:
            answer.feed(channel.receive(deadline))
    except NetworkError as exc:
        raise connect_errors.tunnel_broken(route, str(exc)) from exc
    if not answer.is_open:
        raise connect_errors.tunnel_refused(answer.status, route)
    tell("tunnel open", f"{route.proxy} to {route.server}", began)


def _connect_tcp(route: Route, network: Network, deadline: float | None) -> socket.socket:
    hop = route.proxy or route
    literal = literal_address(hop.host, hop.port)
    addresses = [literal] if literal else _look_up(route, deadline)
    race = _Race(interleaved(addresses, lambda address: address.family), network)
    try:
        return race.run(route, deadline)
    finally:
        race.close()


def _look_up(route: Route, deadline: float | None) -> list[Address]:
    """Look the first hop's name up, in a thread of its own: nothing else ends the wait for it."""
    hop = route.proxy or route
    results: list[list[Address] | Exception] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(hop.host, hop.port, type=socket.SOCK_STREAM)
            results.append(addresses_from(found))
        except Exception as exc:  # noqa: BLE001 - raised by whoever waits
            results.append(exc)
        finally:
            done.set()

    threading.Thread(target=look_up, name="codex-api-lookup", daemon=True).start()
    if not done.wait(None if deadline is None else max(0.0, deadline - time.monotonic())):
        raise TransportTimeoutError("the name look-up took too long")
    (result,) = results
    if isinstance(result, Exception):
        raise connect_errors.lookup_failed(result, route) from result
    return result


class _Race:
    """Attempts at the addresses of one host, several at once; the first that is up wins."""

    def __init__(self, addresses: Iterable[Address], network: Network) -> None:
        self._schedule = AttemptSchedule(addresses)
        self._network = network
        self._pending: dict[socket.socket, Address] = {}
        self._failures: list[tuple[Address, OSError]] = []

    def run(self, route: Route, deadline: float | None) -> socket.socket:
        """Return the socket that is connected first.

        Raises:
            TransportTimeoutError: None was at the deadline.
            NetworkError: No address could be connected to.
        """
        while True:
            while (address := self._schedule.take(time.monotonic())) is not None:
                self._begin(address)
            wake_at = self._schedule.due_at
            if not self._pending and wake_at is None:
                raise connect_errors.not_connected(self._failures, route)
            if deadline is not None and (wake_at is None or deadline < wake_at):
                wake_at = deadline
            ready = wait_for(writable=self._pending.keys(), deadline=wake_at)
            if (winner := self._first_connected(ready)) is not None:
                return winner
            if not ready and deadline is not None and time.monotonic() >= deadline:
                raise TransportTimeoutError("no connection in time")

    def close(self) -> None:
        """Close the sockets that have not won."""
        for sock in self._pending:
            sock.close()

    def _begin(self, address: Address) -> None:
        try:
            sock = tcp_socket(address, self._network)
        except OSError as exc:
            self._note(address, exc)
            return
        self._pending[sock] = address
        try:
            sock.connect(address.sockaddr)
        except BlockingIOError:
            pass
        except OSError as exc:
            self._fail(sock, exc)

    def _first_connected(self, ready: set[socket.socket]) -> socket.socket | None:
        for sock in ready:
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code == 0:
                del self._pending[sock]
                return sock
            self._fail(sock, OSError(code, os.strerror(code)))
        return None

    def _fail(self, sock: socket.socket, exc: OSError) -> None:
        address = self._pending.pop(sock)
        sock.close()
        self._note(address, exc)

    def _note(self, address: Address, exc: OSError) -> None:
        self._failures.append((address, exc))
        self._schedule.attempt_failed()
