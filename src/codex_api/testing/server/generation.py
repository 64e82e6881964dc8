"""From a checked request to the steps that answer it, whatever the transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api.testing.faults import TERMINAL_TYPES, apply
from codex_api.testing.server.background import BackgroundRun
from codex_api.testing.server.items import check_calls
from codex_api.testing.server.kept_items import kept
from codex_api.testing.server.model import answer
from codex_api.testing.server.offers import offered_tools
from codex_api.testing.server.response_events import ResponseWriter
from codex_api.testing.server.state import StoredResponse
from codex_api.testing.server.threads import thread_of
from codex_api.testing.server.tokens import item_tokens, prompt_tokens
from codex_api.testing.server.validation import parse_response_request
from codex_api.testing.steps import Event, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codex_api.testing.scenarios import Scenario
    from codex_api.testing.server.state import ServerState
    from codex_api.testing.server.validation import ResponseRequest
    from codex_api.testing.wire import JsonObject


class Generation:
    """One response in the making.

    Args:
        request: The request as it came.
        earlier: The conversation that it goes on from, unless the request names one.

    Raises:
        RequestProblem: The conversation does not hang together, or is not there.
    """

    def __init__(
        self, state: ServerState, request: ResponseRequest, earlier: list[JsonObject]
    ) -> None:
        self._state = state
        self._thread = thread_of(state, request.body)
        self._own_input = request.input
        if self._thread is not None:
            earlier = self._thread.items
        self._request = request.with_input([*earlier, *request.input])
        # A request with ``generate: false`` only hands over its input.
        is_prewarm = request.body.get("generate") is False
        if not is_prewarm:
            check_calls(self._request.input)
        files = [(each.file_id, each.name, each.content) for each in state.files.values()]
        self._plan = [] if is_prewarm else answer(self._request, files)
        tools = [tool for _, tool, _ in offered_tools(self._request)]
        self._writer = ResponseWriter(
            self._request,
            state.new_id("resp"),
            state.new_id,
            state.clock,
            (
                prompt_tokens(request.text("instructions"), tools, self._request.input),
                self._cached_tokens(earlier),
            ),
        )

    @property
    def response(self) -> JsonObject:
        """The response object as it is by now."""
        return self._writer.response

    @property
    def output(self) -> list[JsonObject]:
        """What has been put out by now."""
        return self._writer.output

    @property
    def items(self) -> list[JsonObject]:
        """The conversation with what has been put out by now."""
        return [*self._request.input, *self._writer.output]

    def events(self) -> Iterable[JsonObject]:
        """Return all events; a response to be stored is complete before the first is given."""
        if not self._request.store:
            return self._writer.events(self._plan)
        events = list(self._writer.events(self._plan))
        stored = self.stored()
        stored.events[:] = events
        self._state.stored[self.response["id"]] = stored
        return events

    def stored(self) -> StoredResponse:
        """Return the response as it is kept, without events."""
        made_of = [kept(item, self._state.new_id) for item in self._request.input]
        return StoredResponse(self.response, made_of, self.items, [])

    def run(self, scenario: Scenario) -> BackgroundRun:
        """Return the task that makes the response without a connection."""
        self._obey(scenario)
        scripted = scenario.events
        events = self._writer.events(self._plan) if scripted is None else iter(scripted)
        return BackgroundRun(self._state, self, iter(events))

    def steps(self, scenario: Scenario) -> Iterator[Step]:
        """Return the steps that send the response, as ``scenario`` leaves them."""
        self._obey(scenario)
        events = self._noted() if scenario.events is None else scenario.events
        return apply((Event(event) for event in events), scenario.faults)

    def _obey(self, scenario: Scenario) -> None:
        if scenario.outputs is not None:
            self._plan = list(scenario.outputs)
        self._writer.usage = scenario.usage or {}

    def _noted(self) -> Iterator[JsonObject]:
        for event in self.events():
            if event["type"] in TERMINAL_TYPES:
                self._state.conversations[self.response["id"]] = self.items
                self.join_thread()
            yield event

    def join_thread(self) -> None:
        """Add what was asked and put out to the conversation that the request names, once."""
        if self._thread is not None:
            new = [*self._own_input, *self.output]
            self._thread.items += [kept(item, self._state.new_id) for item in new]
            self._thread = None

    def _cached_tokens(self, earlier: list[JsonObject]) -> int:
        key = self._request.text("prompt_cache_key")
        before = sum(item_tokens(item) for item in earlier)
        return max(self._state.cache.cached_tokens(key, self._request.input), before)


def begin(state: ServerState, body: JsonObject) -> tuple[ResponseRequest, Generation]:
    """Check the body of a request for a response, and find what it goes on from.

    Raises:
        RequestProblem: It makes no sense, or what it names is not there.
    """
    extra = state.settings.extra_item_types
    request = parse_response_request(body, extra_item_types=extra)
    earlier = state.previous_items(body.get("previous_response_id"))
    return request, Generation(state, request, earlier)


def final_response(generation: Generation, scenario: Scenario) -> JsonObject:
    """Make a response to its end, and give it as one object."""
    final = generation.response
    for step in generation.steps(scenario):
        if isinstance(step, Event) and step.payload.get("type") in TERMINAL_TYPES:
            final = step.payload["response"]
    return final


def whole_response(state: ServerState, body: JsonObject, scenario: Scenario) -> JsonObject:
    """Answer the body of a request with one object.

    Raises:
        RequestProblem: It makes no sense, or what it names is not there.
    """
    _, generation = begin(state, body)
    return final_response(generation, scenario)
