"""Rows that the Batch API answers, against the embedded server."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from codex_api import bulk
from codex_api.bulk import BulkSettings, BulkStoppedError, Journal, ModelPrice, Prices
from codex_api.cli.bulk.figures import summary_lines
from codex_api.testing import EmbeddedServer, ServerSettings, scenarios
from codex_api.testing.server.file_store import keep_file
from tests.bulk.rows import body_of, client_of, ids, read_lines, until, write_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from codex_api.bulk import BulkResult, BulkRun

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_start")]

SETTINGS = BulkSettings(via="batch", batch_rows=10, batch_poll=0.01, base_delay=0.01)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "in.jsonl", range(25))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


async def carried_out(
    server: EmbeddedServer,
    requests: Any,
    out: Path | None,
    settings: BulkSettings = SETTINGS,
) -> tuple[list[BulkResult], BulkRun]:
    async with client_of(server.url) as client:
        journal = None if out is None else Journal(out)
        run = bulk.run(client, requests, journal=journal, settings=settings)
        return [result async for result in run], run


def batches(server: EmbeddedServer) -> list[dict[str, Any]]:
    return [run.batch for run in server.state.batches.values()]


async def test_rows_are_answered_in_batches(source: Path, out: Path) -> None:
    with EmbeddedServer() as server:
        results, run = await carried_out(server, source, out)

        assert sorted(batch["request_counts"]["total"] for batch in batches(server)) == [5, 10, 10]
        assert all(batch["input_file_id"] not in server.state.files for batch in batches(server))
    assert sorted(ids(out)) == sorted(f"id-{row}" for row in range(25))
    assert [result.error for result in results] == [None] * 25
    assert all(result.text for result in results)
    assert (run.summary.done, run.summary.calls, run.summary.maybe_charged) == (25, 25, 0)
    assert json.loads((out.parent / "out.jsonl.batches").read_bytes())["parts"] == []


async def test_what_is_finished_is_not_sent_again(source: Path, out: Path) -> None:
    with EmbeddedServer() as server:
        await carried_out(server, source, out)
        results, _ = await carried_out(server, source, out)

        assert results == []
        assert len(batches(server)) == 3


async def test_a_run_that_stops_leaves_its_batches_and_the_next_one_asks_for_them(
    source: Path, out: Path
) -> None:
    with EmbeddedServer(ServerSettings(background_pace=0.02)) as server:
        async with client_of(server.url) as client:
            run = bulk.run(client, source, journal=Journal(out), settings=SETTINGS)
            running = asyncio.ensure_future(collect(run))
            await until(lambda: len(server.state.batches) == 3)
            run.stop()
            first = await running
        looked_at = bulk.read_journal(out).summary
        results, second = await carried_out(server, source, out)

        assert len(batches(server)) == 3
    assert len(first) + len(results) == 25
    assert run.summary.stopped == "interrupted"
    assert looked_at.batches == run.summary.batches > 0
    assert second.summary.batches == bulk.read_journal(out).summary.batches == 0
    assert f"on their way: {looked_at.batches} batches" in "\n".join(summary_lines(looked_at))
    assert len(set(ids(out))) == len(ids(out)) == 25
    assert second.summary.maybe_charged == 0


@pytest.mark.parametrize("is_file", [True, False])
async def test_rows_whose_batch_ends_before_they_are_come_to_are_not_sent_again(
    source: Path, out: Path, *, is_file: bool
) -> None:
    def rows() -> Any:
        return source if is_file else [(f"id-{row}", body_of(row)) for row in range(25)]

    # Nothing is read of the source while one batch is on its way, so the first is over by then.
    one_by_one = msgspec.structs.replace(SETTINGS, batches_at_once=1)
    with EmbeddedServer(ServerSettings(background_pace=0.01)) as server:
        async with client_of(server.url) as client:
            run = bulk.run(client, rows(), journal=Journal(out), settings=one_by_one)
            running = asyncio.ensure_future(collect(run))
            await until(lambda: len(server.state.batches) == 1)
            run.cut()
            await running
        await carried_out(server, rows(), out, one_by_one)

        assert sorted(batch["request_counts"]["total"] for batch in batches(server)) == [5, 10, 10]
    assert sorted(ids(out)) == sorted(f"id-{row}" for row in range(25))


@pytest.mark.parametrize("is_file", [True, False])
async def test_rows_whose_file_did_not_get_through_are_sent_once(
    source: Path, out: Path, *, is_file: bool
) -> None:
    def rows() -> Any:
        return source if is_file else [(f"id-{row}", body_of(row)) for row in range(25)]

    one_by_one = msgspec.structs.replace(SETTINGS, batches_at_once=1)
    with EmbeddedServer(ServerSettings(background_pace=0.01)) as server:
        async with client_of(server.url) as client:
            run = bulk.run(client, rows(), journal=Journal(out), settings=one_by_one)
            running = asyncio.ensure_future(collect(run))
            await until(lambda: len(server.state.batches) == 1)
            run.cut()
            await running
        server.state.batches.clear()
        # As a process leaves it that was killed while the file was on its way.
        kept = out.with_name("out.jsonl.batches")
        state = json.loads(kept.read_bytes())
        (part,) = state["parts"]
        for known in ("file_id", "was_asked", "batch_id"):
            part.pop(known, None)
        kept.write_bytes(json.dumps(state).encode())
        await carried_out(server, rows(), out, one_by_one)

        assert sum(batch["request_counts"]["total"] for batch in batches(server)) == 25
    assert sorted(ids(out)) == sorted(f"id-{row}" for row in range(25))


async def collect(run: BulkRun) -> list[BulkResult]:
    return [result async for result in run]


class OddBatches:
    """Tells of batches otherwise than the embedded server has them.

    Args:
        odd: Makes of a batch and its number, from 0, what is told of it; None as it is.
    """

    def __init__(self, odd: Callable[[EmbeddedServer, dict[str, Any], int], Any]) -> None:
        self.odd = odd
        self.server = EmbeddedServer(extra_routes=[Route("/batches/{batch_id}", self.tell)])

    async def tell(self, http: Request) -> JSONResponse:
        batch_id = http.path_params["batch_id"]
        known = self.server.state.batches
        batch = known[batch_id].batch
        if batch["status"] == "completed":
            number = list(known).index(batch_id)
            batch = self.odd(self.server, dict(batch), number) or batch
        if isinstance(batch, JSONResponse):
            return batch
        return JSONResponse(batch)


def keep(server: EmbeddedServer, lines: list[dict[str, Any]]) -> str:
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return keep_file(server.state, "lines", "batch_output", content).file_id


def lines_of(server: EmbeddedServer, file_id: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.uploaded(file_id).splitlines()]


async def test_an_expired_batch_gives_what_it_has_and_the_rest_is_sent_again(
    source: Path, out: Path
) -> None:
    def odd(server: EmbeddedServer, batch: dict[str, Any], number: int) -> Any:
        if number:
            return None
        lines = lines_of(server, batch["output_file_id"])
        expired = [
            {**line, "response": None, "error": {"code": "batch_expired", "message": "late"}}
            for line in lines[4:7]  # and nothing at all of three
        ]
        made = keep(server, lines[:4]), keep(server, expired)
        return batch | {"status": "expired", "output_file_id": made[0], "error_file_id": made[1]}

    scripted = OddBatches(odd)
    with scripted.server as server:
        results, run = await carried_out(server, source, out)

        assert sum(batch["request_counts"]["total"] for batch in batches(server)) == 25 + 6
    assert sorted(ids(out)) == sorted(f"id-{row}" for row in range(25))
    assert [result.error for result in results] == [None] * 25
    assert run.summary.retried == 6
    assert run.summary.maybe_charged == 0


async def test_rows_that_expire_each_time_fail_in_the_end(tmp_path: Path, out: Path) -> None:
    def odd(_server: EmbeddedServer, batch: dict[str, Any], _: int) -> Any:
        return batch | {"status": "expired", "output_file_id": None}

    source = write_rows(tmp_path / "one.jsonl", [0])
    with OddBatches(odd).server as server:
        results, _ = await carried_out(server, source, out)

        assert len(batches(server)) == SETTINGS.tries
    assert [result.facts.attempts for result in results] == [SETTINGS.tries]
    assert results[0].error is not None


async def test_a_batch_that_fails_for_a_limit_after_it_was_created_is_sent_again_in_parts(
    tmp_path: Path, out: Path
) -> None:
    source = write_rows(tmp_path / "in.jsonl", range(10))
    limit = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached."}
    sizes: list[int] = []

    def odd(_server: EmbeddedServer, batch: dict[str, Any], _: int) -> Any:
        size = batch["request_counts"]["total"]
        if size <= 4:
            sizes.append(size)
            return None
        return batch | {
            "status": "failed",
            "output_file_id": None,
            "errors": {"object": "list", "data": [limit]},
        }

    with OddBatches(odd).server as server:
        results, run = await carried_out(server, source, out)

    assert [result.error for result in results] == [None] * 10
    assert max(sizes) <= 4
    assert run.summary.refused >= 2
    assert {result.facts.kind for result in results} == {None}


async def test_a_line_that_the_server_does_not_take_fails_alone(tmp_path: Path, out: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", range(5))
    wrong = {"code": "invalid_request", "message": "No such model.", "line": 3, "param": "model"}

    def odd(_server: EmbeddedServer, batch: dict[str, Any], number: int) -> Any:
        failed = {"status": "failed", "output_file_id": None, "errors": {"data": [wrong]}}
        return None if number else batch | failed

    with OddBatches(odd).server as server:
        results, run = await carried_out(server, source, out)

        assert [batch["request_counts"]["total"] for batch in batches(server)] == [5, 4]
    failed = [result for result in results if result.error is not None]
    assert [(one.custom_id, one.facts.kind) for one in failed] == [("id-2", "request")]
    assert (run.summary.done, run.summary.failed) == (4, 1)


async def test_a_batch_that_fails_without_a_line_stops_the_run(source: Path, out: Path) -> None:
    def odd(_server: EmbeddedServer, batch: dict[str, Any], _: int) -> Any:
        data = [{"code": "billing_hard_stop", "message": "Pay first."}]
        return batch | {"status": "failed", "output_file_id": None, "errors": {"data": data}}

    with OddBatches(odd).server as server, pytest.raises(BulkStoppedError) as caught:
        await carried_out(server, source, out)

    assert caught.value.reason == "batch"
    assert "Pay first." in str(caught.value)
    assert caught.value.summary is not None
    assert (caught.value.summary.failed, caught.value.summary.left) == (0, 25)


async def test_a_batch_that_somebody_cancels_stops_the_run_and_keeps_its_answers(
    source: Path, out: Path
) -> None:
    def odd(server: EmbeddedServer, batch: dict[str, Any], number: int) -> Any:
        kept = keep(server, lines_of(server, batch["output_file_id"])[:2])
        return (
            None if number or is_over else batch | {"status": "cancelled", "output_file_id": kept}
        )

    is_over = False
    with OddBatches(odd).server as server:
        with pytest.raises(BulkStoppedError, match="cancelled by somebody"):
            await carried_out(server, source, out)
        assert {"id-0", "id-1"} <= set(ids(out))
        is_over = True
        await carried_out(server, source, out)

    assert len(set(ids(out))) == len(ids(out)) == 25


async def test_failures_come_from_the_file_of_errors_alone(source: Path, out: Path) -> None:
    refused = scenarios.http_error(400, code="bad_row", message="No.")
    with EmbeddedServer() as server:
        server.play(*[refused] * 25, endpoint="batches/request")
        results, _ = await carried_out(server, source, out)

        assert {batch["output_file_id"] for batch in batches(server)} == {None}
    assert {result.error and result.error.code for result in results} == {"bad_row"}
    assert {result.facts.kind for result in results} == {"request"}
    assert {line["response"]["status_code"] for line in read_lines(out)} == {400}


async def test_a_row_that_fails_at_the_server_is_sent_again(tmp_path: Path, out: Path) -> None:
    source = write_rows(tmp_path / "in.jsonl", range(3))
    broken = scenarios.http_error(500, code="server_error", message="Oops.")
    with EmbeddedServer() as server:
        server.play(broken, endpoint="batches/request")
        results, run = await carried_out(server, source, out)

        assert [batch["request_counts"]["total"] for batch in batches(server)] == [3, 1]
    assert [result.error for result in results] == [None] * 3
    assert run.summary.retried == 1
    assert Counter(result.facts.attempts for result in results) == {1: 2, 2: 1}


async def test_answers_in_another_order_find_their_rows(source: Path, out: Path) -> None:
    def odd(server: EmbeddedServer, batch: dict[str, Any], _: int) -> Any:
        lines = lines_of(server, batch["output_file_id"])
        foreign = {**lines[0], "custom_id": "of somebody else"}
        made = keep(server, [*reversed(lines), lines[0], foreign])
        return batch | {"output_file_id": made}

    with OddBatches(odd).server as server:
        results, _ = await carried_out(server, source, out)

    assert {result.custom_id: result.index for result in results} == {
        f"id-{row}": row for row in range(25)
    }
    assert len(ids(out)) == 25


@pytest.mark.parametrize("what", ["batch", "file"])
async def test_answers_that_are_gone_are_made_again_and_said(
    tmp_path: Path, out: Path, what: str
) -> None:
    source = write_rows(tmp_path / "in.jsonl", range(4))

    def odd(_server: EmbeddedServer, batch: dict[str, Any], number: int) -> Any:
        if number:
            return None
        if what == "file":
            return batch | {"output_file_id": "file-gone"}
        return JSONResponse({"error": {"message": "no such batch"}}, 404)

    with OddBatches(odd).server as server:
        results, run = await carried_out(server, source, out)

        assert len(batches(server)) == 2
    assert [result.error for result in results] == [None] * 4
    assert run.summary.maybe_charged == 4


class LosesAnswers:
    """Carries out the first request to begin a batch, and breaks the connection in place of an
    answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.lost = app, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") != "POST" or not scope["path"].endswith("/batches") or self.lost:
            await self.app(scope, receive, send)
            return
        self.lost += 1

        async def nowhere(_: Message) -> None:
            scope["state"]["transport"].abort()

        await self.app(scope, receive, nowhere)


