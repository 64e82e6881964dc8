"""A whole response, gathered from its events.

``assembler`` puts its items together; here are the facts around them, and what follows from both.
A response is complete when the server said so and everything that came is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from codex_api import events
from codex_api._logic.incoming.assembler import Assembler
from codex_api._logic.incoming.completeness import cut_off_reason
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.item_parts import REFUSAL, SUMMARY, TEXT
from codex_api._logic.incoming.structured_text import parse_response
from codex_api._logic.incoming.terminal import Terminal, read_terminal
from codex_api.errors import ApiError, ResponseIncompleteError
from codex_api.rate_limits import ApiRateLimits, RateLimitSnapshot
from codex_api.types.call_item import FunctionCall
from codex_api.types.content import UnknownPart
from codex_api.types.item import Message, Reasoning, ResponseItem
from codex_api.types.response import final_messages
from codex_api.types.usage import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api._logic.incoming.made_items import Assembled
    from codex_api.events import ResponseEvent
    from codex_api.transport.errors import CodexApiError

T = TypeVar("T")


class StreamFacts(Protocol):
    """What a stream knows besides its events."""

    @property
    def request_id(self) -> str | None: ...
    @property
    def rate_limits(self) -> RateLimitSnapshot | None: ...
    @property
    def api_rate_limits(self) -> ApiRateLimits | None: ...
    @property
    def server_model(self) -> str | None: ...
    @property
    def parts(self) -> Sequence[tuple[int, bytes]]: ...
    @property
    def terminal(self) -> Terminal | None: ...


class CollectedResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A response as a whole.

    Attributes:
        id: Id of the response; None when it was cut off before the server sent it.
        items: Its finished items, in output order. Of a complete response none is missing: what was
            never told as finished is put together from its parts.
        raw_items: The exact bytes of each of ``items``, to send them back without loss; of an item
            that was put together, its encoding.
        text: What the model said, all messages together.
        reasoning_summary: The summary of its reasoning, parts separated by blank lines.
        refusal: With what words the model refused, or None when it did not.
        usage: What it cost, or None when the server did not say.
        end_turn: False when the model wants to be called again at once; None when not said.
        incomplete_reason: Why the response is not complete, or None when it is.
        rate_limits: The newest snapshot of the default limit, or None.
        server_model: The model that answered, or None when the server did not say.
        request_id: Value of ``x-request-id``, or None.
        api_rate_limits: The ``x-ratelimit-*`` limits of the headers, or None.
        status: The response's own status, or None when it was cut off or not given.
        service_tier: The tier that served it, or None.
        created_at: Unix seconds, or None.
        raw: The exact bytes of the final response object; none when it was cut off.
    """

    id: str | None = None
    items: list[ResponseItem] = []
    raw_items: list[msgspec.Raw] = []
    text: str = ""
    reasoning_summary: str = ""
    refusal: str | None = None
    usage: TokenUsage | None = None
    end_turn: bool | None = None
    incomplete_reason: str | None = None
    rate_limits: RateLimitSnapshot | None = None
    server_model: str | None = None
    request_id: str | None = None
    api_rate_limits: ApiRateLimits | None = None
    status: str | None = None
    service_tier: str | None = None
    created_at: float | None = None
    raw: msgspec.Raw = msgspec.Raw()

    @property
    def text_final(self) -> str:
        """The answer without the commentary before it; all text where no phase is given."""
        if not any(item.phase for item in self.items if isinstance(item, Message)):
            return self.text
        return "".join(message.text for message in final_messages(self.items))

    @property
    def function_calls(self) -> list[FunctionCall]:
        """The function calls among the items, in order."""
        return [item for item in self.items if isinstance(item, FunctionCall)]

    def parse(self, type_: type[T]) -> T:
        """Decode the final answer as JSON of ``type_``.

        Where a server does not guarantee the schema, one code fence around the JSON is taken off,
        and messages before the last are passed over if that is JSON by itself.

        Raises:
            ResponseIncompleteError: The response was cut off, so its JSON would be, too.
            DecodeError: The model refused, said nothing, or its text does not fit ``type_``.
        """
        return parse_response(type_, self)


