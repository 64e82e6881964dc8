from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api import events
from codex_api._logic.incoming.cut_characters import CutCharacters
from codex_api._logic.incoming.mapping import EventMapper

FIRST, SECOND, WHOLE = "\ud83d", "\ude00", "\N{GRINNING FACE}"
LOST = "\N{REPLACEMENT CHARACTER}"
TEXT = "response.output_text.delta"
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1"}}


def delta(text: str, tag: str = TEXT, **fields: object) -> dict[str, Any]:
    return {"type": tag, "delta": text, **fields}


def encoded(*payloads: dict[str, Any]) -> list[bytes]:
    return [json.dumps(payload).encode() for payload in payloads]


def told(found: list[Any]) -> list[str]:
    """Return the deltas among events, and the class of what is none."""
    return [getattr(event, "delta", type(event).__name__) for event in found]


def test_a_delta_within_another_member_is_not_taken_for_the_text() -> None:
    first, second = encoded(
        {"type": TEXT, "more": {"delta": "x"}, "delta": "a" + FIRST}, delta(SECOND)
    )

    found = [event for each in (first, second) for event in EventMapper().feed_one(each)]

    assert told(found) == ["a" + LOST, LOST]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("payloads", "expected"),
    [
        ([delta("a" + FIRST), delta(SECOND + "b")], ["a", WHOLE + "b"]),
        ([delta(FIRST), delta(SECOND), delta("c")], ["", WHOLE, "c"]),
        ([delta(FIRST), delta(SECOND + FIRST), delta(SECOND)], ["", WHOLE, WHOLE]),
        ([delta(FIRST), delta(""), delta(SECOND)], ["", "", WHOLE]),
        ([delta("a" + FIRST), delta("b")], ["a", LOST + "b"]),
        ([delta(FIRST), delta(FIRST), delta(SECOND)], ["", LOST, WHOLE]),
        ([delta(SECOND)], [LOST]),
        ([delta(FIRST + "x")], [LOST + "x"]),
        ([delta(WHOLE)], [WHOLE]),
        ([delta(FIRST), {"type": "response.in_progress"}, delta(SECOND)], ["", WHOLE]),
        ([delta(FIRST), {"type": "ping"}, delta(SECOND)], ["", WHOLE]),
        (
            [
                delta(FIRST, output_index=0),
                delta("x", output_index=1),
                delta(SECOND, output_index=0),
            ],
            ["", "x", WHOLE],
        ),
        (
            [delta(FIRST, output_index=0, item_id="a"), delta(SECOND, output_index=0, item_id="b")],
            ["", WHOLE],
        ),
        ([delta(FIRST, item_id="a"), delta(SECOND, item_id="b")], ["", LOST]),
        ([delta(FIRST, content_index=0), delta(SECOND, content_index=1)], ["", LOST]),
        (
            [delta("x" + FIRST), delta(SECOND, "response.refusal.delta")],
            ["x", LOST],
        ),
    ],
)
def test_halves_of_one_part_are_put_together(
    payloads: list[dict[str, Any]], expected: list[str], *, together: bool
) -> None:
    mapper = EventMapper()
    lines = encoded(*payloads)

    parts = [lines] if together else [[each] for each in lines]
    found = [event for part in parts for event in mapper.feed_all(part)]

    assert told(found) == expected
    assert mapper.failure is None


@pytest.mark.parametrize(
    "tag",
    [
        TEXT,
        "response.refusal.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
    ],
)
def test_every_kind_of_delta_is_joined(tag: str) -> None:
    fields: dict[str, Any] = {"item_id": "i", "output_index": 0, "summary_index": 0}
    payloads = [delta("a" + FIRST, tag, **fields), delta(SECOND, tag, **fields)]

    assert told(EventMapper().feed_all(encoded(*payloads))) == ["a", WHOLE]


@pytest.mark.parametrize(
    "end",
    [
        {"type": "response.output_text.done", "output_index": 0, "text": "a"},
        {"type": "response.content_part.done", "output_index": 0},
        {"type": "response.output_text.done", "text": "a"},
    ],
)
def test_half_that_stays_alone_is_given_at_the_end_of_its_part(end: dict[str, Any]) -> None:
    mapper = EventMapper()

    found = mapper.feed_all(encoded(delta("a" + FIRST, output_index=0, sequence_number=3), end))

    assert told(found) == ["a", LOST]
    assert found[1] == events.OutputTextDelta(LOST, output_index=0)
    assert told(mapper.feed_all(encoded(delta("x")))) == ["x"]
    assert mapper.takes_direct


def test_end_of_another_item_ends_no_wait() -> None:
    done = {"type": "response.output_text.done", "output_index": 1, "text": "x"}
    payloads = encoded(delta(FIRST, output_index=0), done, delta(SECOND, output_index=0))

    assert told(EventMapper().feed_all(payloads)) == ["", WHOLE]


def test_half_that_stays_alone_is_given_before_the_end_of_the_response() -> None:
    found = EventMapper().feed_all(encoded(delta("a" + FIRST), COMPLETED))

    assert told(found) == ["a", LOST, "Completed"]


def test_events_that_were_read_before_stay_left_out_beside_a_half() -> None:
    mapper = EventMapper(seen_through=4)

    found = mapper.feed_all(
        encoded(
            delta("old", sequence_number=4),
            delta(FIRST, sequence_number=5),
            delta(SECOND, sequence_number=6),
        )
    )

    assert told(found) == ["", WHOLE]
    assert mapper.last_sequence_number == 6


@given(text=st.text(st.sampled_from("aé" + WHOLE), max_size=12), cuts=st.sets(st.integers(1, 24)))
def test_text_cut_anywhere_in_its_utf16_is_whole_again(text: str, cuts: set[int]) -> None:
    units = text.encode("utf-16-le", "surrogatepass")
    places = [0, *sorted(2 * cut for cut in cuts if 2 * cut < len(units)), len(units)]
    pieces = [units[start:end] for start, end in itertools.pairwise(places)]
    deltas = [delta(piece.decode("utf-16-le", "surrogatepass")) for piece in pieces]

    found: list[Any] = EventMapper().feed_all(encoded(*deltas, COMPLETED))

    assert "".join(event.delta for event in found[:-1]) == text


def test_a_delta_of_whole_characters_is_as_it_came() -> None:
    payload = rb'{ "type":"response.output_text.delta", "delta":"a\ud83d\ude00" }'

    assert CutCharacters().joined(payload) == payload


@pytest.mark.parametrize(
    ("payload", "clean"),
    [
        (b"[1]", b"[1]"),
        (rb'["\ud83d"]', rb'["\ufffd"]'),
        (rb'{"type":"x.done","delta":"\ud83d"}', rb'{"type":"x.done","delta":"\ufffd"}'),
        (rb'{"type":1,"delta":"\ud83d"}', rb'{"type":1,"delta":"\ufffd"}'),
    ],
)
def test_what_is_no_delta_waits_for_nothing(payload: bytes, clean: bytes) -> None:
    cut = CutCharacters()

    assert cut.joined(payload) == clean
    assert not cut.are_held


def test_a_half_does_not_end_with_what_is_of_another_family() -> None:
    cut = CutCharacters()
    cut.joined(rb'{"type":"response.output_text.delta","delta":"\ud83d"}')

    assert cut.lone_at("conversation.item.done", {}) == []
    assert cut.are_held
    assert len(cut.lone_at("response.output_text.done", {})) == 1
