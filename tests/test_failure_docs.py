from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_api._logic.incoming.direct_events import LIVENESS_TAGS
from codex_api._logic.incoming.failure_table import BY_NAME, BY_STATUS, Row
from tests.fronts.test_repeats import REPEATS

PAGE = (Path(__file__).parents[1] / "docs" / "explanation" / "failures.md").read_text()
CALLS = {
    "respond": "`responses`",
    "stored": "`responses` with `store`",
    "background": "`responses` with `background`",
    "follow": "`responses`, by `responses.background`",
    "whole": "`responses` without a stream",
    "whole_and_stored": "`responses` without a stream, with `store`",
    "cancel": "`responses/{id}/cancel`",
    "count": "`responses/input_tokens`",
    "compact": "`responses/compact`",
    "converse": "`conversations`",
    "rename": "`conversations/{id}`",
    "add": "`conversations/{id}/items`",
    "batch": "`batches`",
    "cancel_batch": "`batches/{id}/cancel`",
    "store_file": "`files`, multipart",
    "announce": "`files`, the announcement of an upload",
    "draw": "`images/generations`",
    "edit": "`images/edits`",
    "look_up": "`alpha/search`",
    "summarize": "`memories/trace_summarize`",
    "ring": "`realtime/calls`",
    "ring_with_session": "`realtime/calls` with a session",
    "other": "any other, by `client.request`",
}


@pytest.mark.parametrize(("name", "row"), [*BY_NAME.items(), *BY_STATUS.items()], ids=str)
def test_the_page_has_every_row_of_the_table(name: str | int, row: Row) -> None:
    retryable = "yes" if row.retryable else "no"

    assert f"| `{name}` | `{row.error.__name__}` | {retryable} | {row.meaning} |" in PAGE


@pytest.mark.parametrize("call", REPEATS, ids=lambda call: call.__name__)
def test_the_page_says_how_often_a_post_is_made(call: Any) -> None:
    name: str = call.__name__
    counts = " | ".join(str(count) for count in REPEATS[call].values())

    assert f"| {CALLS[name]} | {counts} |" in PAGE


def test_the_page_names_the_signs_of_life() -> None:
    assert ", ".join(f"`{tag}`" for tag in LIVENESS_TAGS) in PAGE
