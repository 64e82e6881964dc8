"""A request for a response, and how to send it.

The order of the fields of ``ResponsesApiRequest`` is the order of the keys on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Compression
from codex_api.transport.errors import RequestBuildError
from codex_api.types.item import ResponseItem
from codex_api.types.reasoning import Reasoning
from codex_api.types.session_source import SessionSource
from codex_api.types.text import TextControls
from codex_api.types.turn_state import TurnState

__all__ = [
    "DEFAULT_MAX_EVENT_BYTES",
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
    """How the prompt cache is used.

    Attributes:
        mode: ``implicit`` or ``explicit``; None leaves it to the server.
    """

    mode: str | None = None


class ResponsesApiRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask of a model.

    Attributes:
        instructions: Left out when empty.
        input: Items of the conversation, each typed or as exact JSON; a string is one message of
            the user.
        tools: Tool definitions, any JSON each; None leaves the key out.
        tool_choice: ``auto``, ``none``, ``required`` or an object that names a tool.
        reasoning: Sent as ``null`` when None.
        store: Whether the server keeps the response; item ids are sent back only then.
        include: Extra output to ask for, such as ``reasoning.encrypted_content``.
        service_tier: ``priority`` or ``flex``; None leaves it to the server.
        prompt_cache_key: Requests with the same key share a prompt cache.
        prompt_cache_breakpoints: Pairs of item index and content index after which the cache may
            be cut. Positions that do not exist are ignored.
        extra_body: Further keys, sent last. A key that has a field here is refused.
    """

    model: str
    instructions: str = ""
    input: Sequence[ResponseItem | msgspec.Raw] | str
    tools: Sequence[Mapping[str, Any] | msgspec.Raw] | None = ()
    tool_choice: str | Mapping[str, Any] = "auto"
    parallel_tool_calls: bool = True
    reasoning: Reasoning | None = None
    store: bool = False
    stream: bool = True
    stream_options: StreamOptions | None = None
    include: Sequence[str] = ()
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    text: TextControls | None = None
    client_metadata: Mapping[str, str] | None = None
    prompt_cache_breakpoints: Sequence[tuple[int, int]] = ()
    extra_body: Mapping[str, Any] | None = None


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
        """Tell whether typed items send their ids in a request with this ``store``."""
        return store if self.item_ids == "auto" else self.item_ids == "keep"
