"""What a file of requests will need, before any of it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from codex_api.bulk.prices import Prices
    from codex_api.bulk.requests import InputFacts

_BYTES_A_TOKEN: Final = 4


class BulkEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a file will need.

    Attributes:
        rows: How many requests it holds.
        input_tokens: About, by the bytes of the bodies.
        max_output_tokens: At most, by what the rows say and ``assumed_output`` for the others.
        unbounded: How many rows say nothing about ``max_output_tokens``.
        cost: Dollars at most, or None without prices.
        unpriced: Models without a price.
        seconds: By the limits that were given, or None.
        limit: Which of these binds, or None.
    """

    rows: int
    input_tokens: int
    max_output_tokens: int
    unbounded: int
    cost: float | None = None
    unpriced: tuple[str, ...] = ()
    seconds: float | None = None
    limit: str | None = None


def estimate(
    facts: InputFacts,
    *,
    prices: Prices | None = None,
    requests_a_minute: float | None = None,
    tokens_a_minute: float | None = None,
    assumed_output: int = 500,
) -> BulkEstimate:
    """Say what a file will need.

    Args:
        facts: Of the file, from ``RequestFile.scan``.
        prices: What tokens cost, or None.
        requests_a_minute: Limit of the account, or None.
        tokens_a_minute: Limit of the account, or None.
        assumed_output: Tokens of an answer whose row says nothing.
    """
    tokens_in = facts.body_bytes // _BYTES_A_TOKEN
    tokens_out = facts.max_output_tokens + facts.unbounded * assumed_output
    cost, unpriced = None, [name for name in facts.models if not _has_price(prices, name)]
    if prices is not None and facts.rows and not unpriced:
        # Of each model as many tokens as its share of the rows.
        shares = {name: count / facts.rows for name, count in facts.models.items()}
        parts = [
            prices.estimate(name, share * tokens_in, share * tokens_out) or 0.0
            for name, share in shares.items()
        ]
        cost = sum(parts)
    needs: list[tuple[float, str]] = []
    if requests_a_minute is not None:
        needs.append((60 * facts.rows / requests_a_minute, "requests"))
    if tokens_a_minute is not None:
        needs.append((60 * (tokens_in + tokens_out) / tokens_a_minute, "tokens"))
    seconds, limit = max(needs, default=(None, None))
    return BulkEstimate(
        rows=facts.rows,
        input_tokens=tokens_in,
        max_output_tokens=tokens_out,
        unbounded=facts.unbounded,
        cost=cost,
        unpriced=tuple(sorted(unpriced)) if prices is not None else (),
        seconds=seconds,
        limit=limit,
    )


def _has_price(prices: Prices | None, model: str) -> bool:
    return prices is not None and prices.price(model) is not None
