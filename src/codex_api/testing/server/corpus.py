"""The little web that the built-in search knows."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """One page; ``links`` are the ids of the pages that it links to, in order."""

    url: str
    title: str
    text: str
    published: str
    links: tuple[int, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The text line by line."""
        return self.text.splitlines()


PAGES = (
    Page(
        "https://docs.example.com/sse",
        "Server-sent events",
        "Server-sent events are a one-way stream of text over HTTP.\n"
        "Each event is a block of lines and ends with a blank line.\n"
        "Comments begin with a colon and keep connections alive.\n"
        "A client reconnects and names the last event id it saw.",
        "2026-03-01",
        (1, 2),
    ),
    Page(
        "https://docs.example.com/websocket",
        "WebSocket",
        "A WebSocket is a two-way channel that begins as an HTTP request.\n"
        "Pings tell whether the other end is alive.\n"
        "permessage-deflate compresses messages.",
        "2026-02-10",
        (0,),
    ),
    Page(
        "https://blog.example.org/backoff",
        "Backoff and jitter",
        "Clients that retry at the same moment come back at the same moment.\n"
        "Exponential backoff spreads them in time, and jitter spreads them further.\n"
        "A server that says Retry-After should be taken at its word.",
        "2025-11-20",
        (0,),
    ),
    Page(
        "https://news.example.net/python",
        "Python news",
        "Python has a zstd module in its standard library since version 3.14.\n"
        "The free-threaded build is supported officially.",
        "2025-10-07",
    ),
    Page(
        "https://garden.example.org/tomatoes",
        "Growing tomatoes",
        "Tomatoes want sun, water at the roots and a stick to climb.\n"
        "Sow them in March and plant them out in May.",
        "2024-03-15",
    ),
)


def relevance(page: Page, query: str) -> int:
    """Count the words of a query that a page has."""
    return shared_words(f"{page.title} {page.text}", query)


def shared_words(text: str, query: str) -> int:
    """Count the words that two texts share."""
    words = set(re.findall(r"\w+", text.lower()))
    return len(words & set(re.findall(r"\w+", query.lower())))
