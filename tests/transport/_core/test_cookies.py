from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api.transport._core.cookies import CookieJar, is_cookie_host, is_cookie_name

URL = "https://chatgpt.com/backend-api/codex/responses"
NOW = 1_800_000_000.0
DAY = 86_400


def jar_with(*set_cookie: str, url: str = URL, now: float = NOW) -> CookieJar:
    jar = CookieJar()
    jar.store(url, set_cookie, now)
    return jar


@pytest.mark.parametrize(
    "host",
    [
        "chatgpt.com",
        "chat.openai.com",
        "chatgpt-staging.com",
        "a.chatgpt.com",
        "a.b.chatgpt-staging.com",
    ],
)
def test_cookies_come_back_on_chatgpt_hosts(host: str) -> None:
    url = f"https://{host}/x"

    assert is_cookie_host(host)
    assert jar_with("__cf_bm=1; Path=/", url=url).header_for(url, NOW) == "__cf_bm=1"


@pytest.mark.parametrize(
    "host",
    [
        "foo.chat.openai.com",
        "evilchatgpt.com",
        "chatgpt.com.evil.example",
        "api.openai.com",
        "openai.com",
        "chatgpt.com.",
        ".chatgpt.co",
        "",
    ],
)
def test_other_hosts_have_no_cookies(host: str) -> None:
    url = f"https://{host}/x"
    jar = jar_with("__cf_bm=1; Domain=chatgpt.com", url=url)

    assert not is_cookie_host(host)
    assert jar.header_for(url, NOW) is None
    assert jar.header_for(URL, NOW) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://chatgpt.com/",
        "wss://chatgpt.com/",
        "ws://chatgpt.com/",
        "chatgpt.com",
        "https://chatgpt.com@evil.example/",
        "https://evil.example/#chatgpt.com",
        "https://[chatgpt.com/",
    ],
)
def test_only_https_urls_set_and_get_cookies(url: str) -> None:
    jar = jar_with("__cf_bm=1; Path=/")

    assert jar.header_for(url, NOW) is None
    assert jar_with("__cf_bm=1; Path=/", url=url).header_for(URL, NOW) is None


@pytest.mark.parametrize(
    "name",
    [
        "__cf_bm",
        "__cflb",
        "__cfruid",
        "__cfseq",
        "__cfwaitingroom",
        "_cfuvid",
        "cf_clearance",
        "cf_ob_info",
        "cf_use_ob",
        "cf_chl_",
        "cf_chl_rc_i",
    ],
)
def test_names_of_cloudflare_are_kept(name: str) -> None:
    assert is_cookie_name(name)
    assert jar_with(f"{name}=v").header_for(URL, NOW) == f"{name}=v"


@pytest.mark.parametrize(
    "name",
    [
        "__Secure-next-auth.session-token",
        "oai-did",
        "_account",
        "__cf_bm2",
        "__CF_BM",
        "cf_chl",
        "",
    ],
)
def test_account_and_session_cookies_are_never_kept(name: str) -> None:
    assert not is_cookie_name(name)
    assert jar_with(f"{name}=v; Path=/").header_for(URL, NOW) is None


def test_allowed_names_are_kept_out_of_a_mixed_answer() -> None:
    jar = jar_with("session=secret", "__cf_bm=1", "oai-sc=2", "_cfuvid=3")

    assert jar.header_for(URL, NOW) == "__cf_bm=1; _cfuvid=3"


def test_cookie_without_a_domain_stays_on_its_host() -> None:
    jar = jar_with("__cf_bm=1; Path=/", url="https://a.chatgpt.com/")

    assert jar.header_for("https://a.chatgpt.com/", NOW) == "__cf_bm=1"
    assert jar.header_for("https://chatgpt.com/", NOW) is None
    assert jar.header_for("https://b.a.chatgpt.com/", NOW) is None


@pytest.mark.parametrize("domain", ["chatgpt.com", ".chatgpt.com", "ChatGPT.com"])
def test_cookie_with_a_domain_reaches_its_subdomains(domain: str) -> None:
    jar = jar_with(f"__cf_bm=1; Path=/; Domain={domain}", url="https://a.chatgpt.com/")

    assert jar.header_for("https://chatgpt.com/", NOW) == "__cf_bm=1"
    assert jar.header_for("https://b.chatgpt.com/", NOW) == "__cf_bm=1"
    assert jar.header_for("https://chatgpt-staging.com/", NOW) is None


def test_wider_domain_still_reaches_listed_hosts_only() -> None:
    jar = jar_with("__cf_bm=1; Path=/; Domain=openai.com", url="https://chat.openai.com/")

    assert jar.header_for("https://chat.openai.com/", NOW) == "__cf_bm=1"
    assert jar.header_for("https://api.openai.com/", NOW) is None


@pytest.mark.parametrize("domain", ["com", ".com", "evil.example", "a.chatgpt.com", "tgpt.com"])
def test_cookie_for_a_domain_that_is_not_the_hosts_is_refused(domain: str) -> None:
    jar = jar_with(f"__cf_bm=1; Path=/; Domain={domain}")

    assert jar.header_for(URL, NOW) is None
    assert jar.header_for("https://a.chatgpt.com/", NOW) is None


