"""A whole response, gathered from its events.

Items that are done are the truth: the text is theirs. Only while none is done do the deltas count,
which is what there is of a response that was cut off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from codex_api import events
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.excerpt import excerpt
from codex_api._logic.incoming.structured_text import parse_as
from codex_api.errors import ApiError, DecodeError, ResponseIncompleteError
from codex_api.rate_limits import RateLimitSnapshot
from codex_api.types.content import UnknownPart
from codex_api.types.item import FunctionCall, Message, Reasoning, ResponseItem
from codex_api.types.usage import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    def server_model(self) -> str | None: ...


class CollectedResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A response as a whole.

    Attributes:
        id: Id of the response; None when it was cut off before the server told it.
        items: Its finished items, in order.
        raw_items: The exact bytes of each of ``items``, to send them back without loss.
        text: What the model said, all messages together.
        reasoning_summary: The summary of its reasoning, parts separated by blank lines.
        refusal: With what words the model refused, or None when it did not.
        usage: What it cost, or None when the server did not say.
        end_turn: False when the model wants to be called again at once; None when not said.
        incomplete_reason: Why the response is not complete, or None when it is.
        rate_limits: The newest snapshot of the default limit, or None.
        server_model: The model that answered, or None when the server did not say.
        request_id: Value of ``x-request-id``, or None.
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

    @property
    def function_calls(self) -> list[FunctionCall]:
        """The function calls among the items, in order."""
        return [item for item in self.items if isinstance(item, FunctionCall)]

    def parse(self, type_: type[T]) -> T:
        """Decode the text as JSON of ``type_``.

        Raises:
            ResponseIncompleteError: The response was cut off, so its JSON would be, too.
            DecodeError: The model refused, said nothing, or its text does not fit ``type_``.
        """
        if self.incomplete_reason is not None:
            error = ResponseIncompleteError(
                reason=self.incomplete_reason,
                response_id=self.id,
                usage=self.usage,
                request_id=self.request_id,
                rate_limits=self.rate_limits,
            )
            error.partial = self
            raise error
        if not self.text:
            what = "the response holds no text to parse"
            if self.refusal is not None:
                what = f"the model refused: {excerpt(self.refusal)}"
            raise DecodeError(what, request_id=self.request_id, rate_limits=self.rate_limits)
        return parse_as(type_, self.text)


class Collector:
    """Gather the events of one response."""

    def __init__(self) -> None:
        self._items: list[ResponseItem] = []
        self._raw_items: list[msgspec.Raw] = []
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._summary: dict[tuple[str | None, int], list[str]] = {}
        self._id: str | None = None
        self._completed: events.Completed | None = None
        self._limits: RateLimitSnapshot | None = None
        self._model: str | None = None

    def add(self, event: ResponseEvent) -> None:
        """Take the next event; those that a whole response does not show are ignored."""
        match event:
            case events.OutputTextDelta(delta):
                self._text.append(delta)
            case events.RefusalDelta(delta):
                self._refusal.append(delta)
            case events.ReasoningSummaryDelta(delta, index, item_id):
                self._summary.setdefault((item_id, index), []).append(delta)
            case events.OutputItemDone(item, raw):
                self._items.append(item)
                self._raw_items.append(raw)
            case events.StreamRetry(dropped=dropped):
                self._forget_unfinished()
                del self._items[len(self._items) - dropped :]
                del self._raw_items[len(self._raw_items) - dropped :]
            case _:
                self._add_fact(event)

    def finish(
        self, facts: StreamFacts | None = None, *, incomplete_reason: str | None = None
    ) -> CollectedResponse:
        """Give what was gathered.

        Args:
            facts: The stream that was read, or None when only its events are known.
            incomplete_reason: Why it is not complete, or None to see from the items.
        """
        done = self._completed
        messages = [item for item in self._items if isinstance(item, Message)]
        text = "".join(message.text for message in messages)
        return CollectedResponse(
            id=done.response_id if done else self._id,
            items=self._items.copy(),
            raw_items=self._raw_items.copy(),
            text=text if messages else "".join(self._text),
            reasoning_summary=self._reasoning_summary(),
            refusal=_refusal(messages) or "".join(self._refusal) or None,
            usage=done.token_usage if done else None,
            end_turn=done.end_turn if done else None,
            incomplete_reason=incomplete_reason or self._unfinished(messages),
            rate_limits=facts.rate_limits if facts else self._limits,
            server_model=facts.server_model if facts else self._model,
            request_id=facts.request_id if facts else None,
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
            case _:
                pass

    def _forget_unfinished(self) -> None:
        self._text.clear()
        self._refusal.clear()
        self._summary.clear()

    def _unfinished(self, messages: Sequence[Message]) -> str | None:
        if self._completed is None:
            return "unknown"
        return "unknown" if any(message.status == "incomplete" for message in messages) else None

    def _reasoning_summary(self) -> str:
        summaries = [item.summary_text for item in self._items if isinstance(item, Reasoning)]
        if not summaries:
            summaries = ["".join(pieces) for pieces in self._summary.values()]
        return "\n\n".join(filter(None, summaries))


class _Refusal(msgspec.Struct, tag_field="type", tag="refusal"):
    refusal: str


def _refusal(messages: Sequence[Message]) -> str:
    parts = (part for message in messages for part in message.content)
    raws = (part.raw for part in parts if isinstance(part, UnknownPart))
    refusals = (read_as(_Refusal, raw) for raw in raws)
    return "".join(refusal.refusal for refusal in refusals if refusal is not None)
