"""What is told when a proxy or a certificate is refused, by programs that others wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from codex_api import Network, errors
from tests.peers import programs, ways

if TYPE_CHECKING:
    from pathlib import Path

    from tests.front import Front

pytestmark = [pytest.mark.peer, pytest.mark.anyio]


@pytest.mark.parametrize("credentials", ["", f"{programs.USER}:wrong@"])
@pytest.mark.parametrize("how", ["stream", "connect"])
async def test_refused_credentials_name_the_proxy_and_its_status(
    front: Front, credentials: str, how: str, tmp_path: Path
) -> None:
    with ways.opened("tinyproxy, CONNECT", tmp_path) as way:
        port = str(way.network.proxy).rpartition(":")[2]
        network = Network(
            proxy=f"http://{credentials}127.0.0.1:{port}", ca_bundle=way.network.ca_bundle
        )
        async with front.entering(way.client(front, network)) as client:
            with pytest.raises(errors.NetworkError) as caught:
                await ways.call(front, client, how)

    assert "proxy" in str(caught.value)
    assert "407" in str(caught.value) or "401" in str(caught.value)
    assert "wrong" not in str(caught.value)
    assert way.server.connections == []


@pytest.mark.parametrize("how", ["stream", "connect"])
async def test_refused_credentials_of_a_socks_proxy_name_it(
    front: Front, how: str, tmp_path: Path
) -> None:
    with ways.opened("microsocks", tmp_path) as way:
        port = str(way.network.proxy).rpartition(":")[2]
        network = Network(proxy=f"socks5://{programs.USER}:wrong@127.0.0.1:{port}")
        async with front.entering(way.client(front, network)) as client:
            with pytest.raises(errors.NetworkError) as caught:
                await ways.call(front, client, how)

    assert "proxy" in str(caught.value)
    assert "wrong" not in str(caught.value)
    assert way.server.connections == []


@pytest.mark.parametrize("how", ["stream", "connect"])
async def test_an_unknown_authority_is_refused_with_what_to_do(
    front: Front, how: str, tmp_path: Path
) -> None:
    with ways.opened("nginx over TLS", tmp_path) as way:
        network = Network(proxy=None)
        async with front.entering(way.client(front, network)) as client:
            with pytest.raises(errors.CodexApiError, match="CODEX_CA_CERTIFICATE"):
                await ways.call(front, client, how)

    assert way.server.connections == []
