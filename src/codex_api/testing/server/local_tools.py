"""Built-in tools that the client carries out: shells, patches, a computer.

As with functions, what they are to do comes only from an explicit form in the prompt.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, cast

from codex_api.testing.server.arguments import function_arguments, text_given
from codex_api.testing.server.plan import ToolItem

if TYPE_CHECKING:
    from codex_api.testing.wire import JsonObject

_OPERATION: JsonObject = {
    "type": "object",
    "properties": {
        "diff": {"type": "string"},
        "path": {"type": "string"},
        "type": {"enum": ["update_file", "create_file", "delete_file"]},
    },
    "required": ["diff", "path", "type"],
}


def asked_of_client(kind: str, said: str) -> ToolItem | None:
    """Return the call of a tool; None for one that the client does not carry out."""
    match kind:
        case "local_shell":
            words = _words(text_given("command", said) or "")
            action: JsonObject = {"type": "exec", "command": words, "env": {}}
            return _item("local_shell_call", "lsh", {"action": action})
        case "shell":
            commands = _list(text_given("commands", said))
            action = {"commands": commands, "timeout_ms": None, "max_output_length": None}
            return _item("shell_call", "sh", {"action": action, "environment": {"type": "local"}})
        case "apply_patch":
            operation = json.loads(function_arguments(_OPERATION, said))
            return _item("apply_patch_call", "apc", {"operation": operation})
        case "computer":
            more: JsonObject = {"action": {"type": "screenshot"}, "pending_safety_checks": []}
            return _item("computer_call", "cu", more)
        case _:
            return None


def _item(kind: str, prefix: str, more: JsonObject) -> ToolItem:
    begun = {"status": "in_progress", **more}
    return ToolItem(kind, prefix, begun, ended={"status": "completed"}, is_for_client=True)


def _list(given: str | None) -> list[str]:
    if given is None:
        return []
    try:
        value: object = json.loads(given)
    except ValueError:
        return [given]
    if not isinstance(value, list):
        return [given]
    return [str(each) for each in cast("list[object]", value)]


def _words(given: str) -> list[str]:
    if given.startswith("["):
        return _list(given)
    try:
        return shlex.split(given)
    except ValueError:
        return [given]
