"""Which way a request takes: the target of its URL, the proxy, and what that means for its head.

A route is also the key of a pool: two requests with equal routes may use the same connection.
"""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlsplit

import msgspec

from codex_api.transport._core.proxies import redacted
from codex_api.transport.errors import RequestBuildError

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_PROXY_PORTS = {"http": 80, "https": 443}
_SOCKS_PORT = 1080
# What may stand in a target as it is; the rest is percent-encoded, and what is encoded stays.
_PATH_SAFE = "/%:@!$&'()*+,;=~|[]^"
_QUERY_SAFE = _PATH_SAFE + "?`{}"


class Target(NamedTuple):
    """An absolute URL, taken apart.

    Attributes:
        host: Name in ASCII, or an address without brackets; the interface of a link-local one is
            behind a ``%``.
        authority: ``host`` for a ``Host`` field or a log; the port only where it is not the usual.
        path: Path and query as they go on the wire.
        authorization: Value of ``Authorization`` that the URL's user info stands for, or None.
    """

    scheme: str
    host: str
    port: int
    authority: str
    path: str
    authorization: str | None

    @property
    def is_tls(self) -> bool:
        """Whether TLS is spoken with the server."""
        return self.scheme in {"https", "wss"}


class Proxy(msgspec.Struct, frozen=True):
    """A proxy, taken apart. Its fields may hold a password."""

    scheme: str
    host: str
    port: int
    username: str
    password: str
    url: str

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS; the others speak HTTP."""
        return self.scheme.startswith("socks")

    @property
    def authorization(self) -> str | None:
        """Value of ``Proxy-Authorization``, or None without credentials."""
        return _basic(self.username, self.password)

    def __repr__(self) -> str:
        return f"Proxy({self})"

    def __str__(self) -> str:
        return redacted(self.url)


class Route(msgspec.Struct, frozen=True):
    """How a server is reached.

    Attributes:
        tunnel: Whether the proxy only carries bytes: always for TLS, WebSocket and SOCKS. Without
            a tunnel a request names its whole URL.
    """

    host: str
    port: int
    is_tls: bool
    proxy: Proxy | None = None
    tunnel: bool = False

    @property
    def server(self) -> str:
        """The server as ``host:port``, for error texts and CONNECT."""
        return f"{bracketed(self.host)}:{self.port}"


def bracketed(host: str) -> str:
    """Return ``host`` as it stands before a port: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def without_zone(host: str) -> str:
    """Return an address without its interface, which means nothing to others; a name as it is."""
    return host.partition("%")[0] if ":" in host else host


def route_to(target: Target, proxy_url: str | None) -> Route:
    """Return the route to ``target`` through the proxy at ``proxy_url``, or directly for None."""
    proxy = None if proxy_url is None else parse_proxy(proxy_url)
    tunnel = proxy is not None and (proxy.is_socks or target.scheme != "http")
    return Route(target.host, target.port, target.is_tls, proxy, tunnel)


# What urlsplit cuts out of a URL without a word, which then is another one.
_DROPPED = "\t\r\n"


# A client asks the same few URLs again and again.
@lru_cache(maxsize=128)
def parse_target(url: str) -> Target:
    """Take an absolute URL apart.

    Raises:
        RequestBuildError: It has no host, a scheme that is not served, or an impossible port. The
            text does not repeat the URL.
    """
    try:
        parts = urlsplit(_whole(url.strip()))
        scheme, host = parts.scheme.lower(), _ascii_host(parts.hostname or "")
        given = parts.port
        path = _without_dots(quote(parts.path or "/", safe=_PATH_SAFE))
        if parts.query:
            path = f"{path}?{quote(parts.query, safe=_QUERY_SAFE)}"
    except (ValueError, AttributeError, TypeError):  # a surrogate, a port of letters, no text
        raise RequestBuildError("the request's URL is not legal") from None
    usual = _DEFAULT_PORTS.get(scheme)
    if usual is None or not host or given == 0:
        raise RequestBuildError("the request's URL must be absolute: http(s)://host[:port]/path")
    port = usual if given is None else given
    authority = bracketed(without_zone(host))
    if port != usual:
        authority = f"{authority}:{port}"
    user = _basic(_decoded(parts.username), _decoded(parts.password))
    return Target(scheme, host, port, authority, path, user)


def _whole(url: str) -> str:
    if any(char in url for char in _DROPPED):
        raise ValueError(url)
    return url


def _without_dots(path: str) -> str:
    """Return an absolute path without ``.`` and ``..``, as it is or encoded (RFC 3986, 6.2.2)."""
    kept: list[str] = []
    plain = ""
    for segment in path.split("/")[1:]:
        plain = segment.lower().replace("%2e", ".")
        if plain == "..":
            del kept[-1:]
        elif plain != ".":
            kept.append(segment)
    if plain in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


@lru_cache(maxsize=16)
def parse_proxy(url: str) -> Proxy:
    """Take the URL of a proxy apart that was checked when the settings were read."""
    parts = urlsplit(url)
    port = parts.port or _PROXY_PORTS.get(parts.scheme, _SOCKS_PORT)
    username, password = _decoded(parts.username), _decoded(parts.password)
    return Proxy(parts.scheme, _host(parts.hostname or ""), port, username, password, url)


def _host(host: str) -> str:
    """Decode the interface of a link-local address (RFC 6874)."""
    return host.replace("%25", "%", 1) if ":" in host else host


def _ascii_host(host: str) -> str:
    host = _host(host)
    if host.isascii():
        if any(char <= " " or char in '"<>\\^`{|}\x7f' for char in host):
            raise ValueError
        return host
    return host.encode("idna").decode("ascii")


def _decoded(part: str | None) -> str:
    return unquote_to_bytes(part or "").decode("utf-8", "replace")


def _basic(username: str, password: str) -> str | None:
    if not username and not password:
        return None
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode("ascii")
