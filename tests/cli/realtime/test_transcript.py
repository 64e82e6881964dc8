from __future__ import annotations

import io
import json

import msgspec
import pytest

from codex_api.cli.realtime.transcript import event_json, printer_for, printing
from codex_api.errors import ApiError
from codex_api.types.realtime import RealtimeAudioFrame, TranscriptEntry
from codex_api.types.realtime_events import (
    AudioOut,
    HandoffRequested,
    InputTranscriptDelta,
    InputTranscriptDone,
    OutputTranscriptDelta,
    OutputTranscriptDone,
    RealtimeErrorEvent,
    RealtimeEvent,
    RealtimeOtherEvent,
    Reconnected,
    ResponseDone,
)


def shown(*events: RealtimeEvent) -> str:
    out = io.StringIO()
    printer = printer_for(out, json_lines=False)
    for event in events:
        printer.show(event)
    printer.close()
    return out.getvalue()


def test_each_turn_is_a_line() -> None:
    assert (
        shown(
            InputTranscriptDelta("he"),
            InputTranscriptDelta("llo"),
            InputTranscriptDone("hello"),
            OutputTranscriptDelta("hi"),
        )
        == "you: hello\nmodel: hi\n"
    )


def test_text_without_deltas_is_shown_once() -> None:
    assert shown(InputTranscriptDone("hello"), OutputTranscriptDone("hi")) == (
        "you: hello\nmodel: hi\n"
    )


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (ResponseDone(outcome="failed", message="no quota"), "the answer is failed: no quota"),
        (ResponseDone(outcome="incomplete", reason="max"), "the answer is incomplete: max"),
        (ResponseDone(outcome="failed"), "the answer is failed"),
    ],
)
def test_an_answer_that_is_none_is_told_and_fails_the_command(end: ResponseDone, told: str) -> None:
    out = io.StringIO()

    def print_all() -> None:
        with printing(out, json_lines=False) as printer:
            printer.show(OutputTranscriptDelta("let"))
            printer.show(end)

    with pytest.raises(ApiError, match=told):
        print_all()
    assert out.getvalue() == f"model: let\n[{told}]\n"


@pytest.mark.parametrize("outcome", ["completed", "cancelled"])
def test_an_answer_that_is_whole_or_interrupted_is_no_failure(outcome: str) -> None:
    with printing(io.StringIO(), json_lines=False) as printer:
        printer.show(ResponseDone(outcome=outcome))


def test_what_happens_in_between_has_a_line_of_its_own() -> None:
    assert shown(
        OutputTranscriptDelta("let me"),
        HandoffRequested("h", "i", "build it"),
        RealtimeErrorEvent("busy"),
        Reconnected(1, "it broke"),
        AudioOut(RealtimeAudioFrame("")),
    ) == ("model: let me\n[handoff h: build it]\n[error: busy]\n[reconnected, since it broke]\n")


def test_event_is_one_json_object_with_its_name() -> None:
    event = HandoffRequested("h", "i", "go", (TranscriptEntry("user", "go"),))

    assert json.loads(event_json(event)) == {
        "event": "HandoffRequested",
        "handoff_id": "h",
        "item_id": "i",
        "input_transcript": "go",
        "active_transcript": [{"role": "user", "text": "go"}],
        "dropped_entries": 0,
    }


def test_unknown_event_is_shown_as_it_came() -> None:
    known = RealtimeOtherEvent("new", msgspec.Raw(b'{"type":"new","x":1.0}'))
    garbage = RealtimeOtherEvent("", msgspec.Raw(b"no json \xff"))

    assert event_json(known) == b'{"event":"RealtimeOtherEvent","raw":{"type":"new","x":1.0}}'
    assert json.loads(event_json(garbage))["raw"] == "no json \ufffd"


@pytest.mark.parametrize("json_lines", [False, True])
def test_error_of_the_server_fails_the_command_in_the_end(*, json_lines: bool) -> None:
    out = io.StringIO()

    def session() -> None:
        with printing(out, json_lines=json_lines) as printer:
            printer.show(RealtimeErrorEvent("no such item"))
            printer.show(OutputTranscriptDone("hello"))

    with pytest.raises(ApiError, match="reported an error: no such item"):
        session()

    first, second = out.getvalue().splitlines()
    assert "no such item" in first
    assert "hello" in second


def test_text_cannot_command_the_terminal() -> None:
    assert shown(OutputTranscriptDelta("a\x1b[2Jb\x9b\x07c\td")) == "model: a[2Jbc\td\n"
