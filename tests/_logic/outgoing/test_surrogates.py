from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api._logic.outgoing.surrogates import without_halves


@pytest.mark.parametrize(
    ("data", "repaired"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uDE00 b"', rb'"\ufffd b"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\ude00\ud83d"', rb'"\ufffd\ufffd"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d"', rb'"\\\ufffd"'),
        (rb'"\ud83dx\ude00"', rb'"\ufffdx\ufffd"'),
        (rb'"\ud7ff\ue000"', rb'"\ud7ff\ue000"'),
        (rb'"\n\"\ud8"', rb'"\n\"\ud8"'),
    ],
)
def test_only_half_characters_are_replaced(data: bytes, repaired: bytes) -> None:
    assert without_halves(data) == repaired


@given(st.text(st.characters() | st.characters(categories=["Cs"])))
def test_any_text_decodes_afterwards(text: str) -> None:
    data = json.dumps(text).encode()

    decoded = msgspec.json.decode(without_halves(data))

    halves_replaced = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert decoded == halves_replaced
