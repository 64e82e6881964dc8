"""The fields of a request by name, for calls that take some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import msgspec
    from msgspec import UnsetType

    from codex_api.tools import Tool, ToolChoice
    from codex_api.types.item import ResponseItem
    from codex_api.types.reasoning import Reasoning
    from codex_api.types.request import PromptCacheOptions, StreamOptions
    from codex_api.types.text import TextControls


class RequestFields(TypedDict, total=False):
    """What each field of ``ResponsesApiRequest`` may hold; any of them may be missing."""

    model: str
    instructions: str
    previous_response_id: str | None
    input: Sequence[ResponseItem | Mapping[str, Any] | msgspec.Raw] | str
    tools: Sequence[Tool] | None
    tool_choice: ToolChoice | UnsetType
    parallel_tool_calls: bool | UnsetType
    reasoning: Reasoning | Mapping[str, Any] | UnsetType | None
    store: bool | UnsetType
    stream: bool
    stream_options: StreamOptions | Mapping[str, Any] | None
    include: Sequence[str] | UnsetType
    service_tier: str | None
    prompt_cache_key: str | None
    prompt_cache_options: PromptCacheOptions | Mapping[str, Any] | None
    text: TextControls | Mapping[str, Any] | None
    client_metadata: Mapping[str, str] | None
    background: bool | None
    background_options: Mapping[str, Any] | None
    context_management: Sequence[Mapping[str, Any]] | None
    conversation: str | Mapping[str, Any] | None
    image: Mapping[str, Any] | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: Mapping[str, str] | None
    moderation: Mapping[str, Any] | None
    access_programs: Mapping[str, Any] | None
    prompt: Mapping[str, Any] | None
    prompt_cache_retention: str | None
    safety_identifier: str | None
    temperature: float | None
    top_logprobs: int | None
    top_p: float | None
    truncation: str | None
    user: str | None
    prompt_cache_breakpoints: Sequence[tuple[int, int]]
    extra_body: Mapping[str, Any] | None
