"""Servers and proxies that are within HTTP, or nearly."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import ResponsesApiRequest, RetryConfig, errors
from codex_api.testing.actions import Action, Close, Hang, Send, StopReading, answer, stream
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, http_head, http_response, last_chunk, sse_event, sse_head
from tests.fronts.simple_calls import COMPLETED, REQUEST, client_of, provider

if TYPE_CHECKING:
    from codex_api.testing.connection import Connection
    from tests.front import Front

pytestmark = pytest.mark.anyio

BODY = sse_event(COMPLETED)
STREAM = {"content-type": "text/event-stream"}
TRAILER = b"0\r\nx-trailer: 1\r\n\r\n"
NO_RETRY = RetryConfig(max_attempts=0)


async def ask(front: Front, server: ScriptedServer, request: Any = REQUEST) -> Any:
    where = provider(server, retry=NO_RETRY)
    async with front.entering(client_of(front, where)) as client:
        return await front(client.responses.stream(request).collect)


def counted(headers: dict[str, str], body: bytes = BODY) -> list[Action]:
    return [Send(http_head(200, {**headers, "content-length": str(len(body))}) + body)]


@pytest.mark.parametrize(
    "script",
    [
        [Send(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"), *stream([COMPLETED])],
        [Send(b"HTTP/1.1 100 Continue\r\n\r\n"), *stream([COMPLETED])],
        [Send(b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + BODY), Close()],
        [Send(sse_head(chunked=False) + BODY), Close()],
        counted(STREAM),
        counted({}),
        counted({"content-type": "TEXT/Event-Stream; charset=utf-8"}),
        counted({"content-type": "application/octet-stream"}),
        counted({**STREAM, "x-long": "x" * 60_000}),
        [
            Send(sse_head() + b"b;ext=1\r\n" + BODY[:11] + b"\r\n"),
            Send(chunk(BODY[11:]) + b"0\r\nt: 1\r\n\r\n"),
        ],
    ],
    ids=[
        "hints",
        "continue",
        "http-1.0",
        "until-eof",
        "counted",
        "no-type",
        "loud-type",
        "other-type",
        "long-header",
        "chunk-extras",
    ],
)
async def test_a_stream_is_read_however_it_is_framed(front: Front, script: list[Action]) -> None:
    with ScriptedServer([script]) as server:
        assert (await ask(front, server)).id == "resp_1"


async def test_headers_that_are_not_ascii_cost_only_themselves(front: Front) -> None:
    head = (
        b"HTTP/1.1 200 OK\r\n"
        b"content-type: text/event-stream\r\n"
        b"x-codex-promo-message: Half price \xe2\x80\x93 today\r\n"
        b"x-latin: caf\xe9\r\n"
        b"x-request-id: req_1\r\n"
        b"x-codex-primary-used-percent: 5\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )
    with ScriptedServer([[Send(head + chunk(BODY) + last_chunk())]]) as server:
        response = await ask(front, server)

    assert response.request_id == "req_1"
    assert response.rate_limits.primary.used_percent == 5.0


async def test_a_refusal_with_such_a_header_is_mapped_all_the_same(front: Front) -> None:
    head = b"HTTP/1.1 400 Bad Request\r\nx-a: \xff\r\nx-request-id: r1\r\ncontent-length: 0\r\n\r\n"
    with (
        ScriptedServer([[Send(head)]]) as server,
        pytest.raises(errors.InvalidRequestError) as caught,
    ):
        await ask(front, server)

    assert caught.value.request_id == "r1"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ([Send(b"HTTP/1.1 2000 OK\r\n\r\n"), Close()], errors.NetworkError),
        ([Send(b"hello\r\n\r\n"), Close()], errors.NetworkError),
        ([Send(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), Close()], errors.NetworkError),
        ([Send(sse_head()), Send(b"zz\r\nx")], errors.StreamClosedError),
        (answer(204), errors.StreamClosedError),
        (answer(200), errors.StreamClosedError),
        (answer(200, {"id": "resp_1"}), errors.DecodeError),
        (answer(200, b"<html></html>"), errors.DecodeError),
        (
            counted({**STREAM, "content-encoding": "gzip"}, gzip.compress(BODY)),
            errors.DecodeError,
        ),
    ],
    ids=["status", "version", "field", "chunk", "204", "empty", "json", "page", "gzip"],
)
async def test_what_makes_no_sense_is_an_error_that_may_be_retried_by_a_layer_above(
    front: Front, script: list[Action], kind: type[errors.CodexApiError]
) -> None:
    with ScriptedServer([script]) as server, pytest.raises(kind) as caught:
        await ask(front, server)

    assert caught.value.retryable


async def test_text_that_is_cut_within_a_character_is_put_together(front: Front) -> None:
    deltas = [
        {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "delta": text}
        for text in ("a\ud83d", "\ude00b", "c")
    ]
    body = b"".join(b"data: %b\n\n" % json.dumps(delta).encode() for delta in deltas)
    with ScriptedServer([counted(STREAM, body + BODY)]) as server:
        collected = await ask(front, server)

    assert collected.text == "a\N{GRINNING FACE}bc"


class ReadHead(Action):
    """Read no further than the head of a request."""

    async def play(self, connection: Connection) -> None:
        await connection._take_until(b"\r\n\r\n")


async def test_a_refusal_that_comes_before_the_body_was_sent_is_seen(front: Front) -> None:
    refusal = Send(http_response(413, {"error": {"message": "too large"}}))
    script = [ReadHead(), StopReading(), refusal, Hang()]
    large = ResponsesApiRequest(model="m", input="x" * 20_000_000)
    with (
        ScriptedServer(connections=[script]) as server,
        pytest.raises(errors.UnexpectedStatusError, match="too large") as caught,
    ):
        await ask(front, server, large)

    assert caught.value.status == 413
