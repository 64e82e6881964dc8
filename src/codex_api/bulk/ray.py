"""Bulk runs on Ray: an actor for ``Dataset.map_batches``, and one budget for all of them.

Ray runs whole blocks again when an actor dies. Each actor keeps a journal of its rows in one
folder, and looks into those of the others before it sends a row, so that only what was in flight is
paid again.
"""

from __future__ import annotations

import asyncio
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from codex_api._imports import installed_by
from codex_api.bulk.journal import Journal
from codex_api.bulk.leases import BudgetOwner, LeasedBudget, pack, unpack
from codex_api.bulk.parquet_table import record_of
from codex_api.bulk.result_lines import KNOWN_LINE
from codex_api.bulk.row_ids import digest_of
from codex_api.bulk.running import BulkRun, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from codex_api.bulk.leases import Lease, Report
    from codex_api.bulk.load import Load
    from codex_api.bulk.results import BulkResult
    from codex_api.bulk.settings import BulkSettings
    from codex_api.provider import Provider

COLUMNS = ("custom_id", "outcome", "text", "error_code", "error_message", "body")


def shared_budget(name: str, share: float = 1.0, max_in_flight: int = 2000) -> Any:  # noqa: ANN401 - a handle
    """Find the actor that owns a budget, or start it. It outlives the driver; kill it at the end.

    Args:
        name: As ``BulkActor`` takes it.
        share: Of the account's limits, how much to use.
        max_in_flight: Calls at once, of all actors together.

    Raises:
        ModuleNotFoundError: The extra ``ray`` is missing.
    """
    with installed_by("ray", "ray"):
        ray: Any = import_module("ray")
    options = {
        "name": name,
        "namespace": "codex-api",
        "get_if_exists": True,
        "lifetime": "detached",
        "max_restarts": -1,
        "num_cpus": 0,
    }
    return ray.remote(BudgetOwner).options(**options).remote(share, max_in_flight)


class BulkActor:
    """Answers batches of rows with the columns ``custom_id`` and ``body`` (JSON, or a mapping).

    For ``map_batches(BulkActor, fn_constructor_kwargs={...}, concurrency=n)``.
    Batches come back with the columns of ``COLUMNS``; a row that failed has its error there.

    Args:
        provider: Where to send.
        auth: Credentials, which must pickle; None sends none.
        journals: Folder that all actors see, for their journals. None keeps none: then a block that
            is run again is paid again.
        budget: Name of a ``shared_budget``; None lets each actor have limits of its own.
        max_in_flight: Calls at once of this actor, and the price of its death.
        settings: Of the run; files of input and shards have no meaning here.
    """

    def __init__(
        self,
        provider: Provider,
        auth: Any = None,  # noqa: ANN401 - any kind of credentials
        *,
        journals: str | None = None,
        budget: str | None = None,
        max_in_flight: int = 500,
        settings: BulkSettings | None = None,
    ) -> None:
        self._given = (provider, auth, budget, max_in_flight, settings)
        self._folder = None if journals is None else Path(journals)
        self._found: dict[bytes, tuple[Path, int]] = {}
        self._read: dict[Path, int] = {}
        self._rows: asyncio.Queue[tuple[str, Mapping[str, Any] | bytes]] | None = None
        self._waiting: dict[str, asyncio.Future[BulkResult]] = {}
        self._pump: asyncio.Task[None] | None = None

    async def __call__(self, batch: Mapping[str, Sequence[Any]]) -> AsyncIterator[dict[str, Any]]:
        """Answer a batch."""
        if self._rows is None:
            self._start()
        assert self._rows is not None and self._pump is not None  # noqa: S101, PT018 - just set
        self._look()
        records: dict[str, dict[str, Any]] = {}
        calls: dict[str, asyncio.Future[BulkResult]] = {}
        order = [str(custom_id) for custom_id in batch["custom_id"]]
        for custom_id, body in zip(order, batch["body"], strict=True):
            known = self._found.get(digest_of(custom_id))
            if known is not None:
                records[custom_id] = _line_at(*known)
                continue
            if custom_id not in self._waiting:
                future: asyncio.Future[BulkResult] = asyncio.get_running_loop().create_future()
                self._waiting[custom_id] = future
                self._rows.put_nowait((custom_id, _body(body)))
            calls[custom_id] = self._waiting[custom_id]
        # The pump ends only when the run was stopped, and then with an error.
        both: set[asyncio.Future[Any]] = {self._pump, asyncio.gather(*calls.values())}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if self._pump.done():
            self._pump.result()
        records |= {custom_id: _record(future.result()) for custom_id, future in calls.items()}
        rows = [records[custom_id] for custom_id in order]
        yield {name: [row.get(name) or "" for row in rows] for name in COLUMNS}

    def _start(self) -> None:
        from codex_api import AsyncClient, Network  # noqa: PLC0415 - in the actor only

        provider, auth, name, most, settings = self._given
        journal = None
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            journal = Journal(self._folder / f"actor-{os.getpid()}-{os.urandom(4).hex()}.jsonl")
        self._rows = asyncio.Queue()
        client = AsyncClient(provider, auth, network=Network(max_idle_connections=None))
        budget = LeasedBudget(_owner(name, most), max_in_flight=most)
        sending = run(client, self._coming(), journal=journal, budget=budget, settings=settings)
        self._pump = asyncio.ensure_future(self._hand_out(sending))

    async def _coming(self) -> AsyncIterator[tuple[str, Mapping[str, Any] | bytes]]:
        assert self._rows is not None  # noqa: S101 - the run has begun
        while True:
            yield await self._rows.get()

    async def _hand_out(self, sending: BulkRun) -> None:
        async for result in sending:
            self._waiting.pop(result.custom_id).set_result(result)

    def _look(self) -> None:
        """Read what other actors, and those before them, have finished since the last look."""
        if self._folder is None:
            return
        for path in self._folder.glob("actor-*.jsonl"):
            offset = self._read.get(path, 0)
            with path.open("rb") as file:
                file.seek(offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    known = KNOWN_LINE.decode(line)
                    if known.x is not None and known.x.outcome != "failed":
                        self._found[digest_of(known.custom_id)] = (path, offset)
                    offset += len(line)
            self._read[path] = offset


def _owner(name: str | None, max_in_flight: int) -> Any:  # noqa: ANN401 - what LeasedBudget calls
    if name is None:
        own = BudgetOwner(max_in_flight=max_in_flight)

        async def here(*given: Any) -> Lease:  # noqa: ANN401 - passed on
            return own.exchange(*given)

        return here
    actor = shared_budget(name)

    async def there(holder: str, epoch: str, reports: list[Report], n: int, load: Load) -> Lease:
        data = pack(holder, epoch, reports, n, load)
        return unpack(await actor.exchange_packed.remote(data))

    return there


def _body(given: Any) -> Mapping[str, Any] | bytes:  # noqa: ANN401 - a column of any kind
    return given.encode() if isinstance(given, str) else given


def _line_at(path: Path, offset: int) -> dict[str, Any]:
    with path.open("rb") as file:
        file.seek(offset)
        return record_of(file.readline())


def _record(result: BulkResult) -> dict[str, Any]:
    record: dict[str, Any] = {"custom_id": result.custom_id, "outcome": result.facts.outcome}
    if result.response is not None:
        record |= {"text": result.text, "body": result.response.raw.decode("utf-8", "replace")}
    if result.error is not None:
        record |= msgspec.to_builtins({"error_code": result.error.code})
        record["error_message"] = result.error.message
    return record
