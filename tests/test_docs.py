"""The documentation's programs run, and nothing public is left out of it."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import codex_api
from codex_api import provider
from codex_api.testing import EmbeddedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def blocks(page: Path) -> list[str]:
    """Give the page's programs, padded so that line numbers are those of the page."""
    text = page.read_text()
    return [
        "\n" * text.count("\n", 0, found.start(1)) + found[1] for found in _BLOCK.finditer(text)
    ]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def loggers_left_as_they_were() -> Iterator[None]:
    names = [None, *(name for name in logging.root.manager.loggerDict if "codex_api" in name)]
    levels = {name: logging.getLogger(name).level for name in names}
    handlers = list(logging.root.handlers)
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.root.handlers[:] = handlers


@pytest.mark.usefixtures("loggers_left_as_they_were")
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name_of)
def test_the_programs_of_a_page_run(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A page is one program: its blocks run in order and share their names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    names: dict[str, object] = {"__name__": "__main__"}

    with EmbeddedServer() as server:
        monkeypatch.setattr(provider, "OPENAI_BASE_URL", server.url)
        for block in blocks(page):
            exec(compile(block, page, "exec"), names)  # noqa: S102 - that is the test


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_between_files_resolve(page: Path) -> None:
    targets = [page.parent / target for target in _LINK.findall(page.read_text())]

    assert [target for target in targets if not target.exists()] == []


def test_every_public_name_is_in_the_reference() -> None:
    reference = "\n".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))

    missing = [
        name
        for name in codex_api.__all__
        if not name.startswith("_") and not re.search(rf"\b{name}\b", reference)
    ]

    assert missing == []
