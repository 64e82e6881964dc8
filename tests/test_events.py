from __future__ import annotations

import inspect
import pickle
from typing import get_args

import msgspec
import pytest

from codex_api import events, items
from codex_api.events import OutputTextDelta, ReasoningSummaryDelta, ResponseEvent
from codex_api.types.usage import TokenUsage


def test_response_event_is_the_union_of_every_event_class() -> None:
    classes = {
        value
        for name in events.__all__
        if inspect.isclass(value := getattr(events, name)) and issubclass(value, msgspec.Struct)
    }

    usual, further = set(get_args(ResponseEvent)), set(get_args(events.FurtherEvent))
    helpers = {events.WireEvent, events.RawEvent, events.ShellOutputDelta}
    assert usual | further == classes - helpers
    assert not usual & further


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
        cls.__struct_config__.tag
        for cls in (*get_args(ResponseEvent), *get_args(events.FurtherEvent))
        if cls is not events.OtherEvent
    ]

    assert None not in tags
    assert len(set(tags)) == len(tags)


USAGE = TokenUsage(input_tokens=1, output_tokens=2, total_tokens=3)
WRITTEN = [
    (events.OutputTextDelta("a", item_id="m"), {"delta": "a", "item_id": "m"}),
    (
        events.ToolCallInputDelta("i", None, "a"),
        {"item_id": "i", "delta": "a"},
    ),
    (
        events.ToolCallInputDelta("i", "c", "a"),
        {"item_id": "i", "call_id": "c", "delta": "a"},
    ),
    (
        events.Created("r"),
        {"response": {"id": "r", "object": "response", "status": "in_progress"}},
    ),
    (events.Created(), {"response": {"object": "response", "status": "in_progress"}}),
    (events.InProgress("r", msgspec.Raw(b'{"id":"r"}')), {"response": {"id": "r"}}),
    (
        events.InProgress("r"),
        {"response": {"id": "r", "object": "response", "status": "in_progress"}},
    ),
    (events.Queued("r"), {"response": {"id": "r", "object": "response", "status": "queued"}}),
    (events.Queued("r", msgspec.Raw(b'{"id":"r"}')), {"response": {"id": "r"}}),
    (
        events.OutputItemDone(items.Message.assistant("a"), msgspec.Raw(b'{"type":"x"}')),
        {"item": {"type": "x"}},
    ),
    (
        events.OutputItemAdded(items.ItemReference(id="x")),
        {"item": {"type": "item_reference", "id": "x"}},
    ),
    (
        events.Completed("r", USAGE, end_turn=True),
        {
            "response": {
                "id": "r",
                "object": "response",
                "status": "completed",
                "usage": {
                    "input_tokens": 1,
                    "input_tokens_details": {"cached_tokens": 0},
                    "output_tokens": 2,
                    "output_tokens_details": {"reasoning_tokens": 0},
                    "total_tokens": 3,
                },
                "end_turn": True,
            }
        },
    ),
    (events.PartialImage("aGk="), {"partial_image_b64": "aGk="}),
]


@pytest.mark.parametrize(("event", "wire"), WRITTEN)
def test_an_event_is_written_as_the_wire_has_it(
    event: ResponseEvent, wire: dict[str, object]
) -> None:
    written = msgspec.json.decode(events.encode_event(event))

    assert written == {"type": type(event).__struct_config__.tag, **wire}


def test_other_events_are_written_byte_for_byte() -> None:
    event = events.OtherEvent("later", msgspec.Raw(b'{ "type" : "later" }'))

    assert events.encode_event(event) == b'{ "type" : "later" }'


def test_what_the_wire_has_not_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="the wire has no ServerModel"):
        events.encode_event(events.ServerModel("m"))


@pytest.mark.parametrize(
    "event",
    [
        events.Created("r"),
        events.Completed("r"),
        events.OutputItemDone(items.Message.user("a")),
        events.ServerModel("m"),
        events.OtherEvent("later", msgspec.Raw(b"{}")),
        events.InProgress("r"),
    ],
)
def test_a_plain_encoder_makes_no_lookalike_of_the_wire(event: ResponseEvent) -> None:
    with pytest.raises(TypeError, match="NoWireForm"):
        msgspec.json.encode(event)


def test_a_raw_event_is_framed_as_the_public_api_does() -> None:
    one = events.RawEvent(b'{"type":"later"}', [])
    several = events.RawEvent(b'{\r\n"type":\r"later"}', [])
    nameless = events.RawEvent(b'"odd"', [])
    headers = events.RawEvent(b"", [events.ServerModel("m")])

    assert (one.type, one.sse) == ("later", b'event: later\ndata: {"type":"later"}\n\n')
    assert several.sse == b'event: later\ndata: {\ndata: "type":\ndata: "later"}\n\n'
    assert (nameless.type, nameless.sse) == ("", b'data: "odd"\n\n')
    assert (headers.type, headers.sse) == ("", b"")
