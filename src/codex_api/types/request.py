"""A request for a response, and how to send it.

The order of the fields of ``ResponsesApiRequest`` is the order of the keys on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, Unpack, get_args

import msgspec
from msgspec import UNSET, UnsetType

from codex_api.tools import Tool, ToolChoice
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Compression
from codex_api.transport.errors import RequestBuildError
from codex_api.types.item import ResponseItem
from codex_api.types.reasoning import Reasoning
from codex_api.types.session_source import SessionSource
from codex_api.types.text import TextControls
from codex_api.types.turn_state import TurnState

if TYPE_CHECKING:
    from codex_api.types.request_fields import RequestFields

__all__ = [
    "DEFAULT_MAX_EVENT_BYTES",
    "AnyRequest",
    "Compression",
    "ItemIds",
    "PromptCacheOptions",
    "ResponsesApiRequest",
    "ResponsesOptions",
    "StreamOptions",
    "TurnState",
]

ItemIds = Literal["auto", "keep", "drop"]
DEFAULT_MAX_EVENT_BYTES = 64 << 20
# Leaves out all that the public API does not ask for.
_SILENT: dict[str, Any] = {
    "tools": None,
    "tool_choice": UNSET,
    "parallel_tool_calls": UNSET,
    "reasoning": UNSET,
    "store": UNSET,
    "include": UNSET,
}
_CHOICES = {"compression": get_args(Compression), "item_ids": get_args(ItemIds)}


class StreamOptions(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How events should come; None leaves a choice to the server.

    Attributes:
        reasoning_summary_delivery: ``sequential_cutoff``.
        include_obfuscation: Whether deltas are padded against traffic analysis.
    """

    reasoning_summary_delivery: str | None = None
    include_obfuscation: bool | None = None


