"""Addresses of hosts, and the sockets that connect to them."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import msgspec

from codex_api.transport.network import apply_keepalive

if TYPE_CHECKING:
    from codex_api.transport.network import Network


class Address(msgspec.Struct, frozen=True):
    """One address of a host: its family, and what ``socket.connect`` takes."""

    family: socket.AddressFamily
    sockaddr: Any  # a tuple whose form depends on the family

    def __str__(self) -> str:
        host, port = self.sockaddr[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def literal_address(host: str, port: int) -> Address | None:
    """Return the address that ``host`` is already, or None for a name that has to be looked up."""
    try:
        version = ip_address(host).version
    except ValueError:
        return None
    if version == 4:  # noqa: PLR2004 - the other one is 6
        return Address(socket.AF_INET, (host, port))
    if "%" in host:  # a link-local address names its interface, which getaddrinfo knows
        return None
    return Address(socket.AF_INET6, (host, port, 0, 0))


def addresses_from(found: list[tuple[Any, ...]]) -> list[Address]:
    """Return the addresses in what ``getaddrinfo`` found, in its order."""
    return [Address(entry[0], entry[4]) for entry in found]


class Socket(socket.socket):
    """A socket that is closed in silence when it is forgotten.

    Python warns of such sockets, but a stream that a caller left behind is no fault of theirs: its
    connection ends with it.
    """

    def __del__(self) -> None:
        """Close it, also if Ctrl-C came while it was made: then ``close`` lacks what it needs."""
        socket.SocketType.close(self)


def tcp_socket(address: Address, network: Network) -> socket.socket:
    """Return a socket for a connection to ``address`` that does not block, with its options set.

    Raises:
        OSError: The system has none of this family, or no handle is left.
    """
    sock = Socket(address.family, socket.SOCK_STREAM)
    try:
        prepare(sock, network)
    except BaseException:
        sock.close()
        raise
    return sock


def adopted(sock: socket.socket, network: Network) -> socket.socket:
    """Return a connection that somebody else made as one of ours; ``sock`` is of no more use."""
    ours = Socket(sock.family, sock.type, fileno=sock.detach())
    prepare(ours, network)
    return ours


def prepare(sock: socket.socket, network: Network) -> None:
    """Set the options of every connection: it does not block, does not wait to fill packets."""
    sock.settimeout(0)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    apply_keepalive(network, sock)
