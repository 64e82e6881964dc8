from __future__ import annotations

import msgspec
import pytest

from codex_api import events
from codex_api._logic.incoming import direct_events
from codex_api._logic.incoming.direct_events import (
    Skipped,
    ToolInput,
    direct_decoder,
    direct_lines,
    is_sign_of_life,
    lenient_event,
)


def decode(data: bytes) -> object:
    return direct_decoder(whole=True).decode(data)


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (
            b'{"type":"response.output_text.delta","delta":"a","item_id":"m","output_index":0%b}'
            % b',"content_index":1,"sequence_number":7,"logprobs":[],"obfuscation":"x"',
            events.OutputTextDelta("a", "m", 0, 1, sequence_number=7),
        ),
        (b'{"type":"response.refusal.delta","delta":"no"}', events.RefusalDelta("no")),
        (
            b'{"type":"response.function_call_arguments.delta","delta":"{","item_id":"fc"}',
            events.FunctionCallArgumentsDelta("{", "fc"),
        ),
        (
            b'{"type":"response.reasoning_summary_text.delta","delta":"a","summary_index":1}',
            events.ReasoningSummaryDelta("a", 1),
        ),
        (
            b'{"type":"response.reasoning_summary_text.done","item_id":"rs","text":"t"%b}'
            % b',"summary_index":0,"output_index":3',
            events.ReasoningSummaryDone("rs", "t", 0, 3),
        ),
        (
            b'{"type":"response.reasoning_summary_part.added","summary_index":4,"part":{}}',
            events.ReasoningSummaryPartAdded(4),
        ),
        (
            b'{"type":"response.reasoning_text.delta","delta":"a","content_index":2}',
            events.ReasoningContentDelta("a", 2),
        ),
    ],
)
def test_deltas_are_decoded_straight_into_their_class(data: bytes, event: object) -> None:
    assert decode(data) == event


def test_known_event_without_a_class_does_not_disturb_its_neighbours() -> None:
    found = decode(b'{"type":"response.in_progress","response":{"id":"r"}}')

    assert isinstance(found, Skipped)


def test_tool_input_keeps_both_ids_for_later() -> None:
    found = decode(b'{"type":"response.custom_tool_call_input.delta","delta":"x","call_id":"c"}')

    assert found == ToolInput(delta="x", item_id=None, call_id="c")


@pytest.mark.parametrize("side", [b'"headers":{}', b'"safety_buffering":{"use_cases":[]}'])
@pytest.mark.parametrize("tag", [b"response.output_text.delta", b"response.in_progress"])
def test_event_with_something_on_the_side_is_refused(tag: bytes, side: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"type":"%b","delta":"a",%b}' % (tag, side))


def test_unknown_type_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"type":"response.brand_new"}')


def fields(**values: object) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in values.items()}


def test_mistyped_optional_field_costs_only_itself() -> None:
    found = lenient_event(
        "response.output_text.delta", fields(delta="a", item_id=5, output_index="x")
    )

    assert found == events.OutputTextDelta("a")


def test_a_delta_needs_only_its_delta() -> None:
    tag = "response.reasoning_summary_text.delta"

    assert lenient_event(tag, fields(summary_index=1)) is None
    assert lenient_event(tag, fields(delta="a")) == events.ReasoningSummaryDelta("a", 0)
    assert lenient_event(tag, fields(delta="a", summary_index="1")) is not None


def test_what_an_event_needs_and_servers_leave_out_is_made_up() -> None:
    begun = lenient_event("response.reasoning_summary_part.added", fields())
    done = lenient_event("response.reasoning_summary_text.done", fields(text="t"))

    assert begun == events.ReasoningSummaryPartAdded(0)
    assert done == events.ReasoningSummaryDone("", "t", 0)


def test_type_that_is_no_delta_is_nothing() -> None:
    assert lenient_event("response.brand_new", fields(delta="a")) is None


@pytest.mark.parametrize(
    ("tag", "is_sign"),
    [
        *(("ping", True), ("keepalive", True), ("response.heartbeat", True), ("KEEP-ALIVE", True)),
        *(("response.in_progress", False), ("ping.answered", False), ("", False)),
    ],
)
def test_a_sign_of_life_is_known_in_whatever_spelling(tag: str, *, is_sign: bool) -> None:
    assert is_sign_of_life(tag) is is_sign


RARE = b'{"type":"response.queued"}'


@pytest.mark.parametrize("is_line", [True, False])
def test_the_decoder_is_built_once_and_again_when_a_rare_event_comes(
    monkeypatch: pytest.MonkeyPatch, *, is_line: bool
) -> None:
    monkeypatch.setattr(direct_events, "_built", {})
    usual = direct_decoder()
    assert usual is direct_decoder()
    with pytest.raises(msgspec.ValidationError):
        usual.decode(RARE)

    if is_line:
        direct_lines(RARE, 1)
    else:
        direct_decoder(whole=True)

    assert isinstance(direct_decoder().decode(RARE), Skipped)
    assert direct_decoder() is direct_decoder(whole=True)


A_DELTA = b'{"type":"response.output_text.delta","delta":"a"}'


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (A_DELTA + b"\n" + A_DELTA, 2),
        # One of them cannot be read, is no delta, or has a line end inside.
        (A_DELTA + b"\n" + A_DELTA[:-1], None),
        (A_DELTA + b'\n{"type":"response.in_progress"}', None),
        (A_DELTA + b"\n" + A_DELTA + b"\n" + A_DELTA, None),
    ],
)
def test_lines_are_decoded_together_or_not_at_all(lines: bytes, count: int | None) -> None:
    expected = None if count is None else [events.OutputTextDelta("a")] * count

    assert direct_lines(lines, 2) == expected
