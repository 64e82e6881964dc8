"""Whatever is sent is either understood or refused: the server itself never breaks over it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_api.testing.server.items import _REQUIRED, check_calls
from codex_api.testing.server.model import answer
from codex_api.testing.server.offers import BUILT_IN, offered_tools
from codex_api.testing.server.problems import RequestProblem
from codex_api.testing.server.response_events import ResponseWriter
from codex_api.testing.server.tokens import prompt_tokens
from codex_api.testing.server.validation import RESPONSE_KEYS, parse_response_request

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(-2, 2)
    | st.sampled_from(["", "a", "auto"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "a", "name"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def sometimes(likely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give what is likely, and now and then anything at all."""
    return st.one_of(likely, likely, likely, json_values)


def objects(**likely: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {}, optional={key: sometimes(each) for key, each in likely.items()}
    )


texts = st.sampled_from(
    ["", "hi", "use the tool", "refuse", "count to 3", "f", "q=1", *sorted(BUILT_IN)]
)
names = st.sampled_from(["f", "g"])
schemas = st.recursive(
    objects(type=st.sampled_from(["object", "string", "integer", "array", "null"])),
    lambda inner: objects(
        type=st.sampled_from(["object", "array"]),
        properties=st.dictionaries(names, inner, max_size=2),
        items=inner,
        required=st.lists(names, max_size=2),
        anyOf=st.lists(inner, min_size=1, max_size=2),
        enum=st.lists(texts, min_size=1, max_size=2),
    ),
    max_leaves=3,
)
functions = objects(
    type=st.sampled_from(["function", "custom", "web_search"]), name=names, parameters=schemas
)
built_in = objects(
    type=st.sampled_from([*sorted(BUILT_IN), "mcp", "web_search_preview"]),
    size=st.sampled_from(["auto", "8x8", "big"]),
    partial_images=st.integers(-1, 4),
    max_num_results=st.integers(-1, 3),
    container=st.sampled_from(["c"]) | st.just({"type": "auto"}),
    filters=objects(allowed_domains=st.lists(texts, max_size=2)),
    server_label=names,
    allowed_tools=st.lists(names, max_size=2) | objects(tool_names=st.lists(names, max_size=2)),
    require_approval=st.sampled_from(["never", "always"])
    | objects(never=objects(tool_names=st.lists(names, max_size=2))),
)
chosen = objects(
    type=st.sampled_from(["function", "mcp", "allowed_tools", "web_search"]),
    name=names,
    server_label=names,
    mode=st.sampled_from(["auto", "required"]),
    tools=st.lists(objects(type=st.sampled_from(["function", "mcp"]), name=names), max_size=2),
)
tools = st.lists(
    functions
    | built_in
    | objects(type=st.just("namespace"), name=names, tools=st.lists(functions, max_size=2)),
    max_size=2,
)
parts = st.lists(
    objects(
        type=st.sampled_from(["input_text", "output_text", "input_image", "refusal", "input_file"]),
        text=texts,
        image_url=st.sampled_from(["data:image/png;base64,AA==", "x"]),
    ),
    max_size=2,
)
items = objects(
    type=st.sampled_from(sorted(_REQUIRED)),
    role=st.sampled_from(["user", "assistant", "developer"]),
    content=texts | parts,
    output=texts | parts,
    call_id=names,
    name=names,
    arguments=texts,
    input=texts,
    summary=parts,
    tools=tools,
    encrypted_content=texts,
    action=st.just({}),
    status=texts,
    execution=texts,
    internal_chat_message_metadata_passthrough=st.just({"turn_id": "t"}),
    id=names,
    approval_request_id=names,
    approve=st.booleans(),
    server_label=names,
)
bodies = objects(
    model=st.just("m"),
    input=texts | st.lists(items, max_size=3),
    tools=tools,
    tool_choice=st.sampled_from(["auto", "required"]) | chosen,
    context_management=st.lists(
        objects(type=st.just("compaction"), compact_threshold=st.integers(0, 3)), max_size=2
    ),
    top_logprobs=st.integers(0, 3),
    reasoning=objects(effort=texts, summary=st.sampled_from(["auto", "concise"])),
    text=objects(format=objects(type=st.just("json_schema"), name=names, schema=schemas)),
    include=st.lists(texts, max_size=2),
    max_output_tokens=st.integers(1, 5),
    **dict.fromkeys(RESPONSE_KEYS & {"stream", "store", "metadata", "instructions"}, json_values),
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(bodies)
def test_any_body_is_answered_or_refused(body: dict[str, Any]) -> None:
    try:
        request = parse_response_request(body)
        check_calls(request.input)
        plan = answer(request)
    except RequestProblem:
        return

    numbers = itertools.count()
    writer = ResponseWriter(
        request, "resp_1", lambda prefix: f"{prefix}_{next(numbers)}", float, (0, 0)
    )
    last = list(writer.events(plan))[-1]
    assert last["type"] in {"response.completed", "response.incomplete"}
    offered = [tool for _, tool, _ in offered_tools(request)]
    assert prompt_tokens(request.text("instructions"), offered, request.input) >= 0


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "strict": 1}]}, "tools[0].strict"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{}]}]}, "tools[0].tools[0].type"),
        ({"tools": {}}, "tools"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"tool_choice": {}}, "tool_choice.type"),
        ({"tool_choice": {"type": "allowed_tools", "tools": 1}}, "tool_choice.tools"),
        ({"tools": [{"type": "mcp"}]}, "tools[0].server_label"),
        (
            {"tools": [{"type": "mcp", "server_label": "a", "allowed_tools": [1]}]},
            "tools[0].allowed_tools[0]",
        ),
        (
            {"tools": [{"type": "mcp", "server_label": "a", "require_approval": {"never": 1}}]},
            "tools[0].require_approval.never",
        ),
        ({"tools": [{"type": "image_generation", "size": 5}]}, "tools[0].size"),
        ({"tools": [{"type": "file_search", "max_num_results": "x"}]}, "tools[0].max_num_results"),
        (
            {"tools": [{"type": "web_search", "filters": {"allowed_domains": "x"}}]},
            "tools[0].filters.allowed_domains",
        ),
        ({"context_management": [{}]}, "context_management[0].type"),
        ({"input": [{"type": "mcp_call", "id": 1}]}, "input[0].id"),
        ({"reasoning": {"effort": ""}}, "reasoning.effort"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary"),
        ({"reasoning": "high"}, "reasoning"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": True}, "max_output_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"include": ["a", 1]}, "include[1]"),
        ({"client_metadata": {"a": 1}}, "client_metadata.a"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"input": [{"type": 5}]}, "input[0].type"),
        ({"input": [{"role": "king", "content": ""}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0].image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            "input[0].content[0].image_url",
        ),
        (
            {"input": [{"type": "additional_tools", "role": "developer", "tools": ["x"]}]},
            "input[0].tools[0]",
        ),
    ],
)
def test_a_bad_parameter_is_named(more: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestProblem) as caught:
        parse_response_request({"model": "m", "input": "hi", **more})

    assert (caught.value.status, caught.value.param) == (400, param)


STRICT = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "where"),
    [
        ({"type": "object"}, ""),
        ({**STRICT, "properties": {"a": {}}}, ""),
        ({**STRICT, "properties": {"a": {"type": "object"}}, "required": ["a"]}, ".properties.a"),
        ({"type": "array", "items": {"type": "object"}}, ".items"),
        ({**STRICT, "properties": {"a": 5}, "required": ["a"]}, ".properties.a"),
    ],
)
def test_a_strict_schema_must_be_strict_all_the_way(schema: dict[str, Any], where: str) -> None:
    form = {"type": "json_schema", "name": "n", "strict": True, "schema": schema}
    with pytest.raises(RequestProblem) as caught:
        parse_response_request({"model": "m", "input": "hi", "text": {"format": form}})

    assert caught.value.param == f"text.format.schema{where}"


def test_unknown_item_types_can_be_let_in() -> None:
    item = {"type": "new_thing", "x": 1}
    request = parse_response_request(
        {"model": "m", "input": [item]}, extra_item_types={"new_thing"}
    )

    assert request.input == [item]
