"""Fixtures for pytest, loaded when the package is installed.

`codex_server` is an embedded server for one test. A marker chooses its settings::

    @pytest.mark.codex_server(api_keys=frozenset({"k"}))
    def test_my_agent(codex_server): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codex_api.testing.server import EmbeddedServer


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", "codex_server(**settings): settings of the codex_server fixture"
    )


@pytest.fixture
def codex_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """Run an embedded server for this test; needs the extra ``codex-api[server]``."""
    # Every pytest run loads this module, and few of them need a server.
    from codex_api.testing.server import EmbeddedServer, ServerSettings  # noqa: PLC0415

    node: pytest.Item = request.node
    marker = node.get_closest_marker("codex_server")
    chosen: dict[str, Any] = dict(marker.kwargs) if marker else {}
    with EmbeddedServer(ServerSettings(**chosen)) as server:
        yield server
