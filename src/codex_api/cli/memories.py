"""``codex-api memories``: summaries of recorded sessions."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from codex_api.cli.connection import Connection
from codex_api.cli.console import notes
from codex_api.cli.listing import print_json, print_table
from codex_api.cli.request_files import read_history
from codex_api.cli.respond import DEFAULT_MODEL
from codex_api.types.memories import (
    MemorySummarizeInput,
    MemorySummarizeOutput,
    RawMemory,
    RawMemoryMetadata,
)
from codex_api.types.reasoning import Reasoning

if TYPE_CHECKING:
    from codex_api.types.memories import MemorySummary

memories_app: App = App(
    name="memories", help="Summarize recorded sessions.", help_format="plaintext"
)


@memories_app.command
def summarize(
    *traces: Annotated[
        Path, Parameter(help="Files of items: a JSON list, or one item a line; one or more.")
    ],
    connection: Connection = Connection(),  # noqa: B008 - frozen
    model: str = DEFAULT_MODEL,
    reasoning: Annotated[
        str | None, Parameter(help="Effort: none, minimal, low, medium, high ...")
    ] = None,
    json_lines: Annotated[
        bool,
        Parameter(name="--json", negative="", show_default=False, help="Print one summary a line."),
    ] = False,
) -> None:
    """Summarize each file by itself."""
    memories = [
        RawMemory(path.stem, RawMemoryMetadata(str(path)), read_history(path, "TRACES"))
        for path in traces
    ]
    given = MemorySummarizeInput(
        model, memories, Reasoning(effort=reasoning) if reasoning is not None else None
    )
    with connection.client() as client:
        summaries = client.memories.summarize(given)
    pairs = list(zip(traces, summaries, strict=False))
    if len(summaries) != len(traces):
        counts = f"{len(traces)} files were sent, and {len(summaries)} summaries came back"
        notes().print(counts, style="yellow")
    if json_lines:
        for path, summary in pairs:
            print_json({"source_path": str(path), "summary": _shown(summary)})
        return
    print_table(("trace", "memory"), [(str(path), _text(summary)) for path, summary in pairs])


def _shown(summary: MemorySummary) -> object:
    return summary if isinstance(summary, MemorySummarizeOutput) else summary.raw


def _text(summary: MemorySummary) -> str:
    if isinstance(summary, MemorySummarizeOutput):
        return summary.memory_summary
    return "(unreadable; see --json)"
