"""Tools that a model may be given, and the choice among them.

A class is named after its wire ``type``, and its fields are the keys of OpenAI's API reference
("Responses", ``tools``). Nested settings are plain mappings. A key that is not set is left out;
``None`` is sent as ``null`` where the API tells the two apart. A tool that has no class here is
given as a mapping or as a ``msgspec.Raw``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from codex_api.types.content import Tagged
from codex_api.types.custom_tool import CustomTool, Grammar
from codex_api.types.function_tool import FunctionTool, ToolArgumentsError, ToolError

__all__ = [
    "AllowedTools",
    "ApplyPatch",
    "CodeInterpreter",
    "Computer",
    "ComputerUse",
    "CustomTool",
    "FileSearch",
    "FunctionTool",
    "Grammar",
    "ImageGeneration",
    "LocalShell",
    "Mcp",
    "Namespace",
    "ProgrammaticToolCalling",
    "Shell",
    "Tool",
    "ToolArgumentsError",
    "ToolChoice",
    "ToolError",
    "ToolSearch",
    "WebSearch",
    "WebSearchPreview",
    "choose",
]

_Json: TypeAlias = Mapping[str, Any]
_Callers: TypeAlias = Sequence[str] | UnsetType | None


class Namespace(Tagged, frozen=True, kw_only=True, tag="namespace"):
    """Functions and custom tools under one name.

    Attributes:
        tools: ``FunctionTool``, ``CustomTool`` or mappings.
    """

    name: str
    description: str
    tools: Sequence[FunctionTool | CustomTool | _Json]


class WebSearch(Tagged, frozen=True, kw_only=True, tag="web_search"):
    """Search on the web by the server.

    Attributes:
        filters: ``allowed_domains`` and ``blocked_domains``.
        search_context_size: ``low``, ``medium`` or ``high``.
        user_location: ``city``, ``country``, ``region``, ``timezone``.
        external_web_access: Whether live pages are read; False reads the cache only.
        search_content_types: ``text`` and ``image``.
    """

    filters: _Json | UnsetType | None = UNSET
    search_context_size: str | UnsetType = UNSET
    user_location: _Json | UnsetType | None = UNSET
    external_web_access: bool | UnsetType = UNSET
    search_content_types: Sequence[str] | UnsetType = UNSET


class WebSearchPreview(Tagged, frozen=True, kw_only=True, tag="web_search_preview"):
    """The older form of ``WebSearch``."""

    search_context_size: str | UnsetType = UNSET
    user_location: _Json | UnsetType | None = UNSET
    search_content_types: Sequence[str] | UnsetType = UNSET


class FileSearch(Tagged, frozen=True, kw_only=True, tag="file_search"):
    """Search in vector stores by the server.

    Attributes:
        filters: A comparison, or ``and`` and ``or`` of such.
        max_num_results: 1 to 50.
        ranking_options: ``ranker``, ``score_threshold``, ``hybrid_search``.
    """

    vector_store_ids: Sequence[str]
    filters: _Json | UnsetType | None = UNSET
    max_num_results: int | UnsetType = UNSET
    ranking_options: _Json | UnsetType = UNSET


class CodeInterpreter(Tagged, frozen=True, kw_only=True, tag="code_interpreter"):
    """Python that the server runs.

    Attributes:
        container: Id of a container, or ``{"type": "auto", ...}`` for one that is made.
    """

    container: str | _Json = msgspec.field(default_factory=lambda: {"type": "auto"})
    allowed_callers: _Callers = UNSET


class ImageGeneration(Tagged, frozen=True, kw_only=True, tag="image_generation"):
    """Pictures that the server draws.

    Attributes:
        action: ``generate``, ``edit`` or ``auto``.
        background: ``transparent``, ``opaque`` or ``auto``.
        partial_images: How many unfinished pictures are streamed, 0 to 3.
        quality: ``low``, ``medium``, ``high`` or ``auto``; later models know more.
        size: Such as ``1024x1024``, or ``auto``.
        input_image_mask: ``image_url`` or ``file_id``.
        output_compression: 0 to 100.
    """

    action: str | UnsetType = UNSET
    background: str | UnsetType = UNSET
    complexity: str | UnsetType = UNSET
    frame_count: int | UnsetType = UNSET
    frame_duration_ms: int | UnsetType = UNSET
    input_fidelity: str | UnsetType | None = UNSET
    input_image_mask: _Json | UnsetType = UNSET
    model: str | UnsetType = UNSET
    moderation: str | UnsetType = UNSET
    output_compression: int | UnsetType = UNSET
    output_format: str | UnsetType = UNSET
    partial_images: int | UnsetType = UNSET
    quality: str | UnsetType = UNSET
    size: str | UnsetType = UNSET
    svg: _Json | UnsetType = UNSET


class Mcp(Tagged, frozen=True, kw_only=True, tag="mcp"):
    """Tools of a remote server that speaks the Model Context Protocol.

    Attributes:
        server_url: Where it is; ``connector_id`` or ``tunnel_id`` in its place.
        authorization: A token for it. A secret: no ``repr`` shows it.
        headers: Sent to it, with secrets possibly.
        allowed_tools: Names, or ``{"tool_names": [...], "read_only": ...}``.
        require_approval: ``always``, ``never``, or which tools need what.
    """

    server_label: str
    server_url: str | UnsetType = UNSET
    connector_id: str | UnsetType = UNSET
    tunnel_id: str | UnsetType = UNSET
    server_description: str | UnsetType = UNSET
    authorization: str | UnsetType = UNSET
    headers: Mapping[str, str] | UnsetType | None = UNSET
    allowed_tools: Sequence[str] | _Json | UnsetType | None = UNSET
    require_approval: str | _Json | UnsetType | None = UNSET
    allowed_callers: _Callers = UNSET
    defer_loading: bool | UnsetType = UNSET

    def __repr__(self) -> str:
        shown = (
            f"{name}={'[redacted]' if name in {'authorization', 'headers'} else repr(value)}"
            for name in self.__struct_fields__
            if (value := getattr(self, name)) is not UNSET
        )
        return f"Mcp({', '.join(shown)})"


class Shell(Tagged, frozen=True, kw_only=True, tag="shell"):
    """Commands in a container of the server's, or on the caller's machine.

    Attributes:
        environment: ``{"type": "container_auto" | "container_reference" | "local", ...}``.
    """

    environment: _Json | UnsetType | None = UNSET
    allowed_callers: _Callers = UNSET


class LocalShell(Tagged, frozen=True, tag="local_shell", gc=False):
    """Commands on the caller's machine, for models that know this form."""


