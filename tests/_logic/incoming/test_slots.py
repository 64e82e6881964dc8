from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Raw

from codex_api._logic.incoming.slots import Slots
from codex_api.types.call_item import CustomToolCall, FunctionCall
from codex_api.types.content import OutputText
from codex_api.types.item import Message, UnknownItem

if TYPE_CHECKING:
    from codex_api._logic.incoming.slots import Slot
    from codex_api.types.item import ResponseItem

RAW = Raw(b"{}")


def message(item_id: str | None = "m") -> Message:
    return Message(role="assistant", content=[], id=item_id)


def part(slots: Slots, kind: str, index: int | None, item_id: str | None = None) -> Slot:
    return slots.part_of(kind, index, item_id, is_whole=False)


def finish(slots: Slots, index: int | None, item: ResponseItem) -> Slot:
    slot = slots.finished(index, item)
    slot.done = (item, RAW)
    return slot


def laid_over(slots: Slots, *items: ResponseItem) -> list[Slot]:
    return slots.lay_over([(item, RAW) for item in items])


@pytest.mark.parametrize(
    ("item_id", "is_whole", "is_same"),
    [(None, True, True), (None, False, False), ("n", True, False)],
)
def test_only_a_late_whole_part_leads_to_a_finished_item(
    item_id: str | None, *, is_whole: bool, is_same: bool
) -> None:
    slots = Slots()
    finished = finish(slots, 0, message())

    found = slots.part_of("message", 0, item_id, is_whole=is_whole)

    assert (found is finished) is is_same
    assert len(slots.in_order()) == (1 if is_same else 2)


def test_a_late_part_may_have_another_name_where_each_event_has_one() -> None:
    slots = Slots()
    begun = slots.begun(0, message("a"))
    finished = finish(slots, 0, message("b"))

    assert finished is begun
    assert slots.part_of("message", 0, "c", is_whole=True) is finished


def test_an_item_that_began_without_a_place_is_finished_at_any() -> None:
    slots = Slots()

    assert slots.begun(None, message(None)) is slots.finished(1, message(None))


@pytest.mark.parametrize(
    ("told", "begun"),
    [((0, "x"), (0, "y")), ((None, None), (None, None)), ((None, None), (0, "y"))],
)
def test_an_item_that_begins_is_the_one_whose_parts_came_before(
    told: tuple[int | None, str | None], begun: tuple[int | None, str | None]
) -> None:
    slots = Slots()
    index, name = begun

    assert part(slots, "message", *told) is slots.begun(index, message(name))


def test_an_item_that_begins_is_none_that_has_begun_or_is_finished() -> None:
    slots = Slots()
    for slot in (slots.begun(0, message(None)), finish(slots, 0, message(None))):
        slot.added = message(None)

        assert slots.begun(0, message(None)) is not slot


def test_an_index_does_not_lead_to_an_item_of_another_kind() -> None:
    slots = Slots()
    begun = slots.begun(0, message())

    assert part(slots, "function_call", 0) is not begun
    assert slots.begun(0, UnknownItem.of({"type": "new"})) is not begun


def test_items_without_a_place_stand_behind_those_that_came_before() -> None:
    slots = Slots()
    first = part(slots, "reasoning", None)
    second = slots.begun(0, message())
    last = slots.begun(7, message("n"))
    behind = part(slots, "function_call", None)
    between = slots.begun(3, message("o"))

    assert slots.in_order() == [first, second, between, last, behind]


def test_a_final_response_without_items_says_nothing_of_their_order() -> None:
    slots = Slots()
    slots.begun(0, message())

    assert laid_over(slots) == []


def test_an_item_of_the_final_response_is_known_by_its_id() -> None:
    slots = Slots()
    told = part(slots, "message", 0, "x")

    known, new = laid_over(slots, message("m"), message("n"))

    assert (known, known.names, known.item_id) == (told, ["x", "m"], "x")
    assert (new.item_id, new.kind, new.terminal) == ("n", "message", (message("n"), RAW))


def test_of_equal_items_each_is_the_one_at_its_place() -> None:
    slots = Slots()
    second, first = (finish(slots, index, message(None)) for index in (1, 0))

    assert laid_over(slots, message(None), message(None)) == [first, second]


@pytest.mark.parametrize(
    ("told", "item_id", "is_same"),
    [
        (("message", None, None), "m", True),
        (("message", None, None), None, True),
        (("message", None, "x"), None, True),
        (("message", None, "x"), "m", False),
        (("message", 1, None), None, False),
        (("function_call", None, None), "m", False),
        (("function_call", None, None), None, False),
    ],
)
def test_an_item_of_the_final_response_takes_one_of_its_kind_that_has_no_other_place_or_name(
    told: tuple[Any, ...], item_id: str | None, *, is_same: bool
) -> None:
    slots = Slots()
    slot = part(slots, *told)

    order = laid_over(slots, message(item_id))

    assert (order == [slot]) is is_same
    assert set(order) >= {slot}


