"""From the model's decision to the events of the public Responses API.

Order, names and fields are those that the official SDKs decode; `sequence_number` counts from 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from codex_api.testing.server.plan import Answer, Call, Compacted, Output, Reasoning, ToolItem
from codex_api.testing.server.tokens import count_tokens, pieces, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from codex_api.testing.server.validation import ResponseRequest
    from codex_api.testing.wire import JsonObject

PASSTHROUGH = "internal_chat_message_metadata_passthrough"

# Parameters that a response tells back as they came; others have a default or a form of their own.
_ECHOED = (
    "max_tool_calls",
    "prompt",
    "prompt_cache_retention",
    "safety_identifier",
    "top_logprobs",
    "user",
)
# These are told with what was left open.
_FILLED: dict[str, JsonObject] = {
    "access_programs": {"cyber": "standard"},
    "prompt_cache_options": {"mode": "implicit", "ttl": "30m"},
}

# Bare events, without their sequence number.
Bare: TypeAlias = tuple[str, dict[str, Any]]


class ResponseWriter:
    """Writes the events of one response, and holds what it has become in `response`.

    Args:
        request: The checked request over the whole conversation.
        response_id: Id of the response.
        new_id: Gives the next id for a prefix.
        clock: Gives the time in seconds since the epoch.
        counts: Tokens of the prompt, and how many of them were cached.
    """

    def __init__(
        self,
        request: ResponseRequest,
        response_id: str,
        new_id: Callable[[str], str],
        clock: Callable[[], float],
        counts: tuple[int, int],
    ) -> None:
        self._request = request
        self._new_id = new_id
        self._clock = clock
        self._counts = counts
        self._sequence = 0
        self._room = request.body.get("max_output_tokens")
        self._is_cut = False
        self._output_tokens = 0
        self._reasoning_tokens = 0
        self._passthrough = _passthrough(request.input)
        self.output: list[JsonObject] = []
        self.usage: Mapping[str, Any] = {}
        self.response: JsonObject = response_shell(request, response_id, int(clock()))

    def events(self, plan: Sequence[Output]) -> Iterator[JsonObject]:
        """Yield all events of the response."""
        if self._request.background:
            self.response["status"] = "queued"
        yield self._event("response.created", {"response": dict(self.response)})
        if self._request.background:
            yield self._event("response.queued", {"response": dict(self.response)})
            self.response["status"] = "in_progress"
        yield self._event("response.in_progress", {"response": dict(self.response)})
        for output in plan:
            if self._is_full():
                self._is_cut = True
                break
            for kind, fields in self._output_events(output):
                yield self._event(kind, fields)
        yield self._event(*self._ending())

    def _output_events(self, output: Output) -> Iterator[Bare]:
        match output:
            case Reasoning():
                return self._reasoning(output)
            case Answer():
                return self._answer(output)
            case Call():
                return self._call(output)
            case ToolItem():
                return self._tool_item(output)
            case Compacted():
                item = self._item("compaction", "cmp")
                item["encrypted_content"] = output.encrypted_content
                return self._whole_item(item)
            case _:
                assert_never(output)

    def _reasoning(self, plan: Reasoning) -> Iterator[Bare]:
        item = self._item("reasoning", "rs")
        summary: list[JsonObject] = []
        item["summary"] = summary
        if plan.encrypted_content is not None:
            item["encrypted_content"] = plan.encrypted_content
        at = self._position(item)
        yield "response.output_item.added", {"item": _copy(item), "output_index": len(self.output)}
        for number, text in enumerate(plan.summaries):
            where = {**at, "summary_index": number}
            empty = {"type": "summary_text", "text": ""}
            yield "response.reasoning_summary_part.added", {**where, "part": empty}
            for piece in pieces(text):
                yield "response.reasoning_summary_text.delta", {**where, "delta": piece}
            yield "response.reasoning_summary_text.done", {**where, "text": text}
            part = {"type": "summary_text", "text": text}
            yield "response.reasoning_summary_part.done", {**where, "part": part}
            summary.append(part)
            self._spend(text, is_reasoning=True)
        yield self._done(item)

    def _answer(self, plan: Answer) -> Iterator[Bare]:
        item = self._item("message", "msg")
        item |= {"status": "in_progress", "role": "assistant", "phase": "final_answer"}
        item["content"] = []
        where = {**self._position(item), "content_index": 0}
        kind = "refusal" if plan.is_refusal else "output_text"
        yield "response.output_item.added", {"item": _copy(item), "output_index": len(self.output)}
        yield "response.content_part.added", {**where, "part": _part(kind, "")}
        logprobs: list[JsonObject] = []
        told: JsonObject = {} if plan.is_refusal else {"logprobs": logprobs}
        text = ""
        for piece in pieces(plan.text) if plan.pieces is None else plan.pieces:
            if self._is_full():
                self._is_cut = True
                break
            text += piece
            self._spend(piece)
            logprobs += self._logprobs(piece)
            last: JsonObject = {} if plan.is_refusal else {"logprobs": logprobs[-1:]}
            yield f"response.{kind}.delta", {**where, "delta": piece, **last}
        annotations = list(plan.annotations) if text == plan.text else []
        for number, annotation in enumerate(annotations):
            added = {"annotation_index": number, "annotation": annotation}
            yield "response.output_text.annotation.added", {**where, **added}
        whole = {"refusal": text} if plan.is_refusal else {"text": text, **told}
        yield f"response.{kind}.done", {**where, **whole}
        yield (
            "response.content_part.done",
            {**where, "part": _part(kind, text, annotations, logprobs)},
        )
        item["content"] = [_part(kind, text, annotations, logprobs)]
        item["status"] = "completed" if text == plan.text else "incomplete"
        yield self._done(item)

    def _logprobs(self, piece: str) -> list[JsonObject]:
        """Say how sure the model was: always quite."""
        if "message.output_text.logprobs" not in (self._request.body.get("include") or ()):
            return []
        sure = {"token": piece, "bytes": list(piece.encode()), "logprob": 0.0}
        others: int = self._request.body.get("top_logprobs") or 0
        unlikely = [
            {"token": f" {number}", "bytes": list(f" {number}".encode()), "logprob": -99.0}
            for number in range(1, others)
        ]
        return [{**sure, "top_logprobs": [sure, *unlikely][:others]}]

    def _call(self, plan: Call) -> Iterator[Bare]:
        kind, prefix = ("custom_tool_call", "ctc") if plan.is_custom else ("function_call", "fc")
        key = "input" if plan.is_custom else "arguments"
        stem = "custom_tool_call_input" if plan.is_custom else "function_call_arguments"
        item = self._item(kind, prefix)
        item |= {"status": "in_progress", "name": plan.name, "call_id": self._new_id("call")}
        if plan.namespace is not None:
            item["namespace"] = plan.namespace
        item[key] = ""
        where = self._position(item)
        yield "response.output_item.added", {"item": _copy(item), "output_index": len(self.output)}
        for piece in pieces(plan.payload) if plan.pieces is None else plan.pieces:
            yield f"response.{stem}.delta", {**where, "delta": piece}
        name: JsonObject = {} if plan.is_custom else {"name": plan.name}
        yield f"response.{stem}.done", {**where, key: plan.payload, **name}
        item |= {key: plan.payload, "status": "completed"}
        self._spend(plan.payload)
        yield self._done(item)

    def _tool_item(self, plan: ToolItem) -> Iterator[Bare]:
        item = {**self._item(plan.kind, plan.prefix), **plan.begun}
        if plan.is_for_client:
            item["call_id"] = self._new_id("call")
        where = self._position(item)
        yield "response.output_item.added", {"item": _copy(item), "output_index": len(self.output)}
        for name, fields in plan.steps:
            yield f"response.{name}", {**where, **fields}
        item |= plan.ended
        yield self._done(item)

    def _whole_item(self, item: JsonObject) -> Iterator[Bare]:
        yield "response.output_item.added", {"item": _copy(item), "output_index": len(self.output)}
        yield self._done(item)

    def _ending(self) -> Bare:
        prompt, cached = self._counts
        spent = usage(prompt, cached, self._output_tokens, self._reasoning_tokens)
        spent |= self.usage
        self.response |= {"output": self.output, "usage": spent}
        if self._is_cut:
            reason = {"reason": "max_output_tokens"}
            self.response |= {"status": "incomplete", "incomplete_details": reason}
            return "response.incomplete", {"response": dict(self.response)}
        self.response |= {"status": "completed", "completed_at": int(self._clock())}
        return "response.completed", {"response": dict(self.response)}

    def _item(self, kind: str, prefix: str) -> JsonObject:
        return {"id": self._new_id(prefix), "type": kind, **self._passthrough}

    def _position(self, item: JsonObject) -> JsonObject:
        return {"item_id": item["id"], "output_index": len(self.output)}

    def _done(self, item: JsonObject) -> Bare:
        at = len(self.output)
        self.output.append(item)
        return "response.output_item.done", {"item": item, "output_index": at}

    def _spend(self, text: str, *, is_reasoning: bool = False) -> None:
        count = count_tokens(text)
        self._output_tokens += count
        self._reasoning_tokens += count if is_reasoning else 0

    def _is_full(self) -> bool:
        return self._room is not None and self._output_tokens >= self._room

    def _event(self, kind: str, fields: JsonObject) -> JsonObject:
        event = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return event


def response_shell(request: ResponseRequest, response_id: str, created_at: int) -> JsonObject:
    """Build the response object as it is before anything was put out."""
    body = request.body
    reasoning = request.section("reasoning")
    text = request.section("text")
    told = {key: body[key] for key in _ECHOED if body.get(key) is not None}
    told |= {key: {**_FILLED[key], **body[key]} for key in _FILLED if body.get(key) is not None}
    if body.get("image") is not None:
        wanted = request.section("image").get("context_compression")
        told["image"] = {"context_compression": "enabled" if wanted == "enabled" else "disabled"}
    if body.get("moderation") is not None:
        told["moderation"] = _moderation(request.section("moderation"))
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "background": request.background,
        "completed_at": None,
        "conversation": _conversation(body.get("conversation")),
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": request.model,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {"effort": None, "summary": None, **reasoning},
        "safety_identifier": None,
        "service_tier": body.get("service_tier") or "default",
        "store": request.store,
        "temperature": body.get("temperature", 1.0),
        "text": {"format": {"type": "text"}, "verbosity": "medium", **text},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": request.tools,
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation") or "disabled",
        "usage": None,
        "user": None,
        **told,
    }


def _moderation(asked: JsonObject) -> JsonObject:
    """Return results that flag nothing: there is no model here that could."""
    result: JsonObject = {
        "type": "moderation_result",
        "model": asked.get("model", "omni-moderation-latest"),
        "flagged": False,
        "categories": {},
        "category_scores": {},
        "category_applied_input_types": {},
    }
    return {"input": result, "output": result}


def _conversation(named: object) -> JsonObject | None:
    if named is None:
        return None
    return {"id": named["id"] if isinstance(named, dict) else named}


def _part(
    kind: str,
    text: str,
    annotations: Sequence[JsonObject] = (),
    logprobs: Sequence[JsonObject] = (),
) -> JsonObject:
    if kind == "refusal":
        return {"type": kind, "refusal": text}
    more = {"annotations": list(annotations), "logprobs": list(logprobs)}
    return {"type": kind, "text": text, **more}


def _copy(item: JsonObject) -> JsonObject:
    """Copy ``item`` so far that growing its lists does not change events already given out."""
    copied = dict(item)
    for key in ("content", "summary"):
        if key in item:
            copied[key] = [*item[key]]
    return copied


def _passthrough(items: list[JsonObject]) -> JsonObject:
    # Older clients send increments only when their turn id comes back on what the server put out.
    last: JsonObject = (items[-1].get(PASSTHROUGH) if items else None) or {}
    return {PASSTHROUGH: {"turn_id": last["turn_id"]}} if "turn_id" in last else {}
