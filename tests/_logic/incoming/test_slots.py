from __future__ import annotations

import pytest

from codex_api._logic.incoming.slots import Slots
from codex_api.types.item import Message


def message(item_id: str | None = "m") -> Message:
    return Message(role="assistant", content=[], id=item_id)


@pytest.mark.parametrize(
    ("item_id", "is_whole", "is_same"),
    [(None, True, True), (None, False, False), ("n", True, False)],
)
def test_only_a_late_whole_part_leads_to_a_finished_item(
    item_id: str | None, *, is_whole: bool, is_same: bool
) -> None:
    slots = Slots()
    finished = slots.finished(0, message())
    finished.done = (message(), b"{}")  # type: ignore[assignment]  # the bytes do not matter

    found = slots.part_of("message", 0, item_id, is_whole=is_whole)

    assert (found is finished) is is_same
    assert len(slots.in_order()) == (1 if is_same else 2)
