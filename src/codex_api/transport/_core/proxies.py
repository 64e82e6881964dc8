"""Which proxy a URL goes through, from settings and environment given as values.

Rules: the upper-case name of a variable is looked up first, and hides the lower-case one even when
it is empty; a variable of the scheme comes before ``ALL_PROXY``; ``ws`` and ``wss`` count as
``http`` and ``https``. Under CGI, ``HTTP_PROXY`` is not read: a request's ``Proxy`` header could
have set it. A proxy that cannot be used is an error: going past it would send the request where it
must not go.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

import msgspec

from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

IPNetwork: TypeAlias = IPv4Network | IPv6Network

#: The variables that decide, for callers that keep a snapshot of them.
VARIABLES: Final = (
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "REQUEST_METHOD",
    "CODEX_SANDBOX",
)
_SCHEMES: Final = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PROXY_SCHEMES: Final = frozenset({"http", "https", "socks4", "socks4a", "socks5", "socks5h"})
_SEATBELT: Final = "seatbelt"


class _Exception(msgspec.Struct, frozen=True):
    """One entry of a ``NO_PROXY`` list: a domain with its subdomains, or addresses."""

    domain: str
    addresses: IPNetwork | None
    port: int | None


class Bypass(msgspec.Struct, frozen=True):
    """The hosts that are reached directly."""

    everything: bool = False
    exceptions: tuple[_Exception, ...] = ()

    @classmethod
    def parse(cls, entries: str | Iterable[str]) -> Bypass:
        """Read a ``NO_PROXY`` list.

        ``*`` alone is every host; ``example.com``, ``.example.com`` and ``*.example.com`` are that
        domain and its subdomains; an address or ``10.0.0.0/8`` are addresses; each may end in a
        port. Entries that are none of these match nothing.
        """
        given = [entries] if isinstance(entries, str) else entries
        names = [name for entry in given for name in entry.replace(",", " ").split()]
        return cls("*" in names, tuple(_exception(name) for name in names if name != "*"))

    def __or__(self, other: Bypass) -> Bypass:
        return Bypass(self.everything or other.everything, self.exceptions + other.exceptions)

    def matches(self, host: str, port: int) -> bool:
        """Return whether ``host``, a name or an address, is reached directly on ``port``."""
        if self.everything:
            return True
        host = host.lower().rstrip(".")
        address = _address(host)
        for exception in self.exceptions:
            if exception.port is not None and exception.port != port:
                continue
            if exception.addresses is not None:
                # Addresses of the other family are never in it.
                if address is not None and address in exception.addresses:
                    return True
            elif host == exception.domain or host.endswith("." + exception.domain):
                return True
        return False


class ProxyRules(msgspec.Struct, frozen=True):
    """Proxy URLs per scheme, and who goes past them. The URLs may hold passwords.

    Attributes:
        http: Proxy for ``http`` and ``ws``, or None for none.
        https: Proxy for ``https`` and ``wss``, or None for none.
        bypass: The hosts that are reached directly.
    """

    http: str | None = None
    https: str | None = None
    bypass: Bypass = Bypass()

    def __repr__(self) -> str:
        shown = [url if url is None else redacted(url) for url in (self.http, self.https)]
        return f"ProxyRules(http={shown[0]!r}, https={shown[1]!r}, bypass={self.bypass!r})"

    def __bool__(self) -> bool:
        return self.http is not None or self.https is not None

    def proxy_for(self, url: str) -> str | None:
        """Return the URL of the proxy for a request to ``url``, or None to go directly.

        Raises:
            RequestBuildError: ``url`` is none.
        """
        if not self:
            return None
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as exc:
            raise RequestBuildError("the URL's host or port is impossible") from exc
        scheme = _SCHEMES.get(parts.scheme)
        if scheme is None or not host:
            return None
        proxy = self.http if scheme == "http" else self.https
        if self.bypass.matches(host, port or _DEFAULT_PORTS[scheme]):
            return None
        return proxy


def from_environment(environ: Mapping[str, str]) -> ProxyRules:
    """Read the proxies that the environment asks for.

    Raises:
        RequestBuildError: A variable holds no usable proxy URL. The text has no credentials.
    """
    if environ.get("CODEX_SANDBOX") == _SEATBELT:
        return ProxyRules()
    for_all = _variable(environ, "ALL_PROXY")
    http = _variable(environ, "HTTP_PROXY", ignore_upper="REQUEST_METHOD" in environ) or for_all
    https = _variable(environ, "HTTPS_PROXY") or for_all
    bypass = environ.get("NO_PROXY", environ.get("no_proxy", ""))
    return ProxyRules(http, https, Bypass.parse(bypass))


def from_settings(
    proxy: str | Mapping[str, str | None], no_proxy: str | Iterable[str] = ()
) -> ProxyRules:
    """Make rules of one proxy URL, or of URLs by scheme: ``http``, ``https``, ``all``.

    Raises:
        RequestBuildError: A scheme is unknown or a URL is not usable.
    """
    given = {"all": proxy} if isinstance(proxy, str) else proxy
    unknown = sorted(set(given) - {"http", "https", "all"})
    if unknown:
        message = f"proxies are given for http, https or all, not for {unknown[0]!r}"
        raise RequestBuildError(message)
    urls = {scheme: proxy_url(url, "proxy") for scheme, url in given.items() if url is not None}
    # A scheme that is given as None stays direct whatever holds for all.
    http = urls.get("http") if "http" in given else urls.get("all")
    https = urls.get("https") if "https" in given else urls.get("all")
    return ProxyRules(http, https, Bypass.parse(no_proxy))


def proxy_url(value: str, source: str) -> str:
    """Complete and check a proxy URL; without a scheme it is an ``http`` proxy.

    Args:
        value: ``host:port`` or a URL, with user info or without.
        source: What to name in an error: a variable or a setting.

    Raises:
        RequestBuildError: It is no proxy URL. The text does not repeat it.
    """
    url = value.strip()
    if "://" not in url:
        url = f"http://{url}"
    parts = _split(url)
    if parts is None:
        message = f"{source} is not a proxy URL of the form http://host:port"
        raise RequestBuildError(message)
    if parts.scheme not in _PROXY_SCHEMES:
        message = f"{source} names a kind of proxy that is not known"
        raise RequestBuildError(message)
    return url


def redacted(url: str) -> str:
    """Return scheme, host and port of a proxy URL, for display; user info is masked."""
    parts = _split(url)
    if parts is None:
        return "<invalid>"
    mask = "***@" if "@" in parts.netloc else ""
    return f"{parts.scheme}://{mask}{parts.netloc.rpartition('@')[2]}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    # urlsplit drops some control characters, so they are looked for in the original.
    clean = url.isprintable() and " " not in url
    # Behind these the host may be hidden: they are of a password that should have encoded them.
    clean = clean and "?" not in url and "#" not in url
    return parts if usable and clean and parts.path in {"", "/"} else None


def _variable(environ: Mapping[str, str], name: str, *, ignore_upper: bool = False) -> str | None:
    names = (name.lower(),) if ignore_upper else (name, name.lower())
    for known in names:
        if known in environ:
            value = environ[known].strip()
            return proxy_url(value, known) if value else None
    return None


def _exception(entry: str) -> _Exception:
    host, port = entry, None
    head, colon, tail = entry.rpartition(":")
    # More colons are an IPv6 address without a port.
    if colon and tail.isascii() and tail.isdigit() and (head.endswith("]") or ":" not in head):
        host, port = head, int(tail)
    host = host.strip("[]").lower()
    try:
        return _Exception(host, ip_network(host, strict=False), port)
    except ValueError:
        domain = host.removeprefix("*").strip(".")
        # An empty domain would be every name's suffix.
        return _Exception(domain or "\0", None, port)


def _address(host: str) -> object | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
