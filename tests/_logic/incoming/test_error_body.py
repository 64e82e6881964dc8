from __future__ import annotations

import pytest

from codex_api._logic.incoming.error_body import (
    ErrorDetail,
    body_error,
    error_detail,
    read_any,
    read_as,
)


def test_error_object_is_read() -> None:
    detail = error_detail(
        b'{"type":"t","code":"c","message":"m","plan_type":"plus","resets_at":9,'
        b'"resets_in_seconds":1.5,"param":null}'
    )

    assert detail == ErrorDetail("t", "c", "m", "plus", 9, 1.5)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b'{"code":5,"message":"m"}', ErrorDetail(message="m")),
        (b'{"code":"c","message":["m"],"resets_at":"soon"}', ErrorDetail(code="c")),
        (b'{"code":null}', ErrorDetail()),
        (b'{"code":"c","message":"\xff"}', ErrorDetail(code="c")),
    ],
)
def test_mistyped_field_costs_only_itself(data: bytes, detail: ErrorDetail) -> None:
    assert error_detail(data) == detail


@pytest.mark.parametrize("data", [b"", b"null", b'"text"', b"[]", b"{"])
def test_anything_but_an_object_is_no_error_object(data: bytes) -> None:
    assert error_detail(data) is None


@pytest.mark.parametrize("body", [None, b"", b"busy", b"[]", b"{}", b'{"error":"text"}'])
def test_body_without_an_error_object_has_no_error(body: bytes | None) -> None:
    assert body_error(body) is None


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
