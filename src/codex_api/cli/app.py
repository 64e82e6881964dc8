"""The tree of commands. Each is imported when it is called."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError
from rich.console import Console

from codex_api._version import __version__
from codex_api.cli import exit_codes
from codex_api.transport.errors import CodexApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

app = App(
    name="codex-api",
    help="Talk to the OpenAI Responses API and the Codex backend.",
    version=__version__,
)
app.command("codex_api.cli.respond:respond", name="respond")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; failures become one line on standard error and an exit code."""
    tokens = sys.argv[1:] if arguments is None else list(arguments)
    console = Console(stderr=True, soft_wrap=True)
    try:
        result = app(tokens, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return exit_codes.USAGE
    except KeyboardInterrupt:
        console.print("interrupted", style="yellow")
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        # Whoever read us, such as `head`, has seen enough. Nothing may be flushed to it any more.
        sys.stdout = None
        return exit_codes.OK
    except CodexApiError as exc:
        console.print(f"codex-api: {exc}", style="red", markup=False, highlight=False)
        return exit_codes.exit_code(exc)
    return result if isinstance(result, int) else exit_codes.OK
