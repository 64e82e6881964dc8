"""``codex-api search``: queries and the other commands of the search endpoint."""

from __future__ import annotations

import uuid
from typing import Annotated

import msgspec
from cyclopts import Parameter

from codex_api.cli.connection import Connection
from codex_api.cli.listing import print_json, print_text
from codex_api.cli.respond import DEFAULT_MODEL
from codex_api.transport.errors import RequestBuildError
from codex_api.types.search import (
    SearchCommands,
    SearchContextSize,
    SearchQuery,
    SearchRequest,
    SearchResponseLength,
    SearchSettings,
)


def search(
    *queries: Annotated[str, Parameter(help="What to search for.", allow_leading_hyphen=True)],
    connection: Connection = Connection(),  # noqa: B008 - frozen
    model: str = DEFAULT_MODEL,
    recency: Annotated[int | None, Parameter(help="Only results of so many days back.")] = None,
    domain: Annotated[
        tuple[str, ...],
        Parameter(help="Only results from here; may be repeated.", negative="", show_default=False),
    ] = (),
    images: Annotated[
        bool, Parameter(negative="", show_default=False, help="Search for images.")
    ] = False,
    length: SearchResponseLength | None = None,
    context_size: SearchContextSize | None = None,
    live: Annotated[
        bool | None, Parameter(help="Whether the live web may be asked.", show_default=False)
    ] = None,
    thread_id: Annotated[
        str | None, Parameter(help="Conversation that references belong to. Default: a new one.")
    ] = None,
    commands: Annotated[
        str | None,
        Parameter(help='The whole command language as JSON, such as {"time":[...]}.'),
    ] = None,
    json_object: Annotated[
        bool,
        Parameter(name="--json", negative="", show_default=False, help="Print one JSON object."),
    ] = False,
) -> None:
    """Search, and print what was found."""
    found = [SearchQuery(query, recency, domain or None) for query in queries]
    wanted = SearchCommands() if commands is None else _commands(commands)
    if found:
        kind = {"image_query": found} if images else {"search_query": found}
        wanted = msgspec.structs.replace(wanted, **kind)
    if length is not None:
        wanted = msgspec.structs.replace(wanted, response_length=length)
    if wanted == SearchCommands():
        message = "there is nothing to search for: give a query, or --commands"
        raise RequestBuildError(message)
    settings = SearchSettings(search_context_size=context_size, external_web_access=live)
    request = SearchRequest(
        thread_id or str(uuid.uuid4()),
        model,
        commands=wanted,
        settings=None if settings == SearchSettings() else settings,
    )
    with connection.client() as client:
        response = client.search(request)
    if json_object:
        print_json(response)
    else:
        print_text(response.output)


def _commands(text: str) -> SearchCommands:
    try:
        commands = msgspec.json.decode(text, type=SearchCommands)
        given = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError) as exc:
        message = f"--commands: {exc}"
        raise RequestBuildError(message) from None
    known = SearchCommands.__struct_fields__
    for name in given.keys() - known:
        message = f"--commands: there is no command {name!r}; expected {', '.join(known)}"
        raise RequestBuildError(message)
    return commands
