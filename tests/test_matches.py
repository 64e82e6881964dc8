"""Every ``match`` handles all that may come: type checkers find what a new member was forgotten in.

A ``match`` over a closed set of ours ends with ``assert_never``. The others stand below with the
reason why what they do not name is none of their business.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import codex_api

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(codex_api.__file__).parent

_OBSERVER = "needs some of the events; a new one means nothing to it until somebody says so"
_MAKER = "only some items are made of parts"
_WIRE = "the value comes from the wire, which may say anything"
_ERRORS = "users may raise classes of their own"
#: Functions whose ``match`` is open, by module.
OPEN = {
    "_async/session_link.py": {
        "next_events": "effects of the plan itself; `_perform` asserts the others"
    },
    "_logic/endpoints/compaction.py": {"routes": "a caller's value, refused with an error"},
    "_logic/incoming/assembler.py": {"add": _OBSERVER, "_rare": _OBSERVER},
    "_logic/incoming/collect.py": {"_add_fact": _OBSERVER},
    "_logic/incoming/made_items.py": {
        "_is_empty": _MAKER,
        "_filled": _MAKER,
        "_made_of_added": _MAKER,
    },
    "_logic/incoming/whole_response.py": {"_incomplete_reason": _WIRE},
    "_logic/outgoing/events.py": {
        "encode_event": "the others go to `_rare`, whose type names them"
    },
    "_logic/realtime/connection.py": {"_greet": _OBSERVER, "_passes": _ERRORS},
    "_logic/realtime/session_state.py": {"apply": _OBSERVER},
    "cli/chat.py": {"_show": _OBSERVER},
    "cli/realtime/transcript.py": {"show": _OBSERVER},
    "cli/rendering.py": {
        "show": _OBSERVER,
        "event_json": "other events are JSON already",
        "call_note": "only calls have a line of their own",
    },
    "otel/_spans.py": {"on_event": _OBSERVER},
    "testing/passages.py": {"receive": "a witness looks at some messages", "send": "as above"},
    "testing/server/calls.py": {"_asked": _WIRE},
    "testing/server/chat.py": {"_chunks": "only some events have a chunk"},
    "testing/server/chat_request.py": {"_part": _WIRE},
    "testing/server/local_tools.py": {"asked_of_client": _WIRE},
    "testing/server/model.py": {"_formatted": _WIRE},
    "testing/server/tool_checks.py": {"_check_tool": _WIRE},
    "testing/server/realtime/routes.py": {"_offer": _WIRE},
    "testing/server/schema_instances.py": {"_typed": _WIRE},
}


def matches(tree: ast.AST, function: str = "") -> Iterator[tuple[str, ast.Match]]:
    """Find each ``match`` with the name of the function around it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Match):
            yield function, node
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from matches(node, getattr(node, "name", "") if is_function else function)


def is_closed(match: ast.Match) -> bool:
    """Whether the last case catches everything else and asserts that there is nothing else."""
    last = match.cases[-1]
    is_wildcard = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
    return is_wildcard and ast.unparse(last.body[-1]).startswith("assert_never(")


def unclosed(source: str) -> set[str]:
    return {name for name, match in matches(ast.parse(source)) if not is_closed(match)}


SOURCES = {
    name: path.read_text()
    for path in sorted(PACKAGE.rglob("*.py"))
    if not (name := path.relative_to(PACKAGE).as_posix()).startswith("_sync/")
}


@pytest.mark.parametrize("name", [name for name, text in SOURCES.items() if "match " in text])
def test_a_match_over_a_closed_set_asserts_that_nothing_is_left(name: str) -> None:
    assert unclosed(SOURCES[name]) - OPEN.get(name, {}).keys() == set()


def test_no_open_match_is_listed_for_a_module_that_is_gone() -> None:
    assert OPEN.keys() <= SOURCES.keys()


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("case _: assert_never(x)", set()),
        ("case _: pass", {"f"}),
        ("case 2: assert_never(x)", {"f"}),
    ],
)
def test_what_closes_a_match(last: str, expected: set[str]) -> None:
    source = f"def f(x):\n  match x:\n    case 1: pass\n    {last}\n"

    assert unclosed(source) == expected
