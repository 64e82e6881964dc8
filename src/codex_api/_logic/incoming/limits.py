"""Bounds on what a peer may make us read."""

from __future__ import annotations

# The body of an error answer: enough for any JSON, not enough to hurt.
MAX_ERROR_BODY_BYTES = 1 << 20
# Seconds for reading it; the status alone is worth more than the wait.
ERROR_BODY_TIMEOUT = 5.0
