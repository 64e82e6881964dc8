"""TLS: the one context of a process for equal settings, and the protocol without a socket.

Rules: certificates and host names are always checked, nothing below TLS 1.2 is spoken, a CA bundle
adds to the system's roots and never replaces them. ``TlsLayer`` turns ciphertext into plaintext and
back for both drivers; asyncio's own layer would hold 256 KiB for each connection.
"""

from __future__ import annotations

import os
import ssl
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codex_api.transport._core.pem import PemError, parse_certificates
from codex_api.transport._core.route import without_zone
from codex_api.transport.errors import NetworkError
from codex_api.transport.network import load_certificates, not_registrable, unusable_bundle

if TYPE_CHECKING:
    from codex_api.transport.network import Network

__all__ = ["TlsLayer", "ssl_context", "untrusted"]

# Where systems keep their roots; a Python that was built elsewhere may look in none of them.
_SYSTEM_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# The platform decides about trust through an interface of its own, not through files.
_PLATFORM_VERIFIES: Final = sys.platform in {"darwin", "win32"}
_RECORD_BYTES: Final = 16_384
# A memory BIO keeps the largest size that it ever had.
_FEED_BYTES: Final = 32_768


def ssl_context(network: Network, *, http2: bool = False) -> ssl.SSLContext:
    """Return a client context that trusts the system's roots and the configured ones.

    The context is shared: callers must not change it.

    Args:
        http2: Whether HTTP/2 is offered besides HTTP/1.1.

    Raises:
        CertificateError: A CA bundle is configured and cannot be used.
    """
    certificates = load_certificates(network, os.environ) or []
    extra_dirs = os.environ.get("SSL_CERT_DIR", "") if network.trust_env else ""
    try:
        return _context(tuple(certificates), extra_dirs, http2=http2)
    except PemError as exc:
        raise unusable_bundle(network, str(exc)) from exc


@lru_cache(maxsize=4)
def _context(certificates: tuple[bytes, ...], extra_dirs: str, *, http2: bool) -> ssl.SSLContext:
    if _PLATFORM_VERIFIES:
        # On Linux it would only load OpenSSL's paths, where SSL_CERT_FILE replaces the roots.
        import truststore  # noqa: PLC0415 - installed where it is used

        context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if system_roots():
            context.load_verify_locations(cadata=b"".join(system_roots()))
        _load_directories(context, ssl.get_default_verify_paths().openssl_capath, extra_dirs)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # As the reference does: a configured certificate is trusted even if another one issued it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    known = frozenset(() if _PLATFORM_VERIFIES else system_roots())
    for number, certificate in enumerate(certificates, start=1):
        if certificate not in known:
            try:
                context.load_verify_locations(cadata=certificate)
            except ssl.SSLError as exc:
                raise PemError(not_registrable(number)) from exc
    return context


def _load_directories(context: ssl.SSLContext, *lists: str) -> None:
    for directory in os.pathsep.join(lists).split(os.pathsep):
        if directory and Path(directory).is_dir():
            context.load_verify_locations(capath=directory)


@lru_cache(maxsize=1)
def system_roots() -> tuple[bytes, ...]:
    """Return the roots of the first system bundle that is there; empty where systems have none."""
    for bundle in (ssl.get_default_verify_paths().openssl_cafile, *_SYSTEM_BUNDLES):
        try:
            return tuple(parse_certificates(Path(bundle).read_bytes()))
        except (OSError, PemError):
            continue
    return ()


def untrusted(exc: ssl.SSLCertVerificationError, peer: str) -> NetworkError:
    """Return the error for a certificate that was refused; ``peer`` names whose."""
    message = (
        f"the certificate of {peer} is not trusted: {exc.verify_message or exc.reason}; "
        "if an authority of your own signed it, name a PEM file of it in CODEX_CA_CERTIFICATE"
    )
    return NetworkError(message, retryable=False)


