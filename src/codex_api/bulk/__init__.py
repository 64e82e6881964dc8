"""Bulk runs: many requests at the rate limit, nothing lost, nothing paid twice unsaid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._imports import Lookup, lazy_attributes

if TYPE_CHECKING:
    from codex_api.bulk.blocking import BlockingBulkRun, run_blocking
    from codex_api.bulk.budget import FamilyState, Grant, RateBudget, TooLarge, Wait
    from codex_api.bulk.failures import BulkError, BulkInputError, BulkStoppedError, JournalError
    from codex_api.bulk.forecast import BulkEstimate, estimate
    from codex_api.bulk.journal import Journal
    from codex_api.bulk.journal_files import (
        JournalState,
        export_rows,
        merge_journals,
        read_journal,
        release_rows,
    )
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
    "BulkEstimate",
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
    "JournalState",
    "Load",
    "ModelPrice",
    "Prices",
    "RateBudget",
    "RequestFile",
    "RowError",
    "RowFacts",
    "TooLarge",
    "Wait",
    "estimate",
    "export_rows",
    "merge_journals",
    "read_journal",
    "release_rows",
    "run",
    "run_blocking",
    "stop_on_signals",
]

__getattr__: Lookup = lazy_attributes(
    "codex_api.bulk",
    {
        "BlockingBulkRun": "blocking",
        "BulkError": "failures",
        "BulkEstimate": "forecast",
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
        "JournalState": "journal_files",
        "Load": "load",
        "ModelPrice": "prices",
        "Prices": "prices",
        "RateBudget": "budget",
        "RequestFile": "requests",
        "RowError": "result_lines",
        "RowFacts": "result_lines",
        "TooLarge": "budget",
        "Wait": "budget",
        "estimate": "forecast",
        "export_rows": "journal_files",
        "merge_journals": "journal_files",
        "read_journal": "journal_files",
        "release_rows": "journal_files",
        "run": "running",
        "run_blocking": "blocking",
        "stop_on_signals": "stop_signals",
    },
)
