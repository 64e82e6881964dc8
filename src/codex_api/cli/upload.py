"""``codex-api upload``: a file sent to the backend."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from codex_api import provider as providers
from codex_api.cli.connection import Connection
from codex_api.cli.console import notes, printable
from codex_api.cli.listing import print_json, print_text

if TYPE_CHECKING:
    from codex_api.types.files import FileObject, UploadedFile


def upload(
    file: Annotated[Path, Parameter(help="The file, at most 512 MiB.")],
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    name: Annotated[str | None, Parameter(help="Name to announce. Default: the file's.")] = None,
    purpose: Annotated[
        str | None,
        Parameter(help="Use the public API's store: user_data, vision ..."),
    ] = None,
    json_object: Annotated[
        bool,
        Parameter(name="--json", negative="", show_default=False, help="Print one JSON object."),
    ] = False,
) -> None:
    """Upload a file and print how to refer to it.

    The download URL that --json prints is signed: whoever has it can read the file.
    """
    with connection.client() as client, _bar() as bar:
        task = bar.add_task(printable(name or file.name), total=None)

        def show(sent: int, total: int) -> None:
            bar.update(task, completed=sent, total=total)

        # The public API knows no other way of uploading.
        is_public = client.provider.base_url == providers.OPENAI_BASE_URL
        wanted = "user_data" if purpose is None and is_public else purpose
        result: UploadedFile | FileObject
        if wanted is None:
            result = client.files.upload(file, name, on_progress=show)
            reference = result.uri
        else:
            result = client.files.create(file, wanted, name=name, on_progress=show)
            reference = result.id
    if json_object:
        print_json(result)
    else:
        print_text(reference)


def _bar() -> Progress:
    # On a console that is no terminal nothing is drawn.
    console = notes()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
