from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from codex_api.cli.realtime import realtime_app
from codex_api.errors import ApiError
from codex_api.testing.actions import AcceptWebSocket, Action, ReadMessage, SendClose, SendMessage
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.sound import frequency_hz, level_dbfs, loudest_part, silence, tone
from codex_api.transport.errors import RequestBuildError
from codex_api.voice.audio import Pcm16Audio, read_wav, write_wav

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: object) -> None:
    tokens = [str(argument) for argument in arguments]
    realtime_app(
        [*tokens, "--provider", "embedded"], exit_on_error=False, result_action="return_value"
    )


@pytest.fixture
def question(tmp_path: Path) -> Path:
    path = tmp_path / "question.wav"
    write_wav(path, Pcm16Audio(tone(440, 0.4) + silence(0.6) + tone(880, 0.4)))
    return path


def test_listen_prints_what_is_heard(question: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("listen", question, "--quiet", 0.3)

    assert capsys.readouterr().out == (
        "you: a tone of 440 hertz for 0.4 seconds\nyou: a tone of 880 hertz for 0.4 seconds\n"
    )


def test_listen_can_print_events(question: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("listen", question, "--quiet", 0.3, "--json")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["event"] == "RealtimeOtherEvent"
    assert lines[0]["raw"]["type"] == "session.created"
    heard = [line for line in lines if line["event"] == "InputTranscriptDelta"]
    assert heard[0]["delta"] == "a"


def test_say_prints_the_answer_and_keeps_its_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("say", "hello there", "--quiet", 0.3, "--output", tmp_path / "answer.wav")

    recorded = read_wav(tmp_path / "answer.wav")
    assert capsys.readouterr().out == "model: You said: hello there\n"
    assert frequency_hz(recorded.pcm16) == pytest.approx(660, abs=5)


def test_sound_that_cannot_be_read_costs_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[dict[str, object]] = [
        {"type": "response.output_audio.delta", "delta": "no sound!"},
        {"type": "response.output_audio.delta", "delta": "AQA="},
        {"type": "response.output_audio_transcript.done", "transcript": "hi"},
        {"type": "response.done", "response": {"status": "completed"}},
    ]
    taken = SendMessage({"type": "session.updated", "session": {"id": "s"}})
    script: list[Action] = [AcceptWebSocket(), ReadMessage(), taken, *[ReadMessage()] * 2]
    script += [*(SendMessage(event) for event in events), SendClose()]
    with ScriptedServer(connections=[script]) as server, pytest.raises(ApiError, match="sound"):
        realtime_app(
            ["say", "hi", "--output", str(tmp_path / "answer.wav"), "--base-url", server.url],
            exit_on_error=False,
            result_action="return_value",
        )

    assert read_wav(tmp_path / "answer.wav").pcm16 == b"\1\0"
    assert capsys.readouterr().out.endswith("model: hi\n")


def test_call_speaks_listens_and_answers_a_handoff(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ice = pytest.importorskip("aioice.ice")
    pytest.importorskip("aiortc")
    monkeypatch.setattr(ice, "get_host_addresses", lambda *_, **__: ["127.0.0.1"])
    write_wav(tmp_path / "high.wav", Pcm16Audio(tone(2000, 0.4)))

    run(
        *("call", tmp_path / "high.wav", "--quiet", 1, "--agent", "it is fixed"),
        *("--output", tmp_path / "answer.wav"),
    )

    you, handoff, model = capsys.readouterr().out.splitlines()
    sound = loudest_part(read_wav(tmp_path / "answer.wav").pcm16, 0.3)
    assert you == "you: a tone of 2000 hertz for 0.4 seconds"
    assert handoff.startswith("[handoff ")
    assert model == "model: The agent says: it is fixed"
    assert level_dbfs(sound) == pytest.approx(-12, abs=1)
    assert frequency_hz(sound) == pytest.approx(660, abs=5)


def test_each_command_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    realtime_app(["--help"], exit_on_error=False, result_action="return_value")

    shown = capsys.readouterr().out
    for words in ("Call the model", "Print what is said", "Say something", "Serve a page"):
        assert words in shown


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestBuildError, match=r"cannot read .*none\.wav: No such file"):
        run("listen", tmp_path / "none.wav")


def test_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestBuildError, match=r"cannot write .*answer\.wav"):
        run("say", "hi", "--output", tmp_path / "no" / "answer.wav")


def test_voice_of_another_version_is_refused() -> None:
    with pytest.raises(RequestBuildError, match="no voice"):
        run("say", "hi", "--version", "v1", "--voice", "marin")
