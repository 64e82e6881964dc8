"""What a server keeps, by the official SDK, sync and async, against the embedded server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from codex_api.testing import EmbeddedServer, ServerSettings, faults, scenarios

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front

pytestmark = pytest.mark.anyio

MODEL = "gpt-5.1"
BINARY = bytes(range(256)) + b"\r\n--\r\n\r\n--x--\r\n"


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
async def sdk(front: Front, server: EmbeddedServer) -> AsyncIterator[Any]:
    kind = front.pick(openai.OpenAI, openai.AsyncOpenAI)
    async with front.entering(kind(api_key="k", base_url=server.url)) as client:
        yield client


async def listed(front: Front, method: Any, *args: Any, **kwargs: Any) -> list[Any]:
    pages = method(*args, **kwargs) if front.is_async else await front(method, *args, **kwargs)
    return [each async for each in front.iterate(pages)]


async def until_over(front: Front, look: Any, ident: str) -> Any:
    """Look until something is no longer in progress."""
    while (found := await front(look, ident)).status in {
        "queued",
        "validating",
        "in_progress",
        "finalizing",
        "cancelling",
    }:
        pass
    return found


async def test_a_stored_response_is_asked_for_and_deleted(front: Front, sdk: Any) -> None:
    made = await front(sdk.responses.create, model=MODEL, input="hi", metadata={"a": "b"})
    found = await front(sdk.responses.retrieve, made.id)
    await front(sdk.responses.delete, made.id)

    assert (found.output_text, found.metadata) == (made.output_text, {"a": "b"})
    with pytest.raises(openai.NotFoundError):
        await front(sdk.responses.retrieve, made.id)


async def test_input_items_come_page_by_page(front: Front, sdk: Any) -> None:
    said = [{"role": "user", "content": f"n {number}"} for number in range(5)]
    made = await front(sdk.responses.create, model=MODEL, input=said)
    found = await listed(front, sdk.responses.input_items.list, made.id, limit=2, order="asc")

    assert [item.content[0].text for item in found] == [each["content"] for each in said]
    assert len({item.id for item in found}) == 5


async def test_tokens_are_counted_as_a_response_counts_them(front: Front, sdk: Any) -> None:
    counted = await front(
        sdk.responses.input_tokens.count, model=MODEL, input="one two", instructions="three"
    )
    made = await front(
        sdk.responses.create, model=MODEL, input="one two", instructions="three", store=False
    )

    assert counted.input_tokens == made.usage.input_tokens == 3


async def test_a_background_response_goes_on_without_a_connection(front: Front, sdk: Any) -> None:
    begun = await front(sdk.responses.create, model=MODEL, input="hi", background=True)
    done = await until_over(front, sdk.responses.retrieve, begun.id)

    assert begun.status == "queued"
    assert (done.status, done.output_text) == ("completed", 'You said: "hi". I read 1 item.')


async def test_a_background_stream_goes_on_after_a_cut(
    front: Front, sdk: Any, server: EmbeddedServer
) -> None:
    server.play(scenarios.faulty(faults.cut(after=4)))
    stream = await front(
        sdk.responses.create, model=MODEL, input="count to 5", background=True, stream=True
    )
    seen: list[Any] = []

    async def read(stream: Any) -> None:
        async for event in front.iterate(stream):
            seen.append(event)  # noqa: PERF401 - some come before an error

    with pytest.raises(openai.APIConnectionError):
        await read(stream)
    rest = await front(
        sdk.responses.retrieve,
        seen[0].response.id,
        stream=True,
        starting_after=seen[-1].sequence_number,
    )
    await read(rest)

    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert seen[-1].response.output_text == "1 2 3 4 5"


async def test_a_background_response_is_cancelled(front: Front) -> None:
    kind = front.pick(openai.OpenAI, openai.AsyncOpenAI)
    with EmbeddedServer(ServerSettings(background_pace=60)) as slow:
        async with front.entering(kind(api_key="k", base_url=slow.url)) as sdk:
            begun = await front(sdk.responses.create, model=MODEL, input="hi", background=True)
            stopped = await front(sdk.responses.cancel, begun.id)
            found = await front(sdk.responses.retrieve, begun.id)

    assert (stopped.status, found.status) == ("cancelled", "cancelled")


async def test_a_conversation_is_kept(front: Front, sdk: Any) -> None:
    made = await front(
        sdk.conversations.create,
        items=[{"role": "user", "content": "My name is Ada."}],
        metadata={"a": "b"},
    )
    answer = await front(sdk.responses.create, model=MODEL, input="hello", conversation=made.id)
    items = await listed(front, sdk.conversations.items.list, made.id, order="asc", limit=1)
    changed = await front(sdk.conversations.update, made.id, metadata={"c": "d"})
    found = await front(sdk.conversations.retrieve, made.id)
    gone = await front(sdk.conversations.delete, made.id)

    assert answer.conversation.id == made.id
    assert "My name is Ada." in answer.output_text
    assert [(item.role, item.content[0].text) for item in items] == [
        ("user", "My name is Ada."),
        ("user", "hello"),
        ("assistant", answer.output_text),
    ]
    assert (changed.metadata, found.metadata, gone.deleted) == ({"c": "d"}, {"c": "d"}, True)
    with pytest.raises(openai.NotFoundError):
        await front(sdk.conversations.retrieve, made.id)


@pytest.mark.parametrize("how", ["whole", "stream", "background"])
async def test_every_kind_of_response_joins_its_conversation_once(
    front: Front, sdk: Any, how: str
) -> None:
    made = await front(sdk.conversations.create)
    more: dict[str, Any] = {} if how == "whole" else {how: True}
    answer = await front(
        sdk.responses.create, model=MODEL, input="hello", conversation={"id": made.id}, **more
    )
    if how == "stream":
        _ = [event async for event in front.iterate(answer)]
    elif how == "background":
        await until_over(front, sdk.responses.retrieve, answer.id)
    items = await listed(front, sdk.conversations.items.list, made.id, order="asc")

    assert [item.role for item in items] == ["user", "assistant"]


async def test_items_of_a_conversation_are_added_and_taken_out(front: Front, sdk: Any) -> None:
    made = await front(sdk.conversations.create)
    added = await front(
        sdk.conversations.items.create,
        made.id,
        items=[{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    )
    first, second = added.data
    found = await front(sdk.conversations.items.retrieve, first.id, conversation_id=made.id)
    await front(sdk.conversations.items.delete, first.id, conversation_id=made.id)
    left = await listed(front, sdk.conversations.items.list, made.id)

    assert found == first
    assert [item.id for item in left] == [second.id]
    with pytest.raises(openai.NotFoundError):
        await front(sdk.conversations.items.retrieve, first.id, conversation_id=made.id)


async def test_a_conversation_and_a_previous_response_exclude_each_other(
    front: Front, sdk: Any
) -> None:
    made = await front(sdk.conversations.create)
    with pytest.raises(openai.BadRequestError, match="not both"):
        await front(
            sdk.responses.create,
            model=MODEL,
            input="hi",
            conversation=made.id,
            previous_response_id="resp_1",
        )


async def test_a_file_comes_back_byte_for_byte(front: Front, sdk: Any) -> None:
    upload = ("a b.bin", BINARY)
    made = await front(
        sdk.files.create,
        file=upload,
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    other = await front(sdk.files.create, file=("c.jsonl", b"{}"), purpose="batch")
    content = await front(sdk.files.content, made.id)
    found = await front(sdk.files.retrieve, made.id)
    kept = await listed(front, sdk.files.list, limit=1)
    batch = await listed(front, sdk.files.list, purpose="batch")
    gone = await front(sdk.files.delete, made.id)

    assert content.read() == BINARY
    assert (found.filename, found.bytes, found.purpose) == ("a b.bin", len(BINARY), "user_data")
    assert found.expires_at == found.created_at + 3600
    assert [file.id for file in kept] == [other.id, made.id]
    assert [file.id for file in batch] == [other.id]
    assert gone.deleted
    with pytest.raises(openai.NotFoundError):
        await front(sdk.files.content, made.id)


def line(name: str, text: str, **more: Any) -> bytes:
    body = {"model": MODEL, "input": text, **more}
    request = {"custom_id": name, "method": "POST", "url": "/v1/responses", "body": body}
    return json.dumps(request).encode() + b"\n"


def chat_line(name: str, text: str, url: str = "/v1/chat/completions", **more: Any) -> bytes:
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}
    return json.dumps({"custom_id": name, "method": "POST", "url": url, "body": body}).encode()


async def begun(front: Front, sdk: Any, content: bytes, endpoint: str = "/v1/responses") -> Any:
    file = await front(sdk.files.create, file=("in.jsonl", content), purpose="batch")
    return await front(
        sdk.batches.create,
        input_file_id=file.id,
        endpoint=endpoint,
        completion_window="24h",
        metadata={"a": "b"},
    )


async def results(front: Front, sdk: Any, file_id: str) -> dict[str, Any]:
    content = await front(sdk.files.content, file_id)
    read = [json.loads(each) for each in content.text.splitlines()]
    return {each["custom_id"]: each["response"] for each in read}


async def test_a_batch_answers_its_requests(front: Front, sdk: Any, server: EmbeddedServer) -> None:
    server.play(scenarios.normal(), scenarios.http_error(500), endpoint="batches/request")
    content = line("a", "hi") + line("b", "scripted") + line("c", "x", temperature="hot")
    batch = await begun(front, sdk, content)
    done = await until_over(front, sdk.batches.retrieve, batch.id)
    good = await results(front, sdk, done.output_file_id)
    bad = await results(front, sdk, done.error_file_id)
    known = await listed(front, sdk.batches.list, limit=1)

    assert (batch.status, done.status, done.metadata) == ("validating", "completed", {"a": "b"})
    counts = done.request_counts
    assert (counts.total, counts.completed, counts.failed) == (3, 1, 2)
    assert list(good) == ["a"]
    assert good["a"]["body"]["output"][0]["content"][0]["text"].startswith('You said: "hi"')
    assert {name: each["status_code"] for name, each in bad.items()} == {"b": 500, "c": 400}
    assert [each.id for each in known] == [batch.id]


async def test_a_batch_of_chat_completions_answers_its_requests(
    front: Front, sdk: Any, server: EmbeddedServer
) -> None:
    response = {"status": "failed", "error": {"code": "server_error", "message": "no"}}
    failed = scenarios.scripted({"type": "response.failed", "response": response})
    server.play(scenarios.normal(), failed, endpoint="batches/request")
    lines = [chat_line("a", "hi"), chat_line("b", "fails"), chat_line("c", "hi", n=0.5)]
    batch = await begun(front, sdk, b"\n".join(lines), "/v1/chat/completions")
    done = await until_over(front, sdk.batches.retrieve, batch.id)
    good = await results(front, sdk, done.output_file_id)
    bad = await results(front, sdk, done.error_file_id)

    assert (batch.endpoint, done.status) == ("/v1/chat/completions", "completed")
    completion = ChatCompletion.model_validate(good["a"]["body"], strict=True)
    assert (completion.choices[0].message.content or "").startswith('You said: "hi"')
    assert {name: each["status_code"] for name, each in bad.items()} == {"b": 500, "c": 400}


async def test_a_batch_has_requests_of_one_endpoint(front: Front, sdk: Any) -> None:
    content = chat_line("a", "hi") + b"\n" + chat_line("b", "hi", "/v1/responses")
    batch = await begun(front, sdk, content, "/v1/chat/completions")
    done = await until_over(front, sdk.batches.retrieve, batch.id)

    assert done.status == "failed"
    assert [(error.line, error.code) for error in done.errors.data] == [(2, "mismatched_endpoint")]


async def test_a_batch_with_a_wrong_line_fails_and_says_where(front: Front, sdk: Any) -> None:
    content = line("a", "hi") + b"nonsense\n" + line("a", "again")
    batch = await begun(front, sdk, content)
    done = await until_over(front, sdk.batches.retrieve, batch.id)

    assert (done.status, done.output_file_id) == ("failed", None)
    assert [(error.line, error.code) for error in done.errors.data] == [
        (2, "invalid_json_line"),
        (3, "duplicate_custom_id"),
    ]


async def test_a_batch_is_cancelled(front: Front) -> None:
    kind = front.pick(openai.OpenAI, openai.AsyncOpenAI)
    with EmbeddedServer(ServerSettings(background_pace=0.05)) as slow:
        async with front.entering(kind(api_key="k", base_url=slow.url)) as sdk:
            content = b"".join(line(str(number), "hi") for number in range(1000))
            batch = await begun(front, sdk, content)
            stopped = await front(sdk.batches.cancel, batch.id)
            done = await until_over(front, sdk.batches.retrieve, batch.id)
            with pytest.raises(openai.ConflictError):
                await front(sdk.batches.cancel, batch.id)

    assert (stopped.status, done.status) == ("cancelling", "cancelled")
    assert done.request_counts.completed < 1000


@pytest.mark.parametrize(
    ("purpose", "endpoint", "match"),
    [
        ("user_data", "/v1/responses", "purpose"),
        ("batch", "/v1/embeddings", "endpoint"),
    ],
)
async def test_a_batch_that_makes_no_sense_is_refused(
    front: Front, sdk: Any, purpose: str, endpoint: str, match: str
) -> None:
    file = await front(sdk.files.create, file=("in.jsonl", b"{}"), purpose=purpose)
    with pytest.raises(openai.BadRequestError, match=match):
        await front(
            sdk.batches.create,
            input_file_id=file.id,
            endpoint=endpoint,
            completion_window="24h",
        )
