"""Items of odd shapes, in answers and when they are sent back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from codex_api import items
from tests.cases.inputs import collected, payloads

if TYPE_CHECKING:
    from tests.front import Front

pytestmark = pytest.mark.anyio

both = pytest.mark.parametrize("transport", ["http", "websocket"])


@both
@pytest.mark.parametrize(
    "name",
    [
        "k9_annotations",
        "k11_arguments_object",
        "k11_message_without_role",
        "k11_reasoning_without_summary",
    ],
)
async def test_an_item_goes_back_with_all_that_came(
    front: Front, name: str, transport: str
) -> None:
    sent = msgspec.json.decode(payloads(name)[1])["item"]

    got = await collected(front, name, transport)

    (item,) = got.items
    assert not isinstance(item, items.UnknownItem)
    assert msgspec.json.decode(items.encode_item(item, keep_ids=True)) == sent


@both
async def test_odd_items_can_be_read(front: Front, transport: str) -> None:
    said = await collected(front, "k11_message_without_role", transport)
    called = await collected(front, "k11_arguments_object", transport)
    thought = await collected(front, "k11_reasoning_without_summary", transport)

    assert said.text == "hi"
    (call,) = called.items
    assert isinstance(call, items.FunctionCall)
    assert msgspec.json.decode(call.arguments) == {"a": 1}
    (reasoning,) = thought.items
    assert isinstance(reasoning, items.Reasoning)
    assert reasoning.content == [items.ReasoningText("Thinking")]
