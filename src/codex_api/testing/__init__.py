"""Servers and faults for tests of programs that speak the Responses API.

`ScriptedServer` plays bytes and needs nothing beyond the core install; `EmbeddedServer` is a whole
server with a small deterministic model and needs the extra ``codex-api[server]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._lazy import Lookup, lazy_attributes

if TYPE_CHECKING:
    from codex_api.testing.gate import Gate
    from codex_api.testing.recording import RecordedRequest
    from codex_api.testing.scripted import ScriptedServer
    from codex_api.testing.server import Charge, EmbeddedServer, Latency, Limits, ServerSettings

__all__ = [
    "Charge",
    "EmbeddedServer",
    "Gate",
    "Latency",
    "Limits",
    "RecordedRequest",
    "ScriptedServer",
    "ServerSettings",
]

__getattr__: Lookup = lazy_attributes(
    __name__,
    {
        "Charge": "server",
        "EmbeddedServer": "server",
        "Gate": "gate",
        "Latency": "server",
        "Limits": "server",
        "RecordedRequest": "recording",
        "ScriptedServer": "scripted",
        "ServerSettings": "server",
    },
)
