"""That a function of the caller's raised."""

from __future__ import annotations

from typing import NamedTuple


class Failed(NamedTuple):
    """What it raised."""

    error: Exception
