"""What each fault does to a list of steps; the players have tests of their own."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from codex_api.testing import Gate, faults
from codex_api.testing.steps import (
    Binary,
    CloseFrame,
    End,
    Event,
    Fault,
    Hang,
    Hold,
    KeepAlive,
    Pause,
    Raw,
    Step,
)

RESPONSE = {"id": "resp_1", "status": "in_progress"}
STEPS: list[Step] = [
    Event({"type": "response.created", "response": RESPONSE, "sequence_number": 0}),
    Event({"type": "response.output_text.delta", "delta": "a", "sequence_number": 1}),
    Event({"type": "response.completed", "response": RESPONSE, "sequence_number": 2}),
]
ONE, TWO, THREE = STEPS
GATE = Gate()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (faults.stall(after=2), [ONE, TWO, Hang()]),
        (faults.stall(after=0), [Hang()]),
        (faults.cut(after=1), [ONE, End("truncated")]),
        (faults.cut(after=1, how="clean"), [ONE, End("clean")]),
        (faults.cut(after=1, how="reset"), [ONE, Pause(0.05), End("reset")]),
        (faults.close_frame(after=1, code=1001), [ONE, CloseFrame(1001)]),
        (faults.slow(2), [Pause(2), ONE, Pause(2), TWO, Pause(2), THREE]),
        (faults.hold(GATE), [Hold(GATE), ONE, TWO, THREE]),
        (faults.hold(GATE, after=3), [ONE, TWO, THREE, Hold(GATE)]),
        (faults.keep_open(), [ONE, TWO, THREE, Hang()]),
        (faults.commented(), [KeepAlive(), ONE, KeepAlive(), TWO, KeepAlive(), THREE]),
        (faults.inject({"type": "x"}, after=1), [ONE, Event({"type": "x"}), TWO, THREE]),
        (faults.garbage(b"?", after=1), [ONE, Raw(b"?"), TWO, THREE]),
        (faults.binary(b"?", after=1), [ONE, Binary(b"?"), TWO, THREE]),
        (faults.dropped("response.created", "response.completed"), [TWO]),
    ],
)
def test_a_fault_changes_the_steps(fault: Fault, expected: list[Step]) -> None:
    assert list(faults.apply(STEPS, [fault])) == expected


def payloads(*applied: Fault) -> list[dict[str, Any]]:
    return [step.payload for step in faults.apply(STEPS, applied) if isinstance(step, Event)]


def test_comments_never_end() -> None:
    steps = faults.apply(STEPS, [faults.comments_only(0.1, after=1)])

    assert list(islice(steps, 5)) == [ONE, KeepAlive(), Pause(0.1), KeepAlive(), Pause(0.1)]


def test_a_failure_ends_the_response_that_began() -> None:
    *_, last = payloads(faults.failed("rate_limit_exceeded", "Try again in 2s.", plan_type="plus"))

    error = {"code": "rate_limit_exceeded", "message": "Try again in 2s.", "plan_type": "plus"}
    response = {**RESPONSE, "status": "failed", "error": error}
    assert last == {"type": "response.failed", "response": response, "sequence_number": 2}


def test_an_incomplete_end_tells_its_reason() -> None:
    *_, last = payloads(faults.incomplete("content_filter", after=1))

    assert last["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert last["sequence_number"] == 1


def test_an_oversized_event_is_as_large_as_asked() -> None:
    assert len(payloads(faults.oversized(1000))[2]["delta"]) == 1000


def test_pieces_keep_the_event_and_cut_its_bytes() -> None:
    (first, *_) = faults.apply(STEPS, [faults.in_pieces(3)])

    assert isinstance(first, Event)
    assert isinstance(ONE, Event)
    assert (first.payload, first.piece_bytes) == (ONE.payload, 3)


def test_an_edit_leaves_the_original_alone() -> None:
    edited = payloads(faults.edited(lambda payload: payload | {"sequence_number": 9}))

    assert [payload["sequence_number"] for payload in edited] == [9, 9, 9]
    assert isinstance(THREE, Event)
    assert THREE.payload["sequence_number"] == 2


def test_faults_are_applied_in_order() -> None:
    dropped_then_cut = payloads(faults.dropped("response.created"), faults.cut(after=1))
    cut_then_dropped = payloads(faults.cut(after=1), faults.dropped("response.created"))

    assert (len(dropped_then_cut), len(cut_then_dropped)) == (1, 0)
