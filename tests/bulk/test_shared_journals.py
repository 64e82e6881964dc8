"""Journals of many processes in one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api.bulk.result_lines import RowFacts, answer_line
from codex_api.bulk.shared_journals import SharedJournals
from codex_api.types.response import Response

if TYPE_CHECKING:
    from pathlib import Path

    from codex_api.bulk import Journal


def opened(journal: Journal) -> Journal:
    journal.open(None, None, lambda _: None, lambda _: None)
    return journal


def line(row: int, outcome: str = "ok") -> bytes:
    facts = RowFacts(row=row, run="abc", outcome=outcome)  # type: ignore[arg-type]
    return answer_line(f"id-{row}", Response(raw=b'{"id":"r"}'), facts)


def test_what_a_process_that_is_gone_has_answered_is_found(tmp_path: Path) -> None:
    gone, here = SharedJournals(tmp_path / "all"), SharedJournals(tmp_path / "all")
    journal = opened(gone.journal())
    journal.append(line(1), None)
    journal.append(line(2, "failed"), None)
    journal.flush()
    here.look()
    before = here.line("id-1")
    journal.close()
    with journal.path.open("ab") as file:
        file.write(line(3)[:-20])
    here.look()

    # While it lives, it hands on what it has itself.
    assert before is None
    assert here.line("id-1") == line(1)
    assert [here.line(f"id-{row}") for row in (2, 3, 4)] == [None, None, None]


def test_what_this_process_has_answered_is_found_when_it_is_asked_for_again(
    tmp_path: Path,
) -> None:
    here = SharedJournals(tmp_path)
    journal = opened(here.journal())
    for row in range(3):
        journal.append(line(row), None)
    journal.flush()
    for row in range(2):
        here.answered(f"id-{row}")

    assert here.line("id-1") == line(1)
    assert here.line("id-0") == line(0)
    assert here.line("id-9") is None
    journal.close()
