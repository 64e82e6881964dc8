from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Raw

from codex_api import events, items
from codex_api._logic.incoming.assembler import Assembler
from codex_api._logic.incoming.item_codec import decode_item
from codex_api._logic.incoming.item_parts import TEXT
from codex_api._logic.incoming.terminal import read_terminal
from codex_api.types.content import OutputText, ReasoningText, SummaryText

if TYPE_CHECKING:
    from codex_api._logic.incoming.made_items import Assembled
    from codex_api.events import ResponseEvent


def raw(**fields: Any) -> Raw:
    return Raw(json.dumps(fields).encode())


def message(text: str = "", **fields: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text}] if text else []
    return {"type": "message", "role": "assistant", "content": content, **fields}


def call(arguments: str = "", **fields: Any) -> dict[str, Any]:
    return {
        "type": "function_call",
        "name": "f",
        "call_id": "c",
        "arguments": arguments,
        **fields,
    }


def tool(text: str = "", **fields: Any) -> dict[str, Any]:
    return {"type": "custom_tool_call", "name": "t", "call_id": "c", "input": text, **fields}


def added(item: dict[str, Any], index: int | None = None) -> ResponseEvent:
    event = events.OutputItemAdded(decode_item(raw(**item)), raw(**item))
    event.__dict__["index"] = index
    return event


def done(item: dict[str, Any], index: int | None = None) -> ResponseEvent:
    event = events.OutputItemDone(decode_item(raw(**item)), raw(**item))
    event.__dict__["index"] = index
    return event


def results(
    *told: ResponseEvent,
    parts: tuple[Raw, ...] = (),
    output: tuple[dict[str, Any], ...] | None = None,
    is_complete: bool = True,
) -> list[Assembled]:
    """Return what is assembled of the events, with the final response's output if there is one."""
    assembler = Assembler()
    for event in told:
        assert assembler.add(event)
    terminal = None if output is None else read_terminal("response.completed", raw(output=output))
    wholes = [(0, bytes(part)) for part in parts]
    return assembler.result(wholes, terminal, is_complete=is_complete)


def texts(found: list[Assembled]) -> list[str]:
    return [entry.item.text for entry in found if isinstance(entry.item, items.Message)]


def only(found: list[Assembled]) -> Any:
    (entry,) = found
    return entry.item


def test_an_event_that_tells_no_item_is_not_taken() -> None:
    assert not Assembler().add(events.Created("resp_1"))


def test_deltas_alone_make_a_message() -> None:
    got = only(results(events.OutputTextDelta("a", "m"), events.OutputTextDelta("b", "m")))

    assert (got.id, got.role, got.text) == ("m", "assistant", "ab")


def test_deltas_of_a_response_that_is_cut_off_are_parts_and_no_item() -> None:
    (entry,) = results(events.OutputTextDelta("a"), is_complete=False)

    assert (entry.item, bytes(entry.raw), entry.slot.part(TEXT)) == (None, b"", "a")


def test_deltas_of_two_items_may_alternate() -> None:
    got = results(
        events.OutputTextDelta("a", None, 0),
        events.OutputTextDelta("x", None, 1),
        events.OutputTextDelta("b", None, 0),
        events.OutputTextDelta("y", None, 1),
    )

    assert texts(got) == ["ab", "xy"]


def test_a_refusal_is_part_of_the_message_that_is_made() -> None:
    got = only(results(events.OutputTextDelta("a"), events.RefusalDelta("no")))

    assert got.content[0] == OutputText("a")
    assert json.loads(bytes(got.content[1].raw)) == {"type": "refusal", "refusal": "no"}


def test_deltas_alone_make_reasoning() -> None:
    got = only(
        results(
            events.ReasoningSummaryDelta("s", 1, "r"),
            events.ReasoningSummaryDelta("first", 0, "r"),
            events.ReasoningContentDelta("c", 0, "r"),
        )
    )

    assert [part.text for part in got.summary] == ["first", "s"]
    assert got.content == [ReasoningText("c")]


def test_reasoning_without_content_has_none() -> None:
    assert only(results(events.ReasoningSummaryDelta("s", 0))).content is None


def test_a_whole_summary_stands_over_its_deltas() -> None:
    got = only(
        results(
            events.ReasoningSummaryDelta("sho", 0, "r"),
            events.ReasoningSummaryDone("r", "short", 0),
        )
    )

    assert got.summary == [SummaryText("short")]


def test_reasoning_that_was_only_begun_gets_what_came() -> None:
    begun = {"type": "reasoning", "id": "r", "summary": []}

    got = only(
        results(
            added(begun),
            events.ReasoningSummaryDelta("s", 0, "r"),
            events.ReasoningContentDelta("c", 0, "r"),
        )
    )

    assert (got.summary, got.content) == ([SummaryText("s")], [ReasoningText("c")])


