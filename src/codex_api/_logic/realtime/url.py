"""Where realtime WebSockets connect to (wire.md, Realtime sessions).

The provider's base URL may name the API root, the endpoint itself, or something only its owner
knows; the last is left alone. Its query stays in front. A key that this library sets appears once:
a second ``intent``, ``model`` or ``call_id`` from the base URL or the provider is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from codex_api._logic.outgoing.fields import path_id
from codex_api._logic.realtime.dialects.registry import DIALECTS
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api.types.realtime import RealtimeSessionConfig

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def session_url(
    config: RealtimeSessionConfig, base_url: str, query_params: Mapping[str, str] | None = None
) -> str:
    """Return the URL of a session of its own.

    Raises:
        RequestBuildError: ``base_url`` is no HTTP or WebSocket URL.
    """
    return _url(config, None, base_url, query_params or {})


def sideband_url(
    config: RealtimeSessionConfig,
    call_id: str,
    base_url: str,
    query_params: Mapping[str, str] | None = None,
) -> str:
    """Return the URL that joins the WebRTC call ``call_id``.

    Raises:
        RequestBuildError: ``base_url`` is no HTTP or WebSocket URL, or ``call_id`` is empty.
    """
    if not call_id:
        message = "a realtime call cannot be joined without its id"
        raise RequestBuildError(message)
    return _url(config, call_id, base_url, query_params or {})


def _url(
    config: RealtimeSessionConfig,
    call_id: str | None,
    base_url: str,
    query_params: Mapping[str, str],
) -> str:
    try:
        parts = urlsplit(base_url)
        host = parts.hostname
        _ = parts.port
    except ValueError as exc:
        message = f"the base URL for realtime cannot be parsed: {exc}"
        raise RequestBuildError(message) from exc
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None:
        message = f"realtime needs an http, https, ws or wss URL, not {parts.scheme!r}"
        raise RequestBuildError(message)
    if not host:
        message = "the base URL for realtime names no host"
        raise RequestBuildError(message)
    path = _path(parts.path, is_live=DIALECTS[config.version].is_live)
    own = _own_query(config, call_id)
    if call_id is not None and DIALECTS[config.version].is_live:
        path = f"{path}/{path_id(call_id, 'call_id', 'the id of a call')}"
    taken = {"intent", *own}
    extra = [(key, value) for key, value in query_params.items() if key not in taken]
    query = "&".join(
        part
        for part in (without_keys(parts.query, taken), urlencode([*own.items(), *extra]))
        if part
    )
    return urlunsplit((scheme, parts.netloc, path, query, ""))


def _own_query(config: RealtimeSessionConfig, call_id: str | None) -> dict[str, str]:
    own: dict[str, str] = {}
    dialect = DIALECTS[config.version]
    if dialect.intent is not None:
        own["intent"] = dialect.intent
    if call_id is None:
        if config.model is not None:
            own["model"] = config.model
    elif not dialect.is_live:
        own["call_id"] = call_id
    return own


def _path(path: str, *, is_live: bool) -> str:
    endpoint = "live" if is_live else "realtime"
    bare = path.removesuffix("/")
    if not bare:
        return f"/v1/{endpoint}"
    last = bare.rpartition("/")[2]
    if last == "v1":
        return f"{bare}/{endpoint}"
    if last == endpoint:
        return bare
    if last == "realtime":
        return f"{bare.removesuffix('realtime')}{endpoint}"
    return path


def without_keys(query: str, keys: set[str]) -> str:
    """Cut the pairs whose key is in ``keys`` out of a query; the rest stays byte for byte."""
    kept = [
        pair
        for pair in query.split("&")
        if not any(key in keys for key, _ in parse_qsl(pair, keep_blank_values=True))
    ]
    return "&".join(kept)
