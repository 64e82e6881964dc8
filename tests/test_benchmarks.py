"""The measurements keep measuring: they import, and judge their bounds as they should."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import canned, report, results
from benchmarks.__main__ import NAMES
from benchmarks.charts import Bar, Group, bar_chart
from benchmarks.clients.framing import EventReader
from benchmarks.clients.splitting import EventSplitter
from benchmarks.clients.typed import decode_event
from benchmarks.harness import Bound, Figure, Table, Variant, measure, sample, with_rates

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "benchmarks" / "rows"


@pytest.mark.parametrize("name", NAMES)
def test_a_registered_measurement_can_be_run(name: str) -> None:
    assert callable(import_module(f"benchmarks.rows.{name}").tables)


def test_no_measurement_is_forgotten() -> None:
    written = {path.stem for path in FOLDER.glob("*.py") if "def tables(" in path.read_text()}

    assert sorted(NAMES) == sorted(written)


def test_the_page_shows_the_stored_results() -> None:
    for name, text in report.rendered(results.load()).items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text


def test_every_stored_family_is_shown() -> None:
    assert set(results.load()) <= set(NAMES)
    assert set(report.TITLES) == set(NAMES)


@pytest.mark.parametrize("shape", ["1", "4", "64", "1000b"])
@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 18])
def test_the_floor_reads_the_same_events_however_reads_are_cut(shape: str, step: int) -> None:
    answer = canned.SSE_HEAD + canned.sse_body(100, shape)
    # The floor takes the head in one piece.
    pieces = [canned.SSE_HEAD] + [
        answer[at : at + step] for at in range(len(canned.SSE_HEAD), len(answer), step)
    ]
    reader = EventReader()
    events = [event for piece in pieces for event in reader.feed(piece)]

    assert events == [decode_event(data) for data in canned.events(100)]
    assert reader.is_complete


@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 18])
def test_the_splitter_of_the_peers_reads_the_same_events(step: int) -> None:
    body = b"".join(map(canned.sse_event, canned.events(20)))
    splitter = EventSplitter()
    pieces = [body[at : at + step] for at in range(0, len(body), step)]
    events = [event for piece in pieces for event in splitter.feed(piece)]

    assert events == [decode_event(data) for data in canned.events(20)]


def test_results_are_stored_family_by_family(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    table = Table("Title", "us", [Figure("floor", [1.0]), Figure("ours", [1.23456])])
    table.bound("ours", "floor", 1.1)
    results.store("sse", [table], 3, {"codex-api": "1"}, path)
    results.store("paced", [table], 5, {"codex-api": "1"}, path)
    families = results.load(path)

    assert [(name, family.repetitions) for name, family in families.items()] == [
        ("sse", 3),
        ("paced", 5),
    ]
    assert families["sse"].tables[0].rows[1] == results.Row("ours", 1.235, 1.235)
    assert families["sse"].tables[0].bounds == [
        results.Judgement("ours / floor: 1.23 <= 1.1", "MISS")
    ]


def test_a_longer_bar_is_a_larger_value() -> None:
    drawing = bar_chart("T < U", "us", [Group("g", [Bar("a", 1.0), Bar("b", 100.0)])])
    widths = [float(width) for width in re.findall(r'width="([\d.]+)" height="11"', drawing)]

    assert "T &lt; U" in drawing
    assert widths[-2] < widths[-1]


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


def test_a_bound_that_the_floor_misses_is_shown_and_does_not_count() -> None:
    figures = [Figure("floor", [1.0]), Figure("ours", [1.1]), Figure("peer", [10.0])]
    table = Table("Title", "us", figures)
    table.bound("ours", "peer", 0.05, floor="floor")
    table.bound("ours", "peer", 0.105, floor="floor")

    assert [(bound.holds, bound.is_missed) for bound in table.bounds] == [
        (False, False),
        (False, True),
    ]
    assert "n/a   ours / peer: 0.11 <= 0.05 (the floor itself is at 0.1)" in table.render()


def test_seconds_a_unit_become_units_a_second() -> None:
    assert with_rates([Figure("a", [0.5, 0.25])]) == [Figure("a", [2.0, 4.0])]


def test_a_sample_is_the_median_of_a_repetition() -> None:
    values = iter([9.0, 1.0, 2.0, 3.0, 7.0, 5.0, 6.0])

    assert sample({"a": lambda: next(values)}, repetitions=2, each=3) == [Figure("a", [2.0, 6.0])]


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
