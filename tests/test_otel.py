"""Spans and metrics of both fronts, kept in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from codex_api import (
    AsyncClient,
    Client,
    Network,
    Provider,
    ResponsesApiRequest,
    ResponsesOptions,
    RetryConfig,
    errors,
    events,
)
from codex_api.otel import OpenTelemetry
from codex_api.testing import EmbeddedServer, faults, scenarios
from codex_api.testing.actions import (
    AcceptWebSocket,
    Hang,
    ReadMessage,
    Reset,
    SendMessage,
    answer,
)
from codex_api.testing.scripted import ScriptedServer
from codex_api.types.realtime import RealtimeSessionConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from tests.front import Front

pytestmark = pytest.mark.anyio

PROMPT = "the secret of the sea"
REQUEST = ResponsesApiRequest(model="gpt-x", input=PROMPT)


class Recording:
    """An OpenTelemetry SDK that keeps what it is told."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)

    def telemetry(self, **options: Any) -> OpenTelemetry:
        return OpenTelemetry(tracer_provider=self.tracers, meter_provider=self.meters, **options)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._spans.get_finished_spans())

    @property
    def metrics(self) -> dict[str, list[Any]]:
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


def client_of(front: Front, server: EmbeddedServer, recording: Recording) -> Any:
    provider = Provider("test", server.url, retry=RetryConfig(base_delay=0.0))
    return front.pick(Client, AsyncClient)(
        provider, network=Network(proxy=None), telemetry=recording.telemetry()
    )


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_a_response_is_one_span(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    options = ResponsesOptions(conversation_id="c1")
    async with front.entering(client_of(front, server, recording)) as client:
        response = await front(client.responses.stream(REQUEST, options).collect)

    (span,) = recording.spans
    attributes = attributes_of(span)
    first = attributes.pop("gen_ai.response.time_to_first_chunk")
    assert span.name == "chat gpt-x"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert 0.0 < first < 10.0
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.request.stream": True,
        "openai.api.type": "responses",
        "openai.response.service_tier": "default",
        "http.response.status_code": 200,
        "gen_ai.conversation.id": "c1",
        "gen_ai.response.id": response.id,
        "gen_ai.response.model": response.server_model,
        "gen_ai.usage.input_tokens": response.usage.input_tokens,
        "gen_ai.usage.output_tokens": response.usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "server.address": "127.0.0.1",
        "server.port": server.port,
    }


