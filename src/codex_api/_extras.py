"""Packages that only an extra of this one installs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def installed_by(extra: str, *packages: str) -> Generator[None]:
    """Say which extra to install when one of ``packages`` is missing inside the block.

    Raises:
        ModuleNotFoundError: A package is missing; ``name`` is the package.
    """
    try:
        yield
    except ModuleNotFoundError as exc:
        package = (exc.name or "").partition(".")[0]
        if package not in packages:
            raise
        message = f"{package} is missing: pip install 'codex-api[{extra}]'"
        raise ModuleNotFoundError(message, name=package) from None
