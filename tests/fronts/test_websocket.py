from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from anyio import fail_after, to_thread

from codex_api import (
    ApiKeyAuth,
    AsyncClient,
    ChatGptAuth,
    Client,
    Network,
    Provider,
    ResponsesApiRequest,
    ResponsesOptions,
    Telemetry,
    Timeouts,
    TurnState,
    errors,
    events,
)
from codex_api._logic.outgoing.body import encode_response_create
from codex_api.items import Message
from codex_api.telemetry import StreamObserver
from codex_api.testing.actions import (
    AcceptWebSocket,
    Action,
    Close,
    Hang,
    Open,
    Pause,
    ReadMessage,
    ReadRequest,
    Reset,
    Send,
    SendClose,
    SendMessage,
    SendPing,
    StopReading,
    WaitFor,
    answer,
)
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.websocket_peer import Deflate
from codex_api.types.websocket import WebSocketClose, WebSocketProbe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api.telemetry import PollOutcome, StreamEnd, StreamStart
    from codex_api.transport import Headers, Request
    from tests.front import Front

pytestmark = pytest.mark.anyio

REQUEST = ResponsesApiRequest(model="m", input=[Message.user("hi")])
ACCEPT = AcceptWebSocket()
DELTA = SendMessage({"type": "response.output_text.delta", "delta": "hi"})


def created(number: int = 1) -> Action:
    return SendMessage({"type": "response.created", "response": {"id": f"resp_{number}"}})


def completed(number: int = 1) -> Action:
    return SendMessage({"type": "response.completed", "response": {"id": f"resp_{number}"}})


def turn(number: int = 1) -> list[Action]:
    return [ReadMessage(), created(number), DELTA, completed(number)]


def server(*script: Action) -> ScriptedServer:
    return ScriptedServer(connections=[[*script, Hang()]])


def client(front: Front, peer: ScriptedServer, **settings: Any) -> Any:
    provider = settings.pop("provider", None) or Provider("mock", peer.url)
    settings.setdefault("network", Network(proxy=None))
    return front.pick(Client, AsyncClient)(provider, **settings)


async def connect(front: Front, api: Any, **arguments: Any) -> Any:
    if front.is_async:
        return await api.responses.connect(**arguments)
    return await to_thread.run_sync(lambda: api.responses.connect(**arguments))


async def everything(front: Front, stream: Any) -> list[Any]:
    async with front.entering(stream) as entered:
        return [event async for event in front.iterate(entered)]


async def read_into(front: Front, stream: Any, seen: list[Any]) -> None:
    async with front.entering(stream) as entered:
        async for event in front.iterate(entered):
            seen.append(event)  # noqa: PERF401 - an error must not lose them


def handshake_of(peer: ScriptedServer, connection: int = 0) -> Mapping[str, str]:
    return {name.lower(): value for name, value in peer.connections[connection].requests[0].headers}


def frames(peer: ScriptedServer, connection: int = 0) -> list[Any]:
    return [json.loads(text) for text in peer.connections[connection].websocket.messages]


async def test_responses_follow_each_other_on_one_connection(front: Front) -> None:
    script = [AcceptWebSocket([("openai-model", "m1")]), *turn(1), *turn(2)]
    with server(*script) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            first = await everything(front, socket.stream(REQUEST))
            second = await front(socket.stream(REQUEST).collect)
            open_before = not socket.is_closed
            await front(socket.close)
            record = await to_thread.run_sync(peer.wait_for_disconnect)

    assert first == [
        events.ServerModel("m1"),
        events.Created("resp_1"),
        events.OutputTextDelta(delta="hi"),
        events.Completed("resp_1"),
    ]
    assert (second.id, second.text, second.server_model) == ("resp_2", "hi", "m1")
    assert open_before
    assert socket.is_closed
    assert len(peer.connections) == 1
    assert record.websocket.close_code is None


