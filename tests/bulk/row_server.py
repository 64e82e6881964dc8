"""The embedded server with its limits, which knows rows apart.

A row is known by the ``metadata.row`` of its body. What came of each is counted, a test may say
what becomes of one, and the answer to each says which row it is for.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from codex_api.testing import EmbeddedServer, ServerSettings
from codex_api.testing.server.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Head: TypeAlias = "tuple[int, dict[str, str], bytes]"


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


def limited(requests_a_minute: int, burst: int) -> Limits:
    return Limits(requests_per_minute=requests_a_minute, burst_requests=burst)


class RowServer:
    """Serves on an ephemeral port while it is entered.

    Args:
        limits: Limits of the embedded server, or None.
        latency: Seconds before the answer to a row that was let in.
        behave: What becomes of a row that comes for the nth time: an answer; ``break`` or ``take
            and break`` the connection, before or after it is charged; the number of bytes of its
            answer after which it breaks; ``hang`` charged; None leaves it to the embedded server.

    Attributes:
        came: How often each row came, refused or not.
        charged: How often each row was let in.
        answered: How often the embedded server's answer to a row was about to be sent.
        refused: How many were refused for a limit of the embedded server.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        latency: Callable[[str], float] = lambda _: 0.0,
        behave: Callable[[str, int], Head | str | int | None] = lambda _row, _nth: None,
    ) -> None:
        self.latency = latency
        self.behave = behave
        self.came: Counter[str] = Counter()
        self.charged: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.keys: list[str] = []
        self.bodies: list[bytes] = []
        self.refused = self.at_once = 0
        # Without `rate_limits`, which are numbers without consequences.
        settings = ServerSettings(limits=limits, rate_limits=False)
        self._server = EmbeddedServer(settings, around=self._around)

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop()

    def _around(self, app: ASGIApp) -> ASGIApp:
        async def rows(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"].endswith("/responses"):
                await self._serve(app, scope, receive, send)
            else:
                await app(scope, receive, send)

        return rows

    async def _serve(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        else:
            return  # it went away
        row = str(json.loads(body).get("metadata", {}).get("row", ""))
        self.bodies.append(body)
        self.keys.append(dict(scope["headers"]).get(b"idempotency-key", b"").decode())
        self.came[row] += 1
        act = self.behave(row, self.came[row])
        self.at_once += 1
        try:
            if isinstance(act, tuple):
                self.charged[row] += act[0] == 200
                await _tell(send, act)
            elif act is not None:
                self.charged[row] += act != "break"
                if act == "hang":
                    await receive()  # until the client goes away
                if isinstance(act, int):
                    await _tell(send, (200, {}, answer_to(row)), act)
                scope["state"]["transport"].abort()
            else:
                await app(scope, _again(body, receive), self._sending(row, send))
        finally:
            self.at_once -= 1

    def _sending(self, row: str, send: Send) -> Send:
        """Have what the embedded server answers say which row it is for."""
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self.refused += status == 429
                if status == 200:
                    self.charged[row] += 1
                    await asyncio.sleep(self.latency(row))
                    headers = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                    length = str(len(answer_to(row))).encode()
                    message["headers"] = [*headers, (b"content-length", length)]
            elif status == 200 and not message.get("more_body"):
                message["body"] = answer_to(row)
                self.answered[row] += 1
            await send(message)

        return sending


def _again(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return pending.pop() if pending else await receive()

    return again


async def _tell(send: Send, answer: Head, most: int | None = None) -> None:
    status, headers, body = answer
    told = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    pairs = [(name.encode(), value.encode()) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    if most != 0:
        await send({"type": "http.response.body", "body": body[:most], "more_body": bool(most)})
