"""Tools that the server runs, through both fronts: each event and item has a class of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api import (
    AsyncClient,
    Client,
    Network,
    Provider,
    ResponsesApiRequest,
    ResponsesOptions,
    events,
    items,
    tools,
)
from codex_api.testing import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front

pytestmark = pytest.mark.anyio

ALL = ResponsesOptions(all_events=True, other_events=True)
FREE = tools.Mcp(server_label="remote", server_url="https://mcp.invalid", require_approval="never")
ASKING = tools.Mcp(server_label="remote", server_url="https://mcp.invalid")
# A prompt, the tool, the type of its item, and the class of one of its events.
CASES = {
    "web": (
        'web_search "tomatoes"',
        tools.WebSearch(),
        "web_search_call",
        events.AnnotationAdded,
    ),
    "files": (
        "file_search x",
        tools.FileSearch(vector_store_ids=["vs_1"]),
        "file_search_call",
        events.FileSearchCallSearching,
    ),
    "code": (
        "code_interpreter `1`",
        tools.CodeInterpreter(container={"type": "auto"}),
        "code_interpreter_call",
        events.CodeInterpreterCallInterpreting,
    ),
    "image": (
        "image_generation",
        tools.ImageGeneration(size="16x16", partial_images=1),
        "image_generation_call",
        events.PartialImage,
    ),
    "mcp": ("echo text=hi", FREE, "mcp_call", events.McpCallArgumentsDone),
    "mcp, asked": (
        "echo text=hi",
        ASKING,
        "mcp_approval_request",
        events.McpListToolsCompleted,
    ),
    "shell": ("shell `ls`", tools.Shell(), "shell_call", events.OutputItemDone),
    "local shell": (
        "local_shell `ls`",
        tools.LocalShell(),
        "local_shell_call",
        events.OutputItemDone,
    ),
    "patch": ("apply_patch `+x`", tools.ApplyPatch(), "apply_patch_call", events.OutputItemDone),
    "computer": ("computer", tools.Computer(), "computer_call", events.OutputItemDone),
}


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
async def client(front: Front, server: EmbeddedServer) -> AsyncIterator[Any]:
    kind = front.pick(Client, AsyncClient)
    async with front.entering(
        kind(Provider("embedded", server.url), network=Network(proxy=None))
    ) as client:
        yield client


def request(prompt: str, tool: Any) -> ResponsesApiRequest:
    said = [items.Message.user(prompt)]
    return ResponsesApiRequest(model="gpt-5.1", input=said, tools=[tool], store=True)


@pytest.mark.parametrize("case", CASES)
async def test_nothing_of_a_tool_is_unknown(front: Front, client: Any, case: str) -> None:
    prompt, tool, kind, event_class = CASES[case]
    stream = client.responses.stream(request(prompt, tool), options=ALL)
    async with front.entering(stream) as stream:
        seen = [event async for event in front.iterate(stream)]
    whole = await front(client.responses.create, request(prompt, tool))

    assert not [event for event in seen if isinstance(event, events.OtherEvent)]
    assert event_class in [type(event) for event in seen]
    assert kind in [item.type for item in whole.output]
    assert not [item for item in whole.output if isinstance(item, items.UnknownItem)]
