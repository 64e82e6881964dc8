"""Counting tokens in a way that anyone can redo: words and single punctuation marks."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from codex_api.testing.server.items import image_count, item_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codex_api.testing.wire import JsonObject

IMAGE_TOKENS = 85

_TOKEN = re.compile(r"\w+|[^\w\s]")
_PIECE = re.compile(r"\s*\S+|\s+\Z")


def count_tokens(text: str) -> int:
    """Count the tokens of ``text``."""
    return len(_TOKEN.findall(text))


def item_tokens(item: JsonObject) -> int:
    """Count the tokens of one input item, images included."""
    return count_tokens(item_text(item)) + IMAGE_TOKENS * image_count([item])


def pieces(text: str) -> list[str]:
    """Cut ``text`` into the deltas that are streamed: words with the space before them."""
    return _PIECE.findall(text)


class PromptCache:
    """Remembers the last conversation of each cache key, to report cached tokens."""

    def __init__(self) -> None:
        self._seen: dict[str, list[str]] = {}

    def cached_tokens(self, key: str, items: Sequence[JsonObject]) -> int:
        """Count the tokens of the items that begin this conversation and the one before."""
        if not key:
            return 0
        before = self._seen.get(key, [])
        now = [json.dumps(item, sort_keys=True) for item in items]
        self._seen[key] = now
        same = 0
        for old, new in zip(before, now, strict=False):
            if old != new:
                break
            same += 1
        return sum(item_tokens(item) for item in items[:same])


def usage(input_tokens: int, cached: int, output_tokens: int, reasoning: int) -> JsonObject:
    """Build a ``usage`` object; ``output_tokens`` already include ``reasoning``."""
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": input_tokens + output_tokens,
    }


def prompt_tokens(
    instructions: str, tools: Iterable[JsonObject], items: Iterable[JsonObject]
) -> int:
    """Count the tokens of a whole prompt."""
    offered = sum(count_tokens(json.dumps(tool)) for tool in tools)
    return count_tokens(instructions) + offered + sum(item_tokens(item) for item in items)
