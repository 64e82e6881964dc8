"""The events that the headers of an answer stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_api import events
from codex_api.rate_limits import parse_all_rate_limits

if TYPE_CHECKING:
    from codex_api.events import ResponseEvent
    from codex_api.transport._core.headers import Headers

_MODEL: Final = "openai-model"
_ETAG: Final = "x-models-etag"
_REASONING: Final = "x-reasoning-included"


def header_events(headers: Headers) -> list[ResponseEvent]:
    """Return the events that an HTTP answer's headers stand for (wire.md, Responses over HTTP)."""
    found: list[ResponseEvent] = []
    names = headers.names()
    if _MODEL in names:
        found.append(events.ServerModel(headers[_MODEL]))
    found.extend(map(events.RateLimits, parse_all_rate_limits(headers)))
    if _ETAG in names:
        found.append(events.ModelsEtag(headers[_ETAG]))
    if _REASONING in names:
        found.append(events.ServerReasoningIncluded(included=True))
    return found
