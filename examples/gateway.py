"""A gateway: passes responses on as they come, and tells who used how many tokens.

When a client leaves, its stream is closed, and the server behind stops working for it. Start it by
`uvicorn gateway:app`; it needs `pip install fastapi uvicorn`.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import FastAPI, Header
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from codex_api import ApiKeyAuth, AsyncClient, Provider, errors, events

client = AsyncClient(Provider.load("openai"), auth=ApiKeyAuth.from_env())


class Relay(StreamingResponse):
    """A stream that is passed on; whatever ends this closes it, even before the first byte."""

    def __init__(self, stream, caller: str) -> None:
        super().__init__(self.pieces(), media_type="text/event-stream")
        self.stream, self.caller, self.outcome = stream, caller, "left"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.stream.close()
            print(self.caller, self.outcome, flush=True)

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for raw in self.stream.raw_events():
                for event in raw.events:
                    if isinstance(event, events.Completed):
                        self.outcome = f"completed {event.token_usage}"
                yield raw.sse
        except errors.ApiError as error:  # its payload was passed on before
            self.outcome = f"failed: {error}"


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with client:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/responses")
async def responses(
    body: dict[str, Any], x_caller: Annotated[str, Header()] = "somebody"
) -> Response:
    stream = client.responses.stream_raw({**body, "stream": True})
    try:
        await stream.__aenter__()  # now, since a refusal still has a status of its own
    except errors.CodexApiError as error:
        print(x_caller, f"refused: {error}", flush=True)
        return JSONResponse({"error": {"message": str(error)}}, error.status or 502)
    return Relay(stream, x_caller)
