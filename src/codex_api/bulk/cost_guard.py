"""A ceiling on cost: looked at before each send, with what is in flight at the most it may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from codex_api.bulk.ledger import Ledger
    from codex_api.bulk.pending_row import PendingRow
    from codex_api.bulk.settings import BulkSettings

# Tokens of an answer whose row sets no limit, before longer ones were seen.
_USUAL_OUTPUT: Final = 2000.0


class CostRefusal(NamedTuple):
    """Why a row may not be sent.

    Attributes:
        words: For people.
        is_final: Whether no end of a call can change it.
    """

    words: str
    is_final: bool


class CostGuard:
    """Keeps money for what is in flight."""

    def __init__(self, settings: BulkSettings, ledger: Ledger) -> None:
        self._ceiling = settings.max_cost
        self._prices = settings.prices
        self._ledger = ledger
        self._reserved = 0.0

    def refusal(self, row: PendingRow) -> CostRefusal | None:
        """Say why a row may not be sent, or None."""
        ceiling, prices = self._ceiling, self._prices
        if ceiling is None or prices is None:
            return None
        if prices.price(row.model) is None:
            words = f"there is a limit on cost, and no price for the model {row.model!r}"
            return CostRefusal(words, is_final=True)
        spent = self._ledger.spent
        if spent + self._reserved + self._most(row) <= ceiling:
            return None
        words = f"${spent:.2f} are spent, and one more row may pass ${ceiling:.2f}"
        return CostRefusal(words, is_final=False)

    def reserve(self, row: PendingRow) -> None:
        """Keep what a row may cost at most."""
        if self._ceiling is not None:
            row.reserved = self._most(row)
            self._reserved += row.reserved

    def release(self, row: PendingRow) -> None:
        """Keep nothing more for a row: what it cost is known."""
        if row.reserved:
            self._reserved -= row.reserved
            row.reserved = 0.0

    def _most(self, row: PendingRow) -> float:
        if self._prices is None or self._ceiling is None:
            return 0.0
        output = row.max_output or max(self._ledger.gauge.most_output, _USUAL_OUTPUT)
        return self._prices.estimate(row.model, row.input_tokens, output, row.tier) or 0.0
