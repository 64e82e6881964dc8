from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import ApiKeyAuth, ChatGptAuth
from codex_api._sync.authorizer import Authorizer
from codex_api.errors import AuthBuildError
from codex_api.transport import Request

if TYPE_CHECKING:
    from codex_api.transport import Headers

REQUEST = Request(method="GET", url="https://h")


def signed(authorizer: Authorizer) -> Request:
    return authorizer.signed(authorizer.apply(REQUEST))


PATIENCE = 10.0


class Renewing:
    """Gives each result in turn, and lets every caller line up behind the first."""

    def __init__(self, *results: Any, callers: int = 1) -> None:
        self.results = list(results)
        self.calls = 0
        self.lined_up = threading.Barrier(callers)

    def add_auth_headers(self, headers: Headers) -> None:
        headers.set("authorization", f"Bearer {self.calls}")

    def refresh(self) -> Any:
        self.calls += 1
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


def together(authorizer: Authorizer, callers: int) -> list[Any]:
    """Refresh from ``callers`` threads that have all found generation 0 refused."""
    outcomes: list[Any] = []
    inside = threading.Semaphore(0)
    lock = authorizer._lock

    class Counting:
        def __enter__(self) -> None:
            inside.release()
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    authorizer._lock = Counting()  # type: ignore[assignment]  # tells when all stand in line

    def refresh() -> None:
        try:
            outcomes.append(authorizer.refresh(0))
        except Exception as exc:  # noqa: BLE001 - the outcome that is looked at
            outcomes.append(type(exc))

    threads = [threading.Thread(target=refresh) for _ in range(callers)]
    with lock:
        for thread in threads:
            thread.start()
        for _ in threads:
            assert inside.acquire(timeout=PATIENCE)
    for thread in threads:
        thread.join(PATIENCE)
    return outcomes


def test_a_request_is_signed() -> None:
    request = signed(Authorizer(ApiKeyAuth("k")))

    assert request.headers["authorization"] == "Bearer k"


def test_one_renewal_serves_all_who_wait_for_it() -> None:
    auth = Renewing(True)
    authorizer = Authorizer(auth)

    assert together(authorizer, 20) == [True] * 20
    assert (auth.calls, authorizer.generation) == (1, 1)


def test_one_failed_renewal_serves_all_who_wait_for_it() -> None:
    auth = Renewing(False)
    authorizer = Authorizer(auth)

    assert together(authorizer, 20) == [False] * 20
    assert (auth.calls, authorizer.generation) == (1, 0)


def test_one_error_of_a_renewal_is_told_once_and_serves_all() -> None:
    auth = Renewing(ConnectionError("no"))
    outcomes = together(Authorizer(auth), 20)

    assert sorted(map(str, outcomes)) == sorted(map(str, [ConnectionError, *[False] * 19]))
    assert auth.calls == 1


def test_a_renewal_is_tried_again_by_who_comes_after_a_failed_one() -> None:
    auth = Renewing(False, ConnectionError("no"), True)
    authorizer = Authorizer(auth)

    assert authorizer.refresh(0) is False
    with pytest.raises(ConnectionError):
        authorizer.refresh(0)
    assert authorizer.refresh(0) is True
    assert authorizer.refresh(0) is True  # done since
    assert auth.calls == 3


def test_credentials_that_cannot_be_renewed_are_not() -> None:
    assert Authorizer(ApiKeyAuth("k")).refresh(0) is False


async def later() -> Any:
    raise NotImplementedError


class Asynchronous:
    def add_auth_headers(self, headers: Headers) -> None:
        raise NotImplementedError

    async def apply_auth(self, request: Request) -> Request:
        raise NotImplementedError

    async def refresh(self) -> bool:
        raise NotImplementedError


@pytest.mark.parametrize("auth", [Asynchronous(), ChatGptAuth("t", refresh=later)])
def test_an_asynchronous_provider_is_pointed_to_the_other_client(auth: Any) -> None:
    """And leaves no coroutine behind that nobody awaits, which would be a warning."""
    with pytest.raises(AuthBuildError, match="AsyncClient"):
        Authorizer(auth).refresh(0)


def test_an_asynchronous_signature_is_pointed_to_the_other_client() -> None:
    with pytest.raises(AuthBuildError, match="AsyncClient"):
        signed(Authorizer(Asynchronous()))


@pytest.mark.parametrize("value", [None, "yes"])
def test_a_provider_that_gives_something_else_is_told_what_is_wanted(value: Any) -> None:
    class Wrong(Asynchronous):
        def apply_auth(self, _request: Request) -> Any:
            return value

        def refresh(self) -> Any:
            return value

    authorizer = Authorizer(Wrong())

    with pytest.raises(AuthBuildError, match=f"give a Request, not {type(value).__name__}"):
        signed(authorizer)
    with pytest.raises(AuthBuildError, match=f"give a bool, not {type(value).__name__}"):
        authorizer.refresh(0)
