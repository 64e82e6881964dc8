from __future__ import annotations

import json
from typing import Any

import pytest

from codex_api._logic.realtime.connection import (
    SessionMachine,
    as_config,
    closed_error,
    final_error,
    opening_error,
    sideband_delay,
)
from codex_api.errors import (
    AuthenticationError,
    IdleTimeoutError,
    InvalidRequestError,
    LivenessTimeoutError,
    RateLimitError,
    RetryableError,
    StreamClosedError,
    StreamError,
)
from codex_api.transport._core.retry import RetryConfig
from codex_api.transport.errors import (
    ClientStateError,
    CodexApiError,
    ConnectTimeoutError,
    HttpStatusError,
    NetworkError,
    RequestBuildError,
    WebSocketClosedError,
)
from codex_api.types.realtime import RealtimeSessionConfig, RealtimeVersion, TranscriptEntry
from codex_api.types.realtime_events import (
    HandoffRequested,
    OutputTranscriptDelta,
    RealtimeErrorEvent,
    RealtimeOtherEvent,
    Reconnected,
    SessionUpdated,
)
from codex_api.types.realtime_options import RealtimeOptions, RealtimeReconnect

GREETING = '{"type":"session.updated","session":{"id":"s"}}'
REFUSAL = '{"type":"error","message":"no"}'
DELTA = '{"type":"response.output_text.delta","delta":"hi"}'
UNKNOWN = '{"type":"new"}'
LOST = WebSocketClosedError("lost")


def mean() -> float:
    return 0.5


def machine(
    version: RealtimeVersion = "v1",
    *,
    sideband: bool = False,
    options: RealtimeOptions | None = None,
) -> SessionMachine:
    config = RealtimeSessionConfig("i", version=version)
    return SessionMachine(config, options or RealtimeOptions(), sideband=sideband)


def kinds(frames: list[str]) -> list[str]:
    return [json.loads(frame)["type"] for frame in frames]


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_connection_opens_with_session_update(version: RealtimeVersion) -> None:
    assert kinds(machine(version).opened(0)) == ["session.update"]


def test_sideband_opens_with_session_update_except_in_v3() -> None:
    assert kinds(machine("v1", sideband=True).opened(0)) == ["session.update"]
    assert kinds(machine("v2", sideband=True).opened(0)) == ["session.update"]
    v3 = machine("v3", sideband=True)
    assert v3.opened(0) == []
    assert v3.acknowledged


def test_acknowledgement_is_not_awaited_unless_asked_for() -> None:
    plain, waiting = machine(), machine(options=RealtimeOptions(acknowledge=True))
    plain.opened(0)
    waiting.opened(0)

    assert plain.acknowledged
    assert not waiting.acknowledged
    assert waiting.feed(DELTA, 1) == [OutputTranscriptDelta("hi")]
    assert not waiting.acknowledged
    assert waiting.feed(GREETING, 2) == [SessionUpdated("s")]
    assert waiting.acknowledged


def test_acknowledgement_may_lack_the_id_of_the_session() -> None:
    waiting = machine(options=RealtimeOptions(acknowledge=True))
    waiting.opened(0)

    [event] = waiting.feed('{"type":"session.updated","session":{}}', 1)

    assert isinstance(event, RealtimeOtherEvent)
    assert waiting.acknowledged


def test_refused_session_is_an_error_while_connecting_and_an_event_later() -> None:
    waiting = machine(options=RealtimeOptions(acknowledge=True))
    waiting.opened(0)
    with pytest.raises(StreamError, match="no"):
        waiting.feed(REFUSAL, 1)

    plain = machine()
    plain.opened(0)
    assert plain.feed(REFUSAL, 1) == [RealtimeErrorEvent("no")]


def test_direct_v3_session_must_greet_first() -> None:
    greeted, early = machine("v3"), machine("v3")
    greeted.opened(0)
    early.opened(0)

    assert not greeted.acknowledged
    assert greeted.feed('{"type":"session.started","session":{"id":"s"}}', 1) == [
        SessionUpdated("s")
    ]
    assert greeted.acknowledged
    with pytest.raises(StreamError, match="before it greeted"):
        early.feed('{"type":"output_audio.delta","audio":""}', 1)


