"""``/responses``: create, retrieve, resume, cancel, delete, compact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from codex_api.testing.faults import apply
from codex_api.testing.server.answer_headers import response_headers, turn_state_header
from codex_api.testing.server.chance import timely_response
from codex_api.testing.server.checks import json_body
from codex_api.testing.server.compaction import seal
from codex_api.testing.server.event_stream import EventStream
from codex_api.testing.server.generation import begin
from codex_api.testing.server.items import item_type
from codex_api.testing.server.pages import page
from codex_api.testing.server.problems import RequestProblem, invalid_type
from codex_api.testing.server.threads import thread_of
from codex_api.testing.server.tokens import count_tokens, prompt_tokens, usage
from codex_api.testing.server.validation import (
    COMPACT_KEYS,
    COUNT_KEYS,
    parse_response_request,
)
from codex_api.testing.steps import Event, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from codex_api.testing.recording import RecordedRequest
    from codex_api.testing.scenarios import Scenario
    from codex_api.testing.server.generation import Generation
    from codex_api.testing.server.state import ServerState


class Responses:
    """The HTTP endpoints of responses."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def routes(self) -> list[BaseRoute]:
        """Return the routes below the base path."""
        one = "/responses/{response_id}"
        return [
            Route("/responses", self.create, methods=["POST"]),
            Route("/responses/compact", self.compact, methods=["POST"]),
            Route("/responses/input_tokens", self.input_tokens, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/cancel", self.cancel, methods=["POST"]),
            Route(f"{one}/input_items", self.input_items, methods=["GET"]),
        ]

    async def create(self, http: Request) -> Response:
        """Answer a request, as a stream or as one object."""
        recorded, scenario = _context(http)
        request, generation = begin(self._state, json_body(recorded))
        headers = response_headers(self._state, recorded, request.model)
        headers = _scripted_headers(headers, scenario)
        if request.background:
            return await self._begin(generation, scenario, headers, is_streamed=request.stream)
        if request.stream:
            steps = generation.steps(scenario)
            return EventStream(self._state, steps, headers, scenario.head_gate)
        if scenario.head_gate is not None:
            await scenario.head_gate.passed()
        final = await timely_response(generation, scenario)
        return JSONResponse(final, headers=headers)

    async def _begin(
        self,
        generation: Generation,
        scenario: Scenario,
        headers: dict[str, str],
        *,
        is_streamed: bool,
    ) -> Response:
        run = generation.run(scenario)
        run.start()
        if is_streamed:
            steps = apply(run.follow(-1), scenario.faults)
            return EventStream(self._state, steps, headers, scenario.head_gate)
        if scenario.head_gate is not None:
            await scenario.head_gate.passed()
        return JSONResponse({**run.stored.response, "status": "queued"}, headers=headers)

    async def retrieve(self, http: Request) -> Response:
        """Return a stored response, or the rest of its events."""
        _, scenario = _context(http)
        stored = self._state.response(http.path_params["response_id"])
        if http.query_params.get("stream") != "true":
            return JSONResponse(stored.response)
        after = http.query_params.get("starting_after", "-1")
        if not after.lstrip("-").isdigit():
            param = "starting_after"
            raise invalid_type(param, "an integer", after)
        run = self._state.runs.get(stored.response["id"])
        rest: Iterable[Step] = (
            (Event(each) for each in stored.events if each["sequence_number"] > int(after))
            if run is None
            else run.follow(int(after))
        )
        steps = apply(rest, scenario.faults)
        headers = _scripted_headers({}, scenario)
        return EventStream(self._state, steps, headers, scenario.head_gate)

    async def delete(self, http: Request) -> Response:
        """Forget a stored response."""
        response_id: str = http.path_params["response_id"]
        self._state.response(response_id)
        if response_id in self._state.runs:
            self._state.runs[response_id].cancel()
        del self._state.stored[response_id]
        return JSONResponse({"id": response_id, "object": "response", "deleted": True})

    async def cancel(self, http: Request) -> Response:
        """Cancel a background response; one that is through stays as it is."""
        stored = self._state.response(http.path_params["response_id"])
        if not stored.response["background"]:
            message = "Only a response created with background=true can be cancelled."
            raise RequestProblem(400, message)
        run = self._state.runs.get(stored.response["id"])
        if run is not None:
            run.cancel()
        return JSONResponse(stored.response)

    async def input_items(self, http: Request) -> Response:
        """List what a stored response was made of."""
        return page(http, self._state.response(http.path_params["response_id"]).input)

    async def input_tokens(self, http: Request) -> Response:
        """Count the tokens of a request."""
        recorded, _ = _context(http)
        extra = self._state.settings.extra_item_types
        body = json_body(recorded)
        request = parse_response_request(body, keys=COUNT_KEYS, extra_item_types=extra)
        thread = thread_of(self._state, body)
        earlier = self._state.previous_items(body.get("previous_response_id"))
        items = [*(earlier if thread is None else thread.items), *request.input]
        count = prompt_tokens(request.text("instructions"), request.tools, items)
        return JSONResponse({"object": "response.input_tokens", "input_tokens": count})

    async def compact(self, http: Request) -> Response:
        """Return the user messages of a conversation and one item that stands for all of it."""
        recorded, _ = _context(http)
        extra = self._state.settings.extra_item_types
        body = json_body(recorded)
        request = parse_response_request(body, keys=COMPACT_KEYS, extra_item_types=extra)
        earlier = self._state.previous_items(body.get("previous_response_id"))
        items = [*earlier, *request.input]
        sealed = seal(items)
        kept = [
            {"id": self._state.new_id("msg"), "status": "completed", "type": "message", **item}
            for item in items
            if item_type(item) == "message" and item.get("role") == "user"
        ]
        compaction = {
            "id": self._state.new_id("cmp"),
            "type": "compaction",
            "encrypted_content": sealed,
        }
        spent = prompt_tokens(request.text("instructions"), request.tools, items)
        answer = {
            "id": self._state.new_id("resp"),
            "object": "response.compaction",
            "created_at": int(self._state.clock()),
            "output": [*kept, compaction],
            "usage": usage(spent, 0, count_tokens(sealed), 0),
        }
        return JSONResponse(answer, headers=turn_state_header(self._state, recorded))


def _context(http: Request) -> tuple[RecordedRequest, Scenario]:
    return http.state.recorded, http.state.scenario


def _scripted_headers(headers: dict[str, str], scenario: Scenario) -> dict[str, str]:
    merged = {**headers, **{name.lower(): value for name, value in scenario.headers.items()}}
    return {name: value for name, value in merged.items() if name not in scenario.omitted_headers}
