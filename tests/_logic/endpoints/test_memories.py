from __future__ import annotations

from typing import Any

import msgspec
import pytest

from codex_api import items
from codex_api._logic.endpoints.memories import summarize
from codex_api.errors import DecodeError, RequestBuildError
from codex_api.types.memories import (
    MemorySummarizeInput,
    MemorySummarizeOutput,
    RawMemory,
    RawMemoryMetadata,
    UnknownMemorySummary,
)
from codex_api.types.reasoning import Reasoning
from codex_api.types.request import ResponsesOptions
from codex_api.types.session_source import SessionSource
from tests._logic.operations import CONTEXT, answered, body_of

MEMORY = RawMemory("t1", RawMemoryMetadata("/sessions/a.jsonl"), [{"type": "message", "n": 1}])
INPUT = MemorySummarizeInput("gpt-5", [MEMORY])


def test_memories_go_out_as_traces() -> None:
    operation = summarize(CONTEXT, INPUT)

    assert operation.request.method == "POST"
    assert operation.request.url == "https://h/v1/memories/trace_summarize"
    assert body_of(operation) == (
        b'{"model":"gpt-5","traces":[{"id":"t1","metadata":{"source_path":"/sessions/a.jsonl"},'
        b'"items":[{"type":"message","n":1}]}]}'
    )


def test_reasoning_comes_last_when_it_is_set() -> None:
    given = MemorySummarizeInput("m", [MEMORY], Reasoning(effort="low"))

    assert body_of(summarize(CONTEXT, given)).endswith(b']}],"reasoning":{"effort":"low"}}')


def test_items_of_a_trace_may_be_typed_raw_or_any_json() -> None:
    mixed = RawMemory(
        "t",
        RawMemoryMetadata("p"),
        [items.Message.user("hi"), msgspec.Raw(b'{"a" : 1}'), "text", None],
    )

    body = body_of(summarize(CONTEXT, MemorySummarizeInput("m", [mixed])))

    assert body == (
        b'{"model":"m","traces":[{"id":"t","metadata":{"source_path":"p"},"items":['
        b'{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},'
        b'{"a" : 1},"text",null]}]}'
    )


def test_ids_of_typed_items_stay_home() -> None:
    item = items.Compaction(id="cmp_1", encrypted_content="e")
    given = MemorySummarizeInput("m", [RawMemory("t", RawMemoryMetadata("p"), [item])])

    wire = b'"items":[{"type":"compaction","encrypted_content":"e"}]}]}'
    assert body_of(summarize(CONTEXT, given)).endswith(wire)


def test_both_names_of_the_summary_are_read() -> None:
    body = (
        '{"output":[{"trace_summary":"a","memory_summary":"b"},'
        '{"raw_memory":"c","memory_summary":"d"}]}'
    )

    assert answered(summarize(CONTEXT, INPUT), body) == [
        MemorySummarizeOutput("a", "b"),
        MemorySummarizeOutput("c", "d"),
    ]


@pytest.mark.parametrize(
    "element", ['{"trace_summary":"a"}', '{"memory_summary":"b"}', "3", '{"raw_memory":1}']
)
def test_a_summary_of_another_form_is_kept_raw_in_its_place(element: str) -> None:
    body = f'{{"output":[{element},{{"trace_summary":"a","memory_summary":"b"}}]}}'

    first, second = answered(summarize(CONTEXT, INPUT), body)

    assert isinstance(first, UnknownMemorySummary)
    assert bytes(first.raw) == element.encode()
    assert second == MemorySummarizeOutput("a", "b")


def test_an_answer_without_output_names_it() -> None:
    with pytest.raises(DecodeError, match=r"memories/trace_summarize at `\$\.output`"):
        answered(summarize(CONTEXT, INPUT), "{}")


def test_no_memories_are_refused() -> None:
    with pytest.raises(RequestBuildError, match="`raw_memories`"):
        summarize(CONTEXT, MemorySummarizeInput("m", []))


@pytest.mark.parametrize(
    ("memory", "field"),
    [
        (5, r"raw_memories\[0\]"),
        (RawMemory("a", MEMORY.metadata, None), r"raw_memories\[0\].items"),  # type: ignore[arg-type]  # without a checker
        (RawMemory(5, MEMORY.metadata, []), r"traces\[0\].id"),  # type: ignore[arg-type]  # as above
    ],
)
def test_a_memory_of_another_form_is_refused_by_name(memory: Any, field: str) -> None:
    with pytest.raises(RequestBuildError, match=f"`{field}`"):
        summarize(CONTEXT, MemorySummarizeInput("m", [memory]))


def test_a_blank_model_is_refused() -> None:
    with pytest.raises(RequestBuildError, match="`model`"):
        summarize(CONTEXT, MemorySummarizeInput("", [MEMORY]))


def test_memory_consolidation_says_so() -> None:
    inside = summarize(
        CONTEXT,
        INPUT,
        options=ResponsesOptions(session_source=SessionSource.internal("memory_consolidation")),
    )
    agent = summarize(
        CONTEXT, INPUT, options=ResponsesOptions(session_source="memory_consolidation")
    )

    assert list(inside.request.headers.items()) == [("x-openai-memgen-request", "true")]
    assert list(agent.request.headers.items()) == [("x-openai-subagent", "memory_consolidation")]
