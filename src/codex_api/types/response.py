"""A response as a whole: the answer to ``responses.create``, and what a server keeps of it.

The members that everybody needs are read; ``raw`` has the answer byte for byte, and ``fields`` has
every member as plain values. One that is missing, null or of another shape is None and costs no
other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from codex_api.errors import DecodeError
from codex_api.rate_limits import ApiRateLimits, RateLimitSnapshot
from codex_api.transport._core.headers import Headers
from codex_api.types.call_item import FunctionCall
from codex_api.types.content import UnknownPart
from codex_api.types.item import Message, Reasoning, ResponseItem
from codex_api.types.usage import TokenUsage

T = TypeVar("T")


class ResponseFailure(msgspec.Struct, frozen=True):
    """Why a response failed, in the server's words.

    Attributes:
        code: Such as ``server_error``; None when not given.
        message: For people; None when not given.
    """

    code: str | None = None
    message: str | None = None


class IncompleteDetails(msgspec.Struct, frozen=True):
    """Why a response was cut off.

    Attributes:
        reason: Such as ``max_output_tokens`` or ``content_filter``; None when not given.
    """

    reason: str | None = None


class _Refusal(msgspec.Struct, tag_field="type", tag="refusal"):
    refusal: str


_FIELDS: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
_REFUSAL: msgspec.json.Decoder[_Refusal] = msgspec.json.Decoder(_Refusal)


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A response as a whole.

    Attributes:
        id: Id of the response; None where a server gives none.
        status: ``completed``, ``incomplete``, ``failed``, ``cancelled``, ``queued``,
            ``in_progress``, or None when not given.
        output: Its items, in order. What has no class is an ``UnknownItem``.
        raw_items: The exact bytes of each of ``output``.
        usage: What it cost; None while it is not known.
        error: Why it failed, or None.
        incomplete_details: Why it was cut off as the server says it, or None.
        incomplete_reason: Why it is not complete, or None when it is or may become so. ``unknown``
            where the answer calls itself complete and what it holds is not.
        model: The model that answered.
        metadata: The request's pairs of strings.
        service_tier: The tier that served it.
        created_at: Unix seconds.
        completed_at: Unix seconds; None while it is not complete.
        previous_response_id: The response that it continues.
        conversation: Id of the conversation that it belongs to.
        background: Whether it was made without a connection.
        end_turn: False when the model wants to be called again at once; None when not said.
        raw: The exact bytes of the answer's body.
        headers: Header fields of the answer.
        attempts: How often the request was sent until this answer came.
        rate_limits: What the headers say of the default limit, or None.
        api_rate_limits: The ``x-ratelimit-*`` limits of the headers, or None.
    """

    id: str | None = None
    status: str | None = None
    output: Sequence[ResponseItem] = ()
    raw_items: Sequence[msgspec.Raw] = ()
    usage: TokenUsage | None = None
    error: ResponseFailure | None = None
    incomplete_details: IncompleteDetails | None = None
    incomplete_reason: str | None = None
    model: str | None = None
    metadata: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    service_tier: str | None = None
    created_at: float | None = None
    completed_at: float | None = None
    previous_response_id: str | None = None
    conversation: str | None = None
    background: bool | None = None
    end_turn: bool | None = None
    raw: bytes = b""
    headers: Headers = msgspec.field(default_factory=Headers)
    attempts: int = 1
    rate_limits: RateLimitSnapshot | None = None
    api_rate_limits: ApiRateLimits | None = None

    @property
    def items(self) -> Sequence[ResponseItem]:
        """The same as ``output``, as a collected stream calls it."""
        return self.output

    @property
    def request_id(self) -> str | None:
        """Value of ``x-request-id``, to quote in a support request, or None."""
        return self.headers.get("x-request-id") or self.headers.get("x-oai-request-id")

    @property
    def server_model(self) -> str | None:
        """The model that ran, as the headers or else the body tell it, or None."""
        return self.headers.get("openai-model") or self.model

    @property
    def fields(self) -> dict[str, Any]:
        """Every member of the answer as plain values, decoded anew at each use.

        Raises:
            DecodeError: ``raw`` holds none, since this value was not made of an answer.
        """
        try:
            return _FIELDS.decode(self.raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            message = "the response holds no bytes of an answer"
            raise DecodeError(message, request_id=self.request_id) from exc

    @property
    def is_finished(self) -> bool:
        """Whether nothing more comes, well or badly."""
        return self.status not in {"queued", "in_progress"}

    @property
    def text(self) -> str:
        """What the model said, all messages together."""
        return "".join(item.text for item in self.output if isinstance(item, Message))

    @property
    def text_final(self) -> str:
        """The answer without the commentary before it; all text where no phase is given."""
        return "".join(message.text for message in final_messages(self.output))

    @property
    def reasoning_summary(self) -> str:
        """The summary of the model's reasoning, parts separated by blank lines."""
        items = (item for item in self.output if isinstance(item, Reasoning))
        return "\n\n".join(item.summary_text for item in items if item.summary)

    @property
    def refusal(self) -> str | None:
        """With what words the model refused, or None when it did not."""
        messages = (item for item in self.output if isinstance(item, Message))
        return "".join(word for message in messages for word in _refusals(message)) or None

    @property
    def function_calls(self) -> list[FunctionCall]:
        """The function calls among the items, in order."""
        return [item for item in self.output if isinstance(item, FunctionCall)]

    def parse(self, type_: type[T]) -> T:
        """Decode the final answer as JSON of ``type_``.

        Where a server does not guarantee the schema, one code fence around the JSON is taken off,
        and messages before the last are passed over if that is JSON by itself.

        Raises:
            ResponseIncompleteError: The response was cut off, so its JSON would be, too.
            DecodeError: The model refused, said nothing, or its text does not fit ``type_``.
        """
        # It lies above.
        from codex_api._logic.incoming.structured_text import parse_response  # noqa: PLC0415

        return parse_response(type_, self)


def final_messages(output: Sequence[ResponseItem]) -> list[Message]:
    """Return the messages of the answer without the commentary; all where no phase is given."""
    messages = [item for item in output if isinstance(item, Message)]
    final = [message for message in messages if message.phase == "final_answer"]
    return final or [message for message in messages if message.phase != "commentary"]


def _refusals(message: Message) -> list[str]:
    found: list[str] = []
    for part in message.content:
        if isinstance(part, UnknownPart):
            try:
                found.append(_REFUSAL.decode(part.raw).refusal)
            except msgspec.DecodeError:
                continue
    return found