def test_reasoning_that_was_begun_with_a_summary_keeps_it() -> None:
    begun = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "given"}]}

    assert only(results(added(begun))).summary_text == "given"


def test_a_call_that_nobody_named_is_no_item() -> None:
    (entry,) = results(events.FunctionCallArgumentsDelta("{}", "fc"))

    assert entry.item is None


def test_a_call_that_was_begun_gets_its_arguments() -> None:
    got = results(added(call(id="fc")), events.FunctionCallArgumentsDelta("{}", "fc"))

    assert only(got).arguments == "{}"


@pytest.mark.parametrize(
    "begun",
    [message(), call(), tool(), {"type": "reasoning", "summary": []}],
    ids=lambda b: b["type"],
)
@pytest.mark.parametrize(
    ("told", "status"),
    [("in_progress", "completed"), ("incomplete", "incomplete"), (None, None)],
)
def test_an_item_of_a_complete_response_is_in_progress_no_more(
    begun: dict[str, Any], told: str | None, status: str | None
) -> None:
    assert only(results(added({**begun, "status": told}))).status == status


def test_a_message_that_was_begun_with_its_text_keeps_it() -> None:
    assert texts(results(added(message("given")), events.OutputTextDelta("other"))) == ["given"]


def test_a_call_that_was_begun_and_got_nothing_is_as_it_was_begun() -> None:
    assert only(results(added(tool()))).input == ""
    assert only(results(added(call()))).arguments == ""


@pytest.mark.parametrize(
    "order",
    [(0, 1), (1, 0)],
    ids=["begun-first", "delta-first"],
)
def test_input_may_be_told_under_the_id_of_the_call_alone(order: tuple[int, int]) -> None:
    told = (added(tool(id="i"), 2), events.ToolCallInputDelta("c", "c", "x"))

    assert only(results(*(told[place] for place in order))).input == "x"


def test_an_unknown_item_that_was_only_begun_is_as_it_was_begun() -> None:
    begun = {"type": "future", "id": "f", "held": 1}

    (entry,) = results(added(begun))

    assert json.loads(bytes(entry.raw)) == begun


def test_an_unknown_item_is_found_by_its_id() -> None:
    (entry,) = results(
        added({"type": "future", "id": "f"}), done({"type": "future", "id": "f", "held": 1})
    )

    assert bytes(entry.raw) == bytes(raw(type="future", id="f", held=1))


def test_a_finished_item_keeps_its_bytes() -> None:
    (entry,) = results(events.OutputTextDelta("other"), done(message("said")))

    assert bytes(entry.raw) == bytes(raw(**message("said")))


@pytest.mark.parametrize(
    ("hollow", "delta", "filled"),
    [
        (message(id="i"), events.OutputTextDelta("x", "i"), message("x", id="i")),
        (call(id="i"), events.FunctionCallArgumentsDelta("x", "i"), call("x", id="i")),
        (tool(id="i"), events.ToolCallInputDelta("i", None, "x"), tool("x", id="i")),
    ],
)
def test_a_finished_item_without_content_gets_what_came(
    hollow: dict[str, Any], delta: ResponseEvent, filled: dict[str, Any]
) -> None:
    (entry,) = results(delta, done(hollow))

    assert entry.item == decode_item(raw(**filled))
    assert json.loads(bytes(entry.raw))["type"] == filled["type"]


@pytest.mark.parametrize("item", [message(), call(), tool(), {"type": "future"}])
def test_a_finished_item_for_which_nothing_came_keeps_its_bytes(item: dict[str, Any]) -> None:
    (entry,) = results(done(item))

    assert bytes(entry.raw) == bytes(raw(**item))


def test_a_finished_item_stands_over_that_of_the_final_response() -> None:
    told = {"type": "future", "id": "f"}

    (entry,) = results(done({**told, "held": 1}), output=({**told, "held": 2},))

    assert bytes(entry.raw) == bytes(raw(**told, held=1))


def test_the_final_response_tells_what_a_finished_item_lacks() -> None:
    got = results(done(message(id="m"), 0), output=(message("said", id="m"),))

    assert texts(got) == ["said"]


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"type": "response.output_text.done", "text": "t"}, "t"),
        (
            {
                "type": "response.content_part.done",
                "part": {"type": "output_text", "text": "t"},
                "content_index": 1,
            },
            "t",
        ),
        ({"type": "response.content_part.done", "part": {"type": "image"}}, None),
        ({"type": "response.content_part.done", "part": "odd"}, None),
        ({"type": "response.output_text.done", "text": 5}, None),
        ({"type": "response.output_text.done", "text": "t", "output_index": "odd"}, None),
    ],
)
def test_parts_that_are_told_as_a_whole_make_a_message(
    part: dict[str, Any], text: str | None
) -> None:
    assert texts(results(parts=(raw(**part),))) == ([] if text is None else [text])


