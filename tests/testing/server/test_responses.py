from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any, get_args

import httpx2
import openai
import pytest
from backports import zstd
from openai.types.responses import Response, ResponseStreamEvent

from codex_api.testing import EmbeddedServer, Gate, ServerSettings, faults, scenarios

if TYPE_CHECKING:
    from collections.abc import Iterator

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}
PATCH_TOOL = {"type": "custom", "name": "apply_patch", "description": "Edit files."}


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def http(server: EmbeddedServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=10) as http:
        yield http


def body(prompt: str, **more: object) -> dict[str, object]:
    return {"model": "gpt-5.1-codex", "input": prompt, **more}


def events_of(reply: httpx2.Response) -> list[dict[str, Any]]:
    """Read an event stream the plain way, checking the frame of each event."""
    events = []
    for block in reply.text.strip().split("\n\n"):
        name, data = block.split("\n")
        payload = json.loads(data.removeprefix("data: "))
        assert name == f"event: {payload['type']}"
        events.append(payload)
    return events


def events_before_the_cut(reply: httpx2.Response) -> list[dict[str, Any]]:
    lines = []
    with contextlib.suppress(httpx2.RemoteProtocolError):
        for line in reply.iter_lines():
            lines.append(line)  # noqa: PERF402 - keeps what came before the error
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def stream(http: httpx2.Client, text: str, **more: object) -> list[dict[str, Any]]:
    reply = http.post("/responses", json=body(text, stream=True, **more))
    assert reply.status_code == 200, reply.text
    return events_of(reply)


def types(events: list[dict[str, Any]]) -> list[str]:
    """Give the types in order, repeated ones once."""
    found: list[str] = []
    for event in events:
        if not found or found[-1] != event["type"]:
            found.append(event["type"])
    return found


def test_a_text_is_streamed_event_by_event(http: httpx2.Client) -> None:
    events = stream(http, "hi there")

    assert types(events) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == 'You said: "hi there". I read 1 item.'
    usage = events[-1]["response"]["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


CODE_TOOL = {"type": "code_interpreter", "container": {"type": "auto"}}
OUTPUTS = "code_interpreter_call.outputs"
IMAGE_TOOL = {"type": "image_generation", "size": "64x32"}
MCP_TOOL = {"type": "mcp", "server_label": "remote", "server_url": "https://mcp.invalid"}


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("hi", {}),
        ("hi", {"reasoning": {"effort": "high", "summary": "detailed"}}),
        ("please refuse", {}),
        ("call get_weather with city=Rome", {"tools": [WEATHER]}),
        ("use apply_patch", {"tools": [PATCH_TOOL]}),
        ("count to 50", {"max_output_tokens": 5}),
        ('web_search "backoff"', {"tools": [{"type": "web_search"}]}),
        ("file_search", {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}),
        ("code_interpreter `1 + 1`", {"tools": [CODE_TOOL], "include": [OUTPUTS]}),
        ("image_generation", {"tools": [{**IMAGE_TOOL, "partial_images": 2}]}),
        ("echo text=hi", {"tools": [{**MCP_TOOL, "require_approval": "never"}]}),
        ("echo text=hi", {"tools": [MCP_TOOL]}),
        ("shell `ls`", {"tools": [{"type": "shell"}]}),
        ("local_shell `ls`", {"tools": [{"type": "local_shell"}]}),
        ("computer", {"tools": [{"type": "computer"}]}),
        ("apply_patch", {"tools": [{"type": "apply_patch"}]}),
    ],
)
def test_every_event_is_one_that_the_official_sdk_declares(
    http: httpx2.Client, text: str, more: dict[str, Any]
) -> None:
    union = get_args(get_args(ResponseStreamEvent)[0])
    declared = {get_args(model.model_fields["type"].annotation)[0]: model for model in union}

    for event in stream(http, text, **more):
        declared[event["type"]].model_validate(event)


def test_without_stream_the_answer_is_the_response_object(http: httpx2.Client) -> None:
    reply = http.post("/responses", json=body("hi"))

    assert Response.model_validate(reply.json()).output_text == 'You said: "hi". I read 1 item.'


