from __future__ import annotations

import socket
import threading

import httpx2
import pytest

from codex_api import testing
from codex_api.testing import EmbeddedServer
from codex_api.testing.server import create_app


def test_a_taken_port_is_an_error_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with (
        EmbeddedServer() as server,
        pytest.raises(OSError, match="in use"),
        EmbeddedServer(port=server.port),
    ):
        pass

    assert threading.active_count() == before


def test_a_server_can_listen_on_the_other_loopback() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")

    with EmbeddedServer(host="::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert httpx2.get(f"{server.url}/models").status_code == 200


def test_requests_can_be_waited_for() -> None:
    with EmbeddedServer() as server:
        httpx2.get(f"{server.url}/models")

        assert server.wait_for_requests(1)[0].path == "/v1/models"
        with pytest.raises(TimeoutError):
            server.wait_for_requests(2, timeout=0.01)


@pytest.mark.anyio
async def test_an_app_of_its_own_cleans_up_when_its_life_ends() -> None:
    app = create_app()
    async with app.router.lifespan_context(app):
        directory = app.state.server.files_dir()
        assert directory.is_dir()

    assert not directory.exists()


def test_the_package_lends_its_names() -> None:
    assert {getattr(testing, name).__name__ for name in testing.__all__} == set(testing.__all__)
    with pytest.raises(AttributeError, match="nope"):
        _ = testing.nope
