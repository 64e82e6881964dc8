from __future__ import annotations

import copy
import math
import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api import Provider, RetryConfig, Timeouts, __version__
from codex_api.errors import RequestBuildError
from codex_api.provider import is_azure_responses_provider


@pytest.mark.parametrize(
    ("base_url", "path", "query", "url"),
    [
        ("https://h/v1/", "/responses", {}, "https://h/v1/responses"),
        ("https://h/v1", "", {}, "https://h/v1"),
        ("https://h/v1///", "///responses", {}, "https://h/v1/responses"),
        ("https://h", "responses", {}, "https://h/responses"),
        ("https://h", "", {}, "https://h"),
        (
            "https://h/openai",
            "responses",
            {"api-version": "2025-04-01-preview"},
            "https://h/openai/responses?api-version=2025-04-01-preview",
        ),
    ],
)
def test_base_path_and_query_are_joined(
    base_url: str, path: str, query: dict[str, str], url: str
) -> None:
    assert Provider("p", base_url, query_params=query).url_for_path(path) == url


def test_query_parameters_keep_their_order() -> None:
    provider = Provider("p", "https://h/v1", query_params={"z": "1", "a": "2", "m": "3"})

    assert provider.url_for_path("r") == "https://h/v1/r?z=1&a=2&m=3"


def test_query_of_the_call_comes_after_that_of_the_provider() -> None:
    provider = Provider("p", "https://h/v1", query_params={"a": "1"})

    assert provider.url_for_path("models", {"client_version": "2"}) == (
        "https://h/v1/models?a=1&client_version=2"
    )


def test_query_of_the_base_url_is_kept_behind_the_path() -> None:
    provider = Provider("p", "https://h/v1?key=a%20b", query_params={"c": "d"})

    assert provider.url_for_path("responses") == "https://h/v1/responses?key=a%20b&c=d"


def test_fragment_of_the_base_url_is_dropped() -> None:
    assert Provider("p", "https://h/v1#top").url_for_path("r") == "https://h/v1/r"


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("a&b=c;d", "a%26b%3Dc%3Bd"),
        ("ü", "%C3%BC"),
        ("100%", "100%25"),
        ("?#[]", "%3F%23%5B%5D"),
        ("2025-04-01:x/y", "2025-04-01:x/y"),
        ("", ""),
    ],
)
def test_query_parameters_are_percent_encoded(value: str, escaped: str) -> None:
    provider = Provider("p", "https://h/v1", query_params={value or "k": value})

    name = escaped or "k"
    assert provider.url_for_path("r") == f"https://h/v1/r?{name}={escaped}"


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=4))
def test_any_query_parameter_is_read_back_as_it_was(params: dict[str, str]) -> None:
    from urllib.parse import parse_qsl, urlsplit  # noqa: PLC0415 - the oracle

    try:
        url = Provider("p", "https://h/v1", query_params=params).url_for_path("r")
    except RequestBuildError:
        assert any(
            "\ud800" <= char <= "\udfff" for text in params.items() for char in "".join(text)
        )
        return

    assert dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)) == params


@pytest.mark.parametrize("value", ["\ud800", 1, None])
def test_query_parameter_without_a_written_form_is_refused(value: Any) -> None:
    provider = Provider("p", "https://h/v1", query_params={"k": value})

    with pytest.raises(RequestBuildError, match="query parameters"):
        provider.url_for_path("r")


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://h/v1", "ws://h/v1/responses"),
        ("https://h:8443/v1?a=b", "wss://h:8443/v1/responses?a=b"),
        ("ws://h/v1", "ws://h/v1/responses"),
        ("wss://h/v1", "wss://h/v1/responses"),
        ("HTTPS://h/v1", "wss://h/v1/responses"),
    ],
)
def test_websocket_urls_change_the_scheme_only(base_url: str, url: str) -> None:
    assert Provider("p", base_url).websocket_url("responses") == url


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "h/v1",
        "/v1",
        "ftp://h/v1",
        "https://",
        "https:///v1",
        "https://h/a b",
        "https://h/\n",
        "https://h\x7f/",
        "https://[::1",
        "https://h:99999/",
        "https://h:port/",
    ],
)
def test_base_url_that_is_none_is_refused_when_it_is_used(base_url: str) -> None:
    provider = Provider("p", base_url)

    with pytest.raises(RequestBuildError, match=r"Provider\.base_url"):
        provider.url_for_path("responses")
    with pytest.raises(RequestBuildError):
        provider.websocket_url("responses")


@pytest.mark.parametrize(
    "base_url",
    [
        "https://foo.openai.azure.com/openai",
        "https://foo.openai.azure.us/openai/deployments/bar",
        "https://foo.cognitiveservices.azure.cn/openai",
        "https://foo.aoai.azure.com/openai",
        "https://foo.openai.azure-api.net/openai",
        "https://foo.z01.azurefd.net/",
        "https://foo.windows.net/openai",
        "https://FOO.OPENAI.AZURE.COM/openai",
    ],
)
def test_azure_is_recognised_by_its_urls(base_url: str) -> None:
    assert is_azure_responses_provider("test", base_url)
    assert Provider("test", base_url).is_azure


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.openai.com/v1",
        "https://example.com/openai",
        "https://myproxy.azurewebsites.net/openai",
        None,
    ],
)
def test_other_urls_are_not_azure(base_url: str | None) -> None:
    assert not is_azure_responses_provider("test", base_url)


@pytest.mark.parametrize("name", ["azure", "Azure", "AZURE"])
def test_azure_is_recognised_by_its_name(name: str) -> None:
    assert is_azure_responses_provider(name)
    assert is_azure_responses_provider(name, "https://example.com")