def test_a_whole_part_stands_over_its_deltas() -> None:
    part = raw(type="response.output_text.done", text="whole", item_id="m")

    assert texts(results(events.OutputTextDelta("wh", "m"), parts=(part,))) == ["whole"]


def test_a_whole_part_belongs_to_the_item_that_was_open_when_it_came() -> None:
    assembler = Assembler()
    for told in (added(message()), done(message()), added(message()), done(message())):
        assembler.add(told)
    first, second = (raw(type="response.output_text.done", text=text) for text in ("one", "two"))
    parts = [(3, bytes(first)), (1, bytes(second))]

    assert texts(assembler.result(parts, None, is_complete=True)) == ["one", "two"]


@pytest.mark.parametrize(
    ("late", "parts", "found"),
    [
        ((), (raw(type="response.output_text.done", text="a", output_index=0),), ["a"]),
        ((events.OutputTextDelta("b", None, 0),), (), ["a", "b"]),
    ],
    ids=["whole", "delta"],
)
def test_only_a_delta_begins_another_item_where_one_is_finished(
    late: tuple[ResponseEvent, ...], parts: tuple[Raw, ...], found: list[str]
) -> None:
    assert texts(results(done(message("a"), 0), *late, parts=parts)) == found


@pytest.mark.parametrize(
    ("told", "output", "has_gaps"),
    [
        ((), (), True),
        ((events.OutputTextDelta("a"),), (), True),
        ((done(message("a")), events.FunctionCallArgumentsDelta("{}")), (), True),
        ((done(message("a")),), (), False),
        ((events.OutputTextDelta("a"),), (message("a"),), False),
    ],
    ids=["nothing", "parts", "also-parts", "finished", "final"],
)
def test_a_part_that_cannot_be_read_is_missing_in_what_is_put_together(
    told: tuple[ResponseEvent, ...], output: tuple[dict[str, Any], ...], *, has_gaps: bool
) -> None:
    assembler = Assembler()
    for event in told:
        assembler.add(event)
    terminal = read_terminal("response.completed", raw(output=output))
    readable = bytes(raw(type="response.output_text.done"))

    assembler.result([(0, readable), (0, b'{"type":"resp')], terminal, is_complete=True)
    assert assembler.has_gaps is has_gaps
    assembler.result([(0, readable)], terminal, is_complete=True)
    assert assembler.has_gaps is False


def test_a_part_without_names_belongs_to_the_open_item_of_its_kind() -> None:
    got = results(
        added(message(id="m")),
        added(call(id="fc")),
        events.OutputTextDelta("a"),
        events.FunctionCallArgumentsDelta("{}"),
    )

    assert [entry.slot.item_id for entry in got] == ["m", "fc"]
    assert texts(got) == ["a"]


def test_items_are_in_the_order_of_their_places() -> None:
    assert texts(results(done(message("b"), 1), done(message("a"), 0))) == ["a", "b"]


def test_the_place_is_the_one_told_last() -> None:
    got = results(
        events.ToolCallInputDelta("i", None, "x"),
        done(message("a"), 0),
        done(tool("x", id="i"), 1),
    )

    assert [type(entry.item) for entry in got] == [items.Message, items.CustomToolCall]


def test_finished_items_that_are_all_numbered_0_are_all_there() -> None:
    got = results(done(message("a", id="1"), 0), done(message("b", id="2"), 0))

    assert texts(got) == ["a", "b"]


@pytest.mark.parametrize(
    "output", [None, (0, 1), (1,), (1, 0)], ids=["none", "both", "second", "turned"]
)
@pytest.mark.parametrize("index", [(0, 1), (0, 0), (None, None)])
def test_finished_items_of_one_name_are_all_there(
    index: tuple[int | None, int | None], output: tuple[int, ...] | None
) -> None:
    told = [message("a", id="x"), message("b", id="x")]
    final = None if output is None else tuple(told[place] for place in output)

    got = results(*map(done, told, index), output=final)

    assert texts(got) == (["b", "a"] if output == (1, 0) else ["a", "b"])


def test_two_places_are_two_items_though_they_say_the_same() -> None:
    same = message("a", id="x")

    assert texts(results(done(same, 0), done(same, 1))) == ["a", "a"]
    assert texts(results(done(same, 0), done(same, 1), output=(same, same))) == ["a", "a"]


@pytest.mark.parametrize("index", [0, None])
def test_a_finished_item_that_is_told_again_is_one(index: int | None) -> None:
    again = message("a", id="x", status="completed")

    assert texts(results(done(message("a", id="x"), index), done(again, index))) == ["a"]


