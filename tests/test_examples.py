"""Each program of `examples` runs, against the embedded server and as a newcomer starts it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from codex_api import Client, Provider, ResponsesApiRequest
from codex_api.testing import EmbeddedServer, ServerSettings, faults, scenarios
from codex_api.testing.gate import Gate
from codex_api.voice.audio import Pcm16Audio, write_wav

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
PROGRAMS = sorted(path.name for path in EXAMPLES.glob("*.py"))
FEWEST_LINES, MOST_LINES = 20, 80
SECRET = "whsec_" + base64.b64encode(b"a secret of this test").decode()


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


def environment(server: EmbeddedServer) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OPENAI_", "CODEX_", "PYTEST_", "COV_"))
    }
    return kept | {
        "OPENAI_BASE_URL": server.url,
        "OPENAI_API_KEY": "unused",
        "OPENAI_WEBHOOK_SECRET": SECRET,
        "XDG_CONFIG_HOME": "/nonexistent",
    }


def run(
    server: EmbeddedServer, folder: Path, name: str, *arguments: str, stdin: str = "", code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        cwd=folder,
        env=environment(server),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def test_the_readme_lists_every_program() -> None:
    listed = re.findall(r"^\| \[(\w+\.py)\]", (EXAMPLES / "README.md").read_text(), re.MULTILINE)

    assert sorted(listed) == PROGRAMS
    assert len(PROGRAMS) == 10


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_short_and_says_what_it_does(name: str) -> None:
    text = (EXAMPLES / name).read_text()

    assert FEWEST_LINES <= len(text.splitlines()) <= MOST_LINES
    assert text.startswith('"""')
    assert name.removesuffix(".py") in text.split('"""')[1]


