"""aiohttp with a hand-written event loop over its chunks, and msgspec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from benchmarks.clients import loop, typed
from benchmarks.clients.splitting import EventSplitter

if TYPE_CHECKING:
    from benchmarks.server import Origin

NAME = "aiohttp + msgspec"


class Client:
    """Everything is on: no limit of connections, no limit of time."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session, made inside the loop that uses it."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._origin.context or True),
                timeout=aiohttp.ClientTimeout(total=None),
            )
            loop.close_later(self._session.close)
        return self._session

    def post(self, path: str, body: bytes = typed.BODY) -> aiohttp.client._RequestContextManager:
        return self.session.post(self._origin.url + path, data=body, headers=typed.HEADERS)

    async def stream(self, path: str) -> int:
        count, splitter = 0, EventSplitter()
        async with self.post(path) as response:
            async for piece in response.content.iter_any():
                for event in splitter.feed(piece):
                    count += type(event) is typed.Delta
        return count

    async def compact(self, path: str, body: bytes) -> typed.Compacted:
        async with self.post(path, body) as response:
            return typed.decode_compacted(await response.read())

    async def messages(self, path: str, compress: int) -> int:
        """Count the deltas of one response over a WebSocket."""
        count = 0
        async with self.session.ws_connect(
            self._origin.url + path, compress=compress, max_msg_size=0
        ) as socket:
            await socket.send_str(typed.BODY.decode())
            async for message in socket:
                event = typed.decode_event(message.data)
                count += type(event) is typed.Delta
                if type(event) is typed.Completed:
                    return count
        raise AssertionError("the connection ended early")
