"""Servers and faults for tests of programs that speak the Responses API.

`ScriptedServer` plays bytes and needs nothing beyond the core install; `EmbeddedServer` is a whole
server with a small deterministic model and needs the extra ``codex-api[server]``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codex_api.testing.gate import Gate
    from codex_api.testing.recording import RecordedRequest
    from codex_api.testing.scripted import ScriptedServer
    from codex_api.testing.server import EmbeddedServer, ServerSettings

__all__ = ["EmbeddedServer", "Gate", "RecordedRequest", "ScriptedServer", "ServerSettings"]

_MODULES = {
    "EmbeddedServer": "codex_api.testing.server",
    "Gate": "codex_api.testing.gate",
    "RecordedRequest": "codex_api.testing.recording",
    "ScriptedServer": "codex_api.testing.scripted",
    "ServerSettings": "codex_api.testing.server",
}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value
