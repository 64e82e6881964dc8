"""Scripted behaviour of the embedded server, one scenario per request.

A scenario either takes the place of the whole answer (`status` and `body`), or changes the stream
that the built-in model would have sent (`events`, `faults`, `headers`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api.testing.gate import Gate
    from codex_api.testing.steps import Fault
    from codex_api.testing.wire import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """How one request is answered.

    Attributes:
        status: Answer with this status and `body` and ask no model. On a WebSocket the handshake is
            refused with it.
        body: JSON when it is a mapping.
        headers: Added to the answer, replacing its own headers of the same name.
        omitted_headers: Names of headers that are left out.
        events: Sent in place of the model's events.
        faults: Applied to the events in this order.
        cut_upload_after: Reset the connection once this many bytes of an upload came.
        head_gate: Hold the whole answer, head included, until this gate opens.
    """

    status: int | None = None
    body: bytes | str | Mapping[str, Any] = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    omitted_headers: frozenset[str] = frozenset()
    events: tuple[JsonObject, ...] | None = None
    faults: tuple[Fault, ...] = ()
    cut_upload_after: int | None = None
    head_gate: Gate | None = None


def normal() -> Scenario:
    """Let the model answer."""
    return Scenario()


def faulty(*faults: Fault, headers: Mapping[str, str] | None = None) -> Scenario:
    """Let the model answer and apply ``faults``."""
    return Scenario(faults=faults, headers=headers or {})


def scripted(*events: JsonObject, faults: tuple[Fault, ...] = ()) -> Scenario:
    """Send ``events`` in place of the model's."""
    return Scenario(events=events, faults=faults)


def http_error(
    status: int,
    message: str = "Scripted failure.",
    *,
    code: str | None = None,
    kind: str = "server_error",
    headers: Mapping[str, str] | None = None,
    **extra: object,
) -> Scenario:
    """Answer with ``status`` and an OpenAI error body; ``extra`` lands in its ``error`` object."""
    error = {"message": message, "type": kind, "param": None, "code": code, **extra}
    return Scenario(status=status, body={"error": error}, headers=headers or {})


def rate_limited(retry_after: str | None = "1") -> Scenario:
    """Answer 429, with a ``Retry-After`` unless it is None."""
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return http_error(
        429,
        "Rate limit reached. Please try again later.",
        code="rate_limit_exceeded",
        kind="rate_limit_exceeded",
        headers=headers,
    )


def usage_limit_reached(
    plan_type: str = "plus",
    resets_at: int = 1_900_000_000,
    *,
    headers: Mapping[str, str] | None = None,
) -> Scenario:
    """Answer 429 as the backend does when a plan is used up."""
    limits = {
        "x-codex-primary-used-percent": "100",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": str(resets_at),
    }
    return http_error(
        429,
        "The usage limit has been reached.",
        kind="usage_limit_reached",
        headers={**limits, **(headers or {})},
        plan_type=plan_type,
        resets_at=resets_at,
    )


def overloaded() -> Scenario:
    """Answer 503 as a server at capacity does."""
    return http_error(503, "The server is overloaded.", code="server_is_overloaded")


def html_page(status: int = 200) -> Scenario:
    """Answer with a web page, as a captive portal or a proxy does."""
    page = "<!doctype html><title>Sign in</title><h1>Sign in to the network</h1>\n"
    return Scenario(status=status, body=page, headers={"content-type": "text/html; charset=utf-8"})


def upgrade_required() -> Scenario:
    """Refuse a WebSocket handshake with 426."""
    return http_error(426, "WebSocket is not offered here.", kind="invalid_request_error")
