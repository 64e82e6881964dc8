"""Fixtures for pytest, loaded when the package is installed.

`codex_server` is an embedded server for one test. A marker chooses its settings::

    @pytest.mark.codex_server(api_keys=frozenset({"k"}))
    def test_my_agent(codex_server): ...

`codex_cassette` takes the place of the API for one test, whatever client it uses, and answers from
what was recorded. ``pytest --codex-cassette=once`` records what is not there yet::

    @pytest.mark.codex_cassette(ignore=["metadata.run"])
    def test_my_agent(codex_cassette): ...

A test that fails tells the requests that such a server saw, with the times of their events.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from starlette.types import ASGIApp

    from codex_api.testing.cassette_fixture import CassetteMode, CodexCassette
    from codex_api.testing.passages import Passages
    from codex_api.testing.server import EmbeddedServer

MODES: tuple[CassetteMode, ...] = ("none", "once", "new", "all")

_MODE_VARIABLE = "CODEX_CASSETTE"
_UPSTREAM_VARIABLE = "CODEX_UPSTREAM"
_BASE_URL_VARIABLE = "OPENAI_BASE_URL"
_KEY_VARIABLE = "OPENAI_API_KEY"
_PUBLIC_API = "https://api.openai.com/v1"
_MARKED = frozenset({"mode", "match", "ignore", "repeat_last", "is_timed", "environment"})

_seen = pytest.StashKey[list["Passages"]]()
_passed = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("codex-api")
    group.addoption(
        "--codex-cassette",
        choices=MODES,
        help=f"mode of the codex_cassette fixture; default: ${_MODE_VARIABLE}, the marker's, none",
    )
    group.addoption(
        "--codex-upstream",
        metavar="URL",
        help="base URL of the server that the codex_cassette fixture records; default: "
        f"${_UPSTREAM_VARIABLE}, ${_BASE_URL_VARIABLE}, the public API",
    )
    parser.addini("codex_cassette", "mode of the codex_cassette fixture", default="none")
    parser.addini("codex_cassette_dir", "folder of cassettes, beside tests", default="cassettes")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    config.addinivalue_line(
        "markers", "codex_server(**settings): settings of the codex_server fixture"
    )
    config.addinivalue_line(
        "markers",
        "codex_cassette(path=None, *, mode, match, ignore, repeat_last, is_timed, environment): "
        "settings of the codex_cassette fixture",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell in the report of a test that failed what the servers of its fixtures saw."""
    report = yield
    if report.when == "call":
        item.stash[_passed] = report.passed
    if report.failed:
        told = [text for each in item.stash.get(_seen, list["Passages"]()) if (text := each.text())]
        if told:
            report.sections.append(("codex requests", "\n".join(told)))
    return report


@pytest.fixture
def codex_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """Run an embedded server for this test; needs the extra ``codex-api[server]``."""
    # Every pytest run loads this module, and few of them need a server.
    from codex_api.testing.passages import Passages, Witness  # noqa: PLC0415
    from codex_api.testing.server import EmbeddedServer, ServerSettings  # noqa: PLC0415

    node: pytest.Item = request.node
    marker = node.get_closest_marker("codex_server")
    chosen: dict[str, Any] = dict(marker.kwargs) if marker else {}
    passages = Passages()
    node.stash.setdefault(_seen, []).append(passages)

    def around(app: ASGIApp) -> ASGIApp:
        return cast("ASGIApp", Witness(app, passages))

    with EmbeddedServer(ServerSettings(**chosen), around=around) as server:
        yield server


@pytest.fixture
def codex_upstream(request: pytest.FixtureRequest) -> str:
    """Return the base URL of the server that `codex_cassette` records; made to be overridden."""
    option: str | None = request.config.getoption("--codex-upstream")
    return (
        option
        or os.environ.get(_UPSTREAM_VARIABLE)
        or os.environ.get(_BASE_URL_VARIABLE)
        or _PUBLIC_API
    )


@pytest.fixture
def codex_cassette(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CodexCassette]:
    """Take the place of the API for this test: answer from its cassette, or record it.

    Modes that record need the extra ``codex-api[server]``.
    """
    from codex_api.testing.cassette_fixture import (  # noqa: PLC0415 - few runs need it
        CodexCassette,
        Matched,
    )

    node: pytest.Item = request.node
    given, chosen = _marked(node)
    mode = _mode(node, chosen.pop("mode", None))
    with_environment = chosen.pop("environment", True)
    path = _path(node) if given is None else node.path.parent / given
    cassette, refusal = None, ""
    try:
        cassette = CodexCassette(
            path,
            # A file that is named may be that of several tests, which would replace each other's.
            mode if given is None else "none",
            upstream=lambda: request.getfixturevalue("codex_upstream"),
            folder=tmp_path_factory.mktemp("cassette"),
            matched=Matched(**chosen),
        )
    except (FileNotFoundError, ValueError) as exc:
        refusal = f"codex_cassette: {exc}"
    if cassette is None:  # not above, where the report would show two errors
        pytest.fail(refusal, pytrace=False)
    node.stash.setdefault(_seen, []).append(cassette.passages)
    node.stash[_passed] = False
    with cassette, _environment(cassette.url if with_environment else None):
        yield cassette
    if not node.stash[_passed]:
        return
    if cassette.errors:
        told = "\n".join(str(error) for error in cassette.errors)
        pytest.fail(f"{told}\nrecord it again with --codex-cassette=all, or new", pytrace=False)
    cassette.keep()


def _marked(node: pytest.Item) -> tuple[str | None, dict[str, Any]]:
    marker = node.get_closest_marker("codex_cassette")
    if marker is None:
        return None, {}
    chosen: dict[str, Any] = dict(marker.kwargs)
    given: list[Any] = [*marker.args, *([chosen.pop("path")] if "path" in chosen else [])]
    if len(given) > 1 or chosen.keys() - _MARKED:
        known = ", ".join(sorted(_MARKED))
        message = f"{node.nodeid}: the marker codex_cassette takes a path and {known}"
        raise pytest.UsageError(message)
    return (str(given[0]) if given else None), chosen


def _mode(node: pytest.Item, marked: str | None) -> CassetteMode:
    sources = (
        ("--codex-cassette", node.config.getoption("--codex-cassette")),
        (f"${_MODE_VARIABLE}", os.environ.get(_MODE_VARIABLE)),
        ("the marker codex_cassette", marked),
        ("the option codex_cassette", node.config.getini("codex_cassette")),
    )
    source, mode = next((source, mode) for source, mode in sources if mode)
    if mode not in MODES:
        message = f"{source} has to be one of {', '.join(MODES)}, and is {mode!r}"
        raise pytest.UsageError(message)
    return MODES[MODES.index(mode)]


def _path(node: pytest.Item) -> Path:
    from codex_api.testing.cassette_fixture import file_name  # noqa: PLC0415 - few runs need it

    folder = Path(str(node.config.getini("codex_cassette_dir")))
    name = file_name(node.nodeid.partition("::")[2] or node.name)
    return node.path.parent / folder / node.path.stem / name


@contextmanager
def _environment(url: str | None) -> Generator[None]:
    """Let clients that read the environment find the server, past any proxy."""
    if url is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(_BASE_URL_VARIABLE, url)
        if not os.environ.get(_KEY_VARIABLE):
            patch.setenv(_KEY_VARIABLE, "unused")
        for name in ("NO_PROXY", "no_proxy"):
            patch.setenv(name, "127.0.0.1", prepend=",")
        yield
