"""``codex-api bulk run`` and ``retry``."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from codex_api.bulk import (
    BulkSettings,
    BulkStoppedError,
    Journal,
    RateBudget,
    RequestFile,
    stop_on_signals,
)
from codex_api.bulk import (
    run as begin,
)
from codex_api.bulk.journal_files import release_rows
from codex_api.bulk.manifest import read_manifest
from codex_api.cli import exit_codes
from codex_api.cli.bulk.dashboard import display_of
from codex_api.cli.bulk.figures import summary_lines
from codex_api.cli.bulk.looking import print_estimate
from codex_api.cli.bulk.options import Pace, Treatment
from codex_api.cli.connection import Connection
from codex_api.cli.console import complain, note, notes
from codex_api.cli.listing import print_json
from codex_api.transport.errors import RequestBuildError
from codex_api.transport.network import Network

if TYPE_CHECKING:
    from codex_api.bulk import BulkSummary
    from codex_api.bulk.journal import JournalMode
    from codex_api.cli.connection import Endpoint

_STOPS = {
    "credentials": exit_codes.AUTH,
    "quota": exit_codes.LIMIT,
    "usage limit": exit_codes.LIMIT,
    "cost": exit_codes.LIMIT,
    "stalled": exit_codes.LIMIT,
    "interrupted": exit_codes.INTERRUPTED,
}


def run(
    source: Annotated[Path, Parameter(help="File of requests, one a line.")],
    *,
    output: Annotated[
        Path | None, Parameter(help="Where answers go. Default: the source's name with .out.jsonl.")
    ] = None,
    resume: Annotated[
        bool, Parameter(negative="", help="Go on where an earlier run ended, if there was one.")
    ] = False,
    fresh: Annotated[
        bool, Parameter(negative="", help="Move an output that is there aside, and begin anew.")
    ] = False,
    other_input: Annotated[
        bool,
        Parameter(negative="", help="Resume though the source has changed; rows go by their ids."),
    ] = False,
    shard: Annotated[
        str | None, Parameter(help="Send a part only, such as 3/16: the third of 16.")
    ] = None,
    dry_run: Annotated[
        bool, Parameter(negative="", help="Check the source, say what it needs, send nothing.")
    ] = False,
    json_events: Annotated[
        bool,
        Parameter(name="--json", negative="", help="Print events as JSON, one a line."),
    ] = False,
    pace: Pace = Pace(),  # noqa: B008 - frozen
    treatment: Treatment = Treatment(),  # noqa: B008 - frozen
    connection: Connection = Connection(),  # noqa: B008 - frozen
) -> int:
    """Send a file of requests."""
    if resume and fresh:
        message = "--resume and --fresh exclude each other"
        raise RequestBuildError(message)
    target = output or source.with_name(f"{source.stem}.out.jsonl")
    if not target.parent.is_dir():
        message = f"--output {target}: expected a file in a folder that exists"
        raise RequestBuildError(message)
    settings = treatment.settings(_shard(shard))
    if dry_run:
        facts = RequestFile(source).scan()
        print_estimate(facts, settings.prices, as_json=json_events)
        return exit_codes.OK
    mode: JournalMode = "resume" if resume else "fresh" if fresh else "new"
    journal = Journal(target, mode=mode, intents=treatment.intents, other_input=other_input)
    with connection.endpoint() as end:
        return _send(end, source, journal, pace, settings, as_json=json_events)


def retry(
    output: Annotated[Path, Parameter(help="Output of an earlier run.")],
    *,
    errors: Annotated[
        str | None,
        Parameter(help="Kinds of failures, such as server,timeout. Default: all failures."),
    ] = None,
    json_events: Annotated[
        bool,
        Parameter(name="--json", negative="", help="Print events as JSON, one a line."),
    ] = False,
    pace: Pace = Pace(),  # noqa: B008 - frozen
    treatment: Treatment = Treatment(),  # noqa: B008 - frozen
    connection: Connection = Connection(),  # noqa: B008 - frozen
) -> int:
    """Send rows again that failed."""
    manifest = read_manifest(output)
    if manifest is None or manifest.input is None:
        message = f"{output}: it has no manifest that names its source"
        raise RequestBuildError(message)
    source = Path(manifest.input.path)
    if not source.is_file():
        message = f"{source}: the source of {output} is not there"
        raise RequestBuildError(message)
    settings = treatment.settings(manifest.shard)
    kinds = None if errors is None else {kind.strip() for kind in errors.split(",")}
    with connection.endpoint() as end:
        count = release_rows(output, kinds)
        if not json_events:
            note(f"{count:,} rows that failed are sent again")
        journal = Journal(output, intents=treatment.intents)
        return _send(end, source, journal, pace, settings, as_json=json_events)


def _send(
    end: Endpoint,
    source: Path,
    journal: Journal,
    pace: Pace,
    settings: BulkSettings,
    *,
    as_json: bool,
) -> int:
    budget = pace.budget()
    _allow_files(pace.max_in_flight)
    summary, error = asyncio.run(
        _carried_out(end, source, journal, budget, settings, as_json=as_json)
    )
    if as_json:
        print_json({"type": "summary", "summary": summary, "error": error and str(error)})
    else:
        with suppress(OSError):
            for line in summary_lines(summary):
                notes().print(line)
            notes().print(f"results: {journal.path}")
    if error is not None:
        complain(str(error))
    return _code(summary, error)


async def _carried_out(
    end: Endpoint,
    source: Path,
    journal: Journal,
    budget: RateBudget,
    settings: BulkSettings,
    *,
    as_json: bool,
) -> tuple[BulkSummary, BulkStoppedError | None]:
    from codex_api._async.client import AsyncClient  # noqa: PLC0415 - not for a dry run

    network = Network(max_idle_connections=None)
    client = AsyncClient(end.provider, end.auth, timeouts=end.timeouts, network=network)
    error: BulkStoppedError | None = None
    async with client:
        sending = begin(client, source, journal=journal, budget=budget, settings=settings)
        display = display_of(sending, f"{source} -> {journal.path}", as_json=as_json)
        with stop_on_signals(sending, display.told):
            async with sending, display:
                try:
                    async for result in sending:
                        display.row(result)
                except BulkStoppedError as exc:
                    error = exc
    return sending.summary, error


def _code(summary: BulkSummary, error: BulkStoppedError | None) -> int:
    if error is not None:
        return _STOPS.get(error.reason, exit_codes.FAILED)
    if summary.stopped is not None:
        return _STOPS.get(summary.stopped, exit_codes.FAILED)
    return exit_codes.FAILED if summary.failed else exit_codes.OK


def _shard(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal()) or not 1 <= int(number) <= int(of):
        message = "--shard needs a number and a count, such as 3/16"
        raise RequestBuildError(message)
    return int(number), int(of)


def _allow_files(count: int) -> None:
    """Let the process have as many connections as may be in flight, if it can."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not everywhere

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