def test_a_response_is_compacted_by_its_id(http: httpx2.Client) -> None:
    first = http.post("/responses", json=body("My name is Ada.")).json()
    compact = {"model": "m", "previous_response_id": first["id"]}
    made = http.post("/responses/compact", json=compact).json()
    items = [*made["output"], {"role": "user", "content": "?"}]
    again = http.post("/responses", json={"model": "m", "input": items})

    assert [item["type"] for item in made["output"]] == ["message", "compaction"]
    assert "I remember 2 compacted items" in Response.model_validate(again.json()).output_text


def test_equal_requests_get_equal_answers(http: httpx2.Client) -> None:
    first, second = stream(http, "hi"), stream(http, "hi")

    assert (
        first[-1]["response"]["output"][0]["content"]
        == (second[-1]["response"]["output"][0]["content"])
    )
    assert first[-1]["response"]["id"] != second[-1]["response"]["id"]


def test_the_answer_tells_what_the_request_held(http: httpx2.Client) -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}
    items = [
        {"type": "message", "role": "user", "content": "my name is Ada"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "who am I?"}, image]},
    ]
    request = {"model": "m", "input": items, "instructions": "Be kind", "tools": [WEATHER]}

    (item,) = http.post("/responses", json=request).json()["output"]
    assert item["content"][0]["text"] == (
        'You said: "who am I?". I read 3 items and 1 image. '
        'Before that you said: "my name is Ada". Tools offered: get_weather. '
        'Instructions: "Be kind".'
    )


def test_reasoning_is_summarized_when_asked_for(http: httpx2.Client) -> None:
    more: dict[str, Any] = {"include": ["reasoning.encrypted_content"]}
    more["reasoning"] = {"effort": "low", "summary": "auto"}
    events = stream(http, "hi", **more)

    item = events[-1]["response"]["output"][0]
    assert item["type"] == "reasoning"
    assert item["encrypted_content"]
    told = "".join(e["delta"] for e in events if e["type"].endswith("summary_text.delta"))
    assert told == "".join(part["text"] for part in item["summary"])
    assert events[-1]["response"]["usage"]["output_tokens_details"]["reasoning_tokens"] > 0


def test_a_tool_is_called_and_its_output_told_back(http: httpx2.Client) -> None:
    request = body("call get_weather with city=Rome, days=3", tools=[WEATHER])
    (call,) = http.post("/responses", json=request).json()["output"]

    assert json.loads(call["arguments"]) == {"city": "Rome", "days": 3}

    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    user = {"role": "user", "content": request["input"]}
    reply = http.post("/responses", json={**request, "input": [user, call, result]})
    assert reply.json()["output"][0]["content"][0]["text"] == 'get_weather returned "sunny".'


def test_a_custom_tool_gets_text(http: httpx2.Client) -> None:
    events = stream(http, "use apply_patch", tools=[PATCH_TOOL])

    item = events[-1]["response"]["output"][0]
    assert (item["type"], item["name"]) == ("custom_tool_call", "apply_patch")
    assert item["input"].startswith("*** Begin Patch\n")
    deltas = [e["delta"] for e in events if e["type"].endswith("custom_tool_call_input.delta")]
    assert "".join(deltas) == item["input"]


@pytest.mark.parametrize(
    ("choice", "calls"),
    [("auto", 2), ("none", 0), ("required", 2), ({"type": "function", "name": "get_weather"}, 1)],
)
def test_tool_choice_is_obeyed(http: httpx2.Client, choice: object, calls: int) -> None:
    tools = [WEATHER, {"type": "namespace", "name": "web", "tools": [{**WEATHER, "name": "run"}]}]
    request = body("get_weather then run", tools=tools, tool_choice=choice)
    output = http.post("/responses", json=request).json()["output"]

    found = [item for item in output if item["type"] == "function_call"]
    assert len(found) == calls
    assert [item.get("namespace") for item in found[1:]] == ["web"][: calls - 1]


def test_one_call_at_a_time_if_parallel_calls_are_off(http: httpx2.Client) -> None:
    tools = [WEATHER, {**WEATHER, "name": "run"}]
    request = body("get_weather then run", tools=tools, parallel_tool_calls=False)

    assert len(http.post("/responses", json=request).json()["output"]) == 1


