from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from codex_api import events
from codex_api._logic.session.progress import Progress
from codex_api.items import FunctionCall, FunctionCallOutput, Message
from codex_api.rate_limits import RateLimitSnapshot

CALL = FunctionCall(name="f", arguments="{}", call_id="c1")
TEXT = Message.assistant("so far")


def done(item: FunctionCall | Message) -> events.OutputItemDone:
    return events.OutputItemDone(item, Raw(b'{"raw":1}'))


def test_a_try_begins_with_nothing_heard() -> None:
    progress = Progress(keep_ids=False)

    assert (progress.received, progress.completed, progress.response_id) == (False, False, None)
    assert (progress.kept, progress.output_forms) == ([], [])


@pytest.mark.parametrize(
    ("event", "received", "completed"),
    [
        (events.OutputTextDelta("a"), True, False),
        (events.Created("r"), True, False),
        (done(TEXT), True, False),
        (events.Completed("r"), True, True),
        (events.RateLimits(RateLimitSnapshot()), False, False),
        (events.ServerModel("m"), False, False),
    ],
)
def test_only_what_comes_from_the_response_is_heard(
    event: events.ResponseEvent, *, received: bool, completed: bool
) -> None:
    progress = Progress(keep_ids=False)

    progress.observe(event)

    assert (progress.received, progress.completed) == (received, completed)
    progress.begin_try()
    assert (progress.received, progress.response_id) == (False, None)


def test_what_is_kept_goes_out_again_and_is_known_in_both_forms() -> None:
    progress = Progress(keep_ids=False)
    output = FunctionCallOutput(call_id="c1", output="42")
    progress.supply([output, Raw(b'{"type":"message"}')])
    for item in (TEXT, CALL, TEXT):
        progress.observe(done(item))

    assert progress.keep(2) == 1

    text, call, answer = map(msgspec.json.encode, progress.kept and map(Raw, progress.kept))
    assert b'"call_id":"c1"' in call
    assert b'"output":"42"' in answer
    assert b"so far" in text
    # The dropped item still stands in this try; the next one forgets it.
    progress.begin_try()
    raw = b'{"raw":1}'
    assert progress.output_forms == [(text, raw), (call, raw), (answer,)]


def test_the_id_that_was_told_stays_when_the_end_tells_none() -> None:
    progress = Progress(keep_ids=False)
    progress.observe(events.Created("r1"))
    assert progress.response_id == "r1"
    progress.observe(events.Completed(""))
    assert progress.response_id == "r1"
    progress.observe(events.Completed("r2"))

    assert progress.response_id == "r2"


def test_what_is_no_output_answers_no_call() -> None:
    progress = Progress(keep_ids=False)
    progress.supply([Message.user("x")])
    progress.observe(done(TEXT))
    progress.observe(done(CALL))

    kept = progress.split()
    assert (kept.length, kept.replayed) == (1, CALL)
    assert progress._supplied == {}
