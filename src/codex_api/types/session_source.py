"""Where a session comes from."""

from __future__ import annotations

from typing import Literal

import msgspec

SessionSourceKind = Literal[
    "cli", "vscode", "exec", "mcp", "custom", "internal", "subagent", "unknown"
]
_PLAIN: dict[str, SessionSourceKind] = {
    "cli": "cli",
    "vscode": "vscode",
    "exec": "exec",
    "mcp": "mcp",
    "unknown": "unknown",
}
_SUBAGENTS = frozenset(("review", "compact", "memory_consolidation", "thread_spawn"))


class SessionSource(msgspec.Struct, frozen=True, gc=False):
    """The program, or the agent inside it, that a session belongs to.

    Attributes:
        label: Which custom program, internal task or sub-agent; empty for the other kinds.
    """

    kind: SessionSourceKind = "vscode"
    label: str = ""

    @classmethod
    def custom(cls, label: str) -> SessionSource:
        """Name a program that has no kind of its own."""
        return cls("custom", label)

    @classmethod
    def internal(cls, label: str = "memory_consolidation") -> SessionSource:
        """Name a task that the application runs on its own behalf."""
        return cls("internal", label)

    @classmethod
    def subagent(cls, label: str) -> SessionSource:
        """Name a sub-agent; ``parse`` knows the four that every server knows."""
        return cls("subagent", label)

    @classmethod
    def parse(cls, name: str) -> SessionSource:
        """Read a short name.

        A kind without a label stands for itself, one of the four named sub-agents for that
        sub-agent, ``kind:label`` for both, and anything else for a custom program.
        """
        if name in _PLAIN:
            return cls(_PLAIN[name])
        if name in _SUBAGENTS:
            return cls.subagent(name)
        kind, _, label = name.partition(":")
        makers = {"custom": cls.custom, "internal": cls.internal, "subagent": cls.subagent}
        if label and kind in makers:
            return makers[kind](label)
        return cls.custom(name)
