"""What surrounds the commands: help, exit codes, signals, pipes."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from codex_api import __version__
from codex_api.cli import main
from codex_api.testing.actions import Hang, Send, stream
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, sse_event, sse_head
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

MODULE = [sys.executable, "-m", "codex_api"]
PROGRAM = [os.path.join(os.path.dirname(sys.executable), "codex-api")]  # noqa: PTH118, PTH120
DELTA = {"type": "response.output_text.delta", "delta": "Hi"}
STALLED = [Send(sse_head()), Send(chunk(sse_event(DELTA))), Hang()]


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))


def started(command: list[str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)  # noqa: S603 - our own


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "respond" in capsys.readouterr().out


def test_no_arguments_are_a_wish_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "respond" in capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_a_person_without_a_key_is_told_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["respond", "hi"]) == 3
    err = capsys.readouterr().err
    assert "OPENAI_API_KEY" in err
    assert "embedded" in err


def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "codex_api.cli.app", raising=False)
    monkeypatch.setitem(sys.modules, "cyclopts", None)

    assert main(["respond", "hi"]) == 2
    assert "codex-api[cli]" in capsys.readouterr().err


@pytest.mark.parametrize("program", [MODULE, PROGRAM], ids=["module", "script"])
def test_both_ways_to_start_it_are_the_same(program: list[str]) -> None:
    with started([*program, "--version"]) as run:
        out, err = run.communicate(timeout=10)

    assert (run.returncode, out, err) == (0, f"{__version__}\n", "")


def test_an_interrupt_closes_the_connection_and_says_so_once() -> None:
    with ScriptedServer([STALLED]) as server:
        command = [*MODULE, "respond", "hi", "--base-url", server.url]
        with started(command) as program:
            assert program.stdout is not None
            assert program.stderr is not None
            assert program.stdout.read(2) == "Hi"
            program.send_signal(signal.SIGINT)
            server.wait_for_disconnect()
            rest, err = program.communicate(timeout=10)

    assert (program.returncode, rest, err) == (130, "\n", "interrupted\n")


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    command = [*MODULE, "respond", "count to 20000", "--provider", "embedded"]
    with started(command) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.read(3) == "1 2"
        program.stdout.close()
        err = program.stderr.read()
        program.wait(timeout=10)

    assert (program.returncode, err) == (0, "")


def test_a_locale_that_knows_few_characters_costs_none_of_the_json(tmp_path: Path) -> None:
    file = tmp_path / "\u00fcn\u00ef.txt"
    file.write_bytes(b"x")
    command = [*PROGRAM, "upload", str(file), "--json", "--provider=embedded"]
    narrow = {**os.environ, "PYTHONIOENCODING": "ascii"}

    done = subprocess.run(command, env=narrow, check=True, capture_output=True)  # noqa: S603 - our own

    assert json.loads(done.stdout)["file_name"] == file.name


COMMANDS = [
    ["models", "--provider=embedded", "--json"],
    ["respond", "hi", "--provider=embedded"],
    ["--help"],
    ["--version"],
]


def buffered() -> dict[str, str]:
    """Return an environment in which Python holds output back, as it does for most people."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")  # noqa: PTH110 - no path of ours
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("environment", [buffered(), {**os.environ, "PYTHONUNBUFFERED": "1"}])
def test_a_full_disk_is_one_line(command: list[str], environment: dict[str, str]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - as above
        done = subprocess.run(  # noqa: S603 - our own
            [*PROGRAM, *command],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    complaints = [line for line in done.stderr.splitlines() if line.startswith("codex-api: ")]
    assert done.returncode == 1
    assert complaints == ["codex-api: [Errno 28] No space left on device"]
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("environment", [buffered(), {**os.environ, "PYTHONUNBUFFERED": "1"}])
def test_a_closed_pipe_ends_a_command_without_a_word(
    command: list[str], environment: dict[str, str]
) -> None:
    theirs, ours = os.pipe()
    os.close(theirs)
    with os.fdopen(ours, "wb") as pipe:
        done = subprocess.run(  # noqa: S603 - our own
            [*PROGRAM, *command],
            check=False,
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    assert done.returncode == 0
    assert "Broken pipe" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_command_without_standard_output_works() -> None:
    command = " ".join([*PROGRAM, "models", "--provider=embedded", ">&-"])

    done = subprocess.run(  # noqa: S602 - a shell closes the stream
        command, shell=True, check=False, capture_output=True, text=True, env=buffered()
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_nobody_who_reads_the_complaints_changes_no_exit_code() -> None:
    theirs, ours = os.pipe()
    os.close(theirs)
    with os.fdopen(ours, "wb") as pipe:
        done = subprocess.run([*PROGRAM, "nonsense"], check=False, stderr=pipe, env=buffered())  # noqa: S603 - our own

    assert done.returncode == 2


def test_an_interrupt_before_the_first_command_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "codex_api.cli.app", raising=False)
    monkeypatch.setattr("builtins.__import__", interrupted)

    code = main(["--version"])
    monkeypatch.undo()

    assert (code, capsys.readouterr().err) == (130, "interrupted\n")


def test_a_terminal_gets_the_answer_rendered_and_every_line_once() -> None:
    text = "# Rivers\n\n" + "".join(f"- river *{n}*\n" for n in range(40)) + "\nThat is **all**."
    deltas = [
        {"type": "response.output_text.delta", "delta": text[start : start + 9]}
        for start in range(0, len(text), 9)
    ]
    completed = {"type": "response.completed", "response": {"id": "r1"}}
    with ScriptedServer([stream([*deltas, completed])]) as server:
        terminal = Terminal(columns=40, rows=10)
        code = run_on(terminal, [*MODULE, "respond", "hi", "--base-url", server.url])

    lines = [line.strip() for line in terminal.lines if line.strip()]
    assert code == 0
    assert lines == ["Rivers", *(f"• river {n}" for n in range(40)), "That is all."]


def run_on(terminal: Terminal, command: list[str]) -> int:
    """Run a program on a terminal of that size."""
    ours, theirs = os.openpty()
    fcntl.ioctl(
        theirs, termios.TIOCSWINSZ, struct.pack("HHHH", terminal.rows, terminal.columns, 0, 0)
    )
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        environment.pop(name, None)
    with subprocess.Popen(  # noqa: S603 - our own
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as program:
        os.close(theirs)
        decoder = codecs.getincrementaldecoder("utf-8")()
        received = ""
        with suppress(OSError):  # the end of a terminal, on Linux
            while data := os.read(ours, 4096):
                received += decoder.decode(data)
        os.close(ours)
        program.wait(timeout=10)
    terminal.write(received)
    return program.returncode
