"""Requests as the real client sends them: every name, in its order, byte for byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from backports import zstd

from codex_api import (
    ApiKeyAuth,
    ChatGptAuth,
    Provider,
    Reasoning,
    ResponsesApiRequest,
    ResponsesOptions,
    Telemetry,
    TextControls,
    TurnState,
    items,
)
from codex_api.testing.actions import answer, stream
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import compact_json
from codex_api.types.session_source import SessionSource
from tests.fronts.simple_calls import COMPLETED, REQUEST, client_of, provider

if TYPE_CHECKING:
    from codex_api.testing.recording import RecordedRequest
    from tests.front import Front

pytestmark = pytest.mark.anyio

AGENT = "codex_exec/0.142.5 (Debian 12.0.0; x86_64) xterm-256color (codex_exec; 0.142.5)"
TURN_METADATA = '{"session_id":"s1","request_kind":"turn"}'
PARTS = [{"type": "input_text", "text": "hi"}]
SERVER_ITEMS = [
    compact_json(item)
    for item in (
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "enc"},
        {
            "type": "function_call",
            "id": "fc_1",
            "status": "completed",
            "name": "f",
            "arguments": "{}",
            "call_id": "c1",
        },
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}],
            "phase": "final_answer",
        },
    )
]


async def sent(
    front: Front,
    request: ResponsesApiRequest = REQUEST,
    options: ResponsesOptions | None = None,
    *,
    where: dict[str, Any] | None = None,
    **client: Any,
) -> RecordedRequest:
    """Make one call and give the request that the server got."""
    with ScriptedServer([stream([COMPLETED])]) as server:
        async with front.entering(
            client_of(front, provider(server, **(where or {})), **client)
        ) as made:
            await front(made.responses.stream(request, options or ResponsesOptions()).collect)
        (got,) = server.requests
        (connection,) = server.connections

    assert bytes(connection.received).startswith(f"POST {got.target} HTTP/1.1\r\n".encode())
    return got


async def test_the_request_of_a_chatgpt_turn_is_the_real_clients_to_the_last_header(
    front: Front,
) -> None:
    got = await sent(
        front,
        options=ResponsesOptions(
            session_id="s1",
            thread_id="t1",
            session_source=SessionSource.subagent("memory_consolidation"),
            extra_headers={
                "x-codex-beta-features": "remote_compaction_v2",
                "x-codex-window-id": "t1:0",
                "x-codex-turn-metadata": TURN_METADATA,
                "x-codex-routing-hint": "model=gpt-5.5",
                "x-codex-parent-thread-id": "p1",
            },
            turn_state=TurnState("TS-1"),
            compression="zstd",
        ),
        where={"headers": {"version": "0.142.5", "x-custom": "c"}},
        auth=ChatGptAuth("token", "acct-mock-123"),
        default_headers={"originator": "codex_exec", "user-agent": AGENT},
    )

    assert got.headers[:-2] == [
        ("version", "0.142.5"),
        ("x-custom", "c"),
        ("x-codex-beta-features", "remote_compaction_v2"),
        ("x-codex-turn-state", "TS-1"),
        ("x-codex-window-id", "t1:0"),
        ("x-codex-turn-metadata", TURN_METADATA),
        ("x-codex-routing-hint", "model=gpt-5.5"),
        ("x-codex-parent-thread-id", "p1"),
        ("x-openai-subagent", "memory_consolidation"),
        ("x-client-request-id", "t1"),
        ("session-id", "s1"),
        ("thread-id", "t1"),
        ("accept", "text/event-stream"),
        ("content-encoding", "zstd"),
        ("content-type", "application/json"),
        ("authorization", "Bearer token"),
        ("chatgpt-account-id", "acct-mock-123"),
        ("originator", "codex_exec"),
        ("user-agent", AGENT),
    ]
    assert got.header_names()[-2:] == ["host", "content-length"]
    assert got.header("content-length") == str(len(got.body))


async def test_the_least_request_has_the_least_headers(front: Front) -> None:
    got = await sent(front, auth=ApiKeyAuth("k"))

    assert got.header_names() == [
        "accept",
        "idempotency-key",
        "content-type",
        "authorization",
        "user-agent",
        "host",
        "content-length",
    ]


async def test_the_trace_context_comes_last_and_wins(front: Front) -> None:
    class Traced(Telemetry):
        def trace_headers(self) -> dict[str, str]:
            return {"traceparent": "00-a-b-01", "tracestate": "k=v"}

    got = await sent(
        front,
        options=ResponsesOptions(extra_headers={"x-a": "1", "traceparent": "old"}),
        telemetry=Traced(),
    )

    assert (got.header("traceparent"), got.header("tracestate")) == ("00-a-b-01", "k=v")
    assert got.header_names()[-4:] == ["user-agent", "tracestate", "host", "content-length"]


async def test_layers_of_headers_lie_on_each_other(front: Front) -> None:
    got = await sent(
        front,
        options=ResponsesOptions(
            session_id="s1",
            extra_headers={
                "x-2": "call",
                "x-3": "call",
                "session-id": "call",
                "accept": "call",
                "content-type": "application/vnd+json",
                "authorization": "call",
            },
        ),
        where={"headers": {"x-1": "provider", "x-2": "provider"}},
        auth=ApiKeyAuth("k"),
        default_headers={"x-1": "default", "x-3": "default", "x-4": "default"},
    )

    assert {name: got.header(name) for name in got.header_names()[:-2]} == {
        "x-1": "provider",
        "x-2": "call",
        "x-3": "call",
        "session-id": "s1",
        "accept": "text/event-stream",
        "content-type": "application/vnd+json",
        "authorization": "Bearer k",
        "x-4": "default",
        "user-agent": got.header("user-agent"),
    }


async def test_query_parameters_are_encoded_and_kept_in_order(front: Front) -> None:
    got = await sent(front, where={"query_params": {"z": "a b", "api-version": "2026-01-01"}})

    assert got.target == "/v1/responses?z=a%20b&api-version=2026-01-01"


async def test_a_base_url_may_have_a_query(front: Front) -> None:
    with ScriptedServer([stream([COMPLETED]), answer(200, {"models": []})]) as server:
        where = Provider("test", f"{server.url}/?tenant=x", query_params={"v": "1"})
        async with front.entering(client_of(front, where)) as client:
            await front(client.responses.stream(REQUEST).collect)
            await front(client.models.list, client_version="9")
        targets = [request.target for request in server.requests]

    assert targets == [
        "/v1/responses?tenant=x&v=1",
        "/v1/models?tenant=x&v=1&client_version=9",
    ]


async def test_a_user_of_the_base_url_is_sent_unless_there_are_credentials(front: Front) -> None:
    with ScriptedServer([stream([COMPLETED])], repeat_last=True) as server:
        where = Provider("test", server.url.replace("://", "://user:pass@"))
        for auth in (None, ApiKeyAuth("k")):
            async with front.entering(client_of(front, where, auth=auth)) as client:
                await front(client.responses.stream(REQUEST).collect)
        sent_ = [request.header("authorization") for request in server.requests]

    assert sent_ == ["Basic dXNlcjpwYXNz", "Bearer k"]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({"session_id": "s"}, {"session-id": "s"}),
        ({"thread_id": "t"}, {"x-client-request-id": "t", "thread-id": "t"}),
        (
            {"conversation_id": "c"},
            {"x-client-request-id": "c", "session-id": "c", "thread-id": "c"},
        ),
        (
            {"conversation_id": "c", "session_id": "s"},
            {"x-client-request-id": "c", "session-id": "s", "thread-id": "c"},
        ),
        (
            {"conversation_id": "c", "session_id": "s", "thread_id": "t"},
            {"x-client-request-id": "t", "session-id": "s", "thread-id": "t"},
        ),
        ({}, {}),
    ],
)
async def test_a_conversation_id_stands_for_both_ids(
    front: Front, options: dict[str, Any], ids: dict[str, str]
) -> None:
    got = await sent(front, options=ResponsesOptions(**options))

    names = ("x-client-request-id", "session-id", "thread-id")
    assert {name: got.header(name) for name in names if got.header(name)} == ids


@pytest.mark.parametrize(
    ("source", "header"),
    [
        ("review", "review"),
        ("compact", "compact"),
        ("memory_consolidation", "memory_consolidation"),
        ("thread_spawn", "collab_spawn"),
        (SessionSource.subagent("own"), "own"),
        ("cli", None),
        ("exec", None),
        ("mcp", None),
        (SessionSource(), None),
        (SessionSource.custom("x"), None),
        (SessionSource.internal(), None),
        (None, None),
    ],
)
async def test_only_sub_agents_are_named(front: Front, source: Any, header: str | None) -> None:
    got = await sent(front, options=ResponsesOptions(session_source=source))

    assert got.header("x-openai-subagent") == header


async def test_the_body_has_its_keys_in_order_and_no_spaces(front: Front) -> None:
    request = ResponsesApiRequest(
        model="gpt-5.5",
        instructions="Be brief: é",
        input=[items.Message.user("hi")],
        tools=[{"type": "function", "name": "f", "parameters": {}}],
        reasoning=Reasoning(effort="high", summary="detailed"),
        include=["reasoning.encrypted_content"],
        service_tier="priority",
        prompt_cache_key="t1",
        text=TextControls(verbosity="low"),
        client_metadata={"session_id": "s1"},
    )
    got = await sent(front, request)
    body = json.loads(got.body)

    assert got.body == json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    assert list(body.items()) == [
        ("model", "gpt-5.5"),
        ("instructions", "Be brief: é"),
        ("input", [{"type": "message", "role": "user", "content": PARTS}]),
        ("tools", [{"type": "function", "name": "f", "parameters": {}}]),
        ("tool_choice", "auto"),
        ("parallel_tool_calls", True),
        ("reasoning", {"effort": "high", "summary": "detailed"}),
        ("store", False),
        ("stream", True),
        ("include", ["reasoning.encrypted_content"]),
        ("service_tier", "priority"),
        ("prompt_cache_key", "t1"),
        ("text", {"verbosity": "low"}),
        ("client_metadata", {"session_id": "s1"}),
    ]


async def test_the_least_body_has_the_keys_that_are_always_sent(front: Front) -> None:
    got = await sent(front)

    assert got.body == (
        b'{"model":"m","input":[{"type":"message","role":"user","content":[{"type":"input_text",'
        b'"text":"hi"}]}],"tools":[],"tool_choice":"auto","parallel_tool_calls":true,'
        b'"reasoning":null,"store":false,"stream":true,"include":[]}'
    )


async def test_server_items_go_back_bare_or_whole(front: Front) -> None:
    history = items.decode_items(SERVER_ITEMS)
    bare = await sent(front, ResponsesApiRequest(model="m", input=history))
    stored = await sent(front, ResponsesApiRequest(model="m", input=history, store=True))
    kept = await sent(
        front, ResponsesApiRequest(model="m", input=history), ResponsesOptions(item_ids="keep")
    )

    assert bare.json()["input"] == [
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "enc"},
        {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c1"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi"}],
            "phase": "final_answer",
        },
    ]
    assert [item["id"] for item in stored.json()["input"]] == ["rs_1", "fc_1", "msg_1"]
    assert kept.json()["input"] == stored.json()["input"]


async def test_azure_with_store_sends_ids_and_all_identity(front: Front) -> None:
    message = items.Message(id="msg_1", role="user", content=[items.InputText("hi")])
    with ScriptedServer([stream([COMPLETED])]) as server:
        where = Provider.azure(f"{server.url}/openai", api_version="2025-04-01-preview")
        auth = ApiKeyAuth("k", header="api-key")
        options = ResponsesOptions(
            session_id="s1", thread_id="t1", session_source="review", extra_headers={"x-own": "1"}
        )
        async with front.entering(client_of(front, where, auth=auth)) as client:
            request = ResponsesApiRequest(model="m", input=[message], store=True)
            await front(client.responses.stream(request, options).collect)
        (got,) = server.requests

    assert got.target == "/v1/openai/responses?api-version=2025-04-01-preview"
    assert got.json()["input"][0]["id"] == "msg_1"
    assert got.header_names()[:7] == [
        "x-own",
        "x-openai-subagent",
        "x-client-request-id",
        "session-id",
        "thread-id",
        "accept",
        "content-type",
    ]
    assert (got.header("api-key"), got.header("authorization")) == ("k", None)
    assert where.is_azure


# Compression


async def test_a_compressed_body_is_the_frame_that_the_real_client_sends(front: Front) -> None:
    """Magic number; no content size, checksum or dictionary; a window of 2 MiB."""
    request = ResponsesApiRequest(model="m", input="Hello. " * 1000)
    plain = await sent(front, request)
    packed = await sent(front, request, ResponsesOptions(compression="zstd"))

    assert packed.body[:6] == b"\x28\xb5\x2f\xfd\x00\x58"
    assert packed.content == plain.body
    assert packed.header("content-length") == str(len(packed.body))
    assert packed.header("content-type") == "application/json"
    assert len(packed.body) < len(plain.body) / 10
    assert zstd.get_frame_info(packed.body).decompressed_size is None


async def test_compression_is_off_unless_asked_for(front: Front) -> None:
    assert (await sent(front)).header("content-encoding") is None


async def test_an_existing_coding_is_never_compressed_again(front: Front) -> None:
    coded = {"content-encoding": "identity"}
    got = await sent(front, options=ResponsesOptions(extra_headers=coded, compression="auto"))

    assert got.header("content-encoding") == "identity"
    assert got.json()["model"] == "m"
