"""Sticky state of one turn."""

from __future__ import annotations


class TurnState:
    """A cell that is set once: the first value offered stays, later ones are ignored.

    The server hands out a value with the first response of a turn and wants it back with every
    further request of the same turn. Make a new cell for each turn. Safe to share between threads.
    """

    __slots__ = ("_cell",)

    def __init__(self, value: str | None = None) -> None:
        self._cell: dict[str, list[str]] = {}
        if value is not None:
            self.offer(value)

    def get(self) -> str | None:
        """Return the value, or None before the first offer."""
        offered = self._cell.get("offered")
        return offered[0] if offered else None

    def offer(self, value: str) -> bool:
        """Set the value unless there is one; tell whether this call did."""
        # One dictionary operation is atomic to the interpreter; identity tells who was first.
        offered = [value]
        return self._cell.setdefault("offered", offered) is offered

    def __repr__(self) -> str:
        return f"TurnState({'set' if self._cell else 'unset'})"
