from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
import websockets.exceptions
from websockets.sync.client import ClientConnection, connect

from codex_api.testing import EmbeddedServer, Gate, ServerSettings, faults, scenarios

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


class PingWatch(logging.Handler):
    """Sees a ping in the log of the client, which answers it without telling anybody."""

    def __init__(self) -> None:
        super().__init__()
        self.pinged = threading.Event()
        self.logger = logging.Logger("pings", logging.DEBUG)  # noqa: LOG001 - shared with nobody
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("< PING"):
            self.pinged.set()


def open_socket(
    server: EmbeddedServer, watch: PingWatch | None = None, **headers: str
) -> ClientConnection:
    url = server.url.replace("http", "ws", 1) + "/responses"
    return connect(
        url, additional_headers=headers, close_timeout=1, logger=watch.logger if watch else None
    )


def user(text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content}


def send(socket: ClientConnection, *items: dict[str, Any], **more: object) -> None:
    frame = {"type": "response.create", "model": "m", "input": list(items), "store": False}
    socket.send(json.dumps({**frame, **more}))


def read(socket: ClientConnection) -> list[dict[str, Any]]:
    """Read up to the end of the response, or to an error frame."""
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] not in {*faults.TERMINAL_TYPES, "error"}:
        events.append(json.loads(socket.recv(timeout=5)))
    return events


def ask(socket: ClientConnection, *items: dict[str, Any], **more: object) -> dict[str, Any]:
    """Give the last frame's response, or the error frame."""
    send(socket, *items, **more)
    last = read(socket)[-1]
    response: dict[str, Any] = last.get("response", last)
    return response


def text_of(response: dict[str, Any]) -> str:
    text: str = response["output"][-1]["content"][0]["text"]
    return text


def test_a_response_is_streamed_in_text_frames(server: EmbeddedServer) -> None:
    with open_socket(server) as socket:
        send(socket, user("hi"))
        kinds = [event["type"] for event in read(socket)]

    assert kinds[:4] == [
        "codex.rate_limits",
        "response.metadata",
        "response.created",
        "response.in_progress",
    ]
    assert kinds[-1] == "response.completed"


def test_the_handshake_tells_facts_about_the_server() -> None:
    settings = ServerSettings(reasoning_included=True)
    with EmbeddedServer(settings) as server, open_socket(server) as socket:
        assert socket.response is not None
        assert socket.response.headers["x-models-etag"]
        assert socket.response.headers["x-reasoning-included"] == "true"


@pytest.mark.parametrize("deflate", [True, False])
def test_deflate_is_accepted_or_not(*, deflate: bool) -> None:
    with EmbeddedServer(ServerSettings(deflate=deflate)) as server, open_socket(server) as socket:
        assert socket.response is not None
        assert ("Sec-WebSocket-Extensions" in socket.response.headers) is deflate
        assert text_of(ask(socket, user("hi" * 1000))).startswith("You said")


def test_a_prewarm_completes_without_output_and_can_be_gone_on_from(
    server: EmbeddedServer,
) -> None:
    with open_socket(server) as socket:
        warm = ask(socket, user("rules"), generate=False)
        assert (warm["status"], warm["output"]) == ("completed", [])

        response = ask(socket, user("hi"), previous_response_id=warm["id"])
        assert '"rules"' in text_of(response)


def test_increments_go_on_from_the_last_response(server: EmbeddedServer) -> None:
    with open_socket(server) as socket:
        tools: dict[str, Any] = {"tools": [WEATHER]}
        first = ask(socket, user("use get_weather city=Oslo"), **tools)
        call = first["output"][0]
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "snow"}
        second = ask(socket, result, previous_response_id=first["id"], **tools)
        third = ask(socket, user("thanks"), previous_response_id=second["id"], **tools)

    assert text_of(second) == 'get_weather returned "snow".'
    assert "I read 5 items" in text_of(third)
    assert [item["type"] for item in server.state.conversations[third["id"]]] == [
        "message",
        "function_call",
        "function_call_output",
        "message",
        "message",
        "message",
    ]


