"""Whatever way a server tells a response, and wherever it is cut, what is gathered is what came."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_api import errors
from codex_api._logic.incoming.collect import CollectedResponse, Collector
from codex_api._logic.incoming.machine import ResponseStreamMachine
from codex_api._logic.incoming.websocket_machine import WebSocketStreamMachine
from codex_api._logic.outgoing.websocket_handshake import HandshakeFacts
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import NetworkError
from tests.models.response_model import STYLES, Telling, known, seen, tellings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.models.response_model import Payload


def gathered(collector: Collector, machine: ResponseStreamMachine) -> CollectedResponse:
    """Return the response, or what is left of it on the error that ended it."""
    if machine.failure is None:
        assert machine.done
        return collector.finish(machine)
    assert not machine.done
    collector.fail(machine.failure, machine)
    assert isinstance(machine.failure, errors.StreamClosedError)
    assert isinstance(machine.failure.partial, CollectedResponse)
    return machine.failure.partial


def over_sse(payloads: Iterable[Payload], data: st.DataObject) -> CollectedResponse:
    body = b"".join(b"data: %s\n\n" % json.dumps(payload).encode() for payload in payloads)
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=6).map(sorted))
    machine = ResponseStreamMachine(Headers({"openai-model": "m"}))
    collector = Collector()
    found = [*machine.initial]
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        found += machine.feed(body[start:end], 0.0)
    found += machine.close()
    for event in found:
        collector.add(event)
    return gathered(collector, machine)


def over_websocket(payloads: Iterable[Payload], data: st.DataObject) -> CollectedResponse:
    del data
    machine = WebSocketStreamMachine(HandshakeFacts.of(101, Headers({"openai-model": "m"})))
    collector = Collector()
    found = [*machine.initial]
    for payload in payloads:
        found += machine.feed(json.dumps(payload), 0.0)
    if not machine.done:
        machine.lost(NetworkError("reset"))
    for event in found:
        collector.add(event)
    return gathered(collector, machine)


both = pytest.mark.parametrize("read", [over_sse, over_websocket])
# Of each style that often: there are many styles.
some = settings(max_examples=40)
any_style = pytest.mark.parametrize("style", STYLES, ids="-".join)


@both
@any_style
@some
@given(data=st.data())
def test_a_complete_response_holds_all_that_came_once_and_in_order(
    read: Callable[..., CollectedResponse], style: Any, data: st.DataObject
) -> None:
    telling: Telling = data.draw(tellings(*style))

    response = read(telling.payloads, data)

    assert seen(response) == known(telling, len(telling.told), is_complete=True)
    assert response.incomplete_reason is None


@both
@any_style
@some
@given(data=st.data())
def test_a_cut_response_holds_what_came_before_the_cut(
    read: Callable[..., CollectedResponse], style: Any, data: st.DataObject
) -> None:
    telling: Telling = data.draw(tellings(*style))
    count = data.draw(st.integers(0, len(telling.told)))

    response = read(telling.payloads[: count + 1], data)

    assert seen(response) == known(telling, count, is_complete=False)
    assert response.incomplete_reason is not None
