from __future__ import annotations

from codex_api._logic.incoming.error_body import ErrorDetail, read_any, read_as


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