def test_only_the_last_response_of_a_connection_is_kept(server: EmbeddedServer) -> None:
    with open_socket(server) as socket:
        first = ask(socket, user("one"))
        ask(socket, user("two"))
        error = ask(socket, user("three"), previous_response_id=first["id"])

        assert error["type"] == "error"
        assert error["status"] == 400
        assert error["error"]["code"] == "previous_response_not_found"
        assert text_of(ask(socket, user("full"))).startswith('You said: "full".')


def test_a_response_of_another_connection_is_unknown_unless_stored(server: EmbeddedServer) -> None:
    with open_socket(server) as one, open_socket(server) as two:
        private = ask(one, user("a"))
        stored = ask(one, user("b"), store=True)

        error = ask(two, user("c"), previous_response_id=private["id"])
        assert error["error"]["code"] == "previous_response_not_found"
        assert ask(two, user("c"), previous_response_id=stored["id"])["status"] == "completed"


def test_an_increment_that_repeats_the_conversation_is_refused(server: EmbeddedServer) -> None:
    with open_socket(server) as socket:
        first = ask(socket, user("a"))
        again = [user("a"), *first["output"], user("b")]
        error = ask(socket, *again, previous_response_id=first["id"])

        assert error["error"]["code"] == "repeated_input"


def test_the_same_words_again_are_no_repetition(server: EmbeddedServer) -> None:
    with open_socket(server) as socket:
        first = ask(socket, user("a"))
        assert ask(socket, user("a"), previous_response_id=first["id"])["status"] == "completed"


def test_an_increment_without_its_call_is_refused(server: EmbeddedServer) -> None:
    with open_socket(server) as socket:
        first = ask(socket, user("a"))
        lost = {"type": "function_call_output", "call_id": "c9", "output": "x"}
        error = ask(socket, lost, previous_response_id=first["id"])

        assert "No tool call found" in error["error"]["message"]


def test_turn_state_is_sent_until_the_client_has_it(server: EmbeddedServer) -> None:
    with open_socket(server) as socket:
        send(socket, user("a"))
        (metadata,) = [e for e in read(socket) if e["type"] == "response.metadata"]
        state = metadata["headers"]["x-codex-turn-state"]
        send(socket, user("b"), client_metadata={"x-codex-turn-state": state})

        assert [e for e in read(socket) if e["type"] == "response.metadata"] == []


def test_one_response_at_a_time(server: EmbeddedServer) -> None:
    gate = Gate()
    server.play(scenarios.faulty(faults.hold(gate, after=3)))
    with open_socket(server) as socket:
        send(socket, user("a"))
        send(socket, user("b"))
        error = read(socket)[-1]
        gate.set()

        assert error["error"]["code"] == "response_in_progress"
        assert read(socket)[-1]["type"] == "response.completed"


def test_frames_are_recorded_with_the_headers_of_the_handshake(server: EmbeddedServer) -> None:
    with open_socket(server, originator="me") as socket:
        ask(socket, user("a"))

    handshake, frame = server.requests
    assert (handshake.method, frame.method) == ("GET", "WEBSOCKET")
    assert frame.header("originator") == "me"
    assert frame.json()["input"] == [user("a")]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "invalid_json"),
        pytest.param("[" * 100_000, "invalid_json", id="deep"),
        ('{"type": "response.cancel"}', "invalid_value"),
        ('{"type": "response.create", "model": "m"}', "missing_required_parameter"),
        (b"{}", "invalid_frame"),
    ],
)
def test_a_bad_frame_is_an_error_and_not_the_end(
    server: EmbeddedServer, frame: str | bytes, code: str
) -> None:
    with open_socket(server) as socket:
        socket.send(frame)
        error = read(socket)[-1]

        assert (error["status"], error["error"]["code"]) == (400, code)
        assert ask(socket, user("a"))["status"] == "completed"


def test_the_number_of_responses_can_be_limited() -> None:
    settings = ServerSettings(websocket_responses=1)
    with EmbeddedServer(settings) as server, open_socket(server) as socket:
        ask(socket, user("a"))
        error = ask(socket, user("b"))

        assert error["error"]["code"] == "websocket_connection_limit_reached"
        with pytest.raises(websockets.exceptions.ConnectionClosedOK):
            socket.recv(timeout=5)


