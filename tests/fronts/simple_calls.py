"""What tests of whole calls share: small events, clients of a scripted server, a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codex_api import AsyncClient, Client, Network, Provider, ResponsesApiRequest, RetryConfig

if TYPE_CHECKING:
    from codex_api.testing.scripted import ScriptedServer
    from tests.front import Front

# Long enough for a loaded machine; no test waits for it when all is well.
PATIENCE = 10.0
REQUEST = ResponsesApiRequest(model="m", input="hi")
CREATED = {"type": "response.created", "response": {"id": "resp_1"}}
DELTA = {"type": "response.output_text.delta", "delta": "Hi"}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1"}}
FAST = RetryConfig(base_delay=0.0)


def provider(server: ScriptedServer, **changes: Any) -> Provider:
    changes.setdefault("retry", FAST)
    return Provider("test", server.url, **changes)


def client_of(front: Front, where: Provider, **options: Any) -> Any:
    options.setdefault("network", Network(proxy=None))
    return front.pick(Client, AsyncClient)(where, **options)


async def collected(front: Front, opened: Any) -> list[Any]:
    return [event async for event in front.iterate(opened)]


class FakeClock:
    """Time that passes only in waits, which it remembers.

    Attributes:
        waits: Seconds of each wait so far.
    """

    def __init__(self, draw: float = 0.5) -> None:
        self.waits: list[float] = []
        self._now = 1000.0
        self._draw = draw

    def monotonic(self) -> float:
        return self._now

    def wall(self) -> float:
        return 1_700_000_000.0 + self._now - 1000.0

    def draw(self) -> float:
        return self._draw

    def sleep(self, delay: float, /) -> None:
        self.waits.append(delay)
        self._now += delay

    async def sleep_async(self, delay: float, /) -> None:
        self.sleep(delay)
