"""Items of the official SDK, made from its own types, come in typed and go back out equal."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from openai.types.responses.response_item import ResponseItem
from openai.types.responses.response_output_item import ResponseOutputItem

from codex_api import items
from tests.peers.sdk_values import ValueMaker, members

KINDS = {
    f"{where}-{kind.__name__}": kind
    for where, union in (
        ("output", ResponseOutputItem),
        ("stored", ResponseItem),
        ("input", ResponseInputItemParam),
    )
    for kind in members(union)
}
SEEDS = range(20)
# What no class names: it is kept as it came and goes back out all the same.
UNNAMED = {
    "InputText.prompt_cache_breakpoint",  # a request has ``prompt_cache_breakpoints``
    "InputImage.prompt_cache_breakpoint",
    "Message.content",  # a text, which reads as one part
    "unknown input_image",  # one with neither an address nor a file says nothing
}


def made(kind: Any, seed: int) -> dict[str, Any]:
    value: dict[str, Any] = ValueMaker(seed, whole=seed == 0).value(kind)
    return value


def told(value: Any) -> Any:
    """Leave out what is null: it says the same as nothing, and a class may add it."""
    if isinstance(value, dict):
        return {key: told(inner) for key, inner in value.items() if inner is not None}
    return [told(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", KINDS)
def test_an_item_of_the_sdk_is_typed_and_goes_back_out_equal(name: str) -> None:
    for seed in SEEDS:
        wire = made(KINDS[name], seed)

        item = items.decode_item(msgspec.json.encode(wire))

        assert not isinstance(item, items.UnknownItem), wire
        again = msgspec.json.decode(items.encode_item(item, keep_ids=True))
        assert told(again) == told(wire)


def extras(value: Any) -> set[str]:
    """Return the keys that no class names, wherever they are."""
    if isinstance(value, msgspec.Struct):
        extra = getattr(value, "extra", None) or ()
        inner = (extras(getattr(value, name)) for name in value.__struct_fields__)
        return {f"{type(value).__name__}.{key}" for key in extra}.union(*inner)
    if isinstance(value, list | tuple):
        return set().union(*map(extras, value))
    if type(value) is items.UnknownPart:
        return {f"unknown {value.type}"}
    return set()


def test_every_key_of_an_item_of_the_sdk_has_a_field() -> None:
    decoded = [
        items.decode_item(msgspec.json.encode(made(kind, seed)))
        for kind in KINDS.values()
        for seed in SEEDS
    ]

    assert set().union(*map(extras, decoded)) == UNNAMED