def test_the_age_of_a_connection_is_limited() -> None:
    now = [0.0]
    settings = ServerSettings(clock=lambda: now[0], websocket_seconds=60)
    with EmbeddedServer(settings) as server, open_socket(server) as socket:
        now[0] = 59.0
        assert ask(socket, user("a"))["status"] == "completed"
        now[0] = 60.0
        error = ask(socket, user("b"))

    assert error["error"]["code"] == "websocket_connection_limit_reached"


def test_a_scripted_status_is_an_error_frame(server: EmbeddedServer) -> None:
    server.play(scenarios.usage_limit_reached())
    with open_socket(server) as socket:
        error = ask(socket, user("a"))

        assert (error["status"], error["error"]["type"]) == (429, "usage_limit_reached")
        assert error["headers"]["x-codex-primary-used-percent"] == "100"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (faults.close_frame(after=2, code=1008, reason="no"), 1008),
        (faults.cut(after=2, how="clean"), 1000),
        (faults.cut(after=2, how="truncated"), None),
        (faults.cut(after=2, how="reset"), None),
    ],
)
def test_a_connection_can_end_in_the_middle(
    server: EmbeddedServer, fault: Any, code: int | None
) -> None:
    server.play(scenarios.faulty(fault))
    with open_socket(server) as socket:
        send(socket, user("a"))
        with pytest.raises(websockets.exceptions.ConnectionClosed) as caught:
            read(socket)

    assert (caught.value.rcvd.code if caught.value.rcvd else None) == code


def test_a_failed_response_costs_what_it_went_on_from(server: EmbeddedServer) -> None:
    server.play(scenarios.normal(), scenarios.faulty(faults.failed("server_error")))
    with open_socket(server) as socket:
        first = ask(socket, user("a"))
        failed = ask(socket, user("b"), previous_response_id=first["id"])
        error = ask(socket, user("b"), previous_response_id=first["id"])

    assert (failed["status"], failed["error"]["code"]) == ("failed", "server_error")
    assert error["error"]["code"] == "previous_response_not_found"


def test_a_client_that_leaves_in_the_middle_is_seen(server: EmbeddedServer) -> None:
    server.play(scenarios.faulty(faults.stall(after=2)))
    with open_socket(server) as socket:
        send(socket, user("a"))
        while json.loads(socket.recv(timeout=5))["type"] != "response.in_progress":
            pass

    left = server.wait_for_disconnect()
    assert (left.events_sent, left.last_event) == (2, "response.in_progress")
    assert left.request.method == "WEBSOCKET"


def test_leaving_between_responses_is_no_disconnect(server: EmbeddedServer) -> None:
    with open_socket(server) as socket:
        ask(socket, user("a"))
    with open_socket(server) as socket:
        ask(socket, user("b"))

        assert server.disconnects == []


def test_an_event_can_be_binary_or_no_json(server: EmbeddedServer) -> None:
    server.play(scenarios.faulty(faults.garbage(b"{", after=0), faults.binary(b"\x00", after=0)))
    with open_socket(server) as socket:
        send(socket, user("a"))
        messages = [socket.recv(timeout=5) for _ in range(4)]

    assert messages[2:] == [b"\x00", "{"]


def test_a_scripted_status_may_be_held_and_have_any_body(server: EmbeddedServer) -> None:
    gate = Gate()
    server.play(scenarios.Scenario(status=502, body="bad gateway", head_gate=gate))
    with open_socket(server) as socket:
        send(socket, user("a"))
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.05)
        gate.set()

        assert read(socket)[-1]["error"] == {"message": "bad gateway"}


def test_an_answer_that_the_client_does_not_wait_for_is_given_up(server: EmbeddedServer) -> None:
    server.play(scenarios.faulty(faults.slow(0.001)))
    with open_socket(server) as socket:
        send(socket, user("count to 1000"))
        socket.recv(timeout=5)

    assert server.wait_for_disconnect().request.method == "WEBSOCKET"


