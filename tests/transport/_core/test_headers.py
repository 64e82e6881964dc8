from __future__ import annotations

from typing import Any

import pytest

from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import RequestBuildError


def test_names_are_case_insensitive_and_sent_in_lower_case() -> None:
    headers = Headers({"X-Request-Id": "r1"})

    assert headers["x-request-ID"] == "r1"
    assert "X-REQUEST-ID" in headers
    assert list(headers.items()) == [("x-request-id", "r1")]


def test_order_is_the_order_of_insertion_and_set_keeps_the_place() -> None:
    headers = Headers([("b", "1"), ("a", "2")])
    headers.set("B", "3")

    assert list(headers) == ["b", "a"]
    assert headers["b"] == "3"


def test_repeated_names_keep_all_their_values() -> None:
    headers = Headers([("set-cookie", "a=1"), ("Set-Cookie", "b=2")])

    assert headers.get("set-cookie") == "a=1"
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert len(headers) == 1


def test_a_layer_on_top_replaces_the_whole_list_of_a_name() -> None:
    headers = Headers([("x", "1"), ("x", "2"), ("y", "3")])
    headers.merge({"X": "9"})

    assert headers.get_all("x") == ["9"]
    assert headers["y"] == "3"


def test_a_layer_below_only_adds_absent_names() -> None:
    headers = Headers({"x": "1"})
    headers.fill({"X": "2", "z": "3"})

    assert list(headers.items()) == [("x", "1"), ("z", "3")]


def test_a_copy_is_independent() -> None:
    headers = Headers({"x": "1"})
    copied = headers.copy()
    copied.add("x", "2")

    assert headers.get_all("x") == ["1"]
    assert copied != headers


@pytest.mark.parametrize("name", ["", "with space", "colon:", "new\nline", "é"])
def test_an_illegal_name_is_refused(name: str) -> None:
    with pytest.raises(RequestBuildError, match="illegal header name"):
        Headers({name: "v"})


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\0", "\x7f"])
def test_an_illegal_value_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(RequestBuildError) as caught:
        Headers({"x-key": f"secret{value}"})

    assert "x-key" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_lenient_headers_skip_what_is_illegal() -> None:
    headers = Headers.lenient([("ok", "1"), ("bad name", "2"), ("x", "a\nb")])

    assert list(headers.items()) == [("ok", "1")]


def test_repr_hides_credentials() -> None:
    secret = {"authorization": "Bearer s3cret", "chatgpt-account-id": "s3cret", "x-mine": "s3cret"}
    harmless = {"Content-Type": "text/plain", "x-ratelimit-remaining-tokens": "7"}
    shown = repr(Headers({**secret, **harmless}))

    assert "s3cret" not in shown
    assert "('x-mine', '[redacted]')" in shown
    assert "('content-type', 'text/plain')" in shown
    assert "('x-ratelimit-remaining-tokens', '7')" in shown


@pytest.mark.parametrize(
    "name", ["Content-Length", "transfer-encoding", "host", "connection", "upgrade", "TE"]
)
def test_fields_of_the_connection_are_refused_without_their_value(name: str) -> None:
    headers = Headers({"x-mine": "1", name: "s3cret"})

    with pytest.raises(RequestBuildError, match=f"'{name.lower()}' belongs") as caught:
        headers.refuse_connection_fields()

    assert "s3cret" not in str(caught.value)
    Headers({"x-mine": "1"}).refuse_connection_fields()


@pytest.mark.parametrize(("name", "value"), [("a", 1), ("a", None), ("a", b"x"), (1, "x")])
def test_what_is_no_text_is_refused(name: Any, value: Any) -> None:
    with pytest.raises(RequestBuildError, match="must be text"):
        Headers({name: value})
    with pytest.raises(RequestBuildError, match="must be text"):
        Headers().set(name, value)


def test_headers_can_be_made_of_pairs_mappings_and_headers() -> None:
    made = [
        Headers([("a", "1"), ("b", "2")]),
        Headers({"A": "1", "B": "2"}),
        Headers(Headers({"a": "1", "b": "2"})),
        Headers.received([("a", "1"), ("b", "2")]),
        Headers.lenient([("a", "1"), ("b", "2")]),
    ]

    assert all(headers == made[0] for headers in made)


def test_received_fields_keep_all_values_of_a_name() -> None:
    headers = Headers.received([("a", "1"), ("b", "2"), ("a", "3")])

    assert list(headers.items()) == [("a", "1"), ("a", "3"), ("b", "2")]


def test_an_absent_name_is_a_key_error_or_the_default() -> None:
    headers = Headers({"a": "1"})

    with pytest.raises(KeyError):
        headers["b"]
    assert (headers.get("b"), headers.get("b", "x"), headers.get_all("b")) == (None, "x", [])
    assert "b" not in headers


def test_headers_are_equal_by_value_and_to_nothing_else() -> None:
    assert Headers({"a": "1"}) == Headers({"A": "1"})
    assert Headers({"a": "1"}) != Headers({"a": "2"})
    assert Headers({"a": "1"}) != {"a": "1"}
    with pytest.raises(TypeError):
        hash(Headers())


def test_a_name_can_be_removed_whether_it_is_there_or_not() -> None:
    headers = Headers({"a": "1"})
    headers.remove("A")
    headers.remove("a")

    assert len(headers) == 0


def test_no_layer_changes_nothing() -> None:
    headers = Headers({"a": "1"})
    headers.merge(None)
    headers.fill(None)

    assert list(headers.items()) == [("a", "1")]


def test_a_name_can_be_moved_to_the_end_whether_it_is_there_or_not() -> None:
    headers = Headers([("a", "1"), ("b", "2"), ("a", "3")])
    headers.move_to_end("A")
    headers.move_to_end("c")

    assert list(headers.items()) == [("b", "2"), ("a", "1"), ("a", "3")]
