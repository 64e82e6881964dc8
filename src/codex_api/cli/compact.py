"""``codex-api compact``: a history made short."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import Annotated

from cyclopts import Parameter

from codex_api import items
from codex_api.cli.connection import Connection
from codex_api.cli.console import notes
from codex_api.cli.listing import one_line_json, print_raw, print_table
from codex_api.cli.output_files import check_target, unwritable
from codex_api.cli.request_files import read_history
from codex_api.cli.respond import DEFAULT_MODEL
from codex_api.types.atomic_file import write_atomically
from codex_api.types.compaction import CompactionInput, CompactionRoute
from codex_api.types.reasoning import Reasoning
from codex_api.types.request import ResponsesOptions

GIST_CHARS = 60


def compact(
    history: Annotated[Path, Parameter(help="File of items: a JSON list, or one item a line.")],
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    model: str = DEFAULT_MODEL,
    instructions: Annotated[
        str | None, Parameter(help="How to compact.", show_default=False)
    ] = None,
    reasoning: Annotated[
        str | None, Parameter(help="Effort: none, minimal, low, medium, high ...")
    ] = None,
    via: Annotated[
        CompactionRoute, Parameter(help="The compaction endpoint, the stream, or what there is.")
    ] = "auto",
    session_id: Annotated[
        str | None, Parameter(help="Requests of one session share a cache.")
    ] = None,
    output: Annotated[
        Path | None, Parameter(help="Write the new history here, one item a line.")
    ] = None,
    json_lines: Annotated[
        bool,
        Parameter(name="--json", negative="", show_default=False, help="Print one item a line."),
    ] = False,
) -> None:
    """Compact a history, and give the one to go on with.

    What --json prints and --output writes can be given to 'respond --input'.
    """
    check_target(output)
    given = read_history(history, "HISTORY")
    compaction = CompactionInput(
        model,
        given,
        instructions=instructions or "",
        reasoning=Reasoning(effort=reasoning) if reasoning is not None else None,
    )
    options = ResponsesOptions(conversation_id=session_id)
    with connection.client() as client:
        left = client.responses.compact(
            compaction, timeout=connection.timeout, via=via, options=options
        )
    lines = [one_line_json(items.encode_item(item, keep_ids=True)) for item in left]
    if output is not None:
        _write(output, lines)
    if json_lines:
        for line in lines:
            print_raw(line)
        return
    print_table(("item", "content"), [(item.type, _gist(item)) for item in left])
    notes().print(f"{len(given)} items became {len(left)}", style="dim")


def _write(path: Path, lines: list[bytes]) -> None:
    try:
        write_atomically(path, b"".join(line + b"\n" for line in lines))
    except OSError as exc:
        raise unwritable(path, exc) from None


def _gist(item: items.ResponseItem) -> str:
    if isinstance(item, items.Message):
        text = " ".join(item.text.split())
        return text if len(text) <= GIST_CHARS else text[:GIST_CHARS] + "..."
    if isinstance(item, items.Compaction):
        return f"{len(item.encrypted_content)} encrypted characters"
    return ""
