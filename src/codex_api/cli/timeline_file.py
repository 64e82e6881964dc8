"""The page of ``codex-api inspect`` in its file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from codex_api.cli.console import note
from codex_api.testing.timeline_page import page
from codex_api.types.atomic_file import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from codex_api.testing.lanes import Lane

# A page grows with what it shows: of the time, this part at most goes into writing it anew.
_PART_OF_TIME: Final = 0.2


def write_page(path: Path, lanes: Sequence[Lane]) -> None:
    """Write the page for its owner to read; who opens it meanwhile has it whole, or the old one.

    Raises:
        OSError: It cannot be written.
    """
    data = page(lanes).encode()
    if path.exists() and not path.is_file():
        path.write_bytes(data)  # such as /dev/stdout
    else:
        write_atomically(path.resolve(), data, private=True)


class LivePage:
    """A page that is written anew while things happen.

    Args:
        path: None for no page.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._after = 0.0
        self._is_stale = False
        self._has_failed = False

    def show(self, lanes: Sequence[Lane], *, is_new: bool) -> None:
        """Write what there is so far, if it ``is_new`` and it is time to.

        A page that cannot be written is told once: the program that is watched goes on.
        """
        self._is_stale = self._is_stale or is_new
        began = time.monotonic()
        if self._path is None or not lanes or not self._is_stale or began < self._after:
            return
        self._is_stale = False
        try:
            write_page(self._path, lanes)
        except OSError as exc:
            if not self._has_failed:
                note(f"{self._path} cannot be written now: {exc.strerror}")
            self._has_failed = True
        ended = time.monotonic()
        self._after = ended + (ended - began) / _PART_OF_TIME

    def finish(self, lanes: Sequence[Lane]) -> None:
        """Write the last state.

        Raises:
            OSError: It cannot be written.
        """
        if self._path is not None and lanes:
            write_page(self._path, lanes)
            note(f"wrote {self._path}")
