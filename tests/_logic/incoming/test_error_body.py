from __future__ import annotations

from typing import Any

import msgspec
import pytest

from codex_api._logic.incoming.error_body import (
    ErrorDetail,
    fitting,
    read_any,
    read_as,
    read_fitting,
)


class Inner(msgspec.Struct, frozen=True):
    word: str = ""
    count: int = 0


class Outer(msgspec.Struct):
    name: str
    inner: Inner = Inner()
    size: int = 7


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b'{"name":"a","inner":{"word":"b","count":1},"size":2}', Outer("a", Inner("b", 1), 2)),
        (b'{"name":"a","size":"2"}', Outer("a")),
        (b'{"name":"a","size":2,"inner":{"word":"b","count":"1"}}', Outer("a", Inner("b"), 2)),
        (b'{"name":"a","inner":5,"size":{}}', Outer("a")),
        (b'{"name":5,"size":2}', None),
        (b'{"size":2}', None),
        (b"[]", None),
        (b"", None),
    ],
)
def test_of_an_object_only_the_members_that_fit_count(data: bytes, read: Outer | None) -> None:
    assert read_fitting(Outer, data) == read


@pytest.mark.parametrize(
    ("stand_ins", "read"),
    [(None, None), ({}, None), ({"name": "n"}, Outer("n", size=2)), ({"size": 9}, None)],
)
def test_what_is_needed_and_missing_may_be_stood_in_for(
    stand_ins: dict[str, Any] | None, read: Outer | None
) -> None:
    fields = {"size": msgspec.Raw(b"2")}

    assert fitting(Outer, fields, stand_ins) == read
    assert fitting(Outer, fields | {"name": msgspec.Raw(b'"a"')}, stand_ins) == Outer("a", size=2)


def test_kind_is_the_code_or_else_the_type() -> None:
    assert ErrorDetail(type="t", code="c").kind == "c"
    assert ErrorDetail(type="t").kind == "t"


def test_value_of_another_type_counts_as_absent() -> None:
    assert read_as(int, b"5") == 5
    assert read_as(int, b'"5"') is None
    assert read_as(str, b"") is None


def test_value_that_is_nested_without_end_counts_as_absent() -> None:
    assert read_any(b"[" * 100_000 + b"]" * 100_000) is None


def test_any_value_is_read_as_plain_values() -> None:
    assert read_any(b'[1,{"a":null}]') == [1, {"a": None}]
