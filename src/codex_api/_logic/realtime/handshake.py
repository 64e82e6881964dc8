"""The handshake of a realtime WebSocket, before it is signed (SPEC 14.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._logic.realtime.session_headers import session_headers
from codex_api._logic.realtime.url import session_url, sideband_url
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Request

if TYPE_CHECKING:
    from codex_api._logic.calling.operation import CallContext
    from codex_api.transport._core.headers import HeaderSource
    from codex_api.types.realtime import RealtimeSessionConfig

# They describe a body and its answer, and a handshake has neither.
_NOT_HERE = ("accept", "content-type", "content-encoding")


def handshake(
    ctx: CallContext,
    defaults: Headers,
    config: RealtimeSessionConfig,
    call_id: str | None,
    extra_headers: HeaderSource | Headers | None = None,
) -> Request:
    """Make the request that opens a session, or joins the call ``call_id``.

    Raises:
        RequestBuildError: A header is illegal or the URL cannot be built.
    """
    provider = ctx.provider
    params = provider.query_params
    url = (
        session_url(config, provider.base_url, params)
        if call_id is None
        else sideband_url(config, call_id, provider.base_url, params)
    )
    headers = Headers(provider.headers)
    headers.merge(session_headers(config))
    headers.merge(extra_headers)
    headers.fill(defaults)
    for name in _NOT_HERE:
        headers.remove(name)
    return Request(method="GET", url=url, headers=headers)