def test_streaming_chat_remembers_and_survives_a_failure(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    server.play(scenarios.normal(), scenarios.faulty(faults.cut(after=3)))

    done = run(server, tmp_path, "streaming_chat.py", stdin="I am Ada.\nWho?\nWho am I?\n")

    first, *_, last = [line for line in done.stdout.splitlines() if "You said" in line]
    assert first.startswith('You said: "I am Ada."')
    assert 'Before that you said: "I am Ada."' in last
    assert "tokens in" in done.stdout
    assert done.stderr.count("try again") == 1


def test_the_agent_calls_tools_until_it_is_done(server: EmbeddedServer, tmp_path: Path) -> None:
    done = run(server, tmp_path, "agent_with_tools.py", "Call weather with city=Oslo.")
    wrong = run(server, tmp_path, "agent_with_tools.py", "Call weather with days=many.")

    assert "Oslo: 12 degrees in 1 days" in done.stdout
    assert 'weather({"city":' in done.stderr.replace('": "', '":"').replace("{ ", "{")
    assert [len(request.json()["input"]) for request in server.requests[:2]] == [1, 3]
    assert "Error" in wrong.stderr


def test_structured_output_is_a_value(server: EmbeddedServer, tmp_path: Path) -> None:
    done = run(server, tmp_path, "structured_output.py", "place=London")
    refused = run(server, tmp_path, "structured_output.py", "refuse", code=1)

    assert done.stdout.startswith("London\n")
    assert "no meeting: " in refused.stderr


@contextmanager
def started(
    server: EmbeddedServer, folder: Path, arguments: list[str]
) -> Iterator[subprocess.Popen[str]]:
    """Run a program that stays, and end it."""
    process = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(server) | {"PYTHONPATH": str(EXAMPLES), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read(process: subprocess.Popen[str], length: int) -> str:
    assert process.stdout is not None
    text = process.stdout.read(length)
    assert text, "the program ended"
    return text


def next_line(process: subprocess.Popen[str], wanted: str = "") -> str:
    """Return the next line that has ``wanted`` in it."""
    assert process.stdout is not None
    passed: list[str] = []
    for line in process.stdout:
        passed.append(line)
        if wanted in line:
            return line
    raise AssertionError("".join(passed))


def test_the_gateway_passes_streams_on_and_stops_them(tmp_path: Path) -> None:
    with EmbeddedServer() as server:
        command = ["-m", "uvicorn", "--port", "0", "--no-access-log", "gateway:app"]
        with started(server, tmp_path, command) as process:
            url = re.search(r"http://[\d.:]+", next_line(process, "running on"))
            assert url is not None
            with httpx2.Client(base_url=url[0], headers={"x-caller": "ada"}) as client:
                body = {"model": "m", "input": "hi", "stream": True}
                whole = client.post("/v1/responses", json=body)
                assert next_line(process).startswith("ada completed TokenUsage(")

                server.play(scenarios.faulty(faults.hold(Gate(), after=2)))
                with client.stream("POST", "/v1/responses", json=body) as left:
                    next(left.iter_raw())
                # The client has gone away, and with it the stream to the server behind.
                server.wait_for_disconnect()
                assert next_line(process) == "ada left\n"

                server.play(scenarios.http_error(400, message="no", code="bad"))
                refused = client.post("/v1/responses", json=body)
                nonsense = client.post("/v1/responses", content=b"{")

        assert whole.text.startswith("event: response.created\n")
        assert "response.completed" in whole.text
        assert (refused.status_code, nonsense.status_code) == (400, 422)


def test_the_evaluation_tells_right_wrong_and_failed(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    rows = [
        {"question": "Say Paris.", "answer": "paris"},
        {"question": "Say Rome.", "answer": "Oslo"},
    ]
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    done = run(server, tmp_path, "evaluation.py", str(path), code=1)
    server.play(*[scenarios.http_error(400, message="no", code="bad")] * 2)
    failed = run(server, tmp_path, "evaluation.py", str(path), code=1)

    assert "right    Say Paris.\nWRONG    Say Rome.\n1 of 2 right, 0 failed" in done.stdout
    assert "0 of 0 right, 2 failed" in failed.stdout


def test_voice_asks_and_keeps_the_answer(server: EmbeddedServer, tmp_path: Path) -> None:
    write_wav(tmp_path / "question.wav", Pcm16Audio(bytes(9_600)))

    done = run(server, tmp_path, "voice.py", "question.wav", "answer.wav")

    assert done.stdout.strip()
    assert (tmp_path / "answer.wav").stat().st_size > 44


def test_images_are_drawn_and_changed(server: EmbeddedServer, tmp_path: Path) -> None:
    done = run(server, tmp_path, "images.py", "a square", "make it blue", "out.png")

    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["out-first.png", "out.png"]
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_background_job_goes_on_in_another_run(tmp_path: Path) -> None:
    with EmbeddedServer(ServerSettings(background_pace=0.05)) as server:
        program = str(EXAMPLES / "background_job.py")
        with started(server, tmp_path, [program, "job.json", "Count to 40."]) as process:
            said = ""
            while "5" not in said:
                said += read(process, 1)
        done = run(server, tmp_path, "background_job.py", "job.json")

        rest, last = done.stdout.rsplit("\n", 2)[:2]
        # What was printed just before the first run was killed may be printed again.
        numbers = [int(each) for each in re.findall(r"\d+", f"{said} {rest}")]
        assert sorted({number for number in numbers if number <= 40}) == list(range(1, 41))
        assert int(re.findall(r"\d+", rest)[0]) > 1
        assert last.startswith("completed: TokenUsage(")
        assert len([each for each in server.requests if each.method == "POST"]) == 1
        assert not (tmp_path / "job.json").exists()


def signed(body: bytes, identity: str, secret: bytes = b"a secret of this test") -> dict[str, str]:
    at = str(int(time.time()))
    digest = hmac.digest(secret, b".".join((identity.encode(), at.encode(), body)), hashlib.sha256)
    return {
        "webhook-id": identity,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def test_the_receiver_checks_who_calls_and_handles_an_event_once(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    with Client(Provider(name="test", base_url=server.url)) as client:
        made = client.responses.create(ResponsesApiRequest.public(model="m", input="say hi"))
    data = {"type": "response.completed", "id": "evt_1", "data": {"id": made.id}}
    body = json.dumps({"object": "event", "created_at": 1, **data}).encode()
    other = json.dumps({"object": "event", "created_at": 1, "type": "x.y", "id": "evt_2"}).encode()

    command = [str(EXAMPLES / "webhook_receiver.py"), "0"]
    with started(server, tmp_path, command) as process:
        url = f"http://127.0.0.1:{next_line(process, 'listening').split()[-1]}"
        good = [httpx2.post(url, content=body, headers=signed(body, "evt_1")) for _ in range(2)]
        httpx2.post(url, content=other, headers=signed(other, "evt_2"))
        bad = httpx2.post(url, content=body, headers=signed(body, "evt_1", b"guessed"))
        empty = httpx2.post(url)
        told = [next_line(process) for _ in range(3)]

    assert [answer.status_code for answer in good] == [204, 204]
    assert (bad.status_code, empty.status_code) == (400, 413)
    assert told[0].startswith(f'{made.id} You said: "say hi".')
    assert told[1] == "not for us: x.y\n"
    assert told[2].startswith("refused: ")


def test_bulk_goes_on_where_it_ended(server: EmbeddedServer, tmp_path: Path) -> None:
    (tmp_path / "questions.txt").write_text("".join(f"say {n}\n" for n in range(12)))

    done = run(server, tmp_path, "bulk.py", "questions.txt", "answers.jsonl")
    asked = len(server.requests)
    again = run(server, tmp_path, "bulk.py", "questions.txt", "answers.jsonl")

    assert sorted(line.split()[0] for line in done.stdout.splitlines()) == sorted(
        f"line-{n}" for n in range(1, 13)
    )
    assert (asked, len(server.requests)) == (12, 12)
    assert again.stdout == ""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_project_of_its_own_tests_itself_as_recorded_and_records_again(tmp_path: Path) -> None:
    project = tmp_path / "tested_agent"
    shutil.copytree(EXAMPLES / "tested_agent", project)
    (recorded,) = project.rglob("cassettes/**/*.jsonl")
    before = recorded.read_bytes()
    flags = ["-q", "-p", "no:cacheprovider", "-p", "codex_api.testing.pytest_plugin"]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "CODEX_"))}
    kept |= {
        "PYTHONPATH": str(project / "src"),
        "XDG_CONFIG_HOME": "/nonexistent",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # the plugins of this project cost seconds
    }

    def tests(*options: str) -> str:
        done = subprocess.run(  # noqa: S603 - this interpreter
            [sys.executable, "-m", "pytest", *flags, *options],
            cwd=project,
            env=kept,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    assert "3 passed" in tests()
    assert recorded.read_bytes() == before
    assert "3 passed" in tests("--codex-cassette=all")
    assert recorded.read_bytes() != before
