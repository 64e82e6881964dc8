from __future__ import annotations

import pytest

from codex_api._logic.realtime.url import session_url, sideband_url
from codex_api.transport.errors import RequestBuildError
from codex_api.types.realtime import RealtimeMode, RealtimeSessionConfig, RealtimeVersion


@pytest.mark.parametrize(
    ("base_url", "version", "model", "url"),
    [
        ("http://127.0.0.1:8011", "v1", None, "ws://127.0.0.1:8011/v1/realtime?intent=quicksilver"),
        (
            "wss://example.com",
            "v1",
            "m",
            "wss://example.com/v1/realtime?intent=quicksilver&model=m",
        ),
        ("wss://example.com/", "v2", None, "wss://example.com/v1/realtime"),
        (
            "https://example.com/openai/v1",
            "v1",
            "m",
            "wss://example.com/openai/v1/realtime?intent=quicksilver&model=m",
        ),
        (
            "https://api.openai.com/v1",
            "v1",
            "m",
            "wss://api.openai.com/v1/realtime?intent=quicksilver&model=m",
        ),
        ("https://api.openai.com/v1/", "v2", "m", "wss://api.openai.com/v1/realtime?model=m"),
        ("https://h/v1/realtime", "v2", "m", "wss://h/v1/realtime?model=m"),
        ("https://h/v1/realtime/", "v2", "m", "wss://h/v1/realtime?model=m"),
        (
            "https://h/backend-api/codex",
            "v1",
            None,
            "wss://h/backend-api/codex?intent=quicksilver",
        ),
        ("ws://h", "v2", "a b&c", "ws://h/v1/realtime?model=a+b%26c"),
        ("https://h", "v3", "m", "wss://h/v1/live?model=m"),
        ("https://h/", "v3", None, "wss://h/v1/live"),
        ("https://h/v1", "v3", None, "wss://h/v1/live"),
        ("https://h/v1/", "v3", None, "wss://h/v1/live"),
        ("https://h/x/realtime", "v3", None, "wss://h/x/live"),
        ("https://h/x/realtime/", "v3", None, "wss://h/x/live"),
        ("https://h/x/live/", "v3", None, "wss://h/x/live"),
        ("https://h/backend-api/codex", "v3", None, "wss://h/backend-api/codex"),
    ],
)
def test_base_url_becomes_the_session_url(
    base_url: str, version: RealtimeVersion, model: str | None, url: str
) -> None:
    config = RealtimeSessionConfig(model=model, version=version)

    assert session_url(config, base_url) == url


@pytest.mark.parametrize(
    ("version", "query"),
    [
        ("v1", "foo=bar&intent=quicksilver&model=m&trace=1"),
        ("v2", "foo=bar&model=m&trace=1"),
    ],
)
def test_query_of_the_base_stays_in_front_and_the_provider_cannot_set_intent(
    version: RealtimeVersion, query: str
) -> None:
    config = RealtimeSessionConfig(model="m", version=version)
    base_url = "https://example.com/v1/realtime?foo=bar"

    url = session_url(config, base_url, {"trace": "1", "intent": "x"})

    assert url == f"wss://example.com/v1/realtime?{query}"


@pytest.mark.parametrize("mode", ["conversational", "transcription"])
def test_mode_does_not_change_the_url(mode: RealtimeMode) -> None:
    v2 = RealtimeSessionConfig(version="v2", mode=mode)
    v1 = RealtimeSessionConfig(version="v1", mode=mode)

    assert session_url(v2, "https://example.com") == "wss://example.com/v1/realtime"
    assert session_url(v1, "https://h") == "wss://h/v1/realtime?intent=quicksilver"


def test_provider_may_name_the_model_when_the_config_does_not() -> None:
    params = {"model": "p"}

    named = session_url(RealtimeSessionConfig(model="m", version="v2"), "https://h", params)
    unnamed = session_url(RealtimeSessionConfig(version="v2"), "https://h", params)

    assert named == "wss://h/v1/realtime?model=m"
    assert unnamed == "wss://h/v1/realtime?model=p"


def test_intent_and_model_of_the_base_url_are_not_doubled() -> None:
    base_url = "https://h/v1/realtime?intent=mine&a=%20&model=old&b"

    url = session_url(RealtimeSessionConfig(model="m"), base_url)

    assert url == "wss://h/v1/realtime?a=%20&b&intent=quicksilver&model=m"


@pytest.mark.parametrize(
    ("version", "url"),
    [
        ("v1", "wss://api.openai.com/v1/realtime?intent=quicksilver&call_id=rtc_t"),
        ("v2", "wss://api.openai.com/v1/realtime?call_id=rtc_t"),
        ("v3", "wss://api.openai.com/v1/live/rtc_t"),
    ],
)
def test_sideband_names_the_call_and_not_the_model(version: RealtimeVersion, url: str) -> None:
    config = RealtimeSessionConfig(model="m", version=version)

    assert sideband_url(config, "rtc_t", "https://api.openai.com/v1") == url


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_call_without_an_id_cannot_be_joined(version: RealtimeVersion) -> None:
    with pytest.raises(RequestBuildError, match="without its id"):
        sideband_url(RealtimeSessionConfig(version=version), "", "https://example.com")


def test_call_id_cannot_break_out_of_the_path() -> None:
    config = RealtimeSessionConfig(version="v3")

    assert sideband_url(config, "../a?b", "https://h") == "wss://h/v1/live/..%2Fa%3Fb"


@pytest.mark.parametrize(
    "base_url", ["ftp://h/v1", "h/v1", "https:///v1", "https://[h/v1", "https://h:port/v1", ""]
)
def test_base_url_of_another_kind_is_refused(base_url: str) -> None:
    with pytest.raises(RequestBuildError):
        session_url(RealtimeSessionConfig(), base_url)
