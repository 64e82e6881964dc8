"""Actors on Ray; only where Ray is installed."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from codex_api import Provider
from codex_api.bulk.parquet_table import text_table
from codex_api.bulk.ray import BulkActor, shared_budget
from tests.bulk.row_server import RowServer, limited
from tests.bulk.rows import body_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),  # what Ray says of itself
]
pytest.importorskip("ray.data")


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    ray: Any = pytest.importorskip("ray")

    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def rows(count: int) -> list[dict[str, str]]:
    return [
        {"custom_id": f"id-{row}", "body": msgspec.json.encode(body_of(row)).decode()}
        for row in range(count)
    ]


def test_half_a_character_fails_no_batch() -> None:
    table = text_table(("id", "text"), [("a", "whole"), ("b", "half \ud83d")])

    assert table.to_pydict() == {"id": ["a", "b"], "text": ["whole", "half ?"]}
    assert text_table(("id", "text"), []).num_rows == 0


def test_a_killed_actor_loses_no_row_and_pays_its_in_flight_again(ray: Any, tmp_path: Path) -> None:
    count, window = 600, 20
    owner = shared_budget("test-budget", 1.0, 100)
    with RowServer(limited(6_000, 100), latency=lambda _: 0.1) as server:
        dataset = ray.data.from_items(rows(count), override_num_blocks=12).map_batches(
            BulkActor,
            fn_constructor_kwargs={
                "provider": Provider("Test", server.url),
                "journals": str(tmp_path),
                "budget": "test-budget",
                "max_in_flight": window,
            },
            batch_size=50,
            concurrency=2,
        )
        out: list[str] = []
        killed = False
        for batch in dataset.iter_batches(batch_size=50):
            out += batch["custom_id"].tolist()
            if not killed and len(out) >= 100:
                killed = True
                newest = max(tmp_path.glob("actor-*.jsonl"), key=lambda path: path.stat().st_mtime)
                os.kill(int(newest.name.split("-")[1]), signal.SIGKILL)
        ray.kill(owner)
        paid_again = server.charged.total() - count

    assert killed
    assert Counter(out) == Counter(f"id-{row}" for row in range(count))
    # In flight, and answered in the moment before the kill.
    assert paid_again <= 2 * window
    assert server.refused <= 5
