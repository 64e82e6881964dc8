"""Rows whose prompts begin alike, next to each other."""

from __future__ import annotations

import itertools
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import bulk
from codex_api.bulk import BulkInputError, BulkSettings, Journal, RateBudget, RequestFile
from codex_api.bulk.cache_order import SHARED_BYTES, CacheOrder
from codex_api.bulk.row_ids import RowSet
from tests.bulk.row_server import RowServer, refusal
from tests.bulk.rows import client_of, ids

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bulk.row_server import Head

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_start")]

LONG = "All that follows is about the same long document. " * 100
CACHE = BulkSettings(order="cache", base_delay=0.001)


def body(row: object, **members: Any) -> dict[str, Any]:
    return {"model": "m", "input": f"say {row}", "metadata": {"row": str(row)}, **members}


def keyed(row: object, key: str | None) -> dict[str, Any]:
    return body(row, prompt_cache_key=key)


def write(path: Path, bodies: list[dict[str, Any]], *, bom: bool = False) -> Path:
    lines = [
        json.dumps({"custom_id": f"id-{one['metadata']['row']}", "body": one}) for one in bodies
    ]
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + "\r\n\r\n".join(lines).encode())
    return path


def order_of(path: Path, skip: RowSet | None = None) -> list[int]:
    """Take the rows as if each call ended at once."""
    order = CacheOrder(RequestFile(path), None, skip)
    taken: list[int] = []
    while (found := order.take()) is not None:
        index, line = found
        assert json.loads(line)["custom_id"]
        taken.append(index)
        order.release(index)
    assert order.is_over
    order.close()
    return taken


def test_rows_with_one_key_come_next_to_each_other(tmp_path: Path) -> None:
    path = write(tmp_path / "in", [keyed(n, "abc"[n % 3]) for n in range(9)], bom=True)

    assert order_of(path) == [0, 3, 6, 1, 4, 7, 2, 5, 8]


@pytest.mark.parametrize(
    "members",
    [
        lambda n: {"instructions": "ab"[n % 2] + LONG},
        lambda n: {"input": "ab"[n % 2] + LONG + str(n)},
        lambda n: {"tools": [{"type": "function", "name": "ab"[n % 2], "description": LONG}]},
        lambda n: {"model": "ab"[n % 2], "instructions": LONG},
        lambda n: {
            "input": [{"role": "user", "content": "ab"[n % 2] + LONG}, {"role": "user", "x": n}]
        },
    ],
)
def test_rows_without_a_key_go_by_what_their_prompts_begin_with(
    tmp_path: Path, members: Any
) -> None:
    path = write(tmp_path / "in", [body(n, **members(n)) for n in range(6)])

    assert order_of(path) == [0, 2, 4, 1, 3, 5]


def test_prompts_too_short_for_a_cache_stay_where_they_are(tmp_path: Path) -> None:
    bodies = [body(n, instructions=("short", LONG)[n % 2]) for n in range(6)]
    path = write(tmp_path / "in", bodies)

    assert order_of(path) == [0, 1, 3, 5, 2, 4]


