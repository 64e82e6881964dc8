"""The commands of the unary endpoints, in this process, against the embedded server."""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import provider
from codex_api.cli import main
from codex_api.testing import EmbeddedServer, ServerSettings
from codex_api.testing.actions import answer
from codex_api.testing.scripted import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HISTORY = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "A heron."}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Ok"}]},
]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def server(files: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(ServerSettings(files_dir=files)) as server:
        yield server


@pytest.fixture
def call(server: EmbeddedServer) -> Callable[..., int]:
    def run(*arguments: object) -> int:
        return main([*map(str, arguments), "--base-url", server.url])

    return run


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(json.dumps(item) for item in HISTORY))
    return path


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("via", ["endpoint", "stream", "auto"])
def test_a_history_is_made_short_and_can_be_gone_on_from(
    call: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    history: Path,
    tmp_path: Path,
    via: str,
) -> None:
    left = tmp_path / "left.jsonl"
    assert call("compact", history, "--via", via, "--output", left) == 0
    out, err = capsys.readouterr()

    assert out.splitlines()[0] == "message\tA heron."
    assert out.splitlines()[1].startswith("compaction\t")
    assert err == "2 items became 2\n"
    assert call("respond", "What do you know?", "--input", left) == 0


def test_a_compacted_history_is_printed_as_one_item_a_line(
    call: Callable[..., int], capsys: pytest.CaptureFixture[str], history: Path
) -> None:
    assert call("compact", history, "--json", "--instructions=Be brief", "--reasoning=low") == 0
    items = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [item["type"] for item in items] == ["message", "compaction"]
    assert items[1]["id"]


def test_traces_are_summarized_each_by_itself(
    call: Callable[..., int], capsys: pytest.CaptureFixture[str], history: Path
) -> None:
    assert call("memories", "summarize", history, history) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{history}\tRemember from")

    assert call("memories", "summarize", history, "--json") == 0
    told = said(capsys)
    assert told["source_path"] == str(history)
    assert told["summary"]["memory_summary"].startswith("Remember")


