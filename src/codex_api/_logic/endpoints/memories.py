"""``memories/trace_summarize`` (wire.md, Other endpoints)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from codex_api._logic.incoming.answers import decode_answer, decode_elements
from codex_api._logic.incoming.item_codec import encode_item
from codex_api._logic.outgoing.fields import check_fields, illegal, require_list, require_text
from codex_api._logic.outgoing.plain_values import as_value
from codex_api._logic.outgoing.unary_request import post
from codex_api.transport._core.messages import JsonBody
from codex_api.types.memories import (
    MemorySummarizeInput,
    MemorySummarizeOutput,
    MemorySummary,
    RawMemory,
    RawMemoryMetadata,
    UnknownMemorySummary,
)
from codex_api.types.reasoning import Reasoning

if TYPE_CHECKING:
    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.transport._core.messages import Response
    from codex_api.types.request import ResponsesOptions

ENDPOINT = "memories/trace_summarize"
SUBJECT = "memory summarize input"


class _WireTrace(msgspec.Struct):
    id: str
    metadata: RawMemoryMetadata
    items: Sequence[object]


class _WireInput(msgspec.Struct, omit_defaults=True):
    model: str
    traces: Sequence[_WireTrace]
    reasoning: Reasoning | None = None


class _Body(msgspec.Struct):
    output: list[msgspec.Raw]


class _TraceSummary(msgspec.Struct):
    trace_summary: str
    memory_summary: str


_BODY: msgspec.json.Decoder[_Body] = msgspec.json.Decoder(_Body)
_NEW: msgspec.json.Decoder[_TraceSummary] = msgspec.json.Decoder(_TraceSummary)
_OLD: msgspec.json.Decoder[MemorySummarizeOutput] = msgspec.json.Decoder(MemorySummarizeOutput)


def summarize(
    ctx: CallContext,
    summarize_input: MemorySummarizeInput | Mapping[str, Any],
    extra_headers: HeaderSource | Headers | None = None,
    *,
    options: ResponsesOptions | None = None,
    timeout: float | None = None,
) -> Operation[list[MemorySummary]]:
    """Summarize recorded traces, one summary for each, in their order.

    Args:
        summarize_input: Traces, at least one; a mapping has the fields as keys, and so may each
            trace.
        extra_headers: For this call.
        options: Says which session and sub-agent the call belongs to.
        timeout: Limit in seconds on the whole call, or None.

    Returns:
        A summary that does not have the promised form is an ``UnknownMemorySummary``.

    Raises:
        RequestBuildError: There is no trace, or one has no JSON form; nothing was sent.
        TypeError: ``summarize_input`` is neither, or a mapping with other keys.
        DecodeError: The answer is not what was promised.
        CodexApiError: The call failed.
    """
    wire = _wire(_checked(as_value(MemorySummarizeInput, summarize_input, SUBJECT)))
    # The items are any JSON.
    bare = [msgspec.structs.replace(trace, items=()) for trace in wire.traces]
    check_fields(msgspec.structs.replace(wire, traces=bare), SUBJECT)
    return post(
        ctx,
        ENDPOINT,
        JsonBody(wire),
        _decode,
        extra_headers=extra_headers,
        options=options,
        timeout=timeout,
    )


def _checked(summarize_input: MemorySummarizeInput) -> MemorySummarizeInput:
    require_text(summarize_input.model, "model", SUBJECT, "the name of a model")
    require_list(summarize_input.raw_memories, "raw_memories", SUBJECT, "a list of traces")
    if not summarize_input.raw_memories:
        raise illegal("raw_memories", SUBJECT, "it is empty, at least one trace is needed")
    memories: list[RawMemory] = []
    for index, given in enumerate(summarize_input.raw_memories):
        field = f"raw_memories[{index}]"
        if not isinstance(given, RawMemory | Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # not every caller has a type checker
            raise illegal(field, SUBJECT, f"it is {type(given).__name__}, expected a RawMemory")
        memory = as_value(RawMemory, given, "trace")
        require_list(memory.items, f"{field}.items", SUBJECT, "a list of items")
        memories.append(memory)
    return msgspec.structs.replace(summarize_input, raw_memories=memories)


def _wire(summarize_input: MemorySummarizeInput) -> _WireInput:
    traces = [
        _WireTrace(memory.id, memory.metadata, [_wire_item(item) for item in memory.items])
        for memory in summarize_input.raw_memories
    ]
    return _WireInput(summarize_input.model, traces, summarize_input.reasoning)


def _wire_item(item: Any) -> object:  # noqa: ANN401 - any JSON
    # Only typed items have a wire form of their own.
    return msgspec.Raw(encode_item(item)) if _is_typed(item) else item


def _is_typed(item: object) -> bool:
    return isinstance(item, msgspec.Struct)


def _decode(response: Response) -> list[MemorySummary]:
    output = decode_answer(_BODY, response, ENDPOINT).output
    return decode_elements(output, _decode_summary, UnknownMemorySummary)


def _decode_summary(raw: msgspec.Raw) -> MemorySummarizeOutput:
    try:
        named = _NEW.decode(raw)
    except msgspec.ValidationError:
        return _OLD.decode(raw)
    return MemorySummarizeOutput(named.trace_summary, named.memory_summary)
