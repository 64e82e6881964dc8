"""Files that a command writes, checked before the call that fills them is paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from pathlib import Path


def check_target(path: Path | None, option: str = "--output") -> None:
    """Refuse a path that cannot become a file.

    Raises:
        RequestBuildError: It is a folder, or in a folder that does not exist.
    """
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        message = f"{option} {path}: expected a file in a folder that exists"
        raise RequestBuildError(message)


def unwritable(path: Path, error: OSError, option: str = "--output") -> RequestBuildError:
    """Make the error for a file that could not be written after all."""
    return RequestBuildError(f"{option} {path}: {error.strerror or 'it cannot be written'}")
