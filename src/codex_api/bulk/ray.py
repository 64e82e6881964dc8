"""Bulk runs on Ray: an actor for ``Dataset.map_batches``, and one budget for all of them.

Ray runs whole blocks again when an actor dies. Each actor keeps a journal of its rows in one
folder, and looks into those of the others before it sends a row, so that only what was in flight is
paid again.
"""

from __future__ import annotations

import asyncio
import gc
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from codex_api._imports import installed_by
from codex_api.bulk.leases import BudgetOwner, LeasedBudget, pack, unpack
from codex_api.bulk.parquet_table import record_of, text_table
from codex_api.bulk.result_lines import RowError
from codex_api.bulk.row_source import CheckedRows
from codex_api.bulk.running import BulkRun, run
from codex_api.bulk.shared_journals import SharedJournals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from codex_api.bulk.leases import Lease, Report
    from codex_api.bulk.load import Load
    from codex_api.bulk.results import BulkResult
    from codex_api.bulk.settings import BulkSettings
    from codex_api.provider import Provider

_Body: TypeAlias = "Mapping[str, Any] | bytes"
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
    options = {"name": name, "namespace": "codex-api", "get_if_exists": True, "num_cpus": 0}
    options |= {"lifetime": "detached", "max_restarts": -1}
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
        self._journals = None if journals is None else SharedJournals(Path(journals))
        self._rows: asyncio.Queue[list[tuple[str, _Body]]] | None = None
        self._waiting: dict[str, list[_Answers]] = {}
        self._pump: asyncio.Task[None] | None = None

    async def __call__(self, batch: Mapping[str, Any]) -> AsyncIterator[Any]:
        """Answer a batch, with a table of Arrow."""
        if self._rows is None:
            self._start()
        assert self._rows is not None and self._pump is not None  # noqa: S101, PT018 - just set
        if self._journals is not None:
            self._journals.look()
        order = [str(custom_id) for custom_id in _column(batch, "custom_id")]
        answers, missing = _Answers(), list[tuple[str, _Body]]()
        for custom_id, body in zip(order, _column(batch, "body"), strict=True):
            line = None if self._journals is None else self._journals.line(custom_id)
            if line is not None:
                told = record_of(line)
                answers.records[custom_id] = tuple(str(told.get(name) or "") for name in COLUMNS)
            elif custom_id in self._waiting:
                self._waiting[custom_id].append(answers)
            else:
                self._waiting[custom_id] = [answers]
                missing.append((custom_id, body.encode() if isinstance(body, str) else body))
        self._rows.put_nowait(missing)
        answers.expect(set(order))
        # The pump ends only when the run was stopped, and then with an error.
        await asyncio.wait({self._pump, answers.all}, return_when=asyncio.FIRST_COMPLETED)
        if self._pump.done():
            self._pump.result()
        yield text_table(COLUMNS, [answers.records[custom_id] for custom_id in order])

    def _start(self) -> None:
        from codex_api import AsyncClient, Network  # noqa: PLC0415 - in the actor only

        # In a process of its own. Looking through Ray's modules and the rows that wait for the disk
        # again and again took a fifth of its time.
        gc.freeze()
        gc.set_threshold(50_000)
        provider, auth, name, most, settings = self._given
        journal = None if self._journals is None else self._journals.journal()
        self._rows = asyncio.Queue()
        client = AsyncClient(provider, auth, network=Network(max_idle_connections=None))
        budget = LeasedBudget(_owner(name, most), max_in_flight=most)
        rows = CheckedRows(self._coming())
        sending = run(client, rows, journal=journal, budget=budget, settings=settings)
        self._pump = asyncio.ensure_future(self._hand_out(sending))

    async def _coming(self) -> AsyncIterator[tuple[str, _Body]]:
        assert self._rows is not None  # noqa: S101 - the run has begun
        while True:
            for row in await self._rows.get():
                yield row

    async def _hand_out(self, sending: BulkRun) -> None:
        async for result in sending:
            custom_id = result.custom_id
            if self._journals is not None and result.error is None:
                self._journals.answered(custom_id)
            record = _record(result)
            for answers in self._waiting.pop(custom_id):
                answers.take(custom_id, record)


class _Answers:
    """Answers to a batch, some of which may be on their way."""

    def __init__(self) -> None:
        self.records: dict[str, tuple[str, ...]] = {}
        self.all: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._expected = -1

    def expect(self, ids: set[str]) -> None:
        self._expected = len(ids)
        self._see()

    def take(self, custom_id: str, record: tuple[str, ...]) -> None:
        self.records[custom_id] = record
        self._see()

    def _see(self) -> None:
        if len(self.records) == self._expected and not self.all.done():
            self.all.set_result(None)


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


def _column(batch: Mapping[str, Any], name: str) -> Sequence[Any]:
    """Return a column as Python values: of numpy, of Arrow, or of plain sequences."""
    column = batch[name]
    for method in ("to_pylist", "tolist"):
        if hasattr(column, method):
            return list(getattr(column, method)())
    return list(column)


def _record(result: BulkResult) -> tuple[str, ...]:
    response, error = result.response, result.error or RowError()
    body = "" if response is None else response.raw.decode("utf-8", "replace")
    outcome = result.facts.outcome
    return (result.custom_id, outcome, result.text, error.code, error.message, body)