def test_a_refusal_is_a_refusal(http: httpx2.Client) -> None:
    (item,) = http.post("/responses", json=body("please refuse this")).json()["output"]

    assert item["content"][0]["type"] == "refusal"


def test_structured_output_fits_its_schema(http: httpx2.Client) -> None:
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["good", "bad"]}, "n": {"type": "integer"}},
        "required": ["mood", "n"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "name": "x", "strict": True, "schema": schema}
    reply = http.post("/responses", json=body("a bad mood, n=7", text={"format": form}))

    assert json.loads(reply.json()["output"][0]["content"][0]["text"]) == {"mood": "bad", "n": 7}


def test_a_limit_on_output_tokens_cuts_the_answer(http: httpx2.Client) -> None:
    events = stream(http, "count to 50", max_output_tokens=5)

    assert events[-1]["type"] == "response.incomplete"
    response = events[-1]["response"]
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["output"][0]["content"][0]["text"] == "1 2 3 4 5"
    assert response["output"][0]["status"] == "incomplete"


def test_an_answer_that_just_fits_is_complete(http: httpx2.Client) -> None:
    assert stream(http, "count to 5", max_output_tokens=5)[-1]["type"] == "response.completed"


def test_a_stored_response_can_be_gone_on_from(http: httpx2.Client) -> None:
    first = http.post("/responses", json=body("my name is Ada")).json()
    second = http.post("/responses", json=body("and now?", previous_response_id=first["id"])).json()

    assert '"my name is Ada"' in second["output"][0]["content"][0]["text"]
    assert second["usage"]["input_tokens_details"]["cached_tokens"] > 0


def test_a_response_that_was_not_stored_cannot(http: httpx2.Client) -> None:
    first = http.post("/responses", json=body("hi", store=False)).json()
    reply = http.post("/responses", json=body("hi", previous_response_id=first["id"]))

    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "previous_response_not_found"


def test_a_stream_can_be_resumed_where_it_was_cut(
    server: EmbeddedServer, http: httpx2.Client
) -> None:
    server.play(scenarios.faulty(faults.cut(after=4)))
    request = body("hi", stream=True, background=True)
    with http.stream("POST", "/responses", json=request) as reply:
        seen = events_before_the_cut(reply)

    assert [event["sequence_number"] for event in seen] == [0, 1, 2, 3]
    one = f"/responses/{seen[0]['response']['id']}"
    rest = events_of(http.get(one, params={"stream": "true", "starting_after": 3}))
    assert rest[0]["sequence_number"] == 4
    assert rest[-1]["response"] == http.get(one).json()
    assert http.post(f"{one}/cancel").json()["status"] == "completed"
    assert http.delete(one).json()["deleted"] is True
    assert http.get(one).status_code == 404


def test_only_a_background_response_can_be_cancelled(http: httpx2.Client) -> None:
    response = http.post("/responses", json=body("hi")).json()

    assert http.post(f"/responses/{response['id']}/cancel").status_code == 400
    reply = http.get(f"/responses/{response['id']}?stream=true&starting_after=x")
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "starting_after")


def test_headers_tell_limits_ids_and_state(server: EmbeddedServer, http: httpx2.Client) -> None:
    first = http.post("/responses", json=body("hi"))
    state = first.headers["x-codex-turn-state"]
    second = http.post("/responses", json=body("hi"), headers={"x-codex-turn-state": state})
    third = http.post("/responses", json=body("hi"))

    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert second.headers["x-codex-turn-state"] == state
    assert third.headers["x-codex-turn-state"] != state
    assert first.headers["openai-model"] == "gpt-5.1-codex"
    assert first.headers["x-codex-primary-used-percent"] == "0.5"
    assert int(first.headers["x-ratelimit-remaining-requests"]) == 4999
    assert len(server.requests) == 3


def test_requests_are_recorded_as_they_came(server: EmbeddedServer, http: httpx2.Client) -> None:
    data = zstd.compress(json.dumps(body("hi")).encode())
    headers = {
        "zeta": "1",
        "content-type": "application/json",
        "content-encoding": "zstd",
        "alpha": "2",
    }
    http.post("/responses?a=%20b", content=data, headers=headers)

    (request,) = server.requests
    names = request.header_names()
    assert [name for name in names if name in headers] == list(headers)
    assert (request.body, request.json()) == (data, body("hi"))
    assert request.query == [("a", " b")]


