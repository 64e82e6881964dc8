"""Credentials on whole calls: signing, renewing once for all, and never telling."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import logging
import pickle
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from backports import zstd
from msgspec.structs import replace

from codex_api import (
    ApiKeyAuth,
    AsyncClient,
    ChatGptAuth,
    Client,
    Network,
    Provider,
    ResponsesOptions,
    RetryConfig,
    Timeouts,
    TurnState,
    errors,
)
from codex_api.testing.actions import Action, Close, ReadRequest, Send, answer, stream
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import http_response
from codex_api.transport import Headers, RawBody, Request
from tests.fronts.simple_calls import COMPLETED, DELTA, PATIENCE, REQUEST, client_of, provider

if TYPE_CHECKING:
    from codex_api.testing.connection import Connection
    from tests.front import Front

pytestmark = pytest.mark.anyio

SECRET = "s3cret-t0ken"  # noqa: S105 - no secret


class TokenCheck(Action):
    """Answers a request as its token deserves."""

    async def play(self, connection: Connection) -> None:
        token = connection.record.requests[-1].header("authorization")
        valid = token == "Bearer new"  # noqa: S105 - no secret
        for action in stream([DELTA, COMPLETED]) if valid else answer(401):
            await action.play(connection)


class Renewing:
    """Has an old token until it is renewed, which takes a while."""

    def __init__(self, *, works: bool = True) -> None:
        self.token = "old"  # noqa: S105 - no secret
        self.works = works
        self.renewals = 0

    def add_auth_headers(self, headers: Headers) -> None:
        headers.set("authorization", f"Bearer {self.token}")

    def _renew(self) -> bool:
        self.renewals += 1
        if self.works:
            self.token = "new"  # noqa: S105 - no secret
        return self.works


class BlockingRenewing(Renewing):
    def refresh(self) -> bool:
        time.sleep(0.05)
        return self._renew()


class AwaitedRenewing(Renewing):
    async def refresh(self) -> bool:
        await asyncio.sleep(0.05)
        return self._renew()


# Renewing


def test_many_threads_with_an_old_token_renew_it_once() -> None:
    auth = BlockingRenewing()
    answers: list[str] = []
    together = threading.Barrier(12)
    with (
        ScriptedServer([[TokenCheck()]], repeat_last=True) as server,
        Client(provider(server), auth, network=Network(proxy=None)) as client,
    ):

        def ask() -> None:
            together.wait(PATIENCE)
            answers.append(client.responses.stream(REQUEST).collect().text)

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)

    assert answers == ["Hi"] * 12
    assert auth.renewals == 1


async def test_many_tasks_with_an_old_token_renew_it_once() -> None:
    auth = AwaitedRenewing()
    with ScriptedServer([[TokenCheck()]], repeat_last=True) as server:
        async with AsyncClient(provider(server), auth, network=Network(proxy=None)) as client:
            responses = await asyncio.gather(
                *(client.responses.stream(REQUEST).collect() for _ in range(50))
            )

    assert [response.text for response in responses] == ["Hi"] * 50
    assert auth.renewals == 1


async def test_many_tasks_whose_token_cannot_be_renewed_try_it_once() -> None:
    auth = AwaitedRenewing(works=False)
    with ScriptedServer([[TokenCheck()]], repeat_last=True) as server:
        async with AsyncClient(provider(server), auth, network=Network(proxy=None)) as client:
            failures = await asyncio.gather(
                *(client.responses.stream(REQUEST).collect() for _ in range(20)),
                return_exceptions=True,
            )

    assert {type(failure) for failure in failures} == {errors.AuthenticationError}
    assert auth.renewals < 20


async def test_a_token_that_was_renewed_meanwhile_is_only_tried(front: Front) -> None:
    auth = front.pick(BlockingRenewing, AwaitedRenewing)()
    with ScriptedServer([[TokenCheck()]], repeat_last=True) as server:
        async with front.entering(client_of(front, provider(server), auth=auth)) as client:
            for _ in range(3):
                await front(client.responses.stream(REQUEST).collect)

        assert len(server.requests) == 4
    assert auth.renewals == 1


async def test_credentials_are_renewed_once_a_call_and_not_counted_as_a_retry(
    front: Front,
) -> None:
    auth = front.pick(BlockingRenewing, AwaitedRenewing)()
    with ScriptedServer([answer(401)], repeat_last=True) as server:
        where = provider(server, retry=RetryConfig(max_attempts=0))
        async with front.entering(client_of(front, where, auth=auth)) as client:
            with pytest.raises(errors.AuthenticationError):
                await front(client.responses.stream(REQUEST).collect)

        assert len(server.requests) == 2
    assert auth.renewals == 1


@pytest.mark.parametrize("status", [400, 403, 429, 500])
async def test_only_a_401_renews(front: Front, status: int) -> None:
    auth = front.pick(BlockingRenewing, AwaitedRenewing)()
    with ScriptedServer([answer(status)], repeat_last=True) as server:
        async with front.entering(client_of(front, provider(server), auth=auth)) as client:
            with pytest.raises(errors.ApiError):
                await front(client.responses.stream(REQUEST).collect)

    assert auth.renewals == 0


async def test_unary_calls_renew_too(front: Front) -> None:
    tokens = iter(["new"])
    auth = ChatGptAuth("old", "acc", refresh=lambda: next(tokens))
    with ScriptedServer([answer(401), answer(200, {"models": []})]) as server:
        async with front.entering(client_of(front, provider(server), auth=auth)) as client:
            await front(client.models.list)
        sent = [
            (request.header("authorization"), request.header("chatgpt-account-id"))
            for request in server.requests
        ]

    assert sent == [("Bearer old", "acc"), ("Bearer new", "acc")]


async def test_what_renewing_raises_ends_the_call(front: Front) -> None:
    class Failing(Renewing):
        def __init__(self, error: Exception) -> None:
            super().__init__()
            self.error = error

        def refresh(self) -> bool:
            raise self.error

    for error in (errors.AuthTransientError("not now"), ZeroDivisionError()):
        auth = Failing(error)
        with ScriptedServer([answer(401)]) as server:
            async with front.entering(client_of(front, provider(server), auth=auth)) as client:
                with pytest.raises(type(error)):
                    await front(client.responses.stream(REQUEST).collect)


async def test_the_refusal_of_credentials_tells_what_the_identity_service_said(
    front: Front,
) -> None:
    headers = {
        "x-request-id": "req_1",
        "cf-ray": "ray_1",
        "x-openai-authorization-error": "missing_authorization_header",
        "x-error-json": "eyJlcnJvciI6eyJjb2RlIjoidG9rZW5fZXhwaXJlZCJ9fQ==",
    }
    with ScriptedServer([answer(401, {"error": {"message": "expired"}}, headers)]) as server:
        async with front.entering(client_of(front, provider(server))) as client:
            with pytest.raises(errors.AuthenticationError, match="expired") as caught:
                await front(client.responses.stream(REQUEST).collect)

    error = caught.value
    assert (error.request_id, error.cf_ray) == ("req_1", "ray_1")
    assert error.auth_error == "missing_authorization_header"
    assert error.auth_error_code == "token_expired"


# Signing


class BodySigner:
    """Signs method, URL and body as cloud providers want it."""

    def add_auth_headers(self, headers: Headers) -> None:
        raise NotImplementedError

    def apply_auth(self, request: Request) -> Request:
        assert isinstance(request.body, RawBody)
        text = f"{request.method} {request.url} ".encode() + request.body.data
        request.headers.set("x-content-sha256", hashlib.sha256(text).hexdigest())
        request.headers.set("x-signed-headers", ";".join(request.headers))
        return request


class AwaitedBodySigner(BodySigner):
    async def apply_auth(self, request: Request) -> Request:  # type: ignore[override]  # the other form
        await asyncio.sleep(0)
        return super().apply_auth(request)


@pytest.mark.parametrize("compression", ["none", "zstd"])
async def test_a_signature_covers_the_bytes_and_the_url_that_are_sent(
    front: Front, compression: Any
) -> None:
    auth = front.pick(BodySigner, AwaitedBodySigner)()
    options = ResponsesOptions(compression=compression, extra_headers={"x-own": "1"})
    with ScriptedServer([stream([COMPLETED])]) as server:
        where = provider(server, query_params={"a": "b c"})
        async with front.entering(client_of(front, where, auth=auth)) as client:
            await front(client.responses.stream(REQUEST, options).collect)
        (got,) = server.requests
        url = server.url.removesuffix("/v1") + got.target

    signed = f"POST {url} ".encode() + got.body
    assert got.header("x-content-sha256") == hashlib.sha256(signed).hexdigest()
    covered = (got.header("x-signed-headers") or "").split(";")
    assert {"x-own", "accept", "content-type"} <= set(covered)
    assert ("content-encoding" in covered) is (compression == "zstd")


async def test_a_signer_may_send_another_request_in_place_of_ours(front: Front) -> None:
    class Rerouting(BodySigner):
        def __init__(self, server: str) -> None:
            self.server = server

        def apply_auth(self, request: Request) -> Request:
            assert isinstance(request.body, RawBody)
            body = RawBody(zstd.compress(request.body.data))
            return replace(
                request,
                url=f"{self.server}/elsewhere?key={SECRET}",
                body=body,
                headers=Headers({"content-encoding": "zstd", "x-by": "signer"}),
            )

    with ScriptedServer([stream([COMPLETED])]) as server, ScriptedServer([]) as unused:
        auth = Rerouting(server.url)
        async with front.entering(client_of(front, provider(unused), auth=auth)) as client:
            await front(client.responses.stream(REQUEST).collect)
        (got,) = server.requests

    assert got.target == f"/v1/elsewhere?key={SECRET}"
    assert got.json()["model"] == "m"
    assert got.header_names()[:2] == ["content-encoding", "x-by"]
    assert got.header("content-type") is None


def test_an_asynchronous_signer_is_refused_by_the_blocking_client_unsent() -> None:
    with ScriptedServer([]) as server, Client(provider(server), AwaitedBodySigner()) as client:
        with pytest.raises(errors.AuthBuildError, match="AsyncClient"):
            client.responses.stream(REQUEST).collect()

        assert server.requests == []


# Telling nobody


def texts_of(error: BaseException | None) -> str:
    """Give all that a log, a debugger without locals or a queue could show of an error."""
    found = ""
    while error is not None:
        rendered = "".join(traceback.format_exception(error))
        found += f"{error} {error!r} {error.args} {rendered} {pickle.dumps(error)!r}"
        found += "".join(f"{value!r} {value}" for value in vars(error).values())
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


@pytest.mark.parametrize(
    "script",
    [
        answer(400, {"error": {"message": "bad"}}),
        answer(401, {"error": {"message": f"Incorrect API key provided: sk-{SECRET * 2}"}}),
        answer(404, f'{{"error": {{"message": "see https://x/y?sig={SECRET}"}}}}'),
        answer(429, {"error": {"type": "usage_limit_reached"}}),
        answer(500, f"Bearer {SECRET}"),
        answer(503),
        stream([DELTA]),
        stream([DELTA, {"type": "error", "message": f"Bearer {SECRET}"}]),
        [Close()],
        answer(200, f"<html>Bearer {SECRET}</html>", {"content-type": "text/html"}),
    ],
    ids=["400", "401", "404", "429", "500", "503", "cut", "error", "closed", "page"],
)
async def test_no_error_tells_a_secret(
    front: Front, script: list[Action], caplog: pytest.LogCaptureFixture
) -> None:
    """The raw body of a refusal is kept for who asks for it, and shown by nothing."""
    caplog.set_level(logging.DEBUG)
    options = ResponsesOptions(
        extra_headers={"x-api-key": SECRET}, turn_state=TurnState(SECRET), compression="auto"
    )
    with ScriptedServer([script], repeat_last=True) as server:
        where = Provider(
            "test",
            server.url.replace("://", f"://user:{SECRET}@") + f"?key={SECRET}",
            query_params={"api-key": SECRET},
            headers={"x-provider-key": SECRET},
            retry=RetryConfig(max_attempts=1, base_delay=0.0),
        )
        auth = ChatGptAuth(SECRET, f"acct-{SECRET}", refresh=lambda: SECRET)
        client = client_of(front, where, auth=auth, timeouts=Timeouts(first_event=5.0))
        async with front.entering(client):
            opened = client.responses.stream(REQUEST, options)
            with pytest.raises(errors.CodexApiError) as caught:
                await front(opened.collect)

        shown = f"{client!r} {opened!r} {where!r} {auth!r} {options!r} {client.provider}"
    refusal = caught.value.__cause__
    if isinstance(refusal, errors.HttpStatusError):
        refusal = copy.copy(refusal)
        refusal.body = None
        caught.value.__cause__ = refusal

    assert SECRET not in texts_of(caught.value)
    assert SECRET not in caplog.text
    assert SECRET not in shown


async def test_a_connection_that_fails_tells_no_secret(front: Front) -> None:
    with ScriptedServer(connections=[[ReadRequest(), Send(http_response(200)[:9]), Close()]]) as s:
        where = Provider(
            "test",
            s.url.replace("://", f"://user:{SECRET}@"),
            query_params={"key": SECRET},
            retry=RetryConfig(max_attempts=0),
        )
        async with front.entering(client_of(front, where, auth=ApiKeyAuth(SECRET))) as client:
            with pytest.raises(errors.NetworkError) as caught:
                await front(client.responses.stream(REQUEST).collect)

    assert SECRET not in texts_of(caught.value)
