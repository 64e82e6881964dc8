"""Makes connections under asyncio: name look-up, racing addresses, proxy, TLS, one deadline.

Cancelling at any await closes what was opened, at once.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

from codex_api.transport import connect_errors
from codex_api.transport._core.happy_eyeballs import AttemptSchedule, interleaved
from codex_api.transport._core.tunnel import TunnelAnswer, connect_request
from codex_api.transport.addresses import Address, addresses_from, literal_address, tcp_socket
from codex_api.transport.channel_async import SocketChannelAsync, TlsChannelAsync
from codex_api.transport.connect_log import first_hop, tell
from codex_api.transport.connector import client_context
from codex_api.transport.errors import NetworkError, TransportError

if TYPE_CHECKING:
    import ssl

    from codex_api.transport._core.route import Proxy, Route
    from codex_api.transport.channel_async import AsyncChannel
    from codex_api.transport.network import Network


async def open_async_channel(
    route: Route, network: Network, deadline: float | None
) -> AsyncChannel:
    """Connect along ``route`` in the running event loop; the rest is as in ``open_channel``."""
    timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
    try:
        async with asyncio.timeout(timeout):
            return await _open(route, network)
    except TransportError as exc:
        if isinstance(exc, NetworkError):
            exc.sent = "no"
        raise
    except TimeoutError:
        raise connect_errors.connect_timed_out(route) from None


async def _open(route: Route, network: Network) -> AsyncChannel:
    proxy = route.proxy
    # First of all: with a CA bundle that cannot be used nothing is sent.
    context = client_context(route, network)
    began = time.monotonic()
    if proxy is not None and proxy.is_socks:
        from codex_api.transport.socks import connect_socks_async  # noqa: PLC0415 - an extra

        sock = await connect_socks_async(route, proxy, network)
    else:
        sock = await _connect_tcp(route, network)
    try:
        channel: AsyncChannel = await SocketChannelAsync.attach(sock)
    except BaseException:
        sock.close()
        raise
    tell("TCP connected", first_hop(route), began)
    try:
        if context is not None and proxy is not None and proxy.scheme == "https":
            channel = await _with_tls(channel, context, proxy.host, f"the proxy {proxy}")
        if proxy is not None and route.tunnel and not proxy.is_socks:
            await _tunnel(channel, route, proxy)
        if context is not None and route.is_tls:
            peer = f"the server {route.server}"
            channel = await _with_tls(channel, context, route.host, peer)
    except BaseException:
        channel.abort()
        raise
    return channel


async def _with_tls(
    channel: AsyncChannel, context: ssl.SSLContext, host: str, peer: str
) -> TlsChannelAsync:
    from codex_api.transport.tls import TlsLayer  # noqa: PLC0415 - only for TLS

    began = time.monotonic()
    layer = TlsLayer(context, host, peer)
    data = b""
    while True:
        try:
            done = layer.handshake(data)
        finally:  # an alert tells the peer what it did wrong
            if layer.has_outgoing:
                channel.write(layer.take_outgoing())
        if done:
            break
        try:
            data = await channel.inbox.read()
        except NetworkError as exc:
            raise connect_errors.handshake_cut(peer, exc) from exc
        if not data:
            raise connect_errors.handshake_cut(peer)
    tell("TLS established", peer, began)
    return TlsChannelAsync(channel, layer)


async def _tunnel(channel: AsyncChannel, route: Route, proxy: Proxy) -> None:
    answer, began = TunnelAnswer(), time.monotonic()
    channel.write(connect_request(route, proxy))
    while not answer.is_complete:
        try:
            answer.feed(await channel.inbox.read())
        except NetworkError as exc:
            raise connect_errors.tunnel_broken(route, str(exc)) from exc
    if not answer.is_open:
        raise connect_errors.tunnel_refused(answer.status, route)
    tell("tunnel open", f"{route.proxy} to {route.server}", began)


async def _connect_tcp(route: Route, network: Network) -> socket.socket:
    hop = route.proxy or route
    literal = literal_address(hop.host, hop.port)
    addresses = [literal] if literal else await _look_up(route)
    if len(addresses) == 1:
        try:
            return await _attempt(addresses[0], network)
        except OSError as exc:
            raise connect_errors.not_connected([(addresses[0], exc)], route) from exc
    return await _race(interleaved(addresses, lambda address: address.family), route, network)


async def _look_up(route: Route) -> list[Address]:
    hop, loop = route.proxy or route, asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(hop.host, hop.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise connect_errors.lookup_failed(exc, route) from exc
    return addresses_from(found)


async def _attempt(address: Address, network: Network) -> socket.socket:
    sock = tcp_socket(address, network)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address.sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


async def _race(addresses: list[Address], route: Route, network: Network) -> socket.socket:
    """Return the socket that is connected first; whoever loses, or is cancelled, closes its own."""
    schedule = AttemptSchedule(addresses)
    pending: dict[asyncio.Task[socket.socket], Address] = {}
    failures: list[tuple[Address, OSError]] = []
    winner: socket.socket | None = None
    try:
        while winner is None:
            if (address := schedule.take(time.monotonic())) is not None:
                pending[asyncio.create_task(_attempt(address, network))] = address
                continue
            due_at = schedule.due_at
            if not pending and due_at is None:
                raise connect_errors.not_connected(failures, route)
            timeout = None if due_at is None else max(0.0, due_at - time.monotonic())
            done, _ = await asyncio.wait(
                pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                address = pending.pop(task)
                exc = task.exception()
                if isinstance(exc, OSError):
                    failures.append((address, exc))
                    schedule.attempt_failed()
                elif winner is None:
                    winner = task.result()
                else:
                    task.result().close()
    finally:
        await _stop(pending)
    return winner


async def _stop(pending: dict[asyncio.Task[socket.socket], Address]) -> None:
    for task in pending:
        task.add_done_callback(_close_result)
        task.cancel()
    if pending:
        await asyncio.wait(pending)


def _close_result(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
