"""A program that follows a background response, and may end at any moment.

    python background_program.py FRONT URL FOLDER STOP_AFTER

It begins the response, or finds it again by the handle in FOLDER, and writes down each event before
it stores how far it has come. After the text STOP_AFTER it says so and does nothing more.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from codex_api import (
    AsyncClient,
    Client,
    Network,
    Provider,
    ResponsesApiRequest,
    RetryConfig,
    events,
)
from codex_api.types.background import BackgroundHandle

REQUEST = ResponsesApiRequest(model="m", input="hi")


class Follower:
    """Writes down what it is given, and how far it has come."""

    def __init__(self, folder: str, stop_after: str) -> None:
        self._handle = Path(folder, "handle.json")
        self._seen = Path(folder, "seen.txt")
        self._stop_after = stop_after

    def stored(self) -> BackgroundHandle | None:
        if not self._handle.exists():
            return None
        return msgspec.json.decode(self._handle.read_bytes(), type=BackgroundHandle)

    def take(self, event: Any, handle: BackgroundHandle) -> None:
        match event:
            case events.OutputTextDelta(delta):
                told = delta
            case events.Created() | events.Completed():
                told = type(event).__name__
            case _:
                return
        with self._seen.open("a") as file:
            file.write(f"{told}\n")
        self._handle.write_bytes(msgspec.json.encode(handle))
        if told == self._stop_after:
            print("stopped", flush=True)  # noqa: T201 - what the test waits for
            threading.Event().wait()  # until it is killed


def follow(provider: Provider, follower: Follower) -> None:
    with Client(provider, network=Network(proxy=None)) as client:
        handle = follower.stored()
        background = (
            client.responses.background(REQUEST)
            if handle is None
            else client.responses.reopen(handle)
        )
        with background.stream() as stream:
            for event in stream:
                follower.take(event, background.handle)


async def follow_async(provider: Provider, follower: Follower) -> None:
    async with AsyncClient(provider, network=Network(proxy=None)) as client:
        handle = follower.stored()
        background = (
            await client.responses.background(REQUEST)
            if handle is None
            else client.responses.reopen(handle)
        )
        async with background.stream() as stream:
            async for event in stream:
                follower.take(event, background.handle)


def main(front: str, url: str, folder: str, stop_after: str) -> None:
    provider = Provider("test", url, retry=RetryConfig(base_delay=0.0, max_attempts=3))
    follower = Follower(folder, stop_after)
    if front == "sync":
        follow(provider, follower)
    else:
        asyncio.run(follow_async(provider, follower))
    print("ended", flush=True)  # noqa: T201 - what the test waits for


if __name__ == "__main__":
    main(*sys.argv[1:])
