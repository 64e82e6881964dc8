"""A small server with limits: a process or thread of its own, whole answers, token buckets.

It knows a row by the ``metadata.row`` of its body, counts how often each came and was answered, and
can be told what to do with one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from codex_api.testing.loop_thread import LoopThread

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

Head: TypeAlias = "tuple[int, dict[str, str], bytes]"


@dataclass
class Bucket:
    limit: float
    burst: float
    level: float = field(init=False)
    at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.level = self.burst

    def flow(self) -> None:
        now = time.monotonic()
        self.level = min(self.burst, self.level + self.limit / 60 * (now - self.at))
        self.at = now

    def headers(self, name: str) -> dict[str, str]:
        reset = (self.burst - self.level) / (self.limit / 60)
        return {
            f"x-ratelimit-limit-{name}": str(int(self.burst)),
            f"x-ratelimit-remaining-{name}": str(max(0, int(self.level))),
            f"x-ratelimit-reset-{name}": f"{reset:.3f}s",
        }


def refusal(status: int, code: str, message: str = "no", **headers: str) -> Head:
    body = {"error": {"code": code, "type": code, "message": message}}
    return status, headers, json.dumps(body).encode()


def answer_to(row: str, *, output: int = 20, status: str = "completed") -> bytes:
    text = f"answer to {row}"
    body: dict[str, Any] = {
        "id": f"resp_{row}",
        "object": "response",
        "status": status,
        "model": "m",
        "output": [
            {
                "type": "message",
                "id": f"msg_{row}",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": text, "annotations": []}],
            }
        ],
        "usage": {"input_tokens": 10, "output_tokens": output, "total_tokens": 10 + output},
    }
    if status == "incomplete":
        body["incomplete_details"] = {"reason": "max_output_tokens"}
    return json.dumps(body).encode()


class LimitServer:
    """Serves on an ephemeral port while it is entered.

    Attributes:
        came: How often each row came, refused or not.
        charged: How often each row was let in.
        refused: How many were refused for a limit.
        most_at_once: Most that were in flight.
    """

    def __init__(
        self,
        *,
        requests_a_minute: float | None = None,
        burst: float = 10.0,
        latency: Callable[[str], float] = lambda _: 0.0,
        behave: Callable[[str, int], Head | str | None] = lambda _row, _nth: None,
        tells: bool = True,
    ) -> None:
        self.bucket = None if requests_a_minute is None else Bucket(requests_a_minute, burst)
        self.latency = latency
        self.behave = behave
        self.tells = tells
        self.came: Counter[str] = Counter()
        self.charged: Counter[str] = Counter()
        self.keys: list[str] = []
        self.bodies: list[bytes] = []
        self.refused = self.at_once = self.most_at_once = 0
        self._thread = LoopThread("limit-server")
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self._thread.call(self._listen())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.call(self._close())
        self._thread.stop()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        self.bodies.append(body)
        self.keys.append(fields.get("idempotency-key", ""))
        row = str(json.loads(body).get("metadata", {}).get("row", ""))
        self.came[row] += 1
        act = self.behave(row, self.came[row])
        if act == "break":
            writer.transport.abort()
            return False
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if act == "hang":
                self.charged[row] += 1
                await asyncio.sleep(3600)
            if act == "take and break":
                self.charged[row] += 1
                writer.transport.abort()
                return False
            status, headers, said = act if isinstance(act, tuple) else self._limited(row)
            if status == 200:
                self.charged[row] += 1
                await asyncio.sleep(self.latency(row))
        finally:
            self.at_once -= 1
        headers = {"content-type": "application/json", "x-request-id": f"req_{row}", **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(
            f"HTTP/1.1 {status} X\r\n{lines}content-length: {len(said)}\r\n\r\n".encode() + said
        )
        await writer.drain()
        return True

    def _limited(self, row: str) -> Head:
        bucket = self.bucket
        if bucket is None:
            return 200, {}, answer_to(row)
        bucket.flow()
        told = {}
        if bucket.level < 1:
            self.refused += 1
            missing = (1 - bucket.level) / (bucket.limit / 60)
            told = {"retry-after": f"{missing:.3f}"}
            if self.tells:
                told |= bucket.headers("requests")
            return refusal(429, "rate_limit_exceeded", "requests per min", **told)
        bucket.level -= 1
        return 200, bucket.headers("requests") if self.tells else {}, answer_to(row)
