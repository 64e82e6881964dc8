from __future__ import annotations

import random

import pytest

from codex_api.testing import faults
from codex_api.testing.fault_names import NAMES, FaultSpecError, named_fault, parse_fault
from codex_api.testing.steps import CloseFrame, End, Event, Pause, Raw, Step

EVENTS: list[Step] = [Event({"type": "a"}), Event({"type": "b"}), Event({"type": "c"})]


def played(spec: str) -> list[Step]:
    return list(parse_fault(spec).fault(EVENTS))


def test_every_fault_that_takes_plain_values_has_its_name() -> None:
    others = {"apply", "edited", "hold", "inject"}
    made = {
        name
        for name, value in vars(faults).items()
        if callable(value) and not name.startswith("_") and value.__module__ == faults.__name__
    }

    assert made - others == set(NAMES)


def test_values_have_the_types_that_the_fault_takes() -> None:
    assert played("cut:after=1,how=clean") == [EVENTS[0], End("clean")]
    assert played("cut")[-1] == End("truncated")
    assert played("close_frame:code=1013,after=0") == [CloseFrame(1013, "")]
    assert played("slow:interval=0.5")[0] == Pause(0.5)
    assert played("garbage:data=x,after=1")[1] == Raw(b"x")
    assert played("dropped:types=a+c") == [EVENTS[1]]
    assert played("in_pieces:piece_bytes=3")[0] == Event({"type": "a"}, 3)


@pytest.mark.parametrize(
    "spec",
    ["", "no", "cut:after", "cut:after=-1", "cut:after=x", "cut:x=1", "slow", "cut@x", "dropped"],
)
def test_anything_else_is_refused(spec: str) -> None:
    with pytest.raises(FaultSpecError):
        parse_fault(spec)


def test_values_of_a_file_keep_their_type() -> None:
    with pytest.raises(FaultSpecError, match="after of cut is True"):
        named_fault("cut", {"after": True})


def test_a_fault_strikes_as_often_as_it_is_told() -> None:
    dice = random.Random(1)  # noqa: S311 - no secret
    struck = [parse_fault("cut@0.25").strikes(dice) for _ in range(1000)]

    assert 200 < sum(struck) < 300
    assert not parse_fault("cut@0").strikes(dice)
    assert parse_fault("cut").strikes(dice)
