from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import ApiKeyAuth, ChatGptAuth, NoAuth
from codex_api.auth import (
    RefreshingAuth,
    RequestSigner,
    auth_header_telemetry,
    refused,
    signer,
)
from codex_api.errors import AuthBuildError, RequestBuildError
from codex_api.transport import Headers, Request

if TYPE_CHECKING:
    from codex_api import AuthProvider

SECRET = "sk-s3cret"  # noqa: S105 - no secret


def headers_of(auth: AuthProvider, **before: str) -> dict[str, str]:
    headers = Headers(before)
    auth.add_auth_headers(headers)
    return dict(headers.items())


def test_an_api_key_is_a_bearer_token() -> None:
    assert headers_of(ApiKeyAuth(f" {SECRET}\n")) == {"authorization": f"Bearer {SECRET}"}


def test_an_api_key_goes_alone_in_a_header_of_another_name() -> None:
    assert headers_of(ApiKeyAuth(SECRET, header="API-Key")) == {"api-key": SECRET}


def test_credentials_replace_what_is_there() -> None:
    assert headers_of(ApiKeyAuth(SECRET), authorization="old") == {
        "authorization": f"Bearer {SECRET}"
    }


@pytest.mark.parametrize("key", ["", " ", "\n"])
def test_a_blank_credential_is_refused(key: str) -> None:
    with pytest.raises(AuthBuildError, match="blank"):
        ApiKeyAuth(key)
    with pytest.raises(AuthBuildError, match="blank"):
        ChatGptAuth(key)


def test_a_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{SECRET} ")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "other")

    assert headers_of(ApiKeyAuth.from_env()) == {"authorization": f"Bearer {SECRET}"}
    azure = ApiKeyAuth.from_env("AZURE_OPENAI_API_KEY", header="api-key")
    assert headers_of(azure) == {"api-key": "other"}


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)

    with pytest.raises(AuthBuildError, match="MY_KEY"):
        ApiKeyAuth.from_env("MY_KEY")


@pytest.mark.parametrize("auth", [ApiKeyAuth("a\nb: c"), ChatGptAuth("t", "acc\r\nx: y")])
def test_a_credential_that_is_no_header_value_is_refused_unseen(auth: AuthProvider) -> None:
    with pytest.raises(RequestBuildError) as caught:
        headers_of(auth)

    assert "x: y" not in str(caught.value)
    assert "b: c" not in str(caught.value)


def test_chatgpt_sends_token_account_and_fedramp_in_wire_order() -> None:
    assert list(headers_of(ChatGptAuth("t", "acc", fedramp=True)).items()) == [
        ("authorization", "Bearer t"),
        ("chatgpt-account-id", "acc"),
        ("x-openai-fedramp", "true"),
    ]


@pytest.mark.parametrize("account", [None, ""])
def test_chatgpt_sends_only_what_is_known(account: str | None) -> None:
    assert headers_of(ChatGptAuth("t", account)) == {"authorization": "Bearer t"}


def test_without_credentials_nothing_is_added() -> None:
    assert headers_of(NoAuth(), accept="x") == {"accept": "x"}
    assert not isinstance(NoAuth(), RefreshingAuth | RequestSigner)


def test_a_renewed_token_is_the_one_that_is_sent() -> None:
    auth = ChatGptAuth("old", refresh=lambda: " new ")

    assert auth.refresh() is True
    assert headers_of(auth)["authorization"] == "Bearer new"


def test_a_renewal_that_gives_nothing_keeps_the_old_token() -> None:
    auth = ChatGptAuth("old", refresh=lambda: " ")

    assert auth.refresh() is False
    assert headers_of(auth)["authorization"] == "Bearer old"


def test_a_token_that_cannot_be_renewed_says_so() -> None:
    assert ChatGptAuth("old").refresh() is False


@pytest.mark.anyio
async def test_a_token_may_be_renewed_by_a_coroutine() -> None:
    async def renew() -> str:
        return "new"

    auth = ChatGptAuth("old", refresh=renew)
    later = auth.refresh()

    assert not isinstance(later, bool)
    assert await later is True
    assert headers_of(auth)["authorization"] == "Bearer new"


@pytest.mark.parametrize(
    ("auth", "attached", "name"),
    [
        (ApiKeyAuth(SECRET), True, "authorization"),
        (ApiKeyAuth(SECRET, header="api-key"), True, "api-key"),
        (ApiKeyAuth(SECRET, header="x-api-key"), True, "x-api-key"),
        (ApiKeyAuth(SECRET, header="x-goog-api-key"), True, "x-goog-api-key"),
        (ChatGptAuth("t"), True, "authorization"),
        (NoAuth(), False, None),
        (ApiKeyAuth(SECRET, header="x-own"), False, None),
    ],
)
def test_telemetry_hears_of_the_header_and_never_of_its_value(
    auth: AuthProvider, *, attached: bool, name: str | None
) -> None:
    assert auth_header_telemetry(auth) == (attached, name)


@pytest.mark.parametrize(
    "auth",
    [
        ApiKeyAuth(SECRET),
        ApiKeyAuth(SECRET, header="api-key"),
        ChatGptAuth(SECRET, SECRET, fedramp=True, refresh=lambda: SECRET),
        NoAuth(),
    ],
)
def test_no_text_of_a_provider_holds_its_secret(
    auth: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").warning("%s %r", auth, auth)

    assert SECRET not in f"{auth!r} {auth!s} {caplog.text}"
    assert type(auth).__name__ in repr(auth)


def test_a_provider_without_a_signature_is_applied_by_its_headers() -> None:
    request = Request(method="GET", url="https://h")

    assert signer(ApiKeyAuth("k"))(request) is request
    assert request.headers["authorization"] == "Bearer k"


def test_a_signature_comes_before_the_headers() -> None:
    class Signing:
        def add_auth_headers(self, headers: Headers) -> None:
            raise NotImplementedError

        def apply_auth(self, request: Request) -> Request:
            return request

    signing = Signing()

    assert signer(signing) == signing.apply_auth


async def renew() -> str:
    raise NotImplementedError


def test_what_nobody_can_wait_for_is_let_go_of() -> None:
    """Each of these would warn that it was never awaited."""
    for awaitable in (renew(), ChatGptAuth("t", refresh=renew).refresh()):
        error = refused(awaitable, bool)

        assert "AsyncClient" in str(error)


def test_an_awaitable_that_cannot_be_closed_is_left_alone() -> None:
    class Later:
        def __await__(self) -> Any:
            raise NotImplementedError

    assert "AsyncClient" in str(refused(Later(), bool))


def test_a_result_of_another_kind_is_named_beside_the_wanted_one() -> None:
    assert str(refused(None, Request)).endswith("give a Request, not NoneType")


@pytest.mark.parametrize("key", [None, b"k", 3])
@pytest.mark.parametrize("make", [ApiKeyAuth, ChatGptAuth])
def test_a_secret_that_is_no_text_is_refused(make: Any, key: Any) -> None:
    with pytest.raises(AuthBuildError, match=f"that is text, not {type(key).__name__}"):
        make(key)