class Collector:
    """Gather the events of one response."""

    def __init__(self) -> None:
        self._assembler = Assembler()
        self._add_part = self._assembler.add
        self._id: str | None = None
        self._completed: events.Completed | None = None
        self._limits: RateLimitSnapshot | None = None
        self._model: str | None = None

    def add(self, event: ResponseEvent) -> None:
        """Take the next event; those that a whole response does not show are ignored."""
        if not self._add_part(event):
            self._add_fact(event)

    def finish(
        self, facts: StreamFacts | None = None, *, incomplete_reason: str | None = None
    ) -> CollectedResponse:
        """Return what was gathered.

        Args:
            facts: The stream that was read, or None when only its events are known.
            incomplete_reason: Why it is not complete, or None to see from the items.
        """
        done = self._completed
        terminal = facts.terminal if facts else None
        if terminal is None and done is not None:
            terminal = read_terminal("response.completed", done.raw)
        found = self._assembler.result(
            facts.parts if facts else (), terminal, is_complete=done is not None
        )
        items = [entry for entry in found if entry.item is not None]
        usage = done.token_usage if done else terminal.usage if terminal else None
        return CollectedResponse(
            id=(done.response_id or self._id) if done else self._id,
            items=[entry.item for entry in items if entry.item is not None],
            raw_items=[entry.raw for entry in items],
            text="".join(map(_text, found)),
            reasoning_summary="\n\n".join(filter(None, map(_summary, found))),
            refusal="".join(map(_refusal, found)) or None,
            usage=usage,
            end_turn=done.end_turn if done else None,
            incomplete_reason=incomplete_reason
            or self._unfinished(found, usage, facts.terminal if facts else None),
            rate_limits=facts.rate_limits if facts else self._limits,
            server_model=facts.server_model if facts else self._model,
            request_id=facts.request_id if facts else None,
            api_rate_limits=facts.api_rate_limits if facts else None,
            status=terminal.status if terminal else None,
            service_tier=terminal.service_tier if terminal else None,
            created_at=terminal.created_at if terminal else None,
            raw=terminal.raw if terminal else msgspec.Raw(),
        )

    def fail(self, error: CodexApiError, facts: StreamFacts | None = None) -> None:
        """Put what was gathered on the error that ended the response, as its ``partial``."""
        if not isinstance(error, ApiError):
            return
        if isinstance(error, ResponseIncompleteError):
            partial = self.finish(facts, incomplete_reason=error.reason)
            changes = {"id": error.response_id or partial.id, "usage": error.usage}
            error.partial = msgspec.structs.replace(partial, **changes)
        else:
            error.partial = self.finish(facts, incomplete_reason=error.code or "failed")

    def _add_fact(self, event: ResponseEvent) -> None:
        match event:
            case events.Created(response_id):
                self._id = response_id
            case events.Completed():
                self._completed = event
            case events.RateLimits(snapshot) if not snapshot.is_empty:
                self._limits = snapshot
            case events.ServerModel(model):
                self._model = model
            case events.StreamRetry(dropped=dropped):
                self._assembler.restart(dropped)
            case _:
                pass

    def _unfinished(
        self, found: Sequence[Assembled], usage: TokenUsage | None, terminal: Terminal | None
    ) -> str | None:
        """Refuse a response that claims to be complete and is not."""
        if self._completed is None:
            return "unknown"
        if self._assembler.has_gaps or any(entry.item is None for entry in found):
            return "unknown"  # parts that could not be read, or of a call that nobody named
        items = [entry.item for entry in found if entry.item is not None]
        return cut_off_reason(items, usage, terminal)


def _text(entry: Assembled) -> str:
    if isinstance(entry.item, Message):
        return entry.item.text
    return entry.slot.part(TEXT) if entry.item is None else ""


def _summary(entry: Assembled) -> str:
    if isinstance(entry.item, Reasoning) and entry.item.summary:
        return entry.item.summary_text
    # Finished reasoning keeps its bytes, so a summary that is missing in them is taken from here.
    return "\n\n".join(entry.slot.parts(SUMMARY))


class _Refusal(msgspec.Struct, tag_field="type", tag="refusal"):
    refusal: str


def _refusal(entry: Assembled) -> str:
    if not isinstance(entry.item, Message):
        return entry.slot.part(REFUSAL) if entry.item is None else ""
    raws = (part.raw for part in entry.item.content if isinstance(part, UnknownPart))
    refusals = (read_as(_Refusal, raw) for raw in raws)
    return "".join(refusal.refusal for refusal in refusals if refusal is not None)
