from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api._logic.incoming.item_codec import prepare_items
from codex_api._logic.session import encoded_input
from codex_api._logic.session.encoded_input import EncodedInput
from codex_api.errors import RequestBuildError
from codex_api.items import FunctionCall, FunctionCallOutput, Message, UnknownItem
from codex_api.types.content import Extra, InputText, OutputText
from tests._logic.session.test_chained_input import calls_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codex_api._logic.session.input_json import InputJson


def anew(items: Any, *, keep_ids: bool = False) -> bytes:
    return bytes(EncodedInput().encode(items, keep_ids=keep_ids))


def some_items() -> list[Any]:
    return [
        Message.user("a", image_url="https://h/i.png"),
        Message.assistant("b"),
        FunctionCall(name="f", arguments="{}", call_id="c", id="fc"),
        FunctionCallOutput(call_id="c", output="o"),
        msgspec.Raw(b'{"type":"new","x":1}'),
        UnknownItem.of({"type": "other"}),
        {"type": "message", "role": "user", "content": "plain"},
        Message(role="user", content=[InputText("c")]),
        call(async_=True),
        Message(role="assistant", content=[OutputText("d", annotations=[{"n": 1}])]),
        Message(role="user", content=[InputText("e")], metadata={"n": 1}),
    ]


def touch(item: Any) -> None:
    """Change an item inside, where it can be changed."""
    if isinstance(item, dict):
        item["n"] = item.get("n", 0) + 1
    elif getattr(item, "metadata", None):
        item.metadata["n"] += 1
    elif isinstance(item, Message):
        notes = getattr(item.content[0], "annotations", None)
        if notes:
            notes[0]["n"] += 1
        else:
            item.content.append(InputText("more"))  # type: ignore[attr-defined]  # a list


def call(**fields: Any) -> FunctionCall:
    return FunctionCall(name="f", arguments="{}", call_id="c", **fields)


@given(
    st.lists(
        st.tuples(st.integers(0, 10), st.sampled_from(["more", "same", "less", "twin", "touch"]))
    )
)
def test_what_is_remembered_never_shows(steps: list[tuple[int, str]]) -> None:
    remembered, pool = EncodedInput(), some_items()
    history: list[Any] = []
    for index, step in steps:
        if step == "more":
            history = [*history, pool[index]]
        elif step == "less":
            history = history[:index]
        elif step == "twin":
            history = [*some_items()[:index], *history[index:]]
        elif step == "touch" and index < len(history):
            touch(history[index])

        assert bytes(remembered.encode(history, keep_ids=False)) == anew(history)


@pytest.mark.parametrize("items", ["text", (), [], (Message.user("a"),)])
def test_every_form_of_an_input_has_its_json(items: Any) -> None:
    remembered = EncodedInput()

    assert [bytes(remembered.encode(items, keep_ids=False)) for _ in range(2)] == [anew(items)] * 2


def test_only_what_is_new_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    prepare = prepare_items

    def counted(items: Any, *, keep_ids: bool) -> Any:
        encoded.append(len(items))
        return prepare(items, keep_ids=keep_ids)

    monkeypatch.setattr(encoded_input, "prepare_items", counted)
    remembered = EncodedInput()
    history: list[Any] = [Message.user("a") for _ in range(1000)]
    for _ in range(3):
        remembered.encode(history, keep_ids=False)
        history = [*history, Message.user("b"), Message.assistant("c")]

    assert encoded == [1000, 2, 2]


def test_a_list_that_was_changed_inside_an_item_is_seen() -> None:
    remembered, message = EncodedInput(), Message.user("a")
    remembered.encode([message], keep_ids=False)
    message.content.append(Message.user("b").content[0])  # type: ignore[attr-defined]  # a list

    assert bytes(remembered.encode([message], keep_ids=False)) == anew([message])


def test_a_mapping_that_was_changed_is_seen() -> None:
    remembered, item = EncodedInput(), {"type": "x", "n": 1}
    remembered.encode([item], keep_ids=False)
    item["n"] = 2

    assert bytes(remembered.encode([item], keep_ids=False)) == anew([item])


def test_a_mapping_that_has_no_json_any_more_is_an_error() -> None:
    remembered, item = EncodedInput(), {"type": "x"}
    remembered.encode([item], keep_ids=False)
    item["type"] = object()  # type: ignore[assignment]  # what no caller should do

    with pytest.raises(RequestBuildError):
        remembered.encode([item], keep_ids=False)


def test_ids_are_a_part_of_what_is_remembered() -> None:
    remembered, items = EncodedInput(), [Message.user("a"), some_items()[2]]
    for keep_ids in (False, True, False):
        assert bytes(remembered.encode(items, keep_ids=keep_ids)) == anew(items, keep_ids=keep_ids)


def test_an_error_counts_from_the_beginning() -> None:
    remembered, items = EncodedInput(), [Message.user("a")]
    remembered.encode(items, keep_ids=False)

    with pytest.raises(RequestBuildError, match=r"input\[1\]"):
        remembered.encode([*items, 7], keep_ids=False)
    assert bytes(remembered.encode(items, keep_ids=False)) == anew(items)


def test_an_error_beside_a_breakpoint_is_an_error() -> None:
    remembered, items = EncodedInput(), [Message.user("a")]
    remembered.encode(items, keep_ids=False, breakpoints=[(0, 0)])

    with pytest.raises(RequestBuildError):
        remembered.encode([*items, 7], keep_ids=False, breakpoints=[(0, 0)])
    assert bytes(remembered.encode(items, keep_ids=False)) == anew(items)


