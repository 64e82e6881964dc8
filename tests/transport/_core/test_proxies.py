from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api.transport._core.proxies import (
    Bypass,
    ProxyRules,
    from_environment,
    from_settings,
    proxy_url,
    redacted,
)
from codex_api.transport.errors import RequestBuildError

A, B, C, D = "http://a:1", "http://b:2", "http://c:3", "http://d:4"


@pytest.mark.parametrize(
    ("environ", "http", "https"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": A}, A, None),
        ({"HTTPS_PROXY": A}, None, A),
        ({"http_proxy": A, "https_proxy": B}, A, B),
        ({"HTTP_PROXY": A, "http_proxy": B}, A, None),
        ({"HTTP_PROXY": "", "http_proxy": B}, None, None),
        ({"HTTP_PROXY": " ", "ALL_PROXY": B}, B, B),
        ({"ALL_PROXY": A}, A, A),
        ({"all_proxy": A, "https_proxy": B}, A, B),
        ({"ALL_PROXY": "", "all_proxy": A}, None, None),
        ({"HTTPS_PROXY": "", "https_proxy": B, "ALL_PROXY": C}, C, C),
        ({"HTTP_PROXY": "proxy.corp:3128"}, "http://proxy.corp:3128", None),
        ({"HTTP_PROXY": A, "REQUEST_METHOD": "GET"}, None, None),
        ({"HTTP_PROXY": A, "http_proxy": B, "REQUEST_METHOD": ""}, B, None),
        ({"HTTP_PROXY": A, "ALL_PROXY": C, "REQUEST_METHOD": "GET"}, C, C),
        ({"HTTPS_PROXY": A, "REQUEST_METHOD": "GET"}, None, A),
        ({"HTTP_PROXY": A, "ALL_PROXY": B, "CODEX_SANDBOX": "seatbelt"}, None, None),
        ({"HTTP_PROXY": A, "CODEX_SANDBOX": "other"}, A, None),
    ],
)
def test_environment_is_read_as_other_programs_read_it(
    environ: dict[str, str], http: str | None, https: str | None
) -> None:
    rules = from_environment(environ)

    assert (rules.http, rules.https) == (http, https)
    assert bool(rules) == (http is not None or https is not None)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://x/", A),
        ("ws://x/", A),
        ("https://x/", B),
        ("wss://x/", B),
        ("HTTPS://X/", B),
        ("ftp://x/", None),
        ("x", None),
        ("http:///path", None),
    ],
)
def test_websocket_urls_take_the_proxies_of_http_urls(url: str, proxy: str | None) -> None:
    assert ProxyRules(A, B).proxy_for(url) == proxy


@pytest.mark.parametrize("url", ["http://x:99999/", "http://[::1/", "https://x:y/"])
def test_impossible_target_is_an_error(url: str) -> None:
    with pytest.raises(RequestBuildError):
        ProxyRules(A, B).proxy_for(url)


def test_without_proxies_no_url_is_looked_at() -> None:
    assert ProxyRules().proxy_for("http://x:99999/") is None


@pytest.mark.parametrize(
    ("entries", "url", "direct"),
    [
        ("", "http://example.com", False),
        ("*", "http://example.com", True),
        ("a,*", "http://10.0.0.1", True),
        ("example.com", "http://example.com", True),
        ("example.com", "http://EXAMPLE.com.", True),
        ("EXAMPLE.com", "http://example.com", True),
        ("example.com", "http://sub.example.com", True),
        ("example.com", "http://badexample.com", False),
        ("example.com", "http://example.com.evil.test", False),
        (".example.com", "http://example.com", True),
        (".example.com", "http://sub.example.com", True),
        ("*.example.com", "http://sub.example.com", True),
        ("*.example.com", "http://example.org", False),
        ("a.test , example.com", "http://example.com", True),
        ("a.test example.com", "http://example.com", True),
        (",,", "http://example.com", False),
        (".", "http://example.com", False),
        ("example.com:8080", "http://example.com:8080", True),
        ("example.com:8080", "http://example.com", False),
        ("example.com:443", "https://example.com", True),
        ("example.com:80", "ws://example.com", True),
        ("example.com:x", "http://example.com", False),
        ("127.0.0.1", "http://127.0.0.1:99", True),
        ("127.0.0.1:98", "http://127.0.0.1:99", False),
        ("10.0.0.0/8", "http://10.255.0.1", True),
        ("10.1.2.3/8", "http://10.255.0.1", True),
        ("10.0.0.0/8", "http://11.0.0.1", False),
        ("10.0.0.0/8", "http://10.example.com", False),
        ("10.0.0.0/99", "http://10.0.0.1", False),
        ("::1", "http://[::1]:80", True),
        ("[::1]", "http://[::1]", True),
        ("[::1]:81", "http://[::1]", False),
        ("[::1]:80", "http://[::1]", True),
        ("fe80::/10", "http://[fe80::1]", True),
        ("fe80::/10", "http://10.0.0.1", False),
        ("0.0.0.0/0", "http://[::1]", False),
    ],
)
def test_no_proxy_names_the_hosts_that_are_reached_directly(
    entries: str, url: str, *, direct: bool
) -> None:
    rules = from_environment({"ALL_PROXY": A, "NO_PROXY": entries})

    assert (rules.proxy_for(url) is None) == direct