async def test_a_batch_whose_creation_was_not_answered_is_looked_for(
    tmp_path: Path, out: Path
) -> None:
    source = write_rows(tmp_path / "in.jsonl", range(5))
    with EmbeddedServer(around=LosesAnswers) as server:
        results, run = await carried_out(server, source, out)

        assert len(batches(server)) == 1
    assert [result.error for result in results] == [None] * 5
    assert run.summary.maybe_charged == 0


async def test_a_batch_that_was_begun_without_its_id_on_the_disk_is_adopted(
    source: Path, out: Path
) -> None:
    with EmbeddedServer(ServerSettings(background_pace=0.05)) as server:
        async with client_of(server.url) as client:
            run = bulk.run(client, source, journal=Journal(out), settings=SETTINGS)
            running = asyncio.ensure_future(collect(run))
            await until(lambda: len(server.state.batches) == 3)
            run.cut()
            await running
        # As a process leaves it that was killed between the answer and the disk.
        kept = out.with_name("out.jsonl.batches")
        state = json.loads(kept.read_bytes())
        for part in state["parts"]:
            part.pop("batch_id", None)
        kept.write_bytes(json.dumps(state).encode())
        await carried_out(server, source, out)

        assert len(batches(server)) == 3
    assert len(set(ids(out))) == len(ids(out)) == 25


