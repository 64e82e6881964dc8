"""The journal: what it survives, what it refuses, and what its lines look like."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from codex_api.bulk import BulkInputError, Journal, JournalError, Prices, RequestFile
from codex_api.bulk import group_commit as group_commit_module
from codex_api.bulk.call_counters import CallCounters
from codex_api.bulk.group_commit import GroupCommit
from codex_api.bulk.requests import body_with, outline_of
from codex_api.bulk.result_lines import (
    KNOWN_LINE,
    RowError,
    RowFacts,
    answer_line,
    error_of,
    failure_line,
)
from codex_api.bulk.row_ids import Duplicates, RowSet, digest_of
from codex_api.errors import InvalidRequestError
from codex_api.transport.errors import RequestBuildError
from codex_api.types.response import Response
from codex_api.types.usage import TokenUsage
from tests.bulk.rows import read_lines, write_rows

if TYPE_CHECKING:
    from pathlib import Path

    from codex_api.bulk import InputFacts


def ignore(*_: object) -> None:
    pass


def a_line(row: int, *, outcome: str = "ok", kind: str | None = None) -> bytes:
    facts = RowFacts(row=row, run="abc", outcome=outcome, kind=kind)  # type: ignore[arg-type]
    return answer_line(f"id-{row}", Response(raw=b'{"id":"r"}'), facts)


@pytest.fixture
def source(tmp_path: Path) -> RequestFile:
    return RequestFile(write_rows(tmp_path / "in.jsonl", range(10)))


@pytest.fixture
def facts(source: RequestFile) -> InputFacts:
    return source.scan()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def opened(path: Path, facts: InputFacts | None, **options: Any) -> Journal:
    journal = Journal(path, interval=0.001, **options)
    journal.open(facts, None, ignore, ignore)
    return journal


def written(path: Path, facts: InputFacts | None, rows: range, **options: Any) -> None:
    journal = opened(path, facts, **options)
    for row in rows:
        journal.append(a_line(row), None)
    journal.close()


# --- lines ------------------------------------------------------------------------------------


def test_an_answer_is_kept_byte_for_byte_but_for_line_ends() -> None:
    raw = b'{\r\n "text": "a\\nb \xc3\xa9 \\ud83d",\n "n": 1.0E+2 }'
    line = answer_line('x"y', Response(raw=raw), RowFacts(row=3, run="abc"))

    assert line.count(b"\n") == 1
    assert raw.replace(b"\n", b" ").replace(b"\r", b" ") in line
    assert json.loads(line)["custom_id"] == 'x"y'
    assert json.loads(line)["id"] == "bulk_abc_3"
    assert json.loads(line)["response"]["status_code"] == 200


def test_a_failure_has_the_form_of_the_batch_api() -> None:
    failure = InvalidRequestError("no", status=400, code="bad", server_message="not so")
    error = error_of(failure, "request")
    facts = RowFacts(row=0, run="abc", outcome="failed", kind="request")
    line = json.loads(failure_line("a", error, facts, failure))

    assert line["response"]["status_code"] == 400
    assert line["response"]["body"]["error"]["code"] == "bad"
    assert line["error"] == {"code": "bad", "message": "not so"}
    assert line["x"] == {"row": 0, "run": "abc", "outcome": "failed", "kind": "request"}


def test_a_failure_without_an_answer_has_no_response() -> None:
    line = failure_line("a", RowError("network", "gone"), RowFacts(row=0, run="abc"))

    assert json.loads(line)["response"] is None


def test_a_line_of_another_program_is_known_by_its_id() -> None:
    known = KNOWN_LINE.decode(b'{"id":"batch_req_1","custom_id":"a","response":{},"error":null}')

    assert (known.custom_id, known.x, known.error) == ("a", None, None)


# --- opening ----------------------------------------------------------------------------------


def test_what_was_written_is_known_when_it_is_opened_again(out: Path, facts: InputFacts) -> None:
    written(out, facts, range(4))
    journal = opened(out, facts)
    try:
        assert [row for row in range(10) if row in journal.rows] == [0, 1, 2, 3]
        assert journal.totals.done == 4
    finally:
        journal.close()


@pytest.mark.parametrize("kind", ["", ".manifest", ".lock", ".calls", ".intents"])
def test_only_the_owner_may_read_it(out: Path, facts: InputFacts, kind: str) -> None:
    written(out, facts, range(1), intents=True)

    assert (out.parent / (out.name + kind)).stat().st_mode & 0o777 == 0o600


def test_every_cut_of_the_last_line_leaves_the_others_whole(out: Path, facts: InputFacts) -> None:
    written(out, facts, range(3))
    whole = out.read_bytes()
    first = len(whole) - len(a_line(2))
    for length in range(first, len(whole)):
        out.write_bytes(whole[:length])
        journal = opened(out, facts)
        count = journal.totals.done
        journal.append(a_line(7), None)
        journal.close()
        rows = [line["x"]["row"] for line in read_lines(out)]

        # All but the line end there: it is whole.
        expected = 3 if length == len(whole) - 1 else 2
        assert count == expected
        assert rows == [*range(expected), 7]


def test_zeros_that_a_power_cut_left_at_the_end_are_cut_off(out: Path, facts: InputFacts) -> None:
    written(out, facts, range(3))
    with out.open("ab") as file:
        file.write(bytes(5000) + b"\n" + bytes(100))
    written(out, facts, range(3, 4))

    assert [line["x"]["row"] for line in read_lines(out)] == [0, 1, 2, 3]


def test_a_line_with_zeros_between_its_ends_is_cut_off(out: Path, facts: InputFacts) -> None:
    """A power cut may leave the blocks of the last group in any order."""
    written(out, facts, range(3))
    whole = out.read_bytes()
    body = whole.rindex(b'"body":')
    out.write_bytes(whole[:body] + bytes(10) + whole[body + 10 :])
    written(out, facts, range(3, 4))

    assert [line["x"]["row"] for line in read_lines(out)] == [0, 1, 3]


def test_an_answer_that_looks_like_the_end_of_a_line_does_not_hide_that(
    out: Path, facts: InputFacts
) -> None:
    raw = b'{"id":"r","x":{"row":9,"run":"abc"}}'
    journal = opened(out, facts)
    journal.append(answer_line("id-0", Response(raw=raw), RowFacts(row=0, run="abc")), None)
    journal.close()
    with out.open("ab") as file:
        file.write(b'{"id":"bulk_y_8","custom_id":"id-8","response":%b}\n' % raw)
    journal = opened(out, facts)
    journal.close()

    assert [row for row in range(10) if row in journal.rows] == [0]
    assert journal.knows(-1, "id-8")
    assert journal.totals.done == 2


def test_what_is_written_after_a_first_look_is_known(out: Path, facts: InputFacts) -> None:
    written(out, facts, range(2))
    journal = Journal(out)
    journal.read_ahead()
    with out.open("ab") as file:
        file.write(a_line(5) + a_line(6)[:-10])
    journal.open(facts, None, ignore, ignore)
    journal.close()

    assert [row for row in range(10) if row in journal.rows] == [0, 1, 5]
    assert journal.totals.done == 3
    assert len(read_lines(out)) == 3


def test_a_file_that_took_its_place_after_a_first_look_is_read_anew(
    out: Path, facts: InputFacts
) -> None:
    written(out, facts, range(4))
    journal = Journal(out)
    journal.read_ahead()
    release = out.with_name("new.jsonl")
    release.write_bytes(a_line(2) + b" " * 5000 + a_line(3))
    release.replace(out)
    journal.open(facts, None, ignore, ignore)
    journal.close()

    assert [row for row in range(10) if row in journal.rows] == [2, 3]


def test_a_first_look_changes_nothing(out: Path, facts: InputFacts, source: RequestFile) -> None:
    written(out, facts, range(2))
    with out.open("ab") as file:
        file.write(a_line(2)[:-10])
    before = out.read_bytes()
    write_rows(source.path, [2, 3, 99])
    journal = Journal(out)
    journal.read_ahead()

    with pytest.raises(JournalError, match="another input"):
        journal.open(source.rescan(facts), None, ignore, ignore)
    assert out.read_bytes() == before


def test_a_file_that_is_no_journal_is_not_touched(out: Path, facts: InputFacts) -> None:
    written(out, facts, range(2))
    lines = out.read_bytes().splitlines(keepends=True)
    spoilt = lines[0] + b"my notes\n" + lines[1]
    out.write_bytes(spoilt)

    with pytest.raises(JournalError, match="line 2"):
        opened(out, facts)
    assert out.read_bytes() == spoilt


def test_another_input_is_refused_unless_told(
    out: Path, facts: InputFacts, source: RequestFile
) -> None:
    written(out, facts, range(4))
    write_rows(source.path, [2, 3, 99])
    other = source.rescan(facts)

    with pytest.raises(JournalError, match="another input"):
        opened(out, other)
    journal = opened(out, other, other_input=True)
    try:
        assert journal.knows(0, "id-2")
        assert not journal.knows(2, "id-99")
    finally:
        journal.close()


def test_the_same_bytes_under_another_name_are_the_same_input(
    out: Path, facts: InputFacts, source: RequestFile, tmp_path: Path
) -> None:
    written(out, facts, range(4))
    moved = RequestFile(source.path.rename(tmp_path / "moved.jsonl"))

    written(out, moved.rescan(facts), range(4, 5))

    assert len(read_lines(out)) == 5


def test_another_shard_is_refused(out: Path, facts: InputFacts) -> None:
    journal = Journal(out)
    journal.open(facts, (1, 4), ignore, ignore)
    journal.close()

    with pytest.raises(JournalError, match="shard 1/4, not 2/4"):
        Journal(out).open(facts, (2, 4), ignore, ignore)


def test_two_processes_cannot_use_it_at_once(out: Path, facts: InputFacts) -> None:
    journal = opened(out, facts)
    code = (
        "import sys; from codex_api.bulk import Journal\n"
        "Journal(sys.argv[1]).open(None, None, print, print)"
    )
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter
            [sys.executable, "-c", code, str(out)], check=False, capture_output=True, text=True
        )
    finally:
        journal.close()

    assert f"is in use by process {os.getpid()}" in done.stderr
    written(out, facts, range(1))


def test_new_refuses_what_is_there_and_fresh_moves_it_aside(out: Path, facts: InputFacts) -> None:
    written(out, facts, range(3))

    with pytest.raises(JournalError, match="is there already"):
        opened(out, facts, mode="new")
    written(out, facts, range(1), mode="fresh")

    assert len(read_lines(out)) == 1
    assert len(read_lines(out.with_name("out.jsonl.old1"))) == 3


def test_a_manifest_of_a_newer_version_is_refused(out: Path, facts: InputFacts) -> None:
    out.with_name("out.jsonl.manifest").write_text('{"run":"a","version":99}')

    with pytest.raises(JournalError, match="newer version"):
        opened(out, facts)


def test_intents_without_a_result_are_unknown(out: Path, facts: InputFacts) -> None:
    journal = opened(out, facts, intents=True)
    for row in range(4):
        journal.intend(row, f"id-{row}", None)
    journal.append(a_line(1), None)
    journal.void(2, "id-2")
    journal.close()

    journal = opened(out, facts)
    journal.close()

    assert journal.unknown == [(0, "id-0"), (3, "id-3")]


# --- writing ----------------------------------------------------------------------------------


def test_a_full_disk_leaves_no_half_line_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    write, full = os.write, [True]
    told: list[OSError] = []

    def half(to: int, data: Any) -> int:
        if to != handle or not full[0]:
            return write(to, data)
        if path.stat().st_size >= 4:
            raise OSError(errno.ENOSPC, "full")
        return write(to, bytes(data)[:4])

    monkeypatch.setattr(os, "write", half)
    committed: list[int] = []
    commit: GroupCommit[int] = GroupCommit(handle, 0.001, committed.extend, told.append)
    commit.append(b"123456\n", 1)
    while not told:
        pass
    assert path.read_bytes() == b""
    assert committed == []
    full[0] = False
    lost = commit.close()
    os.close(handle)

    assert (lost, committed, path.read_bytes()) == (0, [1], b"123456\n")


def test_what_cannot_be_written_at_the_end_is_an_error(
    out: Path, facts: InputFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "no disk")

    journal = opened(out, facts)
    monkeypatch.setattr(group_commit_module, "_sync", broken)
    journal.append(a_line(1), None)

    with pytest.raises(JournalError, match="1 results could not be written"):
        journal.close()


def test_lines_are_synced_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    monkeypatch.setattr(group_commit_module, "_sync", syncs.append)
    handle = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    groups: list[list[int]] = []
    commit: GroupCommit[int] = GroupCommit(handle, 0.05, groups.append, ignore)
    for number in range(1000):
        commit.append(b"line\n", number)
    commit.close()
    os.close(handle)

    assert [number for group in groups for number in group] == list(range(1000))
    assert len(syncs) == len(groups) <= 20


def test_calls_that_a_killed_process_left_are_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from codex_api.bulk.call_counters import CallCounters\n"
        "c = CallCounters(Path(sys.argv[1]))\n"
        "[c.start() for _ in range(10)]; c.settle(4); c.lose(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)  # noqa: S603 - as above

    for _ in range(2):
        counters = CallCounters(path)
        counters.close()

        assert (counters.maybe, counters.interrupted) == (6, 5)


# --- input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("nonsense", "line 2: no request of a batch"),
        ('{"body": {}}', "line 2: no request of a batch"),
        ('{"custom_id": "", "body": {}}', "custom_id is empty"),
        ('{"custom_id": "a", "body": []}', "body is no object"),
        ('{"custom_id": "a", "body": {}, "url": "/v1/embeddings"}', "/v1/embeddings"),
        ('{"custom_id": "a", "body": {}, "method": "GET"}', "not GET"),
        ('{"custom_id": "id-0", "body": {}}', "lines 1 and 2: custom_id 'id-0' is given twice"),
    ],
)
def test_a_line_that_is_no_request_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    path = write_rows(tmp_path / "in.jsonl", [0])
    path.write_text(path.read_text() + line + "\n")

    with pytest.raises(BulkInputError, match=complaint):
        RequestFile(path).scan()


def test_marks_of_byte_order_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "in.jsonl", [0, 1])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    source = RequestFile(path)

    assert source.scan().rows == 2
    assert [source.decode(*row).custom_id for row in source.rows()] == ["id-0", "id-1"]


def test_shards_hold_each_row_once(source: RequestFile) -> None:
    parts = [[index for index, _ in source.rows((number, 3))] for number in (1, 2, 3)]

    assert parts == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]


def test_ids_that_come_twice_are_found_among_more_than_fit_into_memory() -> None:
    duplicates = Duplicates()
    for number in range(300_000):
        duplicates.add(f"row {number}")
    duplicates.add("row 17")
    duplicates.add("row 299999")
    found = duplicates.find()
    duplicates.close()

    assert found == {digest_of("row 17"), digest_of("row 299999")}


def test_a_set_of_rows_takes_a_bit_each() -> None:
    rows = RowSet()
    numbers = {0, 7, 8, 1_000_000, 12_345_678}
    assert all(rows.add(number) for number in numbers)

    assert not any(rows.add(number) for number in numbers)
    assert len(rows) == 5
    assert all(number in rows for number in numbers)
    assert not any(number + 1 in rows for number in (1, 8, 999_998, 99_999_999))


def test_a_body_that_is_changed_keeps_what_else_it_holds_byte_for_byte() -> None:
    body = (
        b'{"model":"m","input":[{"role":"user", "content":"x","odd":1.50}],"stream":true,'
        b'"temperature":0.50,"new_key":{"a": [1]},"metadata":null}'
    )

    changed = body_with(body, {"store": True}, {"metadata": {}, "temperature": 1})

    assert changed == (
        b'{"model":"m","input":[{"role":"user", "content":"x","odd":1.50}],'
        b'"temperature":0.50,"new_key":{"a": [1]},"metadata":{},"store":true}'
    )


@pytest.mark.parametrize(
    "body", [b'{"model":"m","background":true}', b'{"model":3}', b"[]", b'{"input":"x"', b""]
)
def test_a_body_that_cannot_be_sent_is_refused(body: bytes) -> None:
    with pytest.raises(RequestBuildError):
        outline_of(body)


# --- prices -----------------------------------------------------------------------------------

PRICES = """
[models."gpt-5"]
input = 1.0
cached_input = 0.1
output = 10
[models."gpt-5-mini"]
input = 0.5
output = 2
[tiers]
flex = 0.5
"""


@pytest.fixture
def prices(tmp_path: Path) -> Prices:
    path = tmp_path / "prices.toml"
    path.write_text(PRICES)
    return Prices.load(path)


def test_an_answer_costs_what_the_file_says(prices: Prices) -> None:
    usage = TokenUsage(input_tokens=1_000_000, cached_input_tokens=500_000, output_tokens=100_000)

    assert prices.cost("gpt-5", usage) == pytest.approx(0.5 + 0.05 + 1.0)
    assert prices.cost("gpt-5-2025-08-07", usage, "flex") == pytest.approx(1.55 / 2)
    assert prices.cost("gpt-5-mini-2025-08-07", usage) == pytest.approx(0.5 + 0.2)
    assert prices.cost("other", usage) is None
    assert prices.estimate("gpt-5", 1_000_000, 1_000_000) == 11.0


@pytest.mark.parametrize("text", ["[models", '[models.a]\ninput = "x"', "[other]\na = 1"])
def test_a_file_of_prices_with_a_mistake_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)

    with pytest.raises(BulkInputError, match="no file of prices"):
        Prices.load(path)