def test_a_failure_of_the_server_is_told_as_such(
    server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(payload: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError(payload["type"])

    server.play(scenarios.faulty(faults.edited(break_down)))
    with open_socket(server) as socket:
        assert ask(socket, user("a"))["status"] == 500
        assert ask(socket, user("a"))["status"] == "completed"

    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("status", [401, 404, 426, 429, 503])
def test_a_handshake_can_be_refused(server: EmbeddedServer, status: int) -> None:
    refusal = scenarios.http_error(status, "No.", headers={"retry-after": "7"})
    server.play(refusal, endpoint="websocket")
    with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
        open_socket(server)

    response = caught.value.response
    assert (response.status_code, response.headers["retry-after"]) == (status, "7")
    assert json.loads(response.body or b"")["error"]["message"] == "No."


def test_pings_are_sent_while_nothing_else_is(server: EmbeddedServer) -> None:
    server.play(scenarios.faulty(faults.comments_only(0.005, after=2)))
    watch = PingWatch()
    with open_socket(server, watch) as socket:
        send(socket, user("a"))
        # The client reads on, and sees pings, only when its messages are taken from it.
        while json.loads(socket.recv(timeout=5))["type"] != "response.in_progress":
            pass

        assert watch.pinged.wait(5)


def test_a_handshake_needs_the_key() -> None:
    with EmbeddedServer(api_key="right") as server:
        with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
            open_socket(server)
        assert caught.value.response.status_code == 401
        with open_socket(server, authorization="Bearer right") as socket:
            assert ask(socket, user("a"))["status"] == "completed"


def test_http_on_the_same_path_still_works(server: EmbeddedServer) -> None:
    assert httpx2.get(f"{server.url}/responses").status_code == 405
    reply = httpx2.post(f"{server.url}/responses", json={"model": "m", "input": "hi"})
    assert reply.status_code == 200


def collect_with_sdk(client: openai.OpenAI, ask_first: Callable[[Any], None]) -> list[Any]:
    events = []
    with client.responses.connect() as connection:
        ask_first(connection)
        for event in connection:
            events.append(event)
            if event.type in {"response.completed", "error"}:
                break
    return events


# The SDK does not use connect() as a context manager, as newer versions of websockets want it.
legacy_connect = pytest.mark.filterwarnings("ignore:connect:DeprecationWarning")


@legacy_connect
def test_the_official_sdk_connects(server: EmbeddedServer) -> None:
    with openai.OpenAI(api_key="k", base_url=server.url) as client:
        events = collect_with_sdk(client, lambda c: c.response.create(model="m", input="hi"))

    assert events[-1].response.output_text == 'You said: "hi". I read 1 item.'
    assert "response.output_text.delta" in {event.type for event in events}


@legacy_connect
def test_the_official_sdk_reads_our_error_frames(server: EmbeddedServer) -> None:
    with openai.OpenAI(api_key="k", base_url=server.url) as client:
        events = collect_with_sdk(
            client,
            lambda c: c.response.create(model="m", input="hi", previous_response_id="resp_x"),
        )

    assert events[-1].error.code == "previous_response_not_found"


def test_a_conversation_is_shared_with_http(server: EmbeddedServer) -> None:
    with httpx2.Client(base_url=server.url) as http, open_socket(server) as socket:
        named = http.post("/conversations", json={}).json()["id"]
        ask(socket, user("My name is Ada."), conversation=named, store=True)
        answer = ask(socket, user("hello"), conversation={"id": named}, store=True)
        items = http.get(f"/conversations/{named}/items", params={"order": "asc"}).json()["data"]

    assert 'Before that you said: "My name is Ada."' in text_of(answer)
    assert answer["conversation"] == {"id": named}
    assert [item["role"] for item in items] == ["user", "assistant", "user", "assistant"]


def test_an_unknown_conversation_is_refused(server: EmbeddedServer) -> None:
    with open_socket(server) as socket:
        refused = ask(socket, user("hi"), conversation="conv_x")
        answer = ask(socket, user("hi"))

    assert (refused["type"], refused["status"]) == ("error", 404)
    assert answer["status"] == "completed"


def test_items_of_built_in_tools_may_be_gone_on_from(server: EmbeddedServer) -> None:
    tools = [{"type": "web_search"}]
    with open_socket(server) as socket:
        first = ask(socket, user("web_search tomatoes"), tools=tools)
        second = ask(socket, user("hello"), tools=tools, previous_response_id=first["id"])
        repeated = ask(
            socket, user("hi"), *first["output"], tools=tools, previous_response_id=second["id"]
        )

    assert [item["type"] for item in first["output"]] == ["web_search_call", "message"]
    assert 'Before that you said: "web_search tomatoes".' in text_of(second)
    assert repeated["status"] == "completed"
