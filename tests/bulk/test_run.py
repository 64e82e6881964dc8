"""Whole runs against a small server: what is sent, kept, tried again and stopped for."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import AsyncClient, bulk
from codex_api.bulk import (
    BulkInputError,
    BulkSettings,
    BulkStoppedError,
    Journal,
    JournalError,
    ModelPrice,
    Prices,
    RateBudget,
)
from codex_api.bulk import group_commit as group_commit_module
from tests.bulk.row_server import RowServer, answer_to, limited, refusal
from tests.bulk.rows import body_of, client_of, ids, read_lines, until, write_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from codex_api.bulk import BulkResult, BulkRun

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_start")]

QUICK = BulkSettings(base_delay=0.001, max_delay=0.01)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "in.jsonl", range(50))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


async def collect(run: BulkRun) -> list[BulkResult]:
    return [result async for result in run]


async def carried_out(
    server: RowServer,
    requests: Any,
    *,
    journal: Journal | None = None,
    settings: BulkSettings = QUICK,
    in_flight: int = 100,
) -> tuple[list[BulkResult], BulkRun]:
    budget = RateBudget(max_in_flight=in_flight)
    async with client_of(server.url) as client:
        run = bulk.run(client, requests, journal=journal, budget=budget, settings=settings)
        return await collect(run), run


async def test_each_row_has_one_line_with_the_exact_answer(source: Path, out: Path) -> None:
    with RowServer() as server:
        results, run = await carried_out(server, source, journal=Journal(out))

    assert sorted(ids(out)) == sorted(f"id-{row}" for row in range(50))
    assert sorted(result.index for result in results) == list(range(50))
    assert all(answer_to(str(line["x"]["row"])) in raw for raw, line in zip_lines(out))
    assert run.summary.done == run.summary.calls == 50
    assert run.summary.output_tokens == 1000
    assert {result.text for result in results} == {f"answer to {row}" for row in range(50)}


def whole(path: Path) -> bytes:
    return path.read_bytes()


def is_there(path: Path) -> bool:
    return path.exists()


def double(path: Path) -> None:
    path.write_bytes(2 * path.read_bytes())


def zip_lines(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    return list(zip(path.read_bytes().splitlines(), read_lines(path), strict=True))


async def test_what_is_finished_is_not_sent_again(source: Path, out: Path) -> None:
    with RowServer() as server:
        await carried_out(server, source, journal=Journal(out))
        results, run = await carried_out(server, source, journal=Journal(out))

    assert results == []
    assert run.summary.done == run.summary.earlier == 50
    assert set(server.came.values()) == {1}


async def test_limits_cost_no_try_and_few_refusals(tmp_path: Path, out: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", range(300))
    with RowServer(limited(12_000, 20)) as server:
        results, run = await carried_out(server, source, journal=Journal(out), in_flight=50)

    assert len(results) == 300
    assert run.summary.failed == 0
    assert server.refused == run.summary.refused
    assert run.summary.refused < 0.2 * 300
    assert set(server.charged.values()) == {1}


async def test_a_row_outlives_more_refusals_than_tries(out: Path) -> None:
    def behave(_: str, nth: int) -> Any:
        return refusal(429, "rate_limit_exceeded", **{"retry-after": "0.001"}) if nth < 8 else None

    with RowServer(behave=behave) as server:
        results, _ = await carried_out(server, [("a", body_of("a"))], journal=Journal(out))

    assert [result.error for result in results] == [None]
    assert server.came["a"] == 8


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"retry-after": "0"},
        {"retry-after": "1"},
        {"retry-after-ms": "20"},
        {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"},
        {"retry-after": "soon"},
    ],
)
async def test_a_refusal_is_waited_for_in_whatever_form_it_asks(
    out: Path, asked: dict[str, str]
) -> None:
    def behave(row: str, nth: int) -> Any:
        if row == "0" and nth == 1:
            return refusal(429, "rate_limit_exceeded", **asked)
        return None

    rows = [(f"id-{row}", body_of(row)) for row in range(3)]
    with RowServer(behave=behave) as server:
        results, run = await carried_out(server, rows, journal=Journal(out))

    assert [result.error for result in results] == [None] * 3
    assert (run.summary.refused, server.came["0"]) == (1, 2)


async def test_an_answer_that_is_cut_anywhere_is_asked_for_again_and_said() -> None:
    size = len(answer_to("a"))
    cuts = [0, 1, 2, size // 3, size // 2, size - 2, size - 1]

    def behave(row: str, nth: int) -> Any:
        return cuts[int(row)] if nth == 1 else None

    rows = [(f"id-{row}", body_of(row)) for row in range(len(cuts))]
    with RowServer(behave=behave) as server:
        results, run = await carried_out(server, rows)

    assert [result.error for result in results] == [None] * len(cuts)
    assert set(server.charged.values()) == {2}
    assert run.summary.maybe_charged == len(cuts)


async def test_one_poisoned_row_fails_alone(source: Path, out: Path) -> None:
    def behave(row: str, _: int) -> Any:
        return refusal(400, "invalid_prompt", "no such thing") if row == "7" else None

    with RowServer(behave=behave) as server:
        results, run = await carried_out(server, source, journal=Journal(out))
    failed = [result for result in results if result.error is not None]

    assert [(one.custom_id, one.facts.kind) for one in failed] == [("id-7", "request")]
    assert run.summary.kinds == {"request": 1}
    assert server.came["7"] == 1
    line = next(line for line in read_lines(out) if line["custom_id"] == "id-7")
    assert line["response"]["status_code"] == 400
    assert line["error"]["code"] == "invalid_prompt"


@pytest.mark.parametrize(
    ("act", "kind", "came"),
    [
        (refusal(500, "server_error"), "server", 3),
        (refusal(404, "not_found"), "request", 1),
        ((200, {}, b"<html>"), "decode", 1),
        ("break", "network", 3),
        ("take and break", "network", 3),
    ],
)
async def test_what_fails_again_and_again_ends_as_its_kind(act: Any, kind: str, came: int) -> None:
    with RowServer(behave=lambda *_: act) as server:
        results, _ = await carried_out(server, [("a", body_of("a"))])

    assert [result.facts.kind for result in results] == [kind]
    assert server.came["a"] == results[0].facts.attempts == came


async def test_a_send_of_unknown_fate_is_said_and_not_repeated_unless_told() -> None:
    settings = BulkSettings(base_delay=0.001, retry_sent=0)
    with RowServer(behave=lambda *_: "take and break") as server:
        results, run = await carried_out(server, [("a", body_of("a"))], settings=settings)

    assert [result.facts.kind for result in results] == ["unknown"]
    assert server.charged["a"] == 1
    assert run.summary.maybe_charged == 1


async def test_the_key_of_a_row_is_the_same_until_it_is_answered() -> None:
    def behave(_: str, nth: int) -> Any:
        return "take and break" if nth == 1 else refusal(500, "x") if nth == 2 else None

    with RowServer(behave=behave) as server:
        await carried_out(server, [("a", body_of("a"))])

    first, second, third = server.keys
    assert first == second != third
    assert first


async def test_overload_costs_no_try_and_less_is_in_flight(source: Path) -> None:
    with RowServer(latency=lambda _: 0.3) as server:
        server.behave = lambda *_: refusal(503, "x") if server.at_once >= 5 else None
        results, run = await carried_out(server, source)

    assert [result.error for result in results] == [None] * 50
    assert run.summary.overloaded > 0


async def test_an_answer_that_was_cut_off_is_kept(out: Path) -> None:
    said = answer_to("a", status="incomplete")
    with RowServer(behave=lambda *_: (200, {}, said)) as server:
        results, run = await carried_out(server, [("a", body_of("a"))], journal=Journal(out))

    assert results[0].text == "answer to a"
    assert results[0].facts.outcome == "incomplete"
    assert (run.summary.done, run.summary.incomplete) == (1, 1)
    assert said in whole(out)


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (401, "invalid_api_key", "credentials"),
        (403, "forbidden", "credentials"),
        (429, "insufficient_quota", "quota"),
        (429, "usage_limit_reached", "usage limit"),
    ],
)
async def test_what_no_row_would_pass_stops_the_run_and_keeps_its_queue(
    source: Path, out: Path, status: int, code: str, reason: str
) -> None:
    with RowServer() as server:
        server.behave = lambda *_: refusal(status, code) if len(server.bodies) > 20 else None
        with pytest.raises(BulkStoppedError) as caught:
            await carried_out(server, source, journal=Journal(out), in_flight=4)
        server.behave = lambda *_: None
        await carried_out(server, source, journal=Journal(out))

    assert caught.value.reason == reason
    assert caught.value.summary is not None
    assert caught.value.summary.failed == 0
    assert caught.value.summary.left == 30
    assert len(set(ids(out))) == len(ids(out)) == 50
    assert set(server.charged.values()) == {1}


async def test_many_final_failures_stop_the_run(tmp_path: Path, out: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", range(500))
    with (
        RowServer(behave=lambda *_: refusal(400, "x")) as server,
        pytest.raises(BulkStoppedError) as caught,
    ):
        await carried_out(server, source, journal=Journal(out), in_flight=10)

    assert caught.value.reason == "errors"
    assert 200 <= len(server.bodies) < 250


async def test_a_ceiling_on_cost_is_not_passed(source: Path, out: Path) -> None:
    prices = Prices({"m": ModelPrice(input=0.0, output=1_000_000 / 20)})  # a dollar an answer
    settings = BulkSettings(prices=prices, max_cost=10.0)
    with RowServer() as server, pytest.raises(BulkStoppedError) as caught:
        await carried_out(server, source, journal=Journal(out), settings=settings)

    summary = caught.value.summary
    assert caught.value.reason == "cost"
    assert summary is not None
    assert summary.cost == pytest.approx(len(server.bodies))
    # A row may cost 2.5 dollars (50 tokens), so that the last one is sent at 7.5 at most.
    assert 7 <= len(server.bodies) <= 10


async def test_a_ceiling_on_cost_needs_a_price(source: Path) -> None:
    settings = BulkSettings(prices=Prices({}), max_cost=10.0)
    with (
        RowServer() as server,
        pytest.raises(BulkStoppedError, match="no price for the model 'm'"),
    ):
        await carried_out(server, source, settings=settings)

    assert server.bodies == []


async def test_a_row_larger_than_a_limit_fails_alone() -> None:
    told = {f"x-ratelimit-{name}-tokens": "1000" for name in ("limit", "remaining")}
    told["x-ratelimit-reset-tokens"] = "0s"
    rows = [("a", body_of("a")), ("b", body_of("b", max_output_tokens=5000)), ("c", body_of("c"))]
    with RowServer(behave=lambda row, _: (200, told, answer_to(row))) as server:
        results, _ = await carried_out(server, rows, in_flight=1)

    assert {one.custom_id: one.facts.kind for one in results} == {
        "a": None,
        "b": "too_large",
        "c": None,
    }
    assert server.came["b"] == 0


async def test_stopping_waits_for_what_is_in_flight(source: Path, out: Path) -> None:
    with RowServer(latency=lambda _: 0.05) as server:
        async with client_of(server.url) as client:
            run = bulk.run(
                client, source, journal=Journal(out), budget=RateBudget(max_in_flight=10)
            )
            results = []
            async for result in run:
                results.append(result)
                if len(results) == 1:
                    run.stop()

    assert len(results) == len(server.bodies) == len(ids(out)) < 50
    assert run.summary.stopped == "interrupted"
    assert run.summary.maybe_charged == 0


async def test_cutting_gives_up_what_is_in_flight_and_says_so(source: Path, out: Path) -> None:
    def behave(row: str, nth: int) -> Any:
        return "hang" if nth == 1 and int(row) >= 5 else None

    with RowServer(behave=behave) as server:
        async with client_of(server.url) as client:
            run = bulk.run(
                client, source, journal=Journal(out), budget=RateBudget(max_in_flight=10)
            )
            count = 0
            async for _ in run:
                count += 1
                if count == 5:
                    await until(lambda: server.at_once >= 10)
                    run.cut()
        server.behave = lambda *_: None
        _, second = await carried_out(server, source, journal=Journal(out))

    assert run.summary.maybe_charged == 10
    assert second.summary.maybe_charged == 10
    assert second.summary.interrupted == 0
    assert sorted(ids(out)) == sorted(f"id-{row}" for row in range(50))


async def test_a_loop_that_is_left_early_leaves_nothing_behind(source: Path, out: Path) -> None:
    with RowServer(latency=lambda _: 0.01) as server:
        async with client_of(server.url) as client:
            budget = RateBudget(max_in_flight=5)
            async with bulk.run(client, source, journal=Journal(out), budget=budget) as run:
                async for _ in run:
                    break
        assert budget.in_flight == 0
        assert len(ids(out)) == len(server.bodies) < 50
        await carried_out(server, source, journal=Journal(out))

    assert set(server.charged.values()) == {1}


async def test_a_loop_that_is_left_without_closing_ends_by_itself(source: Path, out: Path) -> None:
    with RowServer(latency=lambda _: 0.01) as server:
        async with client_of(server.url) as client:
            async for _ in bulk.run(
                client, source, journal=Journal(out), budget=RateBudget(max_in_flight=5)
            ):
                break
            gc.collect()
            await asyncio.wait(
                [one for one in asyncio.all_tasks() if one.get_name() == "codex-api-bulk"]
            )

    assert len(ids(out)) == len(server.bodies) < 50


async def test_cancelling_the_caller_cuts_the_run(source: Path, out: Path) -> None:
    with RowServer(behave=lambda *_: "hang") as server:
        async with client_of(server.url) as client:

            async def consume() -> None:
                async with bulk.run(client, source, journal=Journal(out)) as run:
                    await collect(run)

            task = asyncio.create_task(consume())
            await until(lambda: server.at_once >= 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    # The lock is gone with it.
    journal = Journal(out)
    journal.open(bulk.RequestFile(source).scan(), None, lambda _: None, lambda _: None)
    journal.close()
    assert journal.totals.finished == 0


async def test_a_slow_consumer_holds_up_the_sending(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", range(400))
    with RowServer(limited(600_000, 10_000)) as server:
        async with client_of(server.url) as client:
            budget = RateBudget(max_in_flight=4)
            async with bulk.run(client, source, budget=budget) as run:
                await run.__anext__()
                for _ in range(200):
                    await asyncio.sleep(0.002)
                    if len(server.bodies) >= 60:
                        await asyncio.sleep(0.02)
                        break
                seen = len(server.bodies)

    assert 60 <= seen < 80


async def test_a_disk_that_fails_stops_the_run(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(group_commit_module, "_sync", broken)
    with RowServer(latency=lambda _: 0.01) as server:
        with pytest.raises((BulkStoppedError, JournalError), match=r"journal cannot|could not"):
            await carried_out(server, source, journal=Journal(out), in_flight=2)
        monkeypatch.undo()
        _, run = await carried_out(server, source, journal=Journal(out))

    assert run.summary.done == 50
    assert run.summary.maybe_charged > 0
    assert len(set(ids(out))) == len(ids(out)) == 50


async def test_a_run_that_gets_nowhere_stops() -> None:
    settings = BulkSettings(stall_timeout=0.2)
    with (
        RowServer(behave=lambda *_: refusal(429, "rate_limit_exceeded")) as server,
        pytest.raises(BulkStoppedError) as caught,
    ):
        await carried_out(server, [("a", body_of("a"))], settings=settings)

    assert caught.value.reason == "stalled"
    assert server.refused == 0


async def test_rows_may_come_from_a_program_and_ids_only_once() -> None:
    async def rows() -> AsyncIterator[Any]:
        for row in range(5):
            await asyncio.sleep(0)
            yield {"custom_id": f"id-{row}", "body": body_of(row)}
        yield ("id-3", body_of(3))

    with (
        RowServer() as server,
        pytest.raises(BulkInputError, match="'id-3' was given before"),
    ):
        await carried_out(server, rows())

    assert set(server.charged.values()) == {1}


async def test_rows_of_a_program_are_resumed_by_their_ids(out: Path) -> None:
    with RowServer() as server:
        for rows in ([3, 1], [1, 2, 3]):
            given = [bulk.BulkRequest.of(f"id-{row}", body_of(row)) for row in rows]
            await carried_out(server, given, journal=Journal(out))

    assert Counter(ids(out)) == {"id-1": 1, "id-2": 1, "id-3": 1}
    assert set(server.charged.values()) == {1}


async def test_a_producer_that_waits_holds_up_no_retry() -> None:
    hold = asyncio.Event()

    async def rows() -> AsyncIterator[Any]:
        yield ("a", body_of("a"))
        await hold.wait()

    def behave(_: str, nth: int) -> Any:
        return refusal(500, "x") if nth == 1 else None

    with RowServer(behave=behave) as server:
        async with client_of(server.url) as client:
            run = bulk.run(client, rows(), settings=QUICK)
            first = await run.__anext__()
            hold.set()
            rest = await collect(run)

    assert first.text == "answer to a"
    assert rest == []


async def test_a_client_that_is_closed_is_said_to_be(source: Path) -> None:
    client = AsyncClient(client_of("http://127.0.0.1:9/v1").provider)
    await client.close()

    with pytest.raises(bulk.BulkError.__mro__[1], match="closed"):
        await collect(bulk.run(client, source))


async def test_a_file_that_is_wrong_sends_nothing(source: Path, out: Path) -> None:
    double(source)
    with RowServer() as server, pytest.raises(BulkInputError, match="given twice"):
        await carried_out(server, source, journal=Journal(out))

    assert server.bodies == []
    assert not is_there(out)


async def test_a_body_that_cannot_be_sent_fails_alone() -> None:
    rows = [("a", {"model": 3}), ("b", body_of("b"))]
    with RowServer() as server:
        results, _ = await carried_out(server, rows)

    assert {one.custom_id: one.facts.kind for one in results} == {"a": "request", "b": None}
    assert len(server.bodies) == 1


async def test_a_body_that_only_the_server_understands_is_the_servers_to_refuse() -> None:
    rows = [("a", {"model": "m", "input": 3}), ("b", body_of("b"))]
    with RowServer(behave=lambda row, _: refusal(400, "bad") if not row else None) as server:
        results, _ = await carried_out(server, rows)

    assert {one.custom_id: one.facts.kind for one in results} == {"a": "request", "b": None}
    assert len(server.bodies) == 2


async def test_bodies_go_out_as_they_came_in() -> None:
    body = {
        "input": [{"role": "user", "content": "\u00e9 1.50"}],
        "model": "m",
        "metadata": {"row": "a"},
        "never_heard_of": {"deep": [1, None]},
    }
    with RowServer() as server:
        await carried_out(server, [("a", body)])

    assert json.loads(server.bodies[0]) == body


async def test_a_tier_is_that_of_rows_that_name_none() -> None:
    rows = [("a", body_of("a")), ("b", body_of("b", service_tier="priority"))]
    with RowServer() as server:
        await carried_out(server, rows, settings=BulkSettings(tier="flex"), in_flight=1)

    assert [json.loads(body)["service_tier"] for body in server.bodies] == ["flex", "priority"]


async def test_progress_tells_what_binds(source: Path) -> None:
    with RowServer(limited(60_000, 1000)) as server:
        async with client_of(server.url) as client:
            run = bulk.run(client, source)
            assert run.progress() is None
            await run.__anext__()
            first = run.progress()
            await collect(run)
            last = run.progress()

    assert first is not None
    assert last is not None
    assert first.summary.rows == 50
    assert last.limit == "requests"
    assert last.ceiling == pytest.approx(1000, rel=0.5)
    assert last.median_latency is not None
    assert last.seconds_left == 0


async def test_intents_are_never_sent_twice(source: Path, out: Path) -> None:
    def behave(row: str, nth: int) -> Any:
        return "hang" if int(row) >= 40 else refusal(500, "x") if nth == 1 else None

    with RowServer(behave=behave) as server:
        async with client_of(server.url) as client:
            run = bulk.run(client, source, journal=Journal(out, intents=True), settings=QUICK)
            count = 0
            async for _ in run:
                count += 1
                if count == 40:
                    await until(lambda: server.at_once >= 10)
                    run.cut()
        server.behave = lambda *_: None
        results, second = await carried_out(server, source, journal=Journal(out, intents=True))

    assert max(server.charged.values()) == 1
    assert {one.facts.kind for one in results} == {"unknown"}
    assert len(set(ids(out))) == len(ids(out)) == 50
    assert second.summary.kinds == {"unknown": 10}


async def test_blocking_code_has_the_same(source: Path, out: Path) -> None:
    def all_of_it() -> int:
        with RowServer() as server:
            run = bulk.run_blocking(
                lambda: client_of(server.url), source, journal=Journal(out), settings=QUICK
            )
            return sum(result.error is None for result in run)

    assert await asyncio.to_thread(all_of_it) == 50
    assert len(ids(out)) == 50


async def test_blocking_code_may_leave_early(source: Path, out: Path) -> None:
    def part() -> None:
        with RowServer(latency=lambda _: 0.01) as server:
            with bulk.run_blocking(
                lambda: client_of(server.url),
                source,
                journal=Journal(out),
                budget=RateBudget(max_in_flight=3),
            ) as run:
                for _ in run:
                    break
            assert len(ids(out)) == len(server.bodies) < 50
            assert run.summary.stopped == "left"

    await asyncio.to_thread(part)


async def test_blocking_code_hears_of_failures(source: Path) -> None:
    def fail() -> None:
        with RowServer(behave=lambda *_: refusal(401, "x")) as server:
            list(bulk.run_blocking(lambda: client_of(server.url), source))

    with pytest.raises(BulkStoppedError, match="credentials"):
        await asyncio.to_thread(fail)
