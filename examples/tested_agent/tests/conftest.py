import pytest


@pytest.fixture
def codex_upstream(codex_server):
    """What `pytest --codex-cassette=all` records; without this it is the public API."""
    return codex_server.url
