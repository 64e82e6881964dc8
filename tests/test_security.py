"""Each line of the threat model names a test, and the test is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_ROW = re.compile(r"^\| (?!Threat|---)(.*) \|$", re.MULTILINE)
_TEST = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)


def rows() -> list[list[str]]:
    text = (ROOT / "SECURITY.md").read_text()
    return [row.split(" | ") for row in _ROW.findall(text) if not row.startswith("-")]


def names(cell: str) -> list[str]:
    return re.findall(r"`(test_\w+)`", cell)


@pytest.fixture(scope="module")
def tests() -> set[str]:
    return {
        name for path in (ROOT / "tests").rglob("*.py") for name in _TEST.findall(path.read_text())
    }


def test_every_threat_names_its_defence_and_a_test_that_exists(tests: set[str]) -> None:
    assert rows()
    for row in rows():
        assert len(row) == 3, row
        assert names(row[2]), row
        assert set(names(row[2])) <= tests, row


def test_no_threat_stands_there_twice() -> None:
    threats = [row[0] for row in rows()]

    assert len(threats) == len(set(threats))
