"""What is fuzzed: functions of bytes that a peer or a file decides on.

Each raises nothing but what its docstring says, which is caught here, and what it returns does not
depend on how the bytes were cut. ``make fuzz`` looks for inputs that reach new lines;
``test_targets.py`` runs each target over its corpus and what can be made of that.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from codex_api._logic.incoming.error_mapping import map_api_error
from codex_api._logic.incoming.failure_body import read_failure
from codex_api._logic.incoming.item_codec import decode_item, encode_item
from codex_api._logic.incoming.mapping import EventMapper
from codex_api._logic.realtime.dialects.registry import DIALECTS
from codex_api._logic.realtime.frames import FrameReader
from codex_api.errors import (
    CodexApiError,
    HttpStatusError,
    NetworkError,
    RequestBuildError,
    WebSocketClosedError,
)
from codex_api.local.configuration import Configuration
from codex_api.rate_limits import (
    parse_all_rate_limits,
    parse_api_rate_limits,
    parse_rate_limit_event,
)
from codex_api.testing import cassettes
from codex_api.testing.scenario_files import ScenarioFileError, parse_scenario
from codex_api.testing.server.problems import RequestProblem
from codex_api.testing.server.realtime.intents import understand
from codex_api.testing.server.validation import parse_response_request
from codex_api.transport import Headers, SSEDecoder
from codex_api.transport import errors as transport_errors
from codex_api.transport._core.http1 import ResponseReader
from codex_api.transport._core.pem import PemError, is_certificate, parse_certificates
from codex_api.transport._core.websocket import WebSocketMachine

_MOST_EVENT_BYTES: Final = 4096


def cuts(data: bytes) -> list[bytes]:
    """Cut what a peer sends in two where its first byte says."""
    at = data[0] * len(data) // 256 if data else 0
    return [data[:at], data[at:]]


def http(data: bytes) -> None:
    """An answer is the same whole and in pieces."""
    assert _answer([data]) == _answer(cuts(data))


def _answer(pieces: list[bytes]) -> tuple[int | None, bytes, bool]:
    reader = ResponseReader("GET")
    body = b""
    try:
        for piece in pieces:
            if not reader.is_complete:
                body += reader.feed(piece)
        if not reader.is_complete:
            reader.close()
    except NetworkError:
        return None, b"", False
    return reader.status, body, reader.is_complete


def sse(data: bytes) -> None:
    """Events are the same whole, in pieces and byte by byte."""
    whole = _events([data])

    assert _events(cuts(data)) == whole
    assert _events([data[at : at + 1] for at in range(len(data))]) == whole


def _events(pieces: list[bytes]) -> list[object]:
    decoder, found = SSEDecoder(max_event_bytes=_MOST_EVENT_BYTES), list[object]()
    try:
        for piece in pieces:
            found += decoder.feed(piece)
        found += decoder.close()
    except transport_errors.EventTooLargeError:
        return ["too large"]
    return found


def websocket(data: bytes) -> None:
    """Messages are the same whole and in pieces; a bad frame ends the connection."""
    assert _messages([data]) == _messages(cuts(data))


def _messages(pieces: list[bytes]) -> list[object]:
    machine = WebSocketMachine(
        lambda payload: bytes(4) + payload, max_message_bytes=_MOST_EVENT_BYTES
    )
    found: list[object] = []
    for piece in pieces:
        machine.feed(piece)
        while (message := machine.next_message()) is not None:
            found.append(message)
    assert machine.failure is None or isinstance(
        machine.failure, WebSocketClosedError | transport_errors.EventTooLargeError
    )
    return found


def mapping(data: bytes) -> None:
    """Payloads, one a line, become the same events together and one by one."""
    lines = data.split(b"\n")
    together, apart = EventMapper(), EventMapper()
    events = together.feed_all(lines)
    singly = [event for line in lines for event in apart.feed_all([line])]

    assert events == singly
    assert type(together.failure) is type(apart.failure)


def items(data: bytes) -> None:
    """An item that is JSON goes back out with all that it came with."""
    try:
        item = decode_item(data)
    except msgspec.DecodeError:
        return
    # What is kept as it came may hold bytes that are no UTF-8; they are the server's business.
    json.loads(encode_item(item, keep_ids=True).decode(errors="replace"))


def failures(data: bytes) -> None:
    """Whatever the body of a refusal says, an error is made of it."""
    status = 400 + (data[0] if data else 0)
    read_failure(data)
    error = map_api_error(HttpStatusError(status=status, headers=Headers(), body=data[1:]), now=0.0)

    assert isinstance(error, CodexApiError)
    assert str(error)


def rate_limits(data: bytes) -> None:
    """Headers and events about limits are read as far as they make sense."""
    parse_rate_limit_event(data)
    lines = [line.partition(b":") for line in data.decode("latin-1").encode().split(b"\n")]
    headers = Headers.received(
        [(name.decode(), value.strip().decode()) for name, _, value in lines if name]
    )
    parse_all_rate_limits(headers)
    parse_api_rate_limits(headers)


def realtime(data: bytes) -> None:
    """A frame is an event in each version, and keeps its bytes; two of them are two at least."""
    for dialect in DIALECTS.values():
        raw = dialect.decode(data).raw

        assert raw is not None
        assert bytes(raw) == data
        reader = FrameReader(dialect)
        with suppress(UnicodeDecodeError):
            assert all(reader.read(message) for message in (data.decode(), data.decode()))


def server(data: bytes) -> None:
    """The server for tests refuses requests that make no sense, and does not fail of them."""
    with suppress(ValueError, RecursionError):
        body = json.loads(data)
        if isinstance(body, dict):
            with suppress(RequestProblem):
                parse_response_request(body)
    with suppress(UnicodeDecodeError):
        understand(data.decode())


def cassette(data: bytes) -> None:
    """A file is a cassette, or a ``ValueError`` says which line is none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzzed.jsonl"
        path.write_bytes(data)
        with suppress(ValueError):
            cassettes.load(path)


def scenario(data: bytes) -> None:
    """A scenario is read, or a ``ScenarioFileError`` says where it is wrong."""
    with suppress(UnicodeDecodeError, ScenarioFileError):
        kind = "json" if data.startswith(b"{") else "toml"
        parse_scenario(data.decode(), Path(f"fuzzed.{kind}"))


def configuration(data: bytes) -> None:
    """A file of providers is read, or the error says where it is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "codex-api" / "config.toml"
        path.parent.mkdir()
        path.write_bytes(data)
        os.environ["XDG_CONFIG_HOME"] = os.environ["CODEX_HOME"] = folder
        for name in (None, "mine"):
            with suppress(RequestBuildError):
                Configuration.load(name)


def pem(data: bytes) -> None:
    """A bundle is certificates, or a ``PemError`` says why not."""
    with suppress(PemError):
        for der in parse_certificates(data):
            is_certificate(der)


TARGETS: Final = {
    function.__name__: function
    for function in (
        http,
        sse,
        websocket,
        mapping,
        items,
        failures,
        rate_limits,
        realtime,
        server,
        cassette,
        scenario,
        configuration,
        pem,
    )
}
