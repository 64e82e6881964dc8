from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx2
import openai
import pytest

from codex_api import AsyncClient, Client, Provider, ResponsesApiRequest, errors
from codex_api.testing import EmbeddedServer, faults, scenarios
from codex_api.testing.cassettes import (
    AsyncRecordingTransport,
    Cassette,
    RecordingTransport,
    load,
    replay_server,
)
from codex_api.testing.replaying import CassetteMismatchError, differences
from codex_api.transport import AsyncHttpTransport, HttpTransport

if TYPE_CHECKING:
    from pathlib import Path

    from codex_api.testing.scenarios import Scenario


def hello(text: str = "say hello") -> ResponsesApiRequest:
    return ResponsesApiRequest(model="m", input=text)


def recorded(path: Path, *texts: str, play: tuple[Scenario, ...] = ()) -> list[str]:
    """Record an answer to each text through our own client."""
    with EmbeddedServer() as server:
        server.play(*play)
        transport = RecordingTransport(HttpTransport(), Cassette(path))
        with Client(Provider(name="t", base_url=server.url), transport=transport) as client:
            return [client.responses.stream(hello(text)).collect().text for text in texts]


def test_a_tape_of_our_client_is_whole_for_another_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    (text,) = recorded(path, "say hello")
    body = load(path)[0].request_body

    with replay_server(path) as server:
        client = openai.OpenAI(base_url=server.url, api_key="x", max_retries=0)
        stream = client.responses.create(extra_body=json.loads(body), stream=True)
        kinds = [event.type for event in stream]
        client.close()

    assert kinds[-1] == "response.completed"
    assert text in load(path)[0].body.decode().replace('\\"', '"')


@pytest.mark.anyio
async def test_the_async_client_leaves_a_whole_tape_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    async with EmbeddedServer() as server:
        transport = AsyncRecordingTransport(AsyncHttpTransport(), Cassette(path))
        provider = Provider(name="t", base_url=server.url)
        async with AsyncClient(provider, transport=transport) as client:
            await client.responses.stream(hello()).collect()

    assert load(path)[0].is_whole


@pytest.mark.parametrize("how", ["truncated", "reset"])
@pytest.mark.parametrize("after", [1, 5])
def test_a_tape_without_its_last_event_is_played_as_broken(
    tmp_path: Path, how: str, after: int
) -> None:
    path = tmp_path / "a.jsonl"
    fault = faults.cut(after=after, how="reset" if how == "reset" else "truncated")
    with pytest.raises(errors.CodexApiError):
        recorded(path, "say hello", play=(scenarios.faulty(fault),))

    (exchange,) = load(path)[:1]
    assert (exchange.ending, exchange.is_whole) == ("broken", False)


