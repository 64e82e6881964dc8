"""What comes of each fault of the embedded server, over both transports; the table is in the docs.

``python -m tests.fronts.test_fault_table`` prints the rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from codex_api import AsyncClient, Client, CodexApiError, Provider, ResponsesApiRequest, RetryConfig
from codex_api.testing import EmbeddedServer, scenarios
from codex_api.testing.fault_names import NAMES, parse_fault
from tests.front import Front

if TYPE_CHECKING:
    from codex_api.testing.scenarios import Scenario

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "failures.md"
REQUEST = ResponsesApiRequest(model="gpt-5.1", input="say hello to everybody in the room")
# As `codex-api serve --faults` takes them.
FAULTS = (
    "cut:how=clean",
    "cut:how=truncated",
    "dropped:types=response.completed",
    "dropped:types=response.created",
    "stall",
    "comments_only:interval=0.02",
    "commented",
    "slow:interval=0.001",
    "delayed:first=0.01",
    "in_pieces",
    "keep_open",
    "failed:code=server_error",
    "failed:code=rate_limit_exceeded",
    "failed:code=context_length_exceeded",
    "incomplete",
    "garbage",
    "binary",
    "oversized:size=2000",
    "close_frame:code=1009",
    "close_frame:code=1011",
)
# They end by the limit on silence; for the others it must not strike on a busy machine.
SILENT = ("stall", "comments_only", "dropped:types=response.completed", "a page of HTML")
ANSWERS = {
    "status 429 with Retry-After": scenarios.rate_limited(),
    "status 429 at the end of a plan": scenarios.usage_limit_reached(),
    "status 503": scenarios.overloaded(),
    "a page of HTML": scenarios.html_page(),
}


class Row(NamedTuple):
    """What came of a fault."""

    fault: str
    transport: str
    outcome: str
    retryable: str
    attempts: int | None
    sent: str

    def __str__(self) -> str:
        name = f"`{self.fault}`" if self.fault in FAULTS else self.fault
        return f"| {' | '.join((name, *map(str, self[1:])))} |"


def scenario(fault: str) -> Scenario:
    return ANSWERS[fault] if fault in ANSWERS else scenarios.faulty(parse_fault(fault).fault)


async def measured(front: Front, fault: str, transport: str) -> Row:
    """Ask once while the server is at fault."""
    with EmbeddedServer() as server:
        server.play(*[scenario(fault)] * (5 if fault in ANSWERS else 1))
        provider = Provider(
            name="test",
            base_url=server.url,
            retry=RetryConfig(max_attempts=2, base_delay=0.001),
            stream_idle_timeout=1.5 if fault.startswith(SILENT) else 60.0,
        )
        async with front.entering(front.pick(Client, AsyncClient)(provider)) as client:
            try:
                if transport == "HTTP":
                    await front(client.responses.stream(REQUEST).collect)
                else:
                    async with front.entering(await front(client.responses.connect)) as socket:
                        await front(socket.stream(REQUEST).collect)
            except CodexApiError as exc:
                retryable, name = "yes" if exc.retryable else "no", f"`{type(exc).__name__}`"
                return Row(fault, transport, name, retryable, exc.attempts, str(exc.sent))
        asked = [each for each in server.requests if each.content]
        return Row(fault, transport, "complete", "", len(asked), "")


@pytest.mark.parametrize("transport", ["HTTP", "WebSocket"])
@pytest.mark.parametrize("fault", [*FAULTS, *ANSWERS])
async def test_the_page_says_what_comes_of_a_fault(
    front: Front, fault: str, transport: str
) -> None:
    row = await measured(front, fault, transport)

    assert str(row) in PAGE.read_text().splitlines()


def test_every_fault_with_a_name_has_a_row() -> None:
    assert {fault.partition(":")[0] for fault in FAULTS} == set(NAMES)


if __name__ == "__main__":
    import asyncio

    for each in (*FAULTS, *ANSWERS):
        for way in ("HTTP", "WebSocket"):
            print(asyncio.run(measured(Front("sync"), each, way)))  # noqa: T201 - the rows
