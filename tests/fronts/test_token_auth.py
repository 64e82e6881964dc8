"""Tokens from a function: kept while they are good, asked for once by all who need one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from codex_api import AsyncClient, Client, TokenAuth, errors
from codex_api.local.token_auth import TimedToken
from codex_api.testing.actions import answer
from codex_api.testing.scripted import ScriptedServer
from codex_api.transport import Headers
from codex_api.transport.errors import AuthTransientError
from tests.fronts.simple_calls import client_of, provider

if TYPE_CHECKING:
    from tests.front import Front

pytestmark = pytest.mark.anyio

MODELS: dict[str, Any] = {"data": []}


class AzureToken(NamedTuple):
    token: str
    expires_on: int


class Source:
    """Gives numbered tokens, and counts how often it was asked."""

    def __init__(self, seconds: float | None = 3600.0) -> None:
        self.count = 0
        self.now = 1000.0
        self.seconds = seconds

    def __call__(self) -> TimedToken | str:
        self.count += 1
        token = f"t{self.count}"
        return token if self.seconds is None else TimedToken(token, self.now + self.seconds)

    async def later(self) -> TimedToken | str:
        await asyncio.sleep(0)
        return self()


def auth_of(front: Front, source: Source, **options: Any) -> TokenAuth:
    ask: Any = source.later if front.is_async else source
    return TokenAuth(ask, clock=lambda: source.now, **options)


async def tokens(front: Front, auth: TokenAuth, source: Source, times: list[float]) -> list[Any]:
    """Return the header of a call at each of the times."""
    with ScriptedServer([answer(body=MODELS)], repeat_last=True) as server:
        async with front.entering(client_of(front, provider(server), auth=auth)) as client:
            for now in times:
                source.now = now
                await front(client.models.list)
        return [request.header("authorization") for request in server.requests]


async def test_a_token_is_kept_until_shortly_before_its_end(front: Front) -> None:
    source = Source()
    seen = await tokens(front, auth_of(front, source), source, [1000, 4539, 4541, 5000])

    assert seen == ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2"]


async def test_a_token_without_an_end_is_asked_for_each_time(front: Front) -> None:
    source = Source(seconds=None)

    assert await tokens(front, auth_of(front, source), source, [1, 2]) == ["Bearer t1", "Bearer t2"]


async def test_it_goes_alone_in_a_header_of_another_name(front: Front) -> None:
    source = Source()
    with ScriptedServer([answer(body=MODELS)]) as server:
        auth = auth_of(front, source, header="Api-Key")
        async with front.entering(client_of(front, provider(server), auth=auth)) as client:
            await front(client.models.list)

    assert server.requests[0].header("api-key") == "t1"


async def test_a_refused_token_is_replaced_once(front: Front) -> None:
    source = Source()
    with ScriptedServer([answer(401), answer(body=MODELS)]) as server:
        auth = auth_of(front, source)
        async with front.entering(client_of(front, provider(server), auth=auth)) as client:
            await front(client.models.list)

    seen = [request.header("authorization") for request in server.requests]
    assert seen == ["Bearer t1", "Bearer t2"]


async def test_all_who_need_a_token_share_one_question() -> None:
    source = Source()
    auth = TokenAuth(source.later, clock=lambda: source.now)
    with ScriptedServer([answer(body=MODELS)] * 8) as server:
        async with client_of_async(server, auth) as client:
            await asyncio.gather(*(client.models.list() for _ in range(8)))

    assert source.count == 1


async def test_one_who_gives_up_does_not_take_it_from_the_others() -> None:
    asked, give = asyncio.Event(), asyncio.Event()

    async def source() -> TimedToken:
        asked.set()
        await give.wait()
        return TimedToken("t", 5000.0)

    auth = TokenAuth(source, clock=lambda: 1000.0)
    with ScriptedServer([answer(body=MODELS)]) as server:
        async with client_of_async(server, auth) as client:
            first = asyncio.create_task(client.models.list())
            await asked.wait()
            second = asyncio.create_task(client.models.list())
            await asyncio.sleep(0)
            first.cancel()
            give.set()
            await second
            with pytest.raises(asyncio.CancelledError):
                await first

    assert server.requests[0].header("authorization") == "Bearer t"


def client_of_async(server: ScriptedServer, auth: TokenAuth) -> AsyncClient:
    made: AsyncClient = client_of(_async_front(), provider(server), auth=auth)
    return made


def _async_front() -> Front:
    from tests.front import Front  # noqa: PLC0415 - made by hand

    return Front("async")


async def test_tokens_of_cloud_libraries_are_understood(front: Front) -> None:
    source = Source()
    auth = TokenAuth(lambda: AzureToken("azure", 2000), clock=lambda: source.now)

    assert await tokens(front, auth, source, [1000]) == ["Bearer azure"]


@pytest.mark.parametrize("token", ["", " ", None, 5])
async def test_no_token_is_an_error(front: Front, token: Any) -> None:
    auth = TokenAuth(lambda: token)
    with ScriptedServer([]) as server:
        async with front.entering(client_of(front, provider(server), auth=auth)) as client:
            with pytest.raises(errors.AuthBuildError, match="gave none"):
                await front(client.models.list)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (ValueError("s3cret"), errors.AuthBuildError),
        (ConnectionError("s3cret"), AuthTransientError),
        (AuthTransientError("later"), AuthTransientError),
    ],
)
async def test_a_source_that_fails_says_what_kind_of_failure_it_is(
    front: Front, failure: Exception, error: type[Exception]
) -> None:
    def broken() -> str:
        raise failure

    async def broken_later() -> str:
        raise failure

    auth = TokenAuth(broken_later if front.is_async else broken)
    with ScriptedServer([]) as server:
        async with front.entering(client_of(front, provider(server), auth=auth)) as client:
            with pytest.raises(error) as caught:
                await front(client.models.list)

    assert "s3cret" not in str(caught.value)


def test_a_blocking_client_says_that_it_cannot_wait() -> None:
    source = Source()
    with (
        ScriptedServer([]) as server,
        Client(provider(server), TokenAuth(source.later)) as client,
        pytest.raises(errors.AuthBuildError, match="AsyncClient"),
    ):
        client.models.list()


def test_headers_alone_hold_the_token_that_is_known() -> None:
    headers = Headers()
    TokenAuth(Source().later).add_auth_headers(headers)
    assert not list(headers)

    TokenAuth(Source()).add_auth_headers(headers)
    assert headers.get("authorization") == "Bearer t1"


def test_nothing_prints_a_token() -> None:
    auth = TokenAuth(Source())
    auth.add_auth_headers(Headers())

    assert "t1" not in repr(auth)
    assert "t1" not in repr(TimedToken("t1", 5.0))
