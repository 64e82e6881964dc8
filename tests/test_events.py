from __future__ import annotations

import inspect
import pickle
from typing import get_args

import msgspec

from codex_api import events
from codex_api.events import OutputTextDelta, ReasoningSummaryDelta, ResponseEvent


def test_response_event_is_the_union_of_every_event_class() -> None:
    classes = {
        value
        for name in events.__all__
        if inspect.isclass(value := getattr(events, name)) and issubclass(value, msgspec.Struct)
    }

    assert set(get_args(ResponseEvent)) == classes - {events.WireEvent}


def test_deltas_match_by_position() -> None:
    match ReasoningSummaryDelta("thinking", 2):
        case ReasoningSummaryDelta(delta, index):
            found = (delta, index)

    assert found == ("thinking", 2)


def test_events_show_only_what_they_know() -> None:
    assert repr(OutputTextDelta("a", item_id="m")) == "OutputTextDelta(delta='a', item_id='m')"


def test_encoded_delta_is_what_the_wire_said() -> None:
    wire = b'{"type":"response.output_text.delta","delta":"a","item_id":"m"}'

    event = msgspec.json.decode(wire, type=OutputTextDelta)
    assert msgspec.json.encode(event) == wire


def test_events_are_frozen_and_pickle() -> None:
    event = events.OutputItemDone(events.Created("r"), msgspec.Raw(b"{}"))  # type: ignore[arg-type]  # any struct will do

    copy = pickle.loads(pickle.dumps(event))  # noqa: S301 - our own bytes
    assert copy == event
    assert bytes(copy.raw) == b"{}"


def test_every_event_that_can_be_written_names_its_type() -> None:
    tags = [
        cls.__struct_config__.tag for cls in get_args(ResponseEvent) if cls is not events.OtherEvent
    ]

    assert None not in tags
    assert len(set(tags)) == len(tags)
