from __future__ import annotations

import io
import json

import msgspec
import pytest

from codex_api import errors, events, items
from codex_api.cli.rendering import JsonLines, MarkdownAnswer, PlainText, event_json, printer_for
from tests.cli.terminal import Terminal

CALL = items.FunctionCall(name="get_weather", arguments='{"city":"Rome"}', call_id="c1")


def plain(*shown: events.ResponseEvent) -> str:
    out = io.StringIO()
    with PlainText(out) as printer:
        for event in shown:
            printer.show(event)
    return out.getvalue()


def test_plain_text_is_the_text_and_ends_with_one_line_break() -> None:
    assert plain(events.OutputTextDelta("Hel"), events.OutputTextDelta("lo")) == "Hello\n"
    assert plain(events.OutputTextDelta("Hello\n")) == "Hello\n"
    assert plain() == ""


def test_a_refusal_is_text() -> None:
    assert plain(events.RefusalDelta("No.")) == "No.\n"


def test_a_tool_call_has_a_line_of_its_own() -> None:
    custom = items.CustomToolCall(name="apply_patch", input="*** patch", call_id="c2")
    shown = plain(
        events.OutputTextDelta("Let me see."),
        events.OutputItemDone(CALL),
        events.OutputItemDone(custom),
        events.OutputItemDone(items.Message.user("not a call")),
    )

    assert shown == 'Let me see.\n[get_weather] {"city":"Rome"}\n[apply_patch] *** patch\n'


def test_another_try_begins_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    again = events.StreamRetry(1, 0.5, errors.StreamClosedError("it was cut"))
    shown = plain(events.OutputTextDelta("Hel"), again, events.OutputTextDelta("Hello"))

    assert shown == "Hel\nHello\n"
    assert capsys.readouterr().err == "trying again: it was cut\n"


def test_another_try_is_told_within_the_answer_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    with printer_for(terminal, json_lines=False) as printer:
        printer.show(events.OutputTextDelta("Hel"))
        printer.show(events.StreamRetry(1, 0.5, errors.StreamClosedError("it was cut")))
        printer.show(events.OutputTextDelta("Hello"))

    assert terminal.lines == ["Hel", "", "trying again: it was cut", "", "Hello", ""]


def test_reasoning_stays_out_of_a_pipe() -> None:
    assert plain(events.ReasoningSummaryDelta("hm", 0), events.OutputTextDelta("a")) == "a\n"


def test_a_pipe_gets_control_characters_and_a_terminal_does_not() -> None:
    out = io.StringIO()
    with PlainText(out, is_terminal=True) as printer:
        printer.show(events.OutputTextDelta("a\x1b[2Jb"))

    assert plain(events.OutputTextDelta("a\x1b[2Jb")) == "a\x1b[2Jb\n"
    assert out.getvalue() == "a[2Jb\n"


def test_nothing_more_is_written_to_a_broken_pipe() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    with pytest.raises(BrokenPipeError, match="a"), PlainText(Broken()) as printer:
        printer.show(events.OutputTextDelta("a"))


@pytest.mark.parametrize(
    ("term", "kind"), [("xterm-256color", MarkdownAnswer), ("dumb", PlainText)]
)
def test_only_a_terminal_that_can_redraw_gets_markdown(
    monkeypatch: pytest.MonkeyPatch, term: str, kind: type
) -> None:
    monkeypatch.setenv("TERM", term)

    assert isinstance(printer_for(Terminal(), json_lines=False), kind)
    assert isinstance(printer_for(Terminal(), json_lines=True), JsonLines)
    assert isinstance(printer_for(io.StringIO(), json_lines=False), PlainText)


def test_reasoning_comes_before_the_answer_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    with printer_for(terminal, json_lines=False) as printer:
        printer.show(events.ReasoningSummaryPartAdded(0))
        printer.show(events.ReasoningSummaryDelta("**One**", 0))
        printer.show(events.ReasoningSummaryPartAdded(1))
        printer.show(events.ReasoningSummaryDelta("Two", 1))
        printer.show(events.OutputTextDelta("# Answer\n\ntext"))
        printer.show(events.OutputItemDone(CALL))
        printer.show(events.Completed("r1"))

    lines = [line.strip() for line in terminal.lines if line.strip()]
    assert lines == ["One", "Two", "Answer", "text", '[get_weather] {"city":"Rome"}']


@pytest.mark.parametrize("variable", ["NO_COLOR", None])
def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch, variable: str | None) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    if variable is not None:
        monkeypatch.setenv(variable, "1")

    class Recording(Terminal):
        raw = ""

        def write(self, text: str) -> int:
            self.raw += text
            return super().write(text)

    terminal = Recording()
    with printer_for(terminal, json_lines=False) as printer:
        printer.show(events.OutputTextDelta("`code`"))

    assert ("\x1b[1;36" in terminal.raw) == (variable is None)


def test_an_event_is_one_line_of_json_with_its_wire_type() -> None:
    line = event_json(events.OutputTextDelta("a\nb", item_id="m1"))

    assert json.loads(line) == {
        "type": "response.output_text.delta",
        "delta": "a\nb",
        "item_id": "m1",
    }
    assert b"\n" not in line


def test_an_item_is_given_as_it_came() -> None:
    raw = b'{"type": "message",\r\n "role": "user", "content": [], "new": 1.0}'
    line = event_json(events.OutputItemDone(items.Message.user("x"), msgspec.Raw(raw)))

    expected = raw.replace(b"\r\n", b"  ")
    assert line == b'{"type":"response.output_item.done","item":' + expected + b"}"


def test_an_item_without_raw_form_is_encoded() -> None:
    line = json.loads(event_json(events.OutputItemAdded(CALL)))

    assert line["type"] == "response.output_item.added"
    assert line["item"]["arguments"] == CALL.arguments


def test_an_unknown_event_is_given_as_it_came() -> None:
    raw = msgspec.Raw(b'{"type":"response.new","x":1}')

    assert event_json(events.OtherEvent("response.new", raw)) == bytes(raw)


def test_a_failure_is_the_last_line() -> None:
    out = io.StringIO()
    with JsonLines(out) as printer:
        printer.show(events.Created("r1"))
        printer.failed(errors.RateLimitError("slow down", retry_after=2.0, status=429))

    first, last = map(json.loads, out.getvalue().splitlines())
    assert first == {"type": "response.created", "response_id": "r1"}
    assert last["type"] == "error"
    assert last["error"]["name"] == "RateLimitError"
    assert (last["error"]["status"], last["error"]["retry_after"]) == (429, 2.0)
