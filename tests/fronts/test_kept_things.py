"""Conversations, batches and files that the server keeps: what goes out, how answers are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from codex_api import errors, items
from codex_api.testing.actions import Close, ReadRequest, answer
from codex_api.testing.scripted import ScriptedServer
from codex_api.types.batches import Batch, BatchCounts
from codex_api.types.conversations import Conversation
from codex_api.types.files import FileObject
from codex_api.types.stored import Deleted, Page
from tests.fronts.simple_calls import client_of, provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.front import Front

pytestmark = pytest.mark.anyio

CONVERSATION = {"id": "conv_1", "object": "conversation", "created_at": 5, "metadata": {"a": "b"}}
MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "role": "user",
    "content": [{"type": "input_text", "text": "hi"}],
}
BATCH = {
    "id": "batch_1",
    "object": "batch",
    "status": "in_progress",
    "endpoint": "/v1/responses",
    "input_file_id": "file_1",
    "completion_window": "24h",
    "request_counts": {"total": 3, "completed": 1, "failed": 0},
    "errors": None,
}
FILE = {"id": "file_1", "object": "file", "filename": "a.jsonl", "bytes": 12, "purpose": "batch"}
USER = items.Message.user("hi")


class Call(NamedTuple):
    """A call: how it is made, what goes out, the answer, and what is read of it."""

    make: Callable[[Any], tuple[Any, ...]]
    method: str
    target: str
    answer: Any
    result: Any
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


def list_of(*elements: Any) -> dict[str, Any]:
    return {"object": "list", "data": list(elements), "has_more": False}


KNOWN = Conversation(id="conv_1", created_at=5, metadata={"a": "b"})
CALLS = [
    Call(
        lambda client: (client.conversations.create, [USER], {"a": "b"}),
        "POST",
        "conversations",
        CONVERSATION,
        KNOWN,
        {
            "items": [
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "hi"}],
                }
            ],
            "metadata": {"a": "b"},
        },
    ),
    Call(
        lambda client: (client.conversations.create,),
        "POST",
        "conversations",
        {"id": "conv_1"},
        Conversation(id="conv_1"),
        {},
    ),
    Call(
        lambda client: (client.conversations.retrieve, "conv/1"),
        "GET",
        "conversations/conv%2F1",
        CONVERSATION,
        KNOWN,
    ),
    Call(
        lambda client: (client.conversations.update, "conv_1", {"a": "b"}),
        "POST",
        "conversations/conv_1",
        {**CONVERSATION, "created_at": "soon"},  # one odd member costs that member
        Conversation(id="conv_1", metadata={"a": "b"}),
        {"metadata": {"a": "b"}},
    ),
    Call(
        lambda client: (client.conversations.delete, "conv_1"),
        "DELETE",
        "conversations/conv_1",
        {"id": "conv_1", "deleted": True},
        Deleted(id="conv_1"),
    ),
    Call(
        lambda client: (client.conversations.items("conv_1", limit=5).first_page,),
        "GET",
        "conversations/conv_1/items?limit=5",
        list_of(MESSAGE),
        Page(items=[msgspec.structs.replace(USER, id="msg_1")], last_id="msg_1"),
    ),
    Call(
        lambda client: (client.conversations.add_items, "conv_1", [MESSAGE]),
        "POST",
        "conversations/conv_1/items",
        list_of(MESSAGE),
        Page(items=[msgspec.structs.replace(USER, id="msg_1")], last_id="msg_1"),
        {"items": [MESSAGE]},
    ),
    Call(
        lambda client: (client.conversations.item, "conv_1", "msg_1"),
        "GET",
        "conversations/conv_1/items/msg_1",
        MESSAGE,
        msgspec.structs.replace(USER, id="msg_1"),
    ),
    Call(
        lambda client: (client.conversations.delete_item, "conv_1", "msg_1"),
        "DELETE",
        "conversations/conv_1/items/msg_1",
        CONVERSATION,
        KNOWN,
    ),
    Call(
        lambda client: (client.batches.create, "file_1"),
        "POST",
        "batches",
        BATCH,
        Batch(
            id="batch_1",
            status="in_progress",
            endpoint="/v1/responses",
            input_file_id="file_1",
            completion_window="24h",
            request_counts=BatchCounts(3, 1, 0),
        ),
        {"input_file_id": "file_1", "endpoint": "/v1/responses", "completion_window": "24h"},
    ),
    Call(
        lambda client: (client.batches.retrieve, "batch_1"),
        "GET",
        "batches/batch_1",
        {"id": "batch_1", "status": "completed"},
        Batch(id="batch_1", status="completed"),
    ),
    Call(
        lambda client: (client.batches.cancel, "batch_1"),
        "POST",
        "batches/batch_1/cancel",
        {"id": "batch_1", "status": "cancelling"},
        Batch(id="batch_1", status="cancelling"),
    ),
    Call(
        lambda client: (client.batches.list(after="b").first_page,),
        "GET",
        "batches?after=b",
        list_of({"id": "batch_1", "status": "failed"}, {"status": "no id"}),
        Page(
            items=[Batch(id="batch_1", status="failed"), msgspec.Raw(b'{"status":"no id"}')],
        ),
    ),
    Call(
        lambda client: (client.files.retrieve, "file_1"),
        "GET",
        "files/file_1",
        FILE,
        FileObject(id="file_1", filename="a.jsonl", bytes=12, purpose="batch"),
    ),
    Call(
        lambda client: (client.files.delete, "file_1"),
        "DELETE",
        "files/file_1",
        {},
        Deleted(id="file_1"),
    ),
    Call(
        lambda client: (client.files.list(purpose="batch", order="asc").first_page,),
        "GET",
        "files?purpose=batch&order=asc",
        list_of(FILE),
        Page(
            items=[FileObject(id="file_1", filename="a.jsonl", bytes=12, purpose="batch")],
            last_id="file_1",
        ),
    ),
]


def without_raw(value: Any) -> Any:
    """Take the bytes of the answer out, which the results above do not have."""
    if isinstance(value, Page):
        found = [without_raw(element) for element in value.items]
        return msgspec.structs.replace(value, items=found, raw=b"")
    if isinstance(value, Conversation | Batch | Deleted):
        return msgspec.structs.replace(value, raw=b"")
    return value


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_what_goes_out_and_what_is_read(front: Front, call: Call) -> None:
    body = json.dumps(call.answer, separators=(",", ":")).encode()
    with ScriptedServer([answer(body=body)]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            method, *arguments = call.make(client)
            got = await front(method, *arguments)
    (request,) = server.requests

    assert (request.method, request.target) == (call.method, f"/v1/{call.target}")
    assert (json.loads(request.body) if request.body else None) == call.body
    assert without_raw(got) == call.result
    if isinstance(got, Conversation | Batch | Deleted | Page):
        assert got.raw == body


@pytest.mark.parametrize(
    "make",
    [
        lambda client: (client.conversations.retrieve, " "),
        lambda client: (client.conversations.item, "conv_1", ""),
        lambda client: (client.batches.create, ""),
        lambda client: (client.batches.retrieve, ""),
        lambda client: (client.files.content, ""),
        lambda client: (client.files.delete, ".."),
        lambda client: (client.conversations.delete_item, "conv_1", ".."),
        lambda client: (client.batches.cancel, "."),
    ],
)
async def test_an_id_that_names_nothing_or_what_lies_above_is_refused(
    front: Front, make: Any
) -> None:
    with ScriptedServer([]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            method, *arguments = make(client)
            with pytest.raises(errors.RequestBuildError, match=r"blank|it is '\.\.?'"):
                await front(method, *arguments)


@pytest.mark.parametrize(
    ("make", "missing"),
    [
        (lambda client: (client.conversations.retrieve, "x"), r"\$\.id"),
        (lambda client: (client.batches.retrieve, "x"), r"\$\.id"),
        (lambda client: (client.files.retrieve, "x"), r"\$\.id"),
    ],
)
async def test_an_answer_without_an_id_is_an_error(front: Front, make: Any, missing: str) -> None:
    with ScriptedServer([answer(body={"object": "thing"})]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            method, *arguments = make(client)
            with pytest.raises(errors.DecodeError, match=missing):
                await front(method, *arguments)


async def test_the_content_of_a_file_is_its_bytes(front: Front) -> None:
    with ScriptedServer([answer(body=b'{"a":1}\n\xff')]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            assert await front(client.files.content, "file_1") == b'{"a":1}\n\xff'

    assert server.requests[0].target == "/v1/files/file_1/content"


@pytest.mark.parametrize(
    "make",
    [
        lambda client: (client.conversations.create,),
        lambda client: (client.conversations.add_items, "conv_1", [USER]),
        lambda client: (client.batches.create, "file_1"),
    ],
)
async def test_what_creates_something_is_not_sent_twice(front: Front, make: Any) -> None:
    with ScriptedServer(connections=[[ReadRequest(), Close()]] * 2) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            method, *arguments = make(client)
            with pytest.raises(errors.NetworkError) as caught:
                await front(method, *arguments)

    assert len(server.requests) == 1
    assert caught.value.sent == "maybe"


@pytest.mark.parametrize(
    ("status", "is_finished"),
    [("validating", False), ("finalizing", False), ("expired", True), ("cancelled", True)],
)
def test_a_batch_says_whether_anything_more_comes(status: str, is_finished: bool) -> None:  # noqa: FBT001 - a case
    assert Batch(id="b", status=status).is_finished is is_finished


@pytest.mark.parametrize("given", [USER, {"role": "user", "content": "hi"}, iter([USER]), 3])
async def test_items_of_a_conversation_are_a_list(front: Front, given: Any) -> None:
    with ScriptedServer([]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            for call in (
                (client.conversations.create, given),
                (client.conversations.add_items, "conv_1", given),
            ):
                with pytest.raises(errors.RequestBuildError, match=r"illegal `items`.*a list of"):
                    await front(*call)
