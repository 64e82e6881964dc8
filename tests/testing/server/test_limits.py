from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from websockets.sync.client import connect

from codex_api import Client, Provider, ResponsesApiRequest, RetryConfig, errors
from codex_api.testing import (
    EmbeddedServer,
    Gate,
    Latency,
    Limits,
    ServerSettings,
    faults,
    scenarios,
)
from codex_api.testing.server.latency import LatencyDice
from codex_api.testing.server.limits import Ledger, duration
from codex_api.testing.steps import Event, Pause

HELLO = {"model": "m", "input": "say hello"}


class Watch:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


def limited(watch: Watch, **limits: int) -> EmbeddedServer:
    return EmbeddedServer(ServerSettings(limits=Limits(**limits), clock=watch))


def ask(server: EmbeddedServer, **more: object) -> httpx2.Response:
    return httpx2.post(f"{server.url}/responses", json=HELLO | more)


def limit_headers(reply: httpx2.Response) -> dict[str, str]:
    prefix = "x-ratelimit-"
    return {
        name.removeprefix(prefix): value
        for name, value in reply.headers.items()
        if name.startswith(prefix)
    }


def test_requests_are_refused_once_the_burst_is_gone_and_let_in_after_the_time_told(
    watch: Watch,
) -> None:
    with limited(watch, requests_per_minute=6, burst_requests=2) as server:
        assert [ask(server).status_code for _ in range(2)] == [200, 200]
        refused = ask(server)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "10"
        assert refused.headers["retry-after-ms"] == "10000"
        assert limit_headers(refused) == {
            "limit-requests": "6",
            "remaining-requests": "0",
            "reset-requests": "20s",
        }
        error = refused.json()["error"]
        assert (error["code"], error["type"]) == ("rate_limit_exceeded", "requests")
        assert error["message"].endswith("Please try again in 10s.")

        watch.now += 9.9
        assert ask(server).status_code == 429
        watch.now += 0.1
        assert ask(server).status_code == 200
        assert ask(server).status_code == 429


def test_the_headers_tell_what_is_left(watch: Watch) -> None:
    with limited(watch, requests_per_minute=60, tokens_per_minute=6000) as server:
        first = ask(server)
        used = first.json()["usage"]["total_tokens"]
        second = ask(server, stream=True)

    estimated = 2  # the words of the prompt, until the answer tells more
    assert limit_headers(first)["remaining-requests"] == "59"
    assert limit_headers(first)["remaining-tokens"] == str(6000 - estimated)
    assert limit_headers(second)["remaining-tokens"] == str(6000 - used - estimated)
    assert limit_headers(second)["reset-requests"] == "2s"


def test_models_have_buckets_of_their_own(watch: Watch) -> None:
    with limited(watch, requests_per_minute=1) as server:
        assert ask(server, model="a").status_code == 200
        assert ask(server, model="b").status_code == 200
        assert ask(server, model="a").status_code == 429


def test_the_tokens_of_an_answer_take_the_place_of_those_allowed(watch: Watch) -> None:
    with limited(watch, tokens_per_minute=1000) as server:
        reply = ask(server, max_output_tokens=900)
        used = reply.json()["usage"]
        assert limit_headers(reply)["remaining-tokens"] == "98"
        again = ask(server, max_output_tokens=900)
        (charge, other) = server.charges

    assert again.status_code == 200
    assert (charge.estimated, charge.charged) == (902, used["total_tokens"])
    assert (charge.input_tokens, charge.output_tokens) == (
        used["input_tokens"],
        used["output_tokens"],
    )
    assert other.model == "m"


def test_a_request_larger_than_the_bucket_is_told_so_without_a_delay(watch: Watch) -> None:
    with limited(watch, tokens_per_minute=100) as server:
        reply = ask(server, max_output_tokens=200)
        assert server.charges[0].refused == "too_large"

    assert reply.status_code == 429
    assert "retry-after" not in reply.headers
    assert reply.json()["error"]["message"].startswith("Request too large for m")


def test_what_is_refused_takes_nothing(watch: Watch) -> None:
    with limited(watch, requests_per_minute=1, tokens_per_minute=1000) as server:
        ask(server)
        left = limit_headers(ask(server))
        assert limit_headers(ask(server)) == left
        charges = server.charges

    assert [each.refused for each in charges] == [None, "requests", "requests"]
    assert [each.charged for each in charges[1:]] == [0, 0]


def test_a_request_that_is_wrong_is_answered_as_such_and_costs_no_token(watch: Watch) -> None:
    with limited(watch, tokens_per_minute=1000) as server:
        assert ask(server, input=5).status_code == 400
        missing = ask(server, previous_response_id="resp_none")
        assert missing.status_code == 400
        assert limit_headers(ask(server))["remaining-tokens"] == "998"


def test_one_more_response_than_the_cap_is_an_overload(watch: Watch) -> None:
    gate = Gate()
    with limited(watch, concurrent=1) as server:
        server.play(scenarios.faulty(faults.hold(gate, after=1)))
        streamed = {**HELLO, "stream": True}
        with httpx2.stream("POST", f"{server.url}/responses", json=streamed) as held:
            lines = held.iter_lines()
            assert next(lines)
            refused = ask(server)
            gate.set()
            assert list(lines)
        assert ask(server).status_code == 200

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["error"]["code"] == "server_is_overloaded"


def test_a_client_that_leaves_frees_its_place(watch: Watch) -> None:
    with limited(watch, concurrent=1) as server:
        server.play(scenarios.faulty(faults.stall(after=1)))
        with httpx2.stream("POST", f"{server.url}/responses", json={**HELLO, "stream": True}) as it:
            assert next(it.iter_lines())
        server.wait_for_disconnect()
        assert ask(server).status_code == 200
        assert server.charges[0].output_tokens is None


