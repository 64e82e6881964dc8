"""W3C trace context."""

from __future__ import annotations

import msgspec


class W3cTraceContext(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The trace that a request belongs to; None leaves a header out."""

    traceparent: str | None = None
    tracestate: str | None = None
