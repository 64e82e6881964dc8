"""Headers that say which session, thread and agent a request belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api.transport._core.headers import Headers
from codex_api.types.session_source import SessionSource

if TYPE_CHECKING:
    from codex_api.types.request import ResponsesOptions

_WIRE_LABELS = {"thread_spawn": "collab_spawn"}


def build_session_headers(session_id: str | None = None, thread_id: str | None = None) -> Headers:
    """Return ``session-id`` and ``thread-id``, each only when known.

    Raises:
        RequestBuildError: An id is not a legal header value.
    """
    headers = Headers()
    _set_session(headers, session_id, thread_id)
    return headers


def _set_session(headers: Headers, session_id: str | None, thread_id: str | None) -> None:
    if session_id is not None:
        headers.set("session-id", session_id)
    if thread_id is not None:
        headers.set("thread-id", thread_id)


def subagent_header(source: SessionSource | str | None) -> str | None:
    """Return the value of ``x-openai-subagent``; None when the source is no sub-agent."""
    known = SessionSource.parse(source) if isinstance(source, str) else source
    if known is None or known.kind != "subagent":
        return None
    return _WIRE_LABELS.get(known.label, known.label)


def identity_headers(options: ResponsesOptions) -> Headers | None:
    """Return all headers by which the server tells requests of sessions apart, in wire order.

    Returns:
        None when there are none.

    Raises:
        RequestBuildError: An id is not a legal header value.
    """
    both = options.conversation_id
    if options.session_id is options.thread_id is options.session_source is both is None:
        return None
    session_id, thread_id = _first(options.session_id, both), _first(options.thread_id, both)
    headers = Headers()
    subagent = subagent_header(options.session_source)
    if subagent is not None:
        headers.set("x-openai-subagent", subagent)
    if thread_id is not None:
        headers.set("x-client-request-id", thread_id)
    _set_session(headers, session_id, thread_id)
    return headers


def _first(value: str | None, fallback: str | None) -> str | None:
    return fallback if value is None else value