async def test_the_server_gets_the_span_and_the_span_its_parent(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    tracer = recording.tracers.get_tracer("test")
    with tracer.start_as_current_span("outer") as outer:
        async with front.entering(client_of(front, server, recording)) as client:
            await front(client.responses.stream(REQUEST).collect)

    span, _ = recording.spans
    context, parent = span.context, span.parent
    assert context is not None
    assert parent is not None
    assert parent.span_id == outer.get_span_context().span_id
    sent = dict(server.requests[-1].headers)["traceparent"]
    assert sent.startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")


async def test_a_call_that_runs_no_model_is_a_span_by_the_conventions_for_http(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    tracer = recording.tracers.get_tracer("test")
    with tracer.start_as_current_span("outer") as outer:
        async with front.entering(client_of(front, server, recording)) as client:
            await front(client.models.list)

    span, _ = recording.spans
    sent = dict(server.requests[-1].headers)["traceparent"]
    assert f"-{span.context.span_id:016x}-" in sent
    assert span.parent is not None
    assert span.parent.span_id == outer.get_span_context().span_id
    assert span.name == "GET models"
    assert attributes_of(span) == {
        "http.request.method": "GET",
        "url.template": "models",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": server.port,
    }
    assert recording.metrics == {}


async def test_a_whole_response_is_a_span_with_what_it_cost(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    async with front.entering(client_of(front, server, recording)) as client:
        response = await front(client.responses.create, REQUEST)

    (span,) = recording.spans
    attributes = attributes_of(span)
    (duration,) = recording.metrics["gen_ai.client.operation.duration"]
    assert span.name == "chat gpt-x"
    assert "gen_ai.request.stream" not in attributes
    assert attributes["openai.api.type"] == "responses"
    assert attributes["gen_ai.response.id"] == response.id
    assert attributes["gen_ai.response.model"] == response.server_model
    assert attributes["gen_ai.usage.output_tokens"] == response.usage.output_tokens
    assert duration.attributes["gen_ai.request.model"] == "gpt-x"


async def test_a_refused_call_says_what_may_have_been_charged(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    server.play(scenarios.http_error(400, "no"))
    async with front.entering(client_of(front, server, recording)) as client:
        with pytest.raises(errors.ApiError):
            await front(client.responses.create, REQUEST)

    (span,) = recording.spans
    attributes = attributes_of(span)
    assert attributes["error.type"] == "InvalidRequestError"
    assert attributes["codex_api.error.sent"] == "begun"
    assert attributes["http.response.status_code"] == 400
    assert span.status.status_code is StatusCode.ERROR


async def test_a_call_that_cannot_be_made_is_no_span_that_stays_open(
    front: Front, recording: Recording
) -> None:
    provider = Provider("test", "http://127.0.0.1:1", retry=RetryConfig(max_attempts=0))
    client = front.pick(Client, AsyncClient)(
        provider, network=Network(proxy=None), telemetry=recording.telemetry()
    )
    async with front.entering(client):
        with pytest.raises(errors.NetworkError):
            await front(client.models.list)

    (span,) = recording.spans
    assert attributes_of(span)["error.type"] == "NetworkError"
    assert attributes_of(span)["codex_api.error.sent"] == "no"


async def test_the_class_of_cost_is_told_as_asked_and_as_served(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    request = ResponsesApiRequest(model="gpt-x", input=PROMPT, service_tier="flex")
    async with front.entering(client_of(front, server, recording)) as client:
        await front(client.responses.stream(request).collect)
        await front(client.responses.create, request)

    for span in recording.spans:
        attributes = attributes_of(span)
        assert attributes["openai.request.service_tier"] == "flex"
        assert attributes["openai.response.service_tier"] == "flex"


async def test_an_upload_is_one_span_whatever_requests_it_takes(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    before = len(server.requests)
    async with front.entering(client_of(front, server, recording)) as client:
        await front(client.files.upload, b"the secret of the sea", "secret-name.txt")
        await front(client.files.create, b"the secret of the sea", name="secret-name.txt")

    uploaded, created = recording.spans
    requests = server.requests[before:]
    assert len(requests) > 3
    assert [span.name for span in (uploaded, created)] == ["POST files", "POST files"]
    assert attributes_of(uploaded) == {
        "http.request.method": "POST",
        "url.template": "files",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": server.port,
    }
    assert "secret" not in "".join(span.to_json() for span in recording.spans)
    # The blob store is another house: it hears nothing of the trace.
    traced = {each.path.split("/")[2]: each.header("traceparent") for each in requests}
    assert traced.pop("blobs") is None
    assert {str(sent)[3:35] for sent in traced.values()} <= {
        f"{span.context.trace_id:032x}" for span in (uploaded, created)
    }


async def test_an_upload_that_fails_names_its_error(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    server.play(scenarios.http_error(500), endpoint="blobs")
    async with front.entering(client_of(front, server, recording)) as client:
        with pytest.raises(errors.FileUploadError):
            await front(client.files.upload, iter([b"once"]), size=4)

    (span,) = recording.spans
    assert attributes_of(span)["error.type"] == "FileUploadError"
    assert span.status.status_code is StatusCode.ERROR


async def test_a_handshake_is_a_span_and_tells_why_it_was_refused(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    server.play(scenarios.http_error(401, "no"), endpoint="websocket")
    async with front.entering(client_of(front, server, recording)) as client:
        with pytest.raises(errors.AuthenticationError):
            await front(client.responses.connect)
        async with front.entering(await front(client.responses.connect)) as connection:
            await front(connection.stream(REQUEST).collect)
        await front(client.responses.probe)

    refused, opened, answered, probed = recording.spans
    assert [span.name for span in recording.spans] == [
        *["GET responses"] * 2,
        "chat gpt-x",
        "GET responses",
    ]
    assert refused.status.status_code is StatusCode.ERROR
    assert attributes_of(refused)["error.type"] == "AuthenticationError"
    assert attributes_of(refused)["http.response.status_code"] == 401
    assert attributes_of(opened)["http.response.status_code"] == 101
    assert attributes_of(probed)["http.response.status_code"] == 101
    assert opened.status.status_code is StatusCode.UNSET
    assert (answered.start_time or 0) >= (opened.end_time or 1)
    assert len(recording.metrics["gen_ai.client.operation.duration"]) == 1


async def test_a_session_whose_handshake_is_refused_goes_on_over_http(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    server.play(scenarios.upgrade_required(), endpoint="websocket")
    async with (
        front.entering(client_of(front, server, recording)) as client,
        front.entering(client.session()) as session,
    ):
        await front(session.stream(REQUEST).collect)

    refused, answered = recording.spans
    assert attributes_of(refused)["http.response.status_code"] == 426
    assert refused.status.status_code is StatusCode.ERROR
    assert answered.name == "chat gpt-x"
    assert answered.status.status_code is StatusCode.UNSET


SAID: list[dict[str, Any]] = [
    {"type": "response.created", "response": {"id": "resp_1"}},
    {"type": "response.output_audio.delta", "delta": "AAA="},
    {
        "type": "response.done",
        "response": {
            "id": "resp_1",
            "status": "completed",
            "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
        },
    },
    {"type": "response.created", "response": {"id": "resp_2"}},
    {
        "type": "response.done",
        "response": {
            "id": "resp_2",
            "status": "failed",
            "status_details": {"error": {"code": "server_error", "message": PROMPT}},
        },
    },
    {"type": "response.created", "response": {"id": "resp_3"}},
]
SPOKEN = RealtimeSessionConfig("be brief", "gpt-realtime", version="v2")


async def test_a_realtime_session_is_a_span_and_its_responses_are_its_children(
    front: Front, recording: Recording
) -> None:
    script = [AcceptWebSocket(), ReadMessage(), *[SendMessage(said) for said in SAID], Hang()]
    with ScriptedServer(connections=[script]) as server:
        client = front.pick(Client, AsyncClient)(
            Provider("test", server.url),
            network=Network(proxy=None),
            telemetry=recording.telemetry(),
        )
        async with (
            front.entering(client),
            front.entering(await front(client.realtime.connect, SPOKEN)) as connection,
        ):
            for _ in SAID:
                await front(connection.next_event)

    done, failed, given_up, session = recording.spans
    assert [span.name for span in (done, session)] == ["chat gpt-realtime", "realtime gpt-realtime"]
    assert {span.parent.span_id for span in (done, failed, given_up) if span.parent} == {
        session.context.span_id
    }
    assert session.status.status_code is StatusCode.UNSET
    assert attributes_of(session)["http.response.status_code"] == 101
    assert attributes_of(done)["gen_ai.response.id"] == "resp_1"
    assert attributes_of(done)["gen_ai.usage.output_tokens"] == 2
    assert attributes_of(done)["gen_ai.response.time_to_first_chunk"] > 0.0
    assert attributes_of(failed)["error.type"] == "server_error"
    assert attributes_of(given_up)["codex_api.response.abandoned"] is True
    assert PROMPT not in "".join(span.to_json() for span in recording.spans)


async def test_a_realtime_session_that_breaks_off_names_its_error(
    front: Front, recording: Recording
) -> None:
    scripts = [
        [AcceptWebSocket(), ReadMessage(), Reset()],
        [*answer(403, b"{}")],
    ]
    with ScriptedServer(connections=scripts) as server:
        client = front.pick(Client, AsyncClient)(
            Provider("test", server.url),
            network=Network(proxy=None),
            telemetry=recording.telemetry(),
        )
        async with front.entering(client):
            async with front.entering(await front(client.realtime.connect, SPOKEN)) as connection:
                with pytest.raises(errors.StreamClosedError):
                    await front(connection.next_event)
            with pytest.raises(errors.CodexApiError):
                await front(client.realtime.connect, SPOKEN)

    broken, refused = recording.spans
    assert attributes_of(broken)["error.type"] == "StreamClosedError"
    assert attributes_of(refused)["http.response.status_code"] == 403
    assert refused.status.status_code is StatusCode.ERROR


async def test_metrics_are_in_seconds_and_tokens(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    async with front.entering(client_of(front, server, recording)) as client:
        response = await front(client.responses.stream(REQUEST).collect)

    metrics = recording.metrics
    (duration,) = metrics["gen_ai.client.operation.duration"]
    (first,) = metrics["gen_ai.client.operation.time_to_first_chunk"]
    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum
        for point in metrics["gen_ai.client.token.usage"]
    }
    assert 0.0 < first.sum <= duration.sum < 10.0
    assert tokens == {
        "input": response.usage.input_tokens,
        "output": response.usage.output_tokens,
    }
    assert "gen_ai.response.id" not in duration.attributes


async def test_a_response_that_is_given_up_ends_its_span(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    server.play(scenarios.faulty(faults.stall(after=5)))
    async with front.entering(client_of(front, server, recording)) as client:
        async with front.entering(client.responses.stream(REQUEST)) as stream:
            async for event in front.iterate(stream):
                if isinstance(event, events.OutputTextDelta):
                    break
        (span,) = recording.spans

    assert attributes_of(span)["codex_api.response.abandoned"] is True
    assert span.status.status_code is StatusCode.UNSET


async def test_a_response_that_is_never_read_ends_its_span(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    async with front.entering(client_of(front, server, recording)) as client:
        async with front.entering(client.responses.stream(REQUEST)):
            pass
        (span,) = recording.spans

    assert attributes_of(span)["codex_api.response.abandoned"] is True


async def test_a_response_that_is_cancelled_ends_its_span(
    server: EmbeddedServer, recording: Recording
) -> None:
    server.play(scenarios.faulty(faults.stall(after=5)))
    provider = Provider("test", server.url)
    network = Network(proxy=None)
    seen = asyncio.Event()

    async def read(client: AsyncClient) -> None:
        async with client.responses.stream(REQUEST) as stream:
            async for event in stream:
                if isinstance(event, events.OutputTextDelta):
                    seen.set()

    async with AsyncClient(provider, network=network, telemetry=recording.telemetry()) as client:
        task = asyncio.create_task(read(client))
        await seen.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (span,) = recording.spans

    assert attributes_of(span)["codex_api.response.abandoned"] is True


async def test_a_failed_response_names_its_error(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    server.play(scenarios.faulty(faults.cut(after=6)))
    async with front.entering(client_of(front, server, recording)) as client:
        with pytest.raises(errors.StreamClosedError):
            await front(client.responses.stream(REQUEST).collect)

    (span,) = recording.spans
    (duration,) = recording.metrics["gen_ai.client.operation.duration"]
    assert attributes_of(span)["error.type"] == "StreamClosedError"
    assert duration.attributes["error.type"] == "StreamClosedError"
    assert span.status.status_code is StatusCode.ERROR


async def test_a_refused_call_is_a_span_too(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    server.play(scenarios.http_error(401, "no"))
    async with front.entering(client_of(front, server, recording)) as client:
        with pytest.raises(errors.AuthenticationError):
            await front(client.responses.stream(REQUEST).collect)

    (span,) = recording.spans
    assert attributes_of(span)["error.type"] == "AuthenticationError"
    assert "gen_ai.response.time_to_first_chunk" not in attributes_of(span)


async def test_retries_are_events_of_the_span(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    server.play(scenarios.http_error(500), scenarios.http_error(500))
    async with front.entering(client_of(front, server, recording)) as client:
        await front(client.responses.stream(REQUEST).collect)

    (span,) = recording.spans
    assert attributes_of(span)["http.request.resend_count"] == 2
    assert [event.name for event in span.events] == ["codex_api.retry"] * 2
    assert [dict(event.attributes or {})["http.response.status_code"] for event in span.events] == [
        500,
        500,
    ]
    assert "error.type" not in attributes_of(span)


async def test_a_response_over_a_websocket_is_a_span(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    async with front.entering(client_of(front, server, recording)) as client:
        socket = await front(client.responses.connect)
        async with front.entering(socket):
            response = await front(socket.stream(REQUEST).collect)

    _, span = recording.spans
    attributes = attributes_of(span)
    assert span.name == "chat gpt-x"
    assert attributes["gen_ai.response.id"] == response.id
    assert attributes["gen_ai.usage.output_tokens"] == response.usage.output_tokens
    assert attributes["gen_ai.response.time_to_first_chunk"] > 0.0


async def test_a_websocket_response_that_is_given_up_ends_its_span(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    async with front.entering(client_of(front, server, recording)) as client:
        socket = await front(client.responses.connect)
        async with front.entering(socket):
            async with front.entering(socket.stream(REQUEST)):
                pass
            _, span = recording.spans

    assert attributes_of(span)["codex_api.response.abandoned"] is True


async def test_nothing_that_was_said_is_recorded(
    front: Front, server: EmbeddedServer, recording: Recording
) -> None:
    server.play(scenarios.normal(), scenarios.faulty(faults.failed("x", f"no {PROMPT}")))
    async with front.entering(client_of(front, server, recording)) as client:
        await front(client.responses.stream(REQUEST).collect)
        with pytest.raises(errors.ApiError):
            await front(client.responses.stream(REQUEST).collect)

    recorded = "".join(span.to_json() for span in recording.spans)
    assert len(recording.spans) == 2
    assert "secret" not in recorded
    assert "You said" not in recorded


@pytest.mark.parametrize(
    ("url", "given", "name", "port"),
    [
        ("https://api.openai.com/v1/responses", None, "openai", 443),
        ("https://r.openai.azure.com/openai/responses", None, "azure.ai.openai", 443),
        ("wss://chatgpt.com/x", None, "openai", 443),
        ("http://localhost:11434/v1/responses", "ollama", "ollama", 11434),
    ],
)
async def test_the_provider_is_named(
    recording: Recording, url: str, given: str | None, name: str, port: int
) -> None:
    from codex_api.telemetry import StreamEnd, StreamStart  # noqa: PLC0415 - only here

    observer = recording.telemetry(provider_name=given).on_stream(StreamStart(model=None, url=url))
    observer.on_end(
        StreamEnd(response_id=None, server_model=None, usage=None, is_complete=True, error=None)
    )

    (span,) = recording.spans
    assert span.name == "chat"
    assert attributes_of(span)["gen_ai.provider.name"] == name
    assert attributes_of(span)["server.port"] == port


def test_a_response_lasts_at_least_until_its_first_event(recording: Recording) -> None:
    from codex_api.telemetry import StreamEnd, StreamStart  # noqa: PLC0415 - only here

    observer = recording.telemetry().on_stream(StreamStart(model=None, url="https://h"))
    observer.on_first_event(50.0)
    observer.on_end(
        StreamEnd(response_id=None, server_model=None, usage=None, is_complete=True, error=None)
    )

    (first,) = recording.metrics["gen_ai.client.operation.time_to_first_chunk"]
    (duration,) = recording.metrics["gen_ai.client.operation.duration"]
    assert first.sum == 50.0
    assert duration.sum >= 50.0