class TlsLayer:
    """The client's side of one TLS connection, fed with bytes.

    Used by one thread at a time. Whoever calls a method sends ``take_outgoing()`` afterwards.

    Attributes:
        is_over: Whether the peer said that nothing more will come (``close_notify``). An end of
            the connection without it may be an attacker's cut.
        failure: How the peer broke the protocol, behind what was decrypted; None while it has not.
    """

    def __init__(self, context: ssl.SSLContext, host: str, peer: str) -> None:
        self.is_over: bool = False
        self.failure: NetworkError | None = None
        self._peer = peer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        name = without_zone(host).removesuffix(".")  # as certificates and SNI have it
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        except (ValueError, ssl.SSLError) as exc:  # a host name that no certificate can have
            message = f"TLS with {peer} cannot begin: {exc}"
            raise NetworkError(message, retryable=False) from None

    def handshake(self, ciphertext: bytes = b"") -> bool:
        """Take the handshake as far as ``ciphertext`` allows, and return whether it is done.

        Raises:
            NetworkError: It failed; for a certificate that is not trusted with ``retryable`` False.
        """
        self._incoming.write(ciphertext)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLCertVerificationError as exc:
            raise untrusted(exc, self._peer) from exc
        except ssl.SSLError as exc:
            message = f"the TLS handshake with {self._peer} failed: {_reason(exc)}"
            raise NetworkError(message) from exc
        return True

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Return the plaintext that ``ciphertext`` completes; often none.

        Raises:
            NetworkError: The peer broke the protocol. What it sent before is returned first, with
                ``failure`` set.
        """
        if self.failure is not None:
            raise self.failure
        if len(ciphertext) <= _FEED_BYTES:
            plaintext = self._decrypt(ciphertext)
        else:
            view, pieces = memoryview(ciphertext), list[bytes]()
            for start in range(0, len(view), _FEED_BYTES):
                pieces.append(self._decrypt(view[start : start + _FEED_BYTES]))
                if self.failure is not None:
                    break
            plaintext = b"".join(pieces)
        if self.failure is not None and not plaintext:
            raise self.failure
        return plaintext

    def _decrypt(self, ciphertext: bytes | memoryview) -> bytes:
        incoming, read = self._incoming, self._tls.read
        plaintext = b""
        incoming.write(ciphertext)
        try:
            # Looking first saves the exception for "nothing more" in the common case.
            while incoming.pending:
                piece = read(_RECORD_BYTES)
                if not piece:
                    self.is_over = True
                    break
                plaintext += piece  # no copy for the first one, which mostly is all
        except ssl.SSLWantReadError:
            pass  # half a record
        except ssl.SSLError as exc:
            self.failure = NetworkError(f"{self._peer} broke TLS: {_reason(exc)}")
            self.failure.__cause__ = exc
        return plaintext

    def encrypt(self, plaintext: bytes | memoryview) -> bytes:
        """Return the records that carry ``plaintext``, and whatever else has to go out.

        Raises:
            NetworkError: The peer has broken the protocol.
        """
        view, sent = memoryview(plaintext), 0
        try:
            while sent < len(view):
                sent += self._tls.write(view[sent:])
        except ssl.SSLError as exc:
            message = f"TLS with {self._peer} broke: {_reason(exc)}"
            raise NetworkError(message) from exc
        return self._outgoing.read()

    @property
    def has_outgoing(self) -> bool:
        """Whether ``take_outgoing`` has something to give."""
        return self._outgoing.pending > 0

    def take_outgoing(self) -> bytes:
        """Return what has to be sent now, such as a part of the handshake; often nothing."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def goodbye(self) -> bytes:
        """Return the ``close_notify`` that ends our side; nothing if that is too late."""
        with suppress(ssl.SSLError, ValueError):  # it waits for the peer's, and we do not
            self._tls.unwrap()
        return self._outgoing.read()


def _reason(exc: ssl.SSLError) -> str:
    return (exc.reason or exc.strerror or type(exc).__name__).replace("_", " ").lower()
