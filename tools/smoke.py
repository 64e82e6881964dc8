"""See whether the installed package works: import all of it, stream an answer in both fronts."""

from __future__ import annotations

import asyncio
import sys

import codex_api
from codex_api import ApiKeyAuth, AsyncClient, Client, Provider, ResponsesApiRequest
from codex_api.testing import ScriptedServer, actions

EVENTS = (
    {"type": "response.output_text.delta", "delta": "Hi"},
    {"type": "response.completed", "response": {"id": "resp_1"}},
)
REQUEST = ResponsesApiRequest(model="m", input="hi")


async def streamed(provider: Provider) -> str:
    """Return what the client for asyncio reads."""
    async with (
        AsyncClient(provider, auth=ApiKeyAuth("k")) as client,
        client.responses.stream(REQUEST) as stream,
    ):
        return (await stream.collect()).text


def main() -> None:
    """Read the same answer twice."""
    for name in codex_api.__all__:
        getattr(codex_api, name)
    with ScriptedServer([actions.stream(EVENTS), actions.stream(EVENTS)]) as server:
        provider = Provider("smoke", server.url)
        with Client(provider, auth=ApiKeyAuth("k")) as client:
            text = client.responses.stream(REQUEST).collect().text
        if (text, asyncio.run(streamed(provider))) != ("Hi", "Hi"):
            raise SystemExit("another answer came than was sent")
    python = sys.version.split()[0]
    print(f"codex-api {codex_api.__version__} on Python {python}: {codex_api.__file__}")


if __name__ == "__main__":
    main()