@pytest.mark.parametrize(
    ("request_body", "param", "code"),
    [
        ({"input": "hi"}, "model", "missing_required_parameter"),
        ({"model": "m"}, "input", "missing_required_parameter"),
        ({"model": 1, "input": "hi"}, "model", "invalid_type"),
        ({"model": "", "input": "hi"}, "model", "invalid_value"),
        ({"model": "m", "input": 3}, "input", "invalid_type"),
        ({"model": "m", "input": ["x"]}, "input[0]", "invalid_type"),
        ({"model": "m", "input": [{}]}, "input[0].type", "missing_required_parameter"),
        ({"model": "m", "input": [{"type": "nope"}]}, "input[0].type", "invalid_value"),
        (
            {"model": "m", "input": [{"type": "function_call", "name": "f", "arguments": "{}"}]},
            "input[0].call_id",
            "missing_required_parameter",
        ),
        (
            {"model": "m", "input": [{"role": "user", "content": [{"type": "bad"}]}]},
            "input[0].content[0].type",
            "invalid_value",
        ),
        ({"model": "m", "input": "hi", "bogus": 1}, "bogus", "unknown_parameter"),
        ({"model": "m", "input": "hi", "stream": "yes"}, "stream", "invalid_type"),
        ({"model": "m", "input": "hi", "tool_choice": "any"}, "tool_choice", "invalid_value"),
        (
            {"model": "m", "input": "hi", "tools": [{}]},
            "tools[0].type",
            "missing_required_parameter",
        ),
        (
            {"model": "m", "input": "hi", "text": {"verbosity": "x"}},
            "text.verbosity",
            "invalid_value",
        ),
    ],
)
def test_a_bad_request_is_refused_by_the_name_of_its_parameter(
    http: httpx2.Client, request_body: dict[str, Any], param: str, code: str
) -> None:
    reply = http.post("/responses", json=request_body)

    assert reply.status_code == 400
    error = reply.json()["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (
            [{"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c1"}],
            "No tool output found for call c1.",
        ),
        (
            [{"type": "function_call_output", "call_id": "c2", "output": "x"}],
            "No tool call found for function_call_output with call_id c2.",
        ),
    ],
)
def test_calls_and_outputs_must_come_in_pairs(
    http: httpx2.Client, items: list[dict[str, Any]], message: str
) -> None:
    reply = http.post("/responses", json={"model": "m", "input": items})

    assert (reply.status_code, reply.json()["error"]["message"]) == (400, message)


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {"content-type": "application/json"}, 400),
        pytest.param(b"[" * 100_000, {"content-type": "application/json"}, 400, id="deep"),
        (b'{"model": NaN}', {"content-type": "application/json"}, 400),
        (b"\xff", {"content-type": "application/json"}, 400),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {"content-type": "application/json", "content-encoding": "br"}, 415),
        (b"{}", {"content-type": "application/json", "content-encoding": "zstd"}, 415),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    http: httpx2.Client, content: bytes, headers: dict[str, str], status: int
) -> None:
    reply = http.post("/responses", content=content, headers=headers)

    assert reply.status_code == status
    assert reply.json()["error"]["message"]


def test_only_known_keys_are_let_in() -> None:
    with EmbeddedServer(api_key="right") as server:
        codes = [
            httpx2.post(f"{server.url}/responses", json=body("hi"), headers=headers).status_code
            for headers in (
                {},
                {"authorization": "Bearer wrong"},
                {"authorization": "Bearer right"},
            )
        ]

    assert codes == [401, 401, 200]


def test_an_unknown_path_is_an_error_object(http: httpx2.Client) -> None:
    reply = http.get("/nope")

    assert (reply.status_code, reply.json()["error"]["type"]) == (404, "invalid_request_error")


def test_the_first_event_comes_while_the_rest_is_held(
    server: EmbeddedServer, http: httpx2.Client
) -> None:
    gate = Gate()
    server.play(scenarios.faulty(faults.hold(gate, after=1)))
    with http.stream("POST", "/responses", json=body("hi", stream=True)) as reply:
        chunks = reply.iter_text()

        assert next(chunks).startswith("event: response.created\n")
        gate.set()
        assert "response.completed" in "".join(chunks)


