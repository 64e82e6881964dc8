from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect

from codex_api.testing.cassettes import Chunk, Exchange, Message
from codex_api.testing.passages import Passage, Passages, Witness, last_text
from codex_api.testing.recording import RecordedRequest
from codex_api.testing.server import EmbeddedServer
from codex_api.testing.wire import compact_json, sse_event

if TYPE_CHECKING:
    from starlette.types import ASGIApp

ASKED = RecordedRequest(
    method="POST", target="/v1/responses?key=k", body=compact_json({"model": "m", "input": "hi"})
)


def events(*kinds: str) -> list[Chunk]:
    return [Chunk(sse_event({"type": kind}), 0.25) for kind in kinds]


def told(exchange: Exchange) -> list[str]:
    passages = Passages()
    passages.add(ASKED, exchange)
    first, *rest = passages.text().splitlines()
    return [first.partition(" s ")[2], *rest]


STREAM = [("content-type", "text/event-stream")]


def test_a_stream_is_told_by_runs_of_events_with_their_times() -> None:
    chunks = events("response.created", "a.delta", "a.delta", "response.completed")

    assert told(Exchange({}, 200, STREAM, chunks, "clean")) == [
        'POST /v1/responses 200, 4 events, 1.0 s, completed, m, "hi"',
        "    250 ms response.created",
        "    500 ms a.delta x 2, to 750 ms",
        "     1.0 s response.completed",
    ]


def test_a_stream_that_broke_says_so() -> None:
    exchange = Exchange({}, 200, STREAM, events("response.created"), "broken")

    assert told(exchange)[0] == ('POST /v1/responses 200, 1 events, 250 ms, left or cut, m, "hi"')


def test_a_stream_without_a_last_event_says_so() -> None:
    exchange = Exchange({}, 200, STREAM, events("response.created"), "clean")

    assert "no last event" in told(exchange)[0]


def test_a_refusal_is_told_with_its_message() -> None:
    body = compact_json({"error": {"message": "Slow\x1b down.", "code": "slow"}})

    assert told(Exchange({}, 429, [], [Chunk(body)], "clean")) == [
        'POST /v1/responses 429, 0 ms, m, "hi"',
        "  Slow\\x1b down.",
    ]


def test_what_cannot_be_decoded_is_let_be() -> None:
    exchange = Exchange({}, 200, STREAM, [Chunk(b"data: [1]\n\n\xff"), Chunk(b"x\n")], "clean")

    assert told(exchange)[1:] == ["      0 ms message"]


def test_many_events_and_many_requests_are_counted() -> None:
    chunks = events(*(f"e{number}" for number in range(20)))

    assert told(Exchange({}, 200, STREAM, chunks, "clean"))[-1].strip() == "and 6 more events"

    passages = Passages()
    for _ in range(30):
        passages.begin("GET", "/models")
    assert passages.text().splitlines()[0] == "(10 requests before these)"
    assert len(passages.text().splitlines()) == 21


def test_a_recorded_websocket_is_told_with_the_side_of_each_message() -> None:
    create = '{"type":"response.create","model":"m","input":"hi"}'
    passages = Passages()
    passages.add_socket(
        ASKED,
        Exchange(
            {},
            101,
            ending="left",
            messages=[
                Message(create, is_sent=True, after=0.5),
                Message('{"type":"response.completed"}', is_sent=False, after=0.25),
                Message(b"\xff", is_sent=False),
            ],
        ),
    )

    first, *rest = passages.text().splitlines()
    assert first.endswith('WS /v1/responses 101, 3 events, 750 ms, completed, m, "hi"')
    assert [line.strip() for line in rest] == [
        "500 ms > response.create",
        "750 ms < response.completed",
        "750 ms < a message that is no event",
    ]


def test_a_request_without_an_answer_is_told_with_the_reason() -> None:
    passages = Passages()
    request = RecordedRequest(method="POST", target="/v1/responses?a=b")
    passages.add_missed(request, 418, "differs in\n  input", b'{"model": "m", "input": "hi"}')

    first, *rest = passages.text().splitlines()
    assert first.endswith('POST /v1/responses 418, 0 ms, m, "hi"')
    assert rest == ["  differs in", "    input"]


def test_an_exchange_that_goes_on_is_still_open() -> None:
    assert list(Passage("GET", "/v1/models").lines()) == ["+0.000 s GET /v1/models ---, still open"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("two\n words", "two words"),
        ([{"content": "old"}, {"content": [{"text": "a"}, {"text": "new"}]}], "new"),
        ([{"type": "function_call_output", "output": "42"}], "42"),
        ({"image_url": "data:"}, ""),
        (7, ""),
    ],
)
def test_the_last_text_is_found_however_it_is_written_down(value: object, text: str) -> None:
    assert last_text(value) == text


@pytest.mark.anyio
async def test_frames_of_a_websocket_are_told_with_their_side() -> None:
    passages = Passages()

    def around(app: ASGIApp) -> Any:
        return Witness(app, passages)

    with EmbeddedServer(around=around) as server:
        async with connect(f"ws{server.url.removeprefix('http')}/responses") as socket:
            create = {"type": "response.create", "model": "m", "input": "hi"}
            await socket.send(compact_json(create).decode())
            while b"response.completed" not in await socket.recv(decode=False):
                pass

    text = passages.text()
    assert "WS /v1/responses 101, " in text
    assert 'completed, m, "hi"' in text
    assert " ms > response.create\n" in text
    assert " ms < response.created\n" in text


@pytest.mark.anyio
async def test_other_scopes_pass() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del receive, send
        seen.append(scope["type"])
        await asyncio.sleep(0)

    await Witness(app, Passages())({"type": "lifespan"}, None, None)  # type: ignore[arg-type]  # not looked at

    assert seen == ["lifespan"]
