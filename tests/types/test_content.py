from __future__ import annotations

import copy
import pickle

import msgspec
import pytest

from codex_api import items


def test_a_part_knows_its_wire_type() -> None:
    assert items.InputText("x").type == "input_text"
    assert items.UnknownPart(b'{"a":1,"type":"later"}').type == "later"
    assert items.UnknownPart(b"[]").type == ""
    assert items.UnknownPart(b'{"type":3}').type == ""


def test_an_unknown_part_is_a_value() -> None:
    part = items.UnknownPart.of({"type": "input_file", "file_id": "f"})

    assert bytes(part.raw) == b'{"type":"input_file","file_id":"f"}'
    assert part.value == {"type": "input_file", "file_id": "f"}
    assert part == items.UnknownPart('{"type":"input_file","file_id":"f"}')
    assert part != items.UnknownPart(b"{}")
    assert part != "other"
    assert len({part, items.UnknownPart(part.raw)}) == 1
    assert repr(part) == """UnknownPart(b'{"type":"input_file","file_id":"f"}')"""


def test_an_unknown_part_copies_and_pickles() -> None:
    part = items.UnknownPart(b'{"type":"later"}')

    assert pickle.loads(pickle.dumps(part)) == part  # noqa: S301  # our own bytes
    assert copy.deepcopy(part) == copy.copy(part) == part


def test_an_unknown_part_cannot_be_changed() -> None:
    part = items.UnknownPart(b"{}")

    with pytest.raises(AttributeError, match="immutable"):
        part.raw = msgspec.Raw(b"[]")
    with pytest.raises(AttributeError, match="immutable"):
        del part.raw
    assert bytes(part.raw) == b"{}"


def test_parts_match_by_position() -> None:
    parts: list[items.ContentPart] = [
        items.InputText("a"),
        items.InputImage("u", "low"),
        items.OutputText("b"),
        items.UnknownPart(b"{}"),
    ]

    seen: list[object] = []
    for part in parts:
        match part:
            case items.InputText(text) | items.OutputText(text):
                seen.append(text)
            case items.InputImage(url, detail):
                seen.append((url, detail))
            case items.UnknownPart(raw):
                seen.append(bytes(raw))

    assert seen == ["a", ("u", "low"), "b", b"{}"]


def test_only_unknown_parts_have_a_hook() -> None:
    encoder = msgspec.json.Encoder(enc_hook=items.encode_unknown)

    assert encoder.encode([items.UnknownPart(b'{ "a":1}')]) == b'[{ "a":1}]'
    with pytest.raises(TypeError, match="object has no JSON form"):
        encoder.encode(object())


@pytest.mark.parametrize(
    "wire",
    [
        b'{"type":"output_text","text":"x","annotations":null,"logprobs":null}',
        b'{"type":"output_text","text":"x","annotations":[],"logprobs":[]}',
        b'{"type":"output_text","text":"x"}',
    ],
)
def test_absent_empty_and_null_annotations_all_decode(wire: bytes) -> None:
    part = msgspec.json.decode(wire, type=items.OutputText)

    assert part.text == "x"
    assert not part.annotations
