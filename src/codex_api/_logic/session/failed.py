"""That a function of the caller's raised."""

from __future__ import annotations

import msgspec


class Failed(msgspec.Struct, frozen=True):
    """What it raised."""

    error: Exception
