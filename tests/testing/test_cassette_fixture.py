from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING

import httpx2
import pytest

from codex_api import Client, Provider, ResponsesApiRequest, errors
from codex_api.testing import EmbeddedServer, ScriptedServer, faults, scenarios
from codex_api.testing.actions import Hang, ReadRequest
from codex_api.testing.cassette_fixture import CodexCassette, PassOn, file_name, joined
from codex_api.testing.cassettes import load
from codex_api.testing.connection import Connection, ConnectionRecord
from codex_api.testing.gate import Gate
from codex_api.testing.recording import RecordedRequest

if TYPE_CHECKING:
    from pathlib import Path

    from codex_api.testing.cassette_fixture import CassetteMode


def unreachable() -> str:
    raise AssertionError("nothing is to be recorded")


def cassette(
    folder: Path, mode: CassetteMode, server: EmbeddedServer | None = None
) -> CodexCassette:
    return CodexCassette(
        folder / "tape.jsonl",
        mode,
        upstream=unreachable if server is None else lambda: server.url,
        folder=folder,
    )


def stream(url: str, text: str) -> str:
    with Client(Provider("test", url)) as client:
        return client.responses.stream(ResponsesApiRequest(model="m", input=text)).collect().text


def turns(url: str, *texts: str) -> list[str]:
    with Client(Provider("test", url)) as client, client.responses.connect() as connection:
        return [
            connection.stream(ResponsesApiRequest(model="m", input=text)).collect().text
            for text in texts
        ]


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("test_it", "test_it.jsonl"),
        ("TestIt::test_it[a-1]", "TestIt.test_it-a-1.jsonl"),
        ("test_it[../../etc]", "test_it-..-..-etc-"),
        ("test_it[a b]", "test_it-a-b-"),
        ("test_" + "x" * 300, "test_" + "x" * 95 + "-"),
    ],
)
def test_a_cassette_is_named_after_its_test_and_stays_in_its_folder(node: str, name: str) -> None:
    found = file_name(node)

    assert found.startswith(name)
    assert "/" not in found
    assert len(found) < 130


def test_names_that_look_alike_differ() -> None:
    nodes = ["t[a b]", "t[a/b]", "t[a-b]", f"t[{'x' * 200}1]", f"t[{'x' * 200}2]"]

    assert len({file_name(node) for node in nodes}) == len(nodes)


def test_exchanges_that_are_added_get_the_next_numbers() -> None:
    both = joined('{"n":0}\n{"n":3}\n', '{"n":0,"text":"\u2028é"}\n{"n":1}\n')

    assert [json.loads(line)["n"] for line in both.split("\n") if line] == [0, 3, 4, 5]
    assert "\u2028é" in both
    assert joined("", '{"n":0}\n') == '{"n":0}\n'


def test_a_websocket_is_recorded_and_played(tmp_path: Path) -> None:
    with EmbeddedServer() as server, cassette(tmp_path, "once", server) as recording:
        said = turns(recording.url, "one", "two")
    recording.keep()

    with cassette(tmp_path, "none") as replay:
        assert turns(replay.url, "one", "two") == said
    assert replay.errors == []
    assert replay.left == []
    assert replay.requests.count("> response.create") == 2


def test_another_message_on_a_websocket_has_no_answer(tmp_path: Path) -> None:
    with EmbeddedServer() as server, cassette(tmp_path, "once", server) as recording:
        turns(recording.url, "one")
    recording.keep()

    with cassette(tmp_path, "none") as replay, pytest.raises(errors.CodexApiError):
        turns(replay.url, "other")
    assert 'recorded "one", now "other"' in str(replay.errors[0])
    assert 'recorded "one", now "other"' in replay.requests


def test_a_websocket_is_not_added_to_what_is_recorded(tmp_path: Path) -> None:
    with EmbeddedServer() as server:
        with cassette(tmp_path, "once", server) as recording:
            stream(recording.url, "one")
        recording.keep()

        with cassette(tmp_path, "new", server) as adding:
            with pytest.raises(errors.CodexApiError) as caught:
                turns(adding.url, "two")
            stream(adding.url, "two")
        adding.keep()

    assert caught.value.status == 501
    assert "WS" not in adding.requests
    assert len(load(tmp_path / "tape.jsonl")) == 2


def test_a_client_that_leaves_what_is_passed_on_ends_it_upstream(tmp_path: Path) -> None:
    with EmbeddedServer() as server:
        with cassette(tmp_path, "once", server) as recording:
            stream(recording.url, "one")
        recording.keep()

        server.play(scenarios.faulty(faults.hold(Gate(), after=3)))
        with cassette(tmp_path, "new", server) as adding:
            body = {"model": "m", "input": "two", "stream": True}
            with (
                httpx2.Client() as client,
                client.stream("POST", f"{adding.url}/responses", json=body) as left,
            ):
                assert next(left.iter_raw()).startswith(b"event: response.created")
            server.wait_for_disconnect()
        adding.keep()

    assert [each.ending for each in load(tmp_path / "tape.jsonl")] == ["clean", "left"]


@pytest.mark.anyio
async def test_passing_on_that_is_cancelled_twice_ends_the_connection_upstream() -> None:
    request = RecordedRequest(method="GET", target="/v1/models", headers=[], body=b"", connection=0)
    client = Connection(ConnectionRecord(0), lambda _: None, lambda: None)
    with ScriptedServer(connections=[[ReadRequest(), Hang()]]) as upstream:
        passing = asyncio.create_task(PassOn(request, upstream.port).play(client))
        await asyncio.to_thread(upstream.wait_for_requests, 1)
        for _ in range(2):
            passing.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await passing
        ended = await asyncio.to_thread(upstream.wait_for_disconnect)

    assert ended.ending == "eof"


def test_what_breaks_upstream_breaks_for_the_client(tmp_path: Path) -> None:
    with EmbeddedServer() as server:
        with cassette(tmp_path, "once", server) as recording:
            stream(recording.url, "one")
        recording.keep()

        server.play(scenarios.faulty(faults.cut(after=3)))
        with cassette(tmp_path, "new", server) as adding, pytest.raises(errors.StreamClosedError):
            stream(adding.url, "two")


def test_an_upstream_that_is_not_there_is_an_answer_and_nothing_hangs(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nowhere = CodexCassette(
        tmp_path / "tape.jsonl",
        "all",
        upstream=lambda: f"http://127.0.0.1:{port}/v1",
        folder=tmp_path,
    )

    with nowhere as recording:
        answered = httpx2.get(f"{recording.url}/models")

    assert answered.status_code == 502


def test_a_cassette_that_is_not_kept_is_not_written(tmp_path: Path) -> None:
    with EmbeddedServer() as server, cassette(tmp_path, "all", server) as recording:
        stream(recording.url, "one")

    assert not (tmp_path / "tape.jsonl").exists()


def test_keeping_a_replay_changes_nothing(tmp_path: Path) -> None:
    with EmbeddedServer() as server, cassette(tmp_path, "once", server) as recording:
        stream(recording.url, "one")
    recording.keep()
    before = (tmp_path / "tape.jsonl").read_bytes()

    with cassette(tmp_path, "none") as replay:
        stream(replay.url, "one")
    replay.keep()

    assert (tmp_path / "tape.jsonl").read_bytes() == before
    assert (tmp_path / "tape.jsonl").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_reached_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="record it with --codex-cassette=once"):
        cassette(tmp_path, "none")
