"""pyreqwest by hand, with msgspec: sync and async.

Its read buffer is off: it would hold the first 64 KiB of an answer back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pyreqwest.client import ClientBuilder, SyncClientBuilder

from benchmarks.clients import typed
from benchmarks.clients.splitting import EventSplitter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.server import Origin

NAME = "pyreqwest by hand"
_B = TypeVar("_B", ClientBuilder, SyncClientBuilder)


def _configured(builder: _B, origin: Origin) -> _B:
    if origin.ca:
        builder = builder.add_root_certificate_pem(origin.ca.read_bytes())
    return builder.follow_redirects(False).no_proxy()  # noqa: FBT003 - theirs


class AsyncClient:
    def __init__(self, origin: Origin) -> None:
        self._url, self.http = origin.url, _configured(ClientBuilder(), origin).build()

    async def stream(self, path: str) -> int:
        count, splitter = 0, EventSplitter()
        builder = self.http.post(self._url + path).headers(typed.HEADERS).body_bytes(typed.BODY)
        async with builder.streamed_read_buffer_limit(0).build_streamed() as response:
            while (piece := await response.body_reader.read_chunk()) is not None:
                for event in splitter.feed(bytes(piece)):
                    count += type(event) is typed.Delta
        return count

    async def compact(self, path: str, body: bytes) -> typed.Compacted:
        return typed.decode_compacted(await self.call(path, body, typed.HEADERS))

    async def call(self, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        builder = self.http.post(self._url + path).headers(headers).body_bytes(body)
        response = await builder.build().send()
        return bytes(await response.bytes())


class Client:
    def __init__(self, origin: Origin) -> None:
        self._url, self._http = origin.url, _configured(SyncClientBuilder(), origin).build()

    def stream(self, path: str) -> int:
        count, splitter = 0, EventSplitter()
        builder = self._http.post(self._url + path).headers(typed.HEADERS).body_bytes(typed.BODY)
        with builder.streamed_read_buffer_limit(0).build_streamed() as response:
            while (piece := response.body_reader.read_chunk()) is not None:
                for event in splitter.feed(bytes(piece)):
                    count += type(event) is typed.Delta
        return count
