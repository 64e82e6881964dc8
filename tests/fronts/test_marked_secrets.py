"""A run of everything with marked secrets: none of them is in logs, errors, spans or cassettes."""

from __future__ import annotations

import logging
import pickle
import re
import traceback
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import codex_api
from codex_api import (
    ChatGptAuth,
    CompactionInput,
    ImageGenerationRequest,
    Provider,
    ResponsesOptions,
    RetryConfig,
    Timeouts,
    TurnState,
    errors,
    items,
)
from codex_api.otel import OpenTelemetry
from codex_api.testing.actions import (
    AcceptWebSocket,
    Action,
    Close,
    ReadMessage,
    ReadRequest,
    Reset,
    Send,
    SendClose,
    SendMessage,
)
from codex_api.testing.cassettes import AsyncRecordingTransport, Cassette, RecordingTransport
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import http_response, sse_head
from codex_api.transport import AsyncHttpTransport, HttpTransport
from codex_api.types.realtime import RealtimeSessionConfig
from tests.fronts.simple_calls import COMPLETED, CREATED, REQUEST, client_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from tests.front import Front

pytestmark = pytest.mark.anyio

# Each marks where a secret was given, so that a failure says which one was told.
MARK = re.compile(r"s3cret-[a-z]+")
OURS = str(codex_api.__file__).removesuffix("__init__.py")
JSON = {"content-type": "application/json", "set-cookie": "sid=s3cret-cookie"}


def refused(status: int) -> list[Action]:
    return [
        ReadRequest(),
        Send(http_response(status, b'{"error":{"message":"no"}}', JSON)),
        Close(),
    ]


def whole(body: bytes) -> list[Action]:
    return [ReadRequest(), Send(http_response(200, body, JSON)), Close()]


STREAM = sse_head(chunked=False) + b'data: {"type":"response.created","response":{"id":"r"}}\n\n'
UPLOAD = b'{"file_id":"f","upload_url":"%s/blob?sig=s3cret-blob"}'


async def streamed(front: Front, client: Any, options: ResponsesOptions) -> None:
    await front(client.responses.stream(REQUEST, options).collect)


async def created(front: Front, client: Any, options: ResponsesOptions) -> None:
    await front(client.responses.create, REQUEST, options)


async def listed(front: Front, client: Any, options: ResponsesOptions) -> None:
    await front(client.models.list, extra_headers=options.extra_headers)


async def compacted(front: Front, client: Any, options: ResponsesOptions) -> None:
    history = CompactionInput("m", [items.Message.user("hi")])
    await front(client.responses.compact, history, options=options)


async def drawn(front: Front, client: Any, options: ResponsesOptions) -> None:
    request = ImageGenerationRequest(prompt="a cat", model="m")
    await front(client.images.generate, request, extra_headers=options.extra_headers)


async def uploaded(front: Front, client: Any, options: ResponsesOptions) -> None:
    await front(client.files.upload, b"content", extra_headers=options.extra_headers)


async def asked(front: Front, client: Any, options: ResponsesOptions) -> None:
    await front(
        client.request,
        "GET",
        "x",
        query={"key": "s3cret-query"},
        extra_headers=options.extra_headers,
    )


async def over_socket(front: Front, client: Any, options: ResponsesOptions) -> None:
    connecting = client.responses.connect(options) if front.is_async else None
    socket = (
        await front(client.responses.connect, options) if connecting is None else await connecting
    )
    try:
        await front(socket.stream(REQUEST).collect)
    finally:
        await front(socket.close)


async def spoken(front: Front, client: Any, options: ResponsesOptions) -> None:
    config = RealtimeSessionConfig(version="v2")
    opening = client.realtime.connect if front.is_async else None
    if opening is None:
        connection = await front(
            client.realtime.connect, config, extra_headers=options.extra_headers
        )
    else:
        connection = await opening(config, extra_headers=options.extra_headers)
    try:
        async for _ in front.iterate(connection):
            pass
    finally:
        await front(connection.close)


