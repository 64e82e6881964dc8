"""How a response ends and what is in it, whatever form the server gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api import errors, items
from codex_api.testing.actions import AcceptWebSocket, Hang, ReadMessage, SendMessage
from codex_api.testing.scripted import ScriptedServer
from codex_api.types.usage import TokenUsage
from tests.cases.inputs import (
    REQUEST,
    client,
    collected,
    frames,
    opened,
    over_http,
    over_websocket,
    stream,
)

if TYPE_CHECKING:
    from tests.front import Front

pytestmark = pytest.mark.anyio

both = pytest.mark.parametrize("transport", ["http", "websocket"])


@both
@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("k1_cached_tokens_absent", TokenUsage(3, None, 2, 0, 5)),
        ("k1_chat_style_usage", TokenUsage(3, None, 2, None, 5)),
        ("k1_completed_without_id", TokenUsage(3, 1, 2, 0, 5)),
        ("k1_null_count", TokenUsage(3, None, 2, None, 5)),
        ("k1_reasoning_tokens_absent", TokenUsage(3, 0, 2, None, 5)),
        ("k1_usage_empty", None),
        ("k4_done_ends_stream", TokenUsage(3, 1, 2, 0, 5)),
        ("k5_done_item_is_empty", TokenUsage(3, 1, 2, 0, 5)),
        ("k5_only_in_completed", TokenUsage(3, 1, 2, 0, 5)),
        ("k5_only_text_done", TokenUsage(3, 1, 2, 0, 5)),
        ("k15_infinity_in_item", TokenUsage(3, 1, 2, 0, 5)),
    ],
)
async def test_a_finished_answer_is_an_answer(
    front: Front, name: str, usage: TokenUsage | None, transport: str
) -> None:
    got = await collected(front, name, transport)

    assert (got.id, got.text, got.incomplete_reason) == ("resp_1", "Hello", None)
    assert got.usage == usage
    (message,) = got.items
    assert message.text == "Hello"


CREATED = b'{"type":"response.created","response":{"id":"resp_1"}}'
COMPLETED = b'{"type":"response.completed","response":{"id":"resp_1","status":"completed"}}'
DELTA = b'{"type":"response.output_text.delta","item_id":"m","output_index":0,"delta":"%b"}'
DONE = (
    b'{"type":"response.output_item.done","output_index":0,"item":{"type":"message","id":"m",'
    b'"role":"assistant","content":[{"type":"output_text","text":"Hello"}]}}'
)
CUT = (DELTA % b"Hel")[:-2]


async def played(front: Front, transport: str, *payloads: bytes) -> Any:
    body = b"".join(b"data: %b\n\n" % payload for payload in payloads)
    script = over_http(body) if transport == "http" else over_websocket(*payloads)
    with ScriptedServer(connections=script) as peer:
        async with front.entering(client(front, peer)) as api:
            if transport == "http":
                return await front(api.responses.stream(REQUEST).collect)
            async with front.entering(await opened(front, api)) as socket:
                return await front(socket.stream(REQUEST).collect)


@both
@pytest.mark.parametrize(
    ("told", "text", "reason"),
    [
        ([CUT, DELTA % b"lo"], "lo", "unknown"),
        ([CUT], "", "unknown"),
        ([CUT, DELTA % b"lo", DONE], "Hello", None),
        ([b"nonsense", DELTA % b"Hello"], "Hello", None),
        ([(DELTA % b"Hel") + (DELTA % b"lo")], "Hello", None),
        ([DELTA % b"Hel\tlo"], "Hel\tlo", None),
    ],
)
async def test_a_part_that_cannot_be_read_is_missed_only_where_nothing_tells_the_whole(
    front: Front, told: list[bytes], text: str, reason: str | None, transport: str
) -> None:
    got = await played(front, transport, CREATED, *told, COMPLETED)

    assert (got.text, got.incomplete_reason) == (text, reason)


@both
@pytest.mark.parametrize("end", [b"", b',"response":null'])
async def test_an_answer_whose_end_tells_no_response_is_complete(
    front: Front, end: bytes, transport: str
) -> None:
    bare = b'{"type":"response.completed"%b}' % end

    got = await played(front, transport, CREATED, DELTA % b"Hel", DELTA % b"lo", bare)
    empty = await played(front, transport, CREATED, bare)

    assert (got.id, got.text, got.incomplete_reason) == ("resp_1", "Hello", None)
    assert (empty.id, empty.items, empty.incomplete_reason) == ("resp_1", [], "unknown")


@both
@pytest.mark.parametrize("status", [b"queued", b"in_progress"])
async def test_an_end_whose_response_goes_on_is_one_of_what_came(
    front: Front, status: bytes, transport: str
) -> None:
    end = COMPLETED.replace(b'"status":"completed"', b'"status":"%b"' % status)

    got = await played(front, transport, CREATED, DELTA % b"Hello", end)
    empty = await played(front, transport, CREATED, end)

    assert (got.text, got.status, got.incomplete_reason) == ("Hello", status.decode(), None)
    assert (empty.items, empty.incomplete_reason) == ([], "unknown")


@both
@pytest.mark.parametrize("index", [(0, 1), (0, 0)])
async def test_items_that_have_one_name_are_all_there(
    front: Front, index: tuple[int, int], transport: str
) -> None:
    shape = (
        '{"type":"response.output_item.done","output_index":%d,"item":{"type":"message","id":"m",'
        '"role":"assistant","content":[{"type":"output_text","text":"%s"}]}}'
    )
    told = [(shape % pair).encode() for pair in zip(index, ("Hel", "lo"), strict=True)]

    got = await played(front, transport, CREATED, *told, COMPLETED)

    assert (got.text, len(got.items)) == ("Hello", 2)


@both
@pytest.mark.parametrize("kind", ["output_text", "function_call_arguments"])
async def test_a_character_cut_in_halves_is_whole(front: Front, kind: str, transport: str) -> None:
    event = '{"type":"response.%s.delta","item_id":"i","output_index":0,"delta":"%s"}'
    item = b'"item":{"type":"function_call","id":"i","call_id":"c","name":"f","arguments":""}'
    added = b'{"type":"response.output_item.added","output_index":0,%b}' % item
    told = [(event % (kind, text)).encode() for text in (r"a\ud83d", r"\ude00", "b")]

    opening = [added] if kind != "output_text" else []
    got = await played(front, transport, CREATED, *opening, *told, COMPLETED)

    (made,) = got.items
    assert getattr(made, "arguments", got.text) == "a\N{GRINNING FACE}b"


@both
@pytest.mark.parametrize("name", ["k2_completed_says_incomplete", "k2_truncated_tool_call"])
async def test_a_cut_answer_is_none(front: Front, name: str, transport: str) -> None:
    with pytest.raises(errors.ResponseIncompleteError) as caught:
        await collected(front, name, transport)

    assert caught.value.reason == "max_output_tokens"
    assert caught.value.usage == TokenUsage(3, 1, 2, 0, 5)
    assert caught.value.partial is not None
    assert len(caught.value.partial.items) == 1
    with pytest.raises(errors.ResponseIncompleteError):
        caught.value.partial.parse(int)


@both
@pytest.mark.parametrize("name", ["k2_completed_says_failed", "k4_done_failed"])
async def test_a_failure_is_one_whatever_it_is_called(
    front: Front, name: str, transport: str
) -> None:
    with pytest.raises(errors.ApiError, match="boom") as caught:
        await collected(front, name, transport)

    assert caught.value.code == "server_error"


@both
async def test_a_call_that_is_never_told_as_done_is_there(front: Front, transport: str) -> None:
    got = await collected(front, "k5_call_without_done", transport)

    (call,) = got.function_calls
    assert (call.name, call.call_id, call.arguments) == ("get_weather", "call_1", '{"city":"SF"}')
    assert got.incomplete_reason is None


@both
async def test_items_of_the_final_response_are_in_its_order(front: Front, transport: str) -> None:
    got = await collected(front, "k5_some_items_only_in_completed", transport)

    assert [item.type for item in got.items] == ["mcp_list_tools"] * 3 + ["message"]
    assert len(got.raw_items) == 4


@both
async def test_items_are_in_the_order_of_their_places(front: Front, transport: str) -> None:
    got = await collected(front, "k6_openrouter_order", transport)

    assert [type(item) for item in got.items] == [items.Reasoning, items.FunctionCall]


@both
async def test_the_final_answer_is_parsed_and_not_the_commentary(
    front: Front, transport: str
) -> None:
    got = await collected(front, "k17_commentary_before_json", transport)

    assert got.parse(dict[str, int]) == {"a": 1}
    assert got.text_final == '{"a": 1}'
    assert got.text == 'Let me compute that.{"a": 1}'


@both
async def test_a_delta_needs_only_its_delta(front: Front, transport: str) -> None:
    got = await collected(front, "k10_summary_without_index", transport)

    assert got.reasoning_summary == "think"


async def test_the_end_of_one_response_is_not_that_of_the_next(front: Front) -> None:
    turns: dict[int, list[Any]] = {1: [], 2: []}
    for entry in frames("k16_terminal_twice"):
        turns[entry["turn"]].append(SendMessage(entry["frame"]))
    script = [AcceptWebSocket(), ReadMessage(), *turns[1], ReadMessage(), *turns[2], Hang()]
    with ScriptedServer(connections=[script]) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await opened(front, api)
            first = await front(socket.stream(REQUEST).collect)
            second = await front(socket.stream(REQUEST).collect)
            is_closed = socket.is_closed
            await front(socket.close)

    assert (first.id, first.text) == ("resp_1", "one")
    assert (second.id, second.text) == ("resp_2", "two")
    assert is_closed  # more than a late event: nothing more is trusted to it


async def test_the_exact_final_response_is_kept(front: Front) -> None:
    with ScriptedServer(connections=over_http(stream("k5_only_in_completed"))) as peer:
        async with front.entering(client(front, peer)) as api:
            got = await front(api.responses.stream(REQUEST).collect)

    assert bytes(got.raw) in stream("k5_only_in_completed")
    assert got.status == "completed"
