"""Scripted behaviour of the embedded server, one scenario per request.

A scenario either takes the place of the whole answer (`status` and `body`), or changes the stream
that the built-in model would have sent (`outputs`, `events`, `usage`, `faults`, `headers`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict

from codex_api.testing.matching import Match

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Unpack

    from codex_api.testing.gate import Gate
    from codex_api.testing.matching import Asked, TextPattern
    from codex_api.testing.server.plan import Output
    from codex_api.testing.steps import Fault
    from codex_api.testing.wire import JsonObject


class Conditions(TypedDict, total=False):
    """What `Scenario.when` takes: the attributes of `Match`."""

    endpoint: str | None
    model: str | None
    text: TextPattern | None
    tool: str | None
    tool_output: TextPattern | None
    turn: int | None
    headers: Mapping[str, str]
    where: Callable[[Asked], bool] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """How one request is answered.

    Attributes:
        status: Answer with this status and `body` and ask no model. On a WebSocket the handshake is
            refused with it.
        body: JSON when it is a mapping.
        headers: Added to the answer, replacing its own headers of the same name.
        omitted_headers: Names of headers that are left out.
        outputs: Put out in place of what the model would; see `codex_api.testing.builders`.
        usage: Laid over the counts of tokens.
        events: Sent in place of the model's events.
        faults: Applied to the events in this order.
        cut_upload_after: Reset the connection once this many bytes of an upload came.
        head_gate: Hold the whole answer, head included, until this gate opens.
        match: The requests that it is for; None is the next one.
    """

    status: int | None = None
    body: bytes | str | Mapping[str, Any] = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    omitted_headers: frozenset[str] = frozenset()
    outputs: tuple[Output, ...] | None = None
    usage: Mapping[str, Any] | None = None
    events: tuple[JsonObject, ...] | None = None
    faults: tuple[Fault, ...] = ()
    cut_upload_after: int | None = None
    head_gate: Gate | None = None
    match: Match | None = None

    def when(self, **conditions: Unpack[Conditions]) -> Scenario:
        """Return the same for the next request that fits; see `Match` for what can be asked."""
        return replace(self, match=Match(**conditions))

    def fails(self, *faults: Fault) -> Scenario:
        """Return the same with ``faults`` behind its own."""
        return replace(self, faults=(*self.faults, *faults))

    def __add__(self, other: Scenario) -> Scenario:
        """Return one that puts out this first and then ``other``, whose settings win."""
        both = [each for each in (self.outputs, other.outputs) if each is not None]
        return replace(
            other,
            outputs=tuple(output for each in both for output in each) if both else None,
            usage=other.usage if other.usage is not None else self.usage,
            headers={**self.headers, **other.headers},
            omitted_headers=self.omitted_headers | other.omitted_headers,
            faults=(*self.faults, *other.faults),
            match=other.match or self.match,
        )


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
