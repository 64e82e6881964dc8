"""Any way of telling a response over a socket: what is collected is what came; one outcome."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_api import errors
from codex_api._logic.incoming.collect import CollectedResponse
from codex_api.testing.actions import AcceptWebSocket, Close, ReadMessage, ReadRequest, Send
from codex_api.testing.actions import SendMessage as Message
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, last_chunk, sse_event, sse_head
from tests.cases.inputs import REQUEST, client, opened
from tests.models.response_model import STYLES, Telling, known, seen, tellings

if TYPE_CHECKING:
    from codex_api.testing.actions import Action
    from tests.front import Front
    from tests.models.response_model import Payload

pytestmark = pytest.mark.anyio


def over_http(payloads: list[Payload], rest: int, data: st.DataObject) -> list[Action]:
    """Send the events in pieces, and of the one that follows them the first ``rest`` bytes."""
    body = b"".join(map(sse_event, payloads))
    body = body[: len(body) - rest] if rest else body
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    sent = [Send(chunk(piece)) for piece in pieces if piece]
    end = [] if rest else [Send(last_chunk())]
    return [ReadRequest(), Send(sse_head()), *sent, *end, Close()]


async def collected(front: Front, script: list[Action], transport: str) -> Any:
    """Return the response, or the error that ended it."""
    with ScriptedServer(connections=[script]) as peer:
        async with front.entering(client(front, peer)) as api:
            try:
                if transport == "http":
                    return await front(api.responses.stream(REQUEST).collect)
                async with front.entering(await opened(front, api)) as socket:
                    return await front(socket.stream(REQUEST).collect)
            except errors.StreamError as exc:
                return exc


@pytest.mark.parametrize("transport", ["http", "websocket"])
@pytest.mark.parametrize("style", STYLES, ids="-".join)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_what_is_collected_is_what_came(
    front: Front, transport: str, style: Any, data: st.DataObject
) -> None:
    telling: Telling = data.draw(tellings(*style))
    is_complete = data.draw(st.booleans())
    count = len(telling.told) if is_complete else data.draw(st.integers(0, len(telling.told)))
    payloads = telling.payloads if is_complete else telling.payloads[: count + 1]
    if transport == "http":
        # The event in which the connection breaks is not there.
        broken = [] if is_complete else [telling.payloads[count + 1]]
        rest = data.draw(st.integers(3, len(sse_event(broken[0])))) if broken else 0
        script = over_http([*payloads, *broken], rest, data)
    else:
        frames = [Message(json.dumps(payload)) for payload in payloads]
        script = [AcceptWebSocket(), ReadMessage(), *frames, Close()]

    got = await collected(front, script, transport)

    if is_complete:
        assert seen(got) == known(telling, count, is_complete=True)
        assert got.incomplete_reason is None
    else:
        assert isinstance(got, errors.StreamClosedError)
        assert isinstance(got.partial, CollectedResponse)
        assert seen(got.partial) == known(telling, count, is_complete=False)