def test_other_endpoints_are_not_limited(watch: Watch) -> None:
    with limited(watch, requests_per_minute=1) as server:
        assert [httpx2.get(f"{server.url}/models").status_code for _ in range(3)] == [200] * 3
        counted = [httpx2.post(f"{server.url}/responses/input_tokens", json=HELLO) for _ in "ab"]
        assert [each.status_code for each in counted] == [200, 200]
        assert server.charges == []


def turn(socket: Any) -> dict[str, Any]:
    """Ask once over a WebSocket, and give the last event."""
    socket.send(json.dumps({"type": "response.create", **HELLO}))
    while True:
        event: dict[str, Any] = json.loads(socket.recv(10))
        if event["type"] in {"response.completed", "error"}:
            return event


def test_frames_of_a_websocket_are_limited_one_by_one(watch: Watch) -> None:
    with limited(watch, requests_per_minute=1, tokens_per_minute=1000) as server:
        with connect(server.url.replace("http", "ws") + "/responses") as socket:
            first = turn(socket)
            refused = turn(socket)
            watch.now += 60
            third = turn(socket)
        charges = server.charges
        frames = [each for each in server.requests if each.method == "WEBSOCKET"]

    assert (first["type"], third["type"]) == ("response.completed", "response.completed")
    assert (refused["status"], refused["error"]["code"]) == (429, "rate_limit_exceeded")
    assert refused["headers"]["retry-after"] == "60"
    assert [each.refused for each in charges] == [None, "requests", None]
    assert charges[0].charged == first["response"]["usage"]["total_tokens"]
    assert len(frames) == 3


def test_our_client_waits_as_long_as_it_is_told(watch: Watch) -> None:
    request = ResponsesApiRequest(model="m", input="say hello")
    with limited(watch, requests_per_minute=1) as server:
        provider = Provider(name="t", base_url=server.url, retry=RetryConfig(max_attempts=0))
        with Client(provider) as client:
            client.responses.stream(request).collect()
            with pytest.raises(errors.RateLimitError) as caught:
                client.responses.stream(request).collect()

    assert caught.value.retry_after == 60.0


def test_no_schedule_lets_more_through_than_the_limit(watch: Watch) -> None:
    """Whatever the pace, requests in a time are at most the burst and what it gained."""
    ledger = Ledger(Limits(requests_per_minute=30, burst_requests=5), watch)
    start = watch.now
    admitted = 0
    for step in range(3000):
        watch.now += (step * 7919 % 13) / 10
        _, refusal = ledger.admit("m", 1)
        admitted += refusal is None
        assert admitted <= 5 + (watch.now - start) * 0.5 + 1e-6
        if refusal is not None:
            assert refusal.wait is not None
            assert 0 < refusal.wait <= 2 + 1e-6

    assert admitted > 895


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0121, "13ms"), (1, "1s"), (1.5, "1.5s"), (60, "1m0s"), (360.5, "6m0.5s")],
)
def test_durations_are_written_as_the_api_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("name", ["requests_per_minute", "burst_tokens", "concurrent"])
def test_a_limit_is_at_least_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        Limits(**{name: 0})


def pauses(dice: LatencyDice) -> list[float]:
    steps = dice.throw()([Event({"type": "a"}), Event({"type": "d", "delta": "two words"})])
    return [step.seconds for step in steps if isinstance(step, Pause)]


def test_latency_is_repeated_by_its_seed() -> None:
    def row(seed: int) -> list[list[float]]:
        dice = LatencyDice(Latency(first_event=0.2, tokens_per_second=20, spread=0.7, seed=seed))
        return [pauses(dice) for _ in range(400)]

    one = row(1)
    firsts = sorted(first for first, _ in one)
    assert row(1) == one
    assert row(2) != one
    assert 0.17 < firsts[200] < 0.23
    assert 40 < sum(first > 0.4 for first in firsts) < 90
    assert pauses(LatencyDice(Latency(first_event=0.2, tokens_per_second=20))) == [0.2, 0.1]


@pytest.mark.parametrize("stream", [False, True])
def test_latency_is_waited_for(stream: bool) -> None:  # noqa: FBT001 - a parameter of the test
    latency = Latency(first_event=0.15)
    with EmbeddedServer(ServerSettings(latency=latency)) as server:
        reply = ask(server, stream=stream)

    assert reply.status_code == 200
    assert reply.elapsed.total_seconds() >= (0 if stream else 0.15)


CHAT = {"model": "m", "messages": [{"role": "user", "content": "say hello"}]}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, True),
        ({"stream": True, "stream_options": {"include_usage": True}}, True),
        ({"stream": True}, False),
    ],
    ids=["whole", "streamed", "streamed without usage"],
)
def test_chat_completions_are_charged_and_limited(
    watch: Watch, more: dict[str, Any], *, told: bool
) -> None:
    with limited(watch, requests_per_minute=6, burst_requests=1) as server:
        url = f"{server.url}/chat/completions"
        answered = httpx2.post(url, json=CHAT | more)
        refused = httpx2.post(url, json=CHAT | more)
        broken = httpx2.post(url, json={"model": "m", "messages": 3})
        charge, second = server.charges

    assert (answered.status_code, refused.status_code, broken.status_code) == (200, 429, 400)
    assert limit_headers(answered)["remaining-requests"] == "0"
    assert (charge.model, charge.input_tokens) == ("m", 2 if told else None)
    assert second.refused == "requests"


def test_chat_completions_take_their_time() -> None:
    latency = Latency(first_event=0.01)
    state = EmbeddedServer(ServerSettings(latency=latency)).state

    assert state.take_scenario("chat/completions").faults
    assert not state.take_scenario("models").faults
