"""The measurements keep measuring: they import, and judge their bounds as they should."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.__main__ import _NAMES
from benchmarks.harness import Bound, Figure, Table, Variant, measure

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.parametrize("name", _NAMES)
def test_a_registered_measurement_can_be_run(name: str) -> None:
    assert callable(import_module(f"benchmarks.{name}").tables)


def test_no_measurement_is_forgotten() -> None:
    written = {path.stem for path in FOLDER.glob("*.py") if "def tables(" in path.read_text()}

    assert sorted(_NAMES) == sorted(written)


def test_a_ratio_is_taken_within_each_repetition() -> None:
    """A machine that slows down halfway slows both rows."""
    mine, theirs = Figure("mine", [2.0, 2.0, 20.0]), Figure("theirs", [1.0, 1.0, 10.0])

    assert mine / theirs == 2.0


def test_a_missed_bound_is_told() -> None:
    table = Table("Title", "us", [Figure("floor", [1.0]), Figure("ours", [1.6])])
    table.bound("ours", "floor", 1.5)
    table.bound_difference("ours", "floor", 0.7)

    assert [bound.holds for bound in table.bounds] == [False, True]
    assert "MISS  ours / floor: 1.6 <= 1.5" in table.render()


def test_a_bound_may_be_a_least_value() -> None:
    assert Bound("rate", actual=0.9, limit=0.8, at_least=True).holds
    assert not Bound("rate", actual=0.7, limit=0.8, at_least=True).holds


def test_variants_are_run_in_turn() -> None:
    order: list[str] = []

    def variant(name: str) -> Variant:
        def run() -> int:
            order.append(name)
            return 1

        return Variant(name, run)

    figures = measure([variant("a"), variant("b")], repetitions=2)

    assert order == ["a", "b"] * 3
    assert [len(figure.samples) for figure in figures] == [2, 2]
