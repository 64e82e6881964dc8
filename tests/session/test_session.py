from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

import pytest
from anyio import fail_after, to_thread

from codex_api import (
    ChatGptAuth,
    ResponsesApiRequest,
    ResponsesOptions,
    Timeouts,
    errors,
    events,
)
from codex_api._logic.session.request_forms import RequestForms
from codex_api.items import CustomToolCallOutput, FunctionCallOutput, Message
from codex_api.session import ReplayRefusedError, SessionSettings
from codex_api.testing.actions import (
    AcceptWebSocket,
    Action,
    Close,
    Hang,
    Pause,
    ReadMessage,
    ReadRequest,
    Reset,
    Send,
    SendClose,
    SendMessage,
    answer,
    stream,
)
from codex_api.testing.scripted import ScriptedServer
from tests.front import Front
from tests.session.conversation import (
    ACCEPT,
    USER,
    FastClock,
    ask,
    bodies,
    call_item,
    client,
    completed,
    created,
    done,
    frames,
    handshakes,
    messages,
    posted,
    text_item,
    turn,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.anyio

Script = list[Action]
ONE, TWO = text_item("one"), text_item("two")
OUTPUT = FunctionCallOutput(call_id="c1", output="ok")
METADATA = {"type": "response.metadata", "headers": {"x-codex-turn-state": "TS-1"}}
NOTHING = ResponsesApiRequest(model="m", input=[])
DELTA = {"type": "response.output_text.delta", "sequence_number": 1, "delta": "hel"}


class Conversation:
    """A session against scripted connections, with waits that take no time."""

    def __init__(self, front: Front, peer: ScriptedServer, **settings: Any) -> None:
        self.front = front
        self.peer = peer
        self.clock = FastClock()
        options = settings.pop("options", None)
        client_settings = {
            name: settings.pop(name)
            for name in ("auth", "timeouts", "stream_idle_timeout", "retry")
            if name in settings
        }
        self.api = client(front, peer, clock=self.clock, **client_settings)
        self.session = self.api.session(SessionSettings(**settings), options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.front(self.session.close)
        await self.front(self.api.close)

    async def ask(self, *items: Any, **fields: Any) -> list[Any]:
        new_turn = fields.pop("new_turn", None)
        response = self.session.stream(ask(*items, **fields), new_turn=new_turn)
        async with self.front.entering(response) as entered:
            return [event async for event in self.front.iterate(entered)]

    async def collect(self, *items: Any, **fields: Any) -> Any:
        return await self.front(self.session.stream(ask(*items, **fields)).collect)


def peer_of(*connections: Sequence[Action]) -> ScriptedServer:
    return ScriptedServer(connections=connections)


def post(response_id: str = "http", *items: dict[str, Any], **options: Any) -> Script:
    return [ReadRequest(), *posted(response_id, *items, **options)]


def refuse(status: int, body: Any = b"", headers: Any = ()) -> Script:
    return [ReadRequest(), *answer(status, body, headers), Close()]


def retries(seen: list[Any]) -> list[tuple[int, float]]:
    return [(e.attempt, e.delay) for e in seen if isinstance(e, events.StreamRetry)]


def raws(seen: list[Any]) -> list[Any]:
    return [event.raw for event in seen if isinstance(event, events.OutputItemDone)]


# --- incremental input --------------------------------------------------------------------------


async def test_a_tool_call_sends_only_its_output(front: Front) -> None:
    script = [ACCEPT, *turn("r1", call_item()), *turn("r2", ONE), *turn("r3"), Hang()]
    with peer_of(script) as peer:
        async with Conversation(front, peer) as talk:
            first = await talk.ask(tools=[{"type": "function", "name": "f"}])
            history = [USER, *raws(first), OUTPUT]
            second = await talk.ask(*history, tools=[{"type": "function", "name": "f"}])
            history += [*raws(second), Message.user("more")]
            await talk.ask(*history, tools=[{"type": "function", "name": "f"}])
        sent = frames(peer)

    keys = [
        "type", "model", "input", "tools", "tool_choice", "parallel_tool_calls", "reasoning",
        "store", "stream", "include", "client_metadata",
    ]  # fmt: skip
    assert list(sent[0]) == keys
    assert list(sent[1]) == [*keys[:2], "previous_response_id", *keys[2:]]
    assert [frame.get("previous_response_id") for frame in sent] == [None, "r1", "r2"]
    assert [[item["type"] for item in frame["input"]] for frame in sent] == [
        ["message"],
        ["function_call_output"],
        ["message"],
    ]
    assert sent[0]["client_metadata"] == {"x-codex-ws-stream-request-start-ms": "1700000000250"}


async def test_typed_items_continue_a_chain_as_raw_ones_do(front: Front) -> None:
    with peer_of([ACCEPT, *turn("r1", call_item()), *turn("r2"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            first = await talk.collect()
            await talk.ask(USER, *first.items, OUTPUT)
        sent = frames(peer)

    assert sent[1]["previous_response_id"] == "r1"
    assert len(sent[1]["input"]) == 1


@pytest.mark.parametrize(
    ("items", "fields"),
    [
        ([Message.user("rewritten"), Message.user("more")], {}),
        ([USER, Message.user("more")], {}),
        (None, {"instructions": "be brief"}),
        (None, {"service_tier": "flex"}),
    ],
)
async def test_anything_but_a_longer_input_is_sent_whole(
    front: Front, items: list[Any] | None, fields: dict[str, Any]
) -> None:
    with peer_of([ACCEPT, *turn("r1", ONE), *turn("r2"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            first = await talk.ask()
            history = items or [USER, *raws(first), Message.user("more")]
            await talk.ask(*history, **fields)
        sent = frames(peer)

    assert "previous_response_id" not in sent[1]
    assert len(sent[1]["input"]) == len(history)


async def test_changed_client_metadata_does_not_break_the_chain(front: Front) -> None:
    with peer_of([ACCEPT, *turn("r1", ONE), *turn("r2"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            first = await talk.ask(client_metadata={"turn_id": "1"})
            await talk.ask(USER, *raws(first), USER, client_metadata={"turn_id": "2"})
        sent = frames(peer)

    assert sent[1]["previous_response_id"] == "r1"
    assert sent[1]["client_metadata"]["turn_id"] == "2"


async def test_a_prewarm_is_continued_by_the_first_request(front: Front) -> None:
    script = [ACCEPT, ReadMessage(), *messages(METADATA, created("warm"), completed("warm"))]
    with peer_of([*script, *turn("r1"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            warm = await front(talk.session.prewarm, NOTHING)
            await talk.ask()
        sent = frames(peer)

    assert warm
    assert sent[0]["generate"] is False
    assert list(sent[0])[-2:] == ["generate", "client_metadata"]
    assert sent[0]["input"] == []
    assert sent[1]["previous_response_id"] == "warm"
    assert "generate" not in sent[1]
    assert sent[1]["client_metadata"]["x-codex-turn-state"] == "TS-1"


@pytest.mark.parametrize(
    "failing",
    [
        [ACCEPT, ReadMessage(), SendMessage({"type": "error", "status": 500}), Hang()],
        [ACCEPT, ReadMessage(), Close()],
        [ReadRequest(), Close()],
    ],
)
async def test_a_failed_prewarm_is_quiet(front: Front, failing: Script) -> None:
    fresh = [ACCEPT, *turn("r1"), Hang()]
    with peer_of(failing, fresh if failing[0] is ACCEPT else post("r1")) as peer:
        async with Conversation(front, peer) as talk:
            warm = await front(talk.session.prewarm, NOTHING)
            seen = await talk.ask()

    assert not warm
    assert seen[-1] == events.Completed("r1")
    assert retries(seen) == []


# --- turn state ---------------------------------------------------------------------------------


async def test_the_turn_state_lives_for_one_turn(front: Front) -> None:
    later = {"type": "response.metadata", "headers": {"x-codex-turn-state": "TS-2"}}
    script = [
        ACCEPT, ReadMessage(), *messages(METADATA, done(call_item()), completed("r1")),
        ReadMessage(), *messages(later, done(ONE), completed("r2")), *turn("r3"), Hang(),
    ]  # fmt: skip
    with peer_of(script) as peer:
        async with Conversation(front, peer) as talk:
            history: list[Any] = [USER]
            history += [*raws(await talk.ask(*history)), OUTPUT]
            history += [*raws(await talk.ask(*history)), Message.user("more")]
            await talk.ask(*history)
        sent = frames(peer)

    states = [frame["client_metadata"].get("x-codex-turn-state") for frame in sent]
    assert states == [None, "TS-1", None]


async def test_the_turn_state_of_a_handshake_is_the_turns(front: Front) -> None:
    accept = AcceptWebSocket([("x-codex-turn-state", "TS-1")])
    with peer_of([accept, *turn("w1", call_item()), *turn("w2"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            await talk.ask()
        first = frames(peer)[0]

    assert first["client_metadata"]["x-codex-turn-state"] == "TS-1"


async def test_the_turn_state_goes_over_to_http(front: Front) -> None:
    script = [ACCEPT, ReadMessage(), *messages(METADATA, created("r1")), SendClose(1009)]
    with peer_of([*script, Hang()], post()) as peer:
        async with Conversation(front, peer) as talk:
            await talk.ask()
        (request,) = [request for request in peer.requests if request.method == "POST"]

    assert dict(request.headers)["x-codex-turn-state"] == "TS-1"
    assert not any(name == "x-codex-turn-state" for name, _ in peer.requests[0].headers)


async def test_over_http_the_first_value_of_a_turn_is_sent_back(front: Front) -> None:
    def post_with(state: str) -> Script:
        return post("h", call_item(), headers=[("x-codex-turn-state", state)])

    scripts = [post_with("TS-1"), post_with("TS-2"), post("h")]
    with peer_of(*scripts) as peer:
        async with Conversation(front, peer, transport="http") as talk:
            history: list[Any] = [USER]
            history += [*raws(await talk.ask(*history)), OUTPUT]
            history += [*raws(await talk.ask(*history)), OUTPUT]
            await talk.ask(*history)
        states = [dict(request.headers).get("x-codex-turn-state") for request in peer.requests]

    assert states == [None, "TS-1", "TS-1"]


async def test_a_new_turn_can_be_named(front: Front) -> None:
    script = [ACCEPT, ReadMessage(), *messages(METADATA, completed("r1")), *turn("r2"), Hang()]
    with peer_of(script) as peer:
        async with Conversation(front, peer) as talk:
            await talk.ask()
            await talk.ask(USER, Message.user("steer"), new_turn=False)
        sent = frames(peer)

    assert sent[1]["client_metadata"]["x-codex-turn-state"] == "TS-1"


# --- transport ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 403, 426, 503])
async def test_a_refused_handshake_goes_to_http_at_once(front: Front, status: int) -> None:
    with peer_of(refuse(status), post("h1", ONE), post("h2")) as peer:
        async with Conversation(front, peer) as talk:
            seen = await talk.ask()
            await talk.ask()
            transport = talk.session.transport
            slept = talk.clock.slept

    assert seen[-1] == events.Completed("h1")
    assert retries(seen) == []
    assert slept == []
    assert (handshakes(peer), len(bodies(peer))) == (1, 2)
    assert transport == "http"


async def test_an_unanswered_handshake_costs_one_connect_timeout(front: Front) -> None:
    with peer_of([ReadRequest(), Hang()], post("h1")) as peer:
        async with Conversation(front, peer, timeouts=Timeouts(connect=0.1)) as talk:
            with fail_after(5):
                seen = await talk.ask()

    assert seen[-1] == events.Completed("h1")
    assert retries(seen) == []
    assert handshakes(peer) == 1


async def test_the_websocket_is_tried_again_after_the_cool_down(front: Front) -> None:
    scripts = [refuse(503), post("h1"), post("h2"), [ACCEPT, *turn("w1"), Hang()]]
    with peer_of(*scripts) as peer:
        async with Conversation(front, peer, cool_down=60.0) as talk:
            ids = []
            for jump in (0.0, 30.0, 31.0):
                talk.clock.offset += jump
                ids.append((await talk.collect()).id)

    assert ids == ["h1", "h2", "w1"]


async def test_426_is_for_the_rest_of_the_session(front: Front) -> None:
    with peer_of(refuse(426), post("h1"), post("h2")) as peer:
        async with Conversation(front, peer) as talk:
            await talk.ask()
            talk.clock.offset += 1e6
            assert (await talk.collect()).id == "h2"

    assert handshakes(peer) == 1


async def test_401_renews_the_credentials_once_then_http_decides(front: Front) -> None:
    tokens = iter(["t2", "t3", "t4"])
    auth = ChatGptAuth("t1", "acct", refresh=lambda: next(tokens))
    with peer_of(refuse(401), refuse(401), post("h1")) as peer:
        async with Conversation(front, peer, auth=auth) as talk:
            seen = await talk.ask()
        sent = [dict(request.headers)["authorization"] for request in peer.requests]

    assert sent == ["Bearer t1", "Bearer t2", "Bearer t2"]
    assert seen[-1] == events.Completed("h1")


async def test_credentials_refused_on_an_open_socket_are_renewed(front: Front) -> None:
    auth = ChatGptAuth("t1", "acct", refresh=lambda: "t2")
    refused = {"type": "error", "status": 401, "error": {"message": "expired"}}
    first = [ACCEPT, ReadMessage(), *messages(refused), Hang()]
    with peer_of(first, [ACCEPT, *turn("w1"), Hang()]) as peer:
        async with Conversation(front, peer, auth=auth) as talk:
            seen = await talk.ask()
        sent = [dict(request.headers)["authorization"] for request in peer.requests]

    assert sent == ["Bearer t1", "Bearer t2"]
    assert (seen[-1], retries(seen)) == (events.Completed("w1"), [])


async def test_429_on_the_handshake_is_tried_again_with_backoff(front: Front) -> None:
    limited = refuse(429, {"error": {"message": "slow down"}})
    with peer_of(*[limited] * 3) as peer:
        async with Conversation(front, peer, stream_max_retries=2) as talk:
            with pytest.raises(errors.RateLimitError):
                await talk.ask()
            slept = talk.clock.slept

    assert slept == [0.2, 0.4]
    assert (handshakes(peer), bodies(peer)) == (3, [])


async def test_429_on_the_handshake_waits_as_long_as_it_is_told(front: Front) -> None:
    limited = refuse(429, {"error": {"message": "slow down"}}, [("retry-after", "7")])
    with peer_of(limited, limited, [ACCEPT, *turn("w1"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            seen = await talk.ask()
            slept = talk.clock.slept

    assert slept == [7.0, 7.0]
    assert retries(seen) == [(1, 7.0), (2, 7.0)]


async def test_only_the_websocket_means_no_http(front: Front) -> None:
    with peer_of(refuse(503), refuse(503), [ACCEPT, *turn("w1"), Hang()]) as peer:
        async with Conversation(front, peer, transport="websocket") as talk:
            seen = await talk.ask()
            slept = talk.clock.slept

    assert slept == [0.2, 0.4]
    assert seen[-1] == events.Completed("w1")
    assert bodies(peer) == []


async def test_only_http_means_no_websocket(front: Front) -> None:
    with peer_of(post("h1")) as peer:
        async with Conversation(front, peer, transport="http") as talk:
            await talk.ask()

    assert handshakes(peer) == 0


@pytest.mark.parametrize("code", [1008, 1009])
async def test_a_close_that_would_come_again_goes_to_http_at_once(front: Front, code: int) -> None:
    with peer_of([ACCEPT, ReadMessage(), SendClose(code), Hang()], post("h1")) as peer:
        async with Conversation(front, peer) as talk:
            seen = await talk.ask()
            slept = talk.clock.slept

    assert (handshakes(peer), len(bodies(peer)), slept) == (1, 1, [])
    assert seen[-1] == events.Completed("h1")


@pytest.mark.parametrize(
    "cut",
    [[SendClose(1001)], [SendClose(1011)], [Close()], [Pause(0.02), Reset()], [SendMessage(b"x")]],
)
async def test_a_broken_stream_is_asked_for_five_times_then_over_http(
    front: Front, cut: Script
) -> None:
    broken = [ACCEPT, ReadMessage(), *messages(created("w"), DELTA), *cut, Hang()]
    with peer_of(*[broken] * 6, post("h1", ONE)) as peer:
        async with Conversation(front, peer) as talk:
            seen = await talk.ask()
            slept = talk.clock.slept

    assert slept == [0.2, 0.4, 0.8, 1.6, 3.2]
    assert (handshakes(peer), len(bodies(peer))) == (6, 1)
    assert retries(seen)[:5] == [(1, 0.2), (2, 0.4), (3, 0.8), (4, 1.6), (5, 3.2)]
    assert seen[-1] == events.Completed("h1")


async def test_both_transports_share_one_budget(front: Front) -> None:
    broken = [ACCEPT, ReadMessage(), *messages(created("w")), Close()]
    cut = [*post("h", end="truncated")[:-2], Close()]
    with peer_of(*[broken] * 3, cut) as peer:
        async with Conversation(front, peer, stream_max_retries=2) as talk:
            with pytest.raises(errors.CodexApiError) as caught:
                await talk.ask()
            slept = talk.clock.slept

    assert isinstance(caught.value, errors.StreamClosedError | errors.NetworkError)
    assert slept == [0.2, 0.4]
    assert (handshakes(peer), len(bodies(peer))) == (3, 1)


@pytest.mark.parametrize("begun", [True, False])
async def test_a_response_that_the_server_keeps_is_asked_for_once(
    front: Front, *, begun: bool
) -> None:
    frames = messages(created("w"), DELTA) if begun else []
    with peer_of([ACCEPT, ReadMessage(), *frames, Close()]) as peer:
        async with Conversation(front, peer, resume=False) as talk:
            with pytest.raises(errors.StreamClosedError) as caught:
                await talk.ask(store=True)

    assert caught.value.sent == ("begun" if begun else "maybe")
    assert (handshakes(peer), bodies(peer)) == (1, [])


async def test_a_question_is_posted_no_more_often_than_its_budget(front: Front) -> None:
    head = b"HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    failing = [ReadRequest(), Send(head), Close()]
    with peer_of(*[failing] * 6) as peer:
        async with Conversation(front, peer, transport="http") as talk:
            with pytest.raises(errors.InternalServerError):
                await talk.ask()
            slept = talk.clock.slept

    assert len(bodies(peer)) == 6
    assert slept == [0.2, 0.4, 0.8, 1.6, 3.2]


async def test_a_stalled_stream_is_asked_for_again(front: Front) -> None:
    stalled = [ACCEPT, ReadMessage(), *messages(created("w"), DELTA), Hang()]
    with peer_of(stalled, [ACCEPT, *turn("w2"), Hang()]) as peer:
        async with Conversation(front, peer, stream_idle_timeout=0.1) as talk:
            seen = await talk.ask()

    (retry,) = [event for event in seen if isinstance(event, events.StreamRetry)]
    assert type(retry.error) is errors.IdleTimeoutError
    assert (retry.attempt, retry.delay) == (1, 0.2)


async def test_the_servers_delay_is_waited_for(front: Front) -> None:
    error = {"code": "rate_limit_exceeded", "message": "try again in 1.2s"}
    failed = {"type": "response.failed", "response": {"error": error}}
    with peer_of(
        [ACCEPT, ReadMessage(), *messages(failed), Hang()], [ACCEPT, *turn("w"), Hang()]
    ) as peer:
        async with Conversation(front, peer) as talk:
            seen = await talk.ask()
            slept = talk.clock.slept

    assert slept == [1.2]
    assert retries(seen) == [(1, 1.2)]


@pytest.mark.parametrize(
    ("frame", "failure"),
    [
        (
            {"type": "error", "status": 429, "error": {"type": "usage_limit_reached"}},
            errors.UsageLimitReachedError,
        ),
        ({"type": "error", "status": 400, "error": {"message": "bad"}}, errors.InvalidRequestError),
        (
            {"type": "response.failed", "response": {"error": {"code": "insufficient_quota"}}},
            errors.QuotaExceededError,
        ),
    ],
)
async def test_what_no_retry_can_mend_is_raised_at_once(
    front: Front, frame: dict[str, Any], failure: type[errors.ApiError]
) -> None:
    with peer_of([ACCEPT, ReadMessage(), *messages(frame), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            with pytest.raises(failure):
                await talk.ask()

    assert (handshakes(peer), bodies(peer)) == (1, [])


# --- sockets that end between responses ---------------------------------------------------------


@pytest.mark.parametrize("gone", [[Close()], [SendClose(1001), Hang()]])
async def test_a_socket_that_ended_between_turns_is_replaced_unnoticed(
    front: Front, gone: Script
) -> None:
    with peer_of([ACCEPT, *turn("r1", ONE), *gone], [ACCEPT, *turn("r2"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            first = await talk.ask()
            await to_thread.run_sync(
                peer.wait_until, lambda: peer.connections[0].actions_played >= 5
            )
            await asyncio.sleep(0.05)
            seen = await talk.ask(USER, *raws(first), Message.user("more"))
            slept = talk.clock.slept
        sent = frames(peer, 1)

    assert (retries(seen), slept) == ([], [])
    assert "previous_response_id" not in sent[0]
    assert len(sent[0]["input"]) == 3


async def test_a_stale_socket_that_fails_on_use_is_replaced_unnoticed(front: Front) -> None:
    first_socket = [ACCEPT, *turn("r1", ONE), ReadMessage(), Close()]
    with peer_of(first_socket, [ACCEPT, *turn("r2"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            first = await talk.ask()
            seen = await talk.ask(USER, *raws(first), Message.user("more"))
            slept = talk.clock.slept

    assert (retries(seen), slept) == ([], [])
    assert seen[-1] == events.Completed("r2")
    assert "previous_response_id" not in frames(peer, 1)[0]


async def test_a_socket_is_replaced_before_the_servers_limit(front: Front) -> None:
    with peer_of([ACCEPT, *turn("r1", ONE), Hang()], [ACCEPT, *turn("r2"), Hang()]) as peer:
        async with Conversation(front, peer, rotate_after=3300.0) as talk:
            first = await talk.ask()
            talk.clock.offset += 3301.0
            seen = await talk.ask(USER, *raws(first), Message.user("more"))

    assert retries(seen) == []
    assert handshakes(peer) == 2
    assert len(frames(peer, 1)[0]["input"]) == 3


@pytest.mark.parametrize(
    "code", ["websocket_connection_limit_reached", "previous_response_not_found"]
)
async def test_a_lost_chain_recovers_with_the_whole_input(front: Front, code: str) -> None:
    error = {"type": "error", "status": 400, "error": {"code": code, "message": "gone"}}
    first_socket = [ACCEPT, *turn("r1", ONE), ReadMessage(), *messages(error), Hang()]
    with peer_of(first_socket, [ACCEPT, *turn("r2"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            first = await talk.ask()
            seen = await talk.ask(USER, *raws(first), Message.user("more"))
            slept = talk.clock.slept

    assert (retries(seen), slept) == ([], [])
    assert frames(peer)[1]["previous_response_id"] == "r1"
    assert "previous_response_id" not in frames(peer, 1)[0]
    assert len(frames(peer, 1)[0]["input"]) == 3


# --- what a retry keeps -------------------------------------------------------------------------


async def test_finished_items_are_kept_and_sent_back(front: Front) -> None:
    broken = [ACCEPT, ReadMessage(), *messages(created("w1"), done(ONE), DELTA), Close()]
    with peer_of(broken, [ACCEPT, *turn("w2", TWO), *turn("w3"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            whole = await talk.collect()
            await talk.ask(USER, *whole.raw_items, Message.user("more"))
        sent = frames(peer, 1)

    assert whole.text == "onetwo"
    assert whole.id == "w2"
    # As a typed item goes out: without the id that this server never stored.
    assert [item.get("id") for item in sent[0]["input"]] == [None, None]
    assert sent[0]["input"][1]["content"][0]["text"] == "one"
    assert sent[1]["previous_response_id"] == "w2"
    assert len(sent[1]["input"]) == 1


async def test_a_tool_call_without_output_is_made_again(front: Front) -> None:
    broken = [ACCEPT, ReadMessage(), *messages(created("w1"), done(call_item())), Close()]
    with peer_of(broken, [ACCEPT, *turn("w2", call_item("c2")), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            whole = await talk.collect()
        sent = frames(peer, 1)

    assert [item.call_id for item in whole.function_calls] == ["c2"]
    assert len(sent[0]["input"]) == 1


async def test_a_tool_call_survives_with_its_output(front: Front) -> None:
    broken = [
        ACCEPT,
        ReadMessage(),
        *messages(created("w1"), done(call_item())),
        Pause(0.2),
        Close(),
    ]
    with peer_of(broken, [ACCEPT, *turn("w2", ONE), Hang()]) as peer:
        async with (
            Conversation(front, peer, replay="safe") as talk,
            front.entering(talk.session.stream(ask())) as stream,
        ):
            seen = []
            async for event in front.iterate(stream):
                seen.append(event)
                if isinstance(event, events.OutputItemDone) and event.item.type != "message":
                    stream.supply(OUTPUT)
        sent = frames(peer, 1)

    assert [item["type"] for item in sent[0]["input"]] == [
        "message",
        "function_call",
        "function_call_output",
    ]
    (retry,) = [event for event in seen if isinstance(event, events.StreamRetry)]
    assert retry.dropped == 0


async def test_a_safe_session_does_not_ask_for_a_call_twice(front: Front) -> None:
    broken = [ACCEPT, ReadMessage(), *messages(created("w1"), done(call_item())), Close()]
    with peer_of(broken) as peer:
        async with Conversation(front, peer, replay="safe") as talk:
            with pytest.raises(ReplayRefusedError, match="function_call") as caught:
                await talk.ask()

    assert isinstance(caught.value.__cause__, errors.StreamClosedError)
    assert not caught.value.retryable
    assert handshakes(peer) == 1


async def test_a_stored_response_is_resumed_without_loss_or_repetition(front: Front) -> None:
    def delta(number: int) -> dict[str, Any]:
        return {
            "type": "response.output_text.delta",
            "sequence_number": number,
            "delta": str(number),
        }

    broken = [ACCEPT, ReadMessage(), *messages(created("w1"), delta(1), delta(2)), Close()]
    # The server repeats one event, which a caller must not see twice.
    rest = [delta(2), delta(3), done(ONE, 4), completed("w1")]
    resumed = [ReadRequest(), *stream(rest)]
    with peer_of(broken, resumed) as peer:
        async with Conversation(front, peer) as talk:
            seen = await talk.ask(store=True)
            slept = talk.clock.slept
        target = peer.requests[-1].target

    assert target == "/v1/responses/w1?stream=true&starting_after=2"
    deltas = [event.delta for event in seen if isinstance(event, events.OutputTextDelta)]
    assert deltas == ["1", "2", "3"]
    assert (seen[-1], retries(seen), slept) == (events.Completed("w1"), [], [0.2])


async def test_a_resumption_that_breaks_before_its_first_event_goes_on_from_where_it_was(
    front: Front,
) -> None:
    broken = [ACCEPT, ReadMessage(), *messages(created("w1"), DELTA), Close()]
    silent = [ReadRequest(), *stream([], end="truncated")]
    resumed = [ReadRequest(), *stream([done(ONE, 4), completed("w1")])]
    with peer_of(broken, silent, resumed) as peer:
        async with Conversation(front, peer) as talk:
            seen = await talk.ask(store=True)
            slept = talk.clock.slept
        targets = [request.target for request in peer.requests[-2:]]

    assert targets == ["/v1/responses/w1?stream=true&starting_after=1"] * 2
    assert (seen[-1], retries(seen), slept) == (events.Completed("w1"), [], [0.2, 0.4])


async def test_a_kept_response_is_not_made_twice_because_its_rest_is_refused_for_now(
    front: Front,
) -> None:
    broken = [ACCEPT, ReadMessage(), *messages(created("w1"), DELTA), Close()]
    busy = refuse(503, {"error": {"message": "later"}})
    resumed = [ReadRequest(), *stream([done(ONE, 4), completed("w1")])]
    with peer_of(broken, busy, resumed) as peer:
        async with Conversation(front, peer) as talk:
            seen = await talk.ask(store=True)
        targets = [request.target for request in peer.requests[-2:]]

    assert targets == ["/v1/responses/w1?stream=true&starting_after=1"] * 2
    assert (seen[-1], retries(seen)) == (events.Completed("w1"), [])


async def test_a_response_that_was_not_kept_after_all_is_asked_for_anew(front: Front) -> None:
    broken = [ACCEPT, ReadMessage(), *messages(created("w1"), DELTA), Close()]
    gone = refuse(404, {"error": {"message": "not found"}})
    with peer_of(broken, gone, [ACCEPT, *turn("w2"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            seen = await talk.ask(store=True)

    assert seen[-1] == events.Completed("w2")
    assert len(retries(seen)) == 1


# --- handling -----------------------------------------------------------------------------------


async def test_leaving_early_cancels_and_the_next_request_finds_its_way(front: Front) -> None:
    first = [ACCEPT, ReadMessage(), *messages(created("w1"), DELTA), Hang()]
    with peer_of(first, [ACCEPT, *turn("w2"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            async with front.entering(talk.session.stream(ask())) as stream:
                async for _ in front.iterate(stream):
                    break
            await to_thread.run_sync(peer.wait_for_disconnect)
            assert (await talk.collect()).id == "w2"

    assert "previous_response_id" not in frames(peer, 1)[0]


@pytest.mark.parametrize("what", ["stream", "session"])
async def test_closing_from_elsewhere_ends_the_response(front: Front, what: str) -> None:
    first = [ACCEPT, ReadMessage(), *messages(created("w1")), Hang()]
    with peer_of(first, [ACCEPT, *turn("w2"), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            stream = talk.session.stream(ask())
            begun = asyncio.Event()

            async def read() -> None:
                async with front.entering(stream) as entered:
                    async for _ in front.iterate(entered):
                        begun.set()

            reading = asyncio.ensure_future(read())
            with fail_after(5):
                await begun.wait()
                await front((stream if what == "stream" else talk.session).close)
                with pytest.raises(errors.ClientStateError, match="closed"):
                    await reading
            later = await talk.collect()

    assert later.id == "w2"
    assert handshakes(peer) == 2


async def test_closing_while_a_retry_waits_ends_it(front: Front) -> None:
    broken = [ACCEPT, ReadMessage(), Close()]
    with peer_of(broken, broken, [ACCEPT, *turn("w3"), Hang()]) as peer:
        async with (
            Conversation(front, peer) as talk,
            front.entering(talk.session.stream(ask())) as stream,
        ):
            first = await anext(front.iterate(stream))
            await front(talk.session.close)
            with pytest.raises(errors.ClientStateError, match="closed"):
                await anext(front.iterate(stream))

    assert isinstance(first, events.StreamRetry)
    assert handshakes(peer) == 1


async def test_a_session_carries_one_response_at_a_time(front: Front) -> None:
    with peer_of([ACCEPT, ReadMessage(), *messages(created("w1")), Hang()]) as peer:
        async with (
            Conversation(front, peer) as talk,
            front.entering(talk.session.stream(ask())) as stream,
        ):
            async for _ in front.iterate(stream):
                with pytest.raises(errors.ClientStateError, match="one response at a time"):
                    await talk.ask()
                break


async def test_the_ids_of_the_options_go_out_on_both_transports(front: Front) -> None:
    options = ResponsesOptions(session_id="s1", thread_id="t1")
    with peer_of(refuse(426), post("h1")) as peer:
        async with Conversation(front, peer, options=options) as talk:
            await talk.ask()
        sent = [dict(request.headers) for request in peer.requests]

    assert [(one["session-id"], one["x-client-request-id"]) for one in sent] == [("s1", "t1")] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"transport": "carrier-pigeon"},
        {"replay": "maybe"},
        {"stream_max_retries": -1},
        {"rotate_after": float("nan")},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.RequestBuildError):
        SessionSettings(**wrong)


def test_a_session_survives_a_change_of_the_event_loop() -> None:
    front = Front("async")
    with peer_of([ACCEPT, *turn("r1"), Hang()], [ACCEPT, *turn("r2"), Hang()]) as peer:
        talk = Conversation(front, peer)
        loops = [asyncio.new_event_loop() for _ in range(2)]
        seen = [loop.run_until_complete(talk.ask())[-1] for loop in loops]
        for loop in loops:
            loop.run_until_complete(front(talk.session.close))
            loop.run_until_complete(asyncio.sleep(0.01))
            loop.close()

    assert seen == [events.Completed("r1"), events.Completed("r2")]


def test_outputs_are_told_apart_by_their_type() -> None:
    forms = RequestForms(
        ask(USER, CustomToolCallOutput(call_id="c", output="x")), ResponsesOptions()
    )

    assert not forms.starts_turn


async def test_a_stream_knows_what_its_answer_told(front: Front) -> None:
    headers = [
        ("x-request-id", "req_1"),
        ("openai-model", "m1"),
        ("x-ratelimit-limit-requests", "9"),
    ]
    with peer_of(post("h1", headers=headers)) as peer:
        async with Conversation(front, peer, transport="http") as talk:
            stream = talk.session.stream(ask())
            before = (stream.request_id, stream.rate_limits, stream.server_model)
            async with front.entering(stream):
                seen = [event async for event in front.iterate(stream)]
            facts = (stream.request_id, stream.server_model, stream.response_id)
            limits = stream.api_rate_limits

    assert before == (None, None, None)
    assert seen[-1] == events.Completed("h1")
    assert facts == ("req_1", "m1", "h1")
    assert limits is not None


async def test_each_stream_tells_of_its_own_answer(front: Front) -> None:
    first = post("h1", headers=[("x-request-id", "req_1"), ("x-codex-turn-state", "TS-1")])
    second = post("h2", headers=[("x-request-id", "req_2"), ("openai-model", "m2")])
    with peer_of(first, second) as peer:
        async with Conversation(front, peer, transport="http") as talk:
            one, two = talk.session.stream(ask()), talk.session.stream(ask())
            await front(one.collect)
            before = (two.request_id, two.turn_state, dict(two.rate_limits_by_id))
            with pytest.raises(errors.ClientStateError, match="not open"):
                _ = two.headers
            await front(two.collect)

    assert before == (None, None, {})
    assert (one.request_id, one.turn_state, one.server_model) == ("req_1", "TS-1", None)
    assert (two.request_id, two.turn_state, two.server_model) == ("req_2", None, "m2")
    assert two.headers["x-request-id"] == "req_2"


async def test_a_stream_is_used_once_and_in_a_with_block(front: Front) -> None:
    with peer_of([ACCEPT, ReadMessage(), *messages(created("r1")), Hang()]) as peer:
        async with Conversation(front, peer) as talk:
            stream = talk.session.stream(ask())
            with pytest.raises(errors.ClientStateError, match="with block"):
                await next_of(front, stream)
            async with front.entering(stream):
                first = await next_of(front, stream)
            await front(stream.close)
            with pytest.raises(errors.ClientStateError, match="closed"):
                await next_of(front, stream)
            with pytest.raises(errors.ClientStateError):
                async with front.entering(stream):
                    pass

    assert first == events.Created("r1")


async def next_of(front: Front, stream: Any) -> Any:
    return await (anext(stream) if front.is_async else front(next, stream))


async def test_a_failure_keeps_what_came_before_it(front: Front) -> None:
    failed = {"type": "response.failed", "response": {"error": {"code": "insufficient_quota"}}}
    with peer_of([ACCEPT, ReadMessage(), *messages(created("r1"), done(ONE), failed)]) as peer:
        async with Conversation(front, peer) as talk:
            with pytest.raises(errors.QuotaExceededError) as caught:
                await talk.collect()

    assert caught.value.partial is not None
    assert caught.value.partial.text == "one"