@pytest.mark.parametrize("index", [(0, 1), (0, 0), (None, None)])
def test_items_of_two_kinds_that_have_one_name_are_two(
    index: tuple[int | None, int | None],
) -> None:
    told = [
        added(message(id="x"), index[0]),
        events.OutputTextDelta("a", "x", index[0]),
        added(call(id="x"), index[1]),
        events.FunctionCallArgumentsDelta("{}", "x", index[1]),
    ]
    ends = [done(message("a", id="x"), index[0]), done(call("{}", id="x"), index[1])]

    for got in (
        results(*told),
        results(*told, *ends),
        results(*ends),
        results(*ends, output=(message("a", id="x"), call("{}", id="x"))),
    ):
        assert texts(got) == ["a"]
        assert [getattr(entry.item, "arguments", None) for entry in got] == [None, "{}"]


@pytest.mark.parametrize("index", [(0, 1), (0, 0), (None, None)])
def test_an_item_begins_anew_where_its_name_is_that_of_a_finished_one(
    index: tuple[int | None, int | None],
) -> None:
    got = results(
        added(message(id="x"), index[0]),
        events.OutputTextDelta("a", "x", index[0]),
        done(message("a", id="x"), index[0]),
        added(message(id="x"), index[1]),
        events.OutputTextDelta("a", "x", index[1]),
    )

    assert texts(got) == ["a", "a"]


def test_deltas_of_one_name_alternate_between_the_places_that_began() -> None:
    got = results(
        added(message(id="x"), 0),
        added(message(id="x"), 1),
        events.OutputTextDelta("a", "x", 0),
        events.OutputTextDelta("b", "x", 1),
        events.OutputTextDelta("c", "x", 0),
    )

    assert texts(got) == ["ac", "b"]


def test_parts_that_an_unknown_item_gave_its_name_to_begin_no_other() -> None:
    future = {"type": "future", "id": "x"}

    for told in (added(future, 0), done(future, 0)):
        assert len(results(told, events.OutputTextDelta("a", "x", 0))) == 1
    assert len(results(events.OutputTextDelta("a", "x", 0), done(future, 0))) == 1


def test_an_item_that_is_named_differently_in_each_event_is_one() -> None:
    got = results(
        added(message(id="x"), 0),
        events.OutputTextDelta("a", "y", 0),
        done(message("a", id="z"), 0),
    )

    assert texts(got) == ["a"]


def test_items_that_only_the_final_response_tells_are_there() -> None:
    got = results(output=(message("a"), message("b")))

    assert texts(got) == ["a", "b"]
    assert bytes(got[0].raw) == bytes(raw(**message("a")))


def test_items_of_the_final_response_are_found_by_place_when_they_have_no_id() -> None:
    got = results(done(message("a"), 0), done(message("b"), 1), output=(message("a"), message("b")))

    assert texts(got) == ["a", "b"]


def test_the_place_of_another_kind_of_item_is_not_taken() -> None:
    got = results(done(call("{}"), 0), output=(message("a"), call("{}")))

    assert [type(entry.item) for entry in got][:1] == [items.Message]


def test_a_name_is_surer_than_a_place() -> None:
    second = message("b", id="2")

    got = results(done(second, 0), output=(message("a", id="1"), second))

    assert texts(got) == ["a", "b"]


def test_an_id_that_the_final_response_tells_twice_costs_no_item() -> None:
    twice = (message("a", id="1"), message("b", id="1"))

    assert len(results(done(message("a", id="1"), 0), output=twice)) == 2


@pytest.mark.parametrize(
    ("index", "order"), [((0, 1), ["a", "b"]), ((None, None), ["a", "b"]), ((1, 0), ["b", "a"])]
)
def test_items_that_the_final_response_left_out_are_put_where_they_were(
    index: tuple[int | None, int | None], order: list[str]
) -> None:
    told = [message("a", id="1"), message("b", id="2")]

    got = results(*map(done, told, index), output=(told[1],))

    assert texts(got) == order


def test_a_restart_keeps_finished_items_but_for_the_dropped() -> None:
    assembler = Assembler()
    for text in ("a", "b"):
        assembler.add(done(message(text)))
    assembler.add(events.OutputTextDelta("half"))

    assembler.restart(1)
    assembler.add(done(message("again")))

    assert texts(assembler.result((), None, is_complete=True)) == ["a", "again"]


def test_a_restart_that_drops_nothing_keeps_all_finished_items() -> None:
    assembler = Assembler()
    assembler.add(done(message("a")))

    assembler.restart(0)

    assert texts(assembler.result((), None, is_complete=True)) == ["a"]


def test_an_item_may_begin_after_its_first_delta() -> None:
    got = results(events.OutputTextDelta("a", None, 0), added(message(id="m"), 0))

    assert texts(got) == ["a"]
    assert only(got).id == "m"
