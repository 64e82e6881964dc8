"""Rows that the server answers in the background, against the embedded server."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from codex_api import bulk
from codex_api.bulk import BulkSettings, Journal, RateBudget
from codex_api.testing import EmbeddedServer
from tests.bulk.rows import body_of, client_of, ids, until, write_rows

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_start")]

SETTINGS = BulkSettings(via="background", base_delay=0.01)


def asked(server: EmbeddedServer) -> Counter[str]:
    return Counter(request.method for request in server.requests)


async def test_rows_are_answered_in_the_background(tmp_path: Path) -> None:
    source, out = write_rows(tmp_path / "in.jsonl", range(8)), tmp_path / "out.jsonl"
    with EmbeddedServer() as server:
        async with client_of(server.url) as client:
            run = bulk.run(client, source, journal=Journal(out), settings=SETTINGS)
            results = [result async for result in run]

    assert [result.error for result in results] == [None] * 8
    assert all(result.text for result in results)
    assert asked(server)["POST"] == 8
    assert asked(server)["GET"] >= 8


async def test_a_window_is_asked_for_where_a_row_says_nothing_of_one() -> None:
    own = {"completion_window": "2h"}
    rows = [("a", body_of("a")), ("b", body_of("b", background_options=own))]
    settings = BulkSettings(via="background", window="8h")
    with EmbeddedServer() as server:
        async with client_of(server.url) as client:
            results = [result async for result in bulk.run(client, rows, settings=settings)]
        sent = [request.json() for request in server.requests if request.method == "POST"]

    assert [result.error for result in results] == [None, None]
    assert {body["metadata"]["row"]: body["background_options"] for body in sent} == {
        "a": {"completion_window": "8h"},
        "b": own,
    }
    with pytest.raises(bulk.BulkInputError, match="via must be background"):
        BulkSettings(window="8h")


async def test_what_was_begun_is_asked_for_and_not_paid_again(tmp_path: Path) -> None:
    source, out = write_rows(tmp_path / "in.jsonl", range(40)), tmp_path / "out.jsonl"
    with EmbeddedServer() as server:
        async with client_of(server.url) as client:
            run = bulk.run(
                client,
                source,
                journal=Journal(out),
                settings=SETTINGS,
                budget=RateBudget(max_in_flight=4),
            )
            await run.__anext__()
            await until(lambda: asked(server)["POST"] >= 5)
            run.cut()
            count = 1 + len([result async for result in run])
            assert count < 40
            again = bulk.run(client, source, journal=Journal(out), settings=SETTINGS)
            count += len([result async for result in again])

    assert count == len(set(ids(out))) == 40
    created = asked(server)["POST"]
    assert created == 40 + again.summary.maybe_charged
    assert again.summary.interrupted == 0


async def test_a_response_that_is_gone_is_made_again_and_said(tmp_path: Path) -> None:
    source, out = write_rows(tmp_path / "in.jsonl", range(1)), tmp_path / "out.jsonl"
    journal = Journal(out)
    journal.keeps_ids = True
    journal.open(bulk.RequestFile(source).scan(), None, lambda _: None, lambda _: None)
    journal.remember(0, "id-0", "resp_long_gone", None)
    journal.close()
    with EmbeddedServer() as server:
        async with client_of(server.url) as client:
            run = bulk.run(client, source, journal=Journal(out), settings=SETTINGS)
            results = [result async for result in run]

    assert [result.error for result in results] == [None]
    assert run.summary.maybe_charged == 1
