from __future__ import annotations

from functools import partial

import msgspec
import pytest
from msgspec import Raw

from codex_api import items
from codex_api._logic.incoming.objects import (
    object_reader,
    read_deleted,
    read_item,
    read_object,
    read_page,
)
from codex_api.errors import DecodeError, RateLimitError
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Response


class Thing(msgspec.Struct, frozen=True):
    id: str
    size: int | None = None
    raw: bytes = b""


def answer(body: bytes) -> Response:
    return Response(200, Headers(), body)


def test_an_object_is_read_member_by_member() -> None:
    body = b'{"id":"a","size":"large","later":1}'

    assert read_object(answer(body), "things", kind=Thing) == Thing("a", None, body)


@pytest.mark.parametrize("body", [b"{}", b'{"id":3}'])
def test_an_object_without_what_it_cannot_do_without_is_no_object(body: bytes) -> None:
    with pytest.raises(DecodeError, match=r"things.*\$\.id"):
        read_object(answer(body), "things", kind=Thing)


def test_an_answer_may_be_one_item() -> None:
    body = b'{"type":"message","role":"user","content":[]}'

    assert read_item(answer(body), "items") == items.Message(role="user", content=[])
    with pytest.raises(DecodeError):
        read_item(answer(b"[]"), "items")


@pytest.mark.parametrize(
    ("body", "has_more", "last"),
    [
        (b'{"data":[{"id":"a"},{"id":"b"}],"has_more":true,"last_id":"x"}', True, "x"),
        (b'{"data":[{"id":"a"},{"id":"b"}],"has_more":"yes"}', False, "b"),
        (b'{"data":[{"id":"a"},3]}', False, None),
        (b'{"data":[]}', False, None),
    ],
)
def test_a_page_says_what_follows(body: bytes, last: str | None, *, has_more: bool) -> None:
    page = read_page(answer(body), "things", element=object_reader(Thing))

    assert (page.has_more, page.last_id, page.raw) == (has_more, last, body)


def test_an_element_that_makes_no_sense_stays_as_it_is() -> None:
    read = partial(read_page, endpoint="things", element=object_reader(Thing))

    page = read(answer(b'{"data":[{"id":"a"},{"id":1},"x"]}'))

    assert page.items == [Thing("a", None, b'{"id":"a"}'), Raw(b'{"id":1}'), Raw(b'"x"')]


@pytest.mark.parametrize("body", [b"{}", b'{"data":{}}'])
def test_a_page_without_a_list_is_none(body: bytes) -> None:
    with pytest.raises(DecodeError, match=r"\$\.data"):
        read_page(answer(body), "things", element=object_reader(Thing))


@pytest.mark.parametrize(
    ("body", "name", "deleted"),
    [
        (b"", "asked", True),
        (b" \n", "asked", True),
        (b"{}", "asked", True),
        (b'{"id":"told","deleted":true}', "told", True),
        (b'{"id":"told","deleted":false}', "told", False),
    ],
)
def test_a_deletion_is_believed_unless_it_says_no(body: bytes, name: str, *, deleted: bool) -> None:
    found = read_deleted(answer(body), "things", of="asked")

    assert (found.id, found.deleted, found.raw) == (name, deleted, body)


def test_a_failure_is_no_deletion() -> None:
    body = b'{"error":{"code":"rate_limit_exceeded","message":"slower"}}'

    with pytest.raises(RateLimitError, match="slower"):
        read_deleted(answer(body), "things", of="asked")


def test_an_answer_to_a_deletion_is_json_or_nothing() -> None:
    with pytest.raises(DecodeError):
        read_deleted(answer(b"gone"), "things", of="asked")
