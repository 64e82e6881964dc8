"""The embedded server: a loopback server of the Responses API with a small built-in model.

Needs the extra ``codex-api[server]``.
"""

from __future__ import annotations

from codex_api._imports import installed_by

with installed_by("server", "starlette", "uvicorn"):
    from codex_api.testing.server.app import create_app
    from codex_api.testing.server.embedded import EmbeddedServer
    from codex_api.testing.server.latency import Latency
    from codex_api.testing.server.limits import Charge, Limits
    from codex_api.testing.server.settings import ServerSettings

__all__ = ["Charge", "EmbeddedServer", "Latency", "Limits", "ServerSettings", "create_app"]
