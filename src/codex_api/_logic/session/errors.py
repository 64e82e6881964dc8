"""Failures that only a session knows."""

from __future__ import annotations

from typing import Any

from codex_api.errors import StreamError


class ReplayRefusedError(StreamError):
    """The response broke off after something with side effects, and the caller asked for safety.

    The failure that broke it is the ``__cause__``.

    Attributes:
        item_type: Wire type of the item that asking again could do twice.
    """

    default_retryable = False
    default_message = "the response broke off and is not asked for again"

    def __init__(self, item_type: str = "") -> None:
        super().__init__(
            f"the response broke off after a {item_type} was handed out; asking again could do it "
            "twice, so the session does not (replay is 'safe')"
        )
        self.args: tuple[Any, ...] = (item_type,)
        self.item_type = item_type