SOCKET = [AcceptWebSocket({"x-codex-turn-state": "s3cret-state"}), ReadMessage()]
FAILED = SendMessage({"type": "error", "error": {"message": "no", "code": "server_error"}})
RUNS: dict[str, tuple[Callable[..., Any], list[Action]]] = {
    "stream, complete": (
        streamed,
        [
            ReadRequest(),
            Send(STREAM + b'data: {"type":"response.completed","response":{"id":"r"}}\n\n'),
            Close(),
        ],
    ),
    "stream, cut": (streamed, [ReadRequest(), Send(STREAM), Close()]),
    "stream, reset": (streamed, [ReadRequest(), Reset()]),
    "stream, 400": (streamed, refused(400)),
    "stream, 401": (streamed, refused(401)),
    "stream, 503": (streamed, refused(503)),
    "stream, nonsense": (streamed, [ReadRequest(), Send(b"SSH-2.0\r\n\r\n"), Close()]),
    "create, no JSON": (created, whole(b"<html>")),
    "create, closed": (created, [ReadRequest(), Close()]),
    "models, 429": (listed, refused(429)),
    "compact, odd": (compacted, whole(b"{}")),
    "image, 500": (drawn, refused(500)),
    "upload, blob refused": (uploaded, whole(UPLOAD)),
    "request, 404": (asked, refused(404)),
    "socket, refused": (over_socket, refused(403)),
    "socket, closed": (over_socket, [*SOCKET, SendClose(1008, "policy")]),
    "socket, failed": (over_socket, [*SOCKET, SendMessage(CREATED), FAILED]),
    "socket, reset": (over_socket, [*SOCKET, Reset()]),
    "socket, complete": (over_socket, [*SOCKET, SendMessage(CREATED), SendMessage(COMPLETED)]),
    "realtime, refused": (spoken, refused(401)),
    "realtime, closed": (spoken, [*SOCKET, SendClose(1000)]),
}


def locals_of(trace: TracebackType | None) -> Iterator[str]:
    """Give what a debugger shows of our frames, and of what they hold."""
    for frame, _ in traceback.walk_tb(trace):
        if frame.f_code.co_filename.startswith(OURS):
            for name, value in frame.f_locals.items():
                yield f"{frame.f_code.co_filename}:{frame.f_code.co_name}: {name} = {value!r}"


def shown(error: BaseException | None) -> Iterator[str]:
    """Give all that logs, queues and debuggers show of an error and its causes."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield f"{error} {error!r} {error.args}"
        yield "".join(traceback.format_exception(error))
        yield from locals_of(error.__traceback__)
        kept = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        yield f"{kept} {kept!r}"
        yield from (f"{name} = {value!r}" for name, value in vars(error).items() if name != "body")
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("name", RUNS)
async def test_no_secret_is_told(
    front: Front, name: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    for logger in ("codex_api", "websockets", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=logger)
    call, script = RUNS[name]
    spans, tracers = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    tape = tmp_path / "tape.jsonl"
    transport: Any = (
        AsyncRecordingTransport(AsyncHttpTransport(), Cassette(tape))
        if front.is_async
        else RecordingTransport(HttpTransport(), Cassette(tape))
    )
    options = ResponsesOptions(
        extra_headers={"x-custom": "s3cret-header", "cookie": "a=s3cret-jar"},
        turn_state=TurnState("s3cret-turn"),
    )
    told: list[str] = []
    failure: BaseException | None = None
    with ScriptedServer(connections=[script] * 2) as server:
        if call is uploaded:
            script[1] = Send(http_response(200, UPLOAD % server.url.encode(), JSON))
        where = Provider(
            "test",
            server.url.replace("://", "://user:s3cret-password@") + "?sig=s3cret-signature",
            query_params={"api-key": "s3cret-parameter"},
            headers={"x-provider": "s3cret-provider"},
            retry=RetryConfig(max_attempts=1, base_delay=0.0),
        )
        auth = ChatGptAuth("s3cret-token", "s3cret-account", refresh=lambda: "s3cret-renewed")
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(
                front.entering(
                    client_of(
                        front,
                        where,
                        auth=auth,
                        transport=transport,
                        telemetry=OpenTelemetry(tracer_provider=tracers),
                        timeouts=Timeouts(first_event=5.0),
                        default_headers={"x-default": "s3cret-default"},
                    )
                )
            )
            try:
                await call(front, client, options)
            except errors.CodexApiError as exc:
                failure = exc
                told += shown(exc)
            told.append(f"{client!r} {where!r} {auth!r} {options!r} {transport!r}")
        with suppress(AttributeError):
            await front(transport.aclose if front.is_async else transport.close)
        sent = b"".join(bytes(record.received) for record in server.connections)

    assert (failure is None) is name.endswith("complete") or name == "realtime, closed"
    assert {b"s3cret-token", b"s3cret-header"} <= set(re.findall(rb"s3cret-[a-z]+", sent))
    # What the peer logs is not ours.
    records = [record for record in caplog.records if record.name != "websockets.server"]
    assert any(record.name.startswith("codex_api.") for record in records)
    told += [record.getMessage() for record in records]
    told += [span.to_json() for span in spans.get_finished_spans()]
    if tape.exists():
        told.append(tape.read_text())
    assert [(set(MARK.findall(text)), text[:600]) for text in told if MARK.search(text)] == []
    assert tape.read_text()
    # Uploads and handshakes of responses have no span of their own.
    assert spans.get_finished_spans() or call is uploaded or name == "socket, refused"
