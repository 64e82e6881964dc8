"""Bulk runs: many requests at the rate limit, nothing lost, nothing paid twice unsaid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._lazy import Lookup, lazy_attributes

if TYPE_CHECKING:
    from codex_api.bulk.blocking import BlockingBulkRun, run_blocking
    from codex_api.bulk.budget import FamilyState, Grant, RateBudget, TooLarge, Wait
    from codex_api.bulk.failures import BulkError, BulkInputError, BulkStoppedError, JournalError
    from codex_api.bulk.journal import Journal
    from codex_api.bulk.load import Load
    from codex_api.bulk.prices import ModelPrice, Prices
    from codex_api.bulk.progress import BulkProgress
    from codex_api.bulk.requests import BulkRequest, InputFacts, RequestFile
    from codex_api.bulk.result_lines import RowError, RowFacts
    from codex_api.bulk.results import BulkResult
    from codex_api.bulk.running import BulkRun, run
    from codex_api.bulk.settings import BulkSettings
    from codex_api.bulk.stop_signals import stop_on_signals
    from codex_api.bulk.summary import BulkSummary

__all__ = [
    "BlockingBulkRun",
    "BulkError",
    "BulkInputError",
    "BulkProgress",
    "BulkRequest",
    "BulkResult",
    "BulkRun",
    "BulkSettings",
    "BulkStoppedError",
    "BulkSummary",
    "FamilyState",
    "Grant",
    "InputFacts",
    "Journal",
    "JournalError",
    "Load",
    "ModelPrice",
    "Prices",
    "RateBudget",
    "RequestFile",
    "RowError",
    "RowFacts",
    "TooLarge",
    "Wait",
    "run",
    "run_blocking",
    "stop_on_signals",
]

__getattr__: Lookup = lazy_attributes(
    "codex_api.bulk",
    {
        "BlockingBulkRun": "blocking",
        "BulkError": "failures",
        "BulkInputError": "failures",
        "BulkProgress": "progress",
        "BulkRequest": "requests",
        "BulkResult": "results",
        "BulkRun": "running",
        "BulkSettings": "settings",
        "BulkStoppedError": "failures",
        "BulkSummary": "summary",
        "FamilyState": "budget",
        "Grant": "budget",
        "InputFacts": "requests",
        "Journal": "journal",
        "JournalError": "failures",
        "Load": "load",
        "ModelPrice": "prices",
        "Prices": "prices",
        "RateBudget": "budget",
        "RequestFile": "requests",
        "RowError": "result_lines",
        "RowFacts": "result_lines",
        "TooLarge": "budget",
        "Wait": "budget",
        "run": "running",
        "run_blocking": "blocking",
        "stop_on_signals": "stop_signals",
    },
)