def test_what_differs_behind_the_beginning_does_not_count(tmp_path: Path) -> None:
    same, other = "x" * SHARED_BYTES, "x" * (SHARED_BYTES // 2)
    inputs = [(other + "y" * SHARED_BYTES, same)[n % 2] + str(n) for n in range(4)]
    bodies = [body(n, input=each) for n, each in enumerate(inputs)]

    assert order_of(write(tmp_path / "in", bodies)) == [0, 2, 1, 3]


def test_finished_rows_are_left_out_and_the_next_one_leads(tmp_path: Path) -> None:
    path = write(tmp_path / "in", [keyed(n, "ab"[n % 2]) for n in range(6)])
    done = RowSet()
    done.add(0)
    done.add(3)
    order = CacheOrder(RequestFile(path), None, done)

    leaders = [order.take(), order.take(), order.take()]
    order.release(1)
    follower = order.take()
    order.close()

    assert [found and found[0] for found in leaders] == [1, 2, None]
    assert follower is not None
    assert follower[0] == 5
    assert not order.is_over


def test_each_row_comes_once_whatever_the_groups_are(tmp_path: Path) -> None:
    draw = random.Random(3)  # noqa: S311 - no secret
    keys = [draw.choice([None, "", *"abcdefg"]) for _ in range(300)]
    path = write(tmp_path / "in", [keyed(n, key) for n, key in enumerate(keys)])
    taken = order_of(path)

    assert sorted(taken) == list(range(300))
    groups = [keys[index] for index in taken if keys[index]]
    assert sum(a != b for a, b in itertools.pairwise(groups)) == 6


def test_it_is_for_files_and_for_calls() -> None:
    with pytest.raises(BulkInputError, match="order"):
        BulkSettings(order="cache", via="batch")
    with pytest.raises(BulkInputError, match="order"):
        BulkSettings(order="other")  # type: ignore[arg-type]


async def test_rows_of_a_program_have_the_order_of_the_program() -> None:
    async with client_of("http://127.0.0.1:9") as client:
        with pytest.raises(BulkInputError, match="order is for files"):
            await bulk.run(client, [("a", body("a"))], settings=CACHE).__anext__()


async def sent(
    server: RowServer, source: Path, out: Path, settings: BulkSettings = CACHE
) -> bulk.BulkRun:
    async with client_of(server.url) as client:
        budget = RateBudget(max_in_flight=16)
        run = bulk.run(client, source, journal=Journal(out), budget=budget, settings=settings)
        async for _ in run:
            pass
    return run


async def test_the_others_of_a_group_wait_for_the_first(tmp_path: Path) -> None:
    rows = [f"{'abcd'[n // 10]}{n}" for n in range(40)]
    source = write(tmp_path / "in.jsonl", [keyed(row, row[0]) for row in rows])
    began, too_early = set[str](), list[str]()

    def behave(row: str, _: int) -> None:
        if row[0] in began and not any(one[0] == row[0] for one in server.answered):
            too_early.append(row)
        began.add(row[0])

    with RowServer(latency=lambda _: 0.1, behave=behave) as server:
        await sent(server, source, tmp_path / "out.jsonl")

    assert not too_early
    assert sorted(ids(tmp_path / "out.jsonl")) == sorted(f"id-{row}" for row in rows)


@pytest.mark.parametrize(
    "first",
    [
        refusal(400, "bad"),
        refusal(500, "server_error"),
        refusal(429, "rate_limit_exceeded", **{"retry-after": "0"}),
        refusal(503, "overloaded"),
        "break",
    ],
)
async def test_a_first_row_that_fails_holds_up_no_others(tmp_path: Path, first: Head | str) -> None:
    source = write(tmp_path / "in.jsonl", [keyed(n, "a") for n in range(10)])

    def behave(row: str, nth: int) -> Head | str | None:
        return first if (row, nth) == ("0", 1) else None

    with RowServer(behave=behave) as server:
        run = await sent(server, source, tmp_path / "out.jsonl")

    assert run.summary.finished == 10
    assert run.summary.failed == (first == refusal(400, "bad"))


async def test_a_first_row_that_is_never_sent_holds_up_no_others(tmp_path: Path) -> None:
    bodies = [keyed(n, "a") for n in range(5)]
    bodies[0]["model"] = 3
    bodies[1]["prompt_cache_key"] = "b"
    bodies[3]["prompt_cache_key"] = "b"
    bodies[1]["background"] = True
    source = write(tmp_path / "in.jsonl", bodies)
    with RowServer() as server:
        run = await sent(server, source, tmp_path / "out.jsonl")

    assert (run.summary.done, run.summary.failed) == (3, 2)


async def test_a_run_in_this_order_is_taken_up_again_in_any(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [keyed(n, "ab"[n % 2]) for n in range(40)])
    out = tmp_path / "out.jsonl"
    with RowServer(latency=lambda _: 0.01) as server:
        async with client_of(server.url) as client:
            budget = RateBudget(max_in_flight=4)
            async with bulk.run(
                client, source, journal=Journal(out), budget=budget, settings=CACHE
            ) as run:
                async for _ in run:
                    if run.summary.done > 10:
                        break
        assert 10 < run.summary.done < 40
        again = await sent(server, source, out, BulkSettings(order="input"))

    assert again.summary.done == 40
    assert set(server.charged.values()) == {1}
