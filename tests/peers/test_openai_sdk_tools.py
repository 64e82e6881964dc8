"""Built-in tools, compaction and logprobs by the official SDK, sync and async."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import openai
import pytest

from codex_api.testing import EmbeddedServer
from codex_api.testing.server.png import size_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front

pytestmark = pytest.mark.anyio

MODEL = "gpt-5.1"
MCP = {"type": "mcp", "server_label": "remote", "server_url": "https://mcp.invalid"}


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
async def sdk(front: Front, server: EmbeddedServer) -> AsyncIterator[Any]:
    kind = front.pick(openai.OpenAI, openai.AsyncOpenAI)
    async with front.entering(kind(api_key="k", base_url=server.url)) as client:
        yield client


async def streamed(front: Front, sdk: Any, **more: Any) -> tuple[list[str], Any]:
    """Stream by the SDK's helper, which puts the response together by itself."""
    async with front.entering(sdk.responses.stream(model=MODEL, **more)) as stream:
        kinds = [event.type async for event in front.iterate(stream)]
        return kinds, await front(stream.get_final_response)


async def test_a_search_is_streamed_and_cited(front: Front, sdk: Any) -> None:
    kinds, final = await streamed(
        front, sdk, input='web_search "growing tomatoes"', tools=[{"type": "web_search"}]
    )

    search, message = final.output
    assert (search.status, search.action.query) == ("completed", "growing tomatoes")
    (part,) = message.content
    (cited,) = part.annotations
    assert cited.title in part.text[cited.start_index : cited.end_index]
    states = [kind for kind in kinds if kind.startswith("response.web_search_call")]
    assert [kind.rpartition(".")[2] for kind in states] == ["in_progress", "searching", "completed"]
    assert "response.output_text.annotation.added" in kinds


async def test_files_that_were_uploaded_are_searched(front: Front, sdk: Any) -> None:
    upload = ("rome.txt", b"Rome was not built in a day")
    kept = await front(sdk.files.create, file=upload, purpose="assistants")
    made = await front(
        sdk.responses.create,
        model=MODEL,
        input='file_search "Rome built"',
        tools=[{"type": "file_search", "vector_store_ids": ["vs_1"]}],
        include=["file_search_call.results"],
    )

    search, message = made.output
    assert [result.file_id for result in search.results] == [kept.id]
    assert message.content[0].annotations[0].filename == "rome.txt"


async def test_a_picture_is_streamed_with_its_parts(front: Front, sdk: Any) -> None:
    tool = {"type": "image_generation", "size": "24x16", "partial_images": 2}
    choice = {"type": "image_generation"}
    kinds, final = await streamed(front, sdk, input="a cat", tools=[tool], tool_choice=choice)

    drawn, _ = final.output
    assert kinds.count("response.image_generation_call.partial_image") == 2
    assert size_of(base64.b64decode(drawn.result)) == (24, 16)


async def test_code_is_streamed(front: Front, sdk: Any) -> None:
    kinds, final = await streamed(
        front,
        sdk,
        input="code_interpreter `print(1)`",
        tools=[{"type": "code_interpreter", "container": {"type": "auto"}}],
        include=["code_interpreter_call.outputs"],
    )

    assert final.output[0].code == "print(1)"
    assert final.output[0].outputs[0].type == "logs"
    assert "response.code_interpreter_call_code.delta" in kinds


async def test_a_remote_call_is_approved_in_the_next_response(front: Front, sdk: Any) -> None:
    first = await front(sdk.responses.create, model=MODEL, input="echo text=hi", tools=[MCP])
    listing, question = first.output
    decision = {
        "type": "mcp_approval_response",
        "approval_request_id": question.id,
        "approve": True,
    }
    _, second = await streamed(
        front, sdk, input=[decision], tools=[MCP], previous_response_id=first.id
    )

    assert [tool.name for tool in listing.tools] == ["echo"]
    call, message = second.output
    assert (call.approval_request_id, call.output) == (question.id, "hi")
    assert message.content[0].text == 'echo returned "hi".'


async def test_a_shell_of_the_client_is_asked_and_told(front: Front, sdk: Any) -> None:
    tools = [{"type": "shell"}]
    first = await front(sdk.responses.create, model=MODEL, input="shell `ls`", tools=tools)
    (call,) = first.output
    outcome = {"type": "exit", "exit_code": 0}
    output = {
        "type": "shell_call_output",
        "call_id": call.call_id,
        "output": [{"stdout": "a.txt", "stderr": "", "outcome": outcome}],
    }
    second = await front(
        sdk.responses.create,
        model=MODEL,
        input=[output],
        tools=tools,
        previous_response_id=first.id,
    )

    assert call.action.commands == ["ls"]
    assert second.output_text == 'shell returned "a.txt".'


async def test_a_conversation_is_compacted_by_id(front: Front, sdk: Any) -> None:
    first = await front(sdk.responses.create, model=MODEL, input="I am Ada.")
    made = await front(sdk.responses.compact, model=MODEL, previous_response_id=first.id)
    # The SDK takes messages of users for the model's own, and complains.
    items = [item.to_dict(warnings=False) for item in made.output]
    again = await front(
        sdk.responses.create, model=MODEL, input=[*items, {"role": "user", "content": "hello"}]
    )

    assert [item["type"] for item in items] == ["message", "compaction"]
    assert 'I remember 2 compacted items: "I am Ada."' in again.output_text


@pytest.mark.parametrize(("threshold", "compacts"), [(5, True), (5000, False)])
async def test_a_long_conversation_is_compacted_on_the_way(
    front: Front, sdk: Any, threshold: int, *, compacts: bool
) -> None:
    management = [{"type": "compaction", "compact_threshold": threshold}]
    said = [{"role": "user", "content": "one two three four five six"}]
    made = await front(sdk.responses.create, model=MODEL, input=said, context_management=management)
    kinds = [item.type for item in made.output]
    items = [item.to_dict() for item in made.output if item.type == "compaction"]
    again = await front(
        sdk.responses.create,
        model=MODEL,
        input=[*items, {"role": "user", "content": "hello"}],
    )

    assert kinds == (["compaction", "message"] if compacts else ["message"])
    assert ("I remember" in again.output_text) is compacts


async def test_logprobs_are_told_where_they_are_wanted(front: Front, sdk: Any) -> None:
    include = ["message.output_text.logprobs"]
    _, final = await streamed(front, sdk, input="count to 3", include=include, top_logprobs=2)
    _, without = await streamed(front, sdk, input="count to 3")

    logprobs = final.output[0].content[0].logprobs
    assert "".join(each.token for each in logprobs) == final.output_text == "1 2 3"
    assert all(bytes(each.bytes).decode() == each.token for each in logprobs)
    assert [len(each.top_logprobs) for each in logprobs] == [2, 2, 2]
    assert without.output[0].content[0].logprobs == []
