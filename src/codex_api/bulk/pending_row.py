"""A row on its way, and what happened to it so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from codex_api.bulk.requests import body_with, outline_of
from codex_api.bulk.result_lines import RowFacts
from codex_api.bulk.row_ids import digest_of
from codex_api.rate_limits import ApiRateLimits
from codex_api.types.request import ResponsesOptions

if TYPE_CHECKING:
    from codex_api.bulk.settings import BulkSettings

_BYTES_A_TOKEN: Final = 4
_NO_OPTIONS: Final = ResponsesOptions()


class PendingRow(msgspec.Struct, kw_only=True):
    """A row on its way.

    Attributes:
        body: What is sent, once it was ``read``; empty where it is read again when it must be.
        model: As the row names it.
        tier: As the row names it, or None.
        input_tokens: Estimated.
        max_output: As the row says, or None.
        attempts: How often it was sent.
        failures: How many of these count.
        sent_maybe: How many of these may have been charged without an answer.
        sent_at: When it was sent last, on the loop's clock.
        reserved: Dollars that are kept for it while it is in flight.
        response_id: Of its background response, once it was begun.
        limits: What the answer to its beginning said of limits.
    """

    index: int
    custom_id: str
    body: bytes
    model: str = ""
    tier: str | None = None
    input_tokens: float = 0.0
    max_output: int | None = None
    attempts: int = 0
    failures: int = 0
    sent_maybe: int = 0
    sent_at: float = 0.0
    reserved: float = 0.0
    response_id: str | None = None
    limits: ApiRateLimits | None = None

    def read(self, tier: str | None = None) -> None:
        """Look at the body, and make it what is sent.

        Args:
            tier: ``service_tier`` where the body names none.

        Raises:
            RequestBuildError: It cannot be sent.
        """
        outline = outline_of(self.body)
        self.input_tokens = len(self.body) / _BYTES_A_TOKEN
        self.model, self.max_output = outline.model or "", outline.max_output_tokens
        self.tier = outline.service_tier or tier
        if self.tier != outline.service_tier:
            self.body = body_with(self.body, {"service_tier": tier})
        elif outline.stream is not msgspec.UNSET:
            self.body = body_with(self.body, {})

    def options(self, run: str, settings: BulkSettings) -> ResponsesOptions:
        """Say how it is sent.

        Its key stays the same after a send of unknown fate, and changes with answers.
        """
        if not settings.idempotency_keys:
            return _NO_OPTIONS
        answered = max(self.failures - self.sent_maybe, 0)
        key = f"{run}-{digest_of(self.custom_id).hex()}-{answered}"
        return ResponsesOptions(extra_headers={"idempotency-key": key})

    def facts(self, run: str, now: float) -> RowFacts:
        """Begin what is told of it at its end."""
        return RowFacts(
            row=self.index,
            run=run,
            attempts=self.attempts,
            sent_maybe=self.sent_maybe,
            latency=round(now - self.sent_at, 4) if self.attempts else 0.0,
        )
