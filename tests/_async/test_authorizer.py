from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from codex_api import ApiKeyAuth, ChatGptAuth
from codex_api._async.authorizer import Authorizer
from codex_api.errors import AuthBuildError
from codex_api.transport import Request

if TYPE_CHECKING:
    from codex_api.transport import Headers

pytestmark = pytest.mark.anyio

REQUEST = Request(method="GET", url="https://h")


async def signed(authorizer: Authorizer) -> Request:
    return await authorizer.signed(authorizer.apply(REQUEST))


async def test_a_signature_may_take_its_time() -> None:
    class Signing:
        def add_auth_headers(self, headers: Headers) -> None:
            raise NotImplementedError

        async def apply_auth(self, request: Request) -> Request:
            await asyncio.sleep(0)
            return replace(request, url="https://signed")

    assert (await signed(Authorizer(Signing()))).url == "https://signed"


class Renewing:
    """Gives each result in turn, each once ``gate`` is open."""

    def __init__(self, *results: Any) -> None:
        self.results = list(results)
        self.calls = 0
        self.gate = asyncio.Event()

    def add_auth_headers(self, headers: Headers) -> None:
        raise NotImplementedError

    async def refresh(self) -> Any:
        self.calls += 1
        await self.gate.wait()
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


async def together(auth: Renewing, authorizer: Authorizer, callers: int) -> list[Any]:
    tasks = [asyncio.create_task(authorizer.refresh(0)) for _ in range(callers)]
    await asyncio.sleep(0)
    auth.gate.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_request_is_signed() -> None:
    request = await signed(Authorizer(ApiKeyAuth("k")))

    assert request.headers["authorization"] == "Bearer k"


async def test_one_renewal_serves_all_who_wait_for_it() -> None:
    auth = Renewing(True)
    authorizer = Authorizer(auth)

    assert await together(auth, authorizer, 200) == [True] * 200
    assert (auth.calls, authorizer.generation) == (1, 1)


async def test_one_failed_renewal_serves_all_who_wait_for_it() -> None:
    auth = Renewing(False)
    authorizer = Authorizer(auth)

    assert await together(auth, authorizer, 200) == [False] * 200
    assert (auth.calls, authorizer.generation) == (1, 0)


async def test_one_error_of_a_renewal_is_told_once_and_serves_all() -> None:
    error = ConnectionError("no")
    auth = Renewing(error)

    assert await together(auth, Authorizer(auth), 200) == [error, *[False] * 199]
    assert auth.calls == 1


async def test_a_cancelled_renewal_is_taken_over_by_the_next_in_line() -> None:
    auth = Renewing(True)
    authorizer = Authorizer(auth)
    first, second = (asyncio.create_task(authorizer.refresh(0)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    auth.gate.set()

    assert await second is True
    assert auth.calls == 2


async def test_a_renewal_is_tried_again_by_who_comes_after_a_failed_one() -> None:
    auth = Renewing(False, ConnectionError("no"), True)
    auth.gate.set()
    authorizer = Authorizer(auth)

    assert await authorizer.refresh(0) is False
    with pytest.raises(ConnectionError):
        await authorizer.refresh(0)
    assert await authorizer.refresh(0) is True
    assert await authorizer.refresh(0) is True  # done since
    assert auth.calls == 3


async def test_credentials_that_cannot_be_renewed_are_not() -> None:
    assert await Authorizer(ApiKeyAuth("k")).refresh(0) is False


async def test_a_renewal_may_be_blocking_or_not() -> None:
    async def renew() -> str:
        return "new"

    blocking = ChatGptAuth("old", refresh=lambda: "new")
    for auth in (blocking, ChatGptAuth("old", refresh=renew)):
        authorizer = Authorizer(auth)

        assert await authorizer.refresh(0) is True
        assert (await signed(authorizer)).headers["authorization"] == "Bearer new"


@pytest.mark.parametrize("value", [None, "yes"])
@pytest.mark.parametrize("later", [False, True])
async def test_a_provider_that_gives_something_else_is_told_what_is_wanted(
    value: Any, *, later: bool
) -> None:
    async def given() -> Any:
        return value

    class Wrong:
        def add_auth_headers(self, headers: Headers) -> None:
            raise NotImplementedError

        def apply_auth(self, _request: Request) -> Any:
            return given() if later else value

        def refresh(self) -> Any:
            return given() if later else value

    authorizer = Authorizer(Wrong())

    with pytest.raises(AuthBuildError, match=f"give a Request, not {type(value).__name__}"):
        await signed(authorizer)
    with pytest.raises(AuthBuildError, match=f"give a bool, not {type(value).__name__}"):
        await authorizer.refresh(0)


def test_each_event_loop_has_a_lock_of_its_own() -> None:
    auth = Renewing(True, True)
    authorizer = Authorizer(auth)

    async def refuse_twice() -> list[bool]:
        generation = authorizer.generation
        auth.gate = asyncio.Event()
        tasks = [asyncio.create_task(authorizer.refresh(generation)) for _ in range(2)]
        await asyncio.sleep(0)
        auth.gate.set()
        return await asyncio.gather(*tasks)

    assert [asyncio.run(refuse_twice()) for _ in range(2)] == [[True, True]] * 2
    assert auth.calls == 2
