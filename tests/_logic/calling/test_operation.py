from __future__ import annotations

import pytest

from codex_api import Provider
from codex_api._logic.calling.operation import IDEMPOTENCY_KEY, CallContext
from codex_api.errors import RequestBuildError
from codex_api.transport import Headers, JsonBody

PROVIDER = Provider(
    "mock", "https://h/v1", query_params={"a": "1"}, headers={"X-Provider": "p", "x-all": "p"}
)


def test_layers_of_headers_lie_on_each_other() -> None:
    request = CallContext(provider=PROVIDER).request(
        "POST",
        "/path",
        body=JsonBody({}),
        extra_headers={"x-all": "extra", "x-id": "extra", "accept": "extra"},
        id_headers=Headers({"x-id": "id"}),
        forced_headers={"accept": "forced"},
        query={"b": "2"},
        compression="zstd",
        timeout=5.0,
    )

    assert list(request.headers.items()) == [
        ("x-provider", "p"),
        ("x-all", "extra"),
        ("x-id", "id"),
        ("accept", "forced"),
    ]
    assert (request.method, request.url) == ("POST", "https://h/v1/path?a=1&b=2")
    assert (request.body, request.compression, request.timeout) == (JsonBody({}), "zstd", 5.0)


def test_calls_do_not_share_their_headers() -> None:
    context = CallContext(provider=PROVIDER)
    context.request("GET", "a", extra_headers={"x-all": "changed"})

    assert context.request("GET", "a").headers["x-all"] == "p"


def test_an_attempt_waits_no_longer_than_a_stream_may_be_idle() -> None:
    provider = Provider("mock", "https://h/v1", stream_idle_timeout=7.0)

    assert CallContext(provider=provider).request("GET", "a").timeout == 7.0


@pytest.mark.parametrize("headers", [{"a b": "x"}, {"a": "x\ny"}])
def test_an_illegal_header_of_the_provider_is_found_at_once(headers: dict[str, str]) -> None:
    with pytest.raises(RequestBuildError):
        CallContext(provider=Provider("mock", "https://h/v1", headers=headers))


def test_an_illegal_url_is_found_before_anything_is_sent() -> None:
    with pytest.raises(RequestBuildError, match="base_url"):
        CallContext(provider=Provider("mock", "nonsense")).request("GET", "a")


def keyed(method: str, **headers: str) -> str | None:
    context = CallContext(provider=Provider("mock", "https://h/v1"), new_key=lambda: "key-1")
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    request = context.request(method, "a", extra_headers=extra)
    return request.headers.get(IDEMPOTENCY_KEY)


def test_what_creates_something_has_a_key_that_tells_a_second_try_from_a_second_wish() -> None:
    assert keyed("POST") == "key-1"
    assert keyed("POST", idempotency_key="mine") == "mine"
    assert keyed("POST", x_codecs="not of the Codex wire") == "key-1"


def test_what_creates_nothing_has_no_key() -> None:
    assert keyed("GET") is None
    assert keyed("DELETE") is None


@pytest.mark.parametrize("name", ["session_id", "thread_id", "originator", "version", "x_codex_a"])
def test_the_codex_wire_has_no_such_key(name: str) -> None:
    assert keyed("POST", **{name: "x"}) is None
