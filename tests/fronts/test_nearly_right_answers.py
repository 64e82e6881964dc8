"""Answers that are nearly what was promised, as proxies and other servers give them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import errors
from codex_api.testing.actions import answer
from codex_api.testing.scripted import ScriptedServer
from codex_api.types.files import FileObject
from tests.fronts.simple_calls import client_of, provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.testing.actions import Action
    from tests.front import Front

pytestmark = pytest.mark.anyio

ERROR = {"error": {"message": "no such key", "type": "invalid_request_error", "code": "x"}}
SEARCH = {"id": "c", "model": "m"}
MODELS = {"object": "list", "data": [{"id": "m1", "object": "model"}]}


async def asked(front: Front, script: list[Action], call: Callable[[Any], Any], *rest: Any) -> Any:
    with ScriptedServer([script]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            return await front(call(client), *rest)


async def listed(front: Front, script: list[list[Action]], name: str = "batches") -> list[Any]:
    with ScriptedServer(script) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            return [one async for one in front.iterate(getattr(client, name).list())]


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ({"content-encoding": "gzip"}, gzip.compress(json.dumps(MODELS).encode())),
        ({}, b"\xef\xbb\xbf" + json.dumps(MODELS).encode()),
        ({}, json.dumps({**MODELS, "cost": float("nan")}).encode()),
    ],
    ids=["gzip", "bom", "nan"],
)
async def test_an_answer_in_another_dress_is_read(
    front: Front, coding: dict[str, str], body: bytes
) -> None:
    page = await asked(front, answer(body=body, headers=coding), lambda c: c.models.list)

    assert [model.id for model in page.models] == ["m1"]


async def test_the_content_of_a_file_that_came_packed_is_the_file(front: Front) -> None:
    script = answer(body=gzip.compress(b"line\n"), headers={"content-encoding": "gzip"})

    assert await asked(front, script, lambda c: c.files.content, "file_1") == b"line\n"


async def test_a_packed_error_tells_its_words(front: Front) -> None:
    body = gzip.compress(json.dumps(ERROR).encode())
    script = answer(400, body=body, headers={"content-encoding": "gzip"})

    with pytest.raises(errors.InvalidRequestError, match="no such key"):
        await asked(front, script, lambda c: c.models.list)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.files.delete,
        lambda c: c.responses.delete,
        lambda c: c.conversations.delete,
    ],
    ids=["file", "response", "conversation"],
)
@pytest.mark.parametrize("body", [ERROR, {"error": "no such key"}])
async def test_a_failure_with_a_status_of_success_deleted_nothing(
    front: Front, call: Callable[[Any], Any], body: Any
) -> None:
    with pytest.raises(errors.ApiError, match="no such key") as caught:
        await asked(front, answer(body=body), call, "id_1")

    assert (caught.value.sent, caught.value.attempts) == ("begun", 1)


async def test_a_deletion_that_names_no_error_is_one(front: Front) -> None:
    script = answer(body={"id": "file_1", "deleted": True, "error": None})

    assert (await asked(front, script, lambda c: c.files.delete, "file_1")).deleted is True


@pytest.mark.parametrize(
    "body",
    [
        {"object": "list", "data": None},
        {"data": []},
        {"models": None},
        {"models": [], "data": None},
    ],
)
async def test_a_list_that_was_never_filled_is_an_empty_one(
    front: Front, body: dict[str, Any]
) -> None:
    """As Ollama lists its models when there are none."""
    assert (await asked(front, answer(body=body), lambda c: c.models.list)).models == []
    if "data" in body:
        assert await listed(front, [answer(body=body)]) == []


async def test_a_failure_without_a_list_is_no_empty_list(front: Front) -> None:
    script = answer(body={"object": "list", "data": None, **ERROR})

    with pytest.raises(errors.ApiError, match="no such key"):
        await asked(front, script, lambda c: c.models.list)
    with pytest.raises(errors.ApiError, match="no such key"):
        await listed(front, [script])


async def test_pages_that_go_round_in_a_circle_end(front: Front) -> None:
    script = [
        answer(body={"data": [{"id": name, "status": "x"}], "has_more": True}) for name in "abca"
    ]

    with pytest.raises(errors.DecodeError, match="more follows, and not after what"):
        await listed(front, script)


@pytest.mark.parametrize(
    "odd", [{}, {"created": None}, {"created": "today", "usage": [], "size": 3, "quality": {}}]
)
async def test_images_are_worth_more_than_what_is_said_of_them(
    front: Front, odd: dict[str, Any]
) -> None:
    script = answer(body={"data": [{"b64_json": "QUJD"}], "output_format": "png", **odd})
    drawn = await asked(front, script, lambda c: c.images.generate, "a cat")

    assert [image.content() for image in drawn.images] == [b"ABC"]
    assert (drawn.created, drawn.usage, drawn.size, drawn.output_format) == (
        None,
        None,
        None,
        "png",
    )


async def test_the_text_of_a_search_is_worth_more_than_what_stands_beside_it(front: Front) -> None:
    script = answer(body={"output": "found", "encrypted_output": 3, "results": "none"})
    found = await asked(front, script, lambda c: c.search, SEARCH)

    assert (found.output, found.encrypted_output, found.results) == ("found", None, None)


async def test_a_file_that_was_stored_is_known_by_its_id(front: Front) -> None:
    """A second upload of it would be stored, and paid for, twice."""
    script = answer(body={"id": "file_1", "bytes": None, "created_at": "today"})
    stored = await asked(front, script, lambda c: c.files.create, b"abc", "batch")

    assert stored == FileObject(id="file_1", filename="upload.bin", bytes=3, purpose="batch")


async def test_an_upload_that_cannot_be_read_says_that_it_was_answered(front: Front) -> None:
    with pytest.raises(errors.DecodeError, match=r"`\$.id`") as caught:
        await asked(front, answer(body={}), lambda c: c.files.create, b"abc", "batch")

    assert (caught.value.sent, caught.value.attempts) == ("begun", 1)
