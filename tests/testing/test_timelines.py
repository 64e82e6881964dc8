from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from codex_api.testing.cassettes import Cassette
from codex_api.testing.lanes import Lane, Mark
from codex_api.testing.timeline_page import facts, page
from codex_api.testing.timelines import TapeFollower, read_lanes
from codex_api.testing.wire import sse_events
from codex_api.transport import Headers, Request
from codex_api.transport._core.messages import RawBody

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "sk-proj-abcdefghijklmnop1234"  # noqa: S105 - the marked one
RESPONSE = {"id": "r", "model": "gpt-5.1", "status": "completed", "output": []}
CALL = {"type": "function_call", "name": "get_weather", "arguments": "{}"}
STREAM: list[dict[str, Any]] = [
    {"type": "response.created", "response": RESPONSE},
    {"type": "response.output_text.delta", "item_id": "m", "delta": "one "},
    {"type": "response.output_text.delta", "item_id": "m", "delta": "two"},
    {
        "type": "response.completed",
        "response": {**RESPONSE, "output": [CALL], "usage": {"output_tokens": 4}},
    },
]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tape(tmp_path: Path, clock: Clock) -> Iterator[Cassette]:
    cassette = Cassette(tmp_path / "a.jsonl", clock)
    yield cassette
    cassette.close()


def asked(text: str) -> Request:
    body = json.dumps({"model": "m", "input": text}).encode()
    return Request(
        method="POST", url="http://h/v1/responses", headers=Headers(), body=RawBody(body)
    )


def record(
    tape: Cassette, clock: Clock, text: str, events: list[dict[str, Any]], status: int = 200
) -> None:
    """Record a stream of an event each half second."""
    number = tape.begin(asked(text))
    kind = "text/event-stream" if status == 200 else "application/json"
    tape.head(number, status, Headers({"content-type": kind}))
    for event in events:
        clock.now += 0.5
        data = sse_events([event]) if status == 200 else json.dumps(event).encode()
        tape.chunk(number, data)
    tape.end(number, "clean" if events == STREAM or status != 200 else "broken")


def test_lanes_of_a_cassette_tell_times_pace_tools_and_retries(
    tmp_path: Path, tape: Cassette, clock: Clock
) -> None:
    record(tape, clock, "hello", [{"error": {"code": "busy"}}], 503)
    clock.now += 1.0
    record(tape, clock, "hello", STREAM)
    record(tape, clock, "other", STREAM[:2])

    failed, good, broken = read_lanes(tmp_path / "a.jsonl")

    assert [lane.outcome for lane in (failed, good, broken)] == ["503 busy", "completed", "broken"]
    assert [lane.is_good for lane in (failed, good, broken)] == [False, True, False]
    assert [lane.retry_of for lane in (failed, good, broken)] == [None, 0, None]
    assert [lane.began for lane in (failed, good, broken)] == [0.0, 1.5, 3.5]
    assert (good.first_event, good.seconds, good.tokens_per_second) == (0.5, 2.0, 8.0)
    assert (good.model, good.asked, good.tool_calls) == ("gpt-5.1", "hello", ["get_weather"])
    assert [mark.family for mark in good.marks] == ["start", "text", "text", "end"]
    assert good.marks[1].text == "one "
    told = facts(good)
    assert told[:4] == ["2.0 s", "first event 500 ms", "4 events", "8 tokens/s"]
    assert told[-2:] == ["calls get_weather", "retry of #1"]


def test_pauses_that_are_longer_than_usual_are_gaps() -> None:
    times = [0.1, 0.15, 0.2, 0.25, 2.25, 2.3]
    marks = [Mark(at, "response.output_text.delta", "text", "x", "") for at in times]
    lane = Lane(source="a", method="", path="", marks=marks, seconds=2.8)

    assert [(gap.at, round(gap.seconds, 3)) for gap in lane.gaps] == [(0.25, 2.0), (2.3, 0.5)]


def test_a_websocket_has_a_lane_for_each_turn(tmp_path: Path, tape: Cassette, clock: Clock) -> None:
    request = Request(method="GET", url="http://h/v1/responses", headers=Headers())
    number = tape.begin(request, is_websocket=True)
    tape.head(number, 101, Headers())
    for text in ("one", "two"):
        clock.now += 1.0
        frame = {"type": "response.create", "model": "m", "input": text}
        tape.message(number, json.dumps(frame), is_sent=True)
        for event in STREAM if text == "one" else STREAM[:2]:
            clock.now += 0.25
            tape.message(number, json.dumps(event), is_sent=False)
    tape.end(number, "closed", code=1011, reason="bye")

    one, two = read_lanes(tmp_path / "a.jsonl")

    assert (one.method, one.asked, one.outcome, one.began) == ("WS", "one", "completed", 1.0)
    assert (two.asked, two.outcome, two.began) == ("two", "closed 1011 bye", 3.0)
    assert one.first_event == 0.25
    assert [mark.family for mark in two.marks] == ["sent", "start", "text"]


