from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codex_api._logic.session.input_json import NOTHING, InputJson

ITEMS = st.lists(st.sampled_from([b"{}", b'{"a":1}', b'{"a":1,"b":2}']), max_size=4)


def text(items: list[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def test_nothing_is_an_empty_array() -> None:
    assert bytes(NOTHING) == b"[]"
    assert NOTHING.grown(b"[]") is NOTHING
    assert bytes(NOTHING.grown(b"[1]").grown(b"[2,3]")) == b"[1,2,3]"


@given(shared=ITEMS, one=st.lists(ITEMS, max_size=4), other=st.lists(ITEMS, max_size=4))
def test_texts_are_compared_as_their_bytes_are(
    shared: list[bytes], one: list[list[bytes]], other: list[list[bytes]]
) -> None:
    root = InputJson(text(shared))
    texts = [root, NOTHING, InputJson(text(shared))]
    for pieces in (one, other):
        for start in (root, NOTHING):
            grown = start
            for piece in pieces:
                grown = grown.grown(text(piece))
                texts.append(grown)

    for longer in texts:
        assert longer.size == len(bytes(longer))
        for known in texts:
            whole, begun = bytes(longer), bytes(known)[:-1]
            expected = whole[len(begun) :] if whole.startswith(begun) else None
            # All that an empty array and any other share is the bracket.
            assert longer.after(known) == expected


def test_what_two_texts_share_is_not_looked_at() -> None:
    root = InputJson(b"[1]").grown(b"[2]")
    longer, other = root.grown(b"[3]").grown(b"[4]"), root.grown(b"[3]")
    assert root.before is not None
    for shared in (root, root.before):
        shared.piece = None  # type: ignore[assignment]  # whoever looks at it fails

    assert longer.after(root) == b",3,4]"
    assert longer.after(other) == b",4]"
    assert root.after(root) == b"]"
    assert root.after(longer) is None


def test_a_text_of_many_turns_is_let_go() -> None:
    grown = NOTHING
    for _ in range(200_000):
        grown = grown.grown(b"[1]")

    assert grown.size == len(b"[]") + 2 * 200_000 - 1
    del grown
