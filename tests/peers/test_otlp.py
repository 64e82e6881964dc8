"""Spans and metrics as collectors of OpenTelemetry get them: over HTTP, as protobuf.

The exporter is the real one. At the other end is `otlp_collector`, with the classes of
`opentelemetry-proto`: alone, and behind Rotel, a collector that others wrote and `make peers`
installs, which reads, prints and passes on what it got.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from codex_api import (
    Client,
    Network,
    Provider,
    RealtimeSessionConfig,
    ResponsesApiRequest,
    RetryConfig,
    errors,
    realtime,
)
from codex_api.otel import OpenTelemetry
from codex_api.testing import EmbeddedServer, scenarios
from tests.peers import programs

if TYPE_CHECKING:
    from collections.abc import Iterator

_OTLP = "opentelemetry.exporter.otlp.proto.http"
span_exporter = pytest.importorskip(f"{_OTLP}.trace_exporter").OTLPSpanExporter
metric_exporter = pytest.importorskip(f"{_OTLP}.metric_exporter").OTLPMetricExporter

ROOT = Path(__file__).parents[2]
PROMPT = "the secret of the sea"
REQUEST = ResponsesApiRequest(model="gpt-x", input=PROMPT)
KEY = "sk-proj-aaaabbbbccccdddd"


class Collected:
    """What the collector printed: spans and metrics by name."""

    def __init__(self, lines: list[str]) -> None:
        self.text = "".join(lines)
        told = [json.loads(line) for line in lines]
        self.spans: list[dict[str, Any]] = [
            span
            for each in told
            for resource in each.get("resourceSpans", ())
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]
        self.metrics: dict[str, dict[str, Any]] = {
            metric["name"]: metric
            for each in told
            for resource in each.get("resourceMetrics", ())
            for scope in resource["scopeMetrics"]
            for metric in scope["metrics"]
        }

    def named(self, name: str) -> list[dict[str, Any]]:
        return [span for span in self.spans if span["name"] == name]


def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in attributes}


def hexed(identity: str) -> str:
    return base64.b64decode(identity).hex()


class Pipeline:
    """Where spans and metrics go.

    Attributes:
        url: What takes them.
        printed: What the collector prints; None where there is none but ours.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._process, self._out = process, process.stdout
        self.url = self.behind = self._out.readline().strip()
        self.printed: Path | None = None

    def collected(self) -> Collected:
        """Wait for one line of spans and one of metrics, and return all that came."""
        lines = [self._out.readline(), self._out.readline()]
        self._process.terminate()
        return Collected([*lines, *self._out.readlines()])


