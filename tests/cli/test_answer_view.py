from __future__ import annotations

import threading

import pytest
from rich.console import Console

from codex_api.cli.answer_view import AnswerView
from tests.cli.terminal import Terminal

LONG = "\n\n".join(f"Paragraph {n} has a few words." for n in range(30))


def view_on(terminal: Terminal) -> AnswerView:
    console = Console(file=terminal, force_terminal=True, width=40, height=10, color_system=None)
    return AnswerView(terminal, console)


def test_an_answer_longer_than_the_screen_is_there_once() -> None:
    terminal = Terminal()
    view = view_on(terminal)
    view.start()
    for start in range(0, len(LONG), 5):
        view.write(LONG[start : start + 5])
    view.close()

    assert "\n".join(terminal.lines).strip() == LONG


def test_a_block_longer_than_the_screen_is_there_once() -> None:
    terminal = Terminal()
    view = view_on(terminal)
    for number in range(40):
        view.write(f"- item {number}\n")
        view._draw()
    view.close()

    assert [line for line in terminal.lines if line] == [f" • item {n}" for n in range(40)]


def test_text_is_drawn_while_it_grows() -> None:
    drawn = threading.Event()

    class Watched(Terminal):
        def write(self, text: str) -> int:
            written = super().write(text)
            if "Hello" in self.lines:
                drawn.set()
            return written

    view = view_on(Watched())
    view.start()
    view.write("Hello")

    assert drawn.wait(5)
    view.close()


def test_another_style_begins_another_block() -> None:
    terminal = Terminal()
    view = view_on(terminal)
    view.write("thinking", "dim")
    view.write("answer")
    view.write_line("[tool] {}")
    view.close()

    assert terminal.lines == ["thinking", "", "answer", "", "[tool] {}", ""]


def test_a_model_cannot_steer_the_terminal() -> None:
    terminal = Terminal()
    view = view_on(terminal)
    view.write("a\x1b[2Jb\x9b1Ac\x07")
    view.write_line("d\x1b]0;title\x07")
    view.close()

    assert terminal.lines == ["a[2Jb1Ac", "", "d]0;title", ""]


def test_closing_twice_shows_nothing_twice() -> None:
    terminal = Terminal()
    view = view_on(terminal)
    view.write("once")
    view.close()
    view.close()

    assert terminal.lines == ["once", ""]


def test_a_terminal_that_went_away_is_told_to_the_writer() -> None:
    tried = threading.Event()

    class Gone(Terminal):
        def write(self, text: str) -> int:
            tried.set()
            raise OSError(5, "Input/output error", text)

    view = view_on(Gone())
    view.start()
    view.write("Hello")
    assert tried.wait(5)

    with pytest.raises(OSError, match="Input/output"):
        view.close()
