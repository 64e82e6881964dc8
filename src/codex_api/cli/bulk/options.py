"""Options that commands of bulk runs share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import Annotated, Literal

from cyclopts import Parameter

from codex_api.bulk import BulkInputError, BulkSettings, Prices, RateBudget
from codex_api.bulk.settings import RunOrder  # noqa: TC001 - read by the parser of the command line
from codex_api.transport.errors import RequestBuildError


@Parameter(name="*")
@dataclass(frozen=True)
class Pace:
    """How fast to send."""

    max_in_flight: Annotated[int, Parameter(help="Calls at once, at most.")] = 2000
    share: Annotated[
        float, Parameter(help="Share of the account's limits to use, such as 0.8.")
    ] = 1.0

    def budget(self) -> RateBudget:
        """Make the budget.

        Raises:
            RequestBuildError: An option does not make sense.
        """
        try:
            return RateBudget(self.share, max_in_flight=self.max_in_flight)
        except ValueError as exc:
            raise RequestBuildError(str(exc)) from None


@Parameter(name="*")
@dataclass(frozen=True)
class Treatment:
    """What to do about failures, and about cost."""

    prices: Annotated[
        Path | None, Parameter(help="TOML file of prices; without it cost is not known.")
    ] = None
    max_cost: Annotated[
        float | None, Parameter(help="Dollars at which nothing more is sent; needs --prices.")
    ] = None
    max_errors: Annotated[
        str, Parameter(help="Stop when more of 200 rows or more failed for good.")
    ] = "20%"
    tries: Annotated[int, Parameter(help="How often to send a row whose call fails.")] = 3
    retry_sent: Annotated[
        int,
        Parameter(help="How often to send again what may have been charged without an answer."),
    ] = 2
    intents: Annotated[
        bool,
        Parameter(
            negative="",
            help="Never send again what was in flight when a process ended; with --retry-sent 0 "
            "a row is charged once at most.",
        ),
    ] = False
    stall_timeout: Annotated[
        float, Parameter(help="Seconds without a finished row after which to stop; 0 is never.")
    ] = 3600.0
    via: Annotated[
        Literal["direct", "background", "batch"],
        Parameter(
            help="background lets the server go on without a connection; batch sends files of many "
            "rows to the Batch API, which answers within a day for less. What was in flight when a "
            "process ended is asked for by --resume, and not paid again."
        ),
    ] = "direct"
    tier: Annotated[
        str | None,
        Parameter(help="service_tier of rows that name none: flex, priority, ..."),
    ] = None
    window: Annotated[
        str | None,
        Parameter(help="With --via background: within which time, for less: 2h, 8h."),
    ] = None
    order: Annotated[
        RunOrder,
        Parameter(
            help="cache sends rows whose prompts begin alike next to each other, the first of them "
            "alone, so that the provider's prompt cache serves the others."
        ),
    ] = "input"
    batch_rows: Annotated[int, Parameter(help="With --via batch: rows of a batch.")] = 20_000
    poll: Annotated[
        float, Parameter(help="With --via batch: seconds between two looks at a batch.")
    ] = 30.0
    wait_for_reset: Annotated[
        bool,
        Parameter(negative="", help="Wait when the plan's allowance is used up, not stop."),
    ] = False

    def settings(self, shard: tuple[int, int] | None) -> BulkSettings:
        """Make the settings.

        Raises:
            BulkInputError: The file of prices cannot be used.
            RequestBuildError: An option does not make sense.
        """
        prices = None if self.prices is None else Prices.load(self.prices)
        try:
            return BulkSettings(
                tries=self.tries,
                retry_sent=self.retry_sent,
                order=self.order,
                shard=shard,
                max_cost=self.max_cost,
                prices=prices,
                max_errors=_share(self.max_errors),
                stall_timeout=self.stall_timeout or None,
                wait_for_reset=self.wait_for_reset,
                via=self.via,
                tier=self.tier,
                window=self.window,
                batch_rows=self.batch_rows,
                batch_poll=self.poll,
            )
        except BulkInputError as exc:
            raise RequestBuildError(str(exc)) from None


def _share(text: str) -> float:
    """Read ``1%`` or ``0.01``."""
    number = text.removesuffix("%")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    value = value / 100 if text.endswith("%") else value
    if not 0 < value <= 1:
        message = "--max-errors needs a share, such as 1% or 0.01; 100% never stops"
        raise RequestBuildError(message)
    return value