def test_lower_case_no_proxy_counts_unless_the_upper_case_one_is_there() -> None:
    lower = {"ALL_PROXY": A, "no_proxy": "x"}

    assert from_environment(lower).proxy_for("http://x") is None
    assert from_environment({**lower, "NO_PROXY": ""}).proxy_for("http://x") == A


def test_bypass_lists_add_up() -> None:
    bypass = Bypass.parse("a.test") | Bypass.parse(["b.test", "c.test,d.test"])

    assert [bypass.matches(host, 80) for host in ("a.test", "b.test", "d.test", "e.test")] == [
        True,
        True,
        True,
        False,
    ]
    assert (bypass | Bypass.parse("*")).matches("e.test", 80)


def test_one_url_serves_every_scheme() -> None:
    assert from_settings("a:1", "x.test") == ProxyRules(A, A, Bypass.parse("x.test"))


@pytest.mark.parametrize(
    ("given", "http", "https"),
    [
        ({}, None, None),
        ({"http": A}, A, None),
        ({"https": A}, None, A),
        ({"all": A, "https": B}, A, B),
        ({"all": A, "https": None}, A, None),
    ],
)
def test_settings_by_scheme_come_before_the_one_for_all(
    given: dict[str, str | None], http: str | None, https: str | None
) -> None:
    assert from_settings(given) == ProxyRules(http, https)


def test_unknown_scheme_in_the_settings_is_an_error() -> None:
    with pytest.raises(RequestBuildError, match="'wss'"):
        from_settings({"wss": A})


@pytest.mark.parametrize("scheme", ["http", "https", "socks4", "socks4a", "socks5", "socks5h"])
def test_known_kinds_of_proxy_are_accepted(scheme: str) -> None:
    assert proxy_url(f" {scheme}://user:pw@host:1/ ", "x") == f"{scheme}://user:pw@host:1/"


@pytest.mark.parametrize(
    "value",
    [
        "http://",
        "http://user:s3cret@",
        "http://user:s3cret@host:99999",
        "http://user:s3cret@host:port",
        "http://user:s3cret@ho st:1",
        "http://user:s3cret@ho\nst:1",
        "http://user:s3cret@host:1/path",
        "ftp://user:s3cret@host:1",
        "http://user:s3cret@[::1",
        "http://user:12#s3cret@host:1",
        "http://user:12?s3cret@host:1",
    ],
)
def test_unusable_proxy_is_an_error_without_its_password(value: str) -> None:
    with pytest.raises(RequestBuildError) as caught:
        from_environment({"HTTPS_PROXY": value})

    assert "HTTPS_PROXY" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_password_is_not_shown() -> None:
    url = "http://user:s3cret@host:8080"

    assert redacted(url) == "http://***@host:8080"
    assert redacted("https://[::1]:1/") == "https://[::1]:1"
    assert redacted("http://user:s3cret@[") == "<invalid>"
    assert "s3cret" not in repr(ProxyRules(url, url))
    assert repr(ProxyRules(url)).startswith("ProxyRules(http='http://***@host:8080', https=None")


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_raises_nothing_but_the_documented_error(proxy: str, no_proxy: str) -> None:
    try:
        rules = from_environment({"ALL_PROXY": proxy, "NO_PROXY": no_proxy})
    except RequestBuildError:
        return

    assert rules.proxy_for("http://example.com/") in {None, rules.http}
    repr(rules)
