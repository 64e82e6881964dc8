"""The command line: ``codex-api``, or ``python -m codex_api``. Needs the extra ``cli``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MISSING_EXTRA = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Without the program's name; None takes the process's own.

    Returns:
        The exit code; see ``codex_api.cli.exit_codes``.
    """
    try:
        from codex_api.cli.app import run  # noqa: PLC0415 - the extra may be missing
    except ModuleNotFoundError as exc:
        if exc.name not in {"cyclopts", "markdown_it", "rich"}:
            raise
        return _say("the command line needs: pip install 'codex-api[cli]'", _MISSING_EXTRA)
    except KeyboardInterrupt:
        return _say("interrupted", _INTERRUPTED)
    return run(arguments)


def _say(line: str, code: int) -> int:
    """Print without the console, which is not there yet."""
    print(line, file=sys.stderr)  # noqa: T201
    return code
