from __future__ import annotations

import pytest

from codex_api._logic.calling.operation import CallContext
from codex_api._logic.realtime.handshake import handshake
from codex_api._logic.realtime.session_headers import session_headers
from codex_api.provider import Provider
from codex_api.transport.errors import RequestBuildError
from codex_api.types.realtime import RealtimeSessionConfig, RealtimeVersion

CONTEXT = CallContext(
    provider=Provider("test", "https://h/v1", {"trace": "1"}, {"x-layer": "provider", "x-p": "1"})
)


def test_layers_are_the_providers_the_sessions_and_the_callers() -> None:
    extra = {"x-layer": "extra", "accept": "*/*"}

    request = handshake(CONTEXT, RealtimeSessionConfig(session_id="s"), None, extra).request

    assert request.method == "GET"
    assert request.url == "wss://h/v1/realtime?intent=quicksilver&trace=1"
    assert dict(request.headers.items()) == {
        "x-layer": "extra",
        "x-p": "1",
        "openai-alpha": "quicksilver=v1",
        "x-session-id": "s",
    }


def test_caller_may_set_what_the_session_would() -> None:
    extra = {"openai-alpha": "mine", "x-session-id": "mine"}

    request = handshake(CONTEXT, RealtimeSessionConfig(session_id="s"), None, extra).request

    assert request.headers.get_all("openai-alpha") == ["mine"]
    assert request.headers.get_all("x-session-id") == ["mine"]


def test_call_is_named_in_the_url() -> None:
    request = handshake(CONTEXT, RealtimeSessionConfig(), "rtc_1").request

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
