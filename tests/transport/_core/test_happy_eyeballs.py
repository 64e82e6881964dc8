from __future__ import annotations

import pytest

from codex_api.transport._core.happy_eyeballs import ATTEMPT_DELAY, AttemptSchedule, interleaved


def family(address: str) -> str:
    return address[0]


@pytest.mark.parametrize(
    ("found", "tried"),
    [
        ([], []),
        (["6a"], ["6a"]),
        (["6a", "6b", "6c"], ["6a", "6b", "6c"]),
        (["6a", "6b", "6c", "4a", "4b"], ["6a", "4a", "6b", "4b", "6c"]),
        (["4a", "4b", "6a"], ["4a", "6a", "4b"]),
    ],
)
def test_families_take_turns_and_keep_their_order(found: list[str], tried: list[str]) -> None:
    assert interleaved(found, family) == tried


def test_second_attempt_is_due_after_the_delay() -> None:
    schedule = AttemptSchedule(["a", "b"])

    assert schedule.take(10.0) == "a"
    assert schedule.due_at == 10.0 + ATTEMPT_DELAY
    assert schedule.take(10.0) is None
    assert schedule.take(10.0 + ATTEMPT_DELAY) == "b"
    assert schedule.due_at is None
    assert schedule.take(99.0) is None


def test_failed_attempt_makes_the_next_one_due_at_once() -> None:
    schedule = AttemptSchedule(["a", "b", "c"])
    schedule.take(10.0)
    schedule.attempt_failed()

    assert schedule.take(10.0) == "b"
    assert schedule.take(10.0) is None
