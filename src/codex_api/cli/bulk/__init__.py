"""``codex-api bulk``: files of requests at the rate limit."""

from __future__ import annotations

from cyclopts import App

__all__ = ["bulk_app"]

# Here, since the listing shows the first lines without importing the commands.
_RUN = """Send a file of requests, one a line as the Batch API takes them.

Answers go to the output as they come. Ctrl-C sends nothing more and waits for what is in flight; \
a second one gives that up. What is left is sent with --resume.
"""
_RETRY = """Send rows again that failed, and what is left.

The kinds of failures are shown by 'status'.
"""

bulk_app: App = App(name="bulk", help="Send files of requests at the rate limit.")
bulk_app.command("codex_api.cli.bulk.sending:run", name="run", help=_RUN)
bulk_app.command(
    "codex_api.cli.bulk.looking:estimate",
    name="estimate",
    help="Say what a file of requests will need, and send nothing.",
)
bulk_app.command(
    "codex_api.cli.bulk.looking:status",
    name="status",
    help="Say what became of a file of requests.",
)
bulk_app.command("codex_api.cli.bulk.sending:retry", name="retry", help=_RETRY)
bulk_app.command(
    "codex_api.cli.bulk.files:export",
    name="export",
    help="Write the results as Parquet, or as JSON lines in the order of the input.",
)
bulk_app.command(
    "codex_api.cli.bulk.files:merge",
    name="merge",
    help="Put outputs, such as those of shards, into one file.",
)