def test_binary_message_is_an_error_event_and_the_session_goes_on() -> None:
    session = machine()
    session.opened(0)

    [event] = session.feed(b"\x00", 1)

    assert isinstance(event, RealtimeErrorEvent)
    assert session.feed(DELTA, 2) == [OutputTranscriptDelta("hi")]


def test_unknown_messages_are_kept_or_skipped_as_asked() -> None:
    keeping, skipping = machine(), machine(options=RealtimeOptions(other_events=False))
    keeping.opened(0)
    skipping.opened(0)

    [event] = keeping.feed(UNKNOWN, 1)

    assert isinstance(event, RealtimeOtherEvent)
    assert bytes(event.raw) == UNKNOWN.encode()
    assert skipping.feed(UNKNOWN, 1) == []


def test_handoff_has_the_transcript() -> None:
    session = machine()
    session.opened(0)
    session.feed('{"type":"conversation.input_transcript.delta","delta":"do "}', 1)
    session.feed('{"type":"conversation.input_transcript.delta","delta":"it"}', 1)
    session.feed('{"type":"conversation.output_transcript.delta","delta":"ok"}', 1)

    [event] = session.feed(
        '{"type":"conversation.handoff.requested","handoff_id":"h","item_id":"i",'
        '"input_transcript":"do it"}',
        1,
    )

    assert isinstance(event, HandoffRequested)
    assert event.active_transcript == (
        TranscriptEntry("user", "do it"),
        TranscriptEntry("assistant", "ok"),
    )


def test_clocks_run_from_event_byte_and_opening() -> None:
    options = RealtimeOptions(
        idle_timeout=10,
        liveness_timeout=4,
        ping_interval=None,
        acknowledge=True,
        acknowledge_timeout=3,
    )
    session = machine(options=options)
    session.opened(100)

    assert session.wake_at(0) == 103
    assert session.timed_out(102.9, 0) is None
    assert isinstance(session.timed_out(103, 0), StreamError)
    session.feed(GREETING, 101)
    assert session.wake_at(101) == 105
    assert isinstance(session.timed_out(105, 101), LivenessTimeoutError)
    assert session.wake_at(110) == 111
    error = session.timed_out(111, 110)
    assert isinstance(error, IdleTimeoutError)
    assert not isinstance(error, LivenessTimeoutError)


def test_time_that_the_caller_spent_elsewhere_is_not_counted() -> None:
    session = machine(options=RealtimeOptions(idle_timeout=10, liveness_timeout=5))
    session.opened(0)
    session.waiting(100)

    assert session.timed_out(104.9, 0) is None
    assert isinstance(session.timed_out(105, 0), LivenessTimeoutError)


def test_silence_is_broken_by_pings() -> None:
    session = machine(options=RealtimeOptions(ping_interval=20, liveness_timeout=90))
    session.opened(0)

    assert session.wake_at(0) == 20
    assert not session.ping_due(19, 0)
    assert session.ping_due(20, 0)
    assert not session.ping_due(21, 0)
    assert session.wake_at(0) == 40
    assert session.wake_at(30) == 50
    assert not session.ping_due(40, 30)


def test_no_clock_no_deadline() -> None:
    session = machine(options=RealtimeOptions(liveness_timeout=None, ping_interval=None))
    session.opened(0)

    assert session.wake_at(0) is None
    assert session.timed_out(1e9, 0) is None
    assert not session.ping_due(1e9, 0)


def test_update_changes_what_is_replayed() -> None:
    session = machine("v2", options=RealtimeOptions(reconnect=RealtimeReconnect()))
    session.opened(0)

    sent = session.update(voice="cedar", output_modality="text")
    session.lost(LOST, mean)

    assert json.loads(sent)["session"]["output_modalities"] == ["text"]
    assert session.opened(1) == [sent]
    assert session.config.instructions == "i"


def test_lost_connection_ends_the_session_unless_reconnecting_is_on() -> None:
    session = machine()
    session.opened(0)

    assert session.lost(LOST, mean) is None
    assert session.closed


