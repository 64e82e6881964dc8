from __future__ import annotations

from codex_api.types.usage import TokenUsage


def test_usages_add_up() -> None:
    total = TokenUsage(10, 4, 3, 1, 13, 2) + TokenUsage(1, 1, 1, 1, 2)

    assert total == TokenUsage(11, 5, 4, 2, 15, 2)


def test_unknown_cache_writes_stay_unknown_and_zero_stays_zero() -> None:
    assert (TokenUsage() + TokenUsage()).cache_write_tokens is None
    assert (TokenUsage() + TokenUsage(cache_write_tokens=0)).cache_write_tokens == 0


def test_uncached_input_is_never_negative() -> None:
    assert TokenUsage(input_tokens=10, cached_input_tokens=4).uncached_input_tokens == 6
    assert TokenUsage(input_tokens=1, cached_input_tokens=4).uncached_input_tokens == 0