@pytest.mark.parametrize(
    ("body", "is_whole"),
    [
        (b'event: response.completed\ndata: {"type":"response.completed"}\n\n', True),
        (b'data: {"type":"response.completed"}\n\n', True),
        (b'data: {"type": "response.failed"}\n\ndata: [DONE]\n\n', True),
        (b'event: response.completed\ndata: {"type":"response.completed"}\n\n: bye\n\n', True),
        (b'event: response.completed\ndata: {"type":"response.completed"}\n', False),
        (b'data: {"type":"response.completed"}\n\ndata: {"type":"more"}\n\n', False),
        (b'data: {"type":"response.created"}\n\n', False),
        (b"", False),
    ],
)
def test_only_the_last_event_of_a_response_makes_a_tape_whole(
    tmp_path: Path,
    body: bytes,
    is_whole: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    path = tmp_path / "a.jsonl"
    lines: list[dict[str, object]] = [
        {"n": 0, "request": {"method": "POST", "path": "/v1/responses"}},
        {"n": 0, "status": 200, "headers": []},
        {"n": 0, "text": body.decode()},
        {"n": 0, "end": "left"},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert load(path)[0].is_whole is is_whole


def test_each_request_gets_its_own_answer_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    first, second = recorded(path, "say one", "say two")
    assert first != second

    with replay_server(path) as server, Client(Provider("t", server.url)) as client:
        assert client.responses.stream(hello("say two")).collect().text == second
        assert client.responses.stream(hello("say one")).collect().text == first
        assert server.left == []


def played(path: Path, *asked: tuple[str, str, bytes], **headers: str) -> tuple[list[str], str]:
    """Ask the tape, and give what the program saw and what the test fails with."""
    seen: list[str] = []

    def ask() -> None:
        with replay_server(path) as server:
            base = server.url.removesuffix("/v1")
            for method, target, body in asked:
                reply = httpx2.request(method, base + target, content=body, headers=headers)
                seen.append(f"{reply.status_code} {reply.text}")

    with pytest.raises(CassetteMismatchError) as caught:
        ask()
    return seen, str(caught.value)


def test_a_changed_request_fails_with_the_path_that_differs(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    recorded(path, "say hello")
    body = json.loads(load(path)[0].request_body)
    body["input"][0]["content"][0]["text"] = "say bye"
    del body["store"]

    (seen,), told = played(path, ("POST", "/v1/responses", json.dumps(body).encode()))

    lines = told.splitlines()
    assert lines[0].startswith("a.jsonl has no answer to POST /v1/responses; the nearest")
    assert '  input[0].content[0].text: recorded "say hello", now "say bye"' in lines
    assert "  store: recorded false, now nothing" in lines
    assert seen.startswith("418 ")
    assert json.loads(seen[4:])["error"]["message"] == told


def test_another_endpoint_and_one_more_request_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    recorded(path, "say hello")
    body = load(path)[0].request_body
    same = ("POST", "/v1/responses", body)

    _, told = played(path, ("GET", "/v1/models", b""))
    assert "what is left: POST /v1/responses" in told
    seen, told = played(path, same, same)
    assert told.endswith("it was given already, and is not recorded once more")
    assert [each[:3] for each in seen] == ["200", "418"]
    _, told = played(path, same, ("POST", "/v1/responses", body.replace(b"hello", b"bye")))
    assert "the nearest exchange, which was given already, differs in" in told
    assert told.endswith('recorded "say hello", now "say bye"')
    with replay_server(path, repeat_last=True) as server:
        replies = [httpx2.post(f"{server.url}/responses", content=body) for _ in range(3)]
    assert {reply.status_code for reply in replies} == {200}


def test_a_websocket_that_was_not_recorded_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    recorded(path, "say hello")

    _, told = played(path, ("GET", "/v1/responses", b""), upgrade="websocket")

    assert told.endswith("no WebSocket is left that was recorded there")


def test_spaces_order_and_what_is_ignored_make_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    recorded(path, "say hello")
    body = json.loads(load(path)[0].request_body)
    changed = dict(reversed([*body.items(), ("metadata", {"run": "2"})]))

    with replay_server(path, ignore=["metadata"]) as server:
        reply = httpx2.post(f"{server.url}/responses", content=json.dumps(changed, indent=2))

    assert reply.status_code == 200


def test_hidden_values_are_hidden_in_the_request_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    secret = "sk-proj-abcdefghijklmnop1234"  # noqa: S105 - the marked one
    recorded(path, f"the key is {secret}")
    assert secret not in path.read_text()

    with replay_server(path) as server, Client(Provider("t", server.url)) as client:
        client.responses.stream(hello(f"the key is {secret}")).collect()


def test_differences_name_paths_in_order() -> None:
    recorded = {"a": [1, {"b": 2}], "c": 3}
    now = {"a": [1, {"b": 4}, 5], "d": None}

    assert list(differences(recorded, now)) == [
        "a[1].b: recorded 2, now 4",
        "a[2]: recorded nothing, now 5",
        "c: recorded 3, now nothing",
        "d: recorded nothing, now null",
    ]
    assert list(differences(recorded, now, ["a", "c", "d"])) == []
