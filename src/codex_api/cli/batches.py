"""``codex-api batch``: many requests in a file, answered within a day."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import App, Parameter

from codex_api._logic.calling.background import Polling
from codex_api.cli import exit_codes
from codex_api.cli.connection import Connection
from codex_api.cli.console import complain
from codex_api.cli.kept_files import deliver
from codex_api.cli.listing import print_raw, print_table, print_text
from codex_api.cli.output_files import check_target
from codex_api.cli.request_options import read_metadata
from codex_api.transport.errors import RequestBuildError
from codex_api.types.batches import Batch

if TYPE_CHECKING:
    from msgspec import Raw

    from codex_api._sync.client import Client

batch_app: App = App(
    name="batch", help="Many requests in a file, answered within a day.", help_format="plaintext"
)


class _Problem(msgspec.Struct):
    message: str | None = None
    line: int | None = None


class _Problems(msgspec.Struct):
    data: list[_Problem] = msgspec.field(default_factory=list[_Problem])


COLUMNS = ("batch", "status", "done", "failed", "of")
_Id = Annotated[str, Parameter(name="ID", help="Id of the batch.")]
_Json = Annotated[
    bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON.")
]


@batch_app.command
def create(
    file: Annotated[
        Path | None,
        Parameter(help="Requests, one JSON object a line: custom_id, method, url, body."),
    ] = None,
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    file_id: Annotated[
        str | None, Parameter(help="Of a file that is there already, in place of FILE.")
    ] = None,
    endpoint: Annotated[str, Parameter(help="Where each request goes.")] = "/v1/responses",
    metadata: Annotated[
        tuple[str, ...],
        Parameter(
            help="One 'name=value' to keep with it; may be repeated.",
            negative="",
            show_default=False,
        ),
    ] = (),
    json_object: _Json = False,
) -> None:
    """Upload a file of requests, begin a batch of it, and print the id of the batch."""
    if (file is None) == (file_id is None):
        message = "give FILE or --file-id"
        raise RequestBuildError(message)
    pairs = read_metadata(metadata)
    with connection.client() as client:
        if file is not None:
            file_id = client.files.create(file, "batch").id
        batch = client.batches.create(file_id or "", endpoint, metadata=pairs or None)
    if json_object:
        print_raw(batch.raw)
    else:
        print_text(batch.id)


@batch_app.command
def get(
    batch_id: _Id,
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    wait: Annotated[
        bool, Parameter(negative="", show_default=False, help="Wait until it is finished.")
    ] = False,
    json_object: _Json = False,
) -> int:
    """Print how far a batch is. One that ended otherwise than complete has exit code 1."""
    with connection.client() as client:
        batch = _looked_at(client, batch_id, connection, wait=wait)
    if json_object:
        print_raw(batch.raw)
    else:
        print_table(COLUMNS, [_row(batch)])
    if not batch.is_finished or batch.status == "completed":
        return exit_codes.OK
    complain(f"the batch is {batch.status}{_why(batch)}")
    return exit_codes.FAILED


@batch_app.command
def cancel(
    batch_id: _Id,
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    json_object: _Json = False,
) -> None:
    """Stop a batch, and print its status; what was answered by then is kept."""
    with connection.client() as client:
        batch = client.batches.cancel(batch_id)
    if json_object:
        print_raw(batch.raw)
    else:
        print_text(batch.status)


@batch_app.command(name="list")
def list_batches(
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    limit: Annotated[int | None, Parameter(help="How many to list. Default: all.")] = None,
    json_lines: _Json = False,
) -> None:
    """List the batches, the newest first."""
    with connection.client() as client:
        found = list(islice(client.batches.list(), limit))
    if not json_lines:
        print_table(COLUMNS, [_row(batch) for batch in found])
        return
    for batch in found:
        print_raw(batch.raw if isinstance(batch, Batch) else bytes(batch))


@batch_app.command
def results(
    batch_id: _Id,
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    failed: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Give the requests that failed instead."),
    ] = False,
    output: Annotated[
        Path | None, Parameter(help="File to write. Default: standard output.")
    ] = None,
) -> int:
    """Return the answers, one JSON object a line, in the order of the server."""
    check_target(output)
    with connection.client() as client:
        batch = client.batches.retrieve(batch_id)
        file_id = batch.error_file_id if failed else batch.output_file_id
        if file_id is None:
            what = "failed requests" if failed else "answers"
            complain(f"the batch has no {what}: it is {batch.status}{_why(batch)}")
            return exit_codes.FAILED
        content = client.files.content(file_id)
    deliver(content, output)
    return exit_codes.OK


def _looked_at(client: Client, batch_id: str, connection: Connection, *, wait: bool) -> Batch:
    polling = Polling(None, connection.timeout, time.monotonic())
    while True:
        batch = client.batches.retrieve(batch_id)
        if batch.is_finished or not wait:
            return batch
        time.sleep(polling.pause(time.monotonic()))


def _row(batch: Batch | Raw) -> tuple[str, ...]:
    if not isinstance(batch, Batch):
        return ("?", "(unreadable; see --json)", "", "", "")
    counts = batch.request_counts
    return (batch.id, batch.status, *map(str, (counts.completed, counts.failed, counts.total)))


def _why(batch: Batch) -> str:
    """Return what the server says of the file of requests, its first line."""
    try:
        problems = msgspec.convert(batch.errors or {}, _Problems).data
    except msgspec.ValidationError:
        return ""
    if not problems:
        return ""
    first = problems[0]
    where = "" if first.line is None else f"line {first.line}: "
    return f": {where}{first.message}"
