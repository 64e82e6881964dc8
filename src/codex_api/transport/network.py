"""How connections are made: trust, proxies, keep-alive. One value serves HTTP and WebSocket.

Rules: a CA bundle adds to the system's roots and never replaces them; the first setting that names
one is used alone, and when it cannot be used nothing is sent; no text here holds a password.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from codex_api.transport._core import proxies
from codex_api.transport._core.pem import PemError, is_certificate, parse_certificates
from codex_api.transport.errors import CertificateError, RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Network",
    "apply_keepalive",
    "load_certificates",
    "not_registrable",
    "proxy_for",
    "unusable_bundle",
]

_ENVIRONMENT: Final = "environment"
# Bounds of the settings that are numbers: what sockets take (Linux has the lowest), and the engine.
_BOUNDS: Final = {
    "tcp_keepalive": (1, 32_767),
    "tcp_keepalive_interval": (1, 32_767),
    "tcp_keepalive_retries": (1, 127),
    "max_connections": (1, 1_000_000_000),
    "max_idle_connections": (0, 1_000_000_000),
    "pool_idle_timeout": (0, 1_000_000_000),
}
_BUNDLE_VARIABLES: Final = ("CODEX_CA_CERTIFICATE", "SSL_CERT_FILE")
_HINT: Final = (
    "set CODEX_CA_CERTIFICATE or SSL_CERT_FILE to a file of PEM certificates, "
    "or unset both to trust the system's roots only"
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Network:
    """Settings of every connection of a client.

    Attributes:
        ca_bundle: PEM file of roots to trust besides the system's. None looks into
            ``CODEX_CA_CERTIFICATE``, then ``SSL_CERT_FILE``.
        proxy: ``"environment"`` for ``HTTPS_PROXY`` and its kin, None for none, a URL for all, or
            URLs by ``"http"``, ``"https"`` and ``"all"``.
        no_proxy: Hosts that are reached directly, written as in ``NO_PROXY``, which it extends.
        http2: Whether HTTP/2 is offered; HTTP/1.1 is what the real client speaks.
        tcp_keepalive: Seconds without traffic before TCP asks whether the peer is alive; None
            for never.
        tcp_keepalive_interval: Seconds between two such questions.
        tcp_keepalive_retries: Unanswered questions that end the connection.
        max_connections: Connections in use at once in one client, or None for no limit; further
            requests wait for their turn.
        max_idle_connections: Unused connections that are kept at most; None for no limit.
        pool_idle_timeout: Seconds that an unused connection is kept; None for ever.
        cloudflare_cookies: Whether Cloudflare's cookies of ChatGPT hosts are kept and sent.
        trust_env: Whether the environment is read at all.
    """

    ca_bundle: str | os.PathLike[str] | None = None
    proxy: str | Mapping[str, str | None] | None = _ENVIRONMENT
    no_proxy: str | Sequence[str] | None = None
    http2: bool = False
    tcp_keepalive: float | None = 60.0
    tcp_keepalive_interval: float = 15.0
    tcp_keepalive_retries: int = 4
    max_connections: int | None = None
    max_idle_connections: int | None = 1000
    pool_idle_timeout: float | None = 90.0
    cloudflare_cookies: bool = True
    trust_env: bool = True

    def __post_init__(self) -> None:
        """Raise ``RequestBuildError`` for a value that is none, before any request needs it."""
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                message = f"Network.{name} must be {least} to {most}, got {value!r}"
                raise RequestBuildError(message)
        if isinstance(self.proxy, Mapping):
            object.__setattr__(self, "proxy", MappingProxyType(dict(self.proxy)))
        if self.no_proxy is not None and not isinstance(self.no_proxy, str):
            object.__setattr__(self, "no_proxy", tuple(self.no_proxy))
        if self.proxy != _ENVIRONMENT:
            _rules(self, {})

    def __repr__(self) -> str:
        shown: list[str] = []
        for entry in fields(self):
            value: object = getattr(self, entry.name)
            if value == entry.default:
                continue
            if entry.name == "proxy" and value is not None:
                value = _rules(self, {})
            shown.append(f"{entry.name}={value!r}")
        return f"Network({', '.join(shown)})"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as keyword arguments: a read-only mapping has no pickled form of its own."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        if isinstance(self.proxy, Mapping):
            values["proxy"] = dict(self.proxy)
        return (_network, (values,))


def _network(values: dict[str, object]) -> Network:
    return Network(**values)  # type: ignore[arg-type] # the values of another Network


def proxy_for(network: Network, url: str) -> str | None:
    """Return the proxy URL for a request to ``url``, credentials included, or None to go directly.

    ``ws`` and ``wss`` URLs take the proxies of ``http`` and ``https``. The environment is read anew
    at each call.

    Raises:
        RequestBuildError: The environment names a proxy that is none.
    """
    return _rules(network, os.environ).proxy_for(url)


def _rules(network: Network, environ: Mapping[str, str]) -> proxies.ProxyRules:
    no_proxy = network.no_proxy or ()
    if network.proxy is None:
        return proxies.ProxyRules()
    if network.proxy != _ENVIRONMENT:
        return proxies.from_settings(network.proxy, no_proxy)
    if not network.trust_env:
        return proxies.ProxyRules()
    known = tuple((name, environ[name]) for name in proxies.VARIABLES if name in environ)
    rules = _environment_rules(known)
    if not rules or not no_proxy:
        return rules
    bypass = rules.bypass | proxies.Bypass.parse(no_proxy)
    return proxies.ProxyRules(rules.http, rules.https, bypass)


@lru_cache(maxsize=4)
def _environment_rules(variables: tuple[tuple[str, str], ...]) -> proxies.ProxyRules:
    return proxies.from_environment(dict(variables))


def load_certificates(network: Network, environ: Mapping[str, str]) -> list[bytes] | None:
    """Read the CA bundle that the settings or ``environ`` name; None when they name none.

    The explicit bundle comes first, then the first variable that is not empty. What is named first
    is used alone: when it is bad, the next is not tried.

    Raises:
        CertificateError: The bundle is unreadable, malformed, empty or not usable. The text names
            the setting, the file, and what to do.
    """
    source = _bundle_source(network, environ)
    if source is None:
        return None
    name, path = source
    try:
        state = path.stat()
        return list(_bundle(path, state.st_mtime_ns, state.st_size))
    except OSError as exc:
        raise _unusable(name, path, f"it cannot be read: {exc.strerror or exc}") from exc
    except PemError as exc:
        raise _unusable(name, path, str(exc)) from exc


def _bundle_source(network: Network, environ: Mapping[str, str]) -> tuple[str, Path] | None:
    if network.ca_bundle is not None:
        return "Network.ca_bundle", Path(network.ca_bundle)
    if network.trust_env:
        for name in _BUNDLE_VARIABLES:
            if value := environ.get(name):
                return name, Path(value)
    return None


# Keyed by the file's state too, so that a renewed bundle is read again.
@lru_cache(maxsize=4)
def _bundle(path: Path, _modified_ns: int, _size: int) -> tuple[bytes, ...]:
    certificates = parse_certificates(path.read_bytes())
    for number, certificate in enumerate(certificates, start=1):
        if not is_certificate(certificate):
            raise PemError(not_registrable(number))
    return tuple(certificates)


def not_registrable(number: int) -> str:
    """Return why certificate ``number`` of a bundle, counted from 1, makes it unusable."""
    return f"certificate #{number} cannot be registered as a root"


def unusable_bundle(network: Network, reason: str) -> CertificateError:
    """Return the error for the configured bundle, which cannot be used because of ``reason``."""
    name, path = _bundle_source(network, os.environ) or ("", Path())
    return _unusable(name, path, reason)


def _unusable(name: str, path: Path, reason: str) -> CertificateError:
    return CertificateError(
        f"the CA bundle {str(path)!r} of {name} cannot be used: {reason}; {_HINT}"
    )


def apply_keepalive(network: Network, sock: socket.socket) -> None:
    """Set TCP keep-alive on a connected socket, as far as the system can."""
    if network.tcp_keepalive is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # macOS has another name for the same option.
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))
    options = (
        (idle, network.tcp_keepalive),
        (getattr(socket, "TCP_KEEPINTVL", None), network.tcp_keepalive_interval),
        (getattr(socket, "TCP_KEEPCNT", None), network.tcp_keepalive_retries),
    )
    for option, value in options:
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, max(1, round(value)))
