"""Values of ``GET models`` (wire.md, Other endpoints), in the Codex shape and in the public API's.

Strings from a closed set stay strings: a value that a later server invents is kept as it came
instead of costing the model around it. The sets known today are in the docstrings.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec


class ReasoningEffortPreset(msgspec.Struct, frozen=True):
    """A reasoning effort that a model offers, with the text to show for it."""

    effort: str
    description: str


class TruncationPolicy(msgspec.Struct, frozen=True):
    """How long tool output is cut for a model.

    Attributes:
        mode: ``bytes`` or ``tokens``, the unit of ``limit``.
    """

    mode: str
    limit: int


class ModelAvailabilityNux(msgspec.Struct, frozen=True):
    """Announcement to show once when the model becomes available."""

    message: str


class ModelUpgrade(msgspec.Struct, frozen=True):
    """The model that replaces this one."""

    model: str
    migration_markdown: str


class ModelServiceTier(msgspec.Struct, frozen=True):
    """A service tier that the model can be asked for."""

    id: str
    name: str
    description: str


class ModelInstructionsVariables(msgspec.Struct, frozen=True):
    """Texts for the placeholders of ``ModelMessages.instructions_template``."""

    personality_default: str | None = None
    personality_friendly: str | None = None
    personality_pragmatic: str | None = None


class ModelMessages(msgspec.Struct, frozen=True):
    """Prompt texts that come with a model.

    Attributes:
        approvals: JSON as the server sent it; as ``auto_review`` and ``permissions``.
    """

    instructions_template: str | None = None
    instructions_variables: ModelInstructionsVariables | None = None
    approvals: Any = None
    auto_review: Any = None
    permissions: Any = None


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the Codex backend says about one model.

    Attributes:
        shell_type: ``default``, ``local``, ``unified_exec``, ``disabled`` or ``shell_command``.
        visibility: ``list``, ``hide`` or ``none``.
        supports_reasoning_summaries: None when the server no longer sends it; see
            ``accepts_reasoning_summary``.
        default_reasoning_summary: ``auto``, ``concise``, ``detailed`` or ``none``.
        default_verbosity: ``low``, ``medium``, ``high``, or None.
        apply_patch_tool_type: ``freeform`` or None.
        web_search_tool_type: ``text`` or ``text_and_image``.
        tool_mode: ``direct``, ``code_mode``, ``code_mode_only``, or None.
        multi_agent_version: ``disabled``, ``v1``, ``v2``, or None.
        context_window: Tokens; as ``max_context_window`` and ``auto_compact_token_limit``.
        effective_context_window_percent: Share of the window to plan with.
        input_modalities: Of ``text`` and ``image``.
    """

    slug: str
    display_name: str
    base_instructions: str
    supported_in_api: bool
    support_verbosity: bool
    supports_parallel_tool_calls: bool
    priority: int
    supported_reasoning_levels: list[ReasoningEffortPreset]
    experimental_supported_tools: list[str]
    truncation_policy: TruncationPolicy
    shell_type: str
    visibility: str
    supports_reasoning_summaries: bool | None = None
    supports_reasoning_summary_parameter: bool = True
    description: str | None = None
    availability_nux: ModelAvailabilityNux | None = None
    upgrade: ModelUpgrade | None = None
    default_verbosity: str | None = None
    apply_patch_tool_type: str | None = None
    default_reasoning_level: str | None = None
    default_service_tier: str | None = None
    model_messages: ModelMessages | None = None
    context_window: int | None = None
    max_context_window: int | None = None
    auto_compact_token_limit: int | None = None
    comp_hash: str | None = None
    auto_review_model_override: str | None = None
    tool_mode: str | None = None
    multi_agent_version: str | None = None
    additional_speed_tiers: list[str] = []
    service_tiers: list[ModelServiceTier] = []
    default_reasoning_summary: str = "auto"
    web_search_tool_type: str = "text"
    supports_image_detail_original: bool = False
    supports_search_tool: bool = False
    use_responses_lite: bool = False
    include_skills_usage_instructions: bool = False
    effective_context_window_percent: int = 95
    input_modalities: list[str] = msgspec.field(default_factory=lambda: ["text", "image"])

    @property
    def id(self) -> str:
        """The slug, under the name that the public API uses."""
        return self.slug

    @property
    def accepts_reasoning_summary(self) -> bool:
        """Whether a request for this model may ask for reasoning summaries."""
        if self.supports_reasoning_summaries is None:
            return self.supports_reasoning_summary_parameter
        return self.supports_reasoning_summaries

    @property
    def resolved_context_window(self) -> int | None:
        """Tokens of context: ``context_window``, else ``max_context_window``, else None."""
        if self.context_window is not None:
            return self.context_window
        return self.max_context_window

    @property
    def resolved_auto_compact_limit(self) -> int | None:
        """Tokens at which to compact: the model's limit, at most 90 % of its window."""
        window = self.resolved_context_window
        if window is None:
            return self.auto_compact_token_limit
        ceiling = window * 9 // 10
        if self.auto_compact_token_limit is None:
            return ceiling
        return min(self.auto_compact_token_limit, ceiling)


class PublicModel(msgspec.Struct, frozen=True):
    """A model as the public API lists it.

    Attributes:
        created: Unix time in seconds, or None when a compatible server leaves it out.
        owned_by: Organization, or None.
    """

    id: str
    object: str = "model"
    created: int | None = None
    owned_by: str | None = None

    @property
    def slug(self) -> str:
        """The id, under the name that the Codex backend uses."""
        return self.id


class UnknownModel(msgspec.Struct, frozen=True):
    """A list element that is neither of the known shapes.

    Attributes:
        slug: Its ``slug`` or ``id`` if it has a readable one, else None.
        raw: The element as it came; ``bytes(raw)`` are its exact bytes.
    """

    slug: str | None
    raw: msgspec.Raw

    @property
    def id(self) -> str | None:
        """The slug, under the name that the public API uses."""
        return self.slug


Model: TypeAlias = ModelInfo | PublicModel | UnknownModel


class ModelsPage(msgspec.Struct, frozen=True):
    """An answer to ``GET models``.

    Attributes:
        models: In the server's order; empty when ``not_modified``.
        etag: Value of the ``etag`` header, for the next call; None when there was none.
        not_modified: Whether the server said that the list with the given etag still holds.
    """

    models: list[Model]
    etag: str | None = None
    not_modified: bool = False
