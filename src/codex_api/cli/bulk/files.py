"""``codex-api bulk export`` and ``merge``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import Annotated

from cyclopts import Parameter

from codex_api.bulk.journal_files import RowOrder, export_rows, merge_journals
from codex_api.cli.bulk.figures import summary_lines
from codex_api.cli.console import note, notes
from codex_api.transport.errors import RequestBuildError


def export(
    output: Annotated[Path, Parameter(help="Output of a run.")],
    target: Annotated[
        str,
        Parameter(help="A file or URL that ends in .parquet or .jsonl, such as s3://b/r.parquet."),
    ],
    *,
    order: Annotated[
        RowOrder, Parameter(help="As rows were finished, or as the source has them.")
    ] = "finished",
) -> None:
    """Write the results as a table."""
    try:
        count = export_rows(output, target, order=order)
    except ModuleNotFoundError as exc:
        raise RequestBuildError(str(exc)) from None
    note(f"{count:,} rows: {target}")


def merge(
    *outputs: Annotated[Path, Parameter(help="Outputs of runs.")],
    output: Annotated[Path, Parameter(help="The file to write.")],
) -> None:
    """Put outputs into one file."""
    if not outputs:
        message = "merge needs at least one output"
        raise RequestBuildError(message)
    summary = merge_journals(outputs, output)
    for line in summary_lines(summary):
        notes().print(line)
