"""The handshake of a realtime WebSocket, before it is signed (wire.md, Realtime sessions)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._logic.calling.dialing import Dialing, handshake_headers
from codex_api._logic.realtime.session_headers import session_headers
from codex_api._logic.realtime.url import session_url, sideband_url
from codex_api.transport._core.messages import Request

if TYPE_CHECKING:
    from codex_api._logic.calling.operation import CallContext
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.types.realtime import RealtimeSessionConfig


def handshake(
    ctx: CallContext,
    config: RealtimeSessionConfig,
    call_id: str | None,
    extra_headers: HeaderSource | Headers | None = None,
) -> Dialing:
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
    headers = handshake_headers(ctx.layered(session_headers(config), extra_headers))
    return Dialing(request=Request(method="GET", url=url, headers=headers), deflate=False)
