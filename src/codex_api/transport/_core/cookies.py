"""The cookies that Cloudflare sets in front of ChatGPT, and no others.

They tell the edge that it has seen this client before; without them every call may be challenged
anew. Account and session cookies are never kept: they would make requests act as someone. So both
lists below are checked when a cookie is stored and once more when it is sent.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOSTS: Final = frozenset({"chatgpt.com", "chat.openai.com", "chatgpt-staging.com"})
_PARENT_HOSTS: Final = (".chatgpt.com", ".chatgpt-staging.com")
_NAMES: Final = frozenset(
    {
        "__cf_bm",
        "__cflb",
        "__cfruid",
        "__cfseq",
        "__cfwaitingroom",
        "_cfuvid",
        "cf_clearance",
        "cf_ob_info",
        "cf_use_ob",
    }
)
_NAME_PREFIX: Final = "cf_chl_"
# The lists above allow a few dozen; a hostile server must not make it more, nor large.
_MAX_COOKIES: Final = 128
_MAX_COOKIE_BYTES: Final = 4096

_VALUE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e ,\"\\]*").fullmatch
_SECONDS: Final = re.compile(r"-?[0-9]{1,15}").fullmatch
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
# The two forms of a date in use: "Wed, 21 Oct 2026 07:28:00 GMT", and with hyphens or a short year.
_DATE: Final = re.compile(
    r"(?:[a-z]+, *)?([0-9]{1,2})[ -]([a-z]{3})[ -]([0-9]{4}|[0-9]{2})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2})(?: gmt| utc)?"
).fullmatch
_SHORT_YEAR: Final = 2
_CENTURY_SPLIT: Final = 70


class _Key(msgspec.Struct, frozen=True):
    domain: str
    path: str
    name: str


class _Cookie(msgspec.Struct, frozen=True):
    value: str
    expires_at: float | None
    host_only: bool


def is_cookie_host(host: str) -> bool:
    """Return whether cookies are kept for ``host``, which is in lower case."""
    return host in _HOSTS or host.endswith(_PARENT_HOSTS)


def is_cookie_name(name: str) -> bool:
    """Return whether a cookie of this name is Cloudflare's."""
    return name in _NAMES or name.startswith(_NAME_PREFIX)


class CookieJar:
    """Cloudflare's cookies of ChatGPT hosts. One thread at a time; instants are Unix times."""

    def __init__(self) -> None:
        self._cookies: dict[_Key, _Cookie] = {}

    def store(self, url: str, set_cookie: Iterable[str], now: float) -> None:
        """Take what an answer from ``url`` sets; anything not allowed or not legal is skipped.

        Args:
            url: Where the request went.
            set_cookie: Values of the answer's ``Set-Cookie`` fields.
            now: The present time.
        """
        target = _target(url)
        if target is None:
            return
        for line in set_cookie:
            parsed = _parse(line, *target, now)
            if parsed is None:
                continue
            key, cookie = parsed
            if cookie.expires_at is not None and cookie.expires_at <= now:
                self._cookies.pop(key, None)
            else:
                self._cookies[key] = cookie
        self._shrink(now)

    def header_for(self, url: str, now: float) -> str | None:
        """Return the value of ``Cookie`` for a request to ``url``, or None when there is none."""
        target = _target(url)
        if target is None:
            return None
        host, path = target
        found = [
            (key, cookie)
            for key, cookie in self._cookies.items()
            if (cookie.expires_at is None or cookie.expires_at > now)
            and is_cookie_name(key.name)
            and (host == key.domain if cookie.host_only else _is_within(host, key.domain))
            and _is_below(path, key.path)
        ]
        # Longer paths first; the sort keeps the older of equals in front.
        found.sort(key=lambda pair: -len(pair[0].path))
        return "; ".join(f"{key.name}={cookie.value}" for key, cookie in found) or None

    def clear(self) -> None:
        """Forget every cookie."""
        self._cookies.clear()

    def _shrink(self, now: float) -> None:
        for key, cookie in list(self._cookies.items()):
            if cookie.expires_at is not None and cookie.expires_at <= now:
                del self._cookies[key]
        while len(self._cookies) > _MAX_COOKIES:
            del self._cookies[next(iter(self._cookies))]


def _target(url: str) -> tuple[str, str] | None:
    """Return host and path, or None when cookies are not for this URL."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme != "https" or host is None or not is_cookie_host(host):
        return None
    return host, parts.path if parts.path.startswith("/") else "/"


def _parse(line: str, host: str, path: str, now: float) -> tuple[_Key, _Cookie] | None:
    pair, *rest = line.split(";")
    name, equals, value = pair.partition("=")
    name, value = name.strip(), value.strip()
    legal = equals and is_cookie_name(name) and _VALUE(name + value)
    if not legal or len(name) + len(value) > _MAX_COOKIE_BYTES:
        return None
    attributes: dict[str, str] = {}
    for item in rest:
        key, _, text = item.partition("=")
        attributes[key.strip().lower()] = text.strip()
    domain = attributes.get("domain", "").lower().removeprefix(".")
    # A domain of one label would be a whole top level.
    if domain and not ("." in domain and _is_within(host, domain)):
        return None
    cookie_path = attributes.get("path", "")
    if not cookie_path.startswith("/"):
        cookie_path = path[: path.rfind("/")] or "/"
    stored = _Cookie(value, _expiry(attributes, now), host_only=not domain)
    return _Key(domain or host, cookie_path, name), stored


def _expiry(attributes: dict[str, str], now: float) -> float | None:
    max_age = attributes.get("max-age", "")
    if _SECONDS(max_age):
        return now + int(max_age)
    return _parse_date(attributes.get("expires", ""))


def _parse_date(text: str) -> float | None:
    found = _DATE(text.lower())
    if found is None or found[2] not in _MONTHS:
        return None
    year = int(found[3])
    if len(found[3]) == _SHORT_YEAR:
        year += 1900 if year >= _CENTURY_SPLIT else 2000
    month = _MONTHS.index(found[2]) + 1
    hour, minute, second = (int(part) for part in found.group(4, 5, 6))
    try:
        return datetime(year, month, int(found[1]), hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _is_within(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def _is_below(path: str, parent: str) -> bool:
    if not path.startswith(parent):
        return False
    return path == parent or parent.endswith("/") or path[len(parent)] == "/"
