"""Headers of an answer: limits, request id, turn state, catalogue tag."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codex_api.testing.recording import RecordedRequest
    from codex_api.testing.server.state import ServerState
    from codex_api.testing.wire import JsonObject

PRIMARY_WINDOW_MINUTES = 300
SECONDARY_WINDOW_MINUTES = 10_080
REQUESTS_PER_MINUTE = 5_000
TOKENS_PER_MINUTE = 2_000_000


def models_etag(state: ServerState) -> str:
    """Return the entity tag of the catalogue."""
    digest = hashlib.sha256("\n".join(state.settings.models).encode()).hexdigest()
    return f'W/"{digest[:16]}"'


def response_headers(state: ServerState, request: RecordedRequest, model: str) -> dict[str, str]:
    """Return the headers of an answer to ``POST /responses``."""
    headers = {
        "openai-version": "2020-10-01",
        "openai-processing-ms": "1",
        # Another name than the one asked for would mean that the request was rerouted.
        "openai-model": model,
        "x-models-etag": models_etag(state),
        **turn_state_header(state, request),
    }
    if state.settings.reasoning_included:
        headers["x-reasoning-included"] = "true"
    if state.settings.rate_limits:
        headers |= codex_limit_headers(state) | api_limit_headers(state)
    return headers


def turn_state_header(state: ServerState, request: RecordedRequest) -> dict[str, str]:
    """Return the turn state: the one that the request brought, or a new one."""
    known = request.header("x-codex-turn-state")
    return {"x-codex-turn-state": known or state.new_id("ts")}


def used_percent(state: ServerState) -> float:
    """Return the used part of the primary window: half a percent for each request."""
    return min(0.5 * len(state.journal), 100.0)


def codex_limit_headers(state: ServerState) -> dict[str, str]:
    """Return the ``x-codex-*`` limits."""
    percent = used_percent(state)
    now = int(state.clock())
    return {
        "x-codex-primary-used-percent": f"{percent:g}",
        "x-codex-primary-window-minutes": str(PRIMARY_WINDOW_MINUTES),
        "x-codex-primary-reset-at": str(now + PRIMARY_WINDOW_MINUTES * 60),
        "x-codex-secondary-used-percent": f"{percent / 10:g}",
        "x-codex-secondary-window-minutes": str(SECONDARY_WINDOW_MINUTES),
        "x-codex-secondary-reset-at": str(now + SECONDARY_WINDOW_MINUTES * 60),
        "x-codex-credits-has-credits": "true",
        "x-codex-credits-unlimited": "false",
        "x-codex-credits-balance": "12.50",
    }


def api_limit_headers(state: ServerState) -> dict[str, str]:
    """Return the ``x-ratelimit-*`` limits of the public API."""
    used = len(state.journal)
    return {
        "x-ratelimit-limit-requests": str(REQUESTS_PER_MINUTE),
        "x-ratelimit-remaining-requests": str(max(REQUESTS_PER_MINUTE - used, 0)),
        "x-ratelimit-reset-requests": "12ms",
        "x-ratelimit-limit-tokens": str(TOKENS_PER_MINUTE),
        "x-ratelimit-remaining-tokens": str(max(TOKENS_PER_MINUTE - 100 * used, 0)),
        "x-ratelimit-reset-tokens": "6m0.5s",
    }


def rate_limits_event(state: ServerState) -> JsonObject:
    """Return the ``codex.rate_limits`` frame that a WebSocket gets in place of headers."""
    percent = used_percent(state)
    now = int(state.clock())
    primary = {
        "used_percent": percent,
        "window_minutes": PRIMARY_WINDOW_MINUTES,
        "reset_at": now + PRIMARY_WINDOW_MINUTES * 60,
    }
    secondary = {
        "used_percent": percent / 10,
        "window_minutes": SECONDARY_WINDOW_MINUTES,
        "reset_at": now + SECONDARY_WINDOW_MINUTES * 60,
    }
    return {
        "type": "codex.rate_limits",
        "plan_type": "plus",
        "rate_limits": {"primary": primary, "secondary": secondary},
        "credits": {"has_credits": True, "unlimited": False, "balance": "12.50"},
    }