@pytest.mark.parametrize("deflate", [None, Deflate()])
async def test_a_frame_is_the_encoded_request(front: Front, deflate: Deflate | None) -> None:
    request = ResponsesApiRequest(
        model="m", input=[Message.user("käse")], client_metadata={"k": "v"}
    )
    with server(AcceptWebSocket(deflate=deflate), *turn()) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            await everything(front, socket.stream(request, "resp_0", False))
            await front(socket.close)
        (message,) = peer.connections[0].websocket.messages

    assert message == (
        encode_response_create(request, previous_response_id="resp_0", generate=False).decode()
    )


async def test_the_layers_of_the_handshake_replace_each_other(front: Front) -> None:
    provider_headers = {"a": "provider", "b": "provider", "authorization": "provider"}
    options = ResponsesOptions(
        session_id="s1",
        thread_id="t1",
        turn_state=TurnState("TS"),
        extra_headers={
            "b": "extra",
            "authorization": "extra",
            "x-openai-internal-codex-responses-lite": "true",
        },
    )
    with server(ACCEPT) as peer:
        provider = Provider(
            "mock", peer.url, headers=provider_headers, query_params={"api-version": "1"}
        )
        settings = {
            "provider": provider,
            "auth": ApiKeyAuth("sk"),
            "default_headers": {"a": "default", "originator": "me", "user-agent": "ua"},
        }
        async with front.entering(client(front, peer, **settings)) as api:
            socket = await connect(front, api, options=options, extra_headers={"c": "call"})
            await front(socket.close)
        (request,) = peer.connections[0].requests
        ours = [
            (name, value)
            for name, value in request.headers
            if not name.lower().startswith(("host", "connection", "upgrade", "sec-"))
        ]

    assert request.target == "/v1/responses?api-version=1"
    assert ours == [
        ("authorization", "Bearer sk"),
        ("user-agent", "ua"),
        ("originator", "me"),
        ("openai-beta", "responses_websockets=2026-02-06"),
        ("a", "provider"),
        ("b", "extra"),
        ("c", "call"),
        ("x-client-request-id", "t1"),
        ("session-id", "s1"),
        ("thread-id", "t1"),
    ]


class SigningAuth:
    """Signs the whole request, and could not know what else to sign."""

    def __init__(self, front: Front) -> None:
        self._is_async = front.is_async

    def add_auth_headers(self, headers: Headers) -> None:
        headers.set("authorization", "unsigned")

    def apply_auth(self, request: Request) -> Any:
        fields = ",".join(sorted(request.headers))
        request.headers.set("authorization", f"signed {request.url} {fields}")
        return given(request) if self._is_async else request


async def given(request: Request) -> Request:
    return request


async def test_a_signature_is_put_on_the_handshake(front: Front) -> None:
    with server(ACCEPT) as peer:
        auth = SigningAuth(front)
        async with front.entering(client(front, peer, auth=auth)) as api:
            socket = await connect(front, api, extra_headers={"x-signed": "1"})
            await front(socket.close)
        sent = handshake_of(peer)["authorization"]

    url = peer.url.replace("http", "ws") + "/responses"
    assert sent == f"signed {url} openai-beta,x-signed"


async def test_the_turn_state_of_the_handshake_is_the_turns(front: Front) -> None:
    """What the caller's cell learns when connecting goes into the first frame already."""
    accept = AcceptWebSocket([("x-codex-turn-state", "TS-1")])
    cell = TurnState()
    with server(accept, *turn(1), *turn(2)) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api, options=ResponsesOptions(turn_state=cell))
            first = socket.stream(REQUEST)
            await everything(front, first)
            later = socket.stream(REQUEST, options=ResponsesOptions(turn_state=TurnState()))
            await everything(front, later)
            await front(socket.close)
        sent = [frame["client_metadata"]["x-codex-turn-state"] for frame in frames(peer)[:1]]

    assert (cell.get(), first.turn_state, later.turn_state) == ("TS-1", "TS-1", None)
    assert sent == ["TS-1"]


