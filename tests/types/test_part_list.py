from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from codex_api.items import Message
from codex_api.types.content import InputText
from codex_api.types.part_list import PartList

if TYPE_CHECKING:
    from collections.abc import Callable


def _delete(parts: Any) -> None:
    del parts[0]


def _replace(parts: Any) -> None:
    parts[0] = 5


def _extend(parts: Any) -> None:
    parts += [5]


def _repeat(parts: Any) -> None:
    parts *= 2


CHANGES: list[Callable[[Any], object]] = [
    _delete,
    _replace,
    _extend,
    _repeat,
    lambda parts: parts.append(5),
    lambda parts: parts.clear(),
    lambda parts: parts.extend([5]),
    lambda parts: parts.insert(0, 5),
    lambda parts: parts.pop(),
    lambda parts: parts.remove(3),
    lambda parts: parts.reverse(),
    lambda parts: parts.sort(key=lambda part: -part),
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_made_and_told(change: Callable[[Any], object]) -> None:
    sign, plain, telling = PartList.sign, [1, 3, 2], PartList([1, 3, 2])
    change(plain)
    change(telling)

    assert telling == plain != [1, 3, 2]
    assert PartList.sign is not sign


def test_no_way_to_change_a_list_is_missing() -> None:
    harmless = {"__init__", "copy", "count", "index"}
    own = {name for name, value in vars(list).items() if callable(value)} - harmless
    changing = {name for name in own if not hasattr(tuple, name)}

    assert {name for name in changing if name not in vars(PartList)} == {"__reversed__"}


def test_a_change_that_fails_is_told_too() -> None:
    sign = PartList.sign
    with pytest.raises(ValueError, match="not in list"):
        PartList([1]).remove(2)

    assert PartList.sign is not sign


def test_looking_tells_nothing() -> None:
    sign, parts = PartList.sign, PartList([1, 2])
    _ = parts[0], parts[:1], list(parts), parts + [3], parts * 2, sorted(parts), 1 in parts  # noqa: RUF005

    assert PartList.sign is sign


def test_a_message_that_was_made_holds_a_list_in_all_respects() -> None:
    message = Message.user("a")

    assert type(message.content) is PartList
    assert message.content == [InputText("a")]
    assert message == Message(role="user", content=[InputText("a")])
    assert repr(message.content) == repr([InputText("a")])
    assert pickle.loads(pickle.dumps(message)) == copy.deepcopy(message) == message  # noqa: S301
    assert msgspec.to_builtins(message)["content"] == [{"type": "input_text", "text": "a"}]
