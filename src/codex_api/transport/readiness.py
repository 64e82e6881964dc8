"""Waiting until sockets can be used, up to an instant of ``time.monotonic()``.

A signal handler that raises ends a wait at once (PEP 475). Where the system has no ``poll``,
``select`` takes its place.
"""

from __future__ import annotations

import select
import time
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection

_HAS_POLL = hasattr(select, "poll")
# What ``poll`` takes at most: 24 days.
_MOST_SECONDS = 2_147_483


def wait_for(
    *,
    readable: Collection[socket.socket] = (),
    writable: Collection[socket.socket] = (),
    deadline: float | None,
) -> set[socket.socket]:
    """Wait until one of the sockets can be read from or written to, or has failed.

    Args:
        readable: Sockets to read from.
        writable: Sockets to write to, or that are being connected.
        deadline: Monotonic instant to give up at; None waits without limit, one in the past looks
            once.

    Returns:
        The sockets that are ready; empty when the deadline passed.
    """
    timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
    if not _HAS_POLL:
        return _select(readable, writable, timeout)
    poll = select.poll()
    sockets: dict[int, socket.socket] = {}
    for sock in readable:
        sockets[sock.fileno()] = sock
        poll.register(sock, select.POLLIN)
    for sock in writable:
        both = select.POLLIN | select.POLLOUT if sock.fileno() in sockets else select.POLLOUT
        sockets[sock.fileno()] = sock
        poll.register(sock, both)
    return {sockets[number] for number, _ in poll.poll(_milliseconds(timeout))}


def _select(
    readable: Collection[socket.socket],
    writable: Collection[socket.socket],
    timeout: float | None,
) -> set[socket.socket]:
    # Windows reports a connection that failed as an exceptional condition.
    first, second, failed = select.select(readable, writable, writable, timeout)
    return {*first, *second, *failed}


def readable_waiter(sock: socket.socket) -> Callable[[float | None], bool]:
    """Return a function that waits as ``wait_for(readable=(sock,), deadline=...)`` does.

    It is cheaper, and for one thread at a time. Its result says whether the socket is ready.
    """
    if not _HAS_POLL:
        return lambda deadline: bool(wait_for(readable=(sock,), deadline=deadline))
    poll = select.poll()
    poll.register(sock, select.POLLIN)

    def wait(deadline: float | None) -> bool:
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        return bool(poll.poll(_milliseconds(timeout)))

    return wait


def readable_look(sock: socket.socket) -> Callable[[], object]:
    """Return a function that looks as ``is_readable`` does; its result is true or false as that.

    It is cheaper, and for one thread at a time.
    """
    if not _HAS_POLL:
        return partial(is_readable, sock)
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return partial(poll.poll, 0)


def _milliseconds(timeout: float | None) -> int | None:
    # Rounded up: a wait that ends early would only be repeated.
    return None if timeout is None else ceil(min(timeout, _MOST_SECONDS) * 1000)


def is_readable(sock: socket.socket) -> bool:
    """Return whether something has come: bytes, the end of the connection, or a failure."""
    return bool(wait_for(readable=(sock,), deadline=0.0))