async def test_the_handshake_tells_its_facts(front: Front) -> None:
    headers = [("openai-model", "m"), ("x-models-etag", "e"), ("x-reasoning-included", "")]
    with server(AcceptWebSocket(headers)) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            await front(socket.close)

    assert socket.status == 101
    assert (socket.server_model, socket.models_etag) == ("m", "e")
    assert socket.reasoning_included
    assert socket.headers["x-models-etag"] == "e"


async def test_a_second_request_waits_for_the_end_of_the_first(front: Front) -> None:
    started, gate = Gate(), Gate()
    script = [
        ACCEPT, ReadMessage(), created(), Open(started), WaitFor(gate), completed(), *turn(2)
    ]  # fmt: skip
    with server(*script) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            first = asyncio.ensure_future(front(socket.stream(REQUEST).collect))
            await to_thread.run_sync(started.wait)
            second = asyncio.ensure_future(front(socket.stream(REQUEST).collect))
            await asyncio.sleep(0.05)
            sent_early = len(frames(peer))
            gate.set()
            ids = [(await first).id, (await second).id]
            await front(socket.close)

    assert sent_early == 1
    assert ids == ["resp_1", "resp_2"]


async def test_a_caller_cannot_wait_for_itself(front: Front) -> None:
    with server(ACCEPT, *turn()) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)

            def blocking() -> None:
                with socket.stream(REQUEST), socket.stream(REQUEST):
                    pass

            async def asynchronous() -> None:
                async with socket.stream(REQUEST), socket.stream(REQUEST):
                    pass

            with pytest.raises(errors.ClientStateError, match="has not finished"):
                await (asynchronous() if front.is_async else to_thread.run_sync(blocking))


async def test_waiting_for_a_busy_connection_has_an_end(front: Front) -> None:
    started = Gate()
    with server(ACCEPT, ReadMessage(), created(), Open(started)) as peer:
        api = client(front, peer, timeouts=Timeouts(first_event=0.2))
        async with front.entering(api):
            socket = await connect(front, api)
            first = asyncio.ensure_future(front(socket.stream(REQUEST).collect))
            await to_thread.run_sync(started.wait)
            with pytest.raises(errors.FirstEventTimeoutError, match="busy"):
                await front(socket.stream(REQUEST).collect)
            await front(socket.close)
            with pytest.raises(errors.ClientStateError):
                await first


@pytest.mark.parametrize(
    ("ending", "failure", "words"),
    [
        ([SendClose(1001, "bye")], errors.StreamClosedError, "1001: bye"),
        ([SendClose(1008)], errors.StreamClosedError, "1008"),
        ([SendClose(1009)], errors.StreamClosedError, "1009"),
        ([SendClose(None)], errors.StreamClosedError, "1005"),
        ([Close()], errors.StreamClosedError, "without a close frame"),
        ([Pause(0.05), Reset()], errors.StreamClosedError, "without a close frame"),
        ([SendMessage(b"{}")], errors.StreamError, "binary"),
        (
            [SendMessage({"type": "response.failed", "response": {"error": {"code": "x"}}})],
            errors.RetryableError,
            "could not finish",
        ),
        (
            [SendMessage({"type": "error", "status": 400, "error": {"message": "bad"}})],
            errors.InvalidRequestError,
            "bad",
        ),
    ],
)
async def test_a_failed_response_spoils_the_connection(
    front: Front, ending: list[Action], failure: type[errors.ApiError], words: str
) -> None:
    with server(ACCEPT, ReadMessage(), created(), DELTA, *ending) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            with pytest.raises(failure, match=words) as caught:
                await everything(front, socket.stream(REQUEST))
            record = await to_thread.run_sync(peer.wait_for_disconnect)
            with pytest.raises(errors.StreamClosedError, match="connect anew") as again:
                await everything(front, socket.stream(REQUEST))

    assert socket.is_closed
    assert record.websocket.close_code in {None, 1001, 1005, 1008, 1009}
    assert again.value.__cause__ is caught.value


