"""Calls that the library has no method for, and clients with other options."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import ApiKeyAuth, RetryConfig, Telemetry, Timeouts, errors
from codex_api.testing.actions import Close, ReadRequest, answer
from codex_api.testing.scripted import ScriptedServer
from tests.fronts.simple_calls import FakeClock, client_of, provider

if TYPE_CHECKING:
    from tests.front import Front

pytestmark = pytest.mark.anyio

MODELS: dict[str, Any] = {"data": []}


async def test_an_answer_comes_as_it_was(front: Front) -> None:
    with ScriptedServer([answer(body=b'{"n": 2.50}', headers={"x-request-id": "r"})]) as server:
        async with front.entering(
            client_of(front, provider(server), auth=ApiKeyAuth("k"))
        ) as client:
            got = await front(
                client.request,
                "post",
                "/evals/runs",
                {"a": 1},
                query=[("include", "x"), ("include", "y")],
                extra_headers={"x-mine": "1"},
            )
    (request,) = server.requests

    assert (got.status, got.body, got.headers.get("x-request-id")) == (200, b'{"n": 2.50}', "r")
    assert (request.method, request.target) == ("POST", "/v1/evals/runs?include=x&include=y")
    assert (request.json(), request.header("x-mine")) == ({"a": 1}, "1")
    assert request.header("authorization") == "Bearer k"
    assert request.header("idempotency-key") is not None


@pytest.mark.parametrize(
    ("body", "sent", "kind"),
    [
        (None, b"", None),
        (b"raw", b"raw", None),
        (bytearray(b"raw"), b"raw", None),
        (memoryview(b"raw"), b"raw", None),
        ([1], b"[1]", "application/json"),
    ],
)
async def test_a_body_goes_out_as_it_is_given(
    front: Front, body: object, sent: bytes, kind: str | None
) -> None:
    with ScriptedServer([answer()]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            await front(client.request, "PUT", "x", body)

    assert (server.requests[0].body, server.requests[0].header("content-type")) == (sent, kind)


async def test_a_failure_is_that_of_every_call(front: Front) -> None:
    body = {"error": {"message": "no such thing", "code": "not_found"}}
    with ScriptedServer([answer(404, body)]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.UnexpectedStatusError, match="no such thing"):
                await front(client.request, "GET", "nowhere")


@pytest.mark.parametrize(
    ("method", "is_repeatable", "count"),
    [
        ("GET", None, 2),
        ("DELETE", None, 2),
        ("POST", None, 1),
        ("POST", True, 2),
        ("PUT", False, 1),
    ],
)
async def test_what_is_not_idempotent_is_not_sent_twice(
    front: Front,
    method: str,
    is_repeatable: bool | None,  # noqa: FBT001 - a case
    count: int,
) -> None:
    with ScriptedServer(connections=[[ReadRequest(), Close()]] * 2) as server:
        where = provider(server, retry=RetryConfig(max_attempts=1, base_delay=0.0))
        async with front.entering(client_of(front, where)) as client:
            with pytest.raises(errors.NetworkError):
                await front(client.request, method, "x", is_repeatable=is_repeatable)

    assert len(server.requests) == count


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\n", "GËT"])
async def test_a_method_has_to_be_one(front: Front, method: str) -> None:
    with ScriptedServer([]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.RequestBuildError, match="method"):
                await front(client.request, method, "x")


async def test_a_client_with_other_options_shares_the_connections(front: Front) -> None:
    with ScriptedServer([answer(body=MODELS)] * 3) as server:
        async with front.entering(
            client_of(
                front,
                provider(server),
                auth=ApiKeyAuth("mine"),
                default_headers={"x-a": "1", "x-b": "1"},
            )
        ) as client:
            await front(client.models.list)
            other = client.with_options(auth=ApiKeyAuth("other"), default_headers={"x-b": "2"})
            await front(other.models.list)
            await front(other.close)
            await front(client.models.list)

    told = [
        tuple(request.header(name) for name in ("authorization", "x-a", "x-b"))
        for request in server.requests
    ]
    assert told == [
        ("Bearer mine", "1", "1"),
        ("Bearer other", "1", "2"),
        ("Bearer mine", "1", "1"),
    ]
    assert {request.connection for request in server.requests} == {0}


async def test_retries_limits_and_hooks_may_differ(front: Front) -> None:
    heard: list[str] = []

    class Ear(Telemetry):
        def on_request(self, *_: Any, **__: Any) -> None:
            heard.append("request")

    with ScriptedServer([answer(500)] * 2 + [answer(500)]) as server:
        clock = FakeClock()
        async with front.entering(client_of(front, provider(server), clock=clock)) as client:
            once = client.with_options(
                retry=RetryConfig(max_attempts=1), timeouts=Timeouts(total=7.0), telemetry=Ear()
            )
            with pytest.raises(errors.ApiError):
                await front(once.models.list)
        assert len(server.requests) == 2

    assert heard == ["request", "request"]
    assert client.provider.retry != once.provider.retry


async def test_a_closed_client_closes_those_made_of_it(front: Front) -> None:
    with ScriptedServer([answer(body=MODELS)]) as server:
        client = client_of(front, provider(server))
        other = client.with_options()
        await front(client.close)
        with pytest.raises(errors.ClientStateError):
            await front(other.models.list)


async def test_an_empty_change_changes_nothing(front: Front) -> None:
    with ScriptedServer([answer(body=MODELS)]) as server:
        async with front.entering(
            client_of(front, provider(server), auth=ApiKeyAuth("k"))
        ) as client:
            await front(client.with_options().models.list)

    assert json.dumps(dict(server.requests[0].headers)["authorization"]) == '"Bearer k"'
