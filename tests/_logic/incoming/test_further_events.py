from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from msgspec import Raw

from codex_api import events
from codex_api._logic.incoming.mapping import EventMapper
from codex_api.types.content import OutputText, UnknownPart
from codex_api.types.further_events import FurtherEvent

CLASSES: dict[str, Any] = {str(cls.__struct_config__.tag): cls for cls in get_args(FurtherEvent)}
# What an event is for: it is none without.
PURPOSES: dict[str, dict[str, Any]] = {
    "response.image_generation_call.partial_image": {"partial_image_b64": "QQ=="},
    "response.code_interpreter_call_code.delta": {"delta": "x"},
    "response.code_interpreter_call_code.done": {"code": "x"},
    "response.mcp_call_arguments.delta": {"delta": "x"},
    "response.mcp_call_arguments.done": {"arguments": "x"},
    "response.function_call_arguments.done": {"arguments": "x"},
    "response.custom_tool_call_input.done": {"input": "x"},
    "response.shell_call_command.added": {"command": "x"},
    "response.shell_call_command.delta": {"delta": "x"},
    "response.shell_call_command.done": {"command": "x"},
    "response.shell_call_output_content.delta": {"delta": {"stdout": "x"}},
    "response.shell_call_output_content.done": {"output": []},
    "response.content_part.added": {"part": {"type": "output_text", "text": ""}},
    "response.content_part.done": {"part": {"type": "output_text", "text": "x"}},
    "response.output_text.done": {"text": "x"},
    "response.refusal.done": {"refusal": "x"},
    "response.reasoning_text.done": {"text": "x"},
    "response.reasoning_summary_part.done": {"part": {"type": "summary_text", "text": "x"}},
    "response.audio.delta": {"delta": "QQ=="},
    "response.audio.transcript.delta": {"delta": "x"},
}


def told(tag: str, **fields: Any) -> list[events.ResponseEvent]:
    mapper = EventMapper(all_events=True)
    found = mapper.feed_all((json.dumps({"type": tag, **fields}).encode(),))
    assert mapper.failure is None
    return found


def only(tag: str, **fields: Any) -> Any:
    (event,) = told(tag, **fields)
    return event


@pytest.mark.parametrize("tag", CLASSES)
def test_each_event_comes_in_its_class_to_who_asks_for_all(tag: str) -> None:
    event = only(tag, sequence_number=3, **PURPOSES.get(tag, {}))

    assert type(event) is CLASSES[tag]
    assert told(tag, new_member=[1], **PURPOSES.get(tag, {})) != []


@pytest.mark.parametrize("tag", PURPOSES)
@pytest.mark.parametrize("odd", [[], {}])
def test_an_event_that_lacks_what_it_is_for_has_no_class(tag: str, odd: Any) -> None:
    (purpose,) = PURPOSES[tag]

    assert told(tag) == []
    found = told(tag, **{purpose: odd})
    if purpose in {"part", "output", "delta"} and found:
        (event,) = found
        assert type(event) is CLASSES[tag]  # an empty list of outputs, an odd part as it came
    else:
        assert found == []


def test_an_odd_field_costs_only_itself() -> None:
    event = only("response.output_text.done", text="x", output_index="two", item_id="m")

    assert (event.text, event.item_id, event.output_index) == ("x", "m", None)


def test_a_part_of_another_kind_is_kept_raw() -> None:
    known = only("response.content_part.done", part={"type": "output_text", "text": "x"})
    other = only("response.content_part.done", part={"type": "hologram", "x": 1})

    assert known.part == OutputText("x")
    assert isinstance(other.part, UnknownPart)
    assert json.loads(bytes(other.part.raw)) == {"type": "hologram", "x": 1}


def test_a_citation_may_be_of_a_kind_that_nobody_knows() -> None:
    tag = "response.output_text.annotation.added"
    url = {
        "type": "url_citation",
        "url": "https://h",
        "title": "t",
        "start_index": 0,
        "end_index": 1,
    }

    assert only(tag, annotation=url).annotation.url == "https://h"
    assert only(tag, annotation={"type": "dream"}, annotation_index=2).annotation_index == 2
    assert only(tag, annotation=None).annotation is None
    assert only(tag).annotation is None


def test_probabilities_come_with_the_text_when_they_can_be_read() -> None:
    tokens = [{"token": "x", "logprob": -0.5, "bytes": [120], "top_logprobs": []}]
    tag = "response.output_text.done"

    (token,) = only(tag, text="x", logprobs=tokens).logprobs
    assert (token.token, token.logprob) == ("x", -0.5)
    assert only(tag, text="x", logprobs="odd").logprobs is None


def test_what_a_command_wrote_is_told_by_stream() -> None:
    tag = "response.shell_call_output_content.delta"

    assert only(tag, delta={"stderr": "no"}, command_index=1).delta.stderr == "no"
    assert told(tag, delta="text") == []


def test_how_a_command_ended_is_told_for_each_output() -> None:
    ended = {"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}

    first, second = only("response.shell_call_output_content.done", output=[ended, 5]).output

    assert first.stdout == "a"
    assert second == UnknownPart(Raw(b"5"))
    assert told("response.shell_call_output_content.done", output="all") == []


@pytest.mark.parametrize("tag", ["response.in_progress", "response.queued"])
def test_the_response_so_far_is_told_with_its_bytes(tag: str) -> None:
    response = {"id": "resp_1", "status": "queued"}
    event = only(tag, response=response)
    bare = only(tag)

    assert (event.response_id, json.loads(bytes(event.raw))) == ("resp_1", response)
    assert (bare.response_id, bytes(bare.raw)) == (None, b"")
    assert only(tag, response=[]).response_id is None


def test_who_asks_for_all_events_still_gets_whole_parts_for_the_answer() -> None:
    mapper = EventMapper(all_events=True)
    payload = b'{"type":"response.output_text.done","text":"x"}'
    mapper.feed_all((payload,))

    assert mapper.parts == [(1, payload)]


def test_what_has_no_class_is_nothing_unless_others_are_asked_for() -> None:
    payload = b'{"type":"response.brand_new"}'
    both = EventMapper(all_events=True, other_events=True)

    assert told("response.brand_new") == []
    assert both.feed_all((payload,)) == [events.OtherEvent("response.brand_new", Raw(payload))]
