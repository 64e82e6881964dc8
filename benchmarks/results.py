"""Figures of the last measurements, kept in a file that is checked in: ``docs`` are made of it."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.harness import Bound, Table

PATH = Path(__file__).with_name("results.json")


class Row(msgspec.Struct, frozen=True):
    """A row of a table.

    Attributes:
        value: Median, in the table's unit.
        ratio: Median of the ratios to the table's first row.
    """

    name: str
    value: float
    ratio: float


class Judgement(msgspec.Struct, frozen=True):
    """A bound, and what became of it."""

    text: str
    verdict: str


class Measured(msgspec.Struct, frozen=True):
    """A table."""

    title: str
    unit: str
    rows: list[Row]
    bounds: list[Judgement]
    notes: list[str]


class Family(msgspec.Struct, frozen=True):
    """The tables of one name, and how they were measured."""

    date: str
    python: str
    cores: int
    repetitions: int
    versions: dict[str, str]
    tables: list[Measured]


def load(path: Path = PATH) -> dict[str, Family]:
    """Return the families that were measured so far, by name."""
    if not path.exists():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Family])


def store(
    name: str,
    tables: Sequence[Table],
    repetitions: int,
    versions: Mapping[str, str],
    path: Path = PATH,
) -> None:
    """Put one family in the place of its last results."""
    families = load(path)
    families[name] = Family(
        date=datetime.now(UTC).date().isoformat(),
        python=platform.python_version(),
        cores=os.cpu_count() or 1,
        repetitions=repetitions,
        versions=dict(versions),
        tables=[_measured(table) for table in tables],
    )
    path.write_bytes(msgspec.json.format(msgspec.json.encode(families), indent=1) + b"\n")


def _measured(table: Table) -> Measured:
    floor = table.figures[0]
    rows = [
        Row(figure.name, _rounded(figure.value), _rounded(figure / floor))
        for figure in table.figures
    ]
    return Measured(
        table.title, table.unit, rows, [_judgement(bound) for bound in table.bounds], table.notes
    )


def _judgement(bound: Bound) -> Judgement:
    return Judgement(str(bound), bound.verdict)


def _rounded(value: float) -> float:
    """Keep four digits: more would be noise, and noise in every diff."""
    return float(f"{value:.4g}")
