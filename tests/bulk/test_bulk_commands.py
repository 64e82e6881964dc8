"""``codex-api bulk``, in this process and as a process, against a small server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from codex_api.bulk import (
    BulkProgress,
    BulkSummary,
    FamilyState,
    Journal,
    JournalError,
    merge_journals,
    read_journal,
)
from codex_api.cli import main
from codex_api.cli.bulk.dashboard import dashboard
from codex_api.cli.bulk.figures import duration, money, progress_line, short
from codex_api.testing import EmbeddedServer
from tests.bulk.row_server import RowServer, refusal
from tests.bulk.rows import ids, read_lines, write_rows

pytestmark = pytest.mark.usefixtures("quick_start")

ROOT = Path(__file__).parents[2]
PRICES = "[models.m]\ninput = 1.0\noutput = 50000.0\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "in.jsonl", range(30))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "in.out.jsonl"


def call(server: RowServer, *arguments: object) -> int:
    return main(["bulk", *map(str, arguments), "--base-url", server.url])


def poisoned(row: str, _: int) -> Any:
    return refusal(400, "bad_row") if row == "7" else None


def test_a_run_writes_its_output_beside_the_source(
    source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RowServer() as server:
        code = call(server, "run", source)
    told = capsys.readouterr()

    assert code == 0
    assert len(ids(out)) == 30
    assert told.out == ""
    assert "30 rows: 30 answered, 0 failed, 0 left" in told.err
    assert "calls: 30 in" in told.err
    assert str(out) in told.err


def test_an_output_that_is_there_is_not_written_to_unasked(
    source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RowServer() as server:
        assert call(server, "run", source) == 0
        assert call(server, "run", source) == 1
        assert "is there already: resume it, or begin afresh" in capsys.readouterr().err
        assert call(server, "run", source, "--resume") == 0
        assert len(server.bodies) == 30
        assert call(server, "run", source, "--fresh") == 0

    assert len(server.bodies) == 60
    assert len(ids(out.with_name("in.out.jsonl.old1"))) == 30


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--resume", "--fresh"], "exclude each other"),
        (["--shard", "4/3"], "--shard needs"),
        (["--shard", "x"], "--shard needs"),
        (["--max-errors", "nought"], "--max-errors needs a share"),
        (["--max-cost", "5"], "needs prices"),
        (["--share", "3"], "share must be"),
        (["--window", "8h"], "via must be background"),
        (["--output", "/nowhere/at/all.jsonl"], "in a folder that exists"),
    ],
)
def test_options_that_make_no_sense_send_nothing(
    source: Path, options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with RowServer() as server:
        assert call(server, "run", source, *options) == 2

    assert complaint in capsys.readouterr().err
    assert server.bodies == []


def test_failures_make_the_exit_code_and_retry_sends_them_again(
    source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RowServer(behave=poisoned) as server:
        assert call(server, "run", source) == 1
        assert "1 failed (request 1), 0 left" in capsys.readouterr().err
        server.behave = lambda *_: None
        assert call(server, "retry", out, "--errors", "server") == 1
        assert server.came["7"] == 1
        assert call(server, "retry", out, "--errors", "request,server") == 0

    assert server.came["7"] == 2
    assert len(set(ids(out))) == len(ids(out)) == 30
    assert set(server.charged.values()) == {1}


@pytest.mark.parametrize(
    ("status", "code", "expected"), [(401, "x", 3), (429, "insufficient_quota", 4)]
)
def test_what_stops_a_run_is_its_exit_code(
    source: Path, status: int, code: str, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with RowServer(behave=lambda *_: refusal(status, code)) as server:
        assert call(server, "run", source) == expected

    assert "0 failed, 30 left" in capsys.readouterr().err


def test_events_are_json(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RowServer(behave=poisoned) as server:
        call(server, "run", source, "--json")
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    rows = [event for event in events if event["type"] == "row"]

    assert {event["type"] for event in events} == {"row", "progress", "summary"}
    assert len({row["custom_id"] for row in rows}) == 30
    assert [row["error"]["code"] for row in rows if row["error"]] == ["bad_row"]
    assert events[-1]["summary"]["done"] == 29


def test_rows_go_to_the_batch_api(source: Path, out: Path) -> None:
    options = ["--via", "batch", "--batch-rows", "20", "--poll", "0.01", "--tier", "flex"]
    with EmbeddedServer() as server:
        assert main(["bulk", "run", str(source), *options, "--base-url", server.url]) == 0
        sizes = [run.batch["request_counts"]["total"] for run in server.state.batches.values()]

    assert sorted(sizes) == [10, 20]
    assert len(set(ids(out))) == 30
    assert {line["response"]["body"]["service_tier"] for line in read_lines(out)} == {"flex"}


def test_a_dry_run_checks_and_reckons(
    source: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    with RowServer() as server:
        assert call(server, "run", source, "--dry-run", "--prices", prices) == 0
    told = capsys.readouterr().out

    assert re.search(r"rows +30\n", told)
    assert "at most 1,500" in told
    assert "$75.00" in told
    assert server.bodies == []
    assert not out.exists()


def test_an_estimate_tells_time_and_what_binds(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bulk", "estimate", str(source), "--rpm", "10", "--tpm", "1000000"]) == 0
    assert "at least 3:00, by the limit on requests" in capsys.readouterr().out
    assert main(["bulk", "estimate", str(source), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 30


def test_a_ceiling_on_cost_ends_as_a_limit(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    with RowServer() as server:
        assert call(server, "run", source, "--prices", prices, "--max-cost", 10) == 4

    assert 7 <= len(server.bodies) <= 10
    assert "may pass $10.00" in capsys.readouterr().err


def test_status_tells_what_became_of_a_run(
    source: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    with RowServer(behave=poisoned) as server:
        call(server, "run", source)
    capsys.readouterr()

    assert main(["bulk", "status", str(out), "--html", str(page)]) == 0
    told = capsys.readouterr().out
    assert "in.out.jsonl: finished" in told
    assert "29 answered, 1 failed (request 1), 0 left" in told
    assert "<dt>answered</dt><dd>29</dd>" in page.read_text()
    assert main(["bulk", "status", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["done"] == 29
    assert main(["bulk", "status", str(tmp_path / "none")]) == 1


def test_status_of_a_run_that_goes_on_and_of_one_that_was_killed(source: Path, out: Path) -> None:
    command = [sys.executable, "-m", "codex_api", "bulk", "run", str(source)]
    with RowServer(behave=lambda row, _: "hang" if int(row) > 4 else None) as server:
        child = subprocess.Popen([*command, "--base-url", server.url], cwd=ROOT)  # noqa: S603 - ours
        while server.at_once < 20 or len(read_lines(out)) < 5:
            time.sleep(0.001)
        going = read_journal(out)
        child.kill()
        child.wait()
    killed = read_journal(out)

    assert going.is_running
    assert going.summary.maybe_charged == 0
    assert not killed.is_running
    assert killed.summary.done == 5
    assert 20 <= killed.summary.maybe_charged <= 25


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signals")
def test_ctrl_c_drains_and_says_how_to_go_on(source: Path, out: Path) -> None:
    command = [sys.executable, "-m", "codex_api", "bulk", "run", str(source)]
    options = ["--base-url", "", "--max-in-flight", "5"]
    with RowServer(latency=lambda _: 0.2) as server:
        options[1] = server.url
        child = subprocess.Popen(  # noqa: S603 - ours
            [*command, *options], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        while server.came.total() < 6:
            time.sleep(0.001)
        child.send_signal(signal.SIGINT)
        told = child.communicate(timeout=30)[1]

        assert child.returncode == 130
        assert "SIGINT: nothing more is sent" in told
        assert f"{30 - len(ids(out))} left" in told
        assert call(server, "run", source, "--resume") == 0
        assert set(server.charged.values()) == {1}


def test_shards_are_merged(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [tmp_path / f"part{number}.jsonl" for number in (1, 2, 3)]
    with RowServer(behave=poisoned) as server:
        for number, part in enumerate(parts, start=1):
            call(server, "run", source, "--output", part, "--shard", f"{number}/3")
    whole = tmp_path / "whole.jsonl"
    capsys.readouterr()

    assert main(["bulk", "merge", *map(str, parts), "--output", str(whole)]) == 0
    assert sorted(ids(whole)) == sorted(f"id-{row}" for row in range(30))
    assert "29 answered, 1 failed" in capsys.readouterr().err
    assert set(server.came.values()) == {1}


def test_an_answer_wins_over_a_failure_when_outputs_are_merged(
    source: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    with RowServer(behave=poisoned) as server:
        call(server, "run", source, "--output", first)
        server.behave = lambda *_: None
        call(server, "run", source, "--output", second)
    summary = merge_journals([first, second], tmp_path / "whole.jsonl")

    assert (summary.done, summary.failed) == (30, 0)
    assert len(ids(tmp_path / "whole.jsonl")) == 30


def test_an_export_has_the_order_of_the_input(source: Path, out: Path, tmp_path: Path) -> None:
    with RowServer(latency=lambda row: 0.05 if row == "0" else 0.0) as server:
        call(server, "run", source)
    target = tmp_path / "sorted.jsonl"

    assert ids(out)[0] != "id-0"
    assert main(["bulk", "export", str(out), str(target), "--order", "input"]) == 0
    assert ids(target) == [f"id-{row}" for row in range(30)]
    assert main(["bulk", "export", str(out), str(tmp_path / "x.csv")]) == 1


def test_an_export_to_parquet_is_a_table(source: Path, out: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with RowServer(behave=poisoned) as server:
        call(server, "run", source)
    target = tmp_path / "out.parquet"

    assert main(["bulk", "export", str(out), str(target), "--order", "input"]) == 0
    rows = parquet.read_table(target).to_pylist()
    assert [row["custom_id"] for row in rows] == [f"id-{row}" for row in range(30)]
    assert rows[3]["text"] == "answer to 3"
    assert rows[7]["error_code"] == "bad_row"
    assert json.loads(rows[3]["body"])["id"] == "resp_3"


def test_an_export_to_an_object_store_goes_by_its_scheme(source: Path, out: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    with RowServer() as server:
        call(server, "run", source)

    assert main(["bulk", "export", str(out), "memory://bucket/rows.jsonl"]) == 0
    with fsspec.open("memory://bucket/rows.jsonl", "rb") as file:
        assert file.read() == out.read_bytes()


def test_a_journal_in_use_is_left_alone(
    source: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RowServer(behave=poisoned) as server:
        call(server, "run", source)
        before = out.read_bytes()
        journal = Journal(out)
        state = read_journal(out)
        assert state.manifest is not None
        journal.open(state.manifest.input, None, lambda _: None, lambda _: None)
        try:
            assert call(server, "retry", out) == 1
        finally:
            journal.close()

    assert f"is in use by process {os.getpid()}" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_a_merge_of_what_is_no_output_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "whole.jsonl"
    target.write_text("precious")
    notes = tmp_path / "notes.txt"
    notes.write_text("hello\n")

    with pytest.raises(JournalError, match="line 1"):
        merge_journals([notes], target)
    assert target.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


PROGRESS = BulkProgress(
    summary=BulkSummary(
        rows=1000,
        done=440,
        failed=10,
        kinds={"server": 10},
        refused=2,
        maybe_charged=3,
        cost=1.5,
        input_tokens=1_234_567,
        output_tokens=99,
        seconds=75.0,
    ),
    in_flight=60,
    queued=2,
    rate=44.4,
    ceiling=45.0,
    limit="tokens",
    binding="tokens",
    families=(
        FamilyState("requests", 12_000, 11_000, 200, 0.0, 400),
        FamilyState("tokens", 3_500_000, 1_000, 58_333, 30_000.0, 60_000),
    ),
    seconds_left=12.2,
    projected_cost=3.3,
    median_latency=5.5,
    slow_latency=12.0,
    oldest=14.0,
)


def test_the_dashboard_says_which_limit_binds_and_what_it_costs() -> None:
    console = Console(width=110, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123 - dropped
    console.print(dashboard(PROGRESS, "a -> b"))
    console.file.close()
    shown = console.export_text()

    assert "45.0%" in shown
    assert "44.4 rows/s of 45.0 that tokens admits" in shown
    assert "0:12 left" in shown
    assert "tokens 1,000 of 3.50 M (1.80 M/min by others)" in shown
    assert "$1.50, about $3.30 at the end" in shown
    assert "3 maybe charged without an answer" in shown


def test_a_line_says_the_same_in_short() -> None:
    assert progress_line(PROGRESS) == (
        "450/1,000 finished, 10 failed, 60 in flight, 44.4 rows/s of 45.0 that tokens admits, "
        "2 refused, $1.50, 0:12 left"
    )


def test_figures_are_short() -> None:
    assert [short(number) for number in (0, 999, 1_234_567, 2.5e9)] == [
        "0",
        "999",
        "1.23 M",
        "2.50 G",
    ]
    assert [duration(seconds) for seconds in (0.6, 61, 3661, 200_000)] == [
        "0:01",
        "1:01",
        "1:01:01",
        "2 d 7 h",
    ]
    assert [money(dollars) for dollars in (0, 0.0123, 12.345)] == ["$0.00", "$0.0123", "$12.35"]
