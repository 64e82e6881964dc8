"""SOCKS proxies, through the library that ``websockets`` uses. The only file that imports it.

It needs the extra ``codex-api[socks]``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from codex_api.transport import connect_errors
from codex_api.transport.addresses import adopted
from codex_api.transport.errors import TransportTimeoutError

if TYPE_CHECKING:
    import socket

    from codex_api.transport._core.route import Proxy, Route
    from codex_api.transport.network import Network

# The library takes None for a limit of its own; this is none that anybody meets.
_NO_LIMIT = 10.0**6


def connect_socks(
    route: Route, proxy: Proxy, network: Network, deadline: float | None
) -> socket.socket:
    """Return a socket that the proxy has connected to the server of ``route``.

    Raises:
        RequestBuildError: The extra is not installed.
        TransportTimeoutError: The deadline, an instant of ``time.monotonic()``, passed.
        NetworkError: The proxy could not be reached, or refused.
    """
    try:
        from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError  # noqa: PLC0415
        from python_socks.sync import Proxy as SocksProxy  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise connect_errors.socks_missing(proxy) from exc
    limit = _NO_LIMIT if deadline is None else max(0.001, deadline - time.monotonic())
    try:
        sock = SocksProxy(**_settings(proxy)).connect(route.host, route.port, timeout=limit)
    except ProxyTimeoutError as exc:
        raise TransportTimeoutError("the proxy took too long") from exc
    except (ProxyConnectionError, ProxyError, OSError, ValueError) as exc:
        raise connect_errors.tunnel_broken(route, _reason(exc)) from exc
    return adopted(sock, network)


async def connect_socks_async(route: Route, proxy: Proxy, network: Network) -> socket.socket:
    """Do as ``connect_socks`` does, in the running event loop. The caller limits the time."""
    try:
        from python_socks import ProxyConnectionError, ProxyError  # noqa: PLC0415 - an extra
        from python_socks.async_.asyncio import Proxy as SocksProxy  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise connect_errors.socks_missing(proxy) from exc
    try:
        sock = await SocksProxy(**_settings(proxy)).connect(
            route.host, route.port, timeout=_NO_LIMIT
        )
    except (ProxyConnectionError, ProxyError, OSError, ValueError) as exc:
        raise connect_errors.tunnel_broken(route, _reason(exc)) from exc
    return adopted(sock, network)


def _settings(proxy: Proxy) -> dict[str, Any]:
    from python_socks import ProxyType  # noqa: PLC0415 - an extra

    return {
        "proxy_type": ProxyType.SOCKS5 if proxy.scheme.startswith("socks5") else ProxyType.SOCKS4,
        "host": proxy.host,
        "port": proxy.port,
        "username": proxy.username or None,
        "password": proxy.password or None,
        # Whether the proxy looks names up.
        "rdns": proxy.scheme in {"socks5h", "socks4a"},
    }


def _reason(exc: Exception) -> str:
    # The library puts user names into no text; its own addresses are the proxy's.
    return str(exc) or type(exc).__name__
