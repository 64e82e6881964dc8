"""Read from a hostile WebSocket and tell how far the peak of resident memory rose. A script."""

from __future__ import annotations

import asyncio
import json
import resource
import sys

from codex_api.errors import CodexApiError
from codex_api.transport._core.headers import Headers
from codex_api.transport.network import Network
from codex_api.transport.websocket import connect
from codex_api.transport.websocket_async import connect_async

NETWORK = Network(proxy=None)


def peak_bytes() -> int:
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def blocking(url: str, limit: int) -> tuple[int, int, str]:
    socket = connect(
        url,
        Headers(),
        network=NETWORK,
        deflate=True,
        connect_timeout=10.0,
        max_message_bytes=limit,
    )
    socket.recv()
    before, count = peak_bytes(), 0
    try:
        while True:
            socket.recv()
            count += 1
    except CodexApiError as exc:
        return before, count, type(exc).__name__


async def running(url: str, limit: int) -> tuple[int, int, str]:
    socket = await connect_async(
        url,
        Headers(),
        network=NETWORK,
        deflate=True,
        connect_timeout=10.0,
        max_message_bytes=limit,
    )
    await socket.recv()
    before, count = peak_bytes(), 0
    try:
        while True:
            await socket.recv()
            count += 1
    except CodexApiError as exc:
        return before, count, type(exc).__name__


def main(front: str, url: str, limit: str) -> None:
    read = blocking(url, int(limit)) if front == "sync" else asyncio.run(running(url, int(limit)))
    before, count, ending = read
    told = {"messages": count, "ending": ending, "peak_growth_bytes": peak_bytes() - before}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