@pytest.mark.parametrize(
    ("attribute", "set_at", "sent_to", "sent"),
    [
        ("", "/a/b", "/a/c", True),
        ("", "/a/b", "/a", True),
        ("", "/a/b", "/ab", False),
        ("", "/a", "/b", True),
        ("", "", "", True),
        ("; Path=/", "/a/b", "/c", True),
        ("; Path=/a", "/", "/a/", True),
        ("; Path=/a/", "/", "/a", False),
        ("; Path=/a", "/", "/ab", False),
        ("; Path=a", "/x/y", "/x/z", True),
        ("; Path", "/x/y", "/z", False),
    ],
)
def test_cookie_is_sent_below_its_path(
    attribute: str, set_at: str, sent_to: str, *, sent: bool
) -> None:
    jar = jar_with("__cf_bm=1" + attribute, url="https://chatgpt.com" + set_at)

    assert jar.header_for("https://chatgpt.com" + sent_to, NOW) == ("__cf_bm=1" if sent else None)


def test_longer_paths_come_first_then_older_cookies() -> None:
    jar = jar_with("__cf_bm=1; Path=/", "_cfuvid=2; Path=/", "__cflb=3; Path=/backend-api")
    jar.store(URL, ["__cf_bm=4; Path=/"], NOW)

    assert jar.header_for(URL, NOW) == "__cflb=3; __cf_bm=4; _cfuvid=2"


def test_host_cookie_and_domain_cookie_replace_each_other() -> None:
    jar = jar_with("__cf_bm=1; Path=/", "__cf_bm=2; Path=/; Domain=chatgpt.com")

    assert jar.header_for(URL, NOW) == "__cf_bm=2"


@pytest.mark.parametrize(
    ("attributes", "lives_until"),
    [
        ("", None),
        ("; Max-Age=60", NOW + 60),
        ("; max-age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", NOW + 60),
        ("; Max-Age=soon", None),
        ("; Expires=Fri, 15 Jan 2027 08:00:01 GMT", NOW + 1),
        ("; Expires=Fri, 15-Jan-2027 08:00:01 GMT", NOW + 1),
        ("; Expires=Fri, 15-Jan-27 08:00:01 GMT", NOW + 1),
        ("; Expires=15 jan 2027 08:00:01", NOW + 1),
        ("; Expires=Fri, 31 Feb 2027 08:00:01 GMT", None),
        ("; Expires=Fri, 15 Foo 2027 08:00:01 GMT", None),
        ("; Expires=later", None),
    ],
)
def test_cookie_lives_as_long_as_it_says(attributes: str, lives_until: float | None) -> None:
    jar = jar_with("__cf_bm=1" + attributes)

    if lives_until is None:
        assert jar.header_for(URL, NOW + 9999 * DAY) == "__cf_bm=1"
    else:
        assert jar.header_for(URL, lives_until - 0.5) == "__cf_bm=1"
        assert jar.header_for(URL, lives_until) is None


@pytest.mark.parametrize(
    "attributes",
    [
        "Max-Age=0",
        "Max-Age=-1",
        "Expires=Thu, 01-Jan-70 00:00:00 GMT",
        "Expires=01 Jan 99 00:00:00",
    ],
)
def test_cookie_in_the_past_deletes_the_one_that_is_kept(attributes: str) -> None:
    jar = jar_with("__cf_bm=1", "_cfuvid=2")
    jar.store(URL, [f"__cf_bm=; {attributes}"], NOW)

    assert jar.header_for(URL, NOW) == "_cfuvid=2"


@pytest.mark.parametrize(
    "line",
    [
        "__cf_bm",
        "",
        ";",
        "=x",
        "__cf_bm=a\r\nInjected: 1",
        "__cf_bm=a\x00",
        "__cf_bm=\u20ac",
        "__cf_bm=" + "x" * 5000,
    ],
)
def test_illegal_or_huge_cookies_are_skipped(line: str) -> None:
    assert jar_with(line).header_for(URL, NOW) is None


def test_value_goes_back_as_it_came() -> None:
    assert jar_with('__cf_bm= "a=b c%20/+" ').header_for(URL, NOW) == '__cf_bm="a=b c%20/+"'


def test_jar_stays_small_and_drops_the_oldest() -> None:
    jar = jar_with(*(f"cf_chl_{number}=x" for number in range(1000)))
    header = jar.header_for(URL, NOW) or ""

    assert header.count(";") == 127
    assert header.endswith("cf_chl_999=x")


def test_expired_cookies_make_room_before_living_ones_do() -> None:
    jar = jar_with("__cf_bm=1")
    jar.store(URL, (f"cf_chl_{number}=x; Max-Age=1" for number in range(127)), NOW)
    jar.store(URL, ["_cfuvid=2"], NOW + 1)

    assert jar.header_for(URL, NOW + 1) == "__cf_bm=1; _cfuvid=2"


def test_cleared_jar_is_empty() -> None:
    jar = jar_with("__cf_bm=1")
    jar.clear()

    assert jar.header_for(URL, NOW) is None


@given(st.lists(st.text(max_size=40).map(lambda text: "__cf_bm=" + text)), st.text(max_size=30))
def test_any_text_gives_a_legal_header(lines: list[str], path: str) -> None:
    header = jar_with(*lines, url="https://chatgpt.com/" + path).header_for(URL, NOW)

    assert header is None or (header.isascii() and header.isprintable())
