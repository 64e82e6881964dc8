"""``codex-api files``: files in the store of the public API."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from codex_api.cli.connection import Connection
from codex_api.cli.listing import print_json, print_table, show_deleted
from codex_api.cli.output_files import check_target, unwritable
from codex_api.types.atomic_file import write_atomically
from codex_api.types.files import FileObject

if TYPE_CHECKING:
    from msgspec import Raw

files_app: App = App(name="files", help="Files of the public API's store.", help_format="plaintext")

COLUMNS = ("file", "name", "bytes", "purpose")
_Id = Annotated[str, Parameter(name="ID", help="Id of the file.")]
_Json = Annotated[
    bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON.")
]


@files_app.command(name="list")
def list_files(
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    purpose: Annotated[str | None, Parameter(help="Only those for this, such as batch.")] = None,
    limit: Annotated[int | None, Parameter(help="How many to list. Default: all.")] = None,
    json_lines: _Json = False,
) -> None:
    """List the files, the newest first. 'codex-api upload --purpose' adds one."""
    with connection.client() as client:
        found = list(islice(client.files.list(purpose=purpose), limit))
    if not json_lines:
        print_table(COLUMNS, [_row(file) for file in found])
        return
    for file in found:
        print_json(file)


@files_app.command
def get(
    file_id: _Id,
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    json_object: _Json = False,
) -> None:
    """Print what is known of a file."""
    with connection.client() as client:
        file = client.files.retrieve(file_id)
    if json_object:
        print_json(file)
    else:
        print_table(COLUMNS, [_row(file)])


@files_app.command
def content(
    file_id: _Id,
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    output: Annotated[
        Path | None, Parameter(help="File to write. Default: standard output.")
    ] = None,
) -> None:
    """Print the content of a file, byte for byte."""
    check_target(output)
    with connection.client() as client:
        data = client.files.content(file_id)
    deliver(data, output)


@files_app.command
def delete(
    file_id: _Id,
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    json_object: _Json = False,
) -> int:
    """Delete a file, and print its id."""
    with connection.client() as client:
        gone = client.files.delete(file_id)
    return show_deleted(gone, json_object=json_object)


def deliver(data: bytes, output: Path | None) -> None:
    """Write bytes to a file, or to standard output as they are.

    Raises:
        RequestBuildError: The file cannot be written.
    """
    if output is not None:
        try:
            write_atomically(output, data)
        except OSError as exc:
            raise unwritable(output, exc) from None
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _row(file: FileObject | Raw) -> tuple[str, ...]:
    if not isinstance(file, FileObject):
        return ("?", "(unreadable; see --json)", "", "")
    return (file.id, file.filename, f"{file.bytes:,}", file.purpose)
