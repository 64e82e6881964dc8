"""A connection in blocking code: bytes in, bytes out, with exact limits.

Nothing waits longer than its limit, and signal handlers that raise and a close from another thread
end a wait at once: waits are ``poll`` with a deadline, which other signals do not move. (A read
that waits in the system, by ``SO_RCVTIMEO``, begins anew after every signal.) One thread may
receive while another sends. A channel that was closed, or inherited by a forked child, refuses
every further use.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from codex_api.transport.connect_errors import handshake_cut, reason_of
from codex_api.transport.errors import (
    ClientStateError,
    NetworkError,
    TransportError,
    TransportTimeoutError,
)
from codex_api.transport.inheritance import disown_after_fork
from codex_api.transport.readiness import is_readable, readable_look, readable_waiter, wait_for

if TYPE_CHECKING:
    from codex_api.transport.tls import TlsLayer

_RECEIVE_BYTES = 65_536
# As long as every read is full: each costs a call, and a look at what it brought.
_MOST_BYTES = 262_144
_SEND_BYTES = 65_536
# A reader is not held up by a peer that does not take an answer of a few bytes.
_ANSWER_SECONDS = 1.0
_CLOSED = "the connection was closed"
_INHERITED = "the connection was opened by the parent process; open one after os.fork()"


class Channel(Protocol):
    """A connection to a server, with TLS in it or without."""

    def receive(self, deadline: float | None = None) -> bytes:
        """Wait for the next bytes.

        Args:
            deadline: Instant of ``time.monotonic()``; None waits without limit. After a timeout
                the next call goes on where this one stopped.

        Returns:
            At least one byte, or none at the end of the connection.

        Raises:
            TransportTimeoutError: The deadline passed.
            NetworkError: The connection broke.
            ClientStateError: It was closed here, by any thread, or belongs to the parent process.
        """
        ...

    def send(
        self, data: bytes, deadline: float | None = None, *, until_readable: bool = False
    ) -> bool:
        """Hand all of ``data`` to the operating system.

        Args:
            data: What to send.
            deadline: As for ``receive``. After a timeout nothing more can be sent.
            until_readable: Whether to give up as soon as the peer has sent something.

        Returns:
            Whether all was taken; False only with ``until_readable``, and then nothing more can be
            sent.

        Raises:
            TransportError: As ``receive``.
        """
        ...

    def is_readable(self) -> bool:
        """Tell, without waiting, whether bytes or the end of the connection have come."""
        ...

    def close(self) -> None:
        """Close the connection. Waits end with an error. May be called from any thread, again."""
        ...


class SocketChannel:
    """A ``Channel`` over a connected TCP socket, which it owns from now on."""

    __slots__ = (
        "__weakref__",
        "_closed",
        "_inherited",
        "_is_half_sent",
        "_look",
        "_most",
        "_receiving",
        "_sending",
        "_sock",
        "_wait_readable",
    )

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        self._sock = sock
        self._look = readable_look(sock)
        self._most = _RECEIVE_BYTES
        self._wait_readable = readable_waiter(sock)
        self._closed = self._inherited = self._is_half_sent = False
        self._receiving = self._sending = False
        disown_after_fork(self)

    def receive(self, deadline: float | None = None) -> bytes:
        """Wait for the next bytes."""
        self._receiving = True  # before the look at _closed, which close() sets before its look
        try:
            if self._closed:
                raise self._refusal()
            data = None
            is_likely = self._most > _RECEIVE_BYTES  # the read before was full: more is there
            while data is None:
                if not is_likely and not self._wait_readable(deadline):
                    raise TransportTimeoutError("nothing came in time")
                try:
                    data = self._sock.recv(self._most)
                except BlockingIOError:
                    is_likely = False
            if self._closed:  # what woke us was our own end of it
                raise self._refusal()
            self._most = _RECEIVE_BYTES if len(data) < _RECEIVE_BYTES else _MOST_BYTES
        except TransportError:
            raise
        except OSError as exc:
            raise self._broken(exc) from exc
        else:
            return data
        finally:
            self._receiving = False
            if self._closed:
                self._release()

    def send(
        self, data: bytes, deadline: float | None = None, *, until_readable: bool = False
    ) -> bool:
        """Hand all of ``data`` to the operating system."""
        self._sending = True
        try:
            if self._closed:
                raise self._refusal()
            if self._is_half_sent:
                raise NetworkError("an earlier send to this connection was cut short")
            taken = self._send(memoryview(data), deadline, until_readable=until_readable)
            self._is_half_sent = not taken
        except TransportError:
            raise
        except OSError as exc:
            raise self._broken(exc) from exc
        else:
            return taken
        finally:
            self._sending = False
            if self._closed:
                self._release()

    def _send(self, view: memoryview, deadline: float | None, *, until_readable: bool) -> bool:
        sock = self._sock
        self._is_half_sent = True  # unless all of it leaves
        while view:
            try:
                view = view[sock.send(view) :]
            except BlockingIOError:
                readable = (sock,) if until_readable else ()
                if not wait_for(readable=readable, writable=(sock,), deadline=deadline):
                    raise TransportTimeoutError("the peer did not read in time") from None
                if self._closed:
                    raise self._refusal() from None
                if until_readable and is_readable(sock):
                    return False
        return True

    def is_readable(self) -> bool:
        """Tell, without waiting, whether bytes or the end of the connection have come."""
        return self._closed or bool(self._look())

    def close(self) -> None:
        """Close the connection."""
        if self._closed:
            return
        self._closed = True
        if self._receiving or self._sending:
            # The handle stays until they are gone: its number might be another's by then.
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
        else:
            self._release()

    def disown(self) -> None:
        """Let go of the parent's connection."""
        self._closed = self._inherited = True
        self._sock.close()

    def _release(self) -> None:
        if not self._receiving and not self._sending:
            self._sock.close()

    def _refusal(self) -> ClientStateError:
        return ClientStateError(_INHERITED if self._inherited else _CLOSED)

    def _broken(self, exc: OSError) -> TransportError:
        if self._closed:
            return self._refusal()
        return NetworkError(f"the connection broke: {reason_of(exc)}")


