"""``POST /alpha/search``: the command language, answered from a small corpus.

Several commands may come in one request; each result is a section of ``output`` and an element of
``results``. References are ``turn0search<n>``, where n is the number of the page.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from codex_api.testing.server.checks import (
    as_objects,
    json_body,
    known_keys,
    non_empty,
    one_of,
    optional,
    required,
    strings,
)
from codex_api.testing.server.corpus import PAGES, Page, relevance
from codex_api.testing.server.items import parse_input
from codex_api.testing.server.problems import RequestProblem, invalid_value
from codex_api.testing.server.tokens import pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from codex_api.testing.wire import JsonObject

_KEYS = frozenset(
    {"id", "model", "reasoning", "input", "commands", "settings", "max_output_tokens"}
)
_SETTINGS = frozenset(
    {
        "user_location",
        "search_context_size",
        "filters",
        "image_settings",
        "allowed_callers",
        "external_web_access",
    }
)
_LEAGUES = frozenset({"nba", "wnba", "nfl", "nhl", "mlb", "epl", "ncaamb", "ncaawb", "ipl"})
_REFERENCE = re.compile(r"turn0search(\d+)\Z")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)\Z")
_LENGTHS = {"short": 1, "medium": 3, "long": len(PAGES)}
MAX_DAYS = 14
# Commands are answered from fixed data, the time of day included: equal requests, equal answers.
_NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def search_routes() -> list[BaseRoute]:
    """Return the routes below the base path."""
    return [Route("/alpha/search", _search, methods=["POST"])]


async def _search(http: Request) -> Response:
    body = json_body(http.state.recorded)
    known_keys(body, _KEYS)
    non_empty(body, "id")
    non_empty(body, "model")
    if body.get("input") is not None:
        parse_input(body, ())
    room: int | None = optional(body, "max_output_tokens", int)
    answer = _Answer(body)
    text = "\n\n".join(answer.sections) or "No command was given."
    if room is not None:
        text = "".join(pieces(text)[:room])
    return JSONResponse({"output": text, "results": answer.results})


class _Answer:
    """Carries out the commands of one request."""

    def __init__(self, body: JsonObject) -> None:
        self.sections: list[str] = []
        self.results: list[JsonObject] = []
        settings: JsonObject = optional(body, "settings", dict) or {}
        known_keys(settings, _SETTINGS)
        filters: JsonObject = optional(settings, "filters", dict, "settings.") or {}
        self._allowed = strings(filters, "allowed_domains", "settings.filters.")
        self._blocked = strings(filters, "blocked_domains", "settings.filters.")
        one_of(settings, "search_context_size", {"low", "medium", "high"}, "settings.")
        self._carry_out(optional(body, "commands", dict) or {})

    def _carry_out(self, commands: JsonObject) -> None:
        run: dict[str, Callable[[JsonObject, str], str]] = {
            "search_query": self._query,
            "image_query": self._image_query,
            "open": self._open,
            "click": self._click,
            "find": self._find,
            "screenshot": self._screenshot,
            "finance": _finance,
            "weather": _weather,
            "sports": _sports,
            "time": _time,
        }
        known_keys(commands, {*run, "response_length"})
        length = one_of(commands, "response_length", _LENGTHS, "commands.") or "medium"
        self._most = _LENGTHS[length]
        for name, carry_out in run.items():
            for at, command in enumerate(as_objects(commands.get(name) or [], f"commands.{name}")):
                self.sections.append(carry_out(command, f"commands.{name}[{at}]."))

    def _query(self, command: JsonObject, where: str) -> str:
        query = non_empty(command, "q", where)
        recency: int | None = optional(command, "recency", int, where)
        domains = strings(command, "domains", where)
        found = [
            (at, page)
            for at, page in enumerate(PAGES)
            if self._is_wanted(page, domains) and _is_recent(page, recency)
        ]
        scored = [(relevance(page, query), at, page) for at, page in found]
        best = sorted((each for each in scored if each[0]), key=lambda each: (-each[0], each[1]))
        lines = [f'Results for "{query}":']
        for _, at, page in best[: self._most]:
            lines.append(f"[turn0search{at}] {page.title} ({page.url}): {page.lines[0]}")
            self._add("search", at, page, snippet=page.lines[0])
        return "\n".join(lines if best else [*lines, "nothing found"])

    def _image_query(self, command: JsonObject, where: str) -> str:
        query = non_empty(command, "q", where)
        self.results.append({"type": "image", "query": query, "url": "https://example.com/x.png"})
        return f'Image for "{query}": https://example.com/x.png'

    def _open(self, command: JsonObject, where: str) -> str:
        at = _page_number(command, where)
        first: int = optional(command, "lineno", int, where) or 0
        page = PAGES[at]
        self._add("open", at, page)
        shown = [f"L{number}: {line}" for number, line in enumerate(page.lines) if number >= first]
        links = [
            f"link {number}: {PAGES[target].title}" for number, target in enumerate(page.links)
        ]
        return "\n".join([f"{page.title} ({page.url})", *shown, *links])

    def _click(self, command: JsonObject, where: str) -> str:
        page = PAGES[_page_number(command, where)]
        number: int = required(command, "id", int, where)
        if not 0 <= number < len(page.links):
            param, message = f"{where}id", "the page has no such link."
            raise invalid_value(param, message)
        return self._open({"ref_id": f"turn0search{page.links[number]}"}, where)

    def _find(self, command: JsonObject, where: str) -> str:
        at = _page_number(command, where)
        pattern = non_empty(command, "pattern", where)
        hits = [
            f"L{number}: {line}"
            for number, line in enumerate(PAGES[at].lines)
            if pattern.lower() in line.lower()
        ]
        self._add("find", at, PAGES[at], matches=len(hits))
        return "\n".join([f'"{pattern}" in {PAGES[at].title}:', *(hits or ["no match"])])

    def _screenshot(self, command: JsonObject, where: str) -> str:
        at = _page_number(command, where)
        number: int = required(command, "pageno", int, where)
        if number:
            param, message = f"{where}pageno", "the page has one sheet, number 0."
            raise invalid_value(param, message)
        self._add("screenshot", at, PAGES[at])
        return f"Sheet 0 of {PAGES[at].title} shows {len(PAGES[at].lines)} lines."

    def _add(self, kind: str, at: int, page: Page, **more: object) -> None:
        result = {"type": kind, "ref_id": f"turn0search{at}", "title": page.title, "url": page.url}
        self.results.append({**result, **more})

    def _is_wanted(self, page: Page, domains: list[str]) -> bool:
        host = page.url.split("/")[2]
        for allowed in (domains, self._allowed):
            if allowed and not _within(host, allowed):
                return False
        return not _within(host, self._blocked)


def _within(host: str, domains: list[str]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _is_recent(page: Page, days: int | None) -> bool:
    published = datetime.fromisoformat(page.published).replace(tzinfo=UTC)
    return days is None or _NOW - published <= timedelta(days=days)


def _page_number(command: JsonObject, where: str) -> int:
    reference = non_empty(command, "ref_id", where)
    urls = [page.url for page in PAGES]
    if reference in urls:
        return urls.index(reference)
    found = _REFERENCE.match(reference)
    if not found or int(found[1]) >= len(PAGES):
        message = f"No page with reference '{reference}'."
        raise RequestProblem(400, message, "unknown_reference", f"{where}ref_id")
    return int(found[1])


def _made_up(*parts: object) -> int:
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:2], "big")


def _finance(command: JsonObject, where: str) -> str:
    ticker = non_empty(command, "ticker", where)
    kind: Any = required(command, "type", str, where)
    one_of(command, "type", {"equity", "fund", "crypto", "index"}, where)
    return f"{ticker} ({kind}): {_made_up(ticker) / 100:.2f}"


def _weather(command: JsonObject, where: str) -> str:
    place = non_empty(command, "location", where)
    start = optional(command, "start", str, where) or _NOW.date().isoformat()
    days: int = optional(command, "duration", int, where) or 1
    if not 1 <= days <= MAX_DAYS:
        param, message = f"{where}duration", f"it must be from 1 to {MAX_DAYS}."
        raise invalid_value(param, message)
    try:
        first = datetime.fromisoformat(start).date()
    except ValueError as exc:
        param, message = f"{where}start", "it must be YYYY-MM-DD."
        raise invalid_value(param, message) from exc
    dates = [(first + timedelta(days=number)).isoformat() for number in range(days)]
    told = [f"{date}: {_made_up(place, date) % 35} C" for date in dates]
    return "\n".join([f"Weather in {place}:", *told])


def _sports(command: JsonObject, where: str) -> str:
    required(command, "fn", str, where)
    function = one_of(command, "fn", {"schedule", "standings"}, where)
    required(command, "league", str, where)
    league = one_of(command, "league", _LEAGUES, where)
    team = optional(command, "team", str, where)
    return f"{league} {function}{f' of {team}' if team else ''}: no games on record"


def _time(command: JsonObject, where: str) -> str:
    offset = non_empty(command, "utc_offset", where)
    found = _OFFSET.match(offset)
    if not found:
        param, message = f"{where}utc_offset", "it must look like '+03:00'."
        raise invalid_value(param, message)
    shift = timedelta(hours=int(found[2]), minutes=int(found[3]))
    zone = timezone(shift if found[1] == "+" else -shift)
    return f"Time at UTC{offset}: {_NOW.astimezone(zone):%Y-%m-%d %H:%M}"
