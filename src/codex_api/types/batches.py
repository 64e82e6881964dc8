"""Batches of the public API: many requests in a file, answered within a day at half the price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

_OVER: Final = frozenset({"completed", "failed", "expired", "cancelled"})


class BatchCounts(msgspec.Struct, frozen=True):
    """How far a batch is, in requests."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch. Instants are Unix seconds; what has not happened is None.

    Attributes:
        status: ``validating``, ``in_progress``, ``finalizing``, ``completed``, ``failed``,
            ``expired``, ``cancelling``, ``cancelled``, or what the server calls it.
        endpoint: Path that each of its requests goes to, such as ``/v1/responses``.
        input_file_id: The file of requests, one JSON object a line.
        output_file_id: The file of answers, once there are some.
        error_file_id: The file of requests that failed, if any did.
        errors: Why the file of requests was not taken, as the server says it.
        metadata: Its pairs of strings.
        raw: The exact bytes of the answer's body.
    """

    id: str
    status: str
    endpoint: str | None = None
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    completion_window: str | None = None
    created_at: float | None = None
    in_progress_at: float | None = None
    finalizing_at: float | None = None
    completed_at: float | None = None
    expires_at: float | None = None
    expired_at: float | None = None
    failed_at: float | None = None
    cancelling_at: float | None = None
    cancelled_at: float | None = None
    request_counts: BatchCounts = BatchCounts()
    errors: Mapping[str, Any] | None = None
    metadata: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    raw: bytes = b""

    @property
    def is_finished(self) -> bool:
        """Whether nothing more comes, well or badly."""
        return self.status in _OVER
