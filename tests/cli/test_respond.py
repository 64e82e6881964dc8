"""The command as a whole, in this process, against the embedded server."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from codex_api.cli import main
from codex_api.testing import EmbeddedServer, Gate, faults, scenarios

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def respond(server: EmbeddedServer) -> Callable[..., int]:
    def call(*arguments: object) -> int:
        return main(["respond", *map(str, arguments), "--base-url", server.url])

    return call


def sent(server: EmbeddedServer) -> Any:
    return server.requests[-1].json()


def test_the_answer_goes_to_the_output_and_the_rest_to_the_error_output(
    respond: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    code = respond("Say hello")
    out, err = capsys.readouterr()

    assert (code, out) == (0, 'You said: "Say hello". I read 1 item.\n')
    assert err.startswith("tokens: 2 in (0 cached), ")
    assert "\nlimits: " in err


def test_the_embedded_provider_needs_neither_key_nor_server(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["respond", "hi", "--provider", "embedded"]) == 0
    assert capsys.readouterr().out.startswith('You said: "hi".')


def test_options_reach_the_request(
    respond: Callable[..., int], server: EmbeddedServer, tmp_path: Path
) -> None:
    image, schema = tmp_path / "image", tmp_path / "schema.json"
    image.write_bytes(PNG)
    schema.write_text(SCHEMA)
    code = respond(
        "n=7",
        "--model=gpt-x",
        "--instructions=Be brief.",
        f"--image={image}",
        "--image=https://example.com/a.png",
        "--reasoning=high",
        "--verbosity=low",
        f"--output-schema={schema}",
        "--session-id=s1",
        "--header=x-extra: 1",
    )
    body, headers = sent(server), dict(server.requests[-1].headers)

    assert code == 0
    assert body["model"] == "gpt-x"
    assert body["instructions"] == "Be brief."
    text, first, second = body["input"][0]["content"]
    assert text == {"type": "input_text", "text": "n=7"}
    assert first["image_url"].startswith("data:image/png;base64,")
    assert second["image_url"] == "https://example.com/a.png"
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content"]
    assert body["text"]["verbosity"] == "low"
    assert body["text"]["format"]["schema"] == json.loads(schema.read_text())
    assert headers["session-id"] == headers["thread-id"] == "s1"
    assert headers["x-extra"] == "1"


def test_a_structured_answer_is_json(
    respond: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(SCHEMA)
    respond("n=7", "--output-schema", schema)

    assert json.loads(capsys.readouterr().out) == {"n": 7}


def test_a_history_comes_before_the_prompt_as_it_is(
    respond: Callable[..., int], server: EmbeddedServer, tmp_path: Path
) -> None:
    history = tmp_path / "history.jsonl"
    items = [
        {"type": "message", "role": "user", "content": "I am Ada"},
        {"role": "user", "content": "x"},
    ]
    history.write_text("\n".join(map(json.dumps, items)))
    code = respond("And now?", "--input", history)

    assert code == 0
    assert sent(server)["input"][:2] == items
    assert sent(server)["input"][2]["content"][0]["text"] == "And now?"


def test_a_history_can_stand_for_the_prompt(
    respond: Callable[..., int], server: EmbeddedServer, tmp_path: Path
) -> None:
    history = tmp_path / "history.json"
    history.write_text('[{"role": "user", "content": "hi"}]')

    assert respond("--input", history) == 0
    assert len(sent(server)["input"]) == 1


def test_a_dash_reads_the_prompt_from_the_input(
    respond: Callable[..., int], server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("from a pipe\n"))

    assert respond("-") == 0
    assert sent(server)["input"][0]["content"][0]["text"] == "from a pipe\n"


def test_json_is_one_event_a_line_and_nothing_else(
    respond: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    code = respond("hi", "--json", "--reasoning", "low")
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    kinds = [line["type"] for line in lines]

    assert (code, err) == (0, "")
    assert kinds[-1] == "response.completed"
    assert {"codex.rate_limits", "response.created", "response.in_progress"} < set(kinds)
    text = [line["delta"] for line in lines if line["type"] == "response.output_text.delta"]
    assert "".join(text) == 'You said: "hi". I read 1 item.'


def test_text_is_shown_while_the_rest_is_held_back(
    server: EmbeddedServer, respond: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()

    class Watched(io.StringIO):
        early = ""

        def write(self, text: str) -> int:
            if not gate.is_set():
                self.early += text
                gate.set()
            return super().write(text)

    out = Watched()
    monkeypatch.setattr(sys, "stdout", out)
    # created, in_progress, item and part added, then the first delta
    server.play(scenarios.faulty(faults.hold(gate, after=5)))

    assert respond("hi") == 0
    assert out.early == "You"
    assert out.getvalue() == 'You said: "hi". I read 1 item.\n'


@pytest.mark.parametrize(
    ("scenario", "code", "text"),
    [
        (scenarios.http_error(401, "No such key."), 3, "No such key."),
        (scenarios.usage_limit_reached(), 4, "usage limit"),
        (scenarios.rate_limited(None), 4, "Rate limit"),
        (scenarios.http_error(400, "Bad model.", kind="invalid_request_error"), 2, "Bad model."),
        (scenarios.faulty(faults.cut(after=6)), 5, "before"),
        (scenarios.faulty(faults.failed("insufficient_quota")), 4, "quota"),
        (scenarios.faulty(faults.incomplete()), 1, "max_output_tokens"),
        (scenarios.html_page(), 1, "text/html"),
    ],
)
def test_a_failure_has_its_code_and_says_why(
    server: EmbeddedServer,
    respond: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    scenario: scenarios.Scenario,
    code: int,
    text: str,
) -> None:
    server.play(scenario)

    assert respond("hi") == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("codex-api: ")
    assert text in last


def test_limits_are_told_with_a_failure(
    server: EmbeddedServer, respond: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    server.play(scenarios.usage_limit_reached())
    respond("hi")

    assert "limits: 100 % of 5 h used" in capsys.readouterr().err


def test_a_failure_ends_the_lines_of_json_too(
    server: EmbeddedServer, respond: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    server.play(scenarios.faulty(faults.failed("insufficient_quota")))
    code = respond("hi", "--json")
    out, err = capsys.readouterr()
    last = json.loads(out.splitlines()[-1])

    assert code == 4
    assert err.startswith("codex-api: ")
    assert err.count("\n") == 1
    assert (last["type"], last["error"]["name"]) == ("error", "QuotaExceededError")


def test_what_came_before_a_failure_is_shown_and_its_line_ended(
    server: EmbeddedServer, respond: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    server.play(scenarios.faulty(faults.cut(after=6)))
    respond("hi")

    assert capsys.readouterr().out == "You said:\n"


def test_the_limit_on_time_ends_a_stalled_answer(
    server: EmbeddedServer, respond: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    server.play(scenarios.faulty(faults.stall(after=5)))

    assert respond("hi", "--timeout", "0.3") == 5
    assert "longer than 0.3 s" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([""], "nothing to ask"),
        (["  "], "nothing to ask"),
        ([], "nothing to ask"),
        (["a", "b"], "b"),
        (["a", "--nonsense"], "--nonsense"),
        (["a", "--verbosity", "huge"], "huge"),
        (["a", "--timeout", "soon"], "soon"),
        (["a", "--timeout", "-1"], "--timeout"),
        (["a", "--reasoning", ""], "effort"),
        (["a", "--header", "nonsense"], "--header"),
        (["a", "--image", "/nonexistent.png"], "/nonexistent.png"),
        (["a", "--input", "/nonexistent.json"], "/nonexistent.json"),
        (["a", "--output-schema", "/nonexistent.json"], "/nonexistent.json"),
        (["a\udcff"], "UTF-8"),
    ],
)
def test_wrong_usage_is_one_line_and_no_request(
    server: EmbeddedServer,
    respond: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    text: str,
) -> None:
    before = len(server.requests)

    assert respond(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("codex-api: ")
    assert text in err
    assert len(server.requests) == before


def test_a_server_that_is_not_there_is_a_network_failure(
    capsys: pytest.CaptureFixture[str], unused_port: int
) -> None:
    code = main(
        ["respond", "hi", "--base-url", f"http://127.0.0.1:{unused_port}", "--timeout", "1"]
    )

    assert code == 5
    assert capsys.readouterr().err.startswith("codex-api: ")


@pytest.fixture
def unused_port() -> int:
    import socket  # noqa: PLC0415 - only here

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