async def test_rows_of_a_program_are_asked_for_again_by_their_ids(out: Path) -> None:
    def rows() -> list[tuple[str, Any]]:
        return [(f"id-{row}", body_of(row)) for row in range(25)]

    with EmbeddedServer(ServerSettings(background_pace=0.02)) as server:
        async with client_of(server.url) as client:
            run = bulk.run(client, rows(), journal=Journal(out), settings=SETTINGS)
            running = asyncio.ensure_future(collect(run))
            await until(lambda: len(server.state.batches) == 3)
            run.stop()
            await running
        await carried_out(server, list(reversed(rows())), out)

        assert len(batches(server)) == 3
    assert sorted(ids(out)) == sorted(f"id-{row}" for row in range(25))


async def test_a_producer_that_waits_for_answers_gets_them() -> None:
    answered = asyncio.Event()

    async def rows() -> AsyncIterator[Any]:
        yield ("a", body_of("a"))
        await answered.wait()
        yield ("b", body_of("b"))

    with EmbeddedServer() as server:
        async with client_of(server.url) as client:
            async for _ in (run := bulk.run(client, rows(), settings=SETTINGS)):
                answered.set()

        assert len(batches(server)) == 2
    assert run.summary.done == 2


async def test_no_more_batches_than_allowed_are_on_their_way(source: Path, out: Path) -> None:
    settings = BulkSettings(via="batch", batch_rows=5, batches_at_once=2, batch_poll=0.01)
    most = 0

    def look(server: EmbeddedServer) -> None:
        nonlocal most
        open_ones = [one for one in batches(server) if one["status"] != "completed"]
        most = max(most, len(open_ones))

    with EmbeddedServer(ServerSettings(background_pace=0.01)) as server:
        async with client_of(server.url) as client:
            run = bulk.run(client, source, journal=Journal(out), settings=settings)
            running = asyncio.ensure_future(collect(run))
            while not running.done():
                look(server)
                await asyncio.sleep(0.001)
            await running

    assert most == 2
    assert len(ids(out)) == 25


async def test_a_ceiling_on_cost_holds_for_what_is_in_batches(source: Path, out: Path) -> None:
    prices = Prices({"m": ModelPrice(input=0.0, output=1_000_000 / 50)}, {"batch": 0.5})
    settings = BulkSettings(via="batch", batch_rows=4, batch_poll=0.01, prices=prices, max_cost=2.0)
    with EmbeddedServer() as server:
        with pytest.raises(BulkStoppedError) as caught:
            await carried_out(server, source, out, settings)

        asked = sum(batch["request_counts"]["total"] for batch in batches(server))
    summary = caught.value.summary
    assert caught.value.reason == "cost"
    assert summary is not None
    assert summary.cost is not None
    # Half a dollar a row is kept while it is in flight: 50 tokens at the most, at half the price.
    assert 4 <= asked < 25
    assert summary.cost <= 2.0


@pytest.mark.parametrize(
    "wrong", [{"batch_rows": 0}, {"batch_rows": 50_001}, {"batch_bytes": 0}, {"batch_poll": -1.0}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(bulk.BulkInputError, match="batch_"):
        BulkSettings(via="batch", **wrong)
