"""Bulk runs: many requests at the rate limit, nothing lost, nothing paid twice unsaid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._lazy import Lookup, lazy_attributes

if TYPE_CHECKING:
    from codex_api.bulk.budget import FamilyState, Grant, RateBudget, TooLarge, Wait
    from codex_api.bulk.load import Load

__all__ = ["FamilyState", "Grant", "Load", "RateBudget", "TooLarge", "Wait"]

__getattr__: Lookup = lazy_attributes(
    "codex_api.bulk",
    {
        "FamilyState": "budget",
        "Grant": "budget",
        "Load": "load",
        "RateBudget": "budget",
        "TooLarge": "budget",
        "Wait": "budget",
    },
)