def test_reconnecting_backs_off_and_gives_up() -> None:
    policy = RealtimeReconnect(max_attempts=3, base_delay=0.2, max_delay=0.5)
    session = machine(options=RealtimeOptions(reconnect=policy))
    session.opened(0)

    delays = [session.lost(LOST, mean) for _ in range(4)]

    assert delays == [0.2, 0.4, 0.5, None]
    assert session.closed


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (WebSocketClosedError("lost"), True),
        (WebSocketClosedError("away", code=1001), True),
        (WebSocketClosedError("restart", code=1012), True),
        (WebSocketClosedError("end", code=1000), False),
        (WebSocketClosedError("end", code=1005), False),
        (WebSocketClosedError("policy", code=1008), False),
        (WebSocketClosedError("bad request", code=3000), False),
        (NetworkError("refused"), True),
        (NetworkError("certificate", retryable=False), False),
        (ConnectTimeoutError("slow"), True),
        (LivenessTimeoutError("silent"), True),
        (HttpStatusError("busy", status=503), True),
        (HttpStatusError("who", status=401), False),
        (HttpStatusError("no", status=403), False),
        (RequestBuildError("bad"), False),
        (ClientStateError("closed"), False),
        (StreamError("refused", retryable=False), False),
    ],
)
def test_only_what_can_pass_is_tried_again(error: CodexApiError, *, again: bool) -> None:
    session = machine(options=RealtimeOptions(reconnect=RealtimeReconnect()))
    session.opened(0)

    assert (session.lost(error, mean) is not None) is again


def test_server_that_says_when_to_come_back_is_not_asked_earlier() -> None:
    session = machine(options=RealtimeOptions(reconnect=RealtimeReconnect(base_delay=0.1)))
    session.opened(0)

    assert session.lost(HttpStatusError("busy", status=503, retry_after=7), mean) == 7


def test_server_that_asks_for_too_long_a_wait_ends_the_session() -> None:
    session = machine(options=RealtimeOptions(reconnect=RealtimeReconnect(max_retry_after=60)))
    session.opened(0)

    assert session.lost(HttpStatusError("busy", status=503, retry_after=61), mean) is None
    assert session.closed


def test_reconnection_replays_session_update_and_tells_of_itself() -> None:
    session = machine(options=RealtimeOptions(reconnect=RealtimeReconnect()))
    session.opened(0)
    session.feed(DELTA, 1)
    session.lost(LOST, mean)
    session.lost(NetworkError("refused"), mean)

    assert kinds(session.opened(5)) == ["session.update"]
    assert session.reopened() == Reconnected(2, "lost", (TranscriptEntry("assistant", "hi"),))
    assert session.lost(LOST, mean) == 0.2


def test_transcript_is_replayed_when_asked_for_but_not_to_a_call() -> None:
    options = RealtimeOptions(reconnect=RealtimeReconnect(replay_transcript=True))
    direct, sideband = machine(options=options), machine(sideband=True, options=options)
    for session in (direct, sideband):
        session.opened(0)
        session.feed('{"type":"conversation.input_transcript.delta","delta":"q"}', 1)
        session.feed(DELTA, 1)
        session.lost(LOST, mean)

    frames = direct.opened(5)

    assert kinds(frames) == ["session.update", *["conversation.item.create"] * 2]
    assert [json.loads(frame)["item"]["role"] for frame in frames[1:]] == ["user", "assistant"]
    assert direct.reopened().replayed_entries == 2
    assert kinds(sideband.opened(5)) == ["session.update"]
    assert sideband.reopened().replayed_entries == 0


def test_turn_is_not_continued_over_a_reconnection() -> None:
    session = machine(options=RealtimeOptions(reconnect=RealtimeReconnect()))
    session.opened(0)
    session.feed(DELTA, 1)
    session.lost(LOST, mean)
    session.opened(5)
    session.reopened()
    session.feed(DELTA, 6)

    assert session.state.transcript == (TranscriptEntry("assistant", "hi"),) * 2


def test_goodbye_of_the_server_is_no_failure() -> None:
    session = machine()

    assert session.ends_quietly(WebSocketClosedError("bye", code=1000))
    assert session.ends_quietly(WebSocketClosedError("bye", code=1001))
    assert not session.ends_quietly(WebSocketClosedError("broken", code=1011))
    assert not session.ends_quietly(WebSocketClosedError("refused", code=3000))
    assert not session.ends_quietly(LOST)
    assert not session.ends_quietly(NetworkError("reset"))


