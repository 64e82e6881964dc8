"""A run is killed at random moments, and taken up again until it is through.

``BULK_KILLS=50`` kills it that often; ``make kills`` does so.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from codex_api.bulk.call_counters import CallCounters
from codex_api.bulk.journal_files import read_journal
from codex_api.bulk.manifest import beside
from codex_api.testing import EmbeddedServer, ServerSettings
from tests.bulk.row_server import RowServer, limited
from tests.bulk.rows import ids, read_lines, write_rows

if TYPE_CHECKING:
    from codex_api.bulk import BulkSummary

KILLS = int(os.environ.get("BULK_KILLS", "4"))
WINDOW = 40
ROWS = 400
LATENCY = 0.05
# Rows that the server lets in each second, and so the most that it answers in 50 ms.
RATE = 2000
GATHERED = RATE * 50 // 1000
ROOT = Path(__file__).parents[2]

CHILD = """
import asyncio, json, sys
from codex_api import AsyncClient, Network, Provider, bulk

async def main(url, source, out):
    network = Network(max_idle_connections=None)
    async with AsyncClient(Provider("Test", url), network=network) as client:
        budget = bulk.RateBudget(max_in_flight=WINDOW)
        settings = bulk.BulkSettings(SETTINGS)
        run = bulk.run(
            client, source, journal=bulk.Journal(out), budget=budget, settings=settings
        )
        with bulk.stop_on_signals(run):
            async for _ in run:
                pass
        summary = run.summary
        print(json.dumps([summary.done, summary.maybe_charged, summary.interrupted,
                          summary.stopped]))

asyncio.run(main(*sys.argv[1:]))
""".replace("WINDOW", str(WINDOW))


BATCHES = "via='batch', batch_rows=10, batch_poll=0.01, base_delay=0.01"


def start(
    server: RowServer | EmbeddedServer, source: Path, out: Path, settings: str = ""
) -> subprocess.Popen[str]:
    code = CHILD.replace("SETTINGS", settings)
    command = [sys.executable, "-c", code, server.url, str(source), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)  # noqa: S603 - this interpreter


def finish(child: subprocess.Popen[str]) -> tuple[int, int, int, str | None]:
    told, _ = child.communicate(timeout=50)
    done, maybe, interrupted, stopped = json.loads(told)
    return done, maybe, interrupted, stopped


class Kill(NamedTuple):
    """What was so when a run was killed.

    Attributes:
        in_flight: Calls that the server was answering.
        answered: Rows that it had answered, and that are not on the disk.
        counted: What the run had counted as open.
    """

    in_flight: int
    answered: int
    counted: int


def kill(child: subprocess.Popen[str], server: RowServer, out: Path) -> Kill:
    """Kill a run, and wait until the server has seen that."""
    in_flight = server.at_once
    child.kill()
    child.communicate()
    while server.at_once:
        time.sleep(0.001)
    counters = CallCounters.peek(beside(out, "calls"), counts_open=False)
    known = {line["custom_id"].removeprefix("id-") for line in whole(out)}
    lost = sum(row not in known for row in server.charged)
    return Kill(in_flight, max(0, lost - in_flight), counters.started - counters.settled)


def whole(path: Path) -> list[dict[str, Any]]:
    """Read the lines that were written to their end."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


