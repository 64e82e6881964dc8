"""What a forked child does with connections that it inherits: it lets go of them.

A socket is one connection however many processes hold it. A child that wrote to it, or ended it
properly, would break the parent's; so it only closes its own handle.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Inheritable(Protocol):
    """Something that a forked child must not go on using."""

    def disown(self) -> None:
        """Let go of what belongs to the parent, without a word to any peer."""
        ...


_alive: WeakSet[Inheritable] = WeakSet()


def disown_after_fork(owner: Inheritable) -> None:
    """Have ``owner.disown()`` called in every child that this process forks while it is alive."""
    _alive.add(owner)


def _after_fork_in_child() -> None:
    for owner in list(_alive):
        owner.disown()
    _alive.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