class ApplyPatch(Tagged, frozen=True, kw_only=True, tag="apply_patch"):
    """Changes of files that the caller applies."""

    allowed_callers: _Callers = UNSET


class Computer(Tagged, frozen=True, tag="computer", gc=False):
    """A screen that the model sees and acts on."""


class ComputerUse(Tagged, frozen=True, kw_only=True, tag="computer_use_preview", gc=False):
    """The older form of ``Computer``; sizes in pixels.

    Attributes:
        environment: ``windows``, ``mac``, ``linux``, ``ubuntu`` or ``browser``.
    """

    display_width: int
    display_height: int
    environment: str


class ProgrammaticToolCalling(Tagged, frozen=True, tag="programmatic_tool_calling", gc=False):
    """Programs of the model that call its tools."""


class ToolSearch(Tagged, frozen=True, kw_only=True, tag="tool_search"):
    """Tools that are found when they are needed.

    Attributes:
        execution: ``server`` or ``client``: who searches.
        parameters: JSON Schema of a client's search.
    """

    execution: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    parameters: _Json | UnsetType | None = UNSET


#: What ``ResponsesApiRequest.tools`` takes.
Tool: TypeAlias = (
    FunctionTool
    | CustomTool
    | Namespace
    | WebSearch
    | WebSearchPreview
    | FileSearch
    | CodeInterpreter
    | ImageGeneration
    | Mcp
    | Shell
    | LocalShell
    | ApplyPatch
    | Computer
    | ComputerUse
    | ProgrammaticToolCalling
    | ToolSearch
    | _Json
    | msgspec.Raw
)


class AllowedTools(Tagged, frozen=True, kw_only=True, tag="allowed_tools"):
    """A choice that leaves the model some of its tools.

    Attributes:
        mode: ``auto`` lets it answer without a tool, ``required`` does not.
        tools: Such as ``{"type": "function", "name": "weather"}``.
    """

    tools: Sequence[_Json]
    mode: str = msgspec.field(default_factory=lambda: "auto")


#: What ``ResponsesApiRequest.tool_choice`` takes.
ToolChoice: TypeAlias = str | AllowedTools | _Json


def choose(tool: Tool | str) -> dict[str, str]:
    """Make the choice that forces one tool.

    Args:
        tool: The tool, or the wire type of one that the server runs.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(tool, str):
        return {"type": tool}
    if isinstance(tool, FunctionTool | CustomTool):
        return {"type": tool.type, "name": tool.name}
    if isinstance(tool, Mcp):
        return {"type": "mcp", "server_label": tool.server_label}
    if isinstance(tool, Tagged):
        return {"type": tool.type}
    if isinstance(tool, Mapping):
        return {key: str(tool[key]) for key in ("type", "name", "server_label") if key in tool}
    message = f"a tool is one of codex_api.tools or a mapping, not {type(tool).__name__}"
    raise TypeError(message)
