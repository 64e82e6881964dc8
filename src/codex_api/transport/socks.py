"""SOCKS proxies, through the library that ``websockets`` uses. The only file that imports it.

It needs the extra ``codex-api[socks]``.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from codex_api.transport import connect_errors
from codex_api.transport.addresses import adopted
from codex_api.transport.errors import TransportTimeoutError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

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
    left = None if deadline is None else max(0.0, deadline - time.monotonic())
    # The library limits each step; ours limits the sum, and comes first.
    limit = _NO_LIMIT if left is None else left + 1.0
    way = SocksProxy(**_settings(proxy))
    try:
        sock = _within(left, lambda: way.connect(route.host, route.port, timeout=limit))
    except (ProxyConnectionError, ProxyError, ValueError) as exc:
        raise connect_errors.tunnel_broken(route, _reason(exc)) from exc
    except (ProxyTimeoutError, TimeoutError) as exc:
        raise TransportTimeoutError("the proxy took too long") from exc
    except OSError as exc:
        raise connect_errors.tunnel_broken(route, _reason(exc)) from exc
    return adopted(sock, network)


def _within(seconds: float | None, dial: Callable[[], socket.socket]) -> socket.socket:
    """Return what ``dial`` returns, or raise what it raises or ``TimeoutError``, in time.

    It runs in a thread of its own, for nothing else ends its waits; a connection that comes too
    late is closed there.
    """
    future: Future[socket.socket] = Future()

    def run() -> None:
        try:
            sock = dial()
        except Exception as exc:  # noqa: BLE001 - raised by whoever waits
            if future.set_running_or_notify_cancel():
                future.set_exception(exc)
        else:
            if future.set_running_or_notify_cancel():
                future.set_result(sock)
            else:
                sock.close()

    threading.Thread(target=run, name="codex-api-socks", daemon=True).start()
    try:
        return future.result(seconds)
    except BaseException:  # also an interrupt
        if not future.cancel() and future.exception() is None:
            future.result().close()
        raise


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