class TlsChannel:
    """A ``Channel`` that speaks TLS over another one, which it owns from now on.

    Args:
        inner: Carries the ciphertext.
        layer: Nothing was sent through it yet.
        peer: Names the other end in error texts.
    """

    def __init__(self, inner: Channel, layer: TlsLayer, peer: str) -> None:
        self._inner = inner
        self._layer = layer
        self._peer = peer
        # The layer is one for both directions; what it produces has to leave in that order.
        self._layer_lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._early = b""
        self._ended = False

    def handshake(self, deadline: float | None) -> None:
        """Shake hands.

        Raises:
            NetworkError: It failed; for a certificate that is not trusted with ``retryable`` False.
            TransportTimeoutError: It was not over in time.
        """
        layer, data = self._layer, b""
        while True:
            try:
                done = layer.handshake(data)
            finally:  # an alert tells the peer what it did wrong
                if outgoing := layer.take_outgoing():
                    self._inner.send(outgoing, deadline)
            if done:
                # What came with the last flight: tickets, or a server that speaks first.
                self._early, self._ended = layer.decrypt(b""), layer.is_over
                return
            try:
                data = self._inner.receive(deadline)
            except NetworkError as exc:
                raise handshake_cut(self._peer, exc) from exc
            if not data:
                raise handshake_cut(self._peer)

    def receive(self, deadline: float | None = None) -> bytes:
        """Wait for the next bytes."""
        if self._early:
            early, self._early = self._early, b""
            return early
        while not self._ended:
            if self._layer.failure is not None:
                raise self._layer.failure
            ciphertext = self._inner.receive(deadline)
            if not ciphertext:
                self._ended = True
                raise NetworkError("the connection was cut: it ended without TLS's close_notify")
            with self._layer_lock:
                plaintext = self._layer.decrypt(ciphertext)
                self._ended = self._layer.is_over
            if self._ended or self._layer.has_outgoing:
                self._answer()
            if plaintext:
                return plaintext
        return b""

    def _answer(self) -> None:
        """Send what reading has produced: the answer to a change of keys, or to a goodbye."""
        with self._send_lock:
            with self._layer_lock:
                layer = self._layer
                outgoing = layer.goodbye() if self._ended else layer.take_outgoing()
            with suppress(TransportError):  # whoever uses the connection next gets to know
                self._inner.send(outgoing, time.monotonic() + _ANSWER_SECONDS)

    def send(
        self, data: bytes, deadline: float | None = None, *, until_readable: bool = False
    ) -> bool:
        """Hand all of ``data`` to the operating system, encrypted."""
        view = memoryview(data)
        with self._send_lock:
            for start in range(0, len(view), _SEND_BYTES):
                with self._layer_lock:
                    ciphertext = self._layer.encrypt(view[start : start + _SEND_BYTES])
                if not self._inner.send(ciphertext, deadline, until_readable=until_readable):
                    return False
        return True

    def is_readable(self) -> bool:
        """Tell, without waiting, whether bytes or the end of the connection have come."""
        if self._early or self._ended:
            return True
        if not self._inner.is_readable():
            return False
        try:  # a session ticket looks like data until it is decrypted
            self._early = self.receive(deadline=0.0)
        except TransportTimeoutError:
            return False
        except TransportError:
            self._ended = True
        return True

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()
