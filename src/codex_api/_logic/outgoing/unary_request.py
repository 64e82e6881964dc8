"""What the unary endpoints share: a POST with the headers of caller and session.

See wire.md, Sessions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from codex_api._logic.endpoints.responses import caller_headers
from codex_api._logic.outgoing.session_headers import build_session_headers, subagent_header
from codex_api.transport._core.headers import Headers
from codex_api.types.request import ResponsesOptions
from codex_api.types.session_source import SessionSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api.transport._core.headers import HeaderSource
    from codex_api.transport._core.messages import Body, Response

T = TypeVar("T")

_NO_OPTIONS = ResponsesOptions()
_MEMORY_SOURCE = SessionSource.internal("memory_consolidation")


def post(
    ctx: CallContext,
    endpoint: str,
    body: Body,
    decode: Callable[[Response], T],
    *,
    extra_headers: HeaderSource | Headers | None = None,
    options: ResponsesOptions | None = None,
    timeout: float | None = None,
    is_repeatable: bool = True,
) -> Operation[T]:
    """Make the call of an endpoint.

    Args:
        extra_headers: Laid over those of ``options``.
        options: Says which session the call belongs to; its ``turn_state`` is sent. What only
            concerns streams is not looked at.
        timeout: Limit in seconds on the whole call, or None.
        is_repeatable: Whether doing it twice does no harm.

    Raises:
        RequestBuildError: A header is illegal.
    """
    settled = with_headers(_NO_OPTIONS if options is None else options, extra_headers)
    return ctx.operation(
        "POST",
        endpoint,
        endpoint,
        decode,
        body=body,
        extra_headers=caller_headers(settled),
        id_headers=session_identity(settled),
        timeout=timeout,
        is_repeatable=is_repeatable,
    )


def with_headers(
    options: ResponsesOptions, extra_headers: HeaderSource | Headers | None
) -> ResponsesOptions:
    """Lay ``extra_headers`` over those of ``options``."""
    if not extra_headers:
        return options
    merged = Headers(options.extra_headers)
    merged.merge(extra_headers)
    return msgspec.structs.replace(options, extra_headers=merged)


def session_identity(options: ResponsesOptions) -> Headers | None:
    """Return the headers that tell session, thread and sub-agent, in wire order; None for none.

    Unlike a streamed response a unary call has no ``x-client-request-id``.
    """
    both = options.conversation_id
    if options.session_id is options.thread_id is options.session_source is both is None:
        return None
    headers = Headers()
    subagent = subagent_header(options.session_source)
    if subagent is not None:
        headers.set("x-openai-subagent", subagent)
    if options.session_source == _MEMORY_SOURCE:
        headers.set("x-openai-memgen-request", "true")
    headers.merge(build_session_headers(options.session_id or both, options.thread_id or both))
    return headers
