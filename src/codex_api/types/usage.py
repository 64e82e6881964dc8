"""Tokens that a response used."""

from __future__ import annotations

import msgspec


class TokenUsage(msgspec.Struct, frozen=True, gc=False):
    """What one response cost, in tokens.

    Attributes:
        input_tokens: Tokens read, cached ones included.
        cached_input_tokens: How many of ``input_tokens`` came from the prompt cache.
        output_tokens: Tokens written, reasoning included.
        reasoning_output_tokens: How many of ``output_tokens`` were reasoning.
        total_tokens: The server's own sum.
        cache_write_tokens: Tokens written to the prompt cache; None when the server did not say,
            which differs from 0.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    total_tokens: int = 0
    cache_write_tokens: int | None = None

    @property
    def uncached_input_tokens(self) -> int:
        """Input tokens that did not come from the prompt cache."""
        return max(self.input_tokens - self.cached_input_tokens, 0)

    def __add__(self, other: TokenUsage) -> TokenUsage:
        """Sum two usages; unknown cache writes stay unknown only if both are."""
        writes = (self.cache_write_tokens, other.cache_write_tokens)
        known = [count for count in writes if count is not None]
        return TokenUsage(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_input_tokens=self.cached_input_tokens + other.cached_input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            reasoning_output_tokens=self.reasoning_output_tokens + other.reasoning_output_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
            cache_write_tokens=sum(known) if known else None,
        )
