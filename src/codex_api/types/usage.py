"""Tokens that a response used."""

from __future__ import annotations

import msgspec


class TokenUsage(msgspec.Struct, frozen=True, gc=False):
    """What one response cost, in tokens. None is a count that the server did not tell, not 0.

    Attributes:
        input_tokens: Tokens read, cached ones included.
        cached_input_tokens: How many of ``input_tokens`` came from the prompt cache.
        output_tokens: Tokens written, reasoning included.
        reasoning_output_tokens: How many of ``output_tokens`` were reasoning.
        total_tokens: The server's own sum.
        cache_write_tokens: Tokens written to the prompt cache.
        rollout_budget_units: What a Codex rollout is charged, in units of its budget.
    """

    input_tokens: int | None = 0
    cached_input_tokens: int | None = 0
    output_tokens: int | None = 0
    reasoning_output_tokens: int | None = 0
    total_tokens: int | None = 0
    cache_write_tokens: int | None = None
    rollout_budget_units: int | None = None

    @property
    def uncached_input_tokens(self) -> int | None:
        """Input tokens that did not come from the prompt cache; None when it cannot be known."""
        if self.input_tokens is None:
            return None
        return max(self.input_tokens - (self.cached_input_tokens or 0), 0)

    def __add__(self, other: TokenUsage) -> TokenUsage:
        """Sum two usages; a count stays unknown only if both are."""
        return TokenUsage(
            **{
                name: _sum(getattr(self, name), getattr(other, name))
                for name in self.__struct_fields__
            }
        )


def _sum(one: int | None, other: int | None) -> int | None:
    known = [count for count in (one, other) if count is not None]
    return sum(known) if known else None
