"""The events that the headers of an answer stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api import events
from codex_api.rate_limits import parse_all_rate_limits

if TYPE_CHECKING:
    from codex_api.events import ResponseEvent
    from codex_api.transport._core.headers import Headers


def header_events(headers: Headers) -> list[ResponseEvent]:
    """Return the events that an HTTP answer's headers stand for (wire.md, Responses over HTTP)."""
    found: list[ResponseEvent] = []
    model = headers.get("openai-model")
    if model is not None:
        found.append(events.ServerModel(model))
    found.extend(events.RateLimits(snapshot) for snapshot in parse_all_rate_limits(headers))
    etag = headers.get("x-models-etag")
    if etag is not None:
        found.append(events.ModelsEtag(etag))
    if "x-reasoning-included" in headers:
        found.append(events.ServerReasoningIncluded(included=True))
    return found
