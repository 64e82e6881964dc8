"""The picture in the documentation is the one that the transition table gives."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_picture_shows_the_table() -> None:
    script = runpy.run_path(str(DOCS / "state_diagram.py"))

    assert script["PICTURE"].read_text() == script["picture"]()
