from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from codex_api._logic.realtime.watch import SessionWatch, watch_session
from codex_api.errors import StreamClosedError
from codex_api.realtime import SessionUpdated
from codex_api.telemetry import RealtimeStart, Telemetry
from codex_api.transport._core.messages import Request

if TYPE_CHECKING:
    from codex_api._logic.calling.dialing import Dialing


class Heard:
    def __init__(self) -> None:
        self.told: list[object] = []

    def on_open(self, *, reconnected: bool) -> None:
        self.told.append(("open", reconnected))

    def on_event(self, event: object) -> None:
        self.told.append(event)

    def on_end(self, error: BaseException | None) -> None:
        self.told.append(error)


class Dialed:
    request = Request(method="GET", url="wss://h/v1/realtime?key=s3cret")


def test_an_observer_hears_of_one_end() -> None:
    received: Any = Heard()
    watch = SessionWatch(received)
    event, error = SessionUpdated("s"), StreamClosedError("cut")

    watch.open(reconnected=False)
    watch.event(event)
    watch.end(error)
    watch.end(None)

    assert received.told == [("open", False), event, error]


def test_a_session_that_is_cancelled_did_not_fail() -> None:
    received: Any = Heard()

    SessionWatch(received).end(asyncio.CancelledError())

    assert received.told == [None]


def test_without_an_observer_nothing_is_told() -> None:
    watch = SessionWatch()

    watch.open(reconnected=True)
    watch.event(SessionUpdated("s"))
    watch.end(None)

    assert watch.observer is None


@pytest.mark.parametrize("listens", [True, False])
def test_telemetry_is_told_where_a_session_goes(*, listens: bool) -> None:
    received: Any = Heard()
    starts: list[RealtimeStart] = []
    dialing: Dialing = Dialed()  # type: ignore[assignment]  # only its request is looked at

    class Listening(Telemetry):
        def on_realtime(self, start: RealtimeStart) -> Any:
            starts.append(start)
            return received

    watch = watch_session(Listening() if listens else None, dialing, "m", "call")

    assert watch.observer is (received if listens else None)
    assert [(start.model, start.call_id) for start in starts] == (
        [("m", "call")] if listens else []
    )
    assert not any("s3cret" in start.url for start in starts)
