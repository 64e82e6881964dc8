"""``/chat/completions``: a thin bridge, over which older clients reach the same model.

A request is turned into one for a response, and what comes of it is turned back. Parameters that
only tune a real model are taken and left alone; nothing is stored. Several choices are the same
one, since equal conversations give equal answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from codex_api.testing.server.answer_headers import response_headers
from codex_api.testing.server.chance import timely_response
from codex_api.testing.server.chat_request import as_response_request
from codex_api.testing.server.checks import json_body, optional
from codex_api.testing.server.event_stream import EventStream
from codex_api.testing.server.generation import begin, final_response
from codex_api.testing.server.problems import RequestProblem, invalid_value
from codex_api.testing.steps import Event, Raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from codex_api.testing.scenarios import Scenario
    from codex_api.testing.server.generation import Generation
    from codex_api.testing.server.state import ServerState
    from codex_api.testing.steps import Step
    from codex_api.testing.wire import JsonObject

MAX_CHOICES = 128
_DONE = Raw(b"data: [DONE]\n\n")
_CALLS = frozenset({"function_call", "custom_tool_call"})


class Chat:
    """The endpoint."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def routes(self) -> list[BaseRoute]:
        """Return the routes below the base path."""
        return [Route("/chat/completions", self.create, methods=["POST"])]

    async def create(self, http: Request) -> Response:
        """Answer a request, as a stream or as one object."""
        body = json_body(http.state.recorded)
        scenario: Scenario = http.state.scenario
        generation, completion = _begin(self._state, body)
        headers = response_headers(self._state, http.state.recorded, generation.response["model"])
        if body.get("stream"):
            steps = completion.steps(generation, scenario)
            return EventStream(self._state, steps, headers, scenario.head_gate)
        if scenario.head_gate is not None:
            await scenario.head_gate.passed()
        final = await timely_response(generation, scenario)
        return JSONResponse(completion.whole(final), headers=headers)


def whole_completion(state: ServerState, body: JsonObject, scenario: Scenario) -> JsonObject:
    """Answer the body of a request with one object.

    Raises:
        RequestProblem: It makes no sense, or the response failed.
    """
    generation, completion = _begin(state, body)
    return completion.whole(final_response(generation, scenario))


def _begin(state: ServerState, body: JsonObject) -> tuple[Generation, _Completion]:
    count: int = optional(body, "n", int) or 1
    if not 1 <= count <= MAX_CHOICES:
        param, message = "n", f"it must be from 1 to {MAX_CHOICES}."
        raise invalid_value(param, message)
    _, generation = begin(state, as_response_request(body))
    return generation, _Completion(state, generation.response, body, count)


class _Completion:
    """Turns a response, or its events, into what this endpoint gives."""

    def __init__(
        self, state: ServerState, response: JsonObject, body: JsonObject, count: int
    ) -> None:
        self._count = count
        options: JsonObject = optional(body, "stream_options", dict) or {}
        self._tells_usage = bool(options.get("include_usage"))
        self._common: JsonObject = {
            "id": state.new_id("chatcmpl"),
            "created": response["created_at"],
            "model": response["model"],
            "service_tier": response["service_tier"],
            "system_fingerprint": None,
        }
        self._calls: list[str] = []

    def whole(self, final: JsonObject) -> JsonObject:
        """Return the completion of a response that is over.

        Raises:
            RequestProblem: It failed.
        """
        if final["status"] == "failed":
            error: JsonObject = final.get("error") or {}
            raise RequestProblem(500, str(error.get("message")), error.get("code"), None, "server")
        message = _message(final["output"])
        choice: JsonObject = {"finish_reason": _reason(final), "logprobs": None, "message": message}
        return {
            **self._common,
            "object": "chat.completion",
            "choices": [{"index": number, **choice} for number in range(self._count)],
            "usage": _usage(final["usage"]),
        }

    def steps(self, generation: Generation, scenario: Scenario) -> Iterator[Step]:
        """Return the steps that send the chunks, with what a script makes of the events."""
        for step in generation.steps(scenario):
            if isinstance(step, Event):
                yield from (Event(chunk) for chunk in self._chunks(step.payload))
            else:
                yield step
        yield _DONE

    def _chunks(self, event: JsonObject) -> Iterator[JsonObject]:
        match event["type"]:
            case "response.created":
                yield self._chunk({"role": "assistant", "content": ""})
            case "response.output_text.delta":
                yield self._chunk({"content": event["delta"]})
            case "response.refusal.delta":
                yield self._chunk({"refusal": event["delta"]})
            case "response.output_item.added" if event["item"]["type"] in _CALLS:
                self._calls.append(event["item"]["id"])
                number = len(self._calls) - 1
                call = {"index": number, **_call({**event["item"], "arguments": "", "input": ""})}
                yield self._chunk({"tool_calls": [call]})
            case "response.function_call_arguments.delta":
                yield self._call_delta(event, "function", "arguments")
            case "response.custom_tool_call_input.delta":
                yield self._call_delta(event, "custom", "input")
            case "response.failed":
                yield {"error": event["response"]["error"]}
            case "response.completed" | "response.incomplete":
                yield self._chunk({}, _reason(event["response"]))
                if self._tells_usage:
                    usage = _usage(event["response"]["usage"])
                    yield {**self._chunk({}), "choices": [], "usage": usage}
            case _:
                pass

    def _call_delta(self, event: JsonObject, kind: str, key: str) -> JsonObject:
        number = self._calls.index(event["item_id"])
        return self._chunk({"tool_calls": [{"index": number, kind: {key: event["delta"]}}]})

    def _chunk(self, delta: JsonObject, reason: str | None = None) -> JsonObject:
        choice: JsonObject = {"delta": delta, "logprobs": None, "finish_reason": reason}
        choices = [{"index": number, **choice} for number in range(self._count)]
        usage: JsonObject = {"usage": None} if self._tells_usage else {}
        return {**self._common, "object": "chat.completion.chunk", "choices": choices, **usage}


def _message(output: list[JsonObject]) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": None, "refusal": None}
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    if texts := [part["text"] for part in parts if "text" in part]:
        message["content"] = "".join(texts)
    if refusals := [part["refusal"] for part in parts if "refusal" in part]:
        message["refusal"] = "".join(refusals)
    message["annotations"] = [
        {"type": "url_citation", "url_citation": {**each, "type": "url_citation"}}
        for part in parts
        for each in part.get("annotations") or ()
        if each["type"] == "url_citation"
    ]
    if calls := [_call(item) for item in output if item["type"] in _CALLS]:
        message["tool_calls"] = calls
    return message


def _call(item: JsonObject) -> JsonObject:
    if item["type"] == "custom_tool_call":
        custom = {"name": item["name"], "input": item["input"]}
        return {"id": item["call_id"], "type": "custom", "custom": custom}
    function = {"name": item["name"], "arguments": item["arguments"]}
    return {"id": item["call_id"], "type": "function", "function": function}


def _reason(final: JsonObject) -> str:
    if final["status"] == "incomplete":
        return "length"
    return "tool_calls" if any(item["type"] in _CALLS for item in final["output"]) else "stop"


def _usage(spent: JsonObject) -> JsonObject:
    return {
        "prompt_tokens": spent["input_tokens"],
        "completion_tokens": spent["output_tokens"],
        "total_tokens": spent["total_tokens"],
        "prompt_tokens_details": {
            "cached_tokens": spent["input_tokens_details"]["cached_tokens"],
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": spent["output_tokens_details"]["reasoning_tokens"],
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
