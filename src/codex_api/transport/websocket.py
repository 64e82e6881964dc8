"""Blocking WebSocket connections, over the same connector as HTTP."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from codex_api.transport.connector import open_channel
from codex_api.transport.errors import (
    ClientStateError,
    NetworkError,
    TransportError,
    TransportTimeoutError,
)
from codex_api.transport.websocket_facts import (
    CLOSE_TIMEOUT,
    GOODBYE_READS,
    MAX_MESSAGE_BYTES,
    SocketFacts,
    again,
    begin,
    closed,
    handshake_failure,
    send_timeout,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.websocket import WebSocketMachine
    from codex_api.transport.channel import Channel
    from codex_api.transport.network import Network
    from codex_api.transport.websocket_handshake import Upgrade

__all__ = ["WebSocket", "connect"]

_READ_ELSEWHERE = "another thread is reading from this WebSocket"


class WebSocket(SocketFacts):
    """A blocking connection. One thread may read while another sends."""

    def __init__(self, channel: Channel, upgrade: Upgrade, machine: WebSocketMachine) -> None:
        super().__init__(upgrade, machine)
        self._channel = channel
        self._read_lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._is_dropped = False

    @property
    def is_ours(self) -> bool:
        """Whether the calling process opened the connection."""
        return os.getpid() == self._pid

    @property
    def is_closed(self) -> bool:
        """Whether either side has started to close, or the connection is gone."""
        if self.is_ours:
            self._take_what_came()
        return self._is_dropped or self._machine.failure is not None

    def send(self, text: str | bytes, timeout: float | None = None) -> None:
        """Send one text message.

        Args:
            text: The message; bytes must be UTF-8.
            timeout: Seconds until the operating system has taken all of it; None waits for ever.

        Raises:
            TransportTimeoutError: The peer did not read in time. The connection is of no more use.
            WebSocketClosedError: The connection is closed.
            ClientStateError: The process forked since the connection was opened.
        """
        self.check_owner()
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._send_lock.acquire(timeout=-1 if timeout is None else timeout):
            raise send_timeout(timeout)
        try:
            if self._is_dropped or self._machine.failure is not None:
                raise closed(self._machine.failure)
            self._channel.send(self._machine.text(text), deadline)
        except TransportTimeoutError as exc:
            self._drop()
            raise send_timeout(timeout) from exc
        except (NetworkError, ClientStateError) as exc:
            raise closed(exc) from exc
        finally:
            self._send_lock.release()
        self._answer()

    def recv(self, timeout: float | None = None) -> str | bytes:
        """Return the next message: text as ``str``, binary as ``bytes``.

        Args:
            timeout: Seconds to wait; None waits for ever. The connection stays usable after it.

        Raises:
            TransportTimeoutError: No message came in time.
            WebSocketClosedError: The connection is closed and all messages are read.
            EventTooLargeError: A message is larger than ``max_message_bytes``.
            ClientStateError: Another thread is reading, or the process forked.
        """
        self.check_owner()
        if not self._read_lock.acquire(blocking=False):
            raise ClientStateError(_READ_ELSEWHERE)
        try:
            message = self._machine.next_message()
            if message is not None:
                return message
            deadline = None if timeout is None else time.monotonic() + timeout
            return self._wait(deadline, timeout)
        finally:
            self._read_lock.release()

    def peek(self) -> list[str | bytes]:
        """Return the messages that are here already; none while another thread reads."""
        if not self._read_lock.acquire(blocking=False):
            return []
        try:
            return self._machine.waiting
        finally:
            self._read_lock.release()

    def take(self, count: int) -> None:
        """Take the first ``count`` of the messages that are here: they are read.

        Raises:
            ClientStateError: Another thread has begun to read.
        """
        if not self._read_lock.acquire(timeout=CLOSE_TIMEOUT):  # looking takes but a moment
            raise ClientStateError(_READ_ELSEWHERE)
        try:
            self._machine.take(count)
        finally:
            self._read_lock.release()

    def _wait(self, deadline: float | None, timeout: float | None) -> str | bytes:
        machine = self._machine
        while True:
            if machine.failure is not None:
                raise again(machine.failure)
            try:
                self._take(self._channel.receive(deadline))
            except TransportTimeoutError as exc:
                message = f"no WebSocket message within {timeout} s"
                raise TransportTimeoutError(message) from exc
            except (NetworkError, ClientStateError) as exc:
                machine.lose(exc)
            received = machine.next_message()
            if received is not None:
                return received

    def _take(self, data: bytes) -> None:
        """Hand bytes to the machine, and answer what wants an answer."""
        self.last_activity: float = time.monotonic()
        if data:
            self._machine.feed(data)
        else:
            self._machine.lose(None)
        self._answer()

    def _take_what_came(self) -> None:
        """Read what waits in the socket, as the connection may have ended since the last read."""
        if self._is_dropped or not self._read_lock.acquire(blocking=False):
            return
        try:
            while (
                self._machine.failure is None
                and not self._machine.is_full
                and self._channel.is_readable()
            ):
                self._receive_at(0.0)
        finally:
            self._read_lock.release()

    def _receive_at(self, deadline: float | None) -> None:
        """Receive once; whatever fails becomes the machine's end."""
        try:
            self._take(self._channel.receive(deadline))
        except TransportTimeoutError:
            pass
        except TransportError as exc:
            self._machine.lose(exc)

    def _answer(self) -> None:
        """Send pongs and close frames, unless another thread sends: it does so behind its own."""
        while self._machine.has_outgoing and self._send_lock.acquire(blocking=False):
            try:
                self._channel.send(self._machine.take_outgoing(), time.monotonic() + CLOSE_TIMEOUT)
            except TransportError as exc:
                self._machine.lose(exc)
                return
            finally:
                self._send_lock.release()

    def ping(self) -> None:
        """Send a ping without waiting for its pong, which counts as activity.

        Raises:
            WebSocketClosedError: The connection is closed.
        """
        self.check_owner()
        if self._is_dropped or self._machine.failure is not None:
            raise closed(self._machine.failure)
        with self._send_lock:
            try:
                self._channel.send(self._machine.ping(), time.monotonic() + CLOSE_TIMEOUT)
            except TransportError as exc:
                raise closed(exc) from exc

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a close frame, and wait a moment for the peer's. May be called again."""
        if not self.is_ours or self._is_dropped:
            return
        deadline = time.monotonic() + CLOSE_TIMEOUT
        if self._machine.failure is None and self._send_lock.acquire(timeout=CLOSE_TIMEOUT):
            try:
                self._channel.send(self._machine.close(code, reason), deadline)
            except TransportError as exc:
                self._machine.lose(exc)
            finally:
                self._send_lock.release()
            self._wait_for_close(deadline)
        self._drop()

    def _wait_for_close(self, deadline: float) -> None:
        if not self._read_lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return
        try:
            for _ in range(GOODBYE_READS):
                if self._machine.failure is not None or time.monotonic() >= deadline:
                    break
                self._receive_at(deadline)
                while self._machine.next_message() is not None:
                    pass
        finally:
            self._read_lock.release()

    def abort(self) -> None:
        """Drop the connection now, without a close frame. May be called from any thread, again."""
        if self.is_ours:
            self._drop()

    def _drop(self) -> None:
        self._is_dropped = True
        self._machine.lose(ClientStateError("it was closed here"))
        self._channel.close()


