from __future__ import annotations

import pytest

from codex_api._logic.calling.operation import CallContext
from codex_api._logic.realtime.handshake import handshake
from codex_api._logic.realtime.session_headers import session_headers
from codex_api.provider import Provider
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import RequestBuildError
from codex_api.types.realtime import RealtimeSessionConfig, RealtimeVersion

CONTEXT = CallContext(
    provider=Provider("test", "https://h/v1", {"trace": "1"}, {"x-layer": "provider", "x-p": "1"})
)


def test_layers_are_provider_extra_and_defaults_in_the_gaps() -> None:
    defaults = Headers({"x-layer": "default", "user-agent": "us", "accept": "*/*"})

    request = handshake(
        CONTEXT, defaults, RealtimeSessionConfig(session_id="s"), None, {"x-layer": "extra"}
    )

    assert request.method == "GET"
    assert request.url == "wss://h/v1/realtime?intent=quicksilver&trace=1"
    assert dict(request.headers.items()) == {
        "x-layer": "extra",
        "x-p": "1",
        "openai-alpha": "quicksilver=v1",
        "x-session-id": "s",
        "user-agent": "us",
    }


def test_caller_may_set_what_the_session_would() -> None:
    extra = {"openai-alpha": "mine", "x-session-id": "mine"}

    request = handshake(CONTEXT, Headers(), RealtimeSessionConfig(session_id="s"), None, extra)

    assert request.headers.get_all("openai-alpha") == ["mine"]
    assert request.headers.get_all("x-session-id") == ["mine"]


def test_call_is_named_in_the_url() -> None:
    request = handshake(CONTEXT, Headers(), RealtimeSessionConfig(), "rtc_1")

    assert request.url == "wss://h/v1/realtime?intent=quicksilver&call_id=rtc_1&trace=1"


@pytest.mark.parametrize(
    ("version", "alpha"), [("v1", "quicksilver=v1"), ("v2", None), ("v3", "quicksilver=v2")]
)
def test_version_decides_on_the_alpha_header(version: RealtimeVersion, alpha: str | None) -> None:
    headers = session_headers(RealtimeSessionConfig(version=version))

    assert headers.get("openai-alpha") == alpha
    assert "x-session-id" not in headers


def test_session_id_that_is_no_header_value_is_refused() -> None:
    with pytest.raises(RequestBuildError, match="x-session-id"):
        session_headers(RealtimeSessionConfig(session_id="a\nb"))
