"""A collector of OpenTelemetry: takes OTLP over HTTP as protobuf, and prints it as lines of JSON.

A process of its own: what it prints has left the program as bytes and was read by the protocol's
own classes. `python -m tests.peers.otlp_collector` prints its URL first.
"""

from __future__ import annotations

import gzip
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

SERVICES: Final[dict[str, tuple[Any, Any]]] = {
    "/v1/traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
    "/v1/metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Collector(BaseHTTPRequestHandler):
    """One request of an exporter."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked, answered = SERVICES[self.path]
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        say(json.dumps(MessageToDict(asked.FromString(body))))
        answer = answered().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Print only what was sent."""


def main() -> None:
    """Collect until told to stop."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        say(f"http://127.0.0.1:{server.server_port}")
        server.serve_forever()


if __name__ == "__main__":
    main()
