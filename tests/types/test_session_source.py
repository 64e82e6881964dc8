from __future__ import annotations

import pytest

from codex_api.types.session_source import SessionSource


def test_a_source_is_an_editor_unless_said_otherwise() -> None:
    assert SessionSource() == SessionSource("vscode")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cli", SessionSource("cli")),
        ("vscode", SessionSource("vscode")),
        ("exec", SessionSource("exec")),
        ("mcp", SessionSource("mcp")),
        ("unknown", SessionSource("unknown")),
        ("review", SessionSource.subagent("review")),
        ("subagent:critic", SessionSource.subagent("critic")),
        ("internal:memory_consolidation", SessionSource.internal()),
        ("custom:x:y", SessionSource.custom("x:y")),
        ("subagent:", SessionSource.custom("subagent:")),
        ("my program", SessionSource.custom("my program")),
        ("", SessionSource.custom("")),
    ],
)
def test_short_names(name: str, expected: SessionSource) -> None:
    assert SessionSource.parse(name) == expected
