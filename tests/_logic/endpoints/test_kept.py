"""What the public API keeps: each call goes where it should, and its answer is read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Raw

from codex_api import items
from codex_api._logic.endpoints import (
    any_call,
    batches,
    conversations,
    kept_files,
    stored_responses,
)
from codex_api.errors import DecodeError
from codex_api.transport._core.messages import JsonBody, RawBody
from codex_api.transport.errors import RequestBuildError
from tests._logic.operations import CONTEXT, answered, body_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api._logic.calling.operation import Operation
    from codex_api._logic.endpoints.pages import Listing

BASE = "https://h/v1/"
MESSAGE = items.Message.user("hi")
CALLS: dict[str, Callable[[], Operation[Any]]] = {
    "POST batches": partial(batches.create, CONTEXT, "file_1", metadata={"a": "b"}),
    "GET batches/b%2F1": partial(batches.retrieve, CONTEXT, "b/1"),
    "POST batches/b/cancel": partial(batches.cancel, CONTEXT, "b"),
    "POST conversations": partial(conversations.create, CONTEXT, [MESSAGE], {"a": "b"}),
    "GET conversations/c": partial(conversations.retrieve, CONTEXT, "c"),
    "POST conversations/c": partial(conversations.update, CONTEXT, "c", {"a": "b"}),
    "DELETE conversations/c": partial(conversations.delete, CONTEXT, "c"),
    "POST conversations/c/items": partial(conversations.add_items, CONTEXT, "c", [MESSAGE]),
    "GET conversations/c/items/i": partial(conversations.item, CONTEXT, "c", "i"),
    "DELETE conversations/c/items/i": partial(conversations.delete_item, CONTEXT, "c", "i"),
    "GET files/f": partial(kept_files.retrieve, CONTEXT, "f"),
    "GET files/f/content": partial(kept_files.content, CONTEXT, "f"),
    "DELETE files/f": partial(kept_files.delete, CONTEXT, "f"),
    "GET responses/r": partial(stored_responses.retrieve, CONTEXT, "r"),
    "POST responses/r/cancel": partial(stored_responses.cancel, CONTEXT, "r"),
    "DELETE responses/r": partial(stored_responses.delete, CONTEXT, "r"),
    "PATCH things": partial(any_call.request, CONTEXT, "patch", "things"),
}
LISTS: dict[str, Listing[Any]] = {
    "batches": batches.list_batches(CONTEXT, limit=2),
    "conversations/c/items": conversations.items(CONTEXT, "c", order="asc", limit=2),
    "files": kept_files.list_files(CONTEXT, purpose="batch"),
    "responses/r/input_items": stored_responses.input_items(CONTEXT, "r", limit=2),
}


@pytest.mark.parametrize("expected", CALLS)
def test_a_call_goes_to_its_path(expected: str) -> None:
    request = CALLS[expected]().request

    assert f"{request.method} {request.url.removeprefix(BASE)}" == expected


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_asked_for_page_by_page(path: str) -> None:
    listing = LISTS[path]
    first = answered(listing.operation(), b'{"data":[{"id":"a"}],"has_more":true}')
    following = listing.following(first)

    assert listing.operation().request.url.startswith(f"{BASE}{path}")
    assert following is not None
    assert following.operation().request.url.endswith("after=a")
    assert listing.following(answered(listing.operation(), b'{"data":[]}')) is None


@pytest.mark.parametrize("data", [b"[]", b'[{"id":"a"}]'])
def test_a_list_that_does_not_move_on_is_an_error(data: bytes) -> None:
    listing = batches.list_batches(CONTEXT, after="a")
    page = answered(listing.operation(), b'{"data":' + data + b',"has_more":true}')

    with pytest.raises(DecodeError, match="not after what"):
        listing.following(page)


@pytest.mark.parametrize("name", [name for name in CALLS if name.startswith("DELETE")])
def test_what_is_deleted_is_named(name: str) -> None:
    if name.endswith("items/i"):
        assert answered(CALLS[name](), b'{"id":"c"}').id == "c"
    else:
        assert answered(CALLS[name](), b"").deleted


def test_a_batch_says_which_requests_it_is_of() -> None:
    operation = CALLS["POST batches"]()

    assert body_of(operation) == (
        b'{"input_file_id":"file_1","endpoint":"/v1/responses","completion_window":"24h",'
        b'"metadata":{"a":"b"}}'
    )
    assert not operation.request.is_repeatable
    assert body_of(batches.create(CONTEXT, "f", extra_body={"x": 1})).endswith(b'"24h","x":1}')
    assert answered(operation, b'{"id":"b","status":"validating"}').id == "b"


def test_content_comes_as_it_is() -> None:
    assert answered(CALLS["GET files/f/content"](), b"\x00\xff") == b"\x00\xff"


@pytest.mark.parametrize(
    ("body", "sent"),
    [(None, None), (b"\x00", RawBody(b"\x00")), ({"a": 1}, JsonBody({"a": 1}))],
)
def test_any_body_may_be_sent_anywhere(body: object, sent: object) -> None:
    operation = any_call.request(CONTEXT, "put", "/things/", body)

    assert (operation.name, operation.request.body) == ("things", sent)
    assert answered(operation, b"x").body == b"x"


@pytest.mark.parametrize(
    ("method", "said", "repeatable"),
    [("GET", None, True), ("POST", None, False), ("POST", True, True), ("PUT", False, False)],
)
def test_a_method_says_whether_it_may_be_repeated(
    method: str, *, said: bool | None, repeatable: bool
) -> None:
    operation = any_call.request(CONTEXT, method, "things", is_repeatable=said)

    assert operation.request.is_repeatable is repeatable


@pytest.mark.parametrize("method", ["", "G T", "GÉT"])
def test_an_illegal_method_is_refused(method: str) -> None:
    with pytest.raises(RequestBuildError, match="illegal method"):
        any_call.request(CONTEXT, method, "things")


@pytest.mark.parametrize("name", ["GET batches/b%2F1", "GET files/f", "GET conversations/c"])
def test_a_blank_id_is_refused(name: str) -> None:
    function = {"b": batches, "f": kept_files, "c": conversations}[name[4]]

    with pytest.raises(RequestBuildError):
        function.retrieve(CONTEXT, " ")


def test_what_a_list_holds_is_read() -> None:
    data = b'{"data":[{"id":"b","status":"failed"},{"no":1}]}'
    page = answered(LISTS["batches"].operation(), data)
    kept = answered(LISTS["conversations/c/items"].operation(), b'{"data":[{"type":"x"}]}')

    assert page.items[0].id == "b"
    assert page.items[1] == Raw(b'{"no":1}')
    assert kept.items == [items.UnknownItem("x", Raw(b'{"type":"x"}'))]


def test_a_text_is_what_a_user_says_in_a_conversation() -> None:
    text: Any = "hi"
    body = body_of(conversations.add_items(CONTEXT, "c", text))

    assert body == body_of(conversations.add_items(CONTEXT, "c", [items.Message.user("hi")]))
