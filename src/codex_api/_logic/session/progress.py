"""What of one response has reached the caller so far, over all tries to get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from codex_api._logic.session.kept_items import Kept, split
from codex_api.events import (
    Completed,
    Created,
    ModelsEtag,
    OutputItemDone,
    RateLimits,
    ServerModel,
    ServerReasoningIncluded,
)
from codex_api.items import encode_item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api.events import ResponseEvent
    from codex_api.items import ResponseItem


# What an answer's headers say too; it does not show that the response itself has begun.
_PRELUDE = (ModelsEtag, RateLimits, ServerModel, ServerReasoningIncluded)
# Looked at one by one; all others, the many, are told by their class alone.
_TELLING = frozenset[type]((*_PRELUDE, OutputItemDone, Created, Completed))


class Progress:
    """Watches the events of one request.

    Args:
        keep_ids: Whether items that go back to the server keep their ids.

    Attributes:
        kept: Items of earlier tries that are input now, as they go out.
        response_id: Of the current try, once it is known.
        last_sequence: Number of the last event read, as the server counts, or None.
        received: Whether any event of the current try came from the response itself.
        completed: Whether the response came to its end.
    """

    def __init__(self, *, keep_ids: bool) -> None:
        self._keep_ids = keep_ids
        self._items: list[OutputItemDone] = []
        self._supplied: dict[str, bytes] = {}
        self._forms: list[tuple[bytes, ...]] = []
        self.kept: list[bytes] = []
        self.response_id: str | None = None
        self.last_sequence: int | None = None
        self.received: bool = False
        self.completed: bool = False

    @property
    def output_forms(self) -> list[tuple[bytes, ...]]:
        """All finished items of the response, each in the forms that a caller may send back."""
        return [*self._forms, *map(self._forms_of, self._items)]

    def begin_try(self) -> None:
        """Forget what belonged to the try before; kept items stay."""
        self._items = []
        self.response_id = self.last_sequence = None
        self.received = False

    def supply(self, outputs: Sequence[ResponseItem | msgspec.Raw]) -> None:
        """Take the outputs of tool calls that the caller has run already."""
        for output in outputs:
            encoded = encode_item(output, keep_ids=self._keep_ids)
            call_id = msgspec.json.decode(encoded, type=_Answer).call_id
            if call_id is not None:
                self._supplied[call_id] = encoded

    def observe(self, event: ResponseEvent) -> None:
        """Note what ``event`` tells, before the caller gets it."""
        kind = type(event)
        if kind not in _TELLING:
            self.received = True
        elif isinstance(event, OutputItemDone):
            self._items.append(event)
            self.received = True
        elif isinstance(event, Created | Completed):
            self.response_id = event.response_id or self.response_id
            self.completed = kind is Completed
            self.received = True

    def split(self) -> Kept:
        """Say what of the broken try would be kept."""
        return split([done.item for done in self._items], self._supplied)

    def keep(self, length: int) -> int:
        """Make input of the first ``length`` items of the broken try, and of their outputs.

        Returns:
            How many finished items are dropped.
        """
        for done in self._items[:length]:
            forms = self._forms_of(done)
            self._forms.append(forms)
            self.kept.append(forms[0])
        for done in self._items[:length]:
            answer = self._supplied.pop(getattr(done.item, "call_id", None) or "", None)
            if answer is not None:
                self._forms.append((answer,))
                self.kept.append(answer)
        return len(self._items) - length

    def _forms_of(self, done: OutputItemDone) -> tuple[bytes, ...]:
        sent = encode_item(done.item, keep_ids=self._keep_ids)
        return (sent, bytes(done.raw))


class _Answer(msgspec.Struct):
    call_id: str | None = None
