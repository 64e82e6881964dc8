"""What tokens cost, by the user's own file: prices age, so none come with the library.

::

    [models."gpt-5.1"]      # dollars for a million tokens
    input = 1.25
    cached_input = 0.125    # left out: as input
    output = 10.0
    cache_write = 1.5625    # left out: as input

    [tiers]                 # factors; left out: 1
    flex = 0.5
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from codex_api.bulk.failures import BulkInputError

if TYPE_CHECKING:
    import os

    from codex_api.types.usage import TokenUsage

_MILLION: Final = 1_000_000


class ModelPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Dollars for a million tokens; None is as ``input``."""

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    models: dict[str, ModelPrice] = {}
    tiers: dict[str, float] = {}


class Prices:
    """Prices of models.

    Args:
        models: By name. A name of the kind ``gpt-5.1-2025-11-13`` finds the longest one that it
            begins with.
        tiers: Factors by ``service_tier``.
    """

    def __init__(
        self, models: dict[str, ModelPrice], tiers: dict[str, float] | None = None
    ) -> None:
        self._models = dict(models)
        self._tiers = dict(tiers or {})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Prices:
        """Read a TOML file.

        Raises:
            BulkInputError: It cannot be read, or is no file of prices.
        """
        try:
            read = msgspec.toml.decode(Path(path).read_bytes(), type=_File)
        except OSError as exc:
            message = f"{path}: {exc.strerror or 'it cannot be read'}"
            raise BulkInputError(message) from None
        except (msgspec.DecodeError, ValueError) as exc:
            message = f"{path}: no file of prices: {exc}"
            raise BulkInputError(message) from None
        wrong = [
            name
            for name, price in read.models.items()
            if min(price.input, price.output, price.cached_input or 0, price.cache_write or 0) < 0
        ]
        if wrong:
            message = f"{path}: a price of {wrong[0]} is less than nothing"
            raise BulkInputError(message)
        return cls(read.models, read.tiers)

    def price(self, model: str) -> ModelPrice | None:
        """Return the price of a model, or None."""
        exact = self._models.get(model)
        if exact is not None:
            return exact
        known = [name for name in self._models if model.startswith(f"{name}-")]
        return self._models[max(known, key=len)] if known else None

    def estimate(
        self, model: str, input_tokens: float, output_tokens: float, tier: str | None = None
    ) -> float | None:
        """Return the dollars that a request will cost; None for a model without a price."""
        price = self.price(model)
        if price is None:
            return None
        cost = price.input * input_tokens + price.output * output_tokens
        return self._factor(tier) * cost / _MILLION

    def cost(self, model: str, usage: TokenUsage, tier: str | None = None) -> float | None:
        """Return the dollars that an answer did cost; None for a model without a price."""
        price = self.price(model)
        if price is None:
            return None
        cached = usage.cached_input_tokens or 0
        written = usage.cache_write_tokens or 0
        fresh = max((usage.input_tokens or 0) - cached - written, 0)
        cost = (
            price.input * fresh
            + _or(price.cached_input, price.input) * cached
            + _or(price.cache_write, price.input) * written
            + price.output * (usage.output_tokens or 0)
        )
        return self._factor(tier) * cost / _MILLION

    def _factor(self, tier: str | None) -> float:
        return self._tiers.get(tier or "", 1.0)


def _or(price: float | None, usual: float) -> float:
    return usual if price is None else price
