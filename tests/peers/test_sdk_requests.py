"""What the official SDK sends for a request, and what we send for the same one."""

from __future__ import annotations

import json
from typing import Any

import httpx2 as httpx
import msgspec
import openai
import pytest

from codex_api import Reasoning, ResponsesApiRequest, TextControls, tools
from codex_api._logic.outgoing.body import encode_request
from codex_api.types.request import PromptCacheOptions, StreamOptions
from tests.peers.sdk_requests import PARAMETERS, TOOLS, Maker

CLASSES: dict[str, type[msgspec.Struct]] = {
    "reasoning": Reasoning,
    "text": TextControls,
    "prompt_cache_options": PromptCacheOptions,
    "stream_options": StreamOptions,
}
TOOL_CLASSES = {
    kind.__struct_config__.tag: kind
    for kind in vars(tools).values()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
}


def sent_by_the_sdk(parameters: dict[str, Any]) -> dict[str, Any]:
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return httpx.Response(200, json={"id": "resp_1", "object": "response", "output": []})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    with openai.OpenAI(api_key="k", base_url="http://sdk.invalid", http_client=http) as sdk:
        sdk.responses.create(**parameters)
    body: dict[str, Any] = json.loads(sent[0])
    return body


def sent_by_us(parameters: dict[str, Any]) -> dict[str, Any]:
    typed: dict[str, Any] = {
        name: CLASSES[name](**value) if name in CLASSES else value
        for name, value in parameters.items()
    }
    if "tools" in typed:
        typed["tools"] = [typed_tool(tool) for tool in parameters["tools"]]
    request = ResponsesApiRequest.public(**typed)
    body: dict[str, Any] = json.loads(encode_request(request, is_streamed=False))
    assert json.loads(encode_request(request)) == {**body, "stream": True}
    return body


def typed_tool(tool: dict[str, Any]) -> msgspec.Struct | dict[str, Any]:
    # Dated names are names of the same tool; they go out as mappings.
    kind = TOOL_CLASSES.get(tool["type"])
    if kind is None:
        return tool
    return kind(**{"async_" if key == "async" else key: tool[key] for key in tool if key != "type"})


@pytest.mark.parametrize("seed", range(300))
def test_a_request_is_the_same_as_that_of_the_sdk(seed: int) -> None:
    parameters = Maker(seed).parameters()

    assert sent_by_us(parameters) == sent_by_the_sdk(parameters)


def test_every_parameter_of_the_sdk_has_a_field() -> None:
    missing = PARAMETERS.keys() - set(ResponsesApiRequest.__struct_fields__)

    assert not missing


@pytest.mark.parametrize("kind", TOOLS, ids=lambda kind: kind.__name__)
def test_every_key_of_a_tool_of_the_sdk_has_a_field(kind: Any) -> None:
    tool = Maker(0).tool(kind)
    tool["type"] = tool["type"].removesuffix("_2025_08_26").removesuffix("_2025_03_11")

    typed = typed_tool(tool)

    assert isinstance(typed, msgspec.Struct)
    assert msgspec.to_builtins(typed) == tool
