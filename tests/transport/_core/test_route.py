from __future__ import annotations

import pytest

from codex_api.transport._core.route import Target, parse_proxy, parse_target, route_to
from codex_api.transport.errors import RequestBuildError


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://a.test", Target("http", "a.test", 80, "a.test", "/", None)),
        ("https://a.test/v1?x=1", Target("https", "a.test", 443, "a.test", "/v1?x=1", None)),
        ("https://A.Test:443/", Target("https", "a.test", 443, "a.test", "/", None)),
        ("ws://a.test:81/", Target("ws", "a.test", 81, "a.test:81", "/", None)),
        ("http://[::1]:81/", Target("http", "::1", 81, "[::1]:81", "/", None)),
        ("http://[fe80::1%25lo]/", Target("http", "fe80::1%lo", 80, "[fe80::1]", "/", None)),
        ("http://[fe80::1%lo]:8/", Target("http", "fe80::1%lo", 8, "[fe80::1]:8", "/", None)),
        (
            "http://b\u00fccher.test/",
            Target("http", "xn--bcher-kva.test", 80, "xn--bcher-kva.test", "/", None),
        ),
        ("http://a.test/#part", Target("http", "a.test", 80, "a.test", "/", None)),
        ("http://u%40:p@a.test/", Target("http", "a.test", 80, "a.test", "/", "Basic dUA6cA==")),
        (
            "http://a.test/a b/\u00e9%20",
            Target("http", "a.test", 80, "a.test", "/a%20b/%C3%A9%20", None),
        ),
        (
            'http://a.test/?q=a b"<>&c=[1]',
            Target("http", "a.test", 80, "a.test", "/?q=a%20b%22%3C%3E&c=[1]", None),
        ),
    ],
)
def test_url_is_taken_apart(url: str, target: Target) -> None:
    assert parse_target(url) == target


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("/a/../b", "/b"),
        ("/a/./b", "/a/b"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.%2e", "/"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/../../a", "/a"),
        ("/a//../b", "/a/b"),
        ("/a/", "/a/"),
        ("/.a/..b/c..", "/.a/..b/c.."),
        ("/a?x=/../y", "/a?x=/../y"),
    ],
)
def test_dot_segments_are_resolved_as_rfc_3986_says(given: str, sent: str) -> None:
    assert parse_target("http://a.test" + given).path == sent


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "/v1",
        "http://",
        "ftp://a.test/",
        "http://a:x/",
        "http://a:0/",
        "http://a:65536/",
        "http://a b/",
        "http://[::1/",
        "http://a.test/\ud800",
        "http://\ud800.test/",
    ],
)
def test_illegal_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(RequestBuildError) as caught:
        parse_target(url)

    assert "URL" in str(caught.value)
    assert caught.value.__cause__ is None


def test_routes_are_equal_where_a_connection_may_be_shared() -> None:
    one, other = parse_target("https://a.test/x"), parse_target("https://a.test:443/y?z")

    assert route_to(one, None) == route_to(other, None)
    assert route_to(one, None) != route_to(one, "http://p:1")
    assert route_to(one, "http://u:1@p:1") != route_to(one, "http://u:2@p:1")
    assert route_to(one, None) != route_to(parse_target("http://a.test:443/x"), None)


@pytest.mark.parametrize(
    ("url", "proxy", "tunnel"),
    [
        ("http://a.test", "http://p", False),
        ("http://a.test", "https://p", False),
        ("https://a.test", "http://p", True),
        ("ws://a.test", "http://p", True),
        ("wss://a.test", "http://p", True),
        ("http://a.test", "socks5://p", True),
        ("http://a.test", None, False),
    ],
)
def test_only_plain_requests_go_through_an_http_proxy_without_a_tunnel(
    url: str, proxy: str | None, tunnel: object
) -> None:
    assert route_to(parse_target(url), proxy).tunnel is tunnel


@pytest.mark.parametrize(
    ("url", "port"),
    [("http://p", 80), ("https://p", 443), ("socks5h://p", 1080), ("http://p:8", 8)],
)
def test_proxy_has_the_port_of_its_kind(url: str, port: int) -> None:
    assert parse_proxy(url).port == port


def test_proxy_shows_no_password() -> None:
    proxy = parse_proxy("http://user:s3cret@p:1")

    assert proxy.authorization == "Basic dXNlcjpzM2NyZXQ="
    assert "s3cret" not in f"{proxy} {proxy!r} {route_to(parse_target('http://x'), proxy.url)!r}"
