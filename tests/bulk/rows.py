"""Rows for tests, and what a journal says of them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from codex_api import AsyncClient, Provider
from codex_api.transport.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


def body_of(row: object, **more: Any) -> dict[str, Any]:
    return {
        "model": "m",
        "input": f"say {row}",
        "max_output_tokens": 50,
        "metadata": {"row": str(row)},
        **more,
    }


def write_rows(path: Path, rows: Iterable[object], **more: Any) -> Path:
    lines = (
        json.dumps(
            {
                "custom_id": f"id-{row}",
                "method": "POST",
                "url": "/v1/responses",
                "body": body_of(row, **more),
            }
        )
        for row in rows
    )
    path.write_text("\n".join(lines) + "\n")
    return path


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    while not condition():  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.001)


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def ids(path: Path) -> list[str]:
    return [line["custom_id"] for line in read_lines(path)]


def client_of(url: str) -> AsyncClient:
    return AsyncClient(Provider("Test", url), network=Network(max_idle_connections=None))