@pytest.mark.slow
@pytest.mark.kills
@pytest.mark.timeout(60 + 10 * KILLS)
def test_a_run_that_is_killed_loses_nothing_and_says_what_may_be_paid_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.randrange(1 << 30)  # noqa: S311 - as below
    draw = random.Random(seed)  # noqa: S311 - moments to kill at
    source = write_rows(tmp_path / "in.jsonl", range(ROWS))
    kills: list[Kill] = []
    rounds = again = told = 0
    while len(kills) < KILLS:
        out = tmp_path / f"out{rounds}.jsonl"
        rounds += 1
        before = len(kills)
        with RowServer(
            limited(60 * RATE, 2000), latency=lambda _: LATENCY * draw.uniform(0.2, 2)
        ) as server:
            while True:
                target = server.came.total() + draw.randrange(1, ROWS // 2)
                child = start(server, source, out)
                while child.poll() is None and server.came.total() < target:
                    time.sleep(0.001)
                if child.poll() is not None or len(kills) >= KILLS:
                    break
                time.sleep(draw.uniform(0, 0.06))
                kills.append(kill(child, server, out))
            done, maybe, interrupted, _ = finish(child)
        paid_again = server.charged.total() - ROWS
        again, told = again + paid_again, told + maybe

        assert sorted(ids(out)) == sorted(f"id-{row}" for row in range(ROWS)), seed
        assert all(line["error"] is None for line in read_lines(out)), seed
        assert done == ROWS, seed
        # All that was paid again is told, and nothing is told but what was open at the kills.
        assert paid_again <= maybe == interrupted, seed
        assert maybe == sum(each.counted for each in kills[before:]), seed
        assert status_of(out).maybe_charged == maybe, seed

    in_flight, answered = sum(each.in_flight for each in kills), sum(e.answered for e in kills)
    with capsys.disabled():
        print(  # noqa: T201 - what a reader of the log looks for
            f"\n{len(kills)} kills: paid again {again}, told {told}; in flight {in_flight}, "
            f"answered and not on the disk {answered}"
        )
    assert all(each.in_flight <= WINDOW for each in kills), seed
    assert again <= len(kills) * (WINDOW + GATHERED), seed


def status_of(out: Path) -> BulkSummary:
    return read_journal(out).summary


DIES = """
import os, signal, sys
from codex_api.bulk import group_commit
from codex_api.bulk.group_commit import GroupCommit

where, left = sys.argv.pop(1), int(sys.argv.pop(1))
write_all, sync = GroupCommit._write_all, group_commit._sync

def die(here):
    global left
    if here == where:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

def writes(self, group):
    die("before it is written")
    write_all(self, group[: len(group) // 2])
    die("in the middle")
    write_all(self, group[len(group) // 2 :])
    die("before it is synced")

def syncs(handle):
    sync(handle)
    die("after it was synced")

GroupCommit._write_all, group_commit._sync = writes, syncs
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signal")
@pytest.mark.parametrize(
    "where",
    ["before it is written", "in the middle", "before it is synced", "after it was synced"],
)
def test_a_process_that_dies_while_it_writes_loses_nothing(tmp_path: Path, where: str) -> None:
    source, out = write_rows(tmp_path / "in.jsonl", range(ROWS)), tmp_path / "out.jsonl"
    with RowServer(limited(60 * RATE, 2000), latency=lambda _: LATENCY) as server:
        for nth in (1, 2, 3):
            code = DIES + CHILD.replace("SETTINGS", "")
            command = [
                sys.executable,
                "-c",
                code,
                where,
                str(nth),
                server.url,
                str(source),
                str(out),
            ]
            child = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603 - this interpreter
            assert child.returncode == -signal.SIGKILL
        done, maybe, interrupted, _ = finish(start(server, source, out))

    assert sorted(ids(out)) == sorted(f"id-{row}" for row in range(ROWS))
    assert done == ROWS
    assert server.charged.total() - ROWS <= maybe == interrupted


@pytest.mark.slow
@pytest.mark.kills
@pytest.mark.timeout(60 + 10 * KILLS)
def test_a_run_by_batches_that_is_killed_asks_for_each_row_once(tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)  # noqa: S311 - as below
    draw = random.Random(seed)  # noqa: S311 - moments to kill at
    rows, kills, rounds = 40, 0, 0
    source = write_rows(tmp_path / "in.jsonl", range(rows))
    while kills < KILLS:
        out = tmp_path / f"out{rounds}.jsonl"
        rounds += 1
        with EmbeddedServer(ServerSettings(background_pace=0.01)) as server:
            while True:
                came = len(server.requests)
                child = start(server, source, out, BATCHES)
                target = came + draw.randrange(1, 24)
                while child.poll() is None and len(server.requests) < target:
                    time.sleep(0.001)
                if child.poll() is not None or kills >= KILLS:
                    break
                time.sleep(draw.uniform(0, 0.02))
                child.kill()
                kills += 1
                child.communicate()
            done, maybe, interrupted, _ = finish(child)
            asked = sum(
                run.batch["request_counts"]["total"] for run in server.state.batches.values()
            )

        assert sorted(ids(out)) == sorted(f"id-{row}" for row in range(rows)), seed
        assert asked == rows, seed
        assert (done, maybe, interrupted) == (rows, 0, 0), seed


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="it has no SIGTERM that can be handled")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains_and_a_further_run_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    source = write_rows(tmp_path / "in.jsonl", range(ROWS))
    out = tmp_path / "out.jsonl"
    with RowServer(limited(120_000, 2000), latency=lambda _: LATENCY) as server:
        child = start(server, source, out)
        while server.came.total() < ROWS // 4:
            time.sleep(0.001)
        child.send_signal(number)
        done, maybe, _, stopped = finish(child)

        assert stopped == "interrupted"
        assert ROWS // 4 <= done < ROWS
        assert maybe == 0
        assert finish(start(server, source, out))[0] == ROWS
        assert set(server.charged.values()) == {1}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="as above")
def test_the_second_signal_cuts(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", range(WINDOW))
    with RowServer(behave=lambda *_: "hang") as server:
        child = start(server, source, tmp_path / "out.jsonl")
        while server.at_once < WINDOW // 2:
            time.sleep(0.001)
        child.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert child.poll() is None
        child.send_signal(signal.SIGINT)
        done, maybe, _, stopped = finish(child)

    assert (done, stopped) == (0, "interrupted")
    assert maybe >= WINDOW // 2
