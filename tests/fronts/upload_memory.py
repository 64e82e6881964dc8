"""Upload 160 MiB and tell how far the peak of resident memory rose. Run as a script."""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from codex_api import AsyncClient, Client, Network, Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = bytes(range(256)) * 4096
COUNT = 160


def pieces() -> Iterator[bytes]:
    for _ in range(COUNT):
        yield PIECE


def peak_bytes() -> int:
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def blocking(provider: Provider, path: Path) -> int:
    with Client(provider, network=Network(proxy=None)) as client:
        client.files.upload(PIECE)
        before = peak_bytes()
        client.files.upload(path)
        return before


async def running(provider: Provider, path: Path, mode: str) -> int:
    async with AsyncClient(provider, network=Network(proxy=None)) as client:
        await client.files.upload(PIECE)
        before = peak_bytes()
        if mode == "async":
            await client.files.upload(path)
        else:
            await client.files.upload(pieces(), size=COUNT * len(PIECE))
        return before


def main(mode: str, url: str) -> None:
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.bin"
        with path.open("wb") as file:
            for piece in pieces():
                digest.update(piece)
                if mode != "iterable":
                    file.write(piece)
        provider = Provider("mock", url)
        if mode == "sync":
            before = blocking(provider, path)
        else:
            before = asyncio.run(running(provider, path, mode))
    result = {
        "sent_bytes": COUNT * len(PIECE),
        "sha256": digest.hexdigest(),
        "peak_growth_bytes": peak_bytes() - before,
    }
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