def test_models_are_listed(call: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert call("models") == 0
    first = capsys.readouterr().out.splitlines()[0].split("\t")
    assert first == ["gpt-5.1-codex", "gpt-5.1-codex", "272,000", "low, medium, high", "list"]

    assert call("models", "--json", "--client-version", "0.142.5") == 0
    told = said(capsys)
    assert told["models"][0]["slug"] == "gpt-5.1-codex"
    assert told["etag"]


def test_a_cached_list_costs_no_second_call(
    call: Callable[..., int],
    server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    for _ in range(2):
        assert call("models", "--cache", tmp_path / "models.json") == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == lines[3:]
    assert len(server.requests) == 1


def test_other_shapes_of_models_are_shown_too(capsys: pytest.CaptureFixture[str]) -> None:
    bad = [{"slug": 3}, {"id": "y", "created": "z"}]
    page = {"data": [{"id": "x\u001b[2J", "owned_by": "me"}, *bad]}
    with ScriptedServer([answer(200, page), answer(200, page)]) as server:
        assert main(["models", "--base-url", server.url]) == 0
        assert main(["models", "--json", "--base-url", server.url]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("x[2J\tme")
    assert lines[1].startswith("?\t(unreadable")
    assert lines[2].split() == ["y"]
    _, unreadable, fitting = json.loads(lines[3])["models"]
    assert unreadable == bad[0]
    assert (fitting["id"], fitting["created"]) == ("y", None)


def test_images_are_drawn_and_changed(
    call: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    drawn, changed = tmp_path / "a.png", tmp_path / "b.png"
    assert call("images", "generate", "a heron", "--size=48x32", "-n", "2", "--output", drawn) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "a-1.png"), str(tmp_path / "a-2.png")]

    code = call(
        "images", "edit", "a boat", "--image", tmp_path / "a-1.png", "--output", changed, "--json"
    )
    assert code == 0
    assert said(capsys)["paths"] == [str(changed)]
    assert struct.unpack(">II", changed.read_bytes()[16:24]) == (48, 32)


def test_an_image_without_a_name_is_called_after_its_time(
    call: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("images", "generate", "a heron", "--size=8x8") == 0

    name = capsys.readouterr().out.strip()
    assert name.startswith("image-")
    assert name in names(tmp_path)


def test_a_search_prints_what_was_found(
    call: Callable[..., int], server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code = call(
        "search",
        "python",
        "--recency=7",
        "--domain=news.example.net",
        "--length=short",
        "--context-size=low",
        "--no-live",
        "--thread-id=t1",
        "--commands",
        '{"time":[{"utc_offset":"+03:00"}]}',
    )
    assert code == 0
    assert "python" in capsys.readouterr().out
    assert server.requests[-1].json() == {
        "id": "t1",
        "model": "gpt-5.1-codex",
        "commands": {
            "search_query": [{"q": "python", "recency": 7, "domains": ["news.example.net"]}],
            "time": [{"utc_offset": "+03:00"}],
            "response_length": "short",
        },
        "settings": {"search_context_size": "low", "external_web_access": False},
    }

    assert call("search", "heron", "--images", "--json") == 0
    assert "output" in said(capsys)
    assert server.requests[-1].json()["commands"] == {"image_query": [{"q": "heron"}]}


def test_a_file_is_uploaded(
    call: Callable[..., int], capsys: pytest.CaptureFixture[str], history: Path, files: Path
) -> None:
    assert call("upload", history) == 0
    out, err = capsys.readouterr()
    assert out.startswith("sediment://file_")
    assert err == ""

    assert call("upload", history, "--name=other.txt", "--json") == 0
    told = said(capsys)
    assert (told["file_name"], told["mime_type"]) == ("other.txt", "text/plain")
    assert (files / told["file_id"]).read_bytes() == history.read_bytes()


def test_a_file_goes_to_the_public_store_for_a_purpose(
    capsys: pytest.CaptureFixture[str], history: Path
) -> None:
    stored = {"id": "file-1", "filename": "h", "bytes": 1, "purpose": "vision"}
    with ScriptedServer([answer(200, stored)]) as server:
        assert main(["upload", str(history), "--purpose=vision", "--base-url", server.url]) == 0

    assert capsys.readouterr().out == "file-1\n"


def test_on_the_public_api_a_file_goes_to_its_store(
    capsys: pytest.CaptureFixture[str], history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = {"id": "file-1", "filename": "h", "bytes": 1, "purpose": "user_data"}
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    with ScriptedServer([answer(200, stored)]) as server:
        monkeypatch.setattr(provider, "OPENAI_BASE_URL", server.url)
        assert main(["upload", str(history), "--provider=openai"]) == 0

    assert capsys.readouterr().out == "file-1\n"
    assert b'name="purpose"\r\n\r\nuser_data\r\n' in server.requests[0].body


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["compact", "nowhere.jsonl"], "HISTORY nowhere.jsonl: No such file"),
        (["compact", "{empty}"], "`input`"),
        (["compact", "{history}", "--via=pigeon"], "pigeon"),
        (
            ["compact", "{history}", "--output=/no/where"],
            "--output /no/where: expected",
        ),
        (["memories", "summarize"], "`raw_memories`"),
        (["memories", "summarize", "nowhere"], "TRACES nowhere: No such file"),
        (["models", "--client-version="], "`client_version`"),
        (["images", "generate", " "], "`prompt`"),
        (["images", "generate", "x", "-n", "0"], "`n`"),
        (["images", "generate", "x", "--quality=best"], "best"),
        (["images", "generate", "x", "--output=/no/where.png"], "--output /no/where.png"),
        (["images", "edit", "x", "--image=nowhere.png"], "nowhere.png"),
        (["images", "edit", "x", "--image={history}"], "PNG, JPEG, WebP or GIF"),
        (["search"], "nothing to search for"),
        (["search", "--commands={"], "--commands: "),
        (["search", "--commands", '{"sports":[{"fn":"x","league":"nba"}]}'], "fn"),
        (["search", "x", "--recency=-1"], "recency"),
        (["search", "--commands", '{"time":[],"wether":[]}'], "no command 'wether'"),
        (["upload", "nowhere.bin"], "nowhere.bin"),
        (["upload", "{history}", "--purpose="], "`purpose`"),
        (["upload", "/"], "is a directory"),
    ],
)
def test_bad_input_is_one_line_and_the_code_of_wrong_usage(
    call: Callable[..., int],
    server: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
    history: Path,
    tmp_path: Path,
    arguments: list[str],
    told: str,
) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    places = {"{history}": str(history), "{empty}": str(empty)}
    for place, path in places.items():
        arguments = [argument.replace(place, path) for argument in arguments]

    assert call(*arguments) == 2
    out, err = capsys.readouterr()

    assert out == ""
    assert told in err
    assert err.count("\n") == 1
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, "<html>Sign in</html>", 1),
        (401, "no", 3),
        (429, "slow", 4),
        (400, {"error": {"message": "bad"}}, 2),
    ],
)
@pytest.mark.parametrize(
    "arguments",
    [["models"], ["search", "x"], ["images", "generate", "x"], ["upload", "{history}"]],
    ids=lambda arguments: arguments[0],
)
def test_a_refusal_is_one_line_and_has_its_code(
    capsys: pytest.CaptureFixture[str],
    history: Path,
    arguments: list[str],
    status: int,
    body: Any,
    code: int,
) -> None:
    given = [argument.replace("{history}", str(history)) for argument in arguments]
    with ScriptedServer([answer(status, body)]) as server:
        assert main([*given, "--base-url", server.url]) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("codex-api: ")
    assert err.count("\n") == 1


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_an_upload_shows_how_far_it_is_and_a_list_is_a_table(
    call: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    path = tmp_path / "big.bin"
    path.write_bytes(b"x" * 3_000_000)
    screen, answers = Screen(), Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("sys.stdout", answers)

    assert call("upload", path) == 0
    assert call("models") == 0

    assert "big.bin" in screen.getvalue()
    assert "2.9/2.9 MiB" in screen.getvalue()
    lines = answers.getvalue().splitlines()
    assert lines[0].startswith("sediment://")
    assert [word in lines[1] for word in ("model", "context", "visibility")] == [True] * 3
    assert len(lines) == 5


def test_an_item_of_another_kind_and_a_summary_that_cannot_be_read_are_shown(
    capsys: pytest.CaptureFixture[str], history: Path
) -> None:
    left = {"output": [{"type": "context_compaction"}, {"type": "compaction"}]}
    with ScriptedServer([answer(200, left), answer(200, {"output": [5]})]) as server:
        where = ["--base-url", server.url]
        assert main(["compact", str(history), "--via=endpoint", *where]) == 0
        assert main(["memories", "summarize", str(history), *where]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines[:2]] == ["context_compaction", "compaction"]
    assert lines[2].endswith("(unreadable; see --json)")


def test_an_item_that_a_server_laid_out_is_printed_on_one_line(
    capsys: pytest.CaptureFixture[str], history: Path, tmp_path: Path
) -> None:
    body = b'{"output":[{\n "type": "new",\n "x": 1.50}]}'
    target = tmp_path / "left.jsonl"
    with ScriptedServer([answer(200, body)]) as server:
        where = ["--base-url", server.url, "--output", str(target)]
        assert main(["compact", str(history), "--via=endpoint", "--json", *where]) == 0

    assert capsys.readouterr().out == target.read_text() == '{"type":"new","x":1.50}\n'


def test_a_missing_summary_is_told(capsys: pytest.CaptureFixture[str], history: Path) -> None:
    with ScriptedServer([answer(200, {"output": []})]) as server:
        assert main(["memories", "summarize", str(history), "--base-url", server.url]) == 0

    assert "1 files were sent, and 0 summaries came back" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_line(
    call: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    history: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("codex_api.cli.compact.write_atomically", refuse)
    monkeypatch.setattr("codex_api.types.images.write_atomically", refuse)
    target = tmp_path / "out"

    assert call("compact", history, "--output", target) == 2
    assert call("images", "generate", "x", "--size=8x8", "--output", target) == 2
    err = capsys.readouterr().err
    assert err == f"codex-api: --output {target}: No space left on device\n" * 2
