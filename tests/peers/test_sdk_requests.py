"""What the official SDK sends for a request, and what we send for the same one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import openai
import pytest

from codex_api import (
    Client,
    Network,
    Provider,
    Reasoning,
    ResponsesApiRequest,
    TextControls,
    tools,
)
from codex_api._logic.outgoing.body import encode_request
from codex_api.testing.actions import answer
from codex_api.testing.scripted import ScriptedServer
from codex_api.types.request import PromptCacheOptions, StreamOptions
from tests.peers.sdk_requests import PARAMETERS, TOOLS, Maker

if TYPE_CHECKING:
    from collections.abc import Iterator

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


class Wire:
    """A server on loopback and a client of each kind that talks to it."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._sdk = openai.OpenAI(api_key="k", base_url=server.url, max_retries=0)
        self._ours = Client(Provider("test", server.url), network=Network(proxy=None))

    def sent_by_the_sdk(self, parameters: dict[str, Any]) -> Any:
        self._sdk.responses.create(**parameters)
        return self._last()

    def sent_by_us(self, request: ResponsesApiRequest | dict[str, Any]) -> Any:
        self._ours.responses.create(request)
        return self._last()

    def _last(self) -> Any:
        request = self._server.requests[-1]
        assert (request.method, request.target) == ("POST", "/v1/responses")
        return json.loads(request.body)

    def close(self) -> None:
        self._sdk.close()
        self._ours.close()


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    done = {"id": "resp_1", "object": "response", "status": "completed", "output": []}
    with ScriptedServer([answer(body=done)], repeat_last=True) as server:
        found = Wire(server)
        yield found
        found.close()


def typed(parameters: dict[str, Any]) -> ResponsesApiRequest:
    values: dict[str, Any] = {
        name: CLASSES[name](**value) if name in CLASSES else value
        for name, value in parameters.items()
    }
    if "tools" in values:
        values["tools"] = [typed_tool(tool) for tool in parameters["tools"]]
    return ResponsesApiRequest.public(**values)


def typed_tool(tool: dict[str, Any]) -> msgspec.Struct | dict[str, Any]:
    # Dated names are names of the same tool; they go out as mappings.
    kind = TOOL_CLASSES.get(tool["type"])
    if kind is None:
        return tool
    return kind(**{"async_" if key == "async" else key: tool[key] for key in tool if key != "type"})


@pytest.mark.parametrize("seed", range(300))
def test_a_request_is_the_same_as_that_of_the_sdk(wire: Wire, seed: int) -> None:
    parameters = Maker(seed).parameters()
    request = typed(parameters)

    expected = wire.sent_by_the_sdk(parameters)

    assert wire.sent_by_us(request) == expected
    assert wire.sent_by_us(parameters) == expected
    assert json.loads(encode_request(request)) == {**expected, "stream": True}


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