async def test_a_failure_comes_at_once_and_after_what_was_read_before_it(front: Front) -> None:
    failed = {"type": "response.failed", "response": {"error": {"code": "insufficient_quota"}}}
    with server(ACCEPT, ReadMessage(), created(), DELTA, SendMessage(failed)) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            seen: list[Any] = []
            with fail_after(5), pytest.raises(errors.QuotaExceededError):
                await read_into(front, socket.stream(REQUEST), seen)

    assert seen == [events.Created("resp_1"), events.OutputTextDelta(delta="hi")]


async def test_a_message_over_the_limit_is_an_error(front: Front) -> None:
    options = ResponsesOptions(max_event_bytes=100)
    with server(ACCEPT, ReadMessage(), SendMessage("x" * 101), ReadMessage()) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api, options=options)
            with pytest.raises(errors.EventTooLargeError):
                await everything(front, socket.stream(REQUEST))


async def test_a_response_that_is_left_early_is_cancelled_at_once(front: Front) -> None:
    with server(ACCEPT, ReadMessage(), created()) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            async with front.entering(socket.stream(REQUEST)) as stream:
                async for _ in front.iterate(stream):
                    break
            await to_thread.run_sync(peer.wait_for_disconnect)
            with pytest.raises(errors.ClientStateError, match="connect anew"):
                await everything(front, socket.stream(REQUEST))

    assert socket.is_closed


async def test_a_response_that_is_complete_leaves_the_connection_open(front: Front) -> None:
    with server(ACCEPT, *turn(1), *turn(2)) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            async with front.entering(socket.stream(REQUEST)) as stream:
                async for event in front.iterate(stream):
                    if isinstance(event, events.Completed):
                        # The turn is over: the next may begin before this block is left.
                        await front(socket.stream(REQUEST).collect)
            open_after = not socket.is_closed
            await front(socket.close)

    assert open_after


async def test_closing_wakes_a_reader(front: Front) -> None:
    started = Gate()
    with server(ACCEPT, ReadMessage(), created(), Open(started)) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            reader = asyncio.ensure_future(front(socket.stream(REQUEST).collect))
            await to_thread.run_sync(started.wait)
            await asyncio.sleep(0.02)
            await front(socket.close)
            await front(socket.close)
            with fail_after(5), pytest.raises(errors.ClientStateError):
                await reader


# --- clocks -------------------------------------------------------------------------------------


def test_closing_while_an_event_is_being_looked_at_ends_the_response() -> None:
    class Impatient(Telemetry):
        def on_ws_event(self, outcome: PollOutcome, duration: float) -> None:
            del outcome, duration
            stream.close()

    with server(ACCEPT, ReadMessage(), created()) as peer:
        api = Client(Provider("mock", peer.url), network=Network(proxy=None), telemetry=Impatient())
        with api, api.responses.connect() as socket, socket.stream(REQUEST) as stream:
            with pytest.raises(errors.ClientStateError, match="closed"):
                list(stream)
            closed = socket.is_closed

    assert closed


async def test_pings_do_not_hide_a_stall(front: Front) -> None:
    pings = [action for _ in range(40) for action in (SendPing(), Pause(0.02))]
    with server(ACCEPT, ReadMessage(), created(), *pings) as peer:
        provider = Provider("mock", peer.url, stream_idle_timeout=0.2)
        async with front.entering(client(front, peer, provider=provider)) as api:
            socket = await connect(front, api)
            with fail_after(5), pytest.raises(errors.IdleTimeoutError) as caught:
                await everything(front, socket.stream(REQUEST))

    assert type(caught.value) is errors.IdleTimeoutError
    assert socket.is_closed


async def test_pings_keep_a_quiet_connection_alive(front: Front) -> None:
    pings = [action for _ in range(15) for action in (SendPing(), Pause(0.05))]
    with server(ACCEPT, ReadMessage(), created(), *pings, completed()) as peer:
        api = client(front, peer, timeouts=Timeouts(liveness=0.4))
        async with front.entering(api):
            socket = await connect(front, api)
            assert (await front(socket.stream(REQUEST).collect)).id == "resp_1"


