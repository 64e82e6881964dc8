"""Results on standard output: tables for people, tab-separated lines for pipes, JSON on request."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from codex_api.cli import exit_codes
from codex_api.cli.console import complain, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codex_api.types.stored import Deleted


def print_json(value: object) -> None:
    """Print ``value`` as one line of JSON."""
    print_raw(msgspec.json.encode(value))


def print_raw(line: bytes) -> None:
    """Print JSON that is encoded already, on one line however a server laid it out."""
    sys.stdout.write(one_line_json(line).decode("utf-8", "replace") + "\n")


def one_line_json(data: bytes) -> bytes:
    """Return JSON without the white space between its parts."""
    return msgspec.json.format(data, indent=-1)


def print_text(text: str) -> None:
    """Print text of a server, without what could steer a terminal."""
    sys.stdout.write(printable(text).rstrip("\n") + "\n")


def show_deleted(gone: Deleted, *, json_object: bool) -> int:
    """Print the id of what was deleted, or complain; return the exit code."""
    if json_object:
        print_json({"id": gone.id, "deleted": gone.deleted})
    elif gone.deleted:
        print_text(gone.id)
    else:
        complain(f"{gone.id} is still there, says the server")
    return exit_codes.OK if gone.deleted else exit_codes.FAILED


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows: aligned on a terminal, one tab-separated line each elsewhere."""
    if not sys.stdout.isatty():
        for row in rows:
            sys.stdout.write("\t".join(_flat(cell) for cell in row) + "\n")
        return
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(printable(cell) for cell in row))
    Console(markup=False, highlight=False, emoji=False).print(table)


def _flat(cell: str) -> str:
    return " ".join(printable(cell).split())
