from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_api import errors, events
from codex_api.local.replay import stream_from_file
from codex_api.testing.wire import sse_event, sse_events

if TYPE_CHECKING:
    from pathlib import Path

DELTA = {"type": "response.output_text.delta", "delta": "Hi"}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1"}}


def test_a_recorded_body_gives_the_events_of_the_live_one(tmp_path: Path) -> None:
    path = tmp_path / "body.sse"
    path.write_bytes(sse_events([DELTA, COMPLETED]))

    replayed = list(stream_from_file(path, headers={"openai-model": "m"}))

    assert replayed[0] == events.ServerModel("m")
    assert replayed[2:] == [events.OutputTextDelta("Hi"), events.Completed("resp_1")]


def test_a_cut_recording_fails_as_the_live_stream_did(tmp_path: Path) -> None:
    path = tmp_path / "body.sse"
    path.write_bytes(sse_event(DELTA))
    replayed = stream_from_file(path)
    next(replayed)

    assert next(replayed) == events.OutputTextDelta("Hi")
    with pytest.raises(errors.StreamClosedError):
        next(replayed)


def test_a_missing_recording_is_named_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(errors.RequestBuildError, match="nowhere"):
        stream_from_file(tmp_path / "nowhere.sse")