async def test_a_dead_connection_is_noticed_without_pings(front: Front) -> None:
    with server(ACCEPT, ReadMessage(), created()) as peer:
        api = client(front, peer, timeouts=Timeouts(liveness=0.1))
        async with front.entering(api):
            socket = await connect(front, api)
            with fail_after(5), pytest.raises(errors.LivenessTimeoutError):
                await everything(front, socket.stream(REQUEST))


async def test_the_first_event_has_a_limit_of_its_own(front: Front) -> None:
    with server(ACCEPT, ReadMessage()) as peer:
        api = client(front, peer, timeouts=Timeouts(first_event=0.1))
        async with front.entering(api):
            socket = await connect(front, api)
            with fail_after(5), pytest.raises(errors.FirstEventTimeoutError):
                await everything(front, socket.stream(REQUEST))


async def test_the_whole_call_has_a_limit(front: Front) -> None:
    deltas = [action for _ in range(100) for action in (DELTA, Pause(0.02))]
    with server(ACCEPT, ReadMessage(), created(), *deltas) as peer:
        api = client(front, peer, timeouts=Timeouts(total=0.2))
        async with front.entering(api):
            socket = await connect(front, api)
            with fail_after(5), pytest.raises(errors.DeadlineExceededError):
                await everything(front, socket.stream(REQUEST))


