"""Errors of making a connection: who failed, its address without secrets, and what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from codex_api.transport.errors import ConnectTimeoutError, NetworkError, RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api.transport._core.route import Proxy, Route
    from codex_api.transport.addresses import Address

_AUTHENTICATION_REQUIRED = 407


def reason_of(exc: Exception) -> str:
    """Return what the system says about ``exc``, without what event loops add to it."""
    if isinstance(exc, OSError) and (exc.errno or 0) > 0:
        return os.strerror(exc.errno or 0)
    return str(exc) or type(exc).__name__


def hop_name(route: Route) -> str:
    """Name the machine that a connection for ``route`` is made to first."""
    return f"the server {route.server}" if route.proxy is None else f"the proxy {route.proxy}"


def lookup_failed(exc: Exception, route: Route) -> NetworkError:
    """Return the error for a host name that could not be looked up."""
    host = route.host if route.proxy is None else route.proxy.host
    whose = "" if route.proxy is None else " of the proxy"
    reason = getattr(exc, "strerror", None) or exc
    return _not_sent(NetworkError(f"the name look-up of {host!r}{whose} failed: {reason}"))


def not_connected(failures: Sequence[tuple[Address, OSError]], route: Route) -> NetworkError:
    """Return the error for a host none of whose addresses could be connected to.

    Args:
        failures: Address and reason of each attempt, in order.
    """
    told = "; ".join(f"{address}: {reason_of(exc)}" for address, exc in failures)
    message = f"{hop_name(route)} could not be connected to ({told})"
    return _not_sent(NetworkError(message))


def connect_timed_out(route: Route) -> ConnectTimeoutError:
    """Return the error for a connection that was not up in time."""
    through = "" if route.proxy is None else f" through the proxy {route.proxy}"
    message = f"the connection to {route.server}{through} was not made in time"
    error = ConnectTimeoutError(message)
    error.sent = "no"
    return error


def tunnel_refused(status: int, route: Route) -> NetworkError:
    """Return the error for a proxy that answered CONNECT with another status than 200-299."""
    remedy = ""
    if status == _AUTHENTICATION_REQUIRED:
        remedy = "; put its user and password into the proxy's URL"
    message = f"the proxy {route.proxy} refused to connect to {route.server}: status {status}"
    # A proxy that cannot reach the server now may do so later; one that forbids it will not.
    retryable = status >= 500 or status in {408, 425, 429}  # noqa: PLR2004 - classes of statuses
    return _not_sent(NetworkError(message + remedy, retryable=retryable))


def tunnel_broken(route: Route, reason: str) -> NetworkError:
    """Return the error for a proxy that did not answer as it should."""
    message = f"the proxy {route.proxy} failed to connect to {route.server}: {reason}"
    return _not_sent(NetworkError(message))


def handshake_cut(peer: str, reason: NetworkError | None = None) -> NetworkError:
    """Return the error for a peer that ended the connection where TLS was to begin."""
    why = "" if reason is None else f" ({reason})"
    return NetworkError(f"{peer} closed the connection during the TLS handshake{why}")


def socks_missing(proxy: Proxy) -> RequestBuildError:
    """Return the error for a SOCKS proxy without the library that speaks to it."""
    message = f"the proxy {proxy} needs the extra of SOCKS: pip install codex-api[socks]"
    return RequestBuildError(message)


def _not_sent(error: NetworkError) -> NetworkError:
    error.sent = "no"
    return error