def test_a_name_that_only_holds_azure_is_another() -> None:
    assert not is_azure_responses_provider("azure-like", "https://example.com")


def test_openai_sends_its_version_and_what_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_ORGANIZATION", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT", "proj-1")
    provider = Provider.openai(client_version="0.142.5")

    assert (provider.name, provider.base_url) == ("OpenAI", "https://api.openai.com/v1")
    assert provider.headers == {
        "version": "0.142.5",
        "openai-organization": "org-1",
        "openai-project": "proj-1",
    }
    assert not provider.is_azure


def test_the_variables_of_the_official_sdk_count_where_those_of_the_codex_cli_are_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who has them set is charged there."""
    monkeypatch.setenv("OPENAI_ORGANIZATION", " ")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-2")
    monkeypatch.setenv("OPENAI_PROJECT", "proj-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-2")
    sdk = openai.OpenAI(api_key="k")

    headers = Provider.openai().headers
    assert headers["openai-organization"] == "org-2" == sdk.organization
    assert headers["openai-project"] == "proj-1"
    assert sdk.project == "proj-2"


def test_blank_variables_of_openai_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORGANIZATION", " ")
    monkeypatch.setenv("OPENAI_PROJECT", "")
    monkeypatch.setenv("OPENAI_ORG_ID", " ")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "")

    assert Provider.openai().headers == {"version": __version__}


def test_openai_ignores_the_base_url_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the real client does."""
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere/v1")

    assert Provider.openai().base_url == "https://api.openai.com/v1"


def test_chatgpt_is_the_codex_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORGANIZATION", "org-1")
    provider = Provider.chatgpt(client_version="1")

    assert (provider.name, provider.base_url, provider.headers) == (
        "OpenAI",
        "https://chatgpt.com/backend-api/codex",
        {"version": "1"},
    )


def test_azure_is_made_of_a_resource_name() -> None:
    provider = Provider.azure("res", api_version="2025-04-01-preview")

    assert provider.is_azure
    assert provider.url_for_path("responses") == (
        "https://res.openai.azure.com/openai/responses?api-version=2025-04-01-preview"
    )


def test_azure_is_made_of_a_whole_url() -> None:
    provider = Provider.azure("https://gateway.example/openai/v1")

    assert provider.is_azure
    assert provider.url_for_path("responses") == "https://gateway.example/openai/v1/responses"


@pytest.mark.parametrize(
    ("make", "name", "port"),
    [(Provider.ollama, "Ollama", 11434), (Provider.lm_studio, "LM Studio", 1234)],
)
def test_local_servers_have_their_ports_and_follow_the_environment(
    monkeypatch: pytest.MonkeyPatch, make: Any, name: str, port: int
) -> None:
    assert (make().name, make().base_url) == (name, f"http://localhost:{port}/v1")

    monkeypatch.setenv("CODEX_OSS_PORT", "8080")
    assert make().base_url == "http://localhost:8080/v1"

    monkeypatch.setenv("CODEX_OSS_BASE_URL", "http://box:1/v1")
    assert make().base_url == "http://box:1/v1"

    monkeypatch.setenv("CODEX_OSS_BASE_URL", " ")
    monkeypatch.setenv("CODEX_OSS_PORT", "")
    assert make().base_url == f"http://localhost:{port}/v1"


def test_defaults_are_those_of_the_reference() -> None:
    provider = Provider("p", "https://h")

    assert provider.stream_idle_timeout == 300.0
    assert provider.retry == RetryConfig(
        max_attempts=4, base_delay=0.2, retry_429=False, retry_5xx=True, retry_transport=True
    )


def test_the_repr_shows_no_value_that_may_be_secret() -> None:
    shown = repr(
        Provider(
            "p",
            "https://user:s3cret@h/v1?key=s3cret",
            query_params={"api-key": "s3cret"},
            headers={"x-api-key": "s3cret"},
        )
    )

    assert "s3cret" not in shown
    assert "https://h/v1" in shown
    assert "x-api-key" in shown


def test_a_url_that_is_none_has_a_repr() -> None:
    assert "not a URL" in repr(Provider("p", "http://[bad"))


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled])
def test_a_provider_copies_and_pickles(again: Any) -> None:
    provider = Provider.azure("res", api_version="1")

    assert again(provider) == provider
    assert again(Provider.openai()) == Provider.openai()


def test_a_provider_does_not_change_with_the_mappings_it_was_made_of() -> None:
    headers, query = {"a": "1"}, {"q": "1"}
    provider = Provider("p", "https://h", query_params=query, headers=headers)
    headers["a"] = query["q"] = "2"

    assert (provider.headers, provider.query_params) == ({"a": "1"}, {"q": "1"})


def test_a_provider_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Provider("p", "https://h").name = "q"  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, 1e12])
def test_a_limit_is_a_number_of_seconds(seconds: float) -> None:
    with pytest.raises(RequestBuildError, match=r"Provider\.stream_idle_timeout"):
        Provider("p", "https://h", stream_idle_timeout=seconds)
    for name in ("connect", "first_event", "liveness", "total"):
        with pytest.raises(RequestBuildError, match=rf"Timeouts\.{name}"):
            Timeouts(**{name: seconds})


def test_every_limit_can_be_lifted() -> None:
    assert Provider("p", "https://h", stream_idle_timeout=None).stream_idle_timeout is None
    assert Timeouts(connect=None, first_event=None, liveness=None, total=None) == Timeouts(
        None, None, None, None
    )


def test_default_limits_bound_the_connection_and_the_first_event() -> None:
    assert Timeouts() == Timeouts(connect=10.0, first_event=300.0, liveness=None, total=None)
