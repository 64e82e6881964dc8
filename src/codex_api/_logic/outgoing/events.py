"""Events as the wire has them, for servers, gateways and recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from codex_api import events
from codex_api._logic.outgoing.items import prepare_items
from codex_api._logic.outgoing.json_values import encode_json
from codex_api.types.wire_event import WireEvent

if TYPE_CHECKING:
    from codex_api.events import ResponseEvent
    from codex_api.types.usage import TokenUsage

    _Rare: TypeAlias = (
        events.Created
        | events.InProgress
        | events.ModelVerifications
        | events.ModelsEtag
        | events.Queued
        | events.RateLimits
        | events.SafetyBuffering
        | events.ServerModel
        | events.ServerReasoningIncluded
        | events.StreamRetry
        | events.TurnModerationMetadata
    )


def encode_event(event: ResponseEvent) -> bytes:
    """Write an event as the payload that it is on the wire.

    What it was made of goes out byte for byte where the event has that: ``raw`` of items and of
    responses, ``OtherEvent``. To pass on a whole stream unchanged, read its ``raw_events``.

    Raises:
        TypeError: The wire has no such event: it was made of headers, or by a session.
    """
    match event:
        case WireEvent():
            return encode_json(event)
        case events.OtherEvent(_, raw):
            return bytes(raw)
        case events.OutputItemAdded(item, raw) | events.OutputItemDone(item, raw):
            told: Any = raw if bytes(raw) else prepare_items([item], keep_ids=True)[0]
            return _tagged(event, {**_place(event.output_index), "item": told})
        case events.ToolCallInputDelta(item_id, call_id, delta):
            named = {"item_id": item_id} if item_id else {}
            call = {} if call_id is None else {"call_id": call_id}
            return _tagged(event, {**_place(event.output_index), **named, **call, "delta": delta})
        case events.Completed():
            return _tagged(event, {"response": event.raw if bytes(event.raw) else _done(event)})
        case _:
            return _rare(event)


def _rare(event: _Rare) -> bytes:
    match event:
        case events.Created(response_id):
            return _tagged(event, {"response": _response(response_id, "in_progress")})
        case events.InProgress(response_id, raw):
            told: Any = raw if bytes(raw) else _response(response_id, "in_progress")
            return _tagged(event, {"response": told})
        case events.Queued(response_id, raw):
            told = raw if bytes(raw) else _response(response_id, "queued")
            return _tagged(event, {"response": told})
        case (
            events.ModelVerifications()
            | events.ModelsEtag()
            | events.RateLimits()
            | events.SafetyBuffering()
            | events.ServerModel()
            | events.ServerReasoningIncluded()
            | events.StreamRetry()
            | events.TurnModerationMetadata()
        ):
            message = f"the wire has no {type(event).__name__}"
            raise TypeError(message)
        case _:
            assert_never(event)


def _tagged(event: ResponseEvent, members: dict[str, Any]) -> bytes:
    return encode_json({"type": event.__struct_config__.tag, **members})


def _place(index: int | None) -> dict[str, int]:
    return {} if index is None else {"output_index": index}


def _response(response_id: str | None, status: str) -> dict[str, Any]:
    named = {} if response_id is None else {"id": response_id}
    return {**named, "object": "response", "status": status}


def _done(event: events.Completed) -> dict[str, Any]:
    usage = {} if event.token_usage is None else {"usage": _usage(event.token_usage)}
    end = {} if event.end_turn is None else {"end_turn": event.end_turn}
    return {**_response(event.response_id, "completed"), **usage, **end}


def _usage(usage: TokenUsage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_output_tokens},
        "total_tokens": usage.total_tokens,
    }
