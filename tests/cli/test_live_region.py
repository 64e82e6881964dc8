from __future__ import annotations

from codex_api.cli.live_region import LiveRegion
from tests.cli.terminal import Terminal


def test_growing_lines_are_replaced_and_finished_ones_stay() -> None:
    terminal = Terminal()
    region = LiveRegion(terminal)
    region.draw([], ["one", "tw"], 40)
    region.draw(["one", "two"], ["thr"], 40)
    region.draw(["three"], [], 40)

    assert terminal.lines == ["one", "two", "three", ""]


def test_what_did_not_change_is_not_written_again() -> None:
    terminal = Terminal()
    region = LiveRegion(terminal)
    region.draw([], ["one", "two"], 40)
    writes = terminal.writes
    region.draw([], ["one", "two"], 40)

    assert terminal.writes == writes


def test_fewer_lines_leave_nothing_of_the_old_ones() -> None:
    terminal = Terminal()
    region = LiveRegion(terminal)
    region.draw([], ["one", "two", "three"], 40)
    region.draw([], ["ONE"], 40)
    region.draw(["end"], [], 40)

    assert terminal.lines == ["end", "", "", ""]


def test_more_than_a_screen_ends_up_in_the_history_once() -> None:
    terminal = Terminal(rows=5)
    region = LiveRegion(terminal)
    numbers = [str(n) for n in range(30)]
    for count in range(1, 31):
        region.draw([], numbers[:count][-4:], 40)
    region.draw(numbers, [], 40)

    assert terminal.lines == [*numbers, ""]


def test_lines_that_a_narrower_terminal_wrapped_are_taken_back() -> None:
    terminal = Terminal(columns=10)
    region = LiveRegion(terminal)
    # As if it was 20 wide when this was drawn: now it takes two rows.
    region.draw([], ["x" * 15], 20)
    region.draw([], ["y" * 10, "y" * 5], 10)

    assert terminal.lines == ["y" * 10, "y" * 5, ""]