def test_what_the_final_response_left_out_stands_where_it_was_told() -> None:
    slots = Slots()
    nowhere = part(slots, "reasoning", None)
    first, second, third = (finish(slots, index, message(str(index))) for index in (0, 1, 2))

    order = laid_over(slots, message("0"), message("2"), message("new"))

    assert order[:-1] == [nowhere, first, second, third]
    assert order[-1].item_id == "new"


def test_an_unknown_item_is_found_by_its_id() -> None:
    slots = Slots()
    unknown = UnknownItem.of({"type": "new", "id": "u"})
    finished = finish(slots, None, unknown)

    assert finished.names == ["u"]
    assert slots.finished(None, unknown) is finished
    assert slots.finished(None, UnknownItem.of({"type": "new"})).names == []


# --- items that a server gives one name -----------------------------------------------------------


def text(said: str, item_id: str | None = "m") -> Message:
    return Message(role="assistant", content=[OutputText(said)] if said else [], id=item_id)


def call(arguments: str) -> FunctionCall:
    return FunctionCall(name="f", arguments=arguments, call_id="c", id="m")


def tool(given: str) -> CustomToolCall:
    return CustomToolCall(name="t", input=given, call_id="c", id="m")


def begin(slots: Slots, index: int | None, item: ResponseItem) -> Slot:
    slot = slots.begun(index, item)
    slot.added = item
    return slot


def test_an_item_that_begins_again_at_its_place_is_the_same() -> None:
    slots = Slots()
    first = begin(slots, 0, message())
    second = slots.begun(1, message())

    assert second is not first
    assert slots.begun(0, message()) is first


def test_parts_that_were_told_elsewhere_are_of_the_item_that_begins_with_their_name() -> None:
    slots = Slots()
    told = part(slots, "message", 0, "m")

    assert part(slots, "message", 1, "m") is told
    assert slots.begun(2, message()) is told


def test_of_items_with_one_name_the_one_at_its_place_is_finished() -> None:
    slots = Slots()
    first, second = (begin(slots, index, message()) for index in (0, 1))

    assert finish(slots, 1, message()) is second
    assert finish(slots, 0, message()) is first
    assert finish(slots, 2, message()) not in (first, second)


def test_without_a_place_the_item_that_is_not_finished_is() -> None:
    slots = Slots()
    finish(slots, None, message())
    open_ = begin(slots, None, message())

    assert slots.finished(None, message()) is open_
    assert slots.part_of("message", None, "m", is_whole=True) is open_


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_whole_part_belongs_to_its_place_and_a_delta_to_what_is_not_finished(
    *, is_whole: bool
) -> None:
    slots = Slots()
    finished, open_ = finish(slots, 0, message()), begin(slots, 1, message())

    found = slots.part_of("message", 0, "m", is_whole=is_whole)

    assert found is (finished if is_whole else open_)


def test_a_delta_elsewhere_is_none_of_a_finished_item() -> None:
    slots = Slots()
    finished = finish(slots, 0, message())

    assert part(slots, "message", 1, "m") is not finished


@pytest.mark.parametrize(
    ("before", "now", "is_same"),
    [
        (text("a"), text("a"), True),
        (text("a"), text("b"), False),
        (text(""), text("b"), True),
        (text("a"), text(""), True),
        (call("{}"), call("{}"), True),
        (call("{}"), call("[]"), False),
        (call(""), call("[]"), True),
        (tool("x"), tool("x"), True),
        (tool("x"), tool("y"), False),
        (tool(""), tool("y"), True),
    ],
)
def test_a_finished_item_is_told_again_only_in_the_same_words(
    before: ResponseItem, now: ResponseItem, *, is_same: bool
) -> None:
    slots = Slots()

    assert (finish(slots, None, before) is slots.finished(None, now)) is is_same


def test_an_item_that_has_begun_is_of_one_kind_only() -> None:
    slots = Slots()
    begun = begin(slots, None, UnknownItem.of({"type": "new", "id": "u"}))

    assert slots.finished(None, UnknownItem.of({"type": "other", "id": "u"})) is not begun


def test_items_of_the_final_response_that_have_one_name_are_known_by_their_places() -> None:
    slots = Slots()
    first, second = (begin(slots, index, message()) for index in (0, 1))

    assert laid_over(slots, message(), message()) == [first, second]


def test_an_equal_item_elsewhere_is_better_than_another_one_at_the_place() -> None:
    slots = Slots()
    first, second = (finish(slots, at, text(said, None)) for at, said in enumerate("ab"))

    assert laid_over(slots, text("b", None), text("a", None)) == [second, first]


def test_the_item_at_the_place_is_better_than_none() -> None:
    slots = Slots()
    finished = finish(slots, 0, text("a", None))

    assert laid_over(slots, text("b", None)) == [finished]