@pytest.fixture(params=["alone", pytest.param("rotel", marks=pytest.mark.peer)])
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pipeline]:
    command = [sys.executable, "-m", "tests.peers.otlp_collector"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            ours = Pipeline(process)
            if request.param == "alone":
                yield ours
                return
            with programs.rotel(tmp_path, ours.behind) as (ours.url, ours.printed):
                yield ours
        finally:
            process.kill()


def collected(pipeline: Pipeline, server: EmbeddedServer) -> Collected:
    """Make calls of each kind, and return what of them arrived at the collector."""
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(span_exporter(f"{pipeline.url}/v1/traces")))
    exporter = metric_exporter(f"{pipeline.url}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    meters = MeterProvider([reader], shutdown_on_exit=False)
    telemetry = OpenTelemetry(tracer_provider=tracers, meter_provider=meters)
    retry = RetryConfig(base_delay=0.001)
    headers = {"authorization": f"Bearer {KEY}"}
    provider = Provider("test", server.url, headers=headers, retry=retry)
    with Client(provider, network=Network(proxy=None), telemetry=telemetry) as client:
        make_calls(client, server)
    tracers.shutdown()
    meters.shutdown()
    return pipeline.collected()


def make_calls(client: Client, server: EmbeddedServer) -> None:
    client.responses.stream(REQUEST).collect()
    client.responses.create(REQUEST)
    with client.responses.connect() as connection:
        connection.stream(REQUEST).collect()
    with client.responses.stream(REQUEST) as stream:
        next(iter(stream))
    server.play(scenarios.http_error(400, PROMPT, code="bad"))
    with pytest.raises(errors.InvalidRequestError):
        client.responses.create(REQUEST)
    server.play(scenarios.overloaded())
    client.responses.create(REQUEST)
    client.files.upload(PROMPT.encode(), "secret.txt")
    config = RealtimeSessionConfig("be brief", "gpt-realtime", version="v2", output_modality="text")
    with client.realtime.connect(config) as session:
        session.send_conversation_item_create(PROMPT)
        session.send_response_create()
        for event in session:
            if isinstance(event, realtime.ResponseDone):
                break


def test_a_collector_reads_spans_and_metrics_of_each_kind_of_call(
    pipeline: Pipeline,
) -> None:
    with EmbeddedServer() as server:
        got = collected(pipeline, server)
        sent = {str(each.header("traceparent"))[:52] for each in server.requests}

    streamed, whole, framed, left, refused, tried = got.named("chat gpt-x")
    (handshake,) = got.named("GET responses")
    (upload,) = got.named("POST files")
    (session,) = got.named("realtime gpt-realtime")
    (spoken,) = got.named("chat gpt-realtime")
    assert len(got.spans) == 10
    assert {span["kind"] for span in got.spans} == {"SPAN_KIND_CLIENT"}
    assert plain(streamed["attributes"])["gen_ai.usage.output_tokens"] != "0"
    assert plain(framed["attributes"])["gen_ai.response.id"].startswith("resp_")
    assert plain(left["attributes"])["codex_api.response.abandoned"] is True
    assert refused["status"] == {"code": "STATUS_CODE_ERROR"}
    assert plain(refused["attributes"])["error.type"] == "InvalidRequestError"
    assert plain(tried["attributes"])["http.request.resend_count"] == "1"
    (again,) = tried["events"]
    assert again["name"] == "codex_api.retry"
    assert plain(again["attributes"])["http.response.status_code"] == "503"
    assert plain(handshake["attributes"])["http.response.status_code"] == "101"
    assert plain(upload["attributes"])["url.template"] == "files"
    assert spoken["parentSpanId"] == session["spanId"]
    assert spoken["traceId"] == session["traceId"]
    for span in (streamed, whole):
        assert f"00-{hexed(span['traceId'])}-{hexed(span['spanId'])}" in sent


def test_a_collector_gets_units_and_buckets_and_nothing_that_was_said(
    pipeline: Pipeline,
) -> None:
    with EmbeddedServer() as server:
        got = collected(pipeline, server)

    duration = got.metrics["gen_ai.client.operation.duration"]
    tokens = got.metrics["gen_ai.client.token.usage"]
    first = got.metrics["gen_ai.client.operation.time_to_first_chunk"]
    assert (duration["unit"], tokens["unit"], first["unit"]) == ("s", "{token}", "s")
    assert duration["histogram"]["dataPoints"][0]["explicitBounds"][0] == 0.01
    kinds = {
        plain(point["attributes"])["gen_ai.token.type"]
        for point in tokens["histogram"]["dataPoints"]
    }
    assert kinds == {"input", "output"}
    for secret in (PROMPT, KEY, "be brief", "secret"):
        assert secret not in got.text


def test_attributes_and_metrics_are_named_as_the_conventions_name_them(
    pipeline: Pipeline,
) -> None:
    """By the constants of `opentelemetry-semantic-conventions`; what is ours says so."""
    semconv = pytest.importorskip("opentelemetry.semconv")
    known = {
        name
        for path in Path(semconv.__path__[0]).rglob("*.py")
        for name in re.findall(r'"([a-z0-9_]+(?:\.[a-z0-9_]+)+)"', path.read_text())
    }
    with EmbeddedServer() as server:
        got = collected(pipeline, server)

    used = {key for span in got.spans for key in plain(span["attributes"])} | set(got.metrics)
    assert {name for name in used - known if not name.startswith("codex_api.")} == set()


@pytest.mark.parametrize("pipeline", ["rotel"], indirect=True)
@pytest.mark.peer
def test_a_collector_prints_each_span_and_metric_and_no_secret(pipeline: Pipeline) -> None:
    with EmbeddedServer() as server:
        got = collected(pipeline, server)

    assert pipeline.printed is not None
    printed = pipeline.printed.read_text()
    names = re.findall(r"^ +Name +: (.+)$", printed, re.MULTILINE)
    assert sorted(names) == sorted(span["name"] for span in got.spans)
    assert set(re.findall(r"^ +-> Name: (gen_ai\.client\.\S+)$", printed, re.MULTILINE)) == set(
        got.metrics
    )
    assert "-> gen_ai.usage.output_tokens: Int(" in printed
    for secret in (PROMPT, KEY, "be brief", "secret"):
        assert secret not in printed
