"""The list of faults in the documentation names tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "bulk-faults.md"
TEST = re.compile(r"`(test_\w+)\.(test_\w+)`")


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def names_in(module: str) -> set[str]:
    tree = ast.parse((HERE / f"{module}.py").read_text())
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_each_fault_is_held_by_tests_that_are_there() -> None:
    named = {cells[0]: TEST.findall(cells[2]) for cells in rows()}
    missing = {
        f"{module}.{name}"
        for tests in named.values()
        for module, name in tests
        if name not in names_in(module)
    }

    assert missing == set()
    assert [fault for fault, tests in named.items() if not tests] == []
    assert len(named) == len(rows()) >= 45