class TickingClock:
    """Time that goes on by a hundredth of a second whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 0.01
        return self.now

    def wall(self) -> float:
        return 0.0

    def draw(self) -> float:
        return 0.5

    def sleep(self, delay: float) -> None:
        raise NotImplementedError

    async def sleep_async(self, delay: float) -> None:
        raise NotImplementedError


async def test_a_server_that_never_pauses_cannot_pass_the_limit_of_the_call(front: Front) -> None:
    # Each is more than is held at once, so that none comes together with the one before.
    large = SendMessage({"type": "response.output_text.delta", "delta": "hi" * 40_000})
    with server(ACCEPT, ReadMessage(), *[large] * 60, Hang()) as peer:
        api = client(front, peer, clock=TickingClock(), timeouts=Timeouts(total=0.5))
        async with front.entering(api):
            socket = await connect(front, api)
            async with front.entering(socket.stream(REQUEST)) as stream:
                with fail_after(5), pytest.raises(errors.DeadlineExceededError):
                    await front(stream.collect)

    assert socket.is_closed


async def test_events_that_came_together_are_given_together_up_to_the_end(front: Front) -> None:
    gate = Gate()
    frames = [created(), *[DELTA] * 5, completed()]
    batches: list[list[Any]] = []
    with server(ACCEPT, ReadMessage(), *frames, Open(gate)) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            async with front.entering(socket.stream(REQUEST)) as stream:
                await to_thread.run_sync(gate.wait, 5)
                while (batch := await front(stream.next_events)) is not None:
                    batches.append(batch)

    delta = events.OutputTextDelta("hi")
    told = [event for batch in batches for event in batch]
    assert told == [events.Created("resp_1"), *[delta] * 5, events.Completed("resp_1")]
    assert len(batches) < len(told)


async def test_time_before_the_first_event_is_asked_for_is_not_the_servers(front: Front) -> None:
    gate = Gate()
    with server(ACCEPT, ReadMessage(), WaitFor(gate), Pause(0.05), *turn()[1:]) as peer:
        provider = Provider("mock", peer.url, stream_idle_timeout=0.15)
        async with front.entering(client(front, peer, provider=provider)) as api:
            socket = await connect(front, api)
            async with front.entering(socket.stream(REQUEST)) as stream:
                await asyncio.sleep(0.2)
                gate.set()
                collected = await front(stream.collect)

    assert collected.id == "resp_1"


async def test_a_slow_consumer_is_not_a_stalled_server(front: Front) -> None:
    gate = Gate()
    with server(ACCEPT, ReadMessage(), created(), WaitFor(gate), completed()) as peer:
        provider = Provider("mock", peer.url, stream_idle_timeout=0.15)
        async with front.entering(client(front, peer, provider=provider)) as api:
            socket = await connect(front, api)
            async with front.entering(socket.stream(REQUEST)) as stream:
                seen: list[Any] = []
                async for event in front.iterate(stream):
                    seen.append(event)
                    if len(seen) == 1:
                        await asyncio.sleep(0.3)
                        gate.set()

    assert seen[-1] == events.Completed("resp_1")


async def test_a_peer_that_does_not_read_ends_the_request(front: Front) -> None:
    big = ResponsesApiRequest(model="m", input=[Message.user("x" * (16 << 20))])
    with server(ACCEPT, StopReading()) as peer:
        provider = Provider("mock", peer.url, stream_idle_timeout=0.2)
        async with front.entering(client(front, peer, provider=provider)) as api:
            socket = await connect(front, api)
            with fail_after(20), pytest.raises(errors.StreamError):
                await everything(front, socket.stream(big))

    assert socket.is_closed


# --- turn state, telemetry ----------------------------------------------------------------------


async def test_the_turn_state_goes_into_the_next_frame(front: Front) -> None:
    metadata = {"type": "response.metadata", "headers": {"x-codex-turn-state": "TS-1"}}
    script = [ACCEPT, ReadMessage(), SendMessage(metadata), completed(), *turn(2)]
    options = ResponsesOptions(turn_state=TurnState())
    with server(*script) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api, options=options)
            for _ in range(2):
                await everything(front, socket.stream(REQUEST))
            await front(socket.close)
        first, second = frames(peer)

    assert "client_metadata" not in first
    assert second["client_metadata"] == {"x-codex-turn-state": "TS-1"}


class Log(Telemetry):
    def __init__(self) -> None:
        self.requests: list[tuple[object, bool]] = []
        self.polls: list[PollOutcome] = []

    def on_ws_request(
        self,
        duration: float,
        error: errors.CodexApiError | None,
        *,
        connection_reused: bool,
    ) -> None:
        assert duration >= 0
        self.requests.append((error, connection_reused))

    def on_ws_event(self, outcome: PollOutcome, duration: float) -> None:
        assert duration >= 0
        self.polls.append(outcome)

    def trace_headers(self) -> Mapping[str, str]:
        return {"traceparent": "00-1-2-01"}


async def test_telemetry_hears_of_requests_and_waits(front: Front) -> None:
    log = Log()
    with server(ACCEPT, *turn(1), *turn(2), ReadMessage(), Close()) as peer:
        async with front.entering(client(front, peer, telemetry=log)) as api:
            socket = await connect(front, api)
            for _ in range(2):
                await everything(front, socket.stream(REQUEST))
            with pytest.raises(errors.StreamClosedError):
                await everything(front, socket.stream(REQUEST))
        first = frames(peer)[0]

    assert log.requests == [(None, False), (None, True), (None, True)]
    assert log.polls == ["data"] * 6 + ["error"]
    assert first["client_metadata"] == {"ws_request_header_traceparent": "00-1-2-01"}


# --- connecting ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (404, errors.UnexpectedStatusError),
        (426, errors.UnexpectedStatusError),
        (429, errors.RateLimitError),
        (503, errors.UnexpectedStatusError),
        (401, errors.AuthenticationError),
    ],
)
async def test_a_refused_handshake_is_mapped(
    front: Front, status: int, failure: type[errors.ApiError]
) -> None:
    script = answer(status, b"nope", [("x-request-id", "req_1")])
    with ScriptedServer(answers=[script]) as peer:
        async with front.entering(client(front, peer)) as api:
            with pytest.raises(failure) as caught:
                await connect(front, api)

    assert (caught.value.status, caught.value.request_id) == (status, "req_1")
    assert isinstance(caught.value.__cause__, errors.HttpStatusError)


async def test_refused_credentials_are_renewed_once(front: Front) -> None:
    tokens = iter(["t2", "t3"])
    auth = ChatGptAuth("t1", "acct", refresh=lambda: next(tokens))
    refusal = [*answer(401, b"")]
    with ScriptedServer(answers=[refusal, refusal]) as peer:
        async with front.entering(client(front, peer, auth=auth)) as api:
            with pytest.raises(errors.AuthenticationError):
                await connect(front, api)
        sent = [dict(request.headers)["authorization"] for request in peer.requests]

    assert sent == ["Bearer t1", "Bearer t2"]


async def test_a_handshake_without_an_answer_times_out(front: Front) -> None:
    with ScriptedServer(connections=[[Hang()]]) as peer:
        api = client(front, peer, timeouts=Timeouts(connect=0.05))
        async with front.entering(api):
            with fail_after(5), pytest.raises(errors.ConnectTimeoutError):
                await connect(front, api)


@pytest.mark.parametrize(
    ("after", "close"),
    [
        ([SendClose(1008, "no")], WebSocketClose("1008", "no")),
        ([SendClose(None)], None),
        ([SendMessage("hello")], None),
        ([], None),
    ],
)
async def test_a_probe_reports_the_handshake_and_a_close_right_after(
    front: Front, after: list[Action], close: WebSocketClose | None
) -> None:
    with server(AcceptWebSocket([("x-models-etag", "e")]), *after) as peer:
        async with front.entering(client(front, peer)) as api:
            options = ResponsesOptions(session_id="s1")
            if front.is_async:
                probe = await api.responses.probe(options, immediate_close_timeout=0.1)
            else:
                probe = await to_thread.run_sync(
                    lambda: api.responses.probe(options, immediate_close_timeout=0.1)
                )
        await to_thread.run_sync(peer.wait_for_disconnect)

    assert probe == WebSocketProbe(
        url=peer.url.replace("http", "ws") + "/responses",
        status=101,
        reasoning_included=False,
        models_etag_present=True,
        server_model_present=False,
        immediate_close=close,
    )
    assert handshake_of(peer)["session-id"] == "s1"
    assert frames(peer) == []


@pytest.mark.parametrize("end", [Close(), Reset(), Send(b"\xff\xff\xff\xff")])
async def test_a_probe_whose_connection_breaks_says_so(front: Front, end: Action) -> None:
    with server(ACCEPT, end) as peer:
        async with front.entering(client(front, peer)) as api:
            with fail_after(5), pytest.raises(errors.StreamError, match="right after"):
                await front(api.responses.probe)


def test_another_event_loop_is_told_so_and_spoils_nothing() -> None:
    async def main(peer: ScriptedServer) -> tuple[bool, str | None]:
        async with (
            AsyncClient(Provider("mock", peer.url), network=Network(proxy=None)) as api,
            api.responses.connect() as socket,
        ):
            with pytest.raises(errors.ClientStateError, match="another event loop"):
                await to_thread.run_sync(lambda: asyncio.run(socket.stream(REQUEST).collect()))
            return socket.is_closed, (await socket.stream(REQUEST).collect()).id

    with server(ACCEPT, *turn()) as peer:
        assert asyncio.run(main(peer)) == (False, "resp_1")


def test_another_event_loop_can_close_a_connection() -> None:
    async def main(peer: ScriptedServer) -> None:
        async with AsyncClient(Provider("mock", peer.url), network=Network(proxy=None)) as api:
            socket = await api.responses.connect()
            async with socket.stream(REQUEST) as stream:
                await anext(stream)
                closing = asyncio.ensure_future(
                    to_thread.run_sync(lambda: asyncio.run(socket.close()))
                )
                with fail_after(5), pytest.raises(errors.ClientStateError, match="closed"):
                    await anext(stream)
                await closing

    with server(ACCEPT, ReadMessage(), created()) as peer:
        asyncio.run(main(peer), debug=True)


async def test_a_child_process_does_not_wait_for_a_response_of_its_parent(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(ACCEPT, ReadMessage(), created()) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            async with front.entering(socket.stream(REQUEST)):
                with monkeypatch.context() as patch:
                    patch.setattr(os, "getpid", lambda: -1)
                    with pytest.raises(errors.ClientStateError, match="parent process"):
                        await front(socket.stream(REQUEST).collect)

                assert not socket.is_closed


async def test_a_connection_is_closed_with_its_block(front: Front) -> None:
    with server(ACCEPT, *turn()) as peer:
        async with front.entering(client(front, peer)) as api:
            connecting = (
                api.responses.connect()
                if front.is_async
                else await to_thread.run_sync(api.responses.connect)
            )
            async with front.entering(connecting) as socket:
                answer_id = (await front(socket.stream(REQUEST).collect)).id
                usable = socket.is_usable
            record = await to_thread.run_sync(peer.wait_for_disconnect)

    assert (answer_id, usable) == ("resp_1", True)
    assert socket.is_closed
    assert record.ending in {"eof", "reset"}


async def test_a_response_is_read_once_and_in_a_with_block(front: Front) -> None:
    with server(ACCEPT, *turn()) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            stream = socket.stream(REQUEST)
            with pytest.raises(errors.ClientStateError, match="not open"):
                await (anext(stream) if front.is_async else front(next, stream))
            async with front.entering(stream):
                first = await (anext(stream) if front.is_async else front(next, stream))
                rest = [event async for event in front.iterate(stream)]
                with pytest.raises(errors.ClientStateError):
                    assert [event async for event in front.iterate(stream)]
            with pytest.raises(errors.ClientStateError, match="opened once"):
                await everything(front, stream)
            await front(socket.close)

    assert first == events.Created("resp_1")
    assert rest[-1] == events.Completed("resp_1")


async def test_a_failure_keeps_what_came_before_it(front: Front) -> None:
    failed = {"type": "response.failed", "response": {"error": {"code": "insufficient_quota"}}}
    with server(ACCEPT, ReadMessage(), created(), DELTA, SendMessage(failed)) as peer:
        async with front.entering(client(front, peer)) as api:
            socket = await connect(front, api)
            with pytest.raises(errors.QuotaExceededError) as caught:
                await front(socket.stream(REQUEST).collect)

    assert caught.value.partial is not None
    assert caught.value.partial.text == "hi"


async def test_two_refused_handshakes_share_one_renewal(front: Front) -> None:
    both_are_here = Gate()
    renewals: list[str] = []

    def renew() -> str:
        renewals.append("t2")
        return "t2"

    refused = [ReadRequest(), WaitFor(both_are_here), *answer(401, b""), Close()]
    scripts = [refused, refused, [ACCEPT, Hang()], [ACCEPT, Hang()]]
    with ScriptedServer(connections=scripts) as peer:
        api = client(front, peer, auth=ChatGptAuth("t1", "acct", refresh=renew))
        async with front.entering(api):
            connecting = [asyncio.ensure_future(connect(front, api)) for _ in range(2)]
            await to_thread.run_sync(peer.wait_for_requests, 2)
            both_are_here.set()
            sockets = await asyncio.gather(*connecting)
            for socket in sockets:
                await front(socket.close)
        sent = sorted(dict(request.headers)["authorization"] for request in peer.requests)

    assert renewals == ["t2"]
    assert sent == ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2"]


async def test_late_frames_of_the_response_before_are_told_to_observers(front: Front) -> None:
    ends: list[StreamEnd] = []

    class Ear(StreamObserver):
        def on_end(self, end: StreamEnd) -> None:
            ends.append(end)

    class Ears(Telemetry):
        def on_stream(self, start: StreamStart) -> StreamObserver:
            del start
            return Ear(self)

    late = SendMessage({"type": "response.output_text.done", "response": {"id": "resp_1"}})
    peer = server(ACCEPT, *turn(1), late, late, *turn(2))
    with peer as running:
        async with (
            front.entering(client(front, running, telemetry=Ears())) as api,
            front.entering(await connect(front, api)) as socket,
        ):
            for _ in range(2):
                await front(socket.stream(REQUEST).collect)

    assert [end.leftovers for end in ends] == [0, 2]