def test_the_body_of_a_stream_is_read_without_times(tmp_path: Path) -> None:
    path = tmp_path / "a.sse"
    secret = {"type": "response.output_text.delta", "item_id": "m", "delta": SECRET}
    path.write_bytes(b"\xef\xbb\xbf: hi\n\n" + sse_events([*STREAM[:3], secret, STREAM[3]]))

    (lane,) = read_lanes(path)

    assert (lane.is_timed, lane.outcome, len(lane.marks)) == (False, "completed", 5)
    assert (lane.first_event, lane.gaps, lane.tokens_per_second) == (None, [], None)
    assert SECRET not in page([lane])


FRAMES = [
    [{"at": 10 + n / 2, "received": event} for n, event in enumerate(STREAM)],
    [{"ts": 1.8e12 + n * 500, "dir": "in", "data": json.dumps(e)} for n, e in enumerate(STREAM)],
    [{"after": 0.5 if n else 0, "direction": "<", "frame": e} for n, e in enumerate(STREAM)],
    [
        {"time": f"2026-01-01T00:00:0{n // 2}.{n % 2 * 5}00000+00:00", "payload": event}
        for n, event in enumerate(STREAM)
    ],
]


@pytest.mark.parametrize("lines", FRAMES)
def test_frame_logs_of_several_shapes_are_read(tmp_path: Path, lines: list[dict[str, Any]]) -> None:
    path = tmp_path / "a.log"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    (lane,) = read_lanes(path)

    assert [mark.at for mark in lane.marks] == [0.0, 0.5, 1.0, 1.5]
    assert [mark.family for mark in lane.marks] == ["start", "text", "text", "end"]
    assert (lane.outcome, lane.tokens_per_second) == ("completed", 8.0)


def test_events_a_line_are_a_log_without_times(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    sent = {"type": "response.create", "model": "m", "input": "hi"}
    path.write_text("".join(json.dumps(line) + "\n" for line in [sent, *STREAM]))

    (lane,) = read_lanes(path)

    assert (lane.is_timed, lane.asked, lane.marks[0].family) == (False, "hi", "sent")


def test_a_log_of_serve_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    line = {"method": "POST", "path": "/v1/responses", "model": "m", "outcome": "completed"}
    lines = [
        {**line, "at": 100.5, "status": 200, "seconds": 0.5, "usage": {"output_tokens": 3}},
        {**line, "at": 102.0, "status": 503, "seconds": 0.25, "outcome": "", "usage": None},
    ]
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))

    good, bad = read_lanes(path)

    assert (good.began, good.seconds, good.is_good) == (0.0, 0.5, True)
    assert (bad.began, bad.outcome, bad.is_good) == (1.75, "503", False)


@pytest.mark.parametrize("data", [b"hello", b"{}", b"[1]", b"\x00\xff", b'{"n":0}', b"data:"])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(data)

    with pytest.raises(ValueError, match="no cassette, no event stream and no log of frames"):
        read_lanes(path)


def test_a_broken_stream_is_told_as_far_as_it_came(tmp_path: Path) -> None:
    path = tmp_path / "a.sse"
    path.write_bytes(sse_events(STREAM[:2]))

    (lane,) = read_lanes(path)

    assert (lane.outcome, lane.is_good) == ("no end", False)


def test_a_cassette_is_followed_while_it_is_written(
    tmp_path: Path, tape: Cassette, clock: Clock
) -> None:
    follower = TapeFollower(tmp_path / "a.jsonl")
    assert (follower.poll(), follower.lanes()) == (False, [])

    number = tape.begin(asked("hello"))
    tape.head(number, 200, Headers({"content-type": "text/event-stream"}))
    tape.chunk(number, sse_events(STREAM[:1]))
    assert follower.poll()
    assert [lane.outcome for lane in follower.lanes()] == ["open"]
    clock.now += 1
    tape.chunk(number, sse_events(STREAM[1:]))
    tape.end(number, "clean")
    assert follower.poll()
    assert [lane.outcome for lane in follower.lanes()] == ["completed"]
    assert not follower.poll()


def test_half_a_line_waits_for_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    line = json.dumps({"n": 0, "at": 0, "request": {"method": "GET", "path": "/v1/models"}})
    path.write_text(line[:20])
    follower = TapeFollower(path)

    assert not follower.poll()
    path.write_text(f"{line}\n")
    assert follower.poll()
    assert [lane.path for lane in follower.lanes()] == ["/v1/models"]


def test_nothing_recorded_can_become_part_of_the_page() -> None:
    evil = "</script><script>alert(1)</script><!--"
    mark = Mark(0.0, evil, "text", evil, json.dumps({"x": evil}))

    text = page([Lane(source=evil, method=evil, path=evil, asked=evil, marks=[mark])])

    assert "<script>alert" not in text
    assert text.count("</script>") == 2
    assert "default-src 'none'" in text
    assert Path(__file__).name not in text
