"""``codex-api realtime``: listen, say, call, and a page to call from."""

from __future__ import annotations

from cyclopts import App

__all__ = ["realtime_app"]

realtime_app = App(name="realtime", help="Speak with a model, by WAV files or a browser.")
realtime_app.command("codex_api.cli.realtime.sessions:listen", name="listen")
realtime_app.command("codex_api.cli.realtime.sessions:say", name="say")
realtime_app.command("codex_api.cli.realtime.calls:call", name="call")
realtime_app.command("codex_api.cli.realtime.web:web", name="web")
