from __future__ import annotations

from typing import Any

import msgspec
import pytest

from codex_api._logic.session.remembered_items import Extent, RememberedItems
from codex_api.items import FunctionCall, Message
from codex_api.types.content import InputText

OPAQUE: dict[str, Any] = {"type": "message", "role": "user", "content": "hi"}


def plain() -> Message:
    return Message(role="user", content=[InputText("a")])


def telling() -> Message:
    return Message.user("a")


def change(item: Any) -> None:
    if isinstance(item, dict):
        item["content"] = "changed"
    else:
        item.content.append(InputText("more"))


class Encoder:
    """Encodes, and counts how many items it was given."""

    def __init__(self) -> None:
        self.given = 0

    def __call__(self, items: list[Any]) -> bytes:
        self.given += len(items)
        return msgspec.json.encode(items)


def remembered(*items: Any) -> RememberedItems:
    history = RememberedItems(Encoder())
    for item in items:
        history.add([item])
    return history


def test_mappings_beyond_the_cut_may_change() -> None:
    first, second = dict(OPAQUE), dict(OPAQUE)
    history = RememberedItems(msgspec.json.encode)
    history.add([first])
    extent = history.extent
    history.add([second])

    second["content"] = "changed"
    assert not history.are_unchanged()

    history.cut(extent)
    assert history.are_unchanged()
    assert history.common([first, second]) == 1

    first["content"] = "changed"
    assert not history.are_unchanged()


@pytest.mark.parametrize("make", [plain, telling, lambda: dict(OPAQUE)])
def test_a_change_inside_is_seen_until_the_item_is_forgotten(make: Any) -> None:
    first, second = make(), make()
    history = remembered(first)
    extent = history.extent
    history.add([second])
    assert history.are_unchanged()
    change(second)
    assert not history.are_unchanged()

    history.cut(extent)
    assert history.are_unchanged()
    change(first)
    assert not history.are_unchanged()
    history.cut(Extent())
    assert history.are_unchanged()
    assert history.extent == Extent()


def test_a_change_of_another_list_changes_nothing_that_is_remembered() -> None:
    history = remembered(telling())
    change(telling())

    assert history.are_unchanged()


def test_of_equal_mappings_only_the_same_object_is_known() -> None:
    item = dict(OPAQUE)
    history = remembered(item, item)

    assert history.common([item, item]) == 2
    assert history.common([item, dict(OPAQUE)]) == 1
    assert history.common([dict(OPAQUE), item]) == 0


def test_of_equal_values_with_numbers_only_the_same_object_is_known() -> None:
    first, second = (
        FunctionCall(name="f", arguments="{}", call_id="c", async_=True) for _ in range(2)
    )

    assert remembered(first).common([second]) == 0
    assert remembered(first).common([first]) == 1


def test_values_are_never_encoded_and_mappings_each_time() -> None:
    encoder = Encoder()
    history = RememberedItems(encoder)
    history.add([plain(), telling(), FunctionCall(name="f", arguments="", call_id="", async_=True)])
    assert history.are_unchanged()
    assert encoder.given == 0

    history.add([dict(OPAQUE)])
    assert history.are_unchanged()
    assert encoder.given == 2
