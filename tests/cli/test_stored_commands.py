"""The commands over what a server keeps, in this process, against the embedded server."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from codex_api.cli import main
from codex_api.testing import EmbeddedServer, ServerSettings, faults, scenarios
from codex_api.testing.actions import answer
from codex_api.testing.scripted import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BINARY = bytes(range(256)) * 3
TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def call(server: EmbeddedServer) -> Callable[..., int]:
    def run(*arguments: object) -> int:
        return main([*map(str, arguments), "--base-url", server.url])

    return run


@pytest.fixture
def asked(call: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that works, and give what it printed, less the line's end."""

    def run(*arguments: object) -> str:
        assert call(*arguments) == 0
        return capsys.readouterr().out.rstrip("\n")

    return run


def stored(asked: Callable[..., str], server: EmbeddedServer, prompt: str) -> str:
    asked("respond", prompt, "--store")
    return list(server.state.stored)[-1]


def test_respond_sends_what_the_options_say(
    asked: Callable[..., str], server: EmbeddedServer, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(json.dumps(TOOL, indent=2))
    two.write_text(json.dumps([{"type": "custom", "name": "a"}, {"type": "web_search"}]))
    options = ["--max-output-tokens=50", "--temperature=0.5", "--store"]
    options += ["--metadata=a=b=c", "--metadata=d="]
    asked("respond", "hi", f"--tool={one}", f"--tool={two}", *options)
    body = server.requests[-1].json()

    assert (body["max_output_tokens"], body["temperature"], body["store"]) == (50, 0.5, True)
    assert body["metadata"] == {"a": "b=c", "d": ""}
    assert [tool["type"] for tool in body["tools"]] == ["function", "custom", "web_search"]


def test_without_options_the_request_says_nothing_of_them(
    asked: Callable[..., str], server: EmbeddedServer
) -> None:
    asked("respond", "hi")
    body = server.requests[-1].json()

    assert body["store"] is False
    assert not body.keys() & {"max_output_tokens", "temperature", "metadata", "conversation"}
    assert not body.keys() & {"background", "previous_response_id"}


def test_a_tool_is_called_and_shown(asked: Callable[..., str], tmp_path: Path) -> None:
    tool = tmp_path / "tool.json"
    tool.write_text(json.dumps(TOOL))

    assert (
        asked("respond", "call get_weather with city=Rome", "--tool", tool)
        == '[get_weather] {"city": "Rome"}'
    )


@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_the_id_of_a_kept_response_is_told(
    call: Callable[..., int],
    server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
    transport: str,
) -> None:
    assert call("respond", "hi", "--store", "--transport", transport) == 0

    (ident,) = server.state.stored
    assert capsys.readouterr().err.startswith(f"response: {ident}\n")


def test_one_goes_on_from_a_response_or_a_conversation(
    asked: Callable[..., str], server: EmbeddedServer
) -> None:
    first = stored(asked, server, "I am Ada.")
    by_response = asked("respond", "hello", "--previous", first)
    server.state.threads.clear()
    thread = json.loads(_created(server))["id"]
    asked("respond", "I am Bob.", "--conversation", thread)
    by_conversation = asked("respond", "hello", "--conversation", thread)

    assert '"I am Ada."' in by_response
    assert '"I am Bob."' in by_conversation


def _created(server: EmbeddedServer) -> bytes:
    from codex_api import Client, Provider  # noqa: PLC0415 - only here

    with Client(Provider("mock", server.url)) as client:
        return client.conversations.create().raw


@pytest.mark.parametrize(
    "options",
    [
        ["respond", "hi", "--previous=resp_1", "--conversation=conv_1"],
        ["respond", "hi", "--metadata=a"],
        ["respond", "hi", "--metadata==b"],
        ["respond", "hi", "--tool=nowhere.json"],
        ["respond", "hi", "--background", "--transport=websocket"],
        ["tokens"],
        ["tokens", "hi", "--previous=resp_1", "--conversation=conv_1"],
        ["get", " "],
        ["get", "resp_1", "--wait", "--follow"],
        ["get", "resp_1", "--starting-after=3"],
        ["batch", "create"],
        ["batch", "create", "in.jsonl", "--file-id=file_1"],
        ["batch", "create", "nowhere.jsonl"],
        ["batch", "results", "batch_1", "--output=no/folder"],
        ["files", "content", "file_1", "--output=no/folder"],
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_sent(
    call: Callable[..., int],
    server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
) -> None:
    assert call(*options) == 2

    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert server.requests == []


@pytest.mark.parametrize("content", ["[1]", "3", "nonsense", "[{}, 3]"])
def test_a_file_that_holds_no_tool_is_refused(
    call: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str
) -> None:
    path = tmp_path / "tool.json"
    path.write_text(content)

    assert call("respond", "hi", "--tool", path) == 2
    assert f"--tool {path}" in capsys.readouterr().err


def test_a_stored_response_is_printed_and_deleted(
    call: Callable[..., int],
    asked: Callable[..., str],
    server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ident = stored(asked, server, "hi")
    assert call("get", ident) == 0
    out, err = capsys.readouterr()
    assert (out, err[:7]) == ('You said: "hi". I read 1 item.\n', "tokens:")

    assert json.loads(asked("get", ident, "--json"))["id"] == ident
    (item,) = [json.loads(line) for line in asked("get", ident, "--input-items").splitlines()]
    assert (item["role"], item["content"][0]["text"]) == ("user", "hi")
    assert asked("delete", ident) == ident
    assert call("get", ident) == 1
    assert "not found" in capsys.readouterr().err


def test_calls_of_a_stored_response_are_printed(
    asked: Callable[..., str], server: EmbeddedServer, tmp_path: Path
) -> None:
    tool = tmp_path / "tool.json"
    tool.write_text(json.dumps(TOOL))
    asked("respond", "call get_weather with city=Rome", "--tool", tool, "--store")
    (ident,) = server.state.stored

    assert asked("get", ident) == '[get_weather] {"city": "Rome"}'


def test_a_refusal_is_printed_too(asked: Callable[..., str], server: EmbeddedServer) -> None:
    assert asked("get", stored(asked, server, "refuse")).startswith("I was asked to refuse")


def test_a_background_response_is_waited_for_and_followed_over_cuts(
    asked: Callable[..., str], server: EmbeddedServer
) -> None:
    ident = asked("respond", "count to 9", "--background")
    server.play(*[scenarios.faulty(faults.cut(after=3))] * 3, endpoint="responses/retrieve")
    followed = asked("get", ident, "--follow")
    waited = asked("get", ident, "--wait")
    rest = asked("get", ident, "--follow", "--starting-after=8", "--json").splitlines()

    assert followed == waited == "1 2 3 4 5 6 7 8 9"
    deltas = [each["delta"] for each in map(json.loads, rest) if "delta" in each]
    assert "1" not in deltas
    assert deltas[-1] == " 9"


def test_the_handle_of_a_background_response_is_printed_as_json(asked: Callable[..., str]) -> None:
    handle = json.loads(asked("respond", "hi", "--background", "--json"))

    assert handle["response_id"].startswith("resp_")


def test_a_background_response_is_cancelled(capsys: pytest.CaptureFixture[str]) -> None:
    with EmbeddedServer(ServerSettings(background_pace=60)) as slow:
        assert main(["respond", "hi", "--background", "--base-url", slow.url]) == 0
        ident = capsys.readouterr().out.strip()
        assert main(["get", ident, "--base-url", slow.url]) == 0
        assert "status: queued" in capsys.readouterr().err
        assert main(["cancel", ident, "--base-url", slow.url]) == 0
        assert capsys.readouterr().out == "cancelled\n"
        assert main(["get", ident, "--json", "--base-url", slow.url]) == 1
        assert json.loads(capsys.readouterr().out)["status"] == "cancelled"
        assert main(["get", ident, "--wait", "--base-url", slow.url]) == 1
        assert main(["cancel", ident, "--json", "--base-url", slow.url]) == 0


def test_a_cut_off_response_is_printed_as_far_as_it_came(
    call: Callable[..., int],
    server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("respond", "count to 50", "--store", "--max-output-tokens=3") == 1
    capsys.readouterr()

    assert call("get", *server.state.stored) == 1
    out, err = capsys.readouterr()
    assert out == "1 2 3\n"
    assert "max_output_tokens" in err


def test_tokens_are_counted(
    asked: Callable[..., str], server: EmbeddedServer, tmp_path: Path
) -> None:
    history = tmp_path / "history.jsonl"
    history.write_text('{"role": "user", "content": "four five"}')
    first = stored(asked, server, "six")

    assert asked("tokens", "one two three") == "3"
    assert asked("tokens", "--input", history) == "2"
    assert asked("tokens", "one", "--input", history, "--instructions=two") == "4"
    assert int(asked("tokens", "one", "--previous", first)) > 2
    assert json.loads(asked("tokens", "one", "--json"))["input_tokens"] == 1


def line(name: str, **more: Any) -> str:
    body = {"model": "gpt-5.1", "input": "hi", **more}
    request = {"custom_id": name, "method": "POST", "url": "/v1/responses", "body": body}
    return json.dumps(request) + "\n"


def test_a_batch_goes_from_file_to_file(
    call: Callable[..., int], asked: Callable[..., str], tmp_path: Path
) -> None:
    requests, answers = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    requests.write_text(line("a") + line("b", temperature="hot"))
    ident = asked("batch", "create", requests, "--metadata=a=b")
    row = asked("batch", "get", ident, "--wait")
    assert asked("batch", "results", ident, "--output", answers) == ""
    failed = json.loads(asked("batch", "results", ident, "--failed"))

    assert row.split("\t") == [ident, "completed", "1", "1", "2"]
    assert json.loads(answers.read_text())["custom_id"] == "a"
    assert (failed["custom_id"], failed["response"]["status_code"]) == ("b", 400)
    assert json.loads(asked("batch", "get", ident, "--json"))["metadata"] == {"a": "b"}
    again = json.loads(asked("batch", "create", "--file-id", _input(asked, ident), "--json"))
    listed = asked("batch", "list", "--json").splitlines()
    assert [json.loads(each)["id"] for each in listed] == [again["id"], ident]
    assert asked("batch", "list", "--limit=1").startswith(again["id"])
    assert call("batch", "cancel", ident) == 1


def _input(asked: Callable[..., str], ident: str) -> str:
    found: str = json.loads(asked("batch", "get", ident, "--json"))["input_file_id"]
    return found


def test_a_batch_that_failed_says_why(
    call: Callable[..., int],
    asked: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    requests = tmp_path / "in.jsonl"
    requests.write_text("nonsense\n")
    ident = asked("batch", "create", requests)

    assert call("batch", "get", ident, "--wait") == 1
    assert "failed: line 1: This line" in capsys.readouterr().err
    assert call("batch", "results", ident) == 1
    assert "has no answers: it is failed: line 1" in capsys.readouterr().err


def test_a_batch_is_cancelled(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    requests = tmp_path / "in.jsonl"
    requests.write_text(line("a"))
    with EmbeddedServer(ServerSettings(background_pace=60)) as slow:
        assert main(["batch", "create", str(requests), "--base-url", slow.url]) == 0
        ident = capsys.readouterr().out.strip()
        assert main(["batch", "cancel", ident, "--base-url", slow.url]) == 0
        assert capsys.readouterr().out == "cancelling\n"
        assert main(["batch", "cancel", ident, "--json", "--base-url", slow.url]) == 0
        assert main(["batch", "get", ident, "--base-url", slow.url]) == 0


def test_files_are_listed_fetched_and_deleted(
    call: Callable[..., int],
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    source, target = tmp_path / "a.bin", tmp_path / "b.bin"
    source.write_bytes(BINARY)
    assert call("upload", source, "--purpose=user_data") == 0
    ident = capfdbinary.readouterr().out.decode().strip()
    assert call("upload", source, "--purpose=batch", "--name=c") == 0
    other = capfdbinary.readouterr().out.decode().strip()

    def out(*arguments: object) -> bytes:
        assert call(*arguments) == 0
        sys.stdout.flush()
        return capfdbinary.readouterr().out

    assert (
        out("files", "list") == f"{other}\tc\t768\tbatch\n{ident}\ta.bin\t768\tuser_data\n".encode()
    )
    assert out("files", "list", "--purpose=batch", "--json").startswith(b'{"id":"' + other.encode())
    assert out("files", "list", "--limit=1").startswith(other.encode())
    assert out("files", "get", ident) == f"{ident}\ta.bin\t768\tuser_data\n".encode()
    assert json.loads(out("files", "get", ident, "--json"))["bytes"] == 768
    assert out("files", "content", ident) == BINARY
    assert out("files", "content", ident, "--output", target) == b""
    assert target.read_bytes() == BINARY
    assert out("files", "delete", ident) == f"{ident}\n".encode()
    assert json.loads(out("files", "delete", other, "--json"))["deleted"] is True
    assert call("files", "get", ident) == 1


@pytest.mark.parametrize("command", [["delete"], ["files", "delete"]])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_is_still_there_is_a_failure(
    capsys: pytest.CaptureFixture[str], command: list[str], form: list[str]
) -> None:
    with ScriptedServer([answer(200, {"id": "x_1", "deleted": False})]) as server:
        assert main([*command, "x_1", *form, "--base-url", server.url]) == 1

    out, err = capsys.readouterr()
    assert "x_1" in out + err


@pytest.mark.parametrize("command", [["batch", "list"], ["files", "list"]])
def test_rows_that_cannot_be_read_are_listed_all_the_same(
    capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    page = {"data": [{"odd": 1}], "has_more": False}
    with ScriptedServer([answer(200, page), answer(200, page)]) as server:
        assert main([*command, "--base-url", server.url]) == 0
        assert main([*command, "--json", "--base-url", server.url]) == 0

    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("?\t(unreadable")
    assert json.loads(second) == {"odd": 1}
