"""How a bulk run behaves."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from codex_api.bulk.failures import BulkInputError
from codex_api.bulk.prices import Prices

RunOrder: TypeAlias = Literal["input", "cache"]

_MOST_BATCH_ROWS: Final = 50_000
_MOST_BATCH_BYTES: Final = 200_000_000


class BulkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a run treats its rows. What may be in flight at once is the budget's business.

    Attributes:
        tries: How often a row is sent at most when the server or the connection fails. Refusals for
            a limit and overload do not count.
        retry_sent: How often a row is sent again although an earlier send may have been charged:
            the connection broke, or no answer came in time. 0 makes it that row's failure.
        base_delay: Seconds before the second try, doubled for each one after it, with jitter.
        max_delay: Most seconds between two tries.
        timeout: Seconds for one call; None takes the client's own limit.
        order: ``input`` sends rows as they are given; ``cache`` those of a file whose prompts begin
            alike next to each other, the first of them alone, so that the provider's prompt cache
            serves the others. Results are not affected.
        shard: Which part of a file to send, as number from 1 and count; None sends all.
        max_cost: Dollars, earlier runs on the same journal included, at which nothing more is sent;
            needs ``prices``. None sets no limit.
        prices: What tokens cost, or None.
        max_errors: Share of final failures at which the run stops, once ``error_sample`` rows are
            finished; 1 never stops it.
        error_sample: How many rows to look at before ``max_errors`` holds.
        stall_timeout: Seconds without a finished row after which the run stops; None never does.
        wait_for_reset: Whether to wait where the plan's allowance is used up and the server says
            until when; else the run stops.
        via: ``direct`` has each row answered by one call; ``background`` has the server make it
            without a connection, stored, and asks for it by its id, as a further run does;
            ``batch`` sends files of many rows to the Batch API, which answers within a day.
        tier: ``service_tier`` of rows that name none, such as ``flex``, or None.
        window: Within which time a background response may come, such as ``8h``, for less money;
            of rows that say nothing of it. None asks for none.
        batch_rows: How many rows a batch has at most; files of answers are held in memory.
        batch_bytes: How large its file of requests may be.
        batches_at_once: How many batches are on their way at most.
        batch_poll: Seconds between two looks at a batch.
        idempotency_keys: Whether each row sends an ``idempotency-key`` of its own, the same after a
            crash.

    Raises:
        BulkInputError: A value is out of its range.
    """

    tries: int = 3
    retry_sent: int = 2
    base_delay: float = 1.0
    max_delay: float = 60.0
    timeout: float | None = None
    order: RunOrder = "input"
    shard: tuple[int, int] | None = None
    max_cost: float | None = None
    prices: Prices | None = None
    max_errors: float = 0.2
    error_sample: int = 200
    stall_timeout: float | None = 3600.0
    wait_for_reset: bool = False
    via: Literal["direct", "background", "batch"] = "direct"
    tier: str | None = None
    window: str | None = None
    batch_rows: int = 20_000
    batch_bytes: int = 100_000_000
    batches_at_once: int = 10
    batch_poll: float = 30.0
    idempotency_keys: bool = True

    def __post_init__(self) -> None:
        wrong = None
        if self.tries < 1:
            wrong = "tries must be at least 1"
        elif self.retry_sent < 0 or self.base_delay < 0 or self.max_delay < 0:
            wrong = "retry_sent and delays must not be negative"
        elif not 0 < self.max_errors <= 1 or self.error_sample < 1:
            wrong = "max_errors must be a share of 1, and error_sample at least 1"
        elif self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            wrong = "shard must be a number from 1 and a count, such as (3, 16)"
        elif self.max_cost is not None and (self.prices is None or self.max_cost <= 0):
            wrong = "max_cost must be more than 0, and needs prices"
        elif self.via not in {"direct", "background", "batch"}:
            wrong = "via must be direct, background or batch"
        elif self.window is not None and self.via != "background":
            wrong = "a window is for responses in the background: via must be background"
        elif any(limit is not None and limit <= 0 for limit in (self.timeout, self.stall_timeout)):
            wrong = "timeout and stall_timeout must be more than 0, or None"
        wrong = wrong or self._wrong_of_order or self._wrong_of_batches
        if wrong is not None:
            message = f"BulkSettings: {wrong}"
            raise BulkInputError(message)

    @property
    def _wrong_of_order(self) -> str | None:
        if self.order not in {"input", "cache"}:
            return "order must be input or cache"
        if self.order == "cache" and self.via == "batch":
            return "order is for calls: the server orders a batch as it likes"
        return None

    @property
    def _wrong_of_batches(self) -> str | None:
        if not 1 <= self.batch_rows <= _MOST_BATCH_ROWS or self.batches_at_once < 1:
            return "batch_rows must be 1 to 50,000, and batches_at_once at least 1"
        if not 1 <= self.batch_bytes <= _MOST_BATCH_BYTES or self.batch_poll < 0:
            return "batch_bytes must be 1 to 200,000,000, and batch_poll not negative"
        return None
