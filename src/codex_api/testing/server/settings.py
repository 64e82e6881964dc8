"""How an embedded server behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codex_api.testing.server.latency import Latency
    from codex_api.testing.server.limits import Limits

DEFAULT_MODELS = ("gpt-5.1-codex", "gpt-5.1", "gpt-5.1-codex-mini")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Settings of one server; all have a default.

    Attributes:
        api_keys: Bearer tokens that are let in; empty lets everyone in.
        models: Slugs of the catalogue. A request may name any model.
        files_dir: Where uploads land; None makes a directory that is removed with the server.
        upload_retries: How often finalizing an upload says ``retry`` before it succeeds.
        max_upload_bytes: Larger uploads are refused.
        deflate: Accept permessage-deflate on WebSockets.
        websocket_seconds: Age at which a WebSocket is told that it reached its limit; None is
            never.
        websocket_responses: Number of responses after which it is told so; None is never.
        reasoning_included: Send ``x-reasoning-included``.
        rate_limits: Send ``x-codex-*`` and ``x-ratelimit-*`` headers and ``codex.rate_limits``
            frames.
        extra_item_types: Types of input items that are let through without being known.
        background_pace: Seconds between two events of a background response, and between two
            requests of a batch.
        limits: Limits that are enforced, and an account of what was charged; None has neither.
            ``rate_limits`` are numbers without consequences, which these replace.
        latency: How long responses take; None is as fast as it goes.
        clock: Gives the time in seconds since the epoch.
    """

    api_keys: frozenset[str] = frozenset()
    models: tuple[str, ...] = DEFAULT_MODELS
    files_dir: Path | None = None
    upload_retries: int = 1
    max_upload_bytes: int = 512 << 20
    deflate: bool = True
    websocket_seconds: float | None = 3600.0
    websocket_responses: int | None = None
    reasoning_included: bool = False
    rate_limits: bool = True
    extra_item_types: frozenset[str] = frozenset()
    background_pace: float = 0.0
    limits: Limits | None = None
    latency: Latency | None = None
    clock: Callable[[], float] | None = None
