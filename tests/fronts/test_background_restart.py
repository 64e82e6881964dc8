"""A background response outlives the program that asked for it, and twenty broken connections."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from codex_api.testing.actions import stream
from codex_api.testing.scripted import ScriptedServer

if TYPE_CHECKING:
    from codex_api.testing.actions import Action

PROGRAM = Path(__file__).with_name("background_program.py")
CUTS = 20
TEXTS = [str(number) for number in range(60)]
RESPONSE = {"id": "resp_1", "status": "in_progress", "background": True, "output": []}
TOLD: list[dict[str, Any]] = [
    {"type": "response.created", "response": RESPONSE},
    *({"type": "response.output_text.delta", "delta": text} for text in TEXTS),
    {"type": "response.completed", "response": {**RESPONSE, "status": "completed"}},
]
NUMBERED = [{**payload, "sequence_number": number} for number, payload in enumerate(TOLD)]
# Where connections end: each gives three events, the last one the rest.
ENDS = [*range(3, 3 * CUTS + 1, 3), len(NUMBERED)]
# The first program is killed after this event, in the middle of a connection.
KILLED_AFTER = 31


def told(start: int, stop: int) -> list[Action]:
    return stream(NUMBERED[start:stop], end="clean" if stop == len(NUMBERED) else "truncated")


def scripts() -> list[list[Action]]:
    """Answer the call that begins, then each connection; the killed program's is begun again."""
    cuts = sorted({0, KILLED_AFTER + 1, *ENDS})
    begun = stream(NUMBERED[:1], end="hang")
    (interrupted,) = (end for start, end in pairwise([0, *ENDS]) if start <= KILLED_AFTER < end)
    before = [told(start, stop) for start, stop in pairwise([0, *ENDS]) if stop <= interrupted]
    after = [told(start, stop) for start, stop in pairwise(cuts) if start > KILLED_AFTER]
    return [begun, *before, *after]


def start(front: str, url: str, folder: Path, stop_after: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, str(PROGRAM), front, url, str(folder), stop_after]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own


@pytest.mark.parametrize("front", ["sync", "async"])
def test_each_event_is_delivered_once_over_cuts_and_a_killed_program(
    front: str, tmp_path: Path
) -> None:
    with ScriptedServer(scripts()) as server:
        with start(front, server.url, tmp_path, TOLD[KILLED_AFTER]["delta"]) as first:
            assert first.stdout is not None
            try:
                assert first.stdout.readline() == "stopped\n"
            finally:
                first.kill()
        with start(front, server.url, tmp_path) as second:
            assert second.stdout is not None
            assert second.stdout.read() == "ended\n"
        places = [
            request.target.partition("starting_after=")[2]
            for request in server.requests
            if request.method == "GET"
        ]

    assert (tmp_path / "seen.txt").read_text().split() == ["Created", *TEXTS, "Completed"]
    assert (first.returncode, second.returncode) == (-9, 0)
    assert places == ["", *map(str, sorted({KILLED_AFTER, *(end - 1 for end in ENDS[:-1])}))]