def changed(item: Any, change: Any) -> tuple[bytes, bytes]:
    """Encode an item, change it, and give what the memory makes of it and what is right."""
    remembered = EncodedInput()
    remembered.encode([item], keep_ids=False)
    change()
    return bytes(remembered.encode([item], keep_ids=False)), anew([item])


def test_what_a_sequence_of_another_kind_holds_may_change() -> None:
    class Parts(list[Any]):
        pass

    parts = Parts(Message.user("a").content)
    item = Message(role="user", content=parts)

    found, right = changed(item, lambda: parts.append(parts[0]))

    assert found == right


@pytest.mark.parametrize("member", ["annotations", "logprobs"])
def test_what_a_server_said_of_a_text_may_change(member: str) -> None:
    held: list[Any] = []
    fields: dict[str, Any] = {member: held}
    part = OutputText("a", **fields)
    item = Message(role="assistant", content=[part])

    found, right = changed(item, lambda: held.append(msgspec.Raw(b'{"type":"x"}')))

    assert found == right
    assert b'{"type":"x"}' in found


def test_a_text_with_citations_is_encoded_anew() -> None:
    note: dict[str, Any] = {"type": "x"}
    item = Message(role="assistant", content=[OutputText("a", annotations=[note])])

    found, right = changed(item, lambda: note.update(n=1))

    assert found == right
    assert b'"n":1' in found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (call(async_=True), call(async_=1)),
        (call(extra=Extra.of({"a": 1, "b": 2})), call(extra=Extra.of({"b": 2, "a": 1}))),
        (
            Message.user(InputText("a", extra=Extra.of({"a": 1, "b": 2}))),
            Message.user(InputText("a", extra=Extra.of({"b": 2, "a": 1}))),
        ),
    ],
)
def test_what_is_equal_and_reads_differently_is_told_apart(one: Any, other: Any) -> None:
    remembered = EncodedInput()
    remembered.encode([one], keep_ids=False)

    assert one == other
    assert bytes(remembered.encode([other], keep_ids=False)) == anew([other]) != anew([one])


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_history_that_was_made_again_is_not_encoded_again(
    kind: Callable[[list[Any]], Sequence[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered = EncodedInput()
    before = remembered.encode(kind([Message.user("a"), Message.user("b")]), keep_ids=False)
    monkeypatch.setattr(encoded_input, "prepare_items", None)

    again = kind([Message.user("a"), Message.user("b")])
    assert remembered.encode(again, keep_ids=False) is before


def test_what_another_history_replaced_is_forgotten() -> None:
    a, b, c = map(Message.user, "abc")
    remembered = EncodedInput()

    for history in ([a, b], [c], [a, b, c]):
        assert bytes(remembered.encode(history, keep_ids=False)) == anew(history)


def test_breakpoints_stand_where_they_are_now() -> None:
    history = list(map(Message.user, "abcd"))
    remembered = EncodedInput()

    for count, marks in ((1, []), (2, [1]), (4, [1]), (4, [0, 3]), (3, []), (4, [2])):
        points = [(mark, 0) for mark in marks]
        found = remembered.encode(history[:count], keep_ids=False, breakpoints=points)

        sent = json.loads(bytes(found))
        assert [item["content"][0]["text"] for item in sent] == list("abcd"[:count])
        marked = [
            at for at, item in enumerate(sent) if item["content"][0].keys() - {"type", "text"}
        ]
        assert marked == marks


def test_a_list_that_was_changed_is_seen_in_whatever_order_things_happen() -> None:
    messages: list[Any] = [Message.user(f"m{n}") for n in range(4)]
    remembered, unrelated = EncodedInput(), Message.user("x")
    for index in (3, 0, 2):
        unrelated.content.append(unrelated.content[0])  # type: ignore[attr-defined]  # a list
        remembered.encode(messages, keep_ids=False)
        messages[index].content.append(messages[index].content[0])

        assert bytes(remembered.encode(messages, keep_ids=False)) == anew(messages)


def test_a_mapping_is_all_that_is_encoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered, history = EncodedInput(), [Message.user(f"m{n}") for n in range(100)]
    remembered.encode(history, keep_ids=False)
    prepare, encoded = prepare_items, list[int]()

    def counted(items: Any, *, keep_ids: bool) -> Any:
        encoded.append(len(items))
        return prepare(items, keep_ids=keep_ids)

    monkeypatch.setattr(encoded_input, "prepare_items", counted)
    given: list[Any] = [*history, {"type": "x"}, *map(Message.assistant, "abc")]
    remembered.encode(given, keep_ids=False)
    encoded.clear()
    remembered.encode([*given, Message.user("new")], keep_ids=False)

    assert encoded == [1, 1]  # the mapping to compare it, and what is new


def test_a_turn_makes_as_many_calls_after_a_long_history_as_after_a_short_one() -> None:
    calls = []
    for size in (10, 1000):
        remembered, history = EncodedInput(), [Message.user(f"m{n}") for n in range(size)]
        known = remembered.encode(history, keep_ids=False)
        grown = [*history, Message.user("new")]

        def turn(
            remembered: EncodedInput = remembered,
            grown: list[Any] = grown,
            known: InputJson = known,
        ) -> None:
            assert remembered.encode(grown, keep_ids=False).after(known)

        calls.append(calls_of(turn))

    assert calls[0] == calls[1] > 0