@pytest.mark.parametrize("code", [1000, 1001, 1005])
def test_goodbye_in_the_midst_of_a_message_is_a_failure(code: int) -> None:
    session = machine("v2")
    bye, cut = (WebSocketClosedError("bye", code=code, is_cut=is_cut) for is_cut in (False, True))
    session.opened(0)

    assert session.ends_quietly(bye)
    assert not session.ends_quietly(cut)
    assert final_error(cut, now=0).retryable


@pytest.mark.parametrize(("code", "again"), [(None, True), (1011, True), (1008, False)])
def test_an_end_is_retryable_where_a_reconnection_would_be_tried(
    code: int | None, *, again: bool
) -> None:
    closed = WebSocketClosedError("closed", code=code)

    assert final_error(closed, now=0).retryable is again
    assert opening_error(closed, now=0).retryable is again


@pytest.mark.parametrize(
    ("error", "kind", "again"),
    [
        ('{"code":"invalid_api_key","message":"no"}', AuthenticationError, False),
        ('{"code":"rate_limit_exceeded","message":"in 2s"}', RateLimitError, True),
        ('{"type":"server_error","message":"oops"}', RetryableError, True),
        ('{"param":"session.voice","message":"no"}', InvalidRequestError, False),
        ('{"message":"no"}', StreamError, False),
    ],
)
def test_what_refuses_a_session_is_known_by_its_name(
    error: str, kind: type[CodexApiError], *, again: bool
) -> None:
    waiting = machine(options=RealtimeOptions(acknowledge=True))
    waiting.opened(0)

    with pytest.raises(kind) as caught:
        waiting.feed(f'{{"type":"error","error":{error}}}', 1)
    assert caught.value.retryable is again


def test_only_a_peer_that_is_there_is_said_goodbye() -> None:
    session = machine("v3")

    assert kinds(session.goodbye()) == ["session.close"]
    session.lost(LOST, mean)
    assert session.goodbye() == []


def test_what_ended_the_session_becomes_an_error_of_the_api() -> None:
    broken = final_error(WebSocketClosedError("code 1011: oops", code=1011), now=0)
    refused = final_error(HttpStatusError("no", status=401), now=0)

    assert isinstance(broken, StreamClosedError)
    assert "1011: oops" in str(broken)
    assert isinstance(refused, AuthenticationError)
    assert isinstance(closed_error(), StreamClosedError)
    assert not closed_error().retryable


@pytest.mark.parametrize(
    ("error", "delay"),
    [
        (NetworkError("refused"), 0.1),
        (NetworkError("certificate", retryable=False), 0.1),
        (HttpStatusError("unknown call", status=404), 0.1),
        (HttpStatusError("busy", status=503, retry_after=2), 2),
        (HttpStatusError("busy", status=503, retry_after=121), None),
        (HttpStatusError("who", status=401), None),
        (HttpStatusError("no", status=403), None),
        (AuthenticationError("bad key"), None),
        (RequestBuildError("bad"), None),
    ],
)
def test_sideband_tries_again_unless_refused(error: CodexApiError, delay: float | None) -> None:
    retry = RetryConfig(max_attempts=1, base_delay=0.1, retry_transport=False)

    assert sideband_delay(error, 0, retry, mean) == delay
    assert sideband_delay(error, 1, retry, mean) is None


def test_sideband_backs_off() -> None:
    retry = RetryConfig(max_attempts=3, base_delay=0.1)

    delays = [sideband_delay(NetworkError("refused"), n, retry, mean) for n in range(4)]

    assert delays == [0.1, 0.2, 0.4, None]


@pytest.mark.parametrize(
    ("made", "words"), [(opening_error, "before it began"), (final_error, "broke off")]
)
def test_a_session_that_was_closed_says_when(made: Any, words: str) -> None:
    error = made(WebSocketClosedError("going away"), now=0.0)
    other = made(NetworkError("cut"), now=0.0)

    assert isinstance(error, StreamClosedError)
    assert words in str(error)
    assert isinstance(other, NetworkError)


def test_nothing_is_sent_to_a_session_that_has_ended() -> None:
    assert not closed_error().retryable


def test_a_configuration_or_a_mapping_is_a_session() -> None:
    config = RealtimeSessionConfig(instructions="Be brief")

    assert as_config(config) is config
    assert as_config({"instructions": "Be brief"}) == config
    with pytest.raises(TypeError, match="RealtimeSessionConfig or a mapping, not str"):
        as_config("v1")
