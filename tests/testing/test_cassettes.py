from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import httpx2
import pytest

from codex_api.testing import EmbeddedServer, faults, scenarios
from codex_api.testing.actions import Hang, Send, stream
from codex_api.testing.cassettes import (
    AsyncRecordingTransport,
    Cassette,
    RecordingTransport,
    load,
    replay_server,
)
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, http_response, last_chunk, sse_head
from codex_api.transport import AsyncHttpTransport, Headers, HttpTransport, Request
from codex_api.transport._core.messages import RawBody

if TYPE_CHECKING:
    from pathlib import Path

CHUNKS = [b"event: a\n", "data: h\u00e9llo\u2028\n\n".encode(), b"data: \xff\n\n"]


def request(url: str, body: bytes = b"{}") -> Request:
    headers = Headers({"authorization": "Bearer secret", "accept": "text/event-stream"})
    return Request(
        method="POST", url=f"{url}/responses?sig=secret", headers=headers, body=RawBody(body)
    )


def streaming_script(*, is_whole: bool = True) -> list[Send | Hang]:
    head = Send(sse_head({"x-request-id": "r1", "set-cookie": "a=secret"}))
    sends: list[Send | Hang] = [head, *(Send(chunk(each)) for each in CHUNKS)]
    return [*sends, Send(last_chunk())] if is_whole else [*sends, Hang()]


def record(server: ScriptedServer, path: Path, chunks: int | None = None) -> list[bytes]:
    """Read ``chunks`` chunks of a stream (all for None) and close it."""
    transport = RecordingTransport(HttpTransport(), Cassette(path))
    response = transport.stream(request(server.url))
    assert (response.status, response.headers["x-request-id"]) == (200, "r1")
    got: list[bytes] = []
    while chunks is None or len(got) < chunks:
        data = response.read_chunk(5)
        if data is None:
            break
        got.append(bytes(data))
    response.close()
    transport.close()
    return got


def test_a_stream_is_recorded_and_played_again(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with ScriptedServer([streaming_script()]) as server:
        got = record(server, path)
    assert b"".join(got) == b"".join(CHUNKS)

    (exchange,) = load(path)
    assert [each.data for each in exchange.chunks] == got
    assert (exchange.status, exchange.ending) == (200, "clean")
    with replay_server(path) as server:
        reply = httpx2.post(f"{server.url}/responses", content=b"{}")
        assert reply.content == b"".join(CHUNKS)
        assert reply.headers["x-request-id"] == "r1"


def test_a_cassette_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.touch(mode=0o644)

    Cassette(path)

    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "member",
    [
        '"api_key":"s3cret"',
        '"apiKey" : "s3\\"cret"',
        '"authorization":"Bearer s3cret"',
        '"client_secret":{"value":"ek_68af296e8e408191a1120ab6383263c2"}',
        '"input":"use sk-proj-abcdefghijklmnop1234 please"',
        '"id_token":"eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeK"',
    ],
)
def test_credentials_in_bodies_are_not_recorded(tmp_path: Path, member: str) -> None:
    path = tmp_path / "a.jsonl"
    body = f'{{"model":"m",{member},"max_output_tokens":5}}'.encode()
    cassette = Cassette(path)

    number = cassette.begin(request("http://localhost", body))
    cassette.chunk(number, body)

    text = path.read_text()
    for secret in ("s3", "ek_", "sk-", "eyJ"):
        assert secret not in text
    for each in (load(path)[0].request["body"], load(path)[0].body.decode()):
        assert json.loads(each)["max_output_tokens"] == 5


