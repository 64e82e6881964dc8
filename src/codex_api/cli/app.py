"""The tree of commands. Each is imported when it is called."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError

from codex_api import __version__
from codex_api.cli import exit_codes
from codex_api.cli.console import Output, complain, note
from codex_api.transport.errors import CodexApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

app: App = App(
    name="codex-api",
    help="Talk to the OpenAI Responses API and the Codex backend.",
    version=__version__,
    help_format="plaintext",  # Markdown costs a third of the start
    suppress_keyboard_interrupt=False,
)
app.command("codex_api.cli.respond:respond", name="respond", help="Stream one response.")
app.command("codex_api.cli.stored:get", name="get", help="Print a stored response.")
app.command("codex_api.cli.stored:cancel", name="cancel", help="Cancel a background response.")
app.command("codex_api.cli.stored:delete", name="delete", help="Delete a stored response.")
app.command("codex_api.cli.tokens:tokens", name="tokens", help="Count the tokens of a request.")
app.command("codex_api.cli.chat:chat", name="chat", help="Talk with a model, line by line.")
app.command(
    "codex_api.cli.doctor:doctor",
    name="doctor",
    help="Look at credentials, TLS, proxy, HTTP and WebSocket.",
)
app.command(
    "codex_api.cli.realtime:realtime_app",
    name="realtime",
    help="Speak with a model, by WAV files or a browser.",
)
app.command(
    "codex_api.cli.bulk:bulk_app", name="bulk", help="Send files of requests at the rate limit."
)
app.command("codex_api.cli.compact:compact", name="compact", help="Make a history short.")
app.command(
    "codex_api.cli.memories:memories_app", name="memories", help="Summarize recorded sessions."
)
app.command("codex_api.cli.models:models", name="models", help="List the models.")
app.command("codex_api.cli.images:images_app", name="images", help="Draw and change images.")
app.command("codex_api.cli.search:search", name="search", help="Search the web, and more.")
app.command("codex_api.cli.upload:upload", name="upload", help="Upload a file.")
app.command(
    "codex_api.cli.tapes:record", name="record", help="Record what a program asks a server."
)
app.command("codex_api.cli.tapes:replay", name="replay", help="Answer from a recorded file.")
app.command("codex_api.cli.inspect:inspect", name="inspect", help="Draw what was recorded.")
app.command(
    "codex_api.cli.serve:serve", name="serve", help="Serve the API with a small built-in model."
)
app.command("codex_api.cli.kept_files:files_app", name="files", help="List and fetch files.")
app.command("codex_api.cli.batches:batch_app", name="batch", help="Many requests in a file.")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; failures become one line on standard error and an exit code."""
    _prepare_output()
    tokens = sys.argv[1:] if arguments is None else list(arguments)
    try:
        result = app(
            tokens,
            console=Output(),
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        # A full disk and a closed pipe show only now, when the output leaves our buffer.
        sys.stdout.flush()
    except (CycloptsError, CodexApiError, KeyboardInterrupt, OSError) as exc:
        code = _tell(exc)
        _settle_output()
        return code
    return result if isinstance(result, int) else exit_codes.OK


def _tell(exc: BaseException) -> int:
    """Say in one line what ended the command, and return its exit code."""
    if isinstance(exc, CycloptsError):
        complain(f"{exc} Try 'codex-api --help'.")
        return exit_codes.USAGE
    if isinstance(exc, KeyboardInterrupt):
        note("interrupted")
        return exit_codes.INTERRUPTED
    if isinstance(exc, BrokenPipeError):
        # Whoever read us, such as `head`, has seen enough.
        return exit_codes.OK
    complain(_words_of(exc))
    return exit_codes.exit_code(exc) if isinstance(exc, CodexApiError) else exit_codes.FAILED


def _words_of(exc: BaseException) -> str:
    name: object = exc.filename if isinstance(exc, OSError) else None
    return str(exc) if name is None else f"{name}: {getattr(exc, 'strerror', exc)}"


def _prepare_output() -> None:
    """Let the output take every character: JSON is UTF-8, and a locale may know fewer.

    Python has no stream at all where the shell closed one (``>&-``); it is replaced by the null
    device, which the process keeps until its end.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - as above
    output: object = sys.stdout
    if isinstance(output, io.TextIOWrapper):
        encoding = None if output.isatty() else "utf-8"
        output.reconfigure(encoding=encoding, errors="replace")


def _settle_output() -> None:
    """Send what is still buffered, or let it go nowhere, so that the exit is not an error too."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
