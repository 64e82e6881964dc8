"""What is known of a journal besides its lines: its input, and its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from codex_api.bulk.failures import JournalError
from codex_api.bulk.requests import InputFacts
from codex_api.bulk.summary import BulkSummary

if TYPE_CHECKING:
    from pathlib import Path

_VERSION: Final = 1


class RunRecord(msgspec.Struct):
    """One run, as a manifest keeps it: Unix seconds, None while it is not over."""

    started_at: float
    ended_at: float | None = None
    summary: BulkSummary | None = None


class Manifest(msgspec.Struct):
    """What is known of a journal besides its lines.

    Attributes:
        run: Names its runs, in the ids of its lines.
        input: None where a program made the rows.
        shard: Which part of the input it is for, or None.
    """

    run: str
    version: int = _VERSION
    input: InputFacts | None = None
    shard: tuple[int, int] | None = None
    runs: list[RunRecord] = []


def beside(path: Path, kind: str) -> Path:
    """Return the path of a file that belongs to the journal at ``path``."""
    return path.with_name(f"{path.name}.{kind}")


def read_manifest(path: Path) -> Manifest | None:
    """Read the manifest of the journal at ``path``; None when there is none.

    Raises:
        JournalError: It cannot be read, or a newer version wrote it.
    """
    try:
        data = beside(path, "manifest").read_bytes()
    except FileNotFoundError:
        return None
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        message = f"{beside(path, 'manifest')}: no manifest of a bulk run: {exc}"
        raise JournalError(message) from None
    if manifest.version > _VERSION:
        message = f"{path} was written by a newer version of codex-api"
        raise JournalError(message)
    return manifest
