"""``codex-api get``, ``cancel`` and ``delete``: responses that the server keeps."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from codex_api import events, items
from codex_api._logic.incoming.whole_response import failure_of
from codex_api.cli.connection import Connection
from codex_api.cli.console import notes
from codex_api.cli.facts import usage_line
from codex_api.cli.listing import print_raw, print_text, show_deleted
from codex_api.cli.rendering import printer_for
from codex_api.cli.respond import show_stream
from codex_api.errors import ApiError
from codex_api.transport.errors import RequestBuildError
from codex_api.types.background import BackgroundHandle
from codex_api.types.request import ResponsesOptions

if TYPE_CHECKING:
    from codex_api._sync.client import Client
    from codex_api.types.response import Response

_Id = Annotated[str, Parameter(name="ID", help="Id of the response.")]
_Json = Annotated[
    bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON.")
]


def get(
    response_id: _Id,
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    wait: Annotated[
        bool, Parameter(negative="", show_default=False, help="Wait until it is finished.")
    ] = False,
    follow: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="Stream it, if it was begun with a stream."
        ),
    ] = False,
    starting_after: Annotated[
        int | None, Parameter(help="With --follow: number of the last event that is known.")
    ] = None,
    input_items: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="Print what it was made of, one item a line."
        ),
    ] = False,
    json_object: _Json = False,
) -> None:
    """Print a stored response: its text, or with --json all of it.

    One that failed or was cut off is printed as far as it came, and the exit code says so.
    """
    if wait + follow + input_items > 1:
        message = "give one of --wait, --follow and --input-items"
        raise RequestBuildError(message)
    if starting_after is not None and not follow:
        message = "--starting-after goes with --follow"
        raise RequestBuildError(message)
    with connection.client() as client:
        if follow:
            handle = BackgroundHandle(response_id=response_id, seen_through=starting_after)
            options = ResponsesOptions(other_events=json_object)
            show_stream(client.responses.reopen(handle, options).stream(), json_lines=json_object)
        elif input_items:
            _print_input(client, response_id)
        else:
            _show(_found(client, response_id, connection, wait=wait), json_object=json_object)


def cancel(
    response_id: _Id,
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    json_object: _Json = False,
) -> None:
    """Cancel a background response, and print its status; one that is finished stays as it is."""
    with connection.client() as client:
        response = client.responses.cancel(response_id)
    if json_object:
        print_raw(response.raw)
    else:
        print_text(response.status or "unknown")


def delete(
    response_id: _Id,
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    json_object: _Json = False,
) -> int:
    """Delete a stored response, and print its id."""
    with connection.client() as client:
        gone = client.responses.delete(response_id)
    return show_deleted(gone, json_object=json_object)


def _found(client: Client, response_id: str, connection: Connection, *, wait: bool) -> Response:
    if not wait:
        return client.responses.retrieve(response_id)
    background = client.responses.reopen(response_id)
    try:
        return background.wait(timeout=connection.timeout)
    except ApiError:
        if background.response is None or not background.response.is_finished:
            raise
        return background.response


def _print_input(client: Client, response_id: str) -> None:
    for item in client.responses.input_items(response_id, order="asc"):
        print_raw(items.encode_item(item, keep_ids=True))


def _show(response: Response, *, json_object: bool) -> None:
    if json_object:
        print_raw(response.raw)
    else:
        _print_output(response)
    if response.is_finished and response.status != "completed":
        raise failure_of(response)


def _print_output(response: Response) -> None:
    with printer_for(sys.stdout, json_lines=False) as printer:
        for item in response.output:
            if isinstance(item, items.Message):
                printer.show(events.OutputTextDelta(item.text))
            printer.show(events.OutputItemDone(item))
        if response.refusal is not None:
            printer.show(events.RefusalDelta(response.refusal))
    if not response.is_finished:
        notes().print(f"status: {response.status}", style="dim")
    if response.usage is not None:
        notes().print(usage_line(response.usage), style="dim")
