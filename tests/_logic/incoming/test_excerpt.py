from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api._logic.incoming.excerpt import MAX_EXCERPT_BYTES, excerpt


def test_short_text_is_kept_without_the_space_around_it() -> None:
    assert excerpt(" no model \n") == "no model"


def test_text_of_the_limit_is_whole() -> None:
    assert excerpt("a" * MAX_EXCERPT_BYTES) == "a" * MAX_EXCERPT_BYTES


def test_text_over_the_limit_is_cut_on_a_character_boundary() -> None:
    shown = excerpt("é" * 600 + "x")

    assert shown == "é" * 500 + "..."
    assert excerpt("a" + "é" * 600) == "a" + "é" * 499 + "..."


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert excerpt(b"bad \xff byte") == "bad \N{REPLACEMENT CHARACTER} byte"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://blob.test/a?sig=abc&se=1 now", "see https://blob.test/a?[hidden] now"),
        ("Bearer abcdefgh12345", "Bearer [hidden]"),
        ("key sk-proj-abcdefghijklmnop is bad", "key [hidden] is bad"),
        ("token eyJhbGciOiJI.eyJzdWIi.c2ln", "token [hidden]"),
        ("https://chatgpt.com/explore/plus", "https://chatgpt.com/explore/plus"),
        ("a task-force of sk-1", "a task-force of sk-1"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, shown: str) -> None:
    assert excerpt(text) == shown


@given(st.one_of(st.text(), st.binary(max_size=6000)))
def test_every_excerpt_is_bounded(text: str | bytes) -> None:
    assert len(excerpt(text).encode("utf-8", "replace")) <= MAX_EXCERPT_BYTES + len("...")
