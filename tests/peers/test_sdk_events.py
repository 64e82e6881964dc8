"""Events of the official SDK, made from its own types, come in typed and go back out equal."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from openai.types.responses.response_stream_event import ResponseStreamEvent

from codex_api import events
from codex_api._logic.incoming.mapping import EventMapper
from tests.peers.sdk_values import ValueMaker, members

KINDS = {kind.__name__: kind for kind in members(ResponseStreamEvent)}
# These end the response with an error, which says what they say.
RAISED = {"ResponseErrorEvent", "ResponseFailedEvent", "ResponseIncompleteEvent"}
# Keys that no event class has, because each piece of a text would cost more with them.
LEFT_OUT = {
    "ResponseTextDeltaEvent": {"logprobs"},
    "ResponseReasoningSummaryPartAddedEvent": {"part"},
    "ResponseCustomToolCallInputDeltaEvent": {"output_index", "sequence_number"},
    "ResponseCreatedEvent": {"response", "sequence_number"},
    "ResponseInProgressEvent": {"sequence_number"},
    "ResponseQueuedEvent": {"sequence_number"},
    "ResponseCompletedEvent": {"sequence_number"},
    "ResponseOutputItemAddedEvent": {"sequence_number"},
    "ResponseOutputItemDoneEvent": {"sequence_number"},
}


def made(name: str, seed: int) -> dict[str, Any]:
    value: dict[str, Any] = ValueMaker(seed, whole=seed == 0).value(KINDS[name])
    if "response" in value:
        value["response"]["status"] = "incomplete" if "Incomplete" in name else "completed"
    return value


def told(value: Any) -> Any:
    """Leave out what is null: it says the same as nothing."""
    if isinstance(value, dict):
        return {key: told(inner) for key, inner in value.items() if inner is not None}
    return [told(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", sorted(KINDS.keys() - RAISED))
def test_an_event_of_the_sdk_is_typed_and_goes_back_out_equal(name: str) -> None:
    for seed in range(10):
        wire = made(name, seed)

        (event,) = EventMapper(all_events=True).feed_one(msgspec.json.encode(wire))

        assert not isinstance(event, events.OtherEvent)
        left_out = LEFT_OUT.get(name, set())
        again = msgspec.json.decode(events.encode_event(event))
        for key in left_out:
            again.pop(key, None)
        assert told(again) == told({key: wire[key] for key in wire if key not in left_out})


@pytest.mark.parametrize("name", sorted(KINDS))
def test_an_event_of_the_sdk_comes_by_default_or_not_at_all(name: str) -> None:
    """What is delivered by default is the same in either case."""
    payload = msgspec.json.encode(made(name, 0))
    usual, everything = EventMapper(), EventMapper(all_events=True)

    delivered = usual.feed_all((payload,))

    assert delivered == [
        event
        for event in everything.feed_all((payload,))
        if type(event) not in members(events.FurtherEvent)
    ]
    assert type(usual.failure) is type(everything.failure)
    assert (usual.failure is not None) == (name in RAISED)
