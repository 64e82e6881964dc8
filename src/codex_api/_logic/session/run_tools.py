"""What a run can do by itself: the tools that have a function, and handlers for types of calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias, TypedDict, TypeVar, cast

import msgspec

from codex_api._logic.session.run_result import ToolCall  # noqa: TC001 - the reference reads it
from codex_api.tools import CustomTool, FunctionTool, Namespace, Tool
from codex_api.transport.errors import RequestBuildError
from codex_api.types.call_item import (
    CustomToolCall,
    FunctionCall,
    LocalShellCall,
    ToolSearchCall,
    ToolSearchOutput,
)
from codex_api.types.callables import gives_awaitable
from codex_api.types.content import Tagged
from codex_api.types.function_tool import ToolError
from codex_api.types.hosted_item import (
    ApplyPatchCall,
    ApplyPatchCallOutput,
    ComputerCall,
    ComputerCallOutput,
    LocalShellCallOutput,
    McpApprovalRequest,
    McpApprovalResponse,
    ShellCall,
    ShellCallOutput,
)
from codex_api.types.hosted_parts import ComputerScreenshot, ContainerReference, ShellOutput
from codex_api.types.item import ResponseItem  # noqa: TC001 - the reference reads it

T = TypeVar("T")
#: What a run takes as a tool.
AnyTool: TypeAlias = Tool | Callable[..., Any]
# In a session of ``AsyncClient`` a handler may be ``async``.
_Given: TypeAlias = T | Awaitable[T]


class CallHandlers(TypedDict, total=False):
    """Who answers which type of call in a run; a plain ``dict``, keyed by the wire type.

    A handler is called with the item and returns the output item, as a class of ``items`` or a
    mapping, or what is told for its key. ``async`` ones are for sessions of ``AsyncClient``. What
    has neither a function nor a handler ends the run as an open call.

    Attributes:
        function_call: Calls of functions that were declared without a Python function. Any value,
            as for functions.
        custom_tool_call: The same for custom tools.
        shell_call: Commands on the caller's machine. For each a ``ShellOutput`` or a text, which
            succeeded; one alone needs no list.
        local_shell_call: One command. A text, or anything as JSON.
        apply_patch_call: A change of a file. A text for the model or None; raise for a failure.
        computer_call: Clicks and keys. The screen after them: a ``ComputerScreenshot``, its URL, or
            a PNG in bytes. Only an item acknowledges ``pending_safety_checks``.
        tool_search_call: A search of the caller's. The tools that were found.
        mcp_approval_request: Whether a tool of an MCP server may be called: True or False.
    """

    function_call: Callable[[FunctionCall], Any]
    custom_tool_call: Callable[[CustomToolCall], Any]
    shell_call: Callable[
        [ShellCall], _Given[str | ShellOutput | Sequence[str | ShellOutput] | ShellCallOutput]
    ]
    local_shell_call: Callable[
        [LocalShellCall], _Given[str | Mapping[str, Any] | LocalShellCallOutput]
    ]
    apply_patch_call: Callable[[ApplyPatchCall], _Given[str | ApplyPatchCallOutput | None]]
    computer_call: Callable[
        [ComputerCall], _Given[str | bytes | ComputerScreenshot | ComputerCallOutput]
    ]
    tool_search_call: Callable[[ToolSearchCall], _Given[Sequence[Tool] | ToolSearchOutput]]
    mcp_approval_request: Callable[[McpApprovalRequest], _Given[bool | McpApprovalResponse]]


_HANDLED: Final = frozenset(CallHandlers.__annotations__)
_CALLS: Final = (
    FunctionCall,
    CustomToolCall,
    LocalShellCall,
    ShellCall,
    ApplyPatchCall,
    ComputerCall,
    ToolSearchCall,
    McpApprovalRequest,
)
_OwnTool: TypeAlias = FunctionTool | CustomTool
_Name: TypeAlias = tuple[str | None, str]


class Job(NamedTuple):
    """A call that a function or a handler answers.

    Attributes:
        work: Calls it.
        is_async: Whether that gives something to await, and runs no code of the caller's before.
    """

    call: ToolCall
    work: Callable[[], Any]
    is_async: bool

    @property
    def name(self) -> str:
        """What is called, for messages."""
        return getattr(self.call, "name", None) or self.call.type


class RunTools:
    """The tools of one run.

    Args:
        tools: Those of the request, with those of the run.
        is_async: Whether ``async`` functions can be awaited.

    Raises:
        RequestBuildError: Two functions have one name.
        TypeError: A handler is not callable or for no type of call, or something is ``async`` where
            nothing can be awaited.
    """

    def __init__(self, tools: Sequence[Tool], handlers: CallHandlers, *, is_async: bool) -> None:
        flat = _flat(tools)
        self._functions = _functions(flat, is_async=is_async)
        self._names = {(space, name) for space, tool in flat if (name := _name(tool)) is not None}
        self._handlers = _handlers(handlers, is_async=is_async)

    def job(self, item: ResponseItem) -> Job | None:
        """Return what answers ``item``; None where nothing does."""
        if not isinstance(item, _CALLS):
            return None
        if isinstance(item, FunctionCall | CustomToolCall):
            name = (item.namespace, item.name)
            tool = self._functions.get((item.type, name))
            if tool is not None:
                given = item.arguments if isinstance(item, FunctionCall) else item.input
                return Job(item, partial(tool.call, given), _is_async(tool.function))
            if isinstance(item, FunctionCall) and name not in self._names:
                return Job(item, partial(_unknown, item.name), is_async=False)
        elif isinstance(item, ShellCall) and isinstance(item.environment, ContainerReference):
            return None  # the server's business
        handler = self._handlers.get(item.type)
        return None if handler is None else Job(item, partial(handler, item), _is_async(handler))


def as_tool(tool: AnyTool) -> Tool:
    """Return a tool, made of a function where it is one.

    Raises:
        RequestBuildError: A function cannot be described.
        TypeError: It is no tool.
    """
    is_described = isinstance(tool, Tagged | msgspec.Raw | Mapping)
    if is_described:
        return cast("Tool", tool)
    if not callable(tool):
        message = f"a tool is a function, one of codex_api.tools or a mapping, not {tool!r:.80}"
        raise TypeError(message)
    return FunctionTool.from_callable(tool)


def _unknown(name: str) -> None:
    message = f"there is no tool named {name}"
    raise ToolError(message)


def _is_async(function: object) -> bool:
    return gives_awaitable(function)


def _handlers(given: CallHandlers, *, is_async: bool) -> dict[str, Callable[[Any], Any]]:
    found: dict[str, Callable[[Any], Any]] = {}
    for kind, handler in cast("Mapping[str, object]", given).items():
        if kind not in _HANDLED:
            known = ", ".join(sorted(_HANDLED))
            message = f"{kind!r:.80} is no type of call that can be handled, which are {known}"
            raise TypeError(message)
        if not callable(handler):
            message = f"the handler of {kind} must be callable, not {handler!r:.80}"
            raise TypeError(message)
        _refuse_async(f"the handler of {kind}", handler, is_async=is_async)
        found[kind] = handler
    return found


def _functions(
    flat: Sequence[tuple[str | None, Tool]], *, is_async: bool
) -> dict[tuple[str, _Name], _OwnTool]:
    found: dict[tuple[str, _Name], _OwnTool] = {}
    for space, tool in flat:
        if not isinstance(tool, FunctionTool | CustomTool) or tool.function is None:
            continue
        called = "function_call" if isinstance(tool, FunctionTool) else "custom_tool_call"
        key = (called, (space, tool.name))
        if key in found:
            message = f"two functions are called {tool.name}: give one another name"
            raise RequestBuildError(message)
        _refuse_async(tool.name, tool.function, is_async=is_async)
        found[key] = tool
    return found


def _refuse_async(name: str, function: object, *, is_async: bool) -> None:
    if not is_async and _is_async(function):
        message = f"{name} is async: only a session of AsyncClient can await it"
        raise TypeError(message)


def _flat(tools: Sequence[Tool]) -> list[tuple[str | None, Tool]]:
    """Return the tools with the name of the namespace that they are in, or None."""
    found: list[tuple[str | None, Tool]] = []
    for tool in tools:
        if isinstance(tool, Namespace):
            found += [(tool.name, inner) for inner in tool.tools]
        elif isinstance(tool, Mapping) and tool.get("type") == "namespace":
            found += [(str(tool.get("name")), inner) for inner in tool.get("tools", ())]
        else:
            found.append((None, tool))
    return found


class _Named(msgspec.Struct):
    name: str | None = None


def _name(tool: Tool) -> str | None:
    if isinstance(tool, msgspec.Raw):
        try:
            return msgspec.json.decode(tool, type=_Named).name
        except msgspec.DecodeError:
            return None
    found = tool.get("name") if isinstance(tool, Mapping) else getattr(tool, "name", None)
    return found if isinstance(found, str) else None