def test_headers_are_recorded_only_if_they_are_known_to_be_harmless(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    cassette = Cassette(path)
    number = cassette.begin(request("http://localhost"))

    cassette.head(number, 200, Headers({"x-mine": "1", "x-ratelimit-limit-tokens": "9"}))

    assert load(path)[0].headers == [("x-ratelimit-limit-tokens", "9")]


def test_nothing_secret_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with ScriptedServer([streaming_script()]) as server:
        record(server, path)

    text = path.read_text(encoding="utf-8")
    assert "secret" not in text
    assert json.loads(text.splitlines()[0])["request"]["path"] == "/v1/responses"


def test_a_stream_that_was_left_is_played_as_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with ScriptedServer([streaming_script(is_whole=False)]) as server:
        record(server, path, chunks=1)

    assert load(path)[0].ending == "left"
    with (
        replay_server(path, match="order") as server,
        pytest.raises(httpx2.RemoteProtocolError),
    ):
        httpx2.post(server.url)


def test_whole_answers_are_recorded_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    answers = [[Send(http_response(503, "busy", {"retry-after": "1"}))], [Send(http_response(204))]]
    transport = RecordingTransport(HttpTransport(), Cassette(path))
    with ScriptedServer(answers) as server:
        assert [transport.execute(request(server.url)).status for _ in answers] == [503, 204]
    transport.close()

    with replay_server(path, match="order") as server:
        replies = [httpx2.post(server.url) for _ in range(2)]
    assert [(reply.status_code, reply.text) for reply in replies] == [(503, "busy"), (204, "")]
    assert replies[0].headers["retry-after"] == "1"


@pytest.mark.anyio
async def test_the_async_transport_records_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    transport = AsyncRecordingTransport(AsyncHttpTransport(), Cassette(path))
    async with ScriptedServer([streaming_script(), [Send(http_response(200, "x"))]]) as server:
        response = await transport.stream(request(server.url))
        assert (response.status, response.headers["x-request-id"]) == (200, "r1")
        while await response.read_chunk() is not None:
            pass
        await response.aclose()
        await transport.execute(request(server.url))
        await transport.aclose()

    first, second = load(path)
    assert first.body == b"".join(CHUNKS)
    assert (second.body, second.ending) == (b"x", "clean")


def test_times_are_kept_and_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    now = iter([0.0, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0])
    cassette = Cassette(path, clock=lambda: next(now))
    number = cassette.begin(request("http://x/v1"))
    cassette.head(number, 200, Headers())
    cassette.chunk(number, b"a")
    cassette.chunk(number, b"b")
    cassette.end(number, "clean")
    cassette.end(number, "broken")

    (exchange,) = load(path)
    assert [each.after for each in exchange.chunks] == [0.25, 0.25]
    assert exchange.ending == "clean"
    with replay_server(path, is_timed=True, match="order") as server:
        reply = httpx2.post(server.url)
        assert reply.text == "ab"
        assert reply.elapsed.total_seconds() >= 0.25


@pytest.mark.parametrize("kept", range(1, 33))
def test_a_last_line_that_was_not_written_to_its_end_costs_only_itself(
    tmp_path: Path, kept: int
) -> None:
    path = tmp_path / "a.jsonl"
    whole = b'{"n":0,"request":{}}\n{"n":0,"after":0,"text":"k"}\n'
    last = '{"n":0,"after":0,"text":"käse"}'.encode()
    path.write_bytes(whole + last[:kept])

    (exchange,) = load(path)

    assert exchange.body == (b"k" if kept < len(last) else "kkäse".encode())
    assert exchange.ending == "broken"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"n":0,"te', "it is no JSON: Unterminated string starting at at character 8"),
        ('{"n":0}', "there is no 'text'"),
        ("5", "it has another form"),
    ],
)
def test_what_is_wrong_with_a_line_is_told(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"n":0,"request":{}}\n' + line + "\n")

    with pytest.raises(ValueError, match="no line of a cassette: " + re.escape(why)):
        load(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'{"n":0,"request'])
def test_what_never_was_a_cassette_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=r"line 1 of a\.jsonl is no line of a cassette: it is no"):
        load(path)


@pytest.mark.parametrize(
    "line", ['{"n":1,"text":"x"}', '{"n":0}', '{"n":0,"text":5}', "5", "[" * 100_000]
)
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"n":0,"request":{}}\n' + line + "\n")

    with pytest.raises(ValueError, match=r"line 2 of a\.jsonl"):
        load(path)


def test_the_embedded_server_can_be_recorded(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    body = json.dumps({"model": "m", "input": "hi", "stream": True}).encode()
    json_request = Request(
        method="POST",
        url="",
        headers=Headers({"content-type": "application/json"}),
        body=RawBody(body),
    )
    transport = RecordingTransport(HttpTransport(), Cassette(path))
    with EmbeddedServer() as server:
        server.play(scenarios.faulty(faults.commented()))
        url = f"{server.url}/responses"
        transport.execute(
            Request(method="POST", url=url, headers=json_request.headers, body=json_request.body)
        )
    transport.close()

    assert b": keep-alive\n\nevent: response.completed" in load(path)[0].body


def test_what_is_held_back_is_written_when_the_cassette_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    cassette = Cassette(path)
    number = cassette.begin(request("http://localhost"))
    cassette.chunk(number, b"the key is sk-proj-abcdef")
    cassette.chunk(number, b"ghijklmnop1234")

    assert len(path.read_text().splitlines()) == 1
    cassette.close()
    assert [each.data for each in load(path)[0].chunks] == [b"the key is [redacted]", b""]


def test_what_is_held_back_is_written_when_the_program_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    cassette = Cassette(path)
    number = cassette.begin(request("http://localhost"))
    cassette.chunk(number, b"and https://a.b/c?x")

    del cassette

    assert load(path)[0].body == b"and https://a.b/c?[redacted]"


def test_a_secret_cut_over_two_events_of_a_stream_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    secret = "sk-proj-abcdefghijklmnop1234"  # noqa: S105 - the marked one
    events = [
        {"type": "response.output_text.delta", "item_id": "m", "delta": part}
        for part in (secret[:9], secret[9:15], f"{secret[15:]}.")
    ]
    with ScriptedServer([stream(events)]) as server:
        transport = RecordingTransport(HttpTransport(), Cassette(path))
        response = transport.stream(request(server.url))
        while response.read_chunk(5) is not None:
            pass
        response.close()
        transport.close()

    (exchange,) = load(path)
    deltas = [json.loads(x[6:])["delta"] for x in exchange.body.split(b"\n") if x[:5] == b"data:"]
    assert deltas == ["[redacted]", "", "."]
