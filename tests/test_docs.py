"""The documentation's programs run, and nothing public is left out of it."""

from __future__ import annotations

import logging
import re
from importlib import import_module
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
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"\]\((?!\w+:)([^)]+)\)")
_WHOLE_URL = re.compile(r"https://[\w.-]+\.\w+(/[^\s)]*)?(#[\w-]+)?")
_TITLE = re.compile(r"(#{1,6}) .+")
LINKED = sorted({*PAGES, *ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md")})


def blocks(page: Path) -> list[str]:
    """Give the page's programs, padded so that line numbers are those of the page."""
    text = page.read_text()
    return [
        "\n" * text.count("\n", 0, found.start(1)) + found[1] for found in _BLOCK.finditer(text)
    ]


def resolved(name: str) -> object:
    """Return what a full name stands for, or None."""
    module, *rest = name.split(".")
    found: object = import_module(module)
    for part in rest:
        try:
            found = getattr(found, part)
        except AttributeError:
            module = f"{module}.{part}"
            try:
                found = import_module(module)
            except ModuleNotFoundError:
                return None
        else:
            module = f"{module}.{part}"
    return found


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
            exec(compile(block, page, "exec", dont_inherit=True), names)  # noqa: S102 - the test


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return _FENCED.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Return what a link to a heading of ``page`` may name."""
    if included := re.search(r"^```\{include\} (\S+)", page.read_text(), re.MULTILINE):
        return anchors(page.parent / included[1])
    titles = re.findall(r"^#{1,3} (.+)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", title.lower()).strip() for title in titles]
    return {re.sub(r"\s+", "-", title) for title in plain}


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_between_files_resolve(page: Path) -> None:
    broken: list[str] = []
    for target in _LINK.findall(prose(page)):
        name, _, anchor = target.partition("#")
        found = page.parent / name if name else page
        is_there = found.exists() and (not anchor or anchor in anchors(found))
        broken += [] if is_there else [target]

    assert broken == []


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_to_other_sites_are_whole_and_secure(page: Path) -> None:
    targets = [
        *re.findall(r"\]\((\w+:[^)]*)\)", prose(page)),
        *re.findall(r"<(\w+://[^>]*)>", prose(page)),
    ]

    assert [target for target in targets if not _WHOLE_URL.fullmatch(target)] == []


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_no_title_stands_alone(page: Path) -> None:
    """A title is followed by something to read, were it a list or a directive."""
    lines = [line for line in _COMMENT.sub("", page.read_text()).splitlines() if line.strip()]
    in_code, alone, title = False, list[str](), None
    for line in lines:
        found = None if in_code else _TITLE.match(line)
        if found is not None:
            if title is not None and len(found[1]) <= len(title[1]):
                alone.append(title[0])
            title = found
        else:
            title = None
        in_code ^= line.startswith("```")
    if title is not None:
        alone.append(title[0])

    assert alone == []


def test_what_stands_beside_the_names_of_the_rust_crate_is_there() -> None:
    page = (ROOT / "docs" / "how-to" / "from-the-rust-crate.md").read_text()
    cells = [line.split("|")[2] for line in page.splitlines() if line.startswith("| `")]
    names = [name for cell in cells for name in re.findall(r"`(codex_api[\w.]+)`", cell)]

    assert len(names) > 20
    assert [name for name in names if resolved(name) is None] == []


def test_the_methods_beside_the_names_of_the_rust_crate_are_there() -> None:
    page = (ROOT / "docs" / "how-to" / "from-the-rust-crate.md").read_text()
    rows = re.findall(r"`codex_api\.Client\.(\w+)` with ([^|]+)", page)
    with codex_api.Client(codex_api.Provider("x", "http://127.0.0.1:1")) as client:
        missing = [
            f"{endpoint}.{method}"
            for endpoint, told in rows
            for method in re.findall(r"`(\w+)`", told)
            if not callable(getattr(getattr(client, endpoint), method, None))
        ]

    assert len(rows) > 5
    assert missing == []


def test_every_example_is_shown() -> None:
    shown = re.findall(r"examples/(\w+\.py)", (ROOT / "docs" / "examples.md").read_text())

    assert sorted(shown) == sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def test_every_public_name_is_in_the_reference() -> None:
    reference = "\n".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))

    missing = [
        name
        for name in codex_api.__all__
        if not name.startswith("_") and not re.search(rf"\b{name}\b", reference)
    ]

    assert missing == []
