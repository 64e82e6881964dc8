"""What the items of hosted tools are made of.

A part is named after its wire ``type``; one without a type is named after what it says. The rules
are those of ``content``: keys and values that do not fit are kept in ``extra``, and a part that
lacks what it needs is an ``UnknownPart``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from codex_api.types.content import Extensible, KeepsExtra, UnknownPart

_Keys: TypeAlias = Sequence[str]


class FileSearchResult(KeepsExtra, frozen=True):
    """A piece of a file that a search found.

    Attributes:
        attributes: Of the file, as its owner set them.
        score: 0 to 1, or None when not given.
    """

    file_id: str | None = None
    filename: str | None = None
    text: str | None = None
    attributes: Mapping[str, Any] | None = None
    score: float | None = None


class Logs(Extensible, frozen=True, tag="logs", gc=False):
    """What a program wrote."""

    logs: str


class Image(Extensible, frozen=True, tag="image", gc=False):
    """An image that a program made."""

    url: str


class SafetyCheck(KeepsExtra, frozen=True, gc=False):
    """Something that somebody has to look at before the computer goes on."""

    id: str
    code: str | None = None
    message: str | None = None


class Point(KeepsExtra, frozen=True, gc=False):
    """A place on the screen, in pixels."""

    x: int
    y: int


class Click(Extensible, frozen=True, tag="click"):
    """Press a button of the mouse; ``keys`` are held meanwhile."""

    button: str
    x: int
    y: int
    keys: _Keys | None = None


class DoubleClick(Extensible, frozen=True, tag="double_click"):
    """Press the mouse twice; ``keys`` are held meanwhile."""

    x: int
    y: int
    keys: _Keys | None = None


class Drag(Extensible, frozen=True, tag="drag"):
    """Move along ``path`` with the button pressed; ``keys`` are held meanwhile."""

    path: Sequence[Point]
    keys: _Keys | None = None


class Keypress(Extensible, frozen=True, tag="keypress"):
    """Press keys together."""

    keys: _Keys


class Move(Extensible, frozen=True, tag="move"):
    """Move the mouse; ``keys`` are held meanwhile."""

    x: int
    y: int
    keys: _Keys | None = None


class Screenshot(Extensible, frozen=True, tag="screenshot", gc=False):
    """Take a picture of the screen."""


class Scroll(Extensible, frozen=True, tag="scroll"):
    """Scroll by ``scroll_x`` and ``scroll_y`` with the mouse at a place; ``keys`` are held."""

    x: int
    y: int
    scroll_x: int
    scroll_y: int
    keys: _Keys | None = None


class Type(Extensible, frozen=True, tag="type", gc=False):
    """Type a text."""

    text: str


class Wait(Extensible, frozen=True, tag="wait", gc=False):
    """Do nothing for a while."""


class ComputerScreenshot(Extensible, frozen=True, tag="computer_screenshot", gc=False):
    """A picture of the screen, by address or by file."""

    image_url: str | None = None
    file_id: str | None = None


class ShellAction(KeepsExtra, frozen=True):
    """Run commands.

    Attributes:
        timeout_ms: Limit on each in milliseconds; None leaves it to the executor.
        max_output_length: Limit on what comes back of each, in characters; None for none.
    """

    commands: Sequence[str]
    timeout_ms: int | None = None
    max_output_length: int | None = None


class Timeout(Extensible, frozen=True, tag="timeout", gc=False):
    """A command took too long."""


class Exit(Extensible, frozen=True, tag="exit", gc=False):
    """A command ended."""

    exit_code: int


class Local(Extensible, frozen=True, tag="local"):
    """The machine of whoever runs the tool."""

    skills: Sequence[Any] | None = None


class ContainerReference(Extensible, frozen=True, tag="container_reference", gc=False):
    """A container of the server."""

    container_id: str


class CreateFile(Extensible, frozen=True, tag="create_file", gc=False):
    """Make a file of the content in ``diff``."""

    path: str
    diff: str


class DeleteFile(Extensible, frozen=True, tag="delete_file", gc=False):
    """Remove a file."""

    path: str


class UpdateFile(Extensible, frozen=True, tag="update_file", gc=False):
    """Change a file as ``diff`` says."""

    path: str
    diff: str


class McpTool(KeepsExtra, frozen=True):
    """A tool that an MCP server has.

    Attributes:
        input_schema: JSON schema of the arguments.
        annotations: What the server says about it, any JSON.
    """

    name: str
    input_schema: Any
    description: str | None = None
    annotations: Any = None


class McpProtocolError(Extensible, frozen=True, tag="mcp_protocol_error", gc=False):
    """An MCP server answered with an error."""

    code: int
    message: str


class McpToolExecutionError(Extensible, frozen=True, tag="mcp_tool_execution_error"):
    """A tool of an MCP server failed; ``content`` is what it said, any JSON."""

    content: Any


class HttpError(Extensible, frozen=True, tag="http_error", gc=False):
    """An MCP server could not be reached."""

    code: int
    message: str


if TYPE_CHECKING:
    _Outcome: TypeAlias = Timeout | Exit | UnknownPart
else:
    _Outcome = Timeout | Exit


class ShellOutput(KeepsExtra, frozen=True):
    """What a command wrote, and how it ended."""

    stdout: str
    stderr: str
    outcome: _Outcome
    created_by: str | None = None


CodeOutput: TypeAlias = Logs | Image | UnknownPart
KnownAction: TypeAlias = (
    Click | DoubleClick | Drag | Keypress | Move | Screenshot | Scroll | Type | Wait
)
ComputerAction: TypeAlias = KnownAction | UnknownPart
PatchOperation: TypeAlias = CreateFile | DeleteFile | UpdateFile | UnknownPart
ShellEnvironment: TypeAlias = Local | ContainerReference | UnknownPart
McpError: TypeAlias = McpProtocolError | McpToolExecutionError | HttpError | UnknownPart