def connect(
    url: str,
    headers: Headers,
    *,
    network: Network,
    deflate: bool,
    connect_timeout: float | None,
    max_message_bytes: int | None = MAX_MESSAGE_BYTES,
    kind: Callable[[Channel, Upgrade, WebSocketMachine], WebSocket] = WebSocket,
) -> WebSocket:
    """Open a blocking connection.

    Args:
        url: A ``ws`` or ``wss`` URL.
        headers: Fields of the handshake, credentials included.
        network: CA bundle, proxies and keep-alive settings.
        deflate: Whether permessage-deflate is offered.
        connect_timeout: Seconds for TCP, TLS and the handshake together; None sets no limit.
        max_message_bytes: Largest message that may come in; None sets no limit.
        kind: Makes the connection of what was agreed on.

    Raises:
        HttpStatusError: The server answered the handshake with another status than 101.
        ConnectTimeoutError: The connection was not up in time.
        NetworkError: It could not be made.
        RequestBuildError: URL, header, proxy or CA settings cannot be used.
    """
    handshake, route = begin(url, headers, network, deflate=deflate, limit=max_message_bytes)
    del url  # a traceback with locals would show its query
    deadline = None if connect_timeout is None else time.monotonic() + connect_timeout
    channel = open_channel(route, network, deadline)
    try:
        channel.send(handshake.request, deadline)
        while (agreed := handshake.feed(channel.receive(deadline))) is None:
            pass
    except BaseException as exc:
        channel.close()
        raise handshake_failure(exc, handshake, connect_timeout) from exc
    return kind(channel, *agreed)
