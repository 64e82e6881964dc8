"""``codex-api realtime``: listen, say, call, and a page to call from."""

from __future__ import annotations

from cyclopts import App

__all__ = ["realtime_app"]

# Here, since the listing shows the first lines without importing the commands.
_CALL = """Call the model, say what is in a WAV file, and keep what it answers.

The call ends when for some seconds nothing was said by either side. Without a file it is by \
microphone and loudspeaker, and ends with Ctrl-C or when the model's side ends it.
"""
_WEB = """Serve a page from which a browser on this machine calls the model.

The address that is printed holds a secret: whoever knows it can call in your name.
"""

realtime_app: App = App(name="realtime", help="Speak with a model, by WAV files or a browser.")
realtime_app.command(
    "codex_api.cli.realtime.sessions:listen",
    name="listen",
    help="Print what is said in a WAV file.",
)
realtime_app.command(
    "codex_api.cli.realtime.sessions:say",
    name="say",
    help="Say something in writing; print the answer and keep its sound.",
)
realtime_app.command("codex_api.cli.realtime.calls:call", name="call", help=_CALL)
realtime_app.command("codex_api.cli.realtime.web:web", name="web", help=_WEB)
