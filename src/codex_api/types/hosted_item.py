"""Items of the tools that a server runs or defines, and controls of a conversation.

Apart from ``item`` because a conversation with the model alone has none of them: they are imported
when the first one comes or is made. The rules are the same, but for one: these items always go out
with their ``id``, without which a server would not take them back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from codex_api.types.call_item import KeepsId
from codex_api.types.content import null
from codex_api.types.hosted_parts import (
    CodeOutput,
    ComputerAction,
    ComputerScreenshot,
    ContainerReference,
    CreateFile,
    DeleteFile,
    FileSearchResult,
    HttpError,
    Image,
    KnownAction,
    Local,
    Logs,
    McpError,
    McpProtocolError,
    McpTool,
    McpToolExecutionError,
    PatchOperation,
    SafetyCheck,
    ShellAction,
    ShellEnvironment,
    ShellOutput,
    UpdateFile,
)
from codex_api.types.item import KnownItem, UnknownItem

if TYPE_CHECKING:
    from codex_api.types.content import UnknownPart

    _Results: TypeAlias = Sequence[FileSearchResult | UnknownPart]
    _CodeOutputs: TypeAlias = Sequence[CodeOutput]
    _Checks: TypeAlias = Sequence[SafetyCheck | UnknownPart]
    _Action: TypeAlias = ComputerAction
    _Actions: TypeAlias = Sequence[ComputerAction]
    _Screen: TypeAlias = ComputerScreenshot | UnknownPart
    _Environment: TypeAlias = ShellEnvironment
    _Outputs: TypeAlias = Sequence[ShellOutput | UnknownPart]
    _Operation: TypeAlias = PatchOperation
    _Error: TypeAlias = McpError | str
    _Tools: TypeAlias = Sequence[McpTool | UnknownPart]
else:
    # What a tagged decode can tell apart; the codec puts each UnknownPart in afterwards.
    _Results = Sequence[FileSearchResult]
    _CodeOutputs = Sequence[Logs | Image]
    _Checks = Sequence[SafetyCheck]
    _Action = KnownAction
    _Actions = Sequence[KnownAction]
    _Screen = ComputerScreenshot
    _Environment = Local | ContainerReference
    _Outputs = Sequence[ShellOutput]
    _Operation = CreateFile | DeleteFile | UpdateFile
    _Error = McpProtocolError | McpToolExecutionError | HttpError | str
    _Tools = Sequence[McpTool]

_Json: TypeAlias = Mapping[str, Any]


class FileSearchCall(KeepsId, frozen=True, tag="file_search_call", kw_only=True):
    """The server searched files for the model.

    Attributes:
        results: What it found; None unless the request included ``file_search_call.results``.
    """

    id: str | None = None
    status: str | None = None
    queries: Sequence[str]
    results: _Results | None = None


class CodeInterpreterCall(KeepsId, frozen=True, tag="code_interpreter_call", kw_only=True):
    """The server ran a program of the model.

    Attributes:
        code: The program; None while it is not known. Goes out as ``null`` then.
        container_id: Where it ran.
        outputs: What it gave; None unless the request included ``code_interpreter_call.outputs``.
    """

    id: str | None = None
    status: str | None = None
    code: str | None = msgspec.field(default_factory=null)
    container_id: str
    outputs: _CodeOutputs | None = msgspec.field(default_factory=null)


class ComputerCall(KeepsId, frozen=True, tag="computer_call", kw_only=True):
    """The model asks to use a computer.

    Attributes:
        action: What to do, of models that do one thing at a time.
        actions: What to do in order, of those that do several.
        pending_safety_checks: What has to be acknowledged with the output.
    """

    id: str | None = None
    status: str | None = None
    call_id: str
    action: _Action | None = None
    actions: _Actions | None = None
    pending_safety_checks: _Checks = ()


class ComputerCallOutput(KeepsId, frozen=True, tag="computer_call_output", kw_only=True):
    """The screen after a computer did what it was asked for.

    Attributes:
        acknowledged_safety_checks: The checks that somebody has looked at.
        created_by: Who made it, or None when not given, as for all items.
    """

    id: str | None = None
    status: str | None = None
    call_id: str
    output: _Screen
    acknowledged_safety_checks: _Checks | None = None
    created_by: str | None = None


class LocalShellCallOutput(KeepsId, frozen=True, tag="local_shell_call_output", kw_only=True):
    """What a command of a ``LocalShellCall`` gave: a text, often JSON."""

    id: str | None = None
    status: str | None = None
    call_id: str | None = None
    output: str


class ShellCall(KeepsId, frozen=True, tag="shell_call", kw_only=True):
    """The model asks to run commands in a shell.

    Attributes:
        environment: Where; None is the caller's machine.
        caller: What made the call, such as a program of the model; None is the model itself.
    """

    id: str | None = None
    status: str | None = None
    call_id: str
    action: ShellAction
    environment: _Environment | None = None
    caller: _Json | None = None
    created_by: str | None = None


class ShellCallOutput(KeepsId, frozen=True, tag="shell_call_output", kw_only=True):
    """What the commands of a ``ShellCall`` gave, one output each.

    Attributes:
        max_output_length: The limit of the call, in characters.
        caller: As for ``ShellCall``.
    """

    id: str | None = None
    status: str | None = None
    call_id: str
    output: _Outputs
    max_output_length: int | None = None
    caller: _Json | None = None
    created_by: str | None = None


class ApplyPatchCall(KeepsId, frozen=True, tag="apply_patch_call", kw_only=True):
    """The model asks to make, change or remove a file; ``caller`` is as for ``ShellCall``."""

    id: str | None = None
    status: str
    call_id: str
    operation: _Operation
    caller: _Json | None = None
    created_by: str | None = None


class ApplyPatchCallOutput(KeepsId, frozen=True, tag="apply_patch_call_output", kw_only=True):
    """What came of an ``ApplyPatchCall``.

    Attributes:
        status: ``completed`` or ``failed``.
        output: A text for the model, or None.
        caller: As for ``ShellCall``.
    """

    id: str | None = None
    status: str
    call_id: str
    output: str | None = None
    caller: _Json | None = None
    created_by: str | None = None


class McpListTools(KeepsId, frozen=True, tag="mcp_list_tools", kw_only=True):
    """The tools that an MCP server has.

    Attributes:
        error: Why they could not be listed, or None.
    """

    id: str | None = None
    server_label: str
    tools: _Tools = ()
    error: str | None = None


class McpCall(KeepsId, frozen=True, tag="mcp_call", kw_only=True):
    """The server called a tool of an MCP server for the model.

    Attributes:
        arguments: JSON text as the model wrote it.
        approval_request_id: The request that this call was approved by, or None.
        output: What the tool gave, or None.
        error: Why it gave nothing, or None; older servers write a text.
    """

    id: str | None = None
    status: str | None = None
    server_label: str
    name: str
    arguments: str
    approval_request_id: str | None = None
    output: str | None = None
    error: _Error | None = None


class McpApprovalRequest(KeepsId, frozen=True, tag="mcp_approval_request", kw_only=True):
    """The model asks whether it may call a tool of an MCP server; answer with a response item."""

    id: str | None = None
    server_label: str
    name: str
    arguments: str

    def approved(self, *, reason: str | None = None) -> McpApprovalResponse:
        """Make the item that allows the call."""
        return McpApprovalResponse(approval_request_id=self.id or "", approve=True, reason=reason)

    def denied(self, *, reason: str | None = None) -> McpApprovalResponse:
        """Make the item that forbids the call; the model may be told why."""
        return McpApprovalResponse(approval_request_id=self.id or "", approve=False, reason=reason)


class McpApprovalResponse(KeepsId, frozen=True, tag="mcp_approval_response", kw_only=True):
    """Whether a tool of an MCP server may be called."""

    id: str | None = None
    approval_request_id: str
    approve: bool
    reason: str | None = None


class Program(KeepsId, frozen=True, tag="program", kw_only=True):
    """A program of the model that calls tools.

    Attributes:
        fingerprint: What the server knows it by.
    """

    id: str | None = None
    call_id: str
    code: str
    fingerprint: str


class ProgramOutput(KeepsId, frozen=True, tag="program_output", kw_only=True):
    """What a ``Program`` gave."""

    id: str | None = None
    status: str | None = None
    call_id: str
    result: str


class ConfigurationUpdate(KeepsId, frozen=True, tag="configuration_update", kw_only=True):
    """Settings that hold from this point of the conversation on.

    Attributes:
        reasoning: ``effort``; None changes nothing, as for ``text``.
        text: ``format``.
    """

    id: str | None = None
    reasoning: _Json | None = None
    text: _Json | None = None


class ItemReference(KeepsId, frozen=True, tag="item_reference", kw_only=True):
    """An item that the server keeps, by its id."""

    id: str


HostedItem: TypeAlias = (
    FileSearchCall
    | CodeInterpreterCall
    | ComputerCall
    | ComputerCallOutput
    | LocalShellCallOutput
    | ShellCall
    | ShellCallOutput
    | ApplyPatchCall
    | ApplyPatchCallOutput
    | McpListTools
    | McpCall
    | McpApprovalRequest
    | McpApprovalResponse
    | Program
    | ProgramOutput
    | ConfigurationUpdate
    | ItemReference
)
ResponseItem: TypeAlias = KnownItem | HostedItem | UnknownItem
