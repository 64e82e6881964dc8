"""Every unary endpoint through both fronts, against bytes on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from codex_api import (
    ApiKeyAuth,
    AsyncClient,
    ChatGptAuth,
    Client,
    CompactionInput,
    MemorySummarizeInput,
    MemorySummarizeOutput,
    Network,
    Provider,
    RawMemory,
    RawMemoryMetadata,
    ResponsesOptions,
    RetryConfig,
    SearchRequest,
    SearchResponse,
    Telemetry,
    Timeouts,
    TurnState,
    errors,
    items,
)
from codex_api.local.models_cache import ModelsCache
from codex_api.testing.actions import Action, Hang, Pause, answer, stream
from codex_api.testing.scripted import ScriptedServer
from codex_api.types.images import ImageData
from codex_api.types.models import PublicModel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.front import Front

pytestmark = pytest.mark.anyio

# Long enough for a loaded machine; no test waits for it when all is well.
PATIENCE = 10.0
FAST = RetryConfig(base_delay=0.0)
HELLO = items.Message.user("hello")
COMPACTION = CompactionInput("m", [HELLO])
DONE = {"type": "compaction", "id": "cmp_1", "encrypted_content": "enc"}
COMPACTED = items.Compaction(id="cmp_1", encrypted_content="enc")
COMPACT_STREAM = [
    {"type": "response.created", "response": {"id": "r"}},
    {"type": "response.output_item.done", "item": DONE},
    {"type": "response.completed", "response": {"id": "r"}},
]
CUT_STREAM = COMPACT_STREAM[:1]
NO_ITEM_STREAM = [COMPACT_STREAM[0], COMPACT_STREAM[2]]
MEMORIES = MemorySummarizeInput("m", [RawMemory("t", RawMemoryMetadata("p"), [])])
PNG = b"\x89PNG\r\n\x1a\nrest"


class Call(NamedTuple):
    """An endpoint: its path, how it is called, a good answer and its result, the body."""

    endpoint: str
    make: Callable[[Any], tuple[Any, ...]]
    good: dict[str, Any]
    fits: Callable[[Any], object]
    body: bytes = b""

    def __str__(self) -> str:
        return self.endpoint


CALLS = [
    Call(
        "responses/compact",
        lambda client: (client.responses.compact, COMPACTION),
        {"output": [DONE]},
        lambda result: result == [COMPACTED],
        b'{"model":"m","input":[{"type":"message","role":"user","content":'
        b'[{"type":"input_text","text":"hello"}]}],"tools":[],"parallel_tool_calls":true}',
    ),
    Call(
        "memories/trace_summarize",
        lambda client: (client.memories.summarize, MEMORIES),
        {"output": [{"trace_summary": "a", "memory_summary": "b"}]},
        lambda result: result == [MemorySummarizeOutput("a", "b")],
        b'{"model":"m","traces":[{"id":"t","metadata":{"source_path":"p"},"items":[]}]}',
    ),
    Call(
        "images/generations",
        lambda client: (client.images.generate, "the sea"),
        {"created": 1, "data": [{"b64_json": "QUJD"}]},
        lambda result: result.data == [ImageData("QUJD")],
        b'{"prompt":"the sea","model":"gpt-image-2"}',
    ),
    Call(
        "images/edits",
        lambda client: (client.images.edit, PNG, "a boat"),
        {"created": 1, "data": [{"b64_json": "QUJD"}]},
        lambda result: result.data == [ImageData("QUJD")],
        b'{"images":[{"image_url":"data:image/png;base64,iVBORw0KGgpyZXN0"}],'
        b'"prompt":"a boat","model":"gpt-image-2"}',
    ),
    Call(
        "alpha/search",
        lambda client: (client.search, SearchRequest("t", "m", input="q")),
        {"output": "found"},
        lambda result: result == SearchResponse("found"),
        b'{"id":"t","model":"m","input":"q"}',
    ),
    Call(
        "models",
        lambda client: (client.models.list, "1.0"),
        {"data": [{"id": "x"}]},
        lambda result: result.models == [PublicModel("x")],
    ),
]
every_call = pytest.mark.parametrize("call", CALLS, ids=str)


def client_of(front: Front, server: ScriptedServer, name: str = "mock", **options: Any) -> Any:
    options.setdefault("network", Network(proxy=None))
    provider = Provider(name, server.url, retry=options.pop("retry", FAST))
    return front.pick(Client, AsyncClient)(provider, **options)


@every_call
async def test_a_call_is_made_and_its_answer_read(front: Front, call: Call) -> None:
    with ScriptedServer([answer(503, "busy"), answer(200, call.good)]) as server:
        async with front.entering(client_of(front, server, auth=ApiKeyAuth("sk-1"))) as client:
            method, *args = call.make(client)
            result = await front(method, *args)

    assert call.fits(result)
    for request in server.requests:
        assert request.path == f"/v1/{call.endpoint}"
        assert request.header("authorization") == "Bearer sk-1"
        assert request.header("accept-encoding") is None
        assert request.body == call.body
    assert len(server.requests) == 2


@every_call
@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        (answer(200, "<html>Sign in</html>"), errors.DecodeError, "HTML page"),
        (answer(200, "[]"), errors.DecodeError, r"at `\$"),
        (answer(400, {"error": {"message": "bad field"}}), errors.InvalidRequestError, "bad field"),
        (answer(401, "no"), errors.AuthenticationError, None),
        (answer(404, "gone"), errors.UnexpectedStatusError, "404"),
        (answer(429, "slow", {"Retry-After": "7"}), errors.RateLimitError, None),
    ],
    ids=["html", "other json", "400", "401", "404", "429"],
)
async def test_a_refusal_is_typed(
    front: Front,
    call: Call,
    reply: list[Action],
    error: type[errors.CodexApiError],
    told: str | None,
) -> None:
    with ScriptedServer([reply]) as server:
        async with front.entering(client_of(front, server)) as client:
            method, *args = call.make(client)
            with pytest.raises(error, match=told) as caught:
                await front(method, *args)

    if error is errors.DecodeError:
        assert call.endpoint in str(caught.value)
    assert len(server.requests) == 1


async def test_telemetry_hears_of_every_attempt(front: Front) -> None:
    heard: list[tuple[int, int | None]] = []

    class Ear(Telemetry):
        def on_request(
            self,
            attempt: int,
            status: int | None,
            error: errors.CodexApiError | None,
            duration: float,
        ) -> None:
            assert (error is None) == (status == 200)
            assert duration >= 0
            heard.append((attempt, status))

    with ScriptedServer([answer(500, ""), answer(200, {"output": "o"})]) as server:
        async with front.entering(client_of(front, server, telemetry=Ear())) as client:
            await front(client.search, SearchRequest("t", "m"))

    assert heard == [(0, 500), (1, 200)]


async def test_headers_of_a_compaction_are_those_of_the_real_client_in_order(front: Front) -> None:
    defaults = {"originator": "me", "user-agent": "me/1"}
    extra = {
        "x-codex-installation-id": "i",
        "x-codex-window-id": "t:0",
        "x-codex-turn-metadata": "{}",
    }
    with ScriptedServer(
        [answer(200, {"output": [{"type": "compaction", "encrypted_content": "E"}]})]
    ) as server:
        provider = Provider("mock", server.url, headers={"version": "0.142.5"})
        made = front.pick(Client, AsyncClient)(
            provider,
            ChatGptAuth("tok", "acct"),
            default_headers=defaults,
            network=Network(proxy=None),
        )
        async with front.entering(made) as client:
            await front(
                client.responses.compact,
                COMPACTION,
                extra,
                options=ResponsesOptions(session_id="s", thread_id="t"),
            )

    assert server.requests[0].header_names() == [
        "version",
        "x-codex-installation-id",
        "x-codex-window-id",
        "x-codex-turn-metadata",
        "session-id",
        "thread-id",
        "authorization",
        "chatgpt-account-id",
        "content-type",
        "accept",
        "originator",
        "user-agent",
        "host",
        "content-length",
    ]


async def test_the_turn_state_goes_round(front: Front) -> None:
    cell = TurnState()
    replies = [
        answer(
            200,
            {"output": [{"type": "compaction", "encrypted_content": "E"}]},
            {"x-codex-turn-state": "ts"},
        )
    ] * 2
    with ScriptedServer(replies) as server:
        async with front.entering(client_of(front, server)) as client:
            for _ in range(2):
                await front(client.responses.compact, COMPACTION, turn_state=cell)

    assert [request.header("x-codex-turn-state") for request in server.requests] == [None, "ts"]


@pytest.mark.parametrize("via", ["endpoint", "stream", "auto"])
async def test_a_compaction_ends_with_its_limit(front: Front, via: str) -> None:
    with ScriptedServer([[Hang()]], repeat_last=True) as server:
        async with front.entering(client_of(front, server)) as client:
            with pytest.raises(errors.DeadlineExceededError):
                await front(client.responses.compact, COMPACTION, timeout=0.2, via=via)

    assert len(server.requests) == 1


async def test_a_compaction_by_stream_gives_the_history_to_go_on_with(front: Front) -> None:
    with ScriptedServer([stream(COMPACT_STREAM)]) as server:
        async with front.entering(client_of(front, server)) as client:
            result = await front(client.responses.compact, COMPACTION, via="stream")

    assert result == [HELLO, COMPACTED]
    request = server.requests[0]
    assert request.path == "/v1/responses"
    assert request.json()["input"][-1] == {"type": "compaction_trigger"}
    assert request.header("accept") == "text/event-stream"


async def test_a_cut_stream_is_made_again_twice(front: Front) -> None:
    cut = stream(CUT_STREAM, end="truncated")
    with ScriptedServer([cut, cut, stream(COMPACT_STREAM)]) as server:
        async with front.entering(client_of(front, server)) as client:
            result = await front(client.responses.compact, COMPACTION, via="stream")
    assert result[-1] == COMPACTED

    with ScriptedServer([cut, cut, cut]) as server:
        async with front.entering(client_of(front, server)) as client:
            with pytest.raises(errors.StreamClosedError):
                await front(client.responses.compact, COMPACTION, via="stream")
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("name", "replies", "paths"),
    [
        ("mock", [answer(200, {"output": [DONE]})], ["responses/compact"]),
        (
            "mock",
            [answer(404, "no"), stream(COMPACT_STREAM)],
            ["responses/compact", "responses"],
        ),
        ("OpenAI", [stream(COMPACT_STREAM)], ["responses"]),
        (
            "OpenAI",
            [answer(400, "unknown item"), answer(200, {"output": [DONE]})],
            ["responses", "responses/compact"],
        ),
        (
            "OpenAI",
            [stream(NO_ITEM_STREAM), answer(200, {"output": [DONE]})],
            ["responses", "responses/compact"],
        ),
    ],
)
async def test_auto_takes_the_route_that_the_server_has(
    front: Front, name: str, replies: list[list[Action]], paths: list[str]
) -> None:
    with ScriptedServer(replies) as server:
        async with front.entering(client_of(front, server, name)) as client:
            result = await front(client.responses.compact, COMPACTION, via="auto")

    assert result[-1] == COMPACTED
    assert [request.path for request in server.requests] == [f"/v1/{path}" for path in paths]


async def test_auto_does_not_turn_a_limit_into_a_second_call(front: Front) -> None:
    with ScriptedServer([answer(429, "slow")]) as server:
        async with front.entering(client_of(front, server)) as client:
            with pytest.raises(errors.RateLimitError):
                await front(client.responses.compact, COMPACTION, via="auto")

    assert len(server.requests) == 1


async def test_bad_input_is_refused_before_anything_is_sent(front: Front, tmp_path: Path) -> None:
    text = tmp_path / "cat.png"
    text.write_text("not a cat")
    with ScriptedServer() as server:
        async with front.entering(client_of(front, server)) as client:
            refused: list[tuple[str, Any, list[Any], dict[str, Any]]] = [
                ("input", client.responses.compact, [CompactionInput("m", [])], {}),
                ("via", client.responses.compact, [COMPACTION], {"via": "pigeon"}),
                ("raw_memories", client.memories.summarize, [MemorySummarizeInput("m", [])], {}),
                ("client_version", client.models.list, [" "], {}),
                ("background", client.images.generate, ["x"], {"background": "red"}),
                ("images", client.images.edit, [[], "x"], {}),
                (r"images\[0\]", client.images.edit, [text, "x"], {}),
                (r"images\[0\]", client.images.edit, ["nowhere.png", "x"], {}),
                ("id", client.search, [SearchRequest("", "m")], {}),
                ("purpose", client.files.create, [b"x"], {"purpose": ""}),
                ("nowhere", client.files.upload, ["nowhere.bin"], {}),
                ("size", client.files.upload, [[b"x"]], {}),
                ("536870912", client.files.upload, [[b"x"]], {"size": (512 << 20) + 1}),
            ]
            for field, method, args, options in refused:
                with pytest.raises(errors.RequestBuildError, match=field):
                    await front(method, *args, **options)

    assert server.requests == []


async def test_the_model_list_is_cached_between_clients(front: Front, tmp_path: Path) -> None:
    cache = ModelsCache(tmp_path / "models.json")
    page = answer(200, {"data": [{"id": "x"}]}, {"ETag": '"1"'})
    with ScriptedServer([page, answer(304)]) as server:
        pages = []
        for step in range(3):
            async with front.entering(client_of(front, server)) as client:
                pages.append(await front(client.models.list_cached, cache, "1.0"))
            if step == 1:
                cache.observe('"2"')

    assert pages == [pages[0]] * 3
    assert pages[0].models == [PublicModel("x")]
    conditions = [request.header("if-none-match") for request in server.requests]
    assert conditions == [None, '"1"']


async def test_an_etag_of_the_caller_is_answered_by_not_modified(front: Front) -> None:
    with ScriptedServer([answer(304, headers={"ETag": '"1"'})]) as server:
        async with front.entering(client_of(front, server)) as client:
            page = await front(client.models.list, client_version="1.0", etag='"1"')

    assert (page.not_modified, page.etag, page.models) == (True, '"1"', [])
    assert server.requests[0].target == "/v1/models?client_version=1.0"


async def test_a_compaction_may_be_silent_for_longer_than_a_stream(front: Front) -> None:
    slow = [[Pause(1.6), *answer(200, {"output": [DONE]})]]
    with ScriptedServer(slow) as server:
        made = front.pick(Client, AsyncClient)(
            Provider("mock", server.url, retry=FAST, stream_idle_timeout=0.1),
            timeouts=Timeouts(first_event=0.1),
            network=Network(proxy=None),
        )
        async with front.entering(made) as client:
            result = await front(client.responses.compact, COMPACTION, timeout=PATIENCE)

    assert result == [COMPACTED]
    assert len(server.requests) == 1


async def test_a_list_in_both_shapes_is_read_in_the_one_that_is_known(front: Front) -> None:
    """As llama.cpp answers."""
    body = {
        "models": [{"name": "qwen", "model": "qwen", "type": "model", "capabilities": ["x"]}],
        "object": "list",
        "data": [{"id": "qwen", "object": "model", "created": 5, "owned_by": "llamacpp"}],
    }
    with ScriptedServer([answer(body=body)]) as server:
        async with front.entering(client_of(front, server)) as client:
            page = await front(client.models.list)

    (model,) = page.models
    assert isinstance(model, PublicModel)
    assert model.id == "qwen"
