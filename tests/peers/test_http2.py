"""HTTP/2 against the server that comes with Node."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from anyio import to_thread

from codex_api import ApiKeyAuth, AsyncClient, Network, Provider, ResponsesOptions, events
from tests.fronts.simple_calls import REQUEST, client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.front import Front

NODE = shutil.which("node")
pytestmark = [
    pytest.mark.peer,
    pytest.mark.anyio,
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
]

CANCEL = 8


class Http2Server:
    def __init__(self, process: subprocess.Popen[str], bundle: Path) -> None:
        self._process = process
        self.network = Network(proxy=None, ca_bundle=bundle, http2=True)
        self.origin = f"https://127.0.0.1:{self.next()['port']}"

    def next(self) -> dict[str, Any]:
        """Give the next thing that the server saw."""
        assert self._process.stdout is not None
        seen: dict[str, Any] = json.loads(self._process.stdout.readline())
        return seen

    def provider(self, path: str = "/v1") -> Provider:
        return Provider("test", self.origin + path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Http2Server]:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    key, chain, bundle = (tmp_path / name for name in ("key.pem", "cert.pem", "ca.pem"))
    certificate.private_key_pem.write_to_path(key)
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    authority.cert_pem.write_to_path(bundle)
    script = Path(__file__).with_name("http2_server.mjs")
    command = [str(NODE), str(script), str(key), str(chain)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        yield Http2Server(process, bundle)
        process.terminate()


async def test_a_response_is_streamed_over_http_2(front: Front, server: Http2Server) -> None:
    client = client_of(front, server.provider(), network=server.network, auth=ApiKeyAuth("k"))
    async with front.entering(client):
        options = ResponsesOptions(session_id="s1")
        response = await front(client.responses.stream(REQUEST, options).collect)
    seen = server.next()

    assert (response.id, response.text, response.request_id) == ("resp_1", "Hi", "r1")
    assert seen["protocol"] == "h2"
    names = [name for name, _ in seen["headers"] if not name.startswith(":")]
    assert names[:4] == ["session-id", "accept", "content-type", "authorization"]


async def test_leaving_a_stream_of_http_2_resets_it(front: Front, server: Http2Server) -> None:
    client = client_of(front, server.provider("/endless"), network=server.network)
    async with front.entering(client):
        async with front.entering(client.responses.stream(REQUEST)) as opened:
            async for event in front.iterate(opened):
                if isinstance(event, events.OutputTextDelta):
                    break
        server.next()

        assert await to_thread.run_sync(server.next) == {"reset": CANCEL}


async def test_many_streams_of_http_2_run_at_once(server: Http2Server) -> None:
    async with AsyncClient(server.provider(), network=server.network) as client:
        responses = await asyncio.gather(
            *(client.responses.stream(REQUEST).collect() for _ in range(20))
        )

    assert [response.text for response in responses] == ["Hi"] * 20
