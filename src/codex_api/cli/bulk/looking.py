"""``codex-api bulk estimate`` and ``status``."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from codex_api.bulk import Prices, RequestFile
from codex_api.bulk.forecast import estimate as reckon
from codex_api.bulk.history import read_history
from codex_api.bulk.journal_files import read_journal
from codex_api.bulk.manifest import beside
from codex_api.bulk.report_page import report_page
from codex_api.cli.bulk.figures import duration, money, short, summary_lines
from codex_api.cli.console import note
from codex_api.cli.listing import print_json
from codex_api.cli.output_files import check_target, unwritable
from codex_api.types.atomic_file import write_atomically

if TYPE_CHECKING:
    from codex_api.bulk import InputFacts
    from codex_api.bulk.journal_files import JournalState

_JSON = Parameter(name="--json", negative="", show_default=False, help="Print one JSON object.")


def estimate(
    source: Annotated[Path, Parameter(help="File of requests, one a line.")],
    *,
    prices: Annotated[Path | None, Parameter(help="TOML file of prices.")] = None,
    rpm: Annotated[float | None, Parameter(help="Requests a minute that the account has.")] = None,
    tpm: Annotated[float | None, Parameter(help="Tokens a minute that the account has.")] = None,
    assumed_output: Annotated[
        int, Parameter(help="Tokens of an answer whose row has no max_output_tokens.")
    ] = 500,
    json_object: Annotated[bool, _JSON] = False,
) -> None:
    """Say what a file of requests will need."""
    facts = RequestFile(source).scan()
    known = None if prices is None else Prices.load(prices)
    print_estimate(facts, known, rpm, tpm, assumed_output, as_json=json_object)


def print_estimate(
    facts: InputFacts,
    prices: Prices | None,
    rpm: float | None = None,
    tpm: float | None = None,
    assumed_output: int = 500,
    *,
    as_json: bool,
) -> None:
    """Print what a file will need."""
    needed = reckon(
        facts,
        prices=prices,
        requests_a_minute=rpm,
        tokens_a_minute=tpm,
        assumed_output=assumed_output,
    )
    if as_json:
        print_json({"input": facts, **msgspec.to_builtins(needed)})
        return
    models = ", ".join(f"{name or 'none named'} {n:,}" for name, n in facts.models.items())
    lines = [
        f"rows\t{needed.rows:,}",
        f"models\t{models}",
        f"tokens in\tabout {short(needed.input_tokens)}",
        f"tokens out\tat most {short(needed.max_output_tokens)}",
    ]
    if needed.unbounded:
        lines.append(
            f"\t{needed.unbounded:,} rows have no max_output_tokens; {assumed_output} are assumed"
        )
    if needed.cost is not None:
        lines.append(f"cost\tat most about {money(needed.cost)}")
    elif needed.unpriced:
        lines.append(f"cost\tunknown: no price for {', '.join(needed.unpriced)}")
    if needed.seconds is not None:
        lines.append(f"time\tat least {duration(needed.seconds)}, by the limit on {needed.limit}")
    sys.stdout.write("\n".join(lines).expandtabs(12) + "\n")


def status(
    output: Annotated[Path, Parameter(help="Output of a run that goes on, or ended.")],
    *,
    html: Annotated[
        Path | None, Parameter(help="Draw how it went over time into this file.")
    ] = None,
    json_object: Annotated[bool, _JSON] = False,
) -> None:
    """Say what became of a file of requests."""
    check_target(html, "--html")
    state = read_journal(output)
    if html is not None:
        page = report_page(state, read_history(beside(output, "history")))
        try:
            write_atomically(html, page.encode())
        except OSError as exc:
            raise unwritable(html, exc, "--html") from None
        note(f"wrote {html}")
    if json_object:
        print_json(state)
        return
    sys.stdout.write("\n".join(_lines(state)) + "\n")


def _lines(state: JournalState) -> list[str]:
    lines = [f"{state.path}: {_course(state)}"]
    if state.manifest is not None and state.manifest.input is not None:
        shard = state.manifest.shard
        part = "" if shard is None else f", shard {shard[0]}/{shard[1]}"
        lines.append(f"source: {state.manifest.input.path}{part}")
    lines += summary_lines(state.summary)
    if state.wrong_lines:
        lines.append(f"lines that cannot be read: {state.wrong_lines}")
    return lines


def _course(state: JournalState) -> str:
    if state.is_running:
        return "a run goes on"
    if state.summary.left == 0:
        return "finished"
    last = state.manifest.runs[-1] if state.manifest is not None and state.manifest.runs else None
    if last is None:
        return "no run is known"
    if last.ended_at is None:
        return "the last run was killed"
    return f"the last run ended: {state.summary.stopped or 'done'}"