def test_a_client_that_leaves_is_seen(server: EmbeddedServer, http: httpx2.Client) -> None:
    server.play(scenarios.faulty(faults.stall(after=3)))
    with http.stream("POST", "/responses", json=body("hi", stream=True)) as reply:
        seen = ""
        chunks = reply.iter_text()
        while "output_item.added" not in seen:
            seen += next(chunks)

    left = server.wait_for_disconnect()
    assert (left.events_sent, left.last_event) == (3, "response.output_item.added")
    assert left.request == server.requests[0]


def test_a_whole_stream_is_no_disconnect(server: EmbeddedServer, http: httpx2.Client) -> None:
    stream(http, "hi")

    assert server.disconnects == []


def test_a_reset_breaks_the_connection(server: EmbeddedServer, http: httpx2.Client) -> None:
    server.play(scenarios.faulty(faults.cut(after=2, how="reset")))

    with pytest.raises(httpx2.ReadError):
        http.post("/responses", json=body("hi", stream=True))


def test_scripted_errors_come_in_order_and_then_the_model_answers(
    server: EmbeddedServer, http: httpx2.Client
) -> None:
    server.play(
        scenarios.rate_limited("3"),
        scenarios.overloaded(),
        scenarios.usage_limit_reached(),
        scenarios.html_page(),
    )
    replies = [http.post("/responses", json=body("hi", stream=True)) for _ in range(5)]

    assert [reply.status_code for reply in replies] == [429, 503, 429, 200, 200]
    assert replies[0].headers["retry-after"] == "3"
    assert replies[1].json()["error"]["code"] == "server_is_overloaded"
    assert replies[2].json()["error"]["plan_type"] == "plus"
    assert replies[3].text.startswith("<!doctype html>")
    assert events_of(replies[4])[-1]["type"] == "response.completed"


def test_stopping_leaves_no_thread_and_does_not_wait_for_streams() -> None:
    before = threading.active_count()
    server = EmbeddedServer().start()
    server.play(scenarios.faulty(faults.stall(after=1)))
    with (
        httpx2.Client(base_url=server.url) as http,
        http.stream("POST", "/responses", json=body("hi", stream=True)) as reply,
    ):
        next(reply.iter_raw())
        server.stop()
    server.stop()

    assert threading.active_count() == before


def test_the_official_sdk_streams(server: EmbeddedServer) -> None:
    with (
        openai.OpenAI(api_key="k", base_url=server.url) as client,
        client.responses.stream(model="gpt-5.1", input="hi there") as events,
    ):
        text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        final = events.get_final_response()

    assert text == final.output_text == 'You said: "hi there". I read 1 item.'


@pytest.mark.anyio
async def test_the_official_sdk_streams_from_the_loop_that_started_the_server() -> None:
    async with (
        EmbeddedServer() as server,
        openai.AsyncOpenAI(api_key="k", base_url=server.url) as client,
    ):
        response = await client.responses.create(model="gpt-5.1", input="hi", stream=True)
        kinds = [event.type async for event in response]

    assert kinds[-1] == "response.completed"


def test_the_official_sdk_sees_our_error_body(server: EmbeddedServer) -> None:
    server.play(scenarios.http_error(400, "No.", code="bad", kind="invalid_request_error"))
    with (
        openai.OpenAI(api_key="k", base_url=server.url) as client,
        pytest.raises(openai.BadRequestError, match=r"No\.") as caught,
    ):
        client.responses.create(model="m", input="hi")

    assert caught.value.code == "bad"


def test_settings_choose_what_is_sent() -> None:
    settings = ServerSettings(rate_limits=False, reasoning_included=True)
    with EmbeddedServer(settings) as server:
        headers = httpx2.post(f"{server.url}/responses", json=body("hi")).headers

    assert "x-codex-primary-used-percent" not in headers
    assert headers["x-reasoning-included"] == "true"


def test_a_closed_port_is_closed(server: EmbeddedServer) -> None:
    server.stop()

    with pytest.raises(httpx2.ConnectError):
        httpx2.get(server.url)
