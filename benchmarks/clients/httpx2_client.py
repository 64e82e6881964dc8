"""httpx2 by hand, with msgspec: sync and async."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from benchmarks.clients import typed
from benchmarks.clients.splitting import EventSplitter

if TYPE_CHECKING:
    from benchmarks.server import Origin

NAME = "httpx2 by hand"
_LIMITS = httpx2.Limits(max_connections=None)


def async_http(origin: Origin) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        trust_env=False, limits=_LIMITS, timeout=None, verify=origin.context or True
    )


def sync_http(origin: Origin) -> httpx2.Client:
    return httpx2.Client(
        trust_env=False, limits=_LIMITS, timeout=None, verify=origin.context or True
    )


class AsyncClient:
    def __init__(self, origin: Origin) -> None:
        self._url, self._http = origin.url, async_http(origin)

    async def stream(self, path: str) -> int:
        count, splitter = 0, EventSplitter()
        async with self._http.stream(
            "POST", self._url + path, headers=typed.HEADERS, content=typed.BODY
        ) as response:
            async for piece in response.aiter_raw():
                for event in splitter.feed(piece):
                    count += type(event) is typed.Delta
        return count

    async def compact(self, path: str, body: bytes) -> typed.Compacted:
        response = await self._http.post(self._url + path, headers=typed.HEADERS, content=body)
        return typed.decode_compacted(response.content)


class Client:
    def __init__(self, origin: Origin) -> None:
        self._url, self._http = origin.url, sync_http(origin)

    def stream(self, path: str) -> int:
        count, splitter = 0, EventSplitter()
        with self._http.stream(
            "POST", self._url + path, headers=typed.HEADERS, content=typed.BODY
        ) as response:
            for piece in response.iter_raw():
                for event in splitter.feed(piece):
                    count += type(event) is typed.Delta
        return count