class PromptCacheOptions(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How the prompt cache is used; None leaves a choice to the server.

    Attributes:
        mode: ``implicit`` or ``explicit``.
        ttl: How long what is written stays at least, such as ``30m``.
        prewarm: Whether the request only writes the cache.
        comparison_response_id: Response to compare the cached prefix with.
    """

    mode: str | None = None
    ttl: str | None = None
    prewarm: bool | None = None
    comparison_response_id: str | None = None


class ResponsesApiRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask of a model.

    The defaults are what a request to the Codex backend always says. ``UNSET`` leaves a key out, so
    that the server's own default holds; for the fields from ``background`` on, ``None`` does. Where
    a value has a class, a mapping of what should go out does as well.

    Attributes:
        model: May be empty where ``prompt`` names one.
        instructions: Left out when empty.
        previous_response_id: Stored response that the input continues.
        input: Items of the conversation, each typed or as exact JSON; a string is one message of
            the user. Left out when it is empty and ``prompt`` is given.
        tools: Tools of ``codex_api.tools``, mappings or exact JSON; None leaves the key out.
        tool_choice: ``auto``, ``none``, ``required``, ``tools.AllowedTools``, or an object that
            names a tool, see ``tools.choose``.
        reasoning: Sent as ``null`` when None.
        store: Whether the server keeps the response; item ids are sent back only then. Where it is
            left out, the public API keeps it.
        include: Extra output to ask for, such as ``reasoning.encrypted_content``.
        service_tier: ``priority`` or ``flex``; None leaves it to the server.
        prompt_cache_key: Requests with the same key share a prompt cache.
        background: Whether the server goes on without a connection.
        background_options: ``completion_window``, ``continuation_id``.
        context_management: Such as ``{"type": "compaction", "compact_threshold": 200000}``.
        conversation: Id of the conversation that the items belong to, or an object with one.
        image: How images in the input are treated: ``context_compression``.
        max_output_tokens: Limit on what is written, reasoning included.
        max_tool_calls: Limit on calls of tools that the server runs.
        metadata: Up to 16 pairs of strings that are kept with the response.
        moderation: Model and policy of a moderation of the request.
        access_programs: Such as ``{"cyber": "standard"}``.
        prompt: Template: ``id``, ``version``, ``variables``.
        prompt_cache_retention: ``in_memory`` or ``24h``.
        safety_identifier: Stable id of the end user, hashed.
        temperature: 0 to 2.
        top_logprobs: How many alternatives to report for each token, 0 to 20.
        top_p: Share of the probability that is sampled from, 0 to 1.
        truncation: ``auto`` drops items that do not fit, ``disabled`` fails.
        user: Older form of ``safety_identifier`` and ``prompt_cache_key``.
        prompt_cache_breakpoints: Pairs of item index and content index after which the cache may
            be cut. Positions that do not exist are ignored.
        extra_body: Further keys, sent last. A key that has a field here is refused.
    """

    model: str = ""
    instructions: str = ""
    previous_response_id: str | None = None
    input: Sequence[ResponseItem | Mapping[str, Any] | msgspec.Raw] | str = ()
    tools: Sequence[Tool] | None = ()
    tool_choice: ToolChoice | UnsetType = "auto"
    parallel_tool_calls: bool | UnsetType = True
    reasoning: Reasoning | Mapping[str, Any] | UnsetType | None = None
    store: bool | UnsetType = False
    stream: bool = True
    stream_options: StreamOptions | Mapping[str, Any] | None = None
    include: Sequence[str] | UnsetType = ()
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: PromptCacheOptions | Mapping[str, Any] | None = None
    text: TextControls | Mapping[str, Any] | None = None
    client_metadata: Mapping[str, str] | None = None
    background: bool | None = None
    background_options: Mapping[str, Any] | None = None
    context_management: Sequence[Mapping[str, Any]] | None = None
    conversation: str | Mapping[str, Any] | None = None
    image: Mapping[str, Any] | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    metadata: Mapping[str, str] | None = None
    moderation: Mapping[str, Any] | None = None
    access_programs: Mapping[str, Any] | None = None
    prompt: Mapping[str, Any] | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    temperature: float | None = None
    top_logprobs: int | None = None
    top_p: float | None = None
    truncation: str | None = None
    user: str | None = None
    prompt_cache_breakpoints: Sequence[tuple[int, int]] = ()
    extra_body: Mapping[str, Any] | None = None

    @classmethod
    def public(cls, **fields: Unpack[RequestFields]) -> Self:
        """Make a request that says nothing but what is given, as the public API's clients do.

        Args:
            **fields: As for the class.
        """
        said: dict[str, Any] = {**_SILENT, **fields}
        return cls(**said)

    def replace(self, **changes: Unpack[RequestFields]) -> Self:
        """Return a request that differs in some fields, as ``copy.replace`` of Python 3.13 does.

        Args:
            **changes: As for the class.

        Raises:
            TypeError: There is no such field.
        """
        return msgspec.structs.replace(self, **changes)

    def __replace__(self, /, **changes: Unpack[RequestFields]) -> Self:
        return msgspec.structs.replace(self, **changes)

    @property
    def is_stored(self) -> bool:
        """Whether the server will keep the response."""
        return self.store is not False


#: A request, or a mapping of what it says: fields by their names, and keys that go out as they are.
AnyRequest: TypeAlias = ResponsesApiRequest | Mapping[str, Any]


class ResponsesOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to send a request and read its answer. None of this is in the body.

    Attributes:
        session_id: Sent as ``session-id``; None sends nothing.
        thread_id: Sent as ``thread-id`` and ``x-client-request-id``; None sends nothing.
        conversation_id: Stands for each of the two ids that is not given.
        session_source: Names the sub-agent, if it is one. A string is a short name, see
            ``SessionSource.parse``.
        extra_headers: Headers for this request only; they replace those of the provider.
        compression: ``zstd`` compresses the body; ``auto`` does so where possible and takes it back
            when the server cannot read it.
        turn_state: Cell of this turn: sent if set, and set by the answer if not.
        item_ids: ``auto`` sends ids of typed items only when the request's ``store`` is true.
        other_events: Whether events without a class of their own are delivered as ``OtherEvent``.
        all_events: Whether every public event is delivered in a class of its own, also those that a
            Codex client does not read: progress of hosted tools, partial images, annotations, ends
            of parts.
        max_event_bytes: Limit on one event.

    Raises:
        RequestBuildError: A value is none of those that there are.
    """

    session_id: str | None = None
    thread_id: str | None = None
    conversation_id: str | None = None
    session_source: SessionSource | str | None = None
    extra_headers: Mapping[str, str] | Headers | None = None
    compression: Compression = "none"
    turn_state: TurnState | None = None
    item_ids: ItemIds = "auto"
    other_events: bool = False
    all_events: bool = False
    max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                message = f"ResponsesOptions.{name} must be one of {', '.join(choices)}"
                raise RequestBuildError(message)
        if self.max_event_bytes < 1:
            message = f"ResponsesOptions.max_event_bytes must be >= 1, got {self.max_event_bytes}"
            raise RequestBuildError(message)

    def __repr__(self) -> str:
        # Headers may hold credentials, which their own class knows how to hide.
        extra = None if self.extra_headers is None else Headers.lenient(self.extra_headers.items())
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        values["extra_headers"] = extra
        shown = ", ".join(f"{name}={value!r}" for name, value in values.items())
        return f"ResponsesOptions({shown})"

    def keeps_ids(self, *, store: bool) -> bool:
        """Return whether typed items send their ids in a request that is stored or not."""
        return store if self.item_ids == "auto" else self.item_ids == "keep"
