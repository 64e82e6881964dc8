"""Values of ``alpha/search``: request, command language and answer (wire.md, Other endpoints).

Keys that are None are left out. Values are checked when the request is built, so an illegal one is
reported with its path, such as ``commands.sports[0].league``, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from codex_api.types.item import ResponseItem
from codex_api.types.reasoning import Reasoning

FinanceAssetType: TypeAlias = Literal["equity", "fund", "crypto", "index"]
SportsFunction: TypeAlias = Literal["schedule", "standings"]
SportsLeague: TypeAlias = Literal[
    "nba", "wnba", "nfl", "nhl", "mlb", "epl", "ncaamb", "ncaawb", "ipl"
]
SearchResponseLength: TypeAlias = Literal["short", "medium", "long"]
SearchContextSize: TypeAlias = Literal["low", "medium", "high"]
AllowedCaller: TypeAlias = Literal["direct", "shell", "code_interpreter"]
ExternalWebAccess: TypeAlias = Literal["cached", "indexed", "live"]

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
CalendarDay: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
UtcOffset: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[+-]\d{2}:\d{2}$")]


class SearchQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """A query to the text or image search engine.

    Attributes:
        recency: Only results of this many days back; None sets no limit.
        domains: Only results of these domains.
    """

    q: str
    recency: Count | None = None
    domains: Sequence[str] | None = None


class OpenOperation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Open a page by reference id or URL, at a line number."""

    ref_id: str
    lineno: Count | None = None


class ClickOperation(msgspec.Struct, frozen=True):
    """Follow link number ``id`` of a page that was opened."""

    ref_id: str
    id: Count


class FindOperation(msgspec.Struct, frozen=True):
    """Find text in a page, by reference id or URL."""

    ref_id: str
    pattern: str


class ScreenshotOperation(msgspec.Struct, frozen=True):
    """Take a picture of a PDF page; the first page is number 0."""

    ref_id: str
    pageno: Count


class FinanceOperation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Look up a price.

    Attributes:
        market: Country code (ISO 3166-1, three letters), ``OTC``, or empty for a cryptocurrency.
    """

    ticker: str
    type: FinanceAssetType
    market: str | None = None


class WeatherOperation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Look up a forecast.

    Attributes:
        location: As ``Country, Area, City``.
        start: First day as ``YYYY-MM-DD``; None means today.
        duration: Days; None leaves it to the server.
    """

    location: str
    start: CalendarDay | None = None
    duration: Count | None = None


class SportsOperation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Look up a schedule or standings.

    Attributes:
        team: Broadcast alias of three or four letters; as ``opponent``.
        date_from: First day as ``YYYY-MM-DD``; as ``date_to``.
    """

    tool: Literal["sports"] | None = None
    fn: SportsFunction
    league: SportsLeague
    team: str | None = None
    opponent: str | None = None
    date_from: CalendarDay | None = None
    date_to: CalendarDay | None = None
    num_games: Count | None = None
    locale: str | None = None


class TimeOperation(msgspec.Struct, frozen=True):
    """Tell the time at a UTC offset such as ``+03:00``."""

    utc_offset: UtcOffset


class SearchCommands(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What to do, each kind a list of operations."""

    search_query: Sequence[SearchQuery] | None = None
    image_query: Sequence[SearchQuery] | None = None
    open: Sequence[OpenOperation] | None = None
    click: Sequence[ClickOperation] | None = None
    find: Sequence[FindOperation] | None = None
    screenshot: Sequence[ScreenshotOperation] | None = None
    finance: Sequence[FinanceOperation] | None = None
    weather: Sequence[WeatherOperation] | None = None
    sports: Sequence[SportsOperation] | None = None
    time: Sequence[TimeOperation] | None = None
    response_length: SearchResponseLength | None = None


def _approximate() -> Literal["approximate"]:
    return "approximate"


class ApproximateLocation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Where the user roughly is."""

    # A plain default would be left out when encoded; one that a factory makes is not.
    type: Literal["approximate"] = msgspec.field(default_factory=_approximate)
    country: str | None = None
    region: str | None = None
    city: str | None = None
    timezone: str | None = None


class SearchFilters(msgspec.Struct, frozen=True, omit_defaults=True):
    """Domains to search only, and domains never to search."""

    allowed_domains: Sequence[str] | None = None
    blocked_domains: Sequence[str] | None = None


class SearchImageSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many images to give, and whether with a caption."""

    max_results: Count | None = None
    caption: bool | None = None


class SearchSettings(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How to search.

    Attributes:
        external_web_access: Whether the live web may be asked; newer servers also take the names.
    """

    user_location: ApproximateLocation | None = None
    search_context_size: SearchContextSize | None = None
    filters: SearchFilters | None = None
    image_settings: SearchImageSettings | None = None
    allowed_callers: Sequence[AllowedCaller] | None = None
    external_web_access: bool | ExternalWebAccess | None = None


class SearchRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A search on behalf of a conversation.

    Attributes:
        id: Conversation (thread) that the references belong to.
        input: Text, or the items that the search is about; None leaves the key out.
        max_output_tokens: Limit on the answer's text, or None.
    """

    id: str
    model: str
    reasoning: Reasoning | None = None
    input: str | Sequence[ResponseItem | Mapping[str, Any] | msgspec.Raw] | None = None
    commands: SearchCommands | None = None
    settings: SearchSettings | None = None
    max_output_tokens: int | None = None


class SearchResponse(msgspec.Struct, frozen=True):
    """What the search found.

    Attributes:
        output: Text to give to the model.
        encrypted_output: The same for a later request, unreadable here; None when not sent.
        results: Each result as JSON, unchanged; None when not sent, which an empty list is not.
    """

    output: str
    encrypted_output: str | None = None
    results: list[Any] | None = None
