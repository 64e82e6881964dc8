"""``codex-api doctor``: what a client would do, and whether it works. Prints nothing secret."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from cyclopts import Parameter
from msgspec.structs import replace

from codex_api import errors
from codex_api._sync.client import Client
from codex_api.auth import auth_header_telemetry
from codex_api.cli import exit_codes
from codex_api.cli.connection import Connection
from codex_api.cli.console import printable
from codex_api.transport._core.messages import public_url
from codex_api.transport._core.route import parse_proxy, parse_target, route_to
from codex_api.transport.connector import open_channel
from codex_api.transport.errors import CodexApiError
from codex_api.transport.network import Network, load_certificates, proxy_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.cli.connection import Endpoint

T = TypeVar("T")

Verdict = Literal["ok", "note", "failed"]
_MARKS: dict[Verdict, str] = {"ok": "ok", "note": "--", "failed": "FAILED"}
_CA_VARIABLES = ("CODEX_CA_CERTIFICATE", "SSL_CERT_FILE")
# Servers that refuse a client after the handshake do so at once.
_CLOSE_WAIT = 0.2
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        milliseconds: How long it took, or None where that says nothing.
    """

    subject: str
    verdict: Verdict
    text: str
    milliseconds: float | None = None


class _Failures:
    """Remembers the first failure that decides the exit code."""

    def __init__(self) -> None:
        self.code = exit_codes.OK

    def add(self, error: CodexApiError) -> None:
        if self.code == exit_codes.OK:
            self.code = exit_codes.exit_code(error)


def doctor(
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    as_json: Annotated[
        bool,
        Parameter(name="--json", negative="", show_default=False, help="Print one finding a line."),
    ] = False,
) -> int:
    """Look at settings, base URL, credentials, TLS, proxy, HTTP and WebSocket; say what is wrong.

    The WebSocket is optional: a server without one is no failure.
    """
    failures = _Failures()
    with connection.endpoint() as end:
        for finding in _examine(end, failures):
            sys.stdout.write(_line(finding, as_json=as_json) + "\n")
            sys.stdout.flush()
    return failures.code


def _examine(end: Endpoint, failures: _Failures) -> list[Finding]:
    network = Network()
    findings = [_settings(end), _base_url(end, failures)]
    if failures.code != exit_codes.OK:
        return findings
    findings += [
        _credentials(end),
        _trust(network, failures),
        _proxy(end, network, failures),
    ]
    if failures.code != exit_codes.OK:
        return findings
    with Client(end.provider, end.auth, timeouts=end.timeouts, network=network) as client:
        findings.append(_models(client, failures))
        findings.append(_websocket(client))
    return findings


def _settings(end: Endpoint) -> Finding:
    """Say where each setting came from."""
    origins = [f"{name}: {source}" for name, source in end.sources.items()]
    return Finding("settings", "ok", "; ".join(origins))


def _base_url(end: Endpoint, failures: _Failures) -> Finding:
    try:
        parts = urlsplit(end.provider.url_for_path("models"))
    except CodexApiError as exc:
        failures.add(exc)
        return Finding("base URL", "failed", str(exc))
    port = parts.port or _PORTS.get(parts.scheme, 0)
    text = f"{public_url(end.provider.base_url)} ({end.provider.name}, port {port})"
    is_plain = parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}
    if is_plain:
        return Finding("base URL", "note", f"{text}; not encrypted")
    return Finding("base URL", "ok", text)


def _credentials(end: Endpoint) -> Finding:
    sent = auth_header_telemetry(end.auth)
    if not sent.attached:
        return Finding("credentials", "note", "none are sent")
    return Finding("credentials", "ok", f"{type(end.auth).__name__}, in the header {sent.name}")


def _trust(network: Network, failures: _Failures) -> Finding:
    named = next((name for name in _CA_VARIABLES if os.environ.get(name)), None)
    try:
        extra = len(load_certificates(network, os.environ) or ())
    except CodexApiError as exc:
        failures.add(exc)
        return Finding("TLS", "failed", str(exc))
    if named is None:
        return Finding("TLS", "ok", "the system's roots")
    return Finding("TLS", "ok", f"the system's roots and {extra} of {named}")


def _proxy(end: Endpoint, network: Network, failures: _Failures) -> Finding:
    try:
        proxy = proxy_for(network, end.provider.base_url)
    except CodexApiError as exc:
        failures.add(exc)
        return Finding("proxy", "failed", str(exc))
    if proxy is None:
        return Finding("proxy", "ok", "none")
    try:
        _, took = _timed(lambda: _reach_proxy(end, network, proxy))
    except CodexApiError as exc:
        failures.add(exc)
        remedy = "start it, or change HTTPS_PROXY, HTTP_PROXY, ALL_PROXY or NO_PROXY"
        return Finding("proxy", "failed", f"{exc}; {remedy}")
    return Finding("proxy", "ok", public_url(proxy), took)


def _reach_proxy(end: Endpoint, network: Network, url: str) -> None:
    """Connect to the proxy and ask it for nothing, so that nobody else can be what fails."""
    route = route_to(parse_target(end.provider.url_for_path("models")), url)
    proxy = parse_proxy(url)
    if proxy.is_socks:
        proxy = replace(proxy, scheme="http")
    limit = end.timeouts.connect
    deadline = None if limit is None else time.monotonic() + limit
    hop = replace(route, proxy=proxy, is_tls=False, tunnel=False)
    open_channel(hop, network, deadline).close()


def _models(client: Client, failures: _Failures) -> Finding:
    try:
        page, took = _timed(client.models.list)
    except CodexApiError as exc:
        failures.add(exc)
        return Finding("HTTP", "failed", _failure(exc))
    return Finding("HTTP", "ok", f"the server lists {len(page.models)} models", took)


def _websocket(client: Client) -> Finding:
    try:
        probe, took = _timed(lambda: client.responses.probe(immediate_close_timeout=_CLOSE_WAIT))
    except CodexApiError as exc:
        return Finding("WebSocket", "note", f"not available: {_failure(exc)}")
    told = [
        name
        for name, is_told in (
            ("models etag", probe.models_etag_present),
            ("server model", probe.server_model_present),
            ("reasoning included", probe.reasoning_included),
        )
        if is_told
    ]
    text = f"status {probe.status}" + (f"; tells {', '.join(told)}" if told else "")
    if probe.immediate_close is not None:
        close = probe.immediate_close
        return Finding("WebSocket", "note", f"closed at once: {close.code} {close.reason}", took)
    return Finding("WebSocket", "ok", text, max(0.0, took - _CLOSE_WAIT * 1000))


def _failure(error: CodexApiError) -> str:
    if isinstance(error, errors.ConnectTimeoutError):
        return f"{error}; is a proxy or firewall in between?"
    if isinstance(error, errors.NetworkError) and error.sent == "no" and error.retryable:
        return f"{error}; check the base URL, and whether the server runs"
    return str(error)


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    result = call()
    return result, (time.perf_counter() - started) * 1000


def _line(finding: Finding, *, as_json: bool) -> str:
    if as_json:
        return msgspec.json.encode(finding).decode()
    took = "" if finding.milliseconds is None else f" ({finding.milliseconds:.0f} ms)"
    return f"{finding.subject:<12} {_MARKS[finding.verdict]:<7} {printable(finding.text)}{took}"
